#include "base/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define JOBS	300

struct job {
	struct work work;
	unsigned key, number;
	bool ran, done;
};

static struct loop *l;
static struct work_pool *pool;
static struct job jobs[JOBS];
static atomic_uint running_of[8];
static unsigned next_of[8], n_done;
static atomic_bool overlap, disorder;

static void
job_run(void *arg)
{
	struct job *j = arg;
	struct timespec ts = { .tv_nsec = 20000 };

	if (j->work.order != 0) {
		if (atomic_fetch_add(&running_of[j->key], 1) != 0)
			overlap = true;
		if (next_of[j->key]++ != j->number)
			disorder = true;
		if (j->number % 8 == 0)
			nanosleep(&ts, NULL);
		atomic_fetch_sub(&running_of[j->key], 1);
	}
	j->ran = true;
}

static void
job_done(void *arg)
{
	struct job *j = arg;

	assert_true(j->ran);
	assert_false(j->done);
	j->done = true;
	if (++n_done == JOBS)
		loop_stop(l);
}

static int
setup(void **state)
{
	unsigned i;

	l = loop_new();
	pool = work_pool_new(l, 4);
	n_done = 0;
	overlap = disorder = false;
	for (i = 0; i < 8; i++) {
		next_of[i] = 0;
		atomic_store(&running_of[i], 0);
	}
	for (i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){ .key = i % 8, .number = i / 8 };
		jobs[i].work = (struct work){ .run = job_run,
		    .done = job_done, .arg = &jobs[i] };
	}
	return 0;
}

static int
teardown(void **state)
{
	work_pool_free(&pool);
	loop_free(&l);
	return 0;
}

static void
jobs_of_one_order_run_one_after_another(void **state)
{
	unsigned i;

	for (i = 0; i < JOBS; i++) {
		jobs[i].work.order = 1000 + jobs[i].key;
		work_give(pool, &jobs[i].work);
	}
	loop_run(l);
	assert_int_equal(n_done, JOBS);
	assert_false(overlap);
	assert_false(disorder);
	assert_int_equal(work_waiting(pool), 0);
}

static atomic_uint others_ran;

/* Does not end before all others have. */
static void
long_run(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000000 };
	struct job *j = arg;

	while (atomic_load(&others_ran) < JOBS - 1)
		nanosleep(&ts, NULL);
	j->ran = true;
}

static void
short_run(void *arg)
{
	struct job *j = arg;

	j->ran = true;
	atomic_fetch_add(&others_ran, 1);
}

/* Whatever key it has: if any two shared a place this would hang. */
static void
a_long_job_holds_up_no_other_key(void **state)
{
	unsigned i;

	atomic_store(&others_ran, 0);
	for (i = 0; i < JOBS; i++) {
		jobs[i].work.order = 77 + i;
		jobs[i].work.run = i == 0 ? long_run : short_run;
		work_give(pool, &jobs[i].work);
	}
	loop_run(l);
	assert_int_equal(n_done, JOBS);
}

static void
jobs_without_order_all_run(void **state)
{
	unsigned i;

	for (i = 0; i < JOBS; i++)
		work_give(pool, &jobs[i].work);
	loop_run(l);
	assert_int_equal(n_done, JOBS);
}

static void
free_runs_what_was_given_and_tells(void **state)
{
	unsigned i;

	for (i = 0; i < JOBS; i++) {
		jobs[i].work.order = i % 3 == 0 ? 0 : 1000 + jobs[i].key;
		jobs[i].number = i / 8;
		work_give(pool, &jobs[i].work);
	}
	work_pool_free(&pool);
	assert_null(pool);
	assert_int_equal(n_done, JOBS);
}

static void
done_may_be_null(void **state)
{
	unsigned i;

	for (i = 0; i < JOBS; i++) {
		jobs[i].work.done = NULL;
		work_give(pool, &jobs[i].work);
	}
	work_pool_free(&pool);
	for (i = 0; i < JOBS; i++)
		assert_true(jobs[i].ran);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(jobs_of_one_order_run_one_after_another),
		T(a_long_job_holds_up_no_other_key),
		T(jobs_without_order_all_run),
		T(free_runs_what_was_given_and_tells),
		T(done_may_be_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
