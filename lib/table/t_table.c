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
	    "  # inside\n away\nkim@a.example 450 later\n");
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
	    "/slash\\/in/ s\nif !/\\./\n!  /never/ x\nendif\n");
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

/* Each line alone; what it answers to a key, or why it is ignored. */
static void
test_pattern_lines(void **state)
{
	static const struct {
		const char *type, *line, *key, *want, *logged;
	} cases[] = {
		{ "pcre", "/a(b)?c/ <$1>", "ac", "<>", "" },
		{ "pcre", "/(a)/ $2", "a", "-", "pattern has not" },
		{ "pcre", "/(a)/ $0", "a", "-", "pattern has not" },
		{ "pcre", "!/(a)/ $1", "b", "-", "`!' pattern" },
		{ "pcre", "/a/ $x", "a", "-", "number is wanted" },
		{ "pcre", "/a/ ${1", "a", "-", "number is wanted" },
		{ "pcre", "/(a)/ $(1)$$", "a", "a$", "" },
		{ "pcre", "/a/q v", "a", "-", "unknown pattern flag" },
		{ "pcre", "/a b/x v", "ab", "v", "" },
		{ "pcre", "|a/b| v", "a/b", "v", "" },
		{ "pcre", "/a", "a", "-", "has no end" },
		{ "pcre", "/a/", "a", "", "no value" },
		{ "pcre", "!/a/ v", "", "v", "" },
		{ "pcre", "pattern v", "a", "-", "/pattern/ is wanted" },
		{ "pcre", "/a/!/b/ v", "a", "-", "unknown pattern flag" },
		{ "pcre", "if /a/ v\n/./ w\nendif", "a", "w",
		    "\"v\" behind the if" },
		{ "cidr", "if 10.0.0.0/8 v\n0.0.0.0/0 w\nendif",
		    "11.2.0.0", "w", "text behind the if" },
		{ "regexp", "if /^a/!/b/\n/./ w\nendif", "ab", "w",
		    "\"!/b/\" behind the if" },
		{ "regexp", "!/a/!/b/ v", "b", "-", "" },
		{ "regexp", "!/a/!/b/ v", "c", "v", "" },
		{ "hash", " a v", "a", "-", "begin with white space" },
		{ "pcre", "if /a/", "a", "-", "if without endif" },
		{ "pcre", "endif", "a", "-", "endif without if" },
		{ "regexp", "/a.c$/ v", "A\nC", "v", "" },
		{ "regexp", "/a.c$/m v", "a\nc", "-", "" },
		{ "regexp", "/^b/m v", "a\nb", "v", "" },
		{ "regexp", "/a$/ v", "a\n", "-", "" },
		{ "pcre", "/a$/ v", "a\n", "v", "" },
		{ "regexp", "/A/i v", "a", "-", "" },
		{ "regexp", "/a/x v", "a", "-", "unknown pattern flag" },
		{ "regexp", "/(.*)-x@/!/^owner/ $1", "list-x@", "list", "" },
		{ "regexp", "/(.*)-x@/!/^owner/ $1", "owner-x@", "-", "" },
		{ "regexp", "/[[:digit:]]+\\.(com|org)/ <$1>", "7.org",
		    "<org>", "" },
		{ "cidr", "if !10.0.0.0/8", "a", "-", "if without endif" },
		{ "cidr", "endif x", "a", "-", "text behind the endif" },
		{ "cidr", "! 10.0.0.0/8 out", "192.0.2.1", "out", "" },
		{ "cidr", "10.0.0.0/8", "a", "-", "a value is wanted" },
		{ "cidr", "2001:db8::/32 x", "2001:DB8::1", "x", "" },
		{ "hash", "\"john doe\"@a.example OK", "\"john doe\"@a.example",
		    "OK", "" },
		{ "hash", "key\n \n# c\n\tmore of\n  it\r\n", "key",
		    "more of  it", "" },
		{ "cidr", "!10.0.0.0/8 v", "2001:db8::1", "-", "" },
		{ "hash", "J\xc3\xbcrgen@a x", "j\xc3\xbcrgen@a", "x", "" },
	};
	struct table *t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		file_write(cases[i].line);
		t = open_type(cases[i].type);
		assert_string_equal(ask(t, cases[i].key), cases[i].want);
		if (cases[i].logged[0] == '\0')
			assert_string_equal(logged, "");
		else if (strstr(logged, cases[i].logged) == NULL)
			fail_msg("%s: %s", cases[i].line, logged);
		table_unref(&t);
	}
}

