/*
 * What is done to every 4xx and 5xx on its way out: soft_bounce and
 * smtpd_reject_footer. The log has the reply without its footer.
 */
#ifndef SMTPD_FOOTER_H
#define SMTPD_FOOTER_H

#include "base/buf.h"

struct session;

/* A 5xx becomes a 4xx, in place. */
void reply_soften(char *reply, size_t n);
/* The one line at `at` in out (with its CR LF) gets the footer. */
void footer_add(struct session *s, struct buf *out, size_t at);

#endif
