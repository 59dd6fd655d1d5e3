/*
 * AUTH (RFC 4954). smtpd knows no password and no mechanism: it carries
 * responses and challenges between the client and authd.
 */
#ifndef SMTPD_SASL_H
#define SMTPD_SASL_H

#include "base/ipc.h"
#include "smtpd/session.h"

/* For EHLO: is AUTH offered now, and which mechanisms? */
bool sasl_offered(const struct session *s);
void sasl_mechanisms(const struct session *s, struct buf *out);

/* Ends an exchange that is under way; authd is told. */
void sasl_free(struct session *s);

/* Answers of authd. */
int sasl_challenge_cb(struct ipc *c, struct ipc_msg *m, void *arg);
int sasl_result_cb(struct ipc *c, struct ipc_msg *m, void *arg);
int sasl_revoke_cb(struct ipc *c, struct ipc_msg *m, void *arg);
/* The connection to authd ended: who waits is told 454. */
void sasl_authd_lost(struct server *srv);

#endif
