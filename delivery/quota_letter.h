/*
 * The message that tells the owner of a mailbox how full it is. Pure: made of
 * a template and figures; nothing is read or sent here.
 *
 * A template is header lines (Subject, maybe From and others), an empty line,
 * and text, in UTF-8 with LF or CRLF. ${name} stands for a figure; what is
 * no name of ours stays as it is.
 */
#ifndef DELIVERY_QUOTA_LETTER_H
#define DELIVERY_QUOTA_LETTER_H

#include "base/buf.h"
#include "base/span.h"

struct quota_letter {
	struct span user;		/* its address */
	const char *origin;		/* domain of postmaster */
	const char *hostname;
	uint64_t mailbox_id, number;	/* name the message */
	int64_t now;			/* seconds */
	unsigned level, percent;	/* level 0: below all thresholds again */
	uint64_t bytes, messages, limit_bytes, limit_messages;
};

#define QUOTA_LETTER_MAX	(256 * 1024)

/* Appends the message with CRLF. An empty template: the built-in text. */
void quota_letter_make(const struct quota_letter *l, struct span template,
    struct buf *out);

#endif
