/*
 * pgsql: and pg: tables, against a real PostgreSQL of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/testpg.h"
#include "db/testproxy.h"
#include "tableask/tableask.h"

#define CONF_FAST \
	"database_role_lookup = postern_lookup\n" \
	"database_heartbeat = 100ms\n"
#define PATIENT	"table_timeout = 60s\n"
#define HASTY	"table_timeout = 3s\n"	/* the server is away */

static struct testpg pg;
static char path[] = "/tmp/t_tableaskXXXXXX";
static struct loop *l;
static struct table_env *env;

struct answer {
	int calls;
	char text[512];
};

static void
answer_cb(enum table_result r, struct span value, const struct err *err,
    void *arg)
{
	struct answer *a = arg;

	a->calls++;
	if (r == TABLE_FOUND)
		(void)snprintf(a->text, sizeof(a->text), "%.*s",
		    SPAN_ARG(value));
	else
		(void)snprintf(a->text, sizeof(a->text), "%s%s",
		    r == TABLE_NOTFOUND ? "-" : "!",
		    r == TABLE_NOTFOUND ? "" : err->why);
}

static bool
answered(void *arg)
{
	return ((struct answer *)arg)->calls > 0;
}

/* "value", "-" or "!why"; lent until the next. */
static const char *
ask_span(const char *spec, struct span key)
{
	static struct answer a;
	struct table *t;
	struct err err;

	t = table_open(span_str(spec), &err);
	if (t == NULL)
		fail_msg("%s", err.why);
	a = (struct answer){ .calls = 0 };
	(void)table_ask(env, t, key, answer_cb, &a);
	table_unref(&t);
	assert_int_equal(a.calls, 0);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 1);
	return a.text;
}

static const char *
ask(const char *spec, const char *key)
{
	return ask_span(spec, span_str(key));
}

static bool
is_wanted(const char *got, const char *want)
{
	return want[0] == '!' ? got[0] == '!' && strstr(got, want + 1) != NULL :
	    strcmp(got, want) == 0;
}

static void
expect(const char *spec, const char *key, const char *want)
{
	const char *got = ask(spec, key);

	if (!is_wanted(got, want))
		fail_msg("%s, %s: got %s instead of %s", spec, key, got,
		    want);
}

/* Asks until the server, which was away or busy, is found again. */
static void
expect_again(const char *spec, const char *key, const char *want)
{
	const char *got = NULL;
	int i;

	for (i = 0; i < 200 && (got == NULL || !is_wanted(got, want)); i++) {
		if (i > 0)
			testpg_sleep(l, 100);
		got = ask(spec, key);
	}
	if (!is_wanted(got, want))
		fail_msg("%s, %s: got %s instead of %s", spec, key, got,
		    want);
}

/* "?" when it would have to be asked for. */
static const char *
peek(const char *spec, const char *key)
{
	static char text[256];
	struct table *t;
	struct buf out;
	struct err err;
	enum table_result r;

	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	buf_init(&out, 1000);
	r = table_peek(env, t, span_str(key), &out, &err);
	(void)snprintf(text, sizeof(text), "%s", r == TABLE_FOUND ?
	    buf_cstr(&out) : r == TABLE_NOTFOUND ? "-" :
	    r == TABLE_PARKED ? "?" : "!");
	buf_fini(&out);
	table_unref(&t);
	return text;
}

struct look {
	const char *spec, *key, *want;
};

static bool
peeks(void *arg)
{
	const struct look *p = arg;

	return strcmp(peek(p->spec, p->key), p->want) == 0;
}

/* Without being asked again. */
static void
becomes(const char *spec, const char *key, const char *want)
{
	struct look p = { spec, key, want };

	if (!testpg_wait(l, peeks, &p, TESTPG_PATIENCE))
		fail_msg("%s, %s: %s instead of %s", spec, key,
		    peek(spec, key), want);
}

static void
env_new(const char *url, const char *more)
{
	char *text = xasprintf(CONF_FAST "%s", more);
	struct conf *conf = testpg_conf(url, text);

	env = table_env_new(l, conf, conf->database_role_lookup, NULL);
	conf_unref(&conf);
	free(text);
}

