/*
 * The event loop: a thin layer over libevent that adds deferred calls, a lag
 * metric and log flushing. One loop per process, used from its own thread
 * only, but for loop_post(). Callbacks run from loop_run() and never inside
 * the call that asked.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/macros.h"
#include "base/queue.h"

struct loop;

typedef void loop_cb(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop **l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
struct event_base *loop_base(struct loop *l);

/* Monotonic milliseconds, read once per turn. */
uint64_t loop_now_ms(struct loop *l);

/* Longest time one turn kept others waiting since the last call, in ms. A
 * turn past 50 ms is also logged as a warning (once per second). */
uint32_t loop_lag_ms_take(struct loop *l);

/*
 * A deferred call: embedded in its owner, runs once on the next turn.
 * Deferring a pending one again changes nothing.
 */
struct defer {
	TAILQ_ENTRY(defer) link;	/* private */
	struct loop *loop;
	loop_cb *cb;
	void *arg;
	uint32_t turn;
	bool pending;
};
void defer_init(struct defer *d, struct loop *l, loop_cb *cb, void *arg);
void defer_call(struct defer *d);
void defer_cancel(struct defer *d);

/* Runs cb(arg) on the loop soon, asked from any thread. Never dropped. */
void loop_post(struct loop *l, loop_cb *cb, void *arg);

/* A one-shot timer, embedded in its owner. Setting again moves it. */
struct timer {
	struct event ev;		/* private */
	struct loop *loop;
	loop_cb *cb;
	void *arg;
	bool set;
};
void timer_init(struct timer *t, struct loop *l, loop_cb *cb, void *arg);
void timer_set_ms(struct timer *t, uint64_t ms);
void timer_clear(struct timer *t);

/* Readiness of a descriptor, level-triggered, until cleared. */
enum { IO_READ = 1, IO_WRITE = 2 };
typedef void io_cb(int fd, int what, void *arg);
struct io {
	struct event ev;		/* private */
	struct loop *loop;
	io_cb *cb;
	void *arg;
	int fd, want;
};
void io_init(struct io *io, struct loop *l, int fd, io_cb *cb, void *arg);
void io_want(struct io *io, int what);	/* IO_* bits; 0 stops */
void io_clear(struct io *io);		/* stops and forgets; fd stays open */

/* cb runs from the loop when the signal arrives. Freed with the loop. */
void loop_signal(struct loop *l, int signo, loop_cb *cb, void *arg);

#endif
