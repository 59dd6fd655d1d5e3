/*
 * What a worker asks and tells about clients that passed first-contact tests
 * (KEEPER_PASS), and what gatekeeper then knows: no pass lasts ten years, what
 * was unpacked packs to the same bytes, and the table keeps its size.
 */
#include <stdlib.h>

#include "proto/proto.h"
#include "smtpd/pass.h"
#include "tests/fuzz/fuzz.h"

#define MOST	50
#define KEEP_S	100
#define TEN_YEARS_S	(3650 * 86400u)

static void
check_left(const struct pass_left *left, struct span packed)
{
	struct buf again;
	int t;

	buf_init(&again, 100);
	pass_left_pack(&again, left);
	if (!span_eq(buf_span(&again), packed))
		__builtin_trap();
	for (t = 0; t < PASS_TESTS; t++)
		if (left->s[t] > TEN_YEARS_S)
			__builtin_trap();
	buf_fini(&again);
}

static void
take(struct passes *p, struct span client, const struct pass_left *left,
    uint64_t now)
{
	struct pass_left got;
	struct buf text;
	int t;

	(void)passes_add(p, client, left, now);
	if (passes_count(p) > MOST)
		__builtin_trap();
	if (!passes_get(p, client, now, &got) &&
	    pass_missing(left) != PASS_BIT(PASS_TESTS) - 1)
		__builtin_trap();
	for (t = 0; t < PASS_TESTS; t++)
		if (got.s[t] < left->s[t])
			__builtin_trap();
	buf_init(&text, 100);
	pass_key_text(client, &text);
	if (buf_len(&text) == 0 || buf_failed(&text))
		__builtin_trap();
	buf_fini(&text);
}

/* Messages of such entries, one behind the other, a second apart. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct passes *p = passes_new(MOST, KEEP_S);
	struct span rest = span_of(data, size);
	struct entry_pass_ask in;
	struct pass_left left;
	uint64_t now = 1;

	while (entry_pass_ask_next(&rest, &in)) {
		now++;
		if (in.client.n != PASS_KEY_LEN)
			continue;
		if (pass_left_unpack(in.left, &left)) {
			check_left(&left, in.left);
			take(p, in.client, &left, now);
		} else if (in.left.n == 0)
			(void)passes_get(p, in.client, now, &left);
		else
			(void)passes_forget(p, in.client);
	}
	passes_free(&p);
	return 0;
}
