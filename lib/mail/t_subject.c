/* Base subjects (RFC 5256 2.1) and i;unicode-casemap (RFC 5051). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mail/casemap.h"
#include "mail/subject.h"

static void
test_base_subject(void **state)
{
	static const struct {
		const char *value, *base;
		bool reply;
	} cases[] = {
		{ "hello", "hello", false },
		{ "", "", false },
		{ "  two\t words \r\n  more ", "two words more", false },
		{ "Re: hello", "hello", true },
		{ "RE  : hello", "hello", true },
		{ "re[2]: hello", "hello", true },
		{ "Re [list] : hello", "hello", true },
		{ "Fw: fwd: FWD:hello", "hello", true },
		{ "hello (fwd)", "hello", true },
		{ "hello (FWD) (fwd)", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[a] [b] hello", "hello", false },
		{ "[list] Re: [list] hello", "hello", true },
		{ "Re: [list] Re: hello (fwd)", "hello", true },
		{ "[only]", "[only]", false },
		{ "Re: [only]", "[only]", true },
		{ "[a] [b]", "[b]", false },
		{ "[Fwd: hello]", "hello", true },
		{ "[fwd: [fwd: Re: hello (fwd)]]", "hello", true },
		{ "[fwd: hello] there", "there", false },
		{ "Re: [fwd: hello]", "hello", true },
		{ "Re:", "", true },
		{ "Reply: no", "Reply: no", false },
		{ "fwdd: no", "fwdd: no", false },
		{ "Re hello", "Re hello", false },
		{ "[unclosed hello", "[unclosed hello", false },
		{ "[[x]] hello", "[[x]] hello", false },
		{ "=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "Gr\303\274\303\237e",
		    true },
		{ "Re: =?iso-8859-1?q?sch=F6n?= (fwd)", "sch\303\266n",
		    true },
		{ "[fwd:]", "", true },
	};
	struct buf out;
	size_t i;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bool reply = subject_base(&out, span_str(cases[i].value));

		if (!span_eq(buf_span(&out), span_str(cases[i].base)) ||
		    reply != cases[i].reply)
			fail_msg("\"%s\" gives \"%s\" %d", cases[i].value,
			    buf_cstr(&out), reply);
		buf_clear(&out);
	}
	buf_fini(&out);
}

/* Long and evil ones end soon. */
static void
test_base_subject_is_linear(void **state)
{
	static const char *const pieces[] = { "[x]", "Re: ", "[fwd: ", "(fwd)",
	    "re[", "[fwd: [x]" };
	struct buf in, out;
	size_t i, k;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		buf_init(&in, BUF_NO_CAP);
		for (k = 0; k < 200000; k++)
			buf_str(&in, pieces[i]);
		(void)subject_base(&out, buf_span(&in));
		buf_fini(&in);
		buf_clear(&out);
	}
	buf_fini(&out);
}

static void
test_casemap(void **state)
{
	static const char *const pairs[][2] = {
		{ "hello", "HELLO" },
		{ "sch\303\266n", "SCHO\314\210N" },	/* decomposed */
		{ "\303\237", "\303\237" },	/* sharp s has no title form */
		{ "\316\261\317\203\317\202", "\316\221\316\243\316\243" },
		{ "\320\266", "\320\226" },
		{ "\357\254\201", "fi" },	/* a ligature, not title case */
		{ "\342\205\247", "VIII" },
		{ "\307\206", "Dz\314\214" },	/* U+01C5, not U+01C4 */
		{ "\352\260\200", "\352\260\200" },	/* Hangul stays */
		{ "\377bad\303", "\377BAD\303" },
		{ "", "" },
	};
	struct buf out;
	size_t i;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		casemap_key(&out, span_str(pairs[i][0]));
		if (!span_eq(buf_span(&out), span_str(pairs[i][1])))
			fail_msg("%zu: %s", i, buf_cstr(&out));
		buf_clear(&out);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base_subject),
		cmocka_unit_test(test_base_subject_is_linear),
		cmocka_unit_test(test_casemap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
