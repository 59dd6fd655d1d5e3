/*
 * Questions to gatekeeper about what it keeps for all workers and hosts
 * (enum keeper_subject): greylist, passes. It answers at once, from memory;
 * still nobody waits longer than gatekeeper_timeout for it, and after one
 * that was not answered in time nobody asks for some seconds. Whoever asks
 * must know what to do without an answer.
 *
 * Bodies are ENTRYs of messages.def; what subject they are of is their
 * owners' business.
 */
#ifndef SMTPD_KEEPER_ASK_H
#define SMTPD_KEEPER_ASK_H

#include "base/ipc.h"
#include "base/span.h"
#include "proto/proto.h"

struct server;
struct keeper_ask;

/* The wire; NULL: there is no gatekeeper, or one that does not read. */
struct ipc *keeper_wire(struct server *srv);
/* The present one did not answer in time. */
void keeper_mute(struct server *srv, unsigned keeper);

/* body.p NULL: there was no answer. Lent for the call. */
typedef void keeper_answer_cb(struct span body, void *arg);
/* The callback runs once, from the loop. NULL: nobody to ask, and it will not
 * run. The handle is valid until it has run. */
struct keeper_ask *keeper_ask(struct server *srv, enum keeper_subject subject,
    struct span body, keeper_answer_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void keeper_ask_cancel(struct keeper_ask **a);
/* Something it should know; there is no answer. */
void keeper_tell(struct server *srv, enum keeper_subject subject,
    struct span body);

/* --- for server.c and peers.c --- */

void keeper_asks_init(struct server *srv);
/* Nobody waits longer from now on: gatekeeper_timeout has changed, or there is
 * nobody who would answer. Callbacks run later, from the loop. */
void keeper_asks_hurry(struct server *srv, uint64_t ms);
/* Callbacks of what is asked are not run. */
void keeper_asks_fini(struct server *srv);
int keeper_answer_message_cb(struct ipc *c, struct ipc_msg *m, void *arg);

#endif
