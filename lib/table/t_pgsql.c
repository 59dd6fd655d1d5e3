/*
 * pgsql_table(5) files: how a query becomes SQL with parameters, what a key
 * makes of them, and what an answer looks like. No database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "table/pgsql.h"
#include "table/table_int.h"

static char logged[2048];

static void
log_cb(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)snprintf(logged + strlen(logged),
	    sizeof(logged) - strlen(logged), "%s\n", line);
}

static struct pgsql_query *
parse(const char *text, struct err *err)
{
	static char spec[] = "pgsql:file";
	struct table t = { .type = &table_type_pgsql, .spec = spec,
	    .arg = spec + 6 };

	logged[0] = '\0';
	err_clear(err);
	return pgsql_query_parse(&t, span_str(text), err);
}

static struct pgsql_query *
parse_query(const char *query, struct err *err)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "dbname = d\nquery = %s\n", query);
	return parse(text, err);
}

/* "SQL|param|param" of a key; "-": not wanted. Lent. */
static const char *
asked(const struct pgsql_query *q, const char *key)
{
	static char text[1024];
	struct buf b;
	size_t i;

	if (!pgsql_wants(q, span_str(key)))
		return "-";
	buf_init(&b, sizeof(text));
	buf_str(&b, pgsql_sql(q));
	for (i = 0; i < pgsql_params(q); i++) {
		buf_char(&b, '|');
		pgsql_param(q, i, span_str(key), &b);
	}
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&b));
	buf_fini(&b);
	return text;
}

static void
keys_travel_as_parameters(void **state)
{
	static const struct { const char *query, *key, *want; } cases[] = {
		{ "SELECT x FROM t WHERE k = '%s'", "it's",
		    "SELECT x FROM t WHERE k = $1|it's" },
		{ "SELECT x FROM t WHERE k='%u@%d' AND d='%d';", "a@b.example",
		    "SELECT x FROM t WHERE k=$1 AND d=$2|a@b.example|"
		    "b.example" },
		{ "SELECT f(%s, '%S')", "k", "SELECT f($1, $2)|k|k" },
		{ "SELECT 'a%%b', 7 %% 2, '100%%''s' LIKE '%%@%d'", "u@d",
		    "SELECT $1, 7 % 2, $2 LIKE $3|a%b|100%'s|%@d" },
		{ "SELECT 'it''s' -- %s in a comment", "k",
		    "SELECT 'it''s' " },
		{ "SELECT 1 /* '%s /* nested */ */, '%s'", "k",
		    "SELECT 1  , $1|k" },
		{ "SELECT $$it's$$, $x$'$x$, '%u'", "k@d",
		    "SELECT $$it's$$, $x$'$x$, $1|k" },
		{ "SELECT E'a\\'' || '%s'", "k", "SELECT E'a\\'' || $1|k" },
		{ "SELECT \"odd'name\" FROM t WHERE k='%s'", "k",
		    "SELECT \"odd'name\" FROM t WHERE k=$1|k" },
		{ "SELECT '%1.%2'", "u@mail.example.com",
		    "SELECT $1|com.example" },
		{ "SELECT '%3'", "u@example.com", "-" },
		{ "SELECT '%1'", "example.com", "-" },
		{ "SELECT '%d'", "example.com", "-" },
		{ "SELECT '%u'", "example.com", "SELECT $1|example.com" },
		{ "SELECT '%u'", "@example.com", "-" },
		{ "SELECT '%d'", "@example.com", "SELECT $1|example.com" },
		{ "SELECT '%s'", "a@b@c", "SELECT $1|a@b@c" },
		{ "SELECT '%U', '%D'", "a@b@c", "SELECT $1, $2|a@b|c" },
		{ "SELECT '$1', '%s'", "k", "SELECT '$1', $1|k" },
	};
	struct pgsql_query *q;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		q = parse_query(cases[i].query, &err);
		assert_non_null(q);
		assert_string_equal(asked(q, cases[i].key), cases[i].want);
		pgsql_query_free(&q);
	}
}

static void
an_escape_where_no_parameter_can_be_is_refused(void **state)
{
	static const struct { const char *query, *why; } cases[] = {
		{ "SELECT x FROM \"t_%d\"", "name of a table" },
		{ "SELECT x FROM t_%d", "in quotes or alone" },
		{ "SELECT %stail", "in quotes or alone" },
		{ "SELECT E'%s'", "prefix" },
		{ "SELECT U&'%s'", "prefix" },
		{ "SELECT E'a\\' || '%s'", "no end" },
		{ "SELECT $$%s$$", "dollar-quoted" },
		{ "SELECT $1", "use %s" },
		{ "SELECT '%s", "no end" },
		{ "SELECT \"x", "no end" },
		{ "SELECT 1 /* ", "no end" },
		{ "SELECT '%x'", "unknown escape" },
		{ "SELECT '50%'", "unknown escape" },
		{ "SELECT %", "unknown escape" },
		{ "SELECT '%s','%s','%s','%s','%s','%s','%s','%s','%s','%s',"
		    "'%s','%s','%s','%s','%s','%s','%s'", "more than 16" },
		{ ";", "empty" },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgsql_query *q = parse_query(cases[i].query, &err);

		if (q != NULL)
			fail_msg("accepted: %s", cases[i].query);
		if (strstr(err.why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].query, err.why);
	}
}

