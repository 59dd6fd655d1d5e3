/*
 * What table servers say. The first byte chooses the protocol, the second how
 * much of the rest comes first. Oracle: a reply that was complete, or garbage,
 * stays so when more comes behind it, and used no more than there was.
 */
#include "base/macros.h"
#include "tableask/wire.h"
#include "tests/fuzz/fuzz.h"

static enum wire_state
reply(const struct wire *w, struct span in, size_t *used,
    enum table_result *r, struct buf *value)
{
	enum wire_state st;
	struct err err;

	err_clear(&err);
	*used = 0;
	*r = TABLE_PARKED;
	buf_clear(value);
	st = w->reply(in, used, r, value, &err);
	ps_assert(*used <= in.n);
	ps_assert(st != WIRE_DONE || (*used > 0 && *r != TABLE_PARKED));
	ps_assert(st != WIRE_GARBAGE || err.why[0] != '\0');
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct wire *w;
	struct span whole, part;
	enum wire_state st1, st2;
	enum table_result r1, r2;
	struct buf one, two;
	size_t used1, used2;

	if (size < 2)
		return 0;
	w = data[0] % 2 == 0 ? &wire_tcp : &wire_socketmap;
	whole = span_of(data + 2, size - 2);
	part = span_sub(whole, 0, data[1]);
	buf_init(&one, TABLE_VALUE_MAX);
	buf_init(&two, TABLE_VALUE_MAX);
	st1 = reply(w, part, &used1, &r1, &one);
	st2 = reply(w, whole, &used2, &r2, &two);
	if (st1 != WIRE_MORE) {
		ps_assert(st2 == st1);
		if (st1 == WIRE_DONE)
			ps_assert(used1 == used2 && r1 == r2 &&
			    span_eq(buf_span(&one), buf_span(&two)));
	}
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
