/*
 * Forged result fields in any bytes. Oracles: fed byte by byte the same stays
 * as in one piece; what stays holds no field of ours (filtered again, nothing
 * goes) and is no longer than what came; what was completed lacks nothing.
 */
#include <string.h>

#include "smtpd/headfilter.h"
#include "tests/fuzz/fuzz.h"

static void
keep(struct span run, void *arg)
{
	buf_span_add(arg, run);
}

static void
supply(enum supplied which, struct buf *out, void *arg)
{
	static const char *const lines[SUPPLIED] = { "Date: d\r\n",
	    "From: f\r\n", "Message-ID: m\r\n" };

	(void)arg;
	buf_str(out, lines[which]);
}

static unsigned
filter(struct span in, size_t step, bool complete, struct buf *out)
{
	struct headfilter h;
	unsigned removed;
	size_t i;

	buf_init(out, BUF_NO_CAP);
	headfilter_init(&h, "a.example", "b.example");
	if (complete)
		headfilter_supply_with(&h, supply, NULL);
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

	int complete;

	if (size > 65536)
		return 0;
	for (complete = 0; complete < 2; complete++) {
		(void)filter(in, 65536, complete, &whole);
		(void)filter(in, 1, complete, &bytes);
		ps_assert(span_eq(buf_span(&whole), buf_span(&bytes)));
		ps_assert(complete || buf_len(&whole) <= size);
		ps_assert(filter(buf_span(&whole), 7, complete, &again) == 0);
		ps_assert(span_eq(buf_span(&whole), buf_span(&again)));
		buf_fini(&again);
		buf_fini(&bytes);
		buf_fini(&whole);
	}
	return 0;
}
