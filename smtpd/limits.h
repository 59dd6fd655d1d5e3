/*
 * How much one client may do (smtpd_client_*_limit). Every event is counted
 * twice: by gatekeeper, for all workers, and here. When a limit is set,
 * gatekeeper is asked and the session parks for its answer; without an answer
 * within gatekeeper_timeout, or without gatekeeper, this worker's own count
 * decides, and for some seconds nobody waits again. Where no limit is set
 * nobody waits at all.
 *
 * Clients in smtpd_client_event_limit_exceptions are not counted at all.
 */
#ifndef SMTPD_LIMITS_H
#define SMTPD_LIMITS_H

#include "base/ipc.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/session.h"

/* What goes on when nothing is over a limit; `args` as given to the check. */
typedef enum step limits_fn(struct session *s, struct span args);

/* --- connections --- */

/* One more; asks, so that the answer comes while the client's name is looked
 * up. */
void limits_connect(struct session *s);
/* The name is known: `then`, or 421 and STEP_CLOSE. */
enum step limits_connected(struct session *s, limits_fn *then) MUST_CHECK;
/* The session ends. */
void limits_gone(struct session *s);

/* --- commands --- */

/* Counts the event, then calls `then` (perhaps later), or says 450. */
enum step limits_check(struct session *s, enum keeper_event event,
    struct span args, limits_fn *then) MUST_CHECK;
/* STARTTLS, or a connection that begins with TLS: may another handshake
 * begin? Counts nothing: it may resume a session. */
enum step limits_handshake(struct session *s, struct span args,
    limits_fn *then) MUST_CHECK;
/* A handshake ended, and not by resumption; failed ones count, too. After
 * a good one: `then`, or 421 and STEP_CLOSE. */
enum step limits_new_tls(struct session *s, limits_fn *then) MUST_CHECK;
void limits_failed_tls(struct session *s);

/* Nothing that was asked is of interest any more. */
void limits_forget(struct session *s);

/* --- gatekeeper --- */

int limits_counted_cb(struct ipc *c, struct ipc_msg *m, void *arg);
/* There is none: who waits for it goes on. */
void limits_keeper_lost(struct server *srv);
/* srv->keeper is a new connection: it learns of what there is. */
void limits_keeper_came(struct server *srv);
/* At start and at reload. */
void limits_configure(struct server *srv, const struct conf *conf);

#endif
