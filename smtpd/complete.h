/*
 * What a message of our own users must have and lacks: Date, From, Message-ID
 * (RFC 5322 3.6, RFC 6409 8). headfilter.h finds out what is missing and where it
 * goes; this is what it gets. Others' mail is left as it is, but with
 * always_add_missing_headers.
 */
#ifndef SMTPD_COMPLETE_H
#define SMTPD_COMPLETE_H

#include "smtpd/session.h"

/* Is the message of s->txn one to complete? */
bool complete_is_due(const struct session *s);
/* A headfilter_supply; arg is the session. */
void complete_supply(enum supplied which, struct buf *out, void *arg);
/* The Message-ID that it supplies, with its <>. */
void complete_message_id(const struct session *s, struct buf *out);

#endif
