/*
 * Templates of quota warnings: names, what is no name, what must not get in.
 */
#include "delivery/quota_letter.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct quota_letter facts = {
	.user = SPAN_LIT("kim@a.example"), .origin = "a.example",
	.hostname = "mx.a.example", .mailbox_id = 7, .number = 3,
	.now = 1795862268, .level = 80, .percent = 83,
	.bytes = 870 * 1024, .messages = 12, .limit_bytes = 1024 * 1024,
};

static const struct {
	const char *name, *template, *end;	/* the message ends so */
} cases[] = {
	{ "names", "S: ${percent}/${level}\n\n${user} ${used} ${limit}\n",
	    "S: 83/80\r\n\r\nkim@a.example 870.0 kB 1.0 MB\r\n" },
	{ "no limit", "\n${messages} of ${limit_messages} ${usage}\n",
	    "\r\n12 of - 870.0 kB of 1.0 MB, 12 messages\r\n" },
	{ "no name of ours", "\n${what} ${ $ {user} ${} ${user\n",
	    "\r\n${what} ${ $ {user} ${} ${user\r\n" },
	{ "one inside of another", "\n${${user}}\n",
	    "\r\n${kim@a.example}\r\n" },
	{ "at the end", "\n${hostname}", "\r\nmx.a.example\r\n" },
	{ "CRLF and bare CR", "\r\na\r\nb\rc\r\n", "\r\na\r\nbc\r\n" },
};

static void
figures_are_put_in(void **state)
{
	struct buf out;
	struct span all;
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&out, QUOTA_LETTER_MAX);
		quota_letter_make(&facts, span_str(cases[i].template), &out);
		all = buf_span(&out);
		n = strlen(cases[i].end);
		if (all.n < n || memcmp(all.p + all.n - n, cases[i].end,
		    n) != 0)
			fail_msg("%s: %s", cases[i].name, buf_cstr(&out));
		buf_fini(&out);
	}
}

static void
has(struct buf *b, const char *what, bool want)
{
	if ((strstr(buf_cstr(b), what) != NULL) != want)
		fail_msg("\"%s\" in\n%s", what, buf_cstr(b));
}

static void
fields_that_a_template_has_are_not_added(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, QUOTA_LETTER_MAX);
	quota_letter_make(&facts, SPAN_NONE, &out);
	has(&out, "\r\nFrom: postmaster@a.example\r\n", true);
	has(&out, "\r\nTo: kim@a.example\r\n", true);
	has(&out, "\r\nAuto-Submitted: auto-generated\r\n", true);
	has(&out, "Message-ID: <quota.7.3@mx.a.example>\r\n", true);
	has(&out, "\r\nSubject: Your mailbox is 83 % full\r\n\r\n", true);
	buf_clear(&out);
	quota_letter_make(&facts, SPAN_LIT("from: x@y.example\n\nTo: z\n"),
	    &out);
	has(&out, "postmaster", false);
	has(&out, "\r\nTo: kim@a.example\r\n", true);
	has(&out, "\r\n\r\nTo: z\r\n", true);
	buf_fini(&out);
}

static void
a_template_that_grows_beyond_its_cap_says_so(void **state)
{
	struct buf out, template;

	(void)state;
	buf_init(&out, QUOTA_LETTER_MAX);
	buf_init(&template, BUF_NO_CAP);
	while (buf_len(&template) < QUOTA_LETTER_MAX / 2)
		buf_str(&template, "${usage}\n");
	quota_letter_make(&facts, buf_span(&template), &out);
	assert_true(buf_failed(&out));
	buf_fini(&out);
	buf_fini(&template);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_put_in),
		cmocka_unit_test(fields_that_a_template_has_are_not_added),
		cmocka_unit_test(a_template_that_grows_beyond_its_cap_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
