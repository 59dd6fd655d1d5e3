#include "table/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char dir[] = "/tmp/t_tableXXXXXX";
static char path[64];
static char logged[1024];

static void
log_cb(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)snprintf(logged + strlen(logged),
	    sizeof(logged) - strlen(logged), "%s\n", line);
}

static void
file_write(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	logged[0] = '\0';
}

static struct table *
open_type(const char *type)
{
	struct err err = { 0 };
	char spec[128];
	struct table *t;

	(void)snprintf(spec, sizeof(spec), "%s:%s", type, path);
	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	return t;
}

/* The value, "-" when not found, "!" on a failure. Lent until the next. */
static const char *
ask(struct table *t, const char *key)
{
	static char text[512];
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, TABLE_VALUE_MAX);
	switch (table_look_up(t, span_str(key), &out, &err)) {
	case TABLE_FOUND:
		(void)snprintf(text, sizeof(text), "%s", buf_cstr(&out));
		break;
	case TABLE_NOTFOUND:
		(void)snprintf(text, sizeof(text), "-");
		break;
	default:
		(void)snprintf(text, sizeof(text), "!%s", err.why);
	}
	buf_fini(&out);
	return text;
}

static const char *
ask_spec(const char *spec, const char *key)
{
	struct err err = { 0 };
	struct table *t = table_open(span_str(spec), &err);
	const char *got;

	if (t == NULL)
		return "no table";
	got = ask(t, key);
	table_unref(&t);
	return got;
}

static void
test_text_file(void **state)
{
	struct table *t;

	(void)state;
	file_write("# comment\na.example  OK\n\nB.example REJECT go\n"
	    "  # inside\n   away\nkim@a.example 450 later\n");
	t = open_type("hash");
	assert_string_equal(ask(t, "a.example"), "OK");
	assert_string_equal(ask(t, "b.EXAMPLE"), "REJECT go away");
	assert_string_equal(ask(t, "kim@a.example"), "450 later");
	assert_string_equal(ask(t, "c.example"), "-");
	assert_string_equal(ask(t, ""), "-");
	assert_string_equal(logged, "");
	table_unref(&t);
}

static void
test_bad_line_costs_only_itself(void **state)
{
	struct table *t;
	char want[200];

	(void)state;
	file_write("a OK\nlonely\na REJECT\nb OK\n");
	t = open_type("texthash");
	assert_string_equal(ask(t, "a"), "OK");
	assert_string_equal(ask(t, "b"), "OK");
	(void)snprintf(want, sizeof(want), "%s:2: a key and a value", path);
	assert_non_null(strstr(logged, want));
	(void)snprintf(want, sizeof(want), "%s:3: \"a\" is there", path);
	assert_non_null(strstr(logged, want));
	table_unref(&t);
}

static void
test_changed_file_is_read_anew(void **state)
{
	struct err err;
	struct table *t;

	(void)state;
	file_write("a OK\n");
	t = open_type("hash");
	assert_false(table_refresh(t, &err));
	file_write("a REJECT now\n");
	assert_true(table_refresh(t, &err));
	assert_string_equal(ask(t, "a"), "REJECT now");
	assert_int_equal(unlink(path), 0);
	assert_false(table_refresh(t, &err));
	assert_int_equal(err.code, PS_ENOTFOUND);
	assert_string_equal(ask(t, "a"), "REJECT now");
	table_unref(&t);
}