static void
env_end(void)
{
	table_env_free(&env);
}

static int
loop_made(void **state)
{
	(void)state;
	l = loop_new();
	return 0;
}

static int
loop_gone(void **state)
{
	(void)state;
	table_env_free(&env);
	loop_free(&l);
	return 0;
}

/* --- pgsql: --- */

static void
file_write(const char *query, const char *more)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "hosts = %s\nquery = %s\n%s", pg.url, query,
	    more) > 0);
	assert_int_equal(fclose(f), 0);
}

static void
queries_are_asked(void **state)
{
	static const struct {
		const char *query, *more, *key, *want;
	} cases[] = {
		{ "SELECT v FROM site.t WHERE k = '%s'", "", "one", "1" },
		{ "SELECT v FROM site.t WHERE k = '%s'", "", "ONE", "1" },
		{ "SELECT v FROM site.t WHERE k = '%s'", "", "none", "-" },
		{ "SELECT v FROM site.t WHERE k LIKE '%s%%' ORDER BY k", "",
		    "t", "3,2" },
		{ "SELECT v, k FROM site.t WHERE k = '%s'",
		    "result_format = <%s>\n", "one", "<1>,<one>" },
		{ "SELECT v FROM site.t WHERE n = '%s'", "", "7", "1" },
		{ "SELECT v FROM site.t WHERE n = %s", "", "7", "1" },
		{ "SELECT v FROM site.t WHERE n = '%s'", "", "x",
		    "!invalid input syntax" },
		{ "SELECT upper('%u') || '@' || '%d'", "", "kim@a.example",
		    "KIM@a.example" },
		{ "SELECT '%d'", "", "nodomain", "-" },
		{ "SELECT '%s'", "", "it's; DROP TABLE site.t; --",
		    "it's; drop table site.t; --" },
		{ "SELECT v FROM site.t WHERE k = '%s'", "",
		    "x' OR '1'='1", "-" },
		{ "SELECT v FROM site.t WHERE k = '%s'", "",
		    "x\\' OR 1=1 --", "-" },
		{ "SELECT NULL, '', '%s'", "", "k", "k" },
		{ "SELECT NULL::text WHERE '%s' <> ''", "", "k", "-" },
		{ "SELECT generate_series(1, 3), '%s'",
		    "expansion_limit = 5\n", "k", "!expansion_limit" },
		{ "SELECT generate_series(1, 2), '%s'",
		    "expansion_limit = 4\n", "k", "1,k,2,k" },
		{ "SELECT v FROM nowhere WHERE k = '%s'", "", "k",
		    "!does not exist" },
		{ "SELEKT '%s'", "", "k", "!syntax error" },
		{ "SELECT 1; SELECT '%s'", "", "k", "!multiple commands" },
		{ "SELECT '%s'", "domain = a.example\n", "x@a.example",
		    "x@a.example" },
		{ "SELECT '%s'", "domain = a.example\n", "x@b.example", "-" },
		{ "SELECT repeat('x', 70000), '%s'", "", "k", "!too long" },
	};
	char spec[64];
	size_t i;

	(void)state;
	env_new(pg.url, PATIENT);
	(void)snprintf(spec, sizeof(spec), "pgsql:%s", path);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		file_write(cases[i].query, cases[i].more);
		expect(spec, cases[i].key, cases[i].want);
	}
	file_write("SELECT '%s'", "");
	assert_string_equal(ask_span(spec, SPAN_LIT("\xff\xfe")), "-");
	assert_string_equal(ask_span(spec, SPAN_LIT("a\0b")), "-");
	assert_string_equal(peek(spec, "k"), "?");
	env_end();
}

static void
a_query_has_its_time(void **state)
{
	char spec[64];

	(void)state;
	env_new(pg.url, HASTY);
	(void)snprintf(spec, sizeof(spec), "pgsql:%s", path);
	file_write("SELECT '%s'", "");
	expect_again(spec, "k", "k");
	file_write("SELECT pg_sleep(300), '%s'", "");
	expect_again(spec, "k", "!statement timeout");
	env_end();
}

