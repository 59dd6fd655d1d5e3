/*
 * What the database refuses holds for two writers at once, too: neither sees
 * what the other has not committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "db/testpg.h"

static struct testpg pg;
static PGconn *one, *two;

static void
must(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	ExecStatusType st = PQresultStatus(r);

	if (st != PGRES_TUPLES_OK && st != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
}

static int
setup(void **state)
{
	(void)state;
	testpg_run(&pg, "TRUNCATE organisation, host CASCADE");
	testpg_run(&pg, "SELECT host_add('mx.example')");
	testpg_run(&pg, "SELECT domain_add('a.example', 'mailbox', NULL, "
	    "NULL)");
	one = PQconnectdb(pg.url);
	two = PQconnectdb(pg.url);
	must(one, "SET search_path = postern");
	must(two, "SET search_path = postern");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	PQfinish(one);
	PQfinish(two);
	return 0;
}

/* `first` is not committed yet when `second` starts; second must wait for it
 * and then be refused with these words. */
static void
refused_together(const char *first, const char *second, const char *words)
{
	PGresult *r;

	must(one, "BEGIN");
	must(one, first);
	assert_int_equal(PQsendQuery(two, second), 1);
	/* Either it waits already, or comes to that while we commit: both
	 * orders have to end the same way. */
	must(one, "SELECT pg_sleep(0.2)");
	assert_int_equal(PQconsumeInput(two), 1);
	assert_int_equal(PQisBusy(two), 1);
	must(one, "COMMIT");
	r = PQgetResult(two);
	assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
	assert_non_null(strstr(PQresultErrorMessage(r), words));
	PQclear(r);
	assert_null(PQgetResult(two));
}

static void
two_halves_of_a_loop(void **state)
{
	(void)state;
	refused_together("SELECT alias_add('x@a.example', "
	    "ARRAY['y@a.example'])", "SELECT alias_add('y@a.example', "
	    "ARRAY['x@a.example'])", "lead back to itself");
}

static void
the_last_place_of_an_organisation(void **state)
{
	(void)state;
	must(one, "SELECT organisation_set('default', 'max_mailboxes', '1')");
	refused_together("SELECT mailbox_add('x@a.example', 'mx.example', "
	    "NULL, NULL, NULL)", "SELECT mailbox_add('y@a.example', "
	    "'mx.example', NULL, NULL, NULL)", "may have 1 mailboxes");
}

static void
the_same_address(void **state)
{
	(void)state;
	refused_together("SELECT mailbox_add('x@a.example', 'mx.example', "
	    "NULL, NULL, NULL)", "SELECT mailbox_add('x@a.example', "
	    "'mx.example', NULL, NULL, NULL)", "already");
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(two_halves_of_a_loop),
		T(the_last_place_of_an_organisation),
		T(the_same_address),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
