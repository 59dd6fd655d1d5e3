/*
 * What greylisting makes of names and files that others chose: postgrey's
 * whitelists, and the names a sender goes by. The first line is an address and
 * a client's name, the rest a file.
 */
#include "gate/grey.h"
#include "gate/greywhite.h"
#include "tests/fuzz/fuzz.h"

static bool
is_tail(struct span part, struct span of)
{
	return part.n <= of.n && (part.n == 0 ||
	    part.p == of.p + of.n - part.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), line = SPAN_NONE;
	struct greywhite *w = greywhite_new();
	struct net_addr a;
	struct buf out, again;

	if (!net_addr_parse(SPAN_LIT("192.0.2.7"), &a))
		__builtin_trap();
	(void)span_split(&rest, '\n', &line);
	buf_init(&out, BUF_NO_CAP);
	buf_init(&again, BUF_NO_CAP);
	if (!is_tail(grey_organisation(line, &a), line))
		__builtin_trap();

	/* what was made alike stays as it is */
	grey_recipient(line, &out);
	grey_recipient(buf_span(&out), &again);
	if (!span_eq(buf_span(&out), buf_span(&again)) ||
	    buf_len(&out) > line.n)
		__builtin_trap();
	buf_clear(&out);
	grey_sender(line, &out);
	if (buf_len(&out) > line.n)
		__builtin_trap();

	buf_clear(&out);
	greywhite_parse(w, GREYWHITE_CLIENTS, "f", rest, &out);
	greywhite_parse(w, GREYWHITE_RECIPIENTS, "f", rest, &out);
	(void)greywhite_client(w, line, SPAN_LIT("192.0.2.7"), &a);
	(void)greywhite_recipient(w, line);
	buf_fini(&out);
	buf_fini(&again);
	greywhite_free(&w);
	return 0;
}
