/*
 * Verdicts about addresses, against a real PostgreSQL: what is remembered,
 * what ends that, what is served without a database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/testpg.h"
#include "db/verdicts.h"

static struct testpg pg;
static struct loop *l;

struct answer {
	int calls;
	enum verdict_status status;
	char why[300];
};

static void
answer_cb(const struct verdict *v, void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->status = v->status;
	(void)snprintf(a->why, sizeof(a->why), "%s", v->why);
}

static bool
answered(void *arg)
{
	return ((struct answer *)arg)->calls > 0;
}

static struct answer
ask(struct verdicts *v, const char *address)
{
	struct answer a = { .calls = 0 };

	(void)verdicts_ask(v, span_str(address), answer_cb, &a);
	assert_int_equal(a.calls, 0);		/* never inside the call */
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 1);
	return a;
}

/* What is told without a query; -1: nothing. */
static int
peek(struct verdicts *v, const char *address)
{
	struct verdict *got = verdicts_peek(v, span_str(address));
	int status = got == NULL ? -1 : (int)got->status;

	verdict_unref(&got);
	return status;
}

struct forgotten {
	struct verdicts *v;
	const char *address;
};

static bool
is_forgotten(void *arg)
{
	struct forgotten *f = arg;

	return peek(f->v, f->address) == -1;
}

static void
assert_forgotten(struct verdicts *v, const char *address)
{
	struct forgotten f = { v, address };

	assert_true(testpg_wait(l, is_forgotten, &f, TESTPG_PATIENCE));
}

static struct verdicts *
verdicts_on(const char *more)
{
	struct conf *conf = testpg_conf(pg.url, more);
	struct verdicts *v = verdicts_new(l, conf, NULL);

	conf_unref(&conf);
	return v;
}

static int
setup(void **state)
{
	(void)state;
	testpg_run(&pg, "DELETE FROM verdict");
	testpg_run(&pg, "SELECT verify_set('ok@f.example', 'ok', ''), "
	    "verify_set('no@f.example', 'bounce', 'no such user'), "
	    "verify_set('slow@f.example', 'defer', 'timed out')");
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

static void
a_verdict_is_asked_for_once(void **state)
{
	struct verdicts *v = verdicts_on("");
	struct answer a;

	(void)state;
	assert_int_equal(peek(v, "no@f.example"), -1);
	a = ask(v, "no@f.example");
	assert_int_equal(a.status, VERDICT_BOUNCE);
	assert_string_equal(a.why, "no such user");
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
	assert_int_equal(ask(v, "slow@f.example").status, VERDICT_DEFER);
	assert_int_equal(ask(v, "x@f.example").status, VERDICT_NONE);
	assert_int_equal(peek(v, "no@f.example"), VERDICT_BOUNCE);
	assert_int_equal(peek(v, "x@f.example"), VERDICT_NONE);
	verdicts_free(&v);
}

static void
a_change_is_live_at_once(void **state)
{
	struct verdicts *v = verdicts_on("");

	(void)state;
	(void)ask(v, "ok@f.example");
	(void)ask(v, "x@f.example");
	(void)ask(v, "no@f.example");
	testpg_run(&pg, "SELECT verify_set('ok@f.example', 'bounce', 'gone'),"
	    " verify_set('x@f.example', 'ok', '')");
	assert_forgotten(v, "ok@f.example");
	assert_forgotten(v, "x@f.example");
	assert_int_equal(peek(v, "no@f.example"), VERDICT_BOUNCE);
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_BOUNCE);
	assert_int_equal(ask(v, "x@f.example").status, VERDICT_OK);
	testpg_run(&pg, "SELECT verify_forget('x@f.example')");
	assert_forgotten(v, "x@f.example");
	assert_int_equal(ask(v, "x@f.example").status, VERDICT_NONE);
	/* more than a hundred at once: everything */
	testpg_run(&pg, "INSERT INTO verdict (address, status, why) SELECT "
	    "'u' || i || '@g.example', 'ok', '' FROM "
	    "generate_series(1, 200) i");
	assert_forgotten(v, "no@f.example");
	verdicts_free(&v);
}

static bool
is_old(void *arg)
{
	return peek(arg, "ok@f.example") == VERDICT_NONE;
}

