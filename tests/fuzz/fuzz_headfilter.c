/*
 * Forged result fields in any bytes. Oracles: fed byte by byte the same stays
 * as in one piece; what stays holds no field of ours (filtered again, nothing
 * goes) and is no longer than what came.
 */
#include <string.h>

#include "smtpd/headfilter.h"
#include "tests/fuzz/fuzz.h"

static void
keep(struct span run, void *arg)
{
	buf_span_add(arg, run);
}

static unsigned
filter(struct span in, size_t step, struct buf *out)
{
	struct headfilter h;
	unsigned removed;
	size_t i;

	buf_init(out, BUF_NO_CAP);
	headfilter_init(&h, "a.example", "b.example");
	for (i = 0; i < in.n; i += step)
		headfilter_feed(&h, span_sub(in, i, step), keep, out);
	headfilter_end(&h, keep, out);
	removed = h.removed;
	headfilter_fini(&h);
	return removed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf whole, bytes, again;

	if (size > 65536)
		return 0;
	(void)filter(in, 65536, &whole);
	(void)filter(in, 1, &bytes);
	ps_assert(span_eq(buf_span(&whole), buf_span(&bytes)));
	ps_assert(buf_len(&whole) <= size);
	ps_assert(filter(buf_span(&whole), 7, &again) == 0);
	buf_fini(&again);
	buf_fini(&bytes);
	buf_fini(&whole);
	return 0;
}
