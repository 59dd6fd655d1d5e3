/*
 * A recipient: judged by the chain, resolved to final mailboxes and external
 * addresses (J9), refused in the session when unknown, disabled or full.
 */
#ifndef SMTPD_RCPT_H
#define SMTPD_RCPT_H

#include "smtpd/session.h"

/* The normal form to look up; "<postmaster>" is the one of this host. 0,
 * PS_ENOTFOUND without a domain, PS_ESYNTAX. */
int rcpt_normal(struct session *s, const struct address *a,
    struct buf *normal) MUST_CHECK;
/* The reply to an address without a domain; lent until the next call. */
const char *rcpt_bare(struct span text);
/* text as given (inside <>), normal its normal form; both copied. */
enum step rcpt_begin(struct session *s, struct span text,
    struct span normal) MUST_CHECK;
/* Adds where the address that is worked on (t->rcpt_orig and the like) leads
 * to: a MAILBOX, RELAY or NOT_LOCAL. False when that would be too many. */
bool rcpt_expand(struct txn *t, const struct resolution *res,
    struct span normal) MUST_CHECK;
/* The last answer of quota.h came. */
void rcpt_quota_answered(struct session *s);

#endif