static void
verdicts_grow_old(void **state)
{
	struct verdicts *v = verdicts_on(
	    "address_verify_positive_expire_time = 60s\n"
	    "address_verify_negative_expire_time = 5s\n");

	(void)state;
	testpg_run(&pg, "UPDATE verdict SET updated_at = now() - "
	    "interval '53 s'");
	assert_int_equal(ask(v, "no@f.example").status, VERDICT_NONE);
	assert_int_equal(ask(v, "slow@f.example").status, VERDICT_NONE);
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
	/* in memory, too */
	assert_true(testpg_wait(l, is_old, v, TESTPG_PATIENCE));
	verdicts_free(&v);
}

static void
failures_count_only_where_they_are_kept(void **state)
{
	struct verdicts *v = verdicts_on(
	    "address_verify_negative_cache = no\n");

	(void)state;
	assert_int_equal(ask(v, "no@f.example").status, VERDICT_NONE);
	assert_int_equal(ask(v, "slow@f.example").status, VERDICT_NONE);
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
	assert_int_equal(peek(v, "no@f.example"), VERDICT_NONE);
	verdicts_free(&v);
}

/* All of one address wait for one query, and who goes is not called. */
static void
asks_are_joined_and_cancelled(void **state)
{
	struct verdicts *v = verdicts_on("");
	struct answer a = { .calls = 0 }, b = a, c = a;
	struct verdict_ask *gone;
	struct buf json;

	(void)state;
	(void)verdicts_ask(v, SPAN_LIT("no@f.example"), answer_cb, &a);
	gone = verdicts_ask(v, SPAN_LIT("no@f.example"), answer_cb, &b);
	(void)verdicts_ask(v, SPAN_LIT("no@f.example"), answer_cb, &c);
	verdicts_cancel(&gone);
	assert_null(gone);
	verdicts_cancel(&gone);
	assert_true(testpg_wait(l, answered, &c, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	buf_init(&json, 1000);
	verdicts_status(v, &json);
	assert_non_null(strstr(buf_cstr(&json), "\"queries\": 1,"));
	buf_fini(&json);
	(void)verdicts_ask(v, SPAN_LIT("x@f.example"), answer_cb, &b);
	verdicts_free(&v);			/* with one in flight */
	assert_int_equal(b.calls, 0);
}

/* Asks about somebody nobody knows until that is the answer. */
static void
ask_until(struct verdicts *v, enum verdict_status want)
{
	uint64_t until = clock_mono_ms() + TESTPG_PATIENCE;

	while (ask(v, "new@f.example").status != want) {
		assert_true(clock_mono_ms() < until);
		testpg_sleep(l, 50);
	}
}

/* Served as long as it would be believed anyhow; what was not asked before
 * is a temporary failure. */
static void
an_outage_is_bridged(void **state)
{
	struct verdicts *v = verdicts_on(
	    "address_verify_positive_expire_time = 4h\n");
	uint64_t began, took = UINT64_MAX;
	int i;

	(void)state;
	testpg_run(&pg, "UPDATE verdict SET updated_at = now() - "
	    "interval '3 hours' WHERE address = 'ok@f.example'");
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
	assert_int_equal(ask(v, "no@f.example").status, VERDICT_BOUNCE);
	assert_int_equal(ask(v, "x@f.example").status, VERDICT_NONE);
	testpg_do(&pg, "stop immediate");
	ask_until(v, VERDICT_TEMP);
	assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
	assert_string_equal(ask(v, "no@f.example").why, "no such user");
	/* that nothing was known is nothing to go by */
	assert_int_equal(ask(v, "x@f.example").status, VERDICT_TEMP);
	/* long down: nobody is kept waiting */
	testpg_sleep(l, 6000);
	for (i = 0; i < 5 && took >= 1000; i++) {
		began = clock_mono_ms();
		assert_int_equal(ask(v, "ok@f.example").status, VERDICT_OK);
		assert_int_equal(ask(v, "new@f.example").status,
		    VERDICT_TEMP);
		took = clock_mono_ms() - began;
	}
	assert_true(took < 1000);
	testpg_do(&pg, "start");
	ask_until(v, VERDICT_NONE);
	assert_int_equal(ask(v, "no@f.example").status, VERDICT_BOUNCE);
	assert_int_equal(peek(v, "no@f.example"), VERDICT_BOUNCE);
	verdicts_free(&v);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_verdict_is_asked_for_once),
		T(a_change_is_live_at_once),
		T(verdicts_grow_old),
		T(failures_count_only_where_they_are_kept),
		T(asks_are_joined_and_cancelled),
		T(an_outage_is_bridged),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