static void
tables_of_one_database_share_a_connection(void **state)
{
	char *count;
	char spec[200];

	(void)state;
	env_new(pg.url, PATIENT "syslog_name = shared\n");
	file_write("SELECT '%s'", "");
	(void)snprintf(spec, sizeof(spec), "unionmap:{pgsql:%s, static:b, "
	    "proxy:pgsql:%s}", path, path);
	expect(spec, "k", "k,b,k");
	file_write("SELECT 'other ' || '%s'", "");
	(void)snprintf(spec, sizeof(spec), "pipemap:{inline:{a=b}, "
	    "proxy:pgsql:%s}", path);
	expect(spec, "a", "other b");
	count = testpg_sql(&pg, "SELECT count(*) FROM pg_stat_activity "
	    "WHERE application_name = 'shared'");
	assert_string_equal(count, "1");
	free(count);
	env_end();
}

static bool
has_three(void *arg)
{
	char *count = testpg_sql(&pg, "SELECT count(*) FROM pg_stat_activity "
	    "WHERE application_name = 'many'");
	bool yes = strcmp(count, "3") == 0;

	(void)arg;
	free(count);
	return yes;
}

/* Slow queries do not all wait for each other. */
static void
many_that_ask_have_more_connections(void **state)
{
	enum { MANY = 64 };
	struct answer a[MANY];
	struct table *t;
	struct err err;
	char spec[64];
	size_t i;

	(void)state;
	env_new(pg.url, PATIENT
	    "syslog_name = many\ntable_connection_limit = 3\n");
	file_write("SELECT '%s' FROM pg_sleep(0.02)", "");
	(void)snprintf(spec, sizeof(spec), "pgsql:%s", path);
	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	expect(spec, "k", "k");
	for (i = 0; i < MANY; i++) {
		a[i] = (struct answer){ .calls = 0 };
		(void)table_ask(env, t, SPAN_LIT("k"), answer_cb, &a[i]);
		if (i == MANY / 2)	/* the others come up meanwhile */
			testpg_sleep(l, 300);
	}
	for (i = 0; i < MANY; i++) {
		assert_true(testpg_wait(l, answered, &a[i], TESTPG_PATIENCE));
		assert_string_equal(a[i].text, "k");
	}
	assert_true(testpg_wait(l, has_three, NULL, TESTPG_PATIENCE));
	table_unref(&t);
	env_end();
}

/* What waits for a connection that never comes would fail. */
static void
a_server_that_takes_no_more_connections_answers_on_one(void **state)
{
	enum { MANY = 32 };
	char *dir = testpg_sql(&pg, "SHOW unix_socket_directories");
	struct answer a[MANY];
	struct table *t;
	struct err err;
	char spec[64];
	FILE *f = fopen(path, "w");
	size_t i;

	(void)state;
	testpg_run(&pg, "CREATE ROLE one LOGIN CONNECTION LIMIT 1");
	assert_non_null(f);
	assert_true(fprintf(f, "hosts = unix:%s\nuser = one\ndbname = postern\n"
	    "query = SELECT '%%s' FROM pg_sleep(0.01)\n", dir) > 0);
	assert_int_equal(fclose(f), 0);
	env_new(pg.url, PATIENT);
	(void)snprintf(spec, sizeof(spec), "pgsql:%s", path);
	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	expect(spec, "k", "k");
	for (i = 0; i < MANY; i++) {
		a[i] = (struct answer){ .calls = 0 };
		(void)table_ask(env, t, SPAN_LIT("k"), answer_cb, &a[i]);
	}
	for (i = 0; i < MANY; i++) {
		assert_true(testpg_wait(l, answered, &a[i], TESTPG_PATIENCE));
		assert_string_equal(a[i].text, "k");
	}
	table_unref(&t);
	env_end();
	free(dir);
}

static void
a_server_that_comes_back_is_asked_again(void **state)
{
	char spec[64];

	(void)state;
	env_new(pg.url, HASTY);
	file_write("SELECT '%s'", "");
	(void)snprintf(spec, sizeof(spec), "pgsql:%s", path);
	expect_again(spec, "k", "k");
	testpg_do(&pg, "restart");
	expect_again(spec, "k", "k");
	testpg_do(&pg, "stop");
	assert_int_equal(ask(spec, "k")[0], '!');
	testpg_do(&pg, "start");
	expect_again(spec, "k", "k");
	env_end();
}

