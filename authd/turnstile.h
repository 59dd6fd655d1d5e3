/*
 * Who may hash next. Password checks are the one dear thing that strangers
 * can make us do, so few run at a time, the rest wait in a bounded queue per
 * client network, and the networks take turns: a guessing botnet in one
 * network delays that network. When the queue is full, the network with most
 * waiting loses one.
 */
#ifndef AUTHD_TURNSTILE_H
#define AUTHD_TURNSTILE_H

#include "base/loop.h"
#include "base/span.h"

struct turnstile;
struct turn_net;

/* Embedded in the owner. */
struct turn {
	TAILQ_ENTRY(turn) link;		/* private */
	struct turn_net *net;		/* private; NULL when not waiting */
	void (*go)(void *arg);
	void (*refused)(void *arg);	/* pushed out by the queue's bound */
	void *arg;
};

struct turnstile *turnstile_new(struct loop *l, size_t max_running,
    size_t max_waiting);
/* Nobody may be waiting. */
void turnstile_free(struct turnstile **t);

/* go() or refused() runs on a later turn of the loop, once, unless
 * turnstile_leave() comes first. `ip` is the client's address as text. */
void turnstile_enter(struct turnstile *t, struct turn *turn, struct span ip);
/* Stops waiting; fine for who does not wait. */
void turnstile_leave(struct turnstile *t, struct turn *turn);
/* One whose go() ran is through. */
void turnstile_done(struct turnstile *t);
size_t turnstile_waiting(const struct turnstile *t);

#endif
