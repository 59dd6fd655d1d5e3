/*
 * What policy services say, what they are told, and how they are named; the
 * first byte chooses.
 *
 * Oracles: an answer read byte by byte is the answer read whole, and is text
 * of one line; a request has the lines of an empty one whatever is in it
 * (S12); a name that is accepted once is accepted again and shares its key.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "policy/reply.h"
#include "policy/request.h"
#include "policy/spec.h"
#include "tests/fuzz/fuzz.h"

static void
reply(struct span in)
{
	enum policy_reply_result whole, piece = POLICY_REPLY_MORE;
	struct policy_reply a = { 0 }, b = { 0 };
	struct span one = SPAN_NONE, two = SPAN_NONE;
	size_t n;

	whole = policy_reply_read(&a, in, &one);
	for (n = 0; n <= in.n && piece == POLICY_REPLY_MORE; n++)
		piece = policy_reply_read(&b, span_of(in.p, n), &two);
	ps_assert(piece == whole);
	if (whole != POLICY_REPLY_OK)
		return;
	ps_assert(span_eq(one, two) && a.at == b.at && a.at <= in.n);
	ps_assert(span_chr(one, '\n') < 0 && span_chr(one, '\r') < 0 &&
	    span_chr(one, '\0') < 0);
}

static size_t
lines(struct span rest)
{
	struct span line;
	size_t n = 0;

	while (span_split(&rest, '\n', &line))
		n++;
	return n;
}

/* Each third of the input is a value. */
static void
request(struct span in)
{
	size_t third = in.n / 3;
	struct policy_request r = {
		.sender = span_sub(in, 0, third),
		.ccert_subject = span_sub(in, third, third),
		.policy_context = span_sub(in, 2 * third, in.n) };
	struct policy_request none = { .size = 0 };
	struct buf full, empty;

	buf_init(&full, POLICY_REQUEST_MAX);
	buf_init(&empty, POLICY_REQUEST_MAX);
	policy_request_write(&r, &full);
	policy_request_write(&none, &empty);
	if (!buf_failed(&full)) {
		ps_assert(lines(buf_span(&full)) == lines(buf_span(&empty)));
		ps_assert(span_chr(buf_span(&full), '\0') < 0);
		ps_assert(span_ends(buf_span(&full), "\n\n"));
	}
	buf_fini(&full);
	buf_fini(&empty);
}

static void
spec(struct span in)
{
	static struct conf *conf;
	struct policy_spec *one, *two;
	struct buf complaints;
	struct err err;

	if (conf == NULL) {
		buf_init(&complaints, BUF_NO_CAP);
		conf = conf_parse("fuzz", SPAN_LIT(""), &complaints);
		buf_fini(&complaints);
	}
	if ((one = policy_spec_new(in, conf, &err)) == NULL) {
		ps_assert(err.kind == ERR_PERM && err.why[0] != '\0');
		return;
	}
	ps_assert((one->place.path == NULL) != (one->place.host == NULL));
	ps_assert(one->timeout > 0 && one->try_limit > 0);
	two = policy_spec_new(in, conf, &err);
	ps_assert(two != NULL && strcmp(one->key, two->key) == 0);
	policy_spec_unref(&one);
	policy_spec_unref(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct span) = { reply, request, spec };

	if (size > 0)
		parts[data[0] % ARRAY_LEN(parts)](span_of(data + 1,
		    size - 1));
	return 0;
}