/* --- pg: --- */

static void
changes_are_live_on(const char *url)
{
	env_new(url, PATIENT);
	testpg_run(&pg, "TRUNCATE access_rule");
	testpg_run(&pg, "SELECT access_set('l', 'Bad.Example', 'REJECT', '', "
	    "NULL), access_set('other', 'bad.example', 'OK', '', NULL)");
	assert_string_equal(peek("pg:l", "bad.example"), "?");
	expect("pg:l", "BAD.example", "REJECT");
	/* From here on nobody has to be asked, for what is not there either */
	assert_string_equal(peek("pg:l", "bad.example"), "REJECT");
	assert_string_equal(peek("pg:l", "new.example"), "-");
	assert_string_equal(peek("pg:other", "bad.example"), "?");
	testpg_run(&pg, "SELECT access_set('l', 'new.example', '450 wait', "
	    "'', NULL)");
	becomes("pg:l", "new.example", "450 wait");
	testpg_run(&pg, "SELECT access_set('l', 'new.example', 'DUNNO', '', "
	    "NULL)");
	becomes("pg:l", "new.example", "DUNNO");
	testpg_run(&pg, "SELECT access_del('l', 'new.example')");
	becomes("pg:l", "new.example", "-");
	assert_string_equal(peek("pg:l", "bad.example"), "REJECT");
	/* more than a hundred at once: the list is read again */
	testpg_run(&pg, "SELECT access_import('l', array_agg('k' || n), "
	    "array_agg('OK'::text), true) FROM generate_series(1, 150) n");
	becomes("pg:l", "k150", "?");	/* told behind what was deleted */
	expect("pg:l", "k150", "OK");
	assert_string_equal(peek("pg:l", "bad.example"), "-");
	testpg_run(&pg, "TRUNCATE access_rule");
	becomes("pg:l", "k150", "?");
	expect("pg:l", "k150", "-");
	env_end();
}

static void
changes_are_live(void **state)
{
	(void)state;
	changes_are_live_on(pg.url);
}

static void
changes_are_live_byte_by_byte(void **state)
{
	char *dir = testpg_sql(&pg, "SHOW unix_socket_directories");
	struct testproxy *proxy = testproxy_new(l, dir);
	char *url = xasprintf("host=%s dbname=postern",
	    testproxy_dir(proxy));

	(void)state;
	changes_are_live_on(url);
	testproxy_free(&proxy);
	free(url);
	free(dir);
}

/* No change is lost, however it falls: each is told by a peek or an answer. */
static void
no_change_is_lost(void **state)
{
	char sql[200], want[16];
	int i;

	(void)state;
	env_new(pg.url, PATIENT);
	testpg_run(&pg, "TRUNCATE access_rule");
	for (i = 0; i < 50; i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT access_set('l', "
		    "'k', '%d', '', NULL)", i);
		(void)snprintf(want, sizeof(want), "%d", i);
		(void)ask("pg:l", "x");
		testpg_run(&pg, sql);
		becomes("pg:l", "k", want);
	}
	env_end();
}

static void
entries_expire(void **state)
{
	char sql[200];
	int ms;

	(void)state;
	env_new(pg.url, PATIENT);
	testpg_run(&pg, "SELECT access_set('l', 'long', 'OK', '', now() + "
	    "interval '1 hour'), access_set('l', 'past', 'OK', '', now() - "
	    "interval '1 hour')");
	/* again with more time where it was over before we asked */
	for (ms = 300; ms < 30000; ms *= 3) {
		(void)snprintf(sql, sizeof(sql), "SELECT access_set('l', "
		    "'brief', 'OK', '', now() + interval '%d ms')", ms);
		testpg_run(&pg, sql);
		testpg_sleep(l, 20);
		if (strcmp(ask("pg:l", "brief"), "OK") == 0)
			break;
	}
	assert_true(ms < 30000);
	assert_string_equal(peek("pg:l", "past"), "-");
	becomes("pg:l", "brief", "-");
	assert_string_equal(peek("pg:l", "long"), "OK");
	env_end();
}

