/*
 * Takes out of a message what only we may say of it (S24): fields
 * Authentication-Results with our authserv-id (RFC 8601 5), and Received-SPF
 * in our name, however they are folded, commented and cased. Streams: only
 * such a field is held, at most HEADFILTER_HELD_MAX of it; the body passes
 * untouched.
 */
#ifndef SMTPD_HEADFILTER_H
#define SMTPD_HEADFILTER_H

#include "base/buf.h"
#include "base/span.h"

/* One that does not say by then whose it is, is taken out. */
#define HEADFILTER_HELD_MAX	8192
#define HEADFILTER_NAME_MAX	40

struct headfilter {
	const char *authserv_id, *host;	/* lent */
	enum { HEADFILTER_NAME, HEADFILTER_PASS, HEADFILTER_HOLD,
	    HEADFILTER_DROP, HEADFILTER_BODY } state;
	bool line_start;
	unsigned removed;		/* so many fields */
	size_t name_n;
	char name[HEADFILTER_NAME_MAX];
	size_t which;			/* of the fields, while one is held */
	struct buf held;
};

/* Takes what stays, in order. */
typedef void headfilter_sink(struct span run, void *arg);

void headfilter_init(struct headfilter *h, const char *authserv_id,
    const char *host);
void headfilter_fini(struct headfilter *h);
void headfilter_feed(struct headfilter *h, struct span run,
    headfilter_sink *sink, void *arg);
/* The end of the text: what was held is decided. */
void headfilter_end(struct headfilter *h, headfilter_sink *sink, void *arg);

#endif
