/*
 * The connection, against a real PostgreSQL of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "db/migrate.h"
#include "db/testpg.h"

static struct testpg pg;

struct answer {
	int calls;
	bool ok;
	enum err_kind kind;
	char why[256], sqlstate[6];
	char text[64];
	size_t rows;
};

static void
answer_cb(const struct db_result *r, void *arg)
{
	struct answer *a = arg;
	struct span s = db_get(r, 0, 0);

	a->calls++;
	a->ok = db_ok(r);
	a->kind = db_err(r)->kind;
	a->rows = db_rows(r);
	(void)snprintf(a->why, sizeof(a->why), "%s", db_err(r)->why);
	(void)snprintf(a->sqlstate, sizeof(a->sqlstate), "%s",
	    db_sqlstate(r));
	(void)snprintf(a->text, sizeof(a->text), "%.*s", SPAN_ARG(s));
}

static bool
answered(void *arg)
{
	return ((struct answer *)arg)->calls > 0;
}

static bool
is_up(void *arg)
{
	return db_state(arg) == DB_UP;
}

static bool
is_down(void *arg)
{
	return db_state(arg) != DB_UP;
}

static struct db *
db_make_with(struct loop *l, const char *url, uint32_t query_timeout_ms,
    uint32_t statement_timeout_ms)
{
	struct db_config c = { .url = url, .application = "t_db",
	    .query_timeout_ms = query_timeout_ms,
	    .statement_timeout_ms = statement_timeout_ms,
	    .connect_timeout_ms = 30000, .backoff_max_ms = 200 };

	return db_new(l, &c);
}

/* Patient, as the machine may be busy. */
static struct db *
db_make(struct loop *l, const char *url)
{
	return db_make_with(l, url, TESTPG_PATIENCE, TESTPG_PATIENCE);
}

/* The connection is in order: an answer is the answer to its question. A
 * server that is busy may say again that a second is over. */
static void
assert_answers(struct loop *l, struct db *db)
{
	struct answer a;
	int i;

	for (i = 0; i < 20; i++) {
		a = (struct answer){ .calls = 0 };
		(void)db_ask(db, "SELECT 8", NULL, 0, DB_ONCE, answer_cb, &a);
		assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
		if (a.ok)
			break;
	}
	assert_string_equal(a.text, "8");
}

static void
parameters_arrive_as_they_are(void **state)
{
	static const char *const nasty[] = { "", "it's", "\\", "a\"b", "$1",
	    "'; DROP TABLE mailbox; --", "j\xc3\xbcrgen", "%s%n" };
	struct loop *l = loop_new();
	struct db *db = db_make(l, pg.url);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(nasty); i++) {
		struct answer a = { .calls = 0 };
		struct db_param p[] = { DB_TEXT(span_str(nasty[i])),
		    DB_I64(INT64_MIN), DB_BOOL(true), DB_NULL,
		    DB_BYTEA(SPAN_LIT("\0\x01")) };

		(void)db_ask(db, "SELECT $1, 1 WHERE $2 = -9223372036854775808"
		    " AND $3 AND $4::text IS NULL AND $5 = '\\x0001'::bytea",
		    p, ARRAY_LEN(p), DB_AGAIN, answer_cb, &a);
		assert_int_equal(a.calls, 0);	/* never inside the call */
		assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
		assert_true(a.ok);
		assert_int_equal(a.rows, 1);
		assert_string_equal(a.text, nasty[i]);
	}
	db_free(&db);
	loop_free(&l);
}

static void
what_is_no_text_is_refused_and_harms_nobody(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make(l, pg.url);
	struct answer nul = { .calls = 0 }, bad = { .calls = 0 };
	struct answer syntax = { .calls = 0 }, good = { .calls = 0 };
	struct db_param p1 = DB_TEXT(SPAN_LIT("a\0b"));
	struct db_param p2 = DB_TEXT(SPAN_LIT("\xff\xfe"));

	(void)state;
	(void)db_ask(db, "SELECT $1", &p1, 1, DB_AGAIN, answer_cb, &nul);
	(void)db_ask(db, "SELECT $1", &p2, 1, DB_AGAIN, answer_cb, &bad);
	(void)db_ask(db, "SELEKT", NULL, 0, DB_AGAIN, answer_cb, &syntax);
	(void)db_ask(db, "SELECT 7", NULL, 0, DB_AGAIN, answer_cb, &good);
	assert_true(testpg_wait(l, answered, &good, TESTPG_PATIENCE));
	assert_int_equal(nul.calls, 1);
	assert_int_equal(nul.kind, ERR_PERM);
	assert_int_equal(bad.kind, ERR_PERM);
	assert_int_equal(syntax.kind, ERR_TEMP);
	assert_string_equal(syntax.sqlstate, "42601");
	assert_true(good.ok);
	assert_string_equal(good.text, "7");
	db_free(&db);
	loop_free(&l);
}

