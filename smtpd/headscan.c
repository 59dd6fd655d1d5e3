#include "smtpd/headscan.h"

void
headscan_init(struct headscan *h)
{
	h->done = h->in_id = false;
	h->hops = 0;
	h->line_len = h->id_len = 0;
}

static void
id_set(struct headscan *h, struct span value)
{
	value = span_trim(value);
	if (h->id_len > 0 || value.n == 0)
		return;
	memcpy(h->id, value.p, value.n);
	h->id_len = (uint16_t)value.n;
}

/* A whole line without its CR LF, cut to HEADSCAN_LINE_MAX. */
static void
line_end(struct headscan *h)
{
	struct span line = span_of(h->line, h->line_len);

	h->line_len = 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0) {
		h->done = true;
	} else if (line.p[0] == ' ' || line.p[0] == '\t') {
		if (h->in_id)
			id_set(h, line);
	} else {
		h->in_id = span_starts(line, "Message-ID:");
		if (h->in_id)
			id_set(h, span_sub(line, 11, line.n));
		else if (span_starts(line, "Received:"))
			h->hops++;
	}
}

void
headscan_feed(struct headscan *h, struct span run)
{
	while (!h->done && run.n > 0) {
		ptrdiff_t lf = span_chr(run, '\n');
		size_t n = lf == -1 ? run.n : (size_t)lf;
		size_t keep = MIN(n,
		    (size_t)(HEADSCAN_LINE_MAX - h->line_len));

		memcpy(h->line + h->line_len, run.p, keep);
		h->line_len = (uint16_t)(h->line_len + keep);
		if (lf == -1)
			return;
		line_end(h);
		run = span_sub(run, n + 1, run.n);
	}
}

void
headscan_end(struct headscan *h)
{
	if (!h->done && h->line_len > 0)
		line_end(h);
	h->done = true;
}
