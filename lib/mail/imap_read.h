/*
 * Reading back the response text that imap_text.h makes: values one at a
 * time, from a cache that may be damaged.
 */
#ifndef MAIL_IMAP_READ_H
#define MAIL_IMAP_READ_H

#include "base/buf.h"
#include "base/span.h"

/* Takes `c` off the front; false when something else is there. */
bool imap_read_char(struct span *s, char c);
/* Passes over one value: string, number, NIL or a whole list. False when it
 * is malformed. */
bool imap_read_skip(struct span *s) MUST_CHECK;
/* Takes one string or NIL off the front and appends what it says. */
bool imap_read_string(struct span *s, struct buf *out) MUST_CHECK;

/* The fields of an ENVELOPE in their order. */
enum imap_envelope {
	IMAP_ENV_DATE, IMAP_ENV_SUBJECT, IMAP_ENV_FROM, IMAP_ENV_SENDER,
	IMAP_ENV_REPLY_TO, IMAP_ENV_TO, IMAP_ENV_CC, IMAP_ENV_BCC,
	IMAP_ENV_IN_REPLY_TO, IMAP_ENV_MESSAGE_ID
};

/* Appends a field as people read it: the string, or the addresses as "Name
 * <local@domain>, ...". Nothing for NIL. */
bool imap_read_envelope(struct span envelope, enum imap_envelope field,
    struct buf *out) MUST_CHECK;

/* Appends the mailbox (local part, or a group's name) of the first address
 * of a field that holds addresses. Nothing for NIL. */
bool imap_read_mailbox(struct span envelope, enum imap_envelope field,
    struct buf *out) MUST_CHECK;

#endif
