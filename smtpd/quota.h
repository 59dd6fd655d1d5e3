/*
 * Asking deliver for room (DESIGN §7): RCPT reserves, the end of the message
 * settles. No answer within quota_timeout means yes. A reservation belongs
 * to the connection and ends with it.
 */
#ifndef SMTPD_QUOTA_H
#define SMTPD_QUOTA_H

#include "base/ipc.h"
#include "smtpd/txn.h"

/* Asks for the entries of t->rcpt from t->rcpt_first on. Returns how many
 * answers are to come; quota_answered() of the session follows for the last
 * one. */
unsigned quota_ask(struct session *s);
/* Settles entries from `first` on with `bytes` (0 releases). */
void quota_release(struct txn *t, uint32_t first, uint64_t bytes);
/* No answer of s is of interest any more. */
void quota_forget(struct session *s);

/* That deliver has gone: who waits for it goes on without it. */
void quota_deliver_lost(struct server *srv, unsigned index);

/* QUOTA_ANSWER came. */
int quota_answer_cb(struct ipc *c, struct ipc_msg *m, void *arg);

#endif
