/*
 * Takes out of a message what only we may say of it (S24): fields
 * Authentication-Results with our authserv-id (RFC 8601 5), and Received-SPF
 * in our name, however they are folded, commented and cased. Streams: only
 * such a field is held, at most HEADFILTER_HELD_MAX of it; the body passes
 * untouched.
 *
 * And puts in what a message must have and lacks (RFC 6409 8), at the end of its
 * header, for whoever asks by headfilter_supply_with(). A line that can be no
 * field then ends the header, and a blank line is put before it.
 */
#ifndef SMTPD_HEADFILTER_H
#define SMTPD_HEADFILTER_H

#include "base/buf.h"
#include "base/span.h"

/* One that does not say by then whose it is, is taken out. */
#define HEADFILTER_HELD_MAX	8192
#define HEADFILTER_NAME_MAX	40

/* What is supplied, in this order. */
enum supplied { SUPPLY_DATE, SUPPLY_FROM, SUPPLY_MESSAGE_ID, SUPPLIED };

/* Writes the field that is missing, with its CR LF; or nothing. */
typedef void headfilter_supply(enum supplied which, struct buf *out,
    void *arg);

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
	headfilter_supply *supply;	/* NULL: nothing is, or any more */
	void *supply_arg;
	unsigned seen;			/* bits of enum supplied */
};

/* Takes what stays, in order. */
typedef void headfilter_sink(struct span run, void *arg);

void headfilter_init(struct headfilter *h, const char *authserv_id,
    const char *host);
void headfilter_supply_with(struct headfilter *h, headfilter_supply *supply,
    void *arg);
void headfilter_fini(struct headfilter *h);
void headfilter_feed(struct headfilter *h, struct span run,
    headfilter_sink *sink, void *arg);
/* The end of the text: what was held is decided. */
void headfilter_end(struct headfilter *h, headfilter_sink *sink, void *arg);

#endif
