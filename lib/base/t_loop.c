#include "base/clock.h"
#include "base/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static struct loop *l;
static char trace[64];

static void
note(const char *what)
{
	size_t n = strlen(trace);

	snprintf(trace + n, sizeof(trace) - n, "%s", what);
}

static int
setup(void **state)
{
	l = loop_new();
	trace[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	loop_free(&l);
	return l == NULL ? 0 : -1;
}

static void
stop_cb(void *arg)
{
	loop_stop(l);
}

static void
note_cb(void *arg)
{
	note(arg);
}

/* --- deferred calls --- */

static struct defer again, end, last;

static void
again_cb(void *arg)
{
	note("A");
	defer_call(&last);
	note("a");
}

static void
deferred_calls_run_once_in_order_and_never_inside(void **state)
{
	struct defer first, second, never;

	defer_init(&first, l, note_cb, (void *)(uintptr_t)"1");
	defer_init(&second, l, note_cb, (void *)(uintptr_t)"2");
	defer_init(&never, l, note_cb, (void *)(uintptr_t)"N");
	defer_init(&again, l, again_cb, NULL);
	defer_init(&last, l, stop_cb, NULL);
	defer_init(&end, l, note_cb, (void *)(uintptr_t)"E");
	defer_call(&first);
	defer_call(&again);
	defer_call(&never);
	defer_call(&second);
	defer_call(&first);
	defer_cancel(&never);
	defer_cancel(&never);
	defer_call(&end);
	assert_string_equal(trace, "");
	loop_run(l);
	assert_string_equal(trace, "1Aa2E");
}

static unsigned spins;
static struct defer spin;
static struct timer stopper;

static void
spin_cb(void *arg)
{
	spins++;
	defer_call(&spin);
}

static void
a_defer_that_repeats_does_not_starve_timers(void **state)
{
	spins = 0;
	defer_init(&spin, l, spin_cb, NULL);
	timer_init(&stopper, l, stop_cb, NULL);
	timer_set_ms(&stopper, 5);
	defer_call(&spin);
	loop_run(l);
	assert_in_range(spins, 1, UINT32_MAX);
	defer_cancel(&spin);
}

/* --- timers --- */

static void
timers_fire_in_the_order_of_their_time(void **state)
{
	struct timer t[4];
	uint64_t from;
	size_t i;

	timer_init(&t[0], l, note_cb, (void *)(uintptr_t)"c");
	timer_init(&t[1], l, note_cb, (void *)(uintptr_t)"a");
	timer_init(&t[2], l, note_cb, (void *)(uintptr_t)"b");
	timer_init(&t[3], l, stop_cb, NULL);
	/* again when it took so long that their order may be another */
	do {
		for (i = 0; i < ARRAY_LEN(t); i++)
			timer_clear(&t[i]);
		from = clock_mono_ms();
		timer_set_ms(&t[0], 15);
		timer_set_ms(&t[1], 0);
		timer_set_ms(&t[2], 500000);
		timer_set_ms(&t[2], 5);		/* moves it */
		timer_set_ms(&t[3], 25);
	} while (clock_mono_ms() - from > 3);
	assert_true(t[2].set);
	loop_run(l);
	assert_string_equal(trace, "abc");
	assert_false(t[0].set);
	timer_clear(&t[0]);
}

static void
a_cleared_timer_stays_silent(void **state)
{
	struct timer t[2];

	timer_init(&t[0], l, note_cb, (void *)(uintptr_t)"x");
	timer_init(&t[1], l, stop_cb, NULL);
	timer_set_ms(&t[0], 1);
	timer_clear(&t[0]);
	timer_clear(&t[0]);
	timer_set_ms(&t[1], 10);
	loop_run(l);
	assert_string_equal(trace, "");
}

/* --- lag --- */

static void
busy_cb(void *arg)
{
	struct timespec ts = { .tv_nsec = 70 * 1000 * 1000 };

	nanosleep(&ts, NULL);
	loop_stop(l);
}

static unsigned warned;

static void
count_warning(enum log_level level, const char *line, void *arg)
{
	if (level == LOG_L_WARNING && strstr(line, "busy") != NULL)
		warned++;
}

static void
lag_is_measured_and_warned_about(void **state)
{
	struct timer t;

	warned = 0;
	log_tap(count_warning, NULL);
	timer_init(&t, l, busy_cb, NULL);
	timer_set_ms(&t, 1);
	assert_int_equal(loop_lag_ms_take(l), 0);
	loop_run(l);
	log_tap(NULL, NULL);
	assert_in_range(loop_lag_ms_take(l), 69, 60000);
	assert_int_equal(loop_lag_ms_take(l), 0);
	assert_int_equal(warned, 1);
}

static void
waiting_is_no_lag(void **state)
{
	struct timer t;
	uint32_t lag = UINT32_MAX;
	int i;

	/* again: on a busy machine there may be true lag */
	for (i = 0; i < 10 && lag > 60; i++) {
		timer_init(&t, l, stop_cb, NULL);
		timer_set_ms(&t, 80);
		loop_run(l);
		lag = loop_lag_ms_take(l);
	}
	assert_in_range(lag, 0, 60);
}

/* --- descriptors --- */

static int pipe_fd[2];
static struct io pipe_io;

static void
readable_cb(int fd, int what, void *arg)
{
	char c;

	assert_int_equal(fd, pipe_fd[0]);
	assert_int_equal(what, IO_READ);
	assert_int_equal(read(fd, &c, 1), 1);
	note((char[]){ c, '\0' });
	if (c == '!')
		loop_stop(l);
}

static void
readiness_is_level_triggered(void **state)
{
	assert_int_equal(pipe(pipe_fd), 0);
	io_init(&pipe_io, l, pipe_fd[0], readable_cb, NULL);
	io_want(&pipe_io, IO_READ);
	assert_int_equal(write(pipe_fd[1], "abc!", 4), 4);
	loop_run(l);		/* one byte a call: must come again */
	assert_string_equal(trace, "abc!");
	io_want(&pipe_io, 0);
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	timer_init(&stopper, l, stop_cb, NULL);
	timer_set_ms(&stopper, 10);
	loop_run(l);
	assert_string_equal(trace, "abc!");
	io_clear(&pipe_io);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* --- other threads and signals --- */

#define POSTS	2000

static unsigned posted;

static void
posted_cb(void *arg)
{
	if (++posted == 2 * POSTS)
		loop_stop(l);
}

static void *
poster(void *arg)
{
	int i;

	for (i = 0; i < POSTS; i++)
		loop_post(l, posted_cb, NULL);
	return NULL;
}

static void
no_post_from_a_thread_is_lost(void **state)
{
	pthread_t thread[2];

	posted = 0;
	assert_int_equal(pthread_create(&thread[0], NULL, poster, NULL), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, poster, NULL), 0);
	loop_run(l);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	assert_int_equal(posted, 2 * POSTS);
}

static void
signals_arrive_on_the_loop(void **state)
{
	loop_signal(l, SIGUSR1, stop_cb, NULL);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(l);
}

static void
time_is_monotonic_and_cached_by_turn(void **state)
{
	uint64_t a = loop_now_ms(l), b;

	timer_init(&stopper, l, stop_cb, NULL);
	timer_set_ms(&stopper, 20);
	loop_run(l);
	b = loop_now_ms(l);
	assert_in_range(b - a, 18, 60000);
	assert_true(loop_now_ms(l) == b);
	assert_true(clock_mono_us() / 1000 >= b);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(deferred_calls_run_once_in_order_and_never_inside),
		T(a_defer_that_repeats_does_not_starve_timers),
		T(timers_fire_in_the_order_of_their_time),
		T(a_cleared_timer_stays_silent),
		T(lag_is_measured_and_warned_about),
		T(waiting_is_no_lag),
		T(readiness_is_level_triggered),
		T(no_post_from_a_thread_is_lost),
		T(signals_arrive_on_the_loop),
		T(time_is_monotonic_and_cached_by_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