static void
files_are_read(void **state)
{
	static const struct { const char *text, *conninfo, *sql; } cases[] = {
		{ "# mail\nhosts = 127.0.0.1:5433, unix:/run/pg db.example\n"
		    "user = me\npassword = it's\\ $x\ndbname = mail\n"
		    "query = SELECT a\n  FROM t\n# no\n  WHERE k = '%s'\n",
		    "host='127.0.0.1,/run/pg,db.example' port='5433,,' "
		    "dbname='mail' user='me' password='it\\'s\\\\ $x'",
		    "SELECT a  FROM t  WHERE k = $1" },
		{ "dbname=d\nselect_field = a\ntable = t\nwhere_field = k\n"
		    "additional_conditions = AND active\n",
		    "host='localhost' dbname='d'",
		    "SELECT a FROM t WHERE k = $1 AND active" },
		{ "hosts = inet:[::1]:5432\ndbname=d\nselect_function = f\n",
		    "host='::1' port='5432' dbname='d'", "SELECT f($1)" },
		{ "hosts = postgresql://u@h/d?sslmode=require\nquery=SELECT "
		    "1\nencoding = UTF8\n",
		    "postgresql://u@h/d?sslmode=require", "SELECT 1" },
	};
	struct pgsql_query *q;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		q = parse(cases[i].text, &err);
		assert_non_null(q);
		assert_string_equal(pgsql_conninfo(q), cases[i].conninfo);
		assert_string_equal(pgsql_sql(q), cases[i].sql);
		assert_string_equal(logged, "");
		pgsql_query_free(&q);
	}
}

static void
files_of_no_use_are_refused(void **state)
{
	static const struct { const char *text, *why; } cases[] = {
		{ "", "query is missing" },
		{ "query = SELECT 1\n", "dbname is missing" },
		{ "dbname = d\ntable = t\n", "query is missing" },
		{ "dbname = d\nquery = SELECT 1\nexpansion_limit = x\n",
		    "expansion_limit" },
		{ "dbname = d\nquery = SELECT 1\nresult_format = %q\n",
		    "unknown escape" },
		{ "dbname = d\nquery = SELECT 1\ndomain = hash:/x\n",
		    "only names" },
		{ "hosts = postgres://x, y\nquery = SELECT 1\ndbname=d\n",
		    "stands alone" },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(parse(cases[i].text, &err));
		if (strstr(err.why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, err.why);
	}
	/* a line that means nothing costs only itself */
	struct pgsql_query *q = parse("dbname = d\nqery = x\nnonsense\n"
	    "query = SELECT 1\n", &err);

	assert_non_null(q);
	assert_non_null(strstr(logged, "file:2: unknown parameter \"qery\""));
	assert_non_null(strstr(logged, "file:3: name = value"));
	pgsql_query_free(&q);
}

static void
domains_limit_the_keys(void **state)
{
	struct err err;
	struct pgsql_query *q = parse("dbname = d\nquery = SELECT '%s'\n"
	    "domain = a.example, B.example\n", &err);

	(void)state;
	assert_non_null(q);
	assert_true(pgsql_wants(q, SPAN_LIT("x@a.example")));
	assert_true(pgsql_wants(q, SPAN_LIT("x@b.example")));
	assert_false(pgsql_wants(q, SPAN_LIT("x@sub.a.example")));
	assert_false(pgsql_wants(q, SPAN_LIT("@a.example")));
	assert_false(pgsql_wants(q, SPAN_LIT("a.example")));
	pgsql_query_free(&q);
}

static void
answers_take_the_form_of_result_format(void **state)
{
	static const struct {
		const char *format, *key, *values[3], *want;
	} cases[] = {
		{ "%s", "k", { "a", "b" }, "a,b" },
		{ "%s", "k", { "", "b" }, "b" },
		{ "smtp:[%s]", "k", { "h", "g" }, "smtp:[h],smtp:[g]" },
		{ "%u+%U@%D", "x@key", { "y@val" }, "y+x@key" },
		{ "%d", "x@key", { "nodomain", "y@val" }, "val" },
		{ "%u", "x@key", { "@val", "y@val" }, "y" },
		{ "%U", "@key", { "v" }, "" },
		{ "%2", "x@mail.example.com", { "v" }, "example" },
		{ "100%%", "k", { "v" }, "100%" },
		{ "%s", "k", { "a", "b", "c" }, "limit" },
	};
	char text[256];
	struct pgsql_query *q;
	struct err err;
	struct buf out;
	size_t i, k, n;

	(void)state;
	buf_init(&out, 1024);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), "dbname = d\nquery = "
		    "SELECT 1\nresult_format = %s\nexpansion_limit = 2\n",
		    cases[i].format);
		q = parse(text, &err);
		assert_non_null(q);
		buf_clear(&out);
		n = 0;
		for (k = 0; k < 3 && cases[i].values[k] != NULL; k++)
			if (!pgsql_value_add(q, span_str(cases[i].key),
			    span_str(cases[i].values[k]), &n, &out)) {
				buf_clear(&out);
				buf_str(&out, "limit");
				break;
			}
		assert_string_equal(buf_cstr(&out), cases[i].want);
		pgsql_query_free(&q);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_travel_as_parameters),
		cmocka_unit_test(
		    an_escape_where_no_parameter_can_be_is_refused),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(files_of_no_use_are_refused),
		cmocka_unit_test(domains_limit_the_keys),
		cmocka_unit_test(answers_take_the_form_of_result_format),
	};

	log_tap(log_cb, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