static void
a_cancelled_query_never_calls_back(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make(l, pg.url);
	struct answer a = { .calls = 0 }, b = { .calls = 0 };
	struct db_query *q, *sent;

	(void)state;
	q = db_ask(db, "SELECT 1", NULL, 0, DB_AGAIN, answer_cb, &a);
	db_cancel(&q);
	assert_null(q);
	db_cancel(&q);
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	sent = db_ask(db, "SELECT 1", NULL, 0, DB_ONCE, answer_cb, &a);
	(void)db_ask(db, "SELECT 2", NULL, 0, DB_ONCE, answer_cb, &b);
	db_cancel(&sent);
	assert_true(testpg_wait(l, answered, &b, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 0);
	db_free(&db);
	loop_free(&l);
}

static void
the_server_ends_what_takes_too_long(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make_with(l, pg.url, TESTPG_PATIENCE, 1000);
	struct answer a = { .calls = 0 };

	(void)state;
	(void)db_ask(db, "SELECT pg_sleep(300)", NULL, 0, DB_ONCE, answer_cb,
	    &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.kind, ERR_TEMP);
	assert_string_equal(a.sqlstate, "57014");
	assert_answers(l, db);
	db_free(&db);
	loop_free(&l);
}

/* Ten that take their full statement_timeout of 1 s, one after another on one
 * connection: nobody waits longer than query_timeout_ms, 5 s. */
static void
those_behind_slow_ones_are_told_in_time(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make_with(l, pg.url, 5000, 1000);
	struct answer a[10] = { { .calls = 0 } };
	struct db_stats st;
	size_t i;

	(void)state;
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	for (i = 0; i < ARRAY_LEN(a); i++)
		(void)db_ask(db, "SELECT pg_sleep(30)", NULL, 0, DB_AGAIN,
		    answer_cb, &a[i]);
	assert_true(testpg_wait(l, answered, &a[9], TESTPG_PATIENCE));
	assert_string_equal(a[0].sqlstate, "57014");
	assert_string_equal(a[9].why, "no answer in time");
	assert_answers(l, db);		/* they are not mixed up */
	for (i = 0; i < ARRAY_LEN(a); i++)
		assert_int_equal(a[i].calls, 1);
	db_stats(db, &st);
	assert_int_equal(st.connects, 1);
	assert_int_equal(st.waiting + st.running, 0);
	db_free(&db);
	loop_free(&l);
}

static void
the_queue_has_a_cap(void **state)
{
	struct loop *l = loop_new();
	struct db_config c = { .url = pg.url, .queue_max = 3 };
	struct db *db = db_new(l, &c);
	struct answer a[5] = { { .calls = 0 } };
	struct db_stats st;
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		(void)db_ask(db, "SELECT 1", NULL, 0, DB_AGAIN, answer_cb,
		    &a[i]);
	assert_int_equal(a[4].calls, 0);
	assert_true(testpg_wait(l, answered, &a[2], TESTPG_PATIENCE));
	assert_true(a[0].ok && a[1].ok && a[2].ok);
	assert_int_equal(a[3].kind, ERR_TEMP);
	assert_int_equal(a[4].calls, 1);
	db_stats(db, &st);
	assert_int_equal(st.refused, 2);
	assert_int_equal(st.waiting + st.running, 0);
	db_free(&db);
	loop_free(&l);
}

static int ups, downs;

static void
state_cb(enum db_state state, void *arg)
{
	(void)arg;
	if (state == DB_UP)
		ups++;
	else
		downs++;
}

static void
a_restart_is_survived(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make(l, pg.url);
	PGconn *holder = PQconnectdb(pg.url);
	struct answer a = { .calls = 0 }, again = { .calls = 0 };
	struct answer once = { .calls = 0 };

	(void)state;
	ups = downs = 0;
	db_on_state(db, state_cb, NULL);
	(void)db_ask(db, "SELECT 1", NULL, 0, DB_ONCE, answer_cb, &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(ups, 1);
	/* Two that run while the server dies under them. */
	PQclear(PQexec(holder, "SELECT pg_advisory_lock(7)"));
	(void)db_ask(db, "SELECT pg_advisory_lock(7), 'x'", NULL, 0, DB_AGAIN,
	    answer_cb, &again);
	(void)db_ask(db, "SELECT 3", NULL, 0, DB_ONCE, answer_cb, &once);
	assert_true(testpg_wait(l, testpg_waits_for_lock, &pg,
	    TESTPG_PATIENCE));
	testpg_do(&pg, "stop immediate");
	PQfinish(holder);
	assert_true(testpg_wait(l, answered, &once, TESTPG_PATIENCE));
	assert_int_equal(once.kind, ERR_TEMP);
	assert_int_equal(again.calls, 0);
	assert_int_equal(db_state(db) == DB_UP, false);
	assert_int_equal(downs, 1);
	testpg_do(&pg, "start");
	assert_true(testpg_wait(l, answered, &again, TESTPG_PATIENCE));
	assert_true(again.ok);
	assert_int_equal(again.calls, 1);
	assert_int_equal(ups, 2);
	assert_string_equal(db_why(db), "");
	db_free(&db);
	loop_free(&l);
}

static void
without_a_server_queries_fail_in_time(void **state)
{
	struct loop *l = loop_new();
	struct db_config c = { .query_timeout_ms = 300,
	    .url = "host=/nonexistent dbname=postern password=s3cret" };
	struct db *db = db_new(l, &c);
	struct answer a = { .calls = 0 };

	(void)state;
	(void)db_ask(db, "SELECT 1", NULL, 0, DB_AGAIN, answer_cb, &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.kind, ERR_TEMP);
	assert_non_null(strstr(db_why(db), "/nonexistent"));
	assert_null(strstr(db_why(db), "s3cret"));
	assert_int_equal(db_state(db) == DB_UP, false);
	db_free(&db);
	loop_free(&l);
}

static void
a_url_that_is_none_stays_down(void **state)
{
	struct loop *l = loop_new();
	struct db_config c = { .query_timeout_ms = 100,
	    .url = "postgresql://u:s3cret@h:nonsense:/x?y=z" };
	struct db *db = db_new(l, &c);
	struct answer a = { .calls = 0 };

	(void)state;
	(void)db_ask(db, "SELECT 1", NULL, 0, DB_AGAIN, answer_cb, &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.kind, ERR_TEMP);
	assert_null(strstr(a.why, "s3cret"));
	db_free(&db);
	loop_free(&l);
}

static void
names_are_found_in_a_thread(void **state)
{
	struct loop *l = loop_new();
	/* localhost has no server here; the socket behind it has. */
	char *url = xasprintf("host=localhost,no-such-host.invalid,%s/s "
	    "port=1,1,5432 dbname=postern user=postgres", pg.dir);
	struct db *db = db_make(l, url);

	(void)state;
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	db_free(&db);
	free(url);
	loop_free(&l);
}

static char heard[64];
static int heard_n;

static void
notify_cb(struct span payload, void *arg)
{
	(void)arg;
	heard_n++;
	(void)snprintf(heard, sizeof(heard), "%.*s", SPAN_ARG(payload));
}

static bool
has_heard(void *arg)
{
	(void)arg;
	return heard_n > 0;
}

static void
notifies_arrive_also_after_a_reconnect(void **state)
{
	struct loop *l = loop_new();
	struct db *db = db_make(l, pg.url);

	(void)state;
	heard_n = 0;
	db_listen(db, "t_channel", notify_cb, NULL);
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	assert_true(db_listening(db));
	testpg_run(&pg, "NOTIFY t_channel, 'one'");
	assert_true(testpg_wait(l, has_heard, NULL, TESTPG_PATIENCE));
	assert_string_equal(heard, "one");
	testpg_run(&pg, "SELECT pg_terminate_backend(pid) FROM "
	    "pg_stat_activity WHERE application_name = 't_db'");
	assert_true(testpg_wait(l, is_down, db, TESTPG_PATIENCE));
	assert_false(db_listening(db));
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	heard_n = 0;
	testpg_run(&pg, "NOTIFY t_channel, 'two'");
	assert_true(testpg_wait(l, has_heard, NULL, TESTPG_PATIENCE));
	assert_string_equal(heard, "two");
	db_free(&db);
	loop_free(&l);
}

static void
the_writable_host_of_several_is_taken(void **state)
{
	struct loop *l = loop_new();
	struct testpg standby;
	struct db *db;
	struct answer a = { .calls = 0 };
	char *url;

	(void)state;
	testpg_standby(&standby, &pg);
	url = xasprintf("host=%s/s,%s/s dbname=postern user=postgres "
	    "target_session_attrs=read-write", standby.dir, pg.dir);
	db = db_make(l, url);
	(void)db_ask(db, "SELECT pg_is_in_recovery()", NULL, 0, DB_AGAIN,
	    answer_cb, &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_string_equal(a.text, "f");
	db_free(&db);
	free(url);

	/* Alone it can be asked, but does not LISTEN. */
	db = db_make(l, standby.url);
	db_listen(db, "t_channel", notify_cb, NULL);
	assert_true(testpg_wait(l, is_up, db, TESTPG_PATIENCE));
	assert_false(db_listening(db));
	db_free(&db);
	testpg_stop(&standby);
	loop_free(&l);
}

static int revision_seen;
static enum err_kind revision_kind;
static int revision_calls;

static void
revision_cb(int revision, const struct err *err, void *arg)
{
	(void)arg;
	revision_seen = revision;
	revision_kind = err == NULL ? ERR_NONE : err->kind;
	revision_calls++;
}

static bool
revision_told(void *arg)
{
	return revision_calls >= *(int *)arg;
}

static void
the_revision_is_checked(void **state)
{
	struct loop *l = loop_new();
	struct db_config c = { .url = pg.url, .search_path = "postern",
	    .role = "postern_lookup" };
	struct db *db = db_make(l, pg.url);
	int n = 1;

	(void)state;
	revision_calls = 0;
	db_check_revision(db, revision_cb, NULL);	/* no search_path */
	assert_true(testpg_wait(l, revision_told, &n, TESTPG_PATIENCE));
	assert_int_equal(revision_seen, 0);
	assert_int_equal(revision_kind, ERR_TEMP);
	db_free(&db);
	testpg_migrate(&pg);
	db = db_new(l, &c);
	db_check_revision(db, revision_cb, NULL);
	n = 2;
	assert_true(testpg_wait(l, revision_told, &n, TESTPG_PATIENCE));
	assert_int_equal(revision_seen, DB_REVISION);
	assert_int_equal(revision_kind, ERR_NONE);
	testpg_run(&pg, "INSERT INTO migration VALUES (999, 'x', 'x')");
	db_check_revision(db, revision_cb, NULL);
	n = 3;
	assert_true(testpg_wait(l, revision_told, &n, TESTPG_PATIENCE));
	assert_int_equal(revision_kind, ERR_PERM);
	db_check_revision(db, revision_cb, NULL);	/* never told */
	db_free(&db);
	assert_int_equal(revision_calls, 3);
	loop_free(&l);
}

static void
passwords_are_found_by_role(void **state)
{
	struct span file = SPAN_LIT("# roles\npostern_auth:one:two\r\n"
	    "postern_lookup: x\n\nnonsense\n");
	char *s;

	(void)state;
	s = db_password_find(file, "postern_auth");
	assert_string_equal(s, "one:two");
	secret_free(&s);
	s = db_password_find(file, "postern_lookup");
	assert_string_equal(s, " x");
	secret_free(&s);
	assert_null(db_password_find(file, "postern_usage"));
	assert_null(db_password_find(file, "# roles"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_arrive_as_they_are),
		cmocka_unit_test(what_is_no_text_is_refused_and_harms_nobody),
		cmocka_unit_test(a_cancelled_query_never_calls_back),
		cmocka_unit_test(the_server_ends_what_takes_too_long),
		cmocka_unit_test(those_behind_slow_ones_are_told_in_time),
		cmocka_unit_test(the_queue_has_a_cap),
		cmocka_unit_test(a_restart_is_survived),
		cmocka_unit_test(without_a_server_queries_fail_in_time),
		cmocka_unit_test(a_url_that_is_none_stays_down),
		cmocka_unit_test(names_are_found_in_a_thread),
		cmocka_unit_test(notifies_arrive_also_after_a_reconnect),
		cmocka_unit_test(the_writable_host_of_several_is_taken),
		cmocka_unit_test(the_revision_is_checked),
		cmocka_unit_test(passwords_are_found_by_role),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
