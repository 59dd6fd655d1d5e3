/*
 * What authd learns about a login name, as role postern_auth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/credentials.h"
#include "db/testpg.h"

static struct testpg pg;
static struct loop *l;

struct answer {
	int calls;
	enum login_result result;
	uint64_t id;
	bool local;
	enum mailbox_state state;
	char address[64], list[256];
	int64_t quota;
};

static void
answer_cb(const struct login *login, void *arg)
{
	struct answer *a = arg;
	size_t i, at = 0;

	a->calls++;
	a->result = login->result;
	a->id = login->mailbox_id;
	a->local = login->local;
	a->state = login->state;
	a->quota = login->quota_bytes;
	(void)snprintf(a->address, sizeof(a->address), "%s", login->address);
	a->list[0] = '\0';
	for (i = 0; i < login->n_credentials && at < sizeof(a->list); i++)
		at += (size_t)snprintf(a->list + at, sizeof(a->list) - at,
		    "%s=%s(%s)%s ", login->credentials[i].label,
		    login->credentials[i].secret,
		    login->credentials[i].scope,
		    login->credentials[i].kind == CREDENTIAL_APP ? "app" : "");
}

static bool
answered(void *arg)
{
	return ((struct answer *)arg)->calls > 0;
}

static struct answer
fetch(struct credentials *c, struct span name)
{
	struct answer a = { .calls = 0 };

	(void)credentials_fetch(c, name, answer_cb, &a);
	assert_int_equal(a.calls, 0);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 1);
	return a;
}

static struct credentials *
open_on(const char *url)
{
	struct conf *conf = testpg_conf(url,
	    "host_name_in_database = mx.example\n");
	struct credentials *c = credentials_new(l, conf, NULL);

	conf_unref(&conf);
	return c;
}

static int
setup(void **state)
{
	(void)state;
	testpg_run(&pg, "TRUNCATE organisation, host CASCADE");
	testpg_run(&pg, "SELECT host_add('mx.example')");
	testpg_run(&pg, "SELECT domain_add('a.example', 'mailbox', NULL, "
	    "NULL)");
	testpg_run(&pg, "SELECT mailbox_add('kim@a.example', 'mx.example', "
	    "'{X}main', 99, NULL), mailbox_add('new@a.example', "
	    "'mx.example', NULL, NULL, NULL)");
	testpg_run(&pg, "SELECT credential_add('kim@a.example', 'phone', "
	    "'{X}ph''one', '{imap,smtp}')");
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
all_credentials_come_at_once(void **state)
{
	struct credentials *c = open_on(pg.url);
	struct answer a = fetch(c, SPAN_LIT("kim@a.example"));

	(void)state;
	assert_int_equal(a.result, LOGIN_FOUND);
	assert_true(a.local);
	assert_int_equal(a.state, MAILBOX_ACTIVE);
	assert_int_equal(a.quota, 99);
	assert_string_equal(a.address, "kim@a.example");
	assert_string_equal(a.list,
	    "password={X}main() phone={X}ph'one(imap smtp)app ");
	a = fetch(c, SPAN_LIT("new@a.example"));
	assert_int_equal(a.result, LOGIN_FOUND);
	assert_string_equal(a.list, "");
	credentials_free(&c);
}

static void
strangers_are_unknown(void **state)
{
	struct credentials *c = open_on(pg.url);

	(void)state;
	assert_int_equal(fetch(c, SPAN_LIT("nobody@a.example")).result,
	    LOGIN_UNKNOWN);
	assert_int_equal(fetch(c, SPAN_LIT("")).result, LOGIN_UNKNOWN);
	assert_int_equal(fetch(c, SPAN_LIT("kim@a.example\0x")).result,
	    LOGIN_UNKNOWN);
	assert_int_equal(fetch(c, SPAN_LIT("\xff")).result, LOGIN_UNKNOWN);
	assert_int_equal(fetch(c, SPAN_LIT("' OR 1=1 --")).result,
	    LOGIN_UNKNOWN);
	credentials_free(&c);
}

static void
states_are_told(void **state)
{
	struct credentials *c = open_on(pg.url);

	(void)state;
	testpg_run(&pg, "SELECT mailbox_set('kim@a.example', 'state', "
	    "'no_login')");
	assert_int_equal(fetch(c, SPAN_LIT("kim@a.example")).state,
	    MAILBOX_NO_LOGIN);
	testpg_run(&pg, "SELECT organisation_set('default', 'active', 'no')");
	assert_int_equal(fetch(c, SPAN_LIT("kim@a.example")).state,
	    MAILBOX_DISABLED);
	credentials_free(&c);
}

static void
a_rehash_is_written_only_over_what_was_read(void **state)
{
	struct credentials *c = open_on(pg.url);
	char *id = testpg_sql(&pg, "SELECT id FROM credential "
	    "WHERE kind = 'password'");
	uint64_t n = strtoull(id, NULL, 10);
	char *s;

	(void)state;
	credentials_rehash(c, n, SPAN_LIT("{X}main"), SPAN_LIT("{Y}main"));
	credentials_rehash(c, n, SPAN_LIT("{X}main"), SPAN_LIT("{Z}main"));
	credentials_used(c, n);
	credentials_used(c, n);
	(void)fetch(c, SPAN_LIT("kim@a.example"));	/* after them */
	s = testpg_sql(&pg, "SELECT secret FROM credential WHERE kind = "
	    "'password' AND last_used_at IS NOT NULL");
	assert_string_equal(s, "{Y}main");
	free(s);
	free(id);
	credentials_free(&c);
}

static void
a_cancelled_fetch_never_calls_back(void **state)
{
	struct credentials *c = open_on(pg.url);
	struct answer a = { .calls = 0 };
	struct credentials_ask *ask;

	(void)state;
	ask = credentials_fetch(c, SPAN_LIT("kim@a.example"), answer_cb, &a);
	credentials_cancel(&ask);
	assert_null(ask);
	(void)fetch(c, SPAN_LIT("new@a.example"));
	ask = credentials_fetch(c, SPAN_LIT("kim@a.example"), answer_cb, &a);
	credentials_cancel(&ask);
	(void)fetch(c, SPAN_LIT("new@a.example"));
	assert_int_equal(a.calls, 0);
	credentials_free(&c);
}

static void
without_a_database_it_is_temporary(void **state)
{
	struct credentials *c = open_on("postgresql:///x?host=/nonexistent");

	(void)state;
	assert_int_equal(fetch(c, SPAN_LIT("kim@a.example")).result,
	    LOGIN_TEMP);
	credentials_free(&c);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_credentials_come_at_once),
		T(strangers_are_unknown),
		T(states_are_told),
		T(a_rehash_is_written_only_over_what_was_read),
		T(a_cancelled_fetch_never_calls_back),
		T(without_a_database_it_is_temporary),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
