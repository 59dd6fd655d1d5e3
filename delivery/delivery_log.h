/*
 * The line that tells what became of one recipient, as Postfix words it: log
 * tools count by it.
 */
#ifndef DELIVERY_DELIVERY_LOG_H
#define DELIVERY_DELIVERY_LOG_H

#include "spool/envelope.h"

/* `relay` is "maildir", "none" or the next hop; spent_us of the message's age
 * went into this attempt. */
void delivery_log(const struct envelope *env, const struct envelope_rcpt *r,
    const char *relay, uint64_t spent_us, const char *dsn,
    const char *status, const char *text);

#endif
