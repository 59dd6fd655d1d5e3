/*
 * The score of a client (dnsscore.h) that connects, before any restriction is
 * looked at: asks for all of it and calls back.
 */
#ifndef GATE_DNSSCORE_ASK_H
#define GATE_DNSSCORE_ASK_H

#include "gate/ask.h"
#include "gate/dnsscore.h"

struct dnsscore_ask;

/* Lent for the call; from the loop, once, after postscreen_dnsbl_timeout at
 * the latest. reply is for a refusal without its code: "Service unavailable;
 * client [192.0.2.7] blocked using zen.example (127.0.0.4)", "" unless
 * blocked or unsure. */
typedef void dnsscore_cb(const struct dnsscore *s, const char *reply,
    void *arg);
/* By the sites and limits of g, which must live until the callback. */
struct dnsscore_ask *dnsscore_ask(const struct gate_world *w,
    const struct gate *g, const char *ip, dnsscore_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void dnsscore_cancel(struct dnsscore_ask **a);

#endif