static void
test_cidr(void **state)
{
	struct table *t;

	(void)state;
	file_write("192.0.2.0/24 net\n192.0.2.7 never\n10.0.0.0/33 bad\n"
	    "10.0.0.1/8 bad\n[2001:db8::]/32 six\n[2001:db9::/32] seven\n"
	    "if 10.0.0.0/8\n!10.1.0.0/16 not-one\nendif\n0.0.0.0/0 rest\n");
	t = open_type("cidr");
	assert_true(table_is_pattern(t));
	assert_string_equal(ask(t, "192.0.2.7"), "net");
	assert_string_equal(ask(t, "2001:db8::5"), "six");
	assert_string_equal(ask(t, "2001:db9::5"), "seven");
	assert_string_equal(ask(t, "2001:dba::5"), "-");
	assert_string_equal(ask(t, "10.2.0.1"), "not-one");
	assert_string_equal(ask(t, "10.1.0.1"), "rest");
	assert_string_equal(ask(t, "11.1.0.1"), "rest");
	assert_string_equal(ask(t, "host"), "-");
	assert_non_null(strstr(logged, ":3: bad prefix length"));
	assert_non_null(strstr(logged, ":4: address bits are set"));
	table_unref(&t);
}

static void
test_patterns(void **state)
{
	struct table *t;

	(void)state;
	file_write("/^dsl-(\\d+)\\.(.*)$/ REJECT $1 of ${2}, $$1\n"
	    "/^UPPER$/i case\n!/\\./ no-dot\nif /^mail/\n"
	    "/\\.example$/ mail-example\nendif\n/(/ broken\n"
	    "/slash\\/in/ s\n");
	t = open_type("pcre");
	assert_string_equal(ask(t, "DSL-12.isp.example"),
	    "REJECT 12 of isp.example, $1");
	assert_string_equal(ask(t, "UPPER"), "case");
	assert_string_equal(ask(t, "upper"), "no-dot");
	assert_string_equal(ask(t, "mail.a.example"), "mail-example");
	assert_string_equal(ask(t, "x.a.example"), "-");
	assert_string_equal(ask(t, "slash/in.x"), "s");
	assert_non_null(strstr(logged, ":7: pattern, character "));
	table_unref(&t);
}

static void
test_costly_pattern_is_a_failure_not_a_miss(void **state)
{
	struct table *t;

	(void)state;
	file_write("/^(a+)+$/ bomb\n");
	t = open_type("regexp");
	assert_int_equal(ask(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")[0], '!');
	table_unref(&t);
}

static void
test_made_tables(void **state)
{
	static const struct { const char *spec, *key, *want; } cases[] = {
		{ "inline:{ a = 1, {b = 2, 3} }", "a", "1" },
		{ "inline:{ a = 1, {b = 2, 3} }", "B", "2, 3" },
		{ "inline:{ a = 1 }", "c", "-" },
		{ "inline:{ a }", "a", "no table" },
		{ "inline:{ a = 1, a = 2 }", "a", "no table" },
		{ "static:OK", "x", "OK" },
		{ "static:{ some text }", "x", "some text" },
		{ "fail:why", "x", "!fail:why always fails" },
		{ "unionmap:{static:a, inline:{k=b}, static:c}", "k",
		    "a,b,c" },
		{ "unionmap:{inline:{k=b}, inline:{k=c}}", "z", "-" },
		{ "unionmap:{static:a, fail:x}", "k",
		    "!fail:x always fails" },
		{ "pipemap:{inline:{k=l}, inline:{l=m}}", "k", "m" },
		{ "pipemap:{inline:{k=l}, inline:{l=m}}", "l", "-" },
		{ "pipemap:static:a", "l", "no table" },
		{ "randmap:{one}", "l", "one" },
		{ "randmap:{}", "l", "no table" },
		{ "nosuch:file", "l", "no table" },
		{ "hash:/nonexistent/file", "l", "no table" },
		{ "unionmap:{static:a, nosuch:b}", "l", "no table" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(ask_spec(cases[i].spec, cases[i].key),
		    cases[i].want);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/table", dir);
	log_tap(log_cb, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_file),
		cmocka_unit_test(test_bad_line_costs_only_itself),
		cmocka_unit_test(test_changed_file_is_read_anew),
		cmocka_unit_test(test_cidr),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(
		    test_costly_pattern_is_a_failure_not_a_miss),
		cmocka_unit_test(test_made_tables),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
