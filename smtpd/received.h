/*
 * The Received header that we put in front, worded and folded as Postfix
 * does it (RFC 5321 4.4). "for" only when there is one recipient: who else
 * got a message is nobody's business.
 */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include "smtpd/session.h"

void received_write(const struct session *s, struct buf *out);
/* "ESMTPSA", "UTF8SMTPS", "SMTP" (RFC 3848, RFC 6531 4.3). */
const char *received_protocol(const struct session *s);
/* "Fri, 20 Nov 2026 10:57:48 +0000 (UTC)"; out holds RECEIVED_DATE_MAX. */
#define RECEIVED_DATE_MAX	64
void received_date(int64_t wall_us, char out[RECEIVED_DATE_MAX]);

#endif
