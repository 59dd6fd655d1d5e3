/*
 * Looks at a message's header as it streams by: counts Received lines (hop
 * limit) and keeps the Message-ID for the log. Once the header has ended it
 * costs nothing. Changes nothing.
 */
#ifndef SMTPD_HEADSCAN_H
#define SMTPD_HEADSCAN_H

#include "base/span.h"

#define HEADSCAN_LINE_MAX	256	/* of a line, the rest is skipped */

struct headscan {
	bool done;			/* the header has ended */
	bool in_id;			/* continuation lines are the id's */
	unsigned hops;
	uint16_t line_len, id_len;
	char line[HEADSCAN_LINE_MAX];
	char id[HEADSCAN_LINE_MAX];	/* "" none; with <> as it came */
};

void headscan_init(struct headscan *h);
void headscan_feed(struct headscan *h, struct span run);
/* The end of the text: an unfinished last line counts. */
void headscan_end(struct headscan *h);
static inline struct span
headscan_id(const struct headscan *h)
{
	return span_of(h->id, h->id_len);
}

#endif
