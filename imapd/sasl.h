/*
 * Which logins this session may try now, and starting them with authd.
 */
#ifndef IMAPD_SASL_H
#define IMAPD_SASL_H

#include "imapd/session.h"

bool sasl_may_starttls(const struct session *s);
/* LOGIN and plain-text mechanisms: under TLS, or by imap_plaintext_auth. */
bool sasl_may_login(const struct session *s);
/* Appends " AUTH=X" for each mechanism that may be tried. */
void sasl_mechanisms_put(const struct session *s, struct buf *out);
bool sasl_may_use(const struct session *s, struct span mechanism);

/* Begins an exchange with authd; login_challenge or login_result follows.
 * initial.p == NULL: no initial response. False when authd is not there. */
bool sasl_start(struct session *s, struct span mechanism,
    struct span initial);

#endif
