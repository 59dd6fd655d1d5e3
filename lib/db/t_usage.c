/*
 * Usage figures reach the database in batches, and wait while it is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/testpg.h"
#include "db/usage.h"

static struct testpg pg;
static struct loop *l;

static int
setup(void **state)
{
	(void)state;
	testpg_run(&pg, "TRUNCATE organisation, host, usage RESTART IDENTITY "
	    "CASCADE");
	testpg_run(&pg, "SELECT host_add('mx.example')");
	testpg_run(&pg, "SELECT domain_add('a.example', 'mailbox', NULL, "
	    "NULL)");
	testpg_run(&pg, "SELECT mailbox_add('u' || i || '@a.example', "
	    "'mx.example', NULL, NULL, NULL) FROM generate_series(1, 1200) i");
	l = loop_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&l);
	return 0;
}

static struct usage_writer *
writer(const char *more)
{
	struct conf *conf = testpg_conf(pg.url, more);
	struct usage_writer *w = usage_writer_new(l, conf, NULL);

	conf_unref(&conf);
	return w;
}

static void
assert_sql(const char *sql, const char *want)
{
	char *got = testpg_sql(&pg, sql);

	assert_string_equal(got, want);
	free(got);
}

static void
done_cb(void *arg)
{
	*(bool *)arg = true;
}

static bool
is_done(void *arg)
{
	return *(bool *)arg;
}

static void
many_mailboxes_are_few_queries(void **state)
{
	struct usage_writer *w = writer("");
	bool done = false;
	uint64_t i;

	(void)state;
	for (i = 1; i <= 1200; i++) {
		usage_writer_note(w, i, i, 1, 5);
		usage_writer_note(w, i, i * 10, 2, 6);
		usage_writer_note(w, i, 0, 0, 4);	/* comes too late */
	}
	usage_writer_note(w, 99999, 1, 1, 1);		/* no such mailbox */
	assert_int_equal(usage_writer_waiting(w), 1201);
	usage_writer_flush(w, done_cb, &done);
	assert_false(done);
	assert_true(testpg_wait(l, is_done, &done, 5000));
	assert_int_equal(usage_writer_waiting(w), 0);
	assert_sql("SELECT count(*) || ' ' || sum(bytes) || ' ' || "
	    "sum(messages) FROM usage", "1200 7206000 2400");
	done = false;
	usage_writer_flush(w, done_cb, &done);		/* nothing to do */
	assert_true(testpg_wait(l, is_done, &done, 5000));
	usage_writer_free(&w);
}

static bool
is_written(void *arg)
{
	return usage_writer_waiting(arg) == 0;
}

static void
figures_wait_for_the_database(void **state)
{
	struct usage_writer *w = writer("usage_report_interval = 100ms\n");

	(void)state;
	usage_writer_note(w, 1, 10, 1, 1);
	assert_true(testpg_wait(l, is_written, w, 5000));
	testpg_sleep(l, 200);
	assert_sql("SELECT bytes FROM usage WHERE mailbox_id = 1", "10");
	testpg_do(&pg, "stop fast");
	usage_writer_note(w, 1, 20, 2, 2);
	testpg_sleep(l, 300);
	usage_writer_note(w, 1, 30, 3, 3);
	testpg_do(&pg, "start");
	assert_true(testpg_wait(l, is_written, w, 20000));
	testpg_sleep(l, 500);
	assert_sql("SELECT bytes FROM usage WHERE mailbox_id = 1", "30");
	usage_writer_free(&w);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(many_mailboxes_are_few_queries),
		T(figures_wait_for_the_database),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
