/*
 * For tests: runs a loop for a time, and then until what was ready in that time
 * has had its turns, one behind the other. So what a test waits for in its own
 * process has happened afterwards, though the machine stood still meanwhile.
 */
#ifndef BASE_TESTLOOP_H
#define BASE_TESTLOOP_H

#include "base/loop.h"

#define TESTLOOP_TURNS	20

struct testloop {
	struct loop *loop;
	struct timer timer;
	struct defer more;
	int turns;
};

static inline void
testloop_cb(void *arg)
{
	struct testloop *t = arg;

	if (t->turns-- > 0)
		defer_call(&t->more);
	else
		loop_stop(t->loop);
}

/* Also ends with anybody's loop_stop(). */
static inline void
testloop_ms(struct loop *l, uint64_t ms)
{
	struct testloop t = { .loop = l, .turns = TESTLOOP_TURNS };

	timer_init(&t.timer, l, testloop_cb, &t);
	defer_init(&t.more, l, testloop_cb, &t);
	timer_set_ms(&t.timer, ms);
	loop_run(l);
	timer_clear(&t.timer);
	defer_cancel(&t.more);
}

#endif