static void
long_lists_are_asked_key_by_key(void **state)
{
	(void)state;
	env_new(pg.url, PATIENT "access_list_cache_entries = 5\n");
	testpg_run(&pg, "TRUNCATE access_rule");
	testpg_run(&pg, "SELECT access_import('l', array_agg('k' || n), "
	    "array_agg('OK'::text), true) FROM generate_series(1, 6) n");
	testpg_run(&pg, "SELECT access_import('s', array_agg('k' || n), "
	    "array_agg('OK'::text), true) FROM generate_series(1, 5) n");
	expect("pg:l", "k6", "OK");
	expect("pg:l", "k7", "-");
	assert_string_equal(peek("pg:l", "k6"), "?");
	expect("pg:s", "k5", "OK");
	assert_string_equal(peek("pg:s", "k5"), "OK");
	env_end();
}

/* Both ways of an outage: what is held serves for a while, or not at all. */
static void
held_lists_outlive_the_server(void **state)
{
	(void)state;
	env_new(pg.url, HASTY "directory_max_stale = 1h\n");
	testpg_run(&pg, "TRUNCATE access_rule");
	testpg_run(&pg, "SELECT access_set('l', 'k', 'REJECT', '', NULL)");
	expect_again("pg:l", "k", "REJECT");
	testpg_do(&pg, "stop");
	testpg_sleep(l, 100);
	assert_string_equal(peek("pg:l", "k"), "REJECT");
	expect("pg:l", "other", "-");
	expect("pg:never-read", "k", "!");
	testpg_do(&pg, "start");
	/* changed while nobody could tell us */
	testpg_run(&pg, "SELECT access_set('l', 'k', 'OK', '', NULL)");
	becomes("pg:l", "k", "?");
	expect_again("pg:l", "k", "OK");
	env_end();

	env_new(pg.url, HASTY "directory_max_stale = 0\n");
	expect_again("pg:l", "k", "OK");
	testpg_do(&pg, "stop");
	testpg_sleep(l, 100);
	assert_int_equal(ask("pg:l", "k")[0], '!');
	testpg_do(&pg, "start");
	expect_again("pg:l", "k", "OK");
	env_end();
}

/* Behind a pooler NOTIFYs do not arrive, heartbeats neither. */
static void
what_is_not_heard_is_not_held(void **state)
{
	(void)state;
	env_new(pg.url, PATIENT "directory_stale_after = 200ms\n");
	testpg_run(&pg, "SELECT access_set('l', 'k', 'OK', '', NULL)");
	expect("pg:l", "k", "OK");
	becomes("pg:l", "k", "?");
	expect("pg:l", "k", "OK");
	testpg_run(&pg, "SELECT pg_notify('postern_directory', '')");
	becomes("pg:l", "k", "OK");
	env_end();
}

static int
group_setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd == -1)
		return -1;
	(void)close(fd);
	testpg_start(&pg);
	testpg_migrate(&pg);
	testpg_run(&pg, "CREATE SCHEMA site");
	testpg_run(&pg, "CREATE TABLE site.t (k text, v text, n integer)");
	testpg_run(&pg, "INSERT INTO site.t VALUES ('one', '1', 7), "
	    "('two', '2', 8), ('three', '3', 9)");
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	testpg_stop(&pg);
	return 0;
}

#define T(name)	cmocka_unit_test_setup_teardown(name, loop_made, loop_gone)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(queries_are_asked),
		T(a_query_has_its_time),
		T(tables_of_one_database_share_a_connection),
		T(many_that_ask_have_more_connections),
		T(a_server_that_takes_no_more_connections_answers_on_one),
		T(a_server_that_comes_back_is_asked_again),
		T(changes_are_live),
		T(changes_are_live_byte_by_byte),
		T(no_change_is_lost),
		T(entries_expire),
		T(long_lists_are_asked_key_by_key),
		T(held_lists_outlive_the_server),
		T(what_is_not_heard_is_not_held),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
