/*
 * Address lists, each case from an exactly sized allocation, and every
 * shorter prefix of it, which must neither crash nor loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "mail/addrlist.h"

/* Items as text: name|route|local|domain; "-" for an absent part;
 * "[name" and "]" for groups. */
static const struct {
	const char *name, *in, *want;
} cases[] = {
	{ "bare", "joe@a.example", "-|-|joe|a.example\n" },
	{ "phrase", "Joe Q. Public <john.q@a.example>",
	    "Joe Q. Public|-|john.q|a.example\n" },
	{ "quoted phrase", "\"Joe, \\\"Q\\\"\" <j@b>", "Joe, \"Q\"|-|j|b\n" },
	{ "two", "a@b, c@d", "-|-|a|b\n-|-|c|d\n" },
	{ "empty items", ", ,a@b,,", "-|-|a|b\n" },
	{ "comment name", "pete@silly.test (Pete (wise) \\) man)",
	    "Pete (wise) ) man|-|pete|silly.test\n" },
	{ "phrase beats comment", "Pete (x) <p@q> (y)", "Pete|-|p|q\n" },
	{ "group", "A Group:Ed Jones <c@a.test>,joe@where.test;",
	    "[A Group\nEd Jones|-|c|a.test\n-|-|joe|where.test\n]\n" },
	{ "empty group", "Undisclosed recipients:;",
	    "[Undisclosed recipients\n]\n" },
	{ "group then one", "g:a@b;, c@d", "[g\n-|-|a|b\n]\n-|-|c|d\n" },
	{ "group without end", "g: a@b", "[g\n-|-|a|b\n]\n" },
	{ "quoted local", "\"joe smith\"@a", "-|-|joe smith|a\n" },
	{ "empty quoted local", "\"\"@a", "-|-||a\n" },
	{ "route", "<@a,@b:joe@c>", "-|@a,@b|joe|c\n" },
	{ "obsolete dots", "joe . smith @ a . example",
	    "-|-|joe.smith|a.example\n" },
	{ "literal", "joe@[192.0.2.1]", "-|-|joe|[192.0.2.1]\n" },
	{ "no domain", "postmaster", "-|-|postmaster|-\n" },
	{ "only a phrase", "Joe Public, \"a b\"",
	    "Joe Public|-|-|-\na b|-|-|-\n" },
	{ "empty angle", "Nobody <>", "Nobody|-|-|-\n" },
	{ "folded", "A\r\n B <a@b>,\r\n\tc@d", "A B|-|a|b\n-|-|c|d\n" },
	{ "open quote", "\"abc", "-|-|abc|-\n" },
	{ "open comment", "a@b (abc", "abc|-|a|b\n" },
	{ "nothing", " ", "" },
	{ "encoded word", "=?utf-8?q?J=C3=B6rg?= <j@x>",
	    "=?utf-8?q?J=C3=B6rg?=|-|j|x\n" },
};

static void
put(struct buf *out, struct span s)
{
	if (s.p == NULL)
		buf_char(out, '-');
	else
		buf_span_add(out, s);
}

static void
list_text(struct buf *out, struct span in)
{
	struct addrlist l;
	struct addr_item a;

	addrlist_init(&l, in);
	while (addrlist_next(&l, &a)) {
		if (a.kind == ADDR_MAILBOX) {
			put(out, a.name);
			buf_char(out, '|');
			put(out, a.route);
			buf_char(out, '|');
			put(out, a.local);
			buf_char(out, '|');
			put(out, a.domain);
		} else if (a.kind == ADDR_GROUP_START) {
			buf_char(out, '[');
			buf_span_add(out, a.name);
		} else {
			buf_char(out, ']');
		}
		buf_char(out, '\n');
	}
	addrlist_fini(&l);
}

static void
test_table(void **state)
{
	struct buf out;
	size_t i, n;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		for (n = 0; n < strlen(cases[i].in); n++) {
			char *part = xmemdup0(cases[i].in, n);

			list_text(&out, span_of(part, n));
			free(part);
		}
		buf_clear(&out);
		list_text(&out, span_str(cases[i].in));
		if (strcmp(buf_cstr(&out), cases[i].want) != 0)
			fail_msg("%s:\n%swant\n%s", cases[i].name,
			    buf_cstr(&out), cases[i].want);
	}
	buf_fini(&out);
}

/* S6: time grows with the length, whatever is written. */
static void
test_hostile_lists_are_linear(void **state)
{
	static const char *const units[] = { "a@b,", "(", "\"\\", "<", ":;",
	    "x ", "@", "a@b (c)," };
	struct buf in, out;
	uint64_t start;
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++) {
		buf_init(&in, BUF_NO_CAP);
		buf_init(&out, BUF_NO_CAP);
		while (buf_len(&in) < 400000)
			buf_str(&in, units[i]);
		start = clock_mono_ms();
		list_text(&out, buf_span(&in));
		/* quadratic would be minutes; this is no benchmark */
		assert_true(clock_mono_ms() - start < 20000);
		buf_fini(&in);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_hostile_lists_are_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
