/*
 * Tickets: authd's word to deliver that a login to a mailbox was proved. imapd
 * only carries them. HMAC-SHA256 under the instance's secret, which imapd
 * does not use otherwise, over mailbox id, expiry and a nonce.
 */
#ifndef PROTO_TICKET_H
#define PROTO_TICKET_H

#include "base/err.h"
#include "base/span.h"

#define TICKET_LEN	64	/* version 8, mailbox 8, expiry 8, nonce 8, MAC 32 */
#define TICKET_LIFE_US	((int64_t)60 * 1000 * 1000)

/* expires_us is wall-clock, microseconds since 1970. */
void ticket_make(const uint8_t key[32], uint64_t mailbox_id,
    int64_t expires_us, uint8_t out[TICKET_LEN]);
/* Constant-time. PS_EDENIED: forged, malformed or expired (err says which,
 * for the log). *mailbox_id is only set on success. */
int ticket_check(const uint8_t key[32], struct span ticket, int64_t now_us,
    uint64_t *mailbox_id, struct err *err) MUST_CHECK;

#endif