static void
test_ifs_nest(void **state)
{
	static const struct { const char *key, *want; } cases[] = {
		{ "ab", "ab" }, { "ac", "a" }, { "abx", "abx" },
		{ "zz", "none" },
	};
	struct table *t;
	size_t i;

	(void)state;
	file_write("if /^a/\nif /^ab/\n/x$/ abx\nif /nothing/\n/a/ no\n"
	    "endif\n/b$/ ab\nendif\n/./ a\nendif\n/./ none\n");
	t = open_type("regexp");
	for (i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(ask(t, cases[i].key), cases[i].want);
	assert_string_equal(logged, "");
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
		{ "inline:{ {a = 1, 2} {b = 3 4} c=5 }", "a", "1, 2" },
		{ "inline:{ {a = 1, 2} {b = 3 4} c=5 }", "b", "3 4" },
		{ "inline:{ {a = 1, 2} {b = 3 4} c=5 }", "c", "5" },
		{ "inline:{{a = {x} y}{b = z}}", "a", "{x} y" },
		{ "inline:{{a = {x} y}{b = z}}", "b", "z" },
		{ "inline:{ {a = 1} , , {b = 2} , }", "b", "2" },
		{ "inline:{ a }", "a", "no table" },
		{ "inline:{ a = 1, a = 2 }", "a", "no table" },
		{ "inline:{a=1 b=2,c=3}", "b", "2" },
		{ "inline:{a=1 b=2,c=3}", "c", "3" },
		{ "inline:{{k = v w}}", "k", "v w" },
		{ "inline:{k = v w}", "k", "v w" },
		{ "unionmap:{static:a static:b}", "k", "a,b" },
		{ "unionmap:{static:{a b}, static:c}", "k", "a b,c" },
		{ "randmap:{ {one more} }", "l", "one more" },
		{ "proxy:static:OK", "x", "OK" },
		{ "proxy:unionmap:{proxy:static:a, inline:{k=b}}", "k",
		    "a,b" },
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
		{ "tcp:host", "l", "no table" },
		{ "tcp:", "l", "no table" },
		{ "socketmap:inet:host:25", "l", "no table" },
		{ "socketmap:inet:host:25:", "l", "no table" },
		{ "socketmap:unix:relative:m", "l", "no table" },
		{ "pg:no/name", "l", "no table" },
		{ "pg:", "l", "no table" },
		{ "pg:list", "l", "!pg:list: nobody can be asked here" },
		{ "regexp:{{/^a(.*)/ x$1}}", "abc", "xbc" },
		{ "pcre:{ {/^a/ first}, {/b{2}/ second} }", "bb",
		    "second" },
		{ "pcre:{{if /^a/} {/c$/ y} {endif} {/./ z}}", "abc", "y" },
		{ "cidr:{{192.0.2.0/24 OK} {0.0.0.0/0 REJECT}}",
		    "192.0.2.7", "OK" },
		{ "cidr:{{192.0.2.0/24 OK}}", "198.51.100.1", "-" },
		{ "proxy:cidr:{{192.0.2.0/24 OK}}", "192.0.2.7", "OK" },
		{ "regexp:{/^a/ x}", "a", "no table" },
		{ "regexp:{{/^a/ x}", "a", "no table" },
		{ "hash:{{a x}}", "a", "no table" },
		{ "hash:/nonexistent/file", "l", "no table" },
		{ "unionmap:{static:a, nosuch:b}", "l", "no table" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(ask_spec(cases[i].spec, cases[i].key),
		    cases[i].want);
}

static void
test_natures(void **state)
{
	static const struct {
		const char *spec;
		bool pattern, async;
	} cases[] = {
		{ "static:a", false, false },
		{ "randmap:{a}", true, false },
		{ "tcp:127.0.0.1:1", true, true },
		{ "socketmap:unix:/run/x:map", true, true },
		{ "pg:list", false, true },
		{ "proxy:pg:list", false, true },
		{ "unionmap:{static:a, tcp:127.0.0.1:1}", false, true },
		{ "pipemap:{tcp:127.0.0.1:1, static:a}", true, true },
		{ "pipemap:{static:a, unionmap:{pg:l}}", false, true },
		{ "unionmap:{static:a, static:b}", false, false },
	};
	struct table *t;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		t = table_open(span_str(cases[i].spec), &err);
		assert_non_null(t);
		assert_int_equal(table_is_pattern(t), cases[i].pattern);
		assert_int_equal(table_is_async(t), cases[i].async);
		assert_string_equal(table_name(t), cases[i].spec);
		table_unref(&t);
	}
}

static void
test_trouble_is_told_once(void **state)
{
	struct err err;
	struct table *t;

	(void)state;
	file_write("a OK\n");
	t = open_type("hash");
	assert_int_equal(unlink(path), 0);
	logged[0] = '\0';
	assert_false(table_refresh(t, &err));
	assert_int_equal(err.code, PS_ENOTFOUND);
	assert_non_null(strstr(logged, "No such file"));
	assert_non_null(strstr(logged, "serves on"));
	logged[0] = '\0';
	assert_false(table_refresh(t, &err));
	assert_string_equal(logged, "");
	assert_string_equal(ask(t, "a"), "OK");
	file_write("a REJECT back\n");
	assert_true(table_refresh(t, &err));
	assert_string_equal(ask(t, "a"), "REJECT back");
	/* emptied a moment ago: it is being written */
	file_write("");
	assert_false(table_refresh(t, &err));
	assert_string_equal(ask(t, "a"), "REJECT back");
	file_write("a OK\n");
	assert_true(table_refresh(t, &err));
	assert_string_equal(ask(t, "a"), "OK");
	table_unref(&t);
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
		cmocka_unit_test(test_pattern_lines),
		cmocka_unit_test(test_ifs_nest),
		cmocka_unit_test(test_natures),
		cmocka_unit_test(test_trouble_is_told_once),
		cmocka_unit_test(
		    test_costly_pattern_is_a_failure_not_a_miss),
		cmocka_unit_test(test_made_tables),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
