#include "policy/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/xmalloc.h"

static const struct reply_case {
	const char *name, *text;
	size_t n;
	const char *action;	/* NULL: no answer yet, or bad */
	bool bad;
	size_t left;		/* bytes behind the answer */
} cases[] = {
#define C(name, text, action, bad, left) \
	{ name, text, sizeof(text) - 1, action, bad, left }
	C("plain", "action=DUNNO\n\n", "DUNNO", false, 0),
	C("text", "action=450 4.2.0 Greylisted; try in 300 s\n\n",
	    "450 4.2.0 Greylisted; try in 300 s", false, 0),
	C("equals signs", "action=PREPEND X-A: b=c=d\n\n",
	    "PREPEND X-A: b=c=d", false, 0),
	C("spaces around", "action=  OK \t\n\n", "OK", false, 0),
	C("CR LF", "action=OK\r\n\r\n", "OK", false, 0),
	C("others are passed over", "a=b\nflag\naction=OK\nz=\n\n", "OK",
	    false, 0),
	C("the first one counts", "action=REJECT\naction=OK\n\n", "REJECT",
	    false, 0),
	C("names are exact", "Action=OK\nxaction=OK\naction =OK\n\n", NULL,
	    true, 0),
	C("empty action", "action=\n\n", "", false, 0),
	C("UTF-8", "action=REJECT gr\xc3\xbc\xc3\x9f\n\n",
	    "REJECT gr\xc3\xbc\xc3\x9f", false, 0),
	C("TAB", "action=REJECT\ta\n\n", "REJECT\ta", false, 0),
	C("a second answer", "action=OK\n\naction=REJECT\n\n", "OK", false,
	    15),
	C("nothing yet", "", NULL, false, 0),
	C("half a line", "action=O", NULL, false, 0),
	C("no empty line", "action=OK\n", NULL, false, 0),
	C("empty line first", "\naction=OK\n\n", NULL, true, 0),
	C("no action", "result=OK\n\n", NULL, true, 0),
	C("NUL", "action=OK\0x\n\n", NULL, true, 0),
	C("bare CR", "action=PREPEND a: b\rc: d\n\n", NULL, true, 0),
	C("escape", "action=REJECT \x1b[31m\n\n", NULL, true, 0),
	C("DEL", "action=REJECT \x7f\n\n", NULL, true, 0),
	C("Latin-1", "action=REJECT gr\xfc\xdf\n\n", NULL, true, 0),
	C("overlong UTF-8", "action=REJECT \xc0\xaf\n\n", NULL, true, 0),
	C("bytes in others are theirs", "x=\0\xff\naction=OK\n\n", "OK",
	    false, 0),
#undef C
};

static void
check(const struct reply_case *c, struct policy_reply *r,
    enum policy_reply_result got, struct span action)
{
	if (c->bad) {
		assert_int_equal(got, POLICY_REPLY_BAD);
		assert_non_null(r->why);
	} else if (c->action == NULL) {
		assert_int_equal(got, POLICY_REPLY_MORE);
	} else {
		assert_int_equal(got, POLICY_REPLY_OK);
		assert_int_equal(action.n, strlen(c->action));
		assert_memory_equal(action.p, c->action, action.n);
	}
}

static void
whole(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_reply r = { 0 };
		struct span action = SPAN_NONE;
		enum policy_reply_result got = policy_reply_read(&r,
		    span_of(cases[i].text, cases[i].n), &action);

		check(&cases[i], &r, got, action);
		if (got == POLICY_REPLY_OK)
			assert_int_equal(cases[i].n - r.at, cases[i].left);
	}
}

/* Each time all that has come so far, at another address. */
static void
byte_by_byte(void **state)
{
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		enum policy_reply_result got = POLICY_REPLY_MORE;
		struct policy_reply r = { 0 };
		struct span action = SPAN_NONE;
		char *copy = NULL;

		for (n = 0; got == POLICY_REPLY_MORE && n <= cases[i].n;
		    n++) {
			free(copy);
			copy = xmemdup0(cases[i].text, n);
			got = policy_reply_read(&r, span_of(copy, n),
			    &action);
		}
		check(&cases[i], &r, got, action);
		free(copy);
	}
}

static enum policy_reply_result
feed_filled(char with, const char *end)
{
	static char text[POLICY_REPLY_MAX + 100];
	struct policy_reply r = { 0 };
	struct span action;

	memset(text, with, sizeof(text));
	memcpy(text + sizeof(text) - strlen(end), end, strlen(end));
	return policy_reply_read(&r, span_of(text, sizeof(text)), &action);
}

/* Whatever the rest may be: it is never waited for. */
static void
too_long(void **state)
{
	static char line[POLICY_REPLY_MAX];
	struct policy_reply r = { 0 };
	struct span action;

	assert_int_equal(feed_filled('x', ""), POLICY_REPLY_BAD);
	assert_int_equal(feed_filled('x', "\naction=OK\n\n"),
	    POLICY_REPLY_BAD);
	memset(line, 'x', sizeof(line));
	assert_int_equal(policy_reply_read(&r, span_of(line,
	    sizeof(line) - 1), &action), POLICY_REPLY_MORE);
	assert_int_equal(policy_reply_read(&r, span_of(line, sizeof(line)),
	    &action), POLICY_REPLY_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
