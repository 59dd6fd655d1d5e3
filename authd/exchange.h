/*
 * One SASL exchange, from AUTH_START to its result: reads who wants in, looks
 * the credentials up, asks the login defence, waits its turn, has them checked
 * in a thread. Knows
 * nothing of IPC: challenges and the result leave through callbacks, and the
 * database is behind a table, so that tests play both.
 *
 * An authorization identity other than one's own is refused. A name that is
 * unknown, disabled or no address goes the same way as a wrong password, with
 * a made-up verifier that stays the same per name, so that neither words nor
 * time nor iteration counts tell them apart (S19).
 */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include "authd/defence.h"
#include "authd/login_cache.h"
#include "authd/turnstile.h"
#include "base/conf.h"
#include "base/queue.h"
#include "base/work.h"
#include "db/credentials.h"
#include "proto/proto.h"
#include "proto/ticket.h"

struct exchange;

/* Where credentials come from: db/credentials.h, or a test's table. */
struct login_source {
	void *(*fetch)(void *src, struct span name, credentials_cb *cb,
	    void *arg);			/* a handle for cancel */
	void (*cancel)(void *src, void *ask);
	void (*rehash)(void *src, uint64_t id, struct span was,
	    struct span now);
	void (*used)(void *src, uint64_t id);
	void *src;
};

struct exchange_stats {
	uint64_t ok, bad, temp, malformed, later, slowed, cached, rehashed;
};

/* What all exchanges of the process share; lives as long as any of them. */
struct exchange_env {
	struct loop *loop;
	struct work_pool *pool;
	struct turnstile *turnstile;
	struct login_cache *cache;
	struct defence *defence;
	/* The time that defence.h wants. */
	int64_t (*now_ms)(void *arg);
	void *now_arg;
	struct conf *conf;		/* the present snapshot; lent */
	const uint8_t *key;		/* of tickets and made-up verifiers */
	struct login_source source;
	struct exchange_stats stats;
	TAILQ_HEAD(, exchange) all;	/* initialise with exchange_env_init */
	size_t count;
};

struct exchange_outcome {
	enum auth_verdict verdict;
	uint64_t mailbox_id;		/* 0 unless AUTH_OK */
	/* Normal form. On failures: the name that was tried, or "" when it
	 * was no address (it might be a password typed in the wrong place). */
	struct span user;
	struct span final;		/* last server data */
	struct span ticket;		/* service imap only */
	uint64_t quota_bytes, quota_messages;
};

struct exchange_cbs {
	/* Answer with exchange_step() or exchange_cancel(). */
	void (*challenge)(void *arg, struct span challenge);
	/* The exchange ends and frees itself when this returns: forget it,
	 * don't cancel it. */
	void (*result)(void *arg, const struct exchange_outcome *o);
};

void exchange_env_init(struct exchange_env *env);

/* All spans are copied. A callback always follows, from the loop. */
struct exchange *exchange_start(struct exchange_env *env,
    const struct msg_auth_start *start, const struct exchange_cbs *cbs,
    void *arg);
void exchange_step(struct exchange *ex, struct span response);
/* No callback follows. NULL is fine. */
void exchange_cancel(struct exchange **ex);

/* A mailbox's credentials or state changed: exchanges under way with it end
 * as AUTH_TEMP; what was remembered of it is forgotten. */
void exchange_revoke(struct exchange_env *env, uint64_t mailbox_id);
/* Something changed and nobody knows what: remembered logins are forgotten,
 * exchanges under way are not remembered. */
void exchange_forget(struct exchange_env *env);
/* Around replacing the source: cancel all that was asked of the old one; ask
 * the new one. */
void exchange_unfetch(struct exchange_env *env);
void exchange_refetch(struct exchange_env *env);

#endif
