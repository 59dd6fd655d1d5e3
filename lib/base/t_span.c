#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
equality_ignores_case_only_where_it_says(void **state)
{
	assert_true(span_eq(SPAN_LIT("Kim"), SPAN_LIT("Kim")));
	assert_false(span_eq(SPAN_LIT("Kim"), SPAN_LIT("kim")));
	assert_true(span_ieq(SPAN_LIT("KIM"), SPAN_LIT("kim")));
	assert_false(span_ieq(SPAN_LIT("kim"), SPAN_LIT("kimi")));
	assert_true(span_eq(SPAN_NONE, SPAN_LIT("")));
	assert_true(span_ieq(SPAN_NONE, SPAN_NONE));
	assert_true(span_is(SPAN_LIT("EHLO"), "ehlo"));
	assert_false(span_is(SPAN_LIT("EHL"), "ehlo"));
	/* '@' and '`' differ by the case bit but are no letters. */
	assert_false(span_ieq(SPAN_LIT("a@b"), SPAN_LIT("a`b")));
	assert_false(span_ieq(SPAN_LIT("\xc3\xa4"), SPAN_LIT("\xc3\x84")));
	assert_false(span_is(span_of("a\0b", 3), "a"));
}

static void
starts_and_ends_stay_inside(void **state)
{
	assert_true(span_starts(SPAN_LIT("MAIL FROM:<>"), "mail from:"));
	assert_false(span_starts(SPAN_LIT("MAI"), "mail"));
	assert_true(span_starts(SPAN_LIT("x"), ""));
	assert_true(span_ends(SPAN_LIT("mx.Example"), ".EXAMPLE"));
	assert_false(span_ends(SPAN_LIT("e"), ".example"));
	assert_true(span_ends(SPAN_NONE, ""));
}

static void
first_and_last_of_a_byte(void **state)
{
	struct span s = SPAN_LIT("a@b@c");

	assert_int_equal(span_chr(s, '@'), 1);
	assert_int_equal(span_rchr(s, '@'), 3);
	assert_int_equal(span_chr(s, 'z'), -1);
	assert_int_equal(span_rchr(s, 'z'), -1);
	assert_int_equal(span_rchr(s, 'a'), 0);
	assert_int_equal(span_chr(SPAN_NONE, 'a'), -1);
	assert_int_equal(span_rchr(SPAN_NONE, 'a'), -1);
	assert_int_equal(span_chr(span_of("a\0b", 3), 'b'), 2);
}

static void
parts_are_clamped(void **state)
{
	struct span s = SPAN_LIT("abcdef");

	assert_true(span_eq(span_sub(s, 2, 2), SPAN_LIT("cd")));
	assert_true(span_eq(span_sub(s, 4, 99), SPAN_LIT("ef")));
	assert_int_equal(span_sub(s, 6, 1).n, 0);
	assert_int_equal(span_sub(s, 99, 1).n, 0);
	assert_int_equal(span_sub(s, 0, 0).n, 0);
	assert_int_equal(span_sub(s, 1, SIZE_MAX).n, 5);
	assert_int_equal(span_sub(SPAN_NONE, 0, 5).n, 0);
}

static void
trim_takes_white_space_off_both_ends(void **state)
{
	assert_true(span_eq(span_trim(SPAN_LIT(" \t a b\r\n")),
	    SPAN_LIT("a b")));
	assert_int_equal(span_trim(SPAN_LIT(" \t\r\n ")).n, 0);
	assert_int_equal(span_trim(SPAN_LIT("")).n, 0);
	assert_int_equal(span_trim(SPAN_NONE).n, 0);
}

static void
split_gives_empty_words_too(void **state)
{
	static const char *const want[] = { "a", "", "b", "" };
	struct span rest = SPAN_LIT("a,,b,"), word;
	size_t n = 0;

	while (span_split(&rest, ',', &word)) {
		assert_in_range(n, 0, 3);
		assert_true(span_eq(word, span_str(want[n])));
		n++;
	}
	assert_int_equal(n, 4);
	assert_null(rest.p);
	assert_false(span_split(&rest, ',', &word));
	rest = SPAN_LIT("alone");
	assert_true(span_split(&rest, ',', &word));
	assert_true(span_eq(word, SPAN_LIT("alone")));
	assert_false(span_split(&rest, ',', &word));
}

static void
words_skip_runs_of_space(void **state)
{
	struct span rest = SPAN_LIT("  a \t bc\r\n"), word;

	assert_true(span_word(&rest, &word));
	assert_true(span_eq(word, SPAN_LIT("a")));
	assert_true(span_word(&rest, &word));
	assert_true(span_eq(word, SPAN_LIT("bc")));
	assert_false(span_word(&rest, &word));
	rest = SPAN_NONE;
	assert_false(span_word(&rest, &word));
}

static const struct {
	const char *text;
	uint64_t min, max;
	bool ok;
	uint64_t value;
} unsigneds[] = {
	{ "0", 0, 9, true, 0 },
	{ "007", 0, 9, true, 7 },
	{ "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
	{ "18446744073709551616", 0, UINT64_MAX, false, 0 },
	{ "99999999999999999999999", 0, UINT64_MAX, false, 0 },
	{ "10", 0, 9, false, 0 },
	{ "1", 2, 9, false, 0 },
	{ "", 0, 9, false, 0 },
	{ "-1", 0, 9, false, 0 },
	{ "+1", 0, 9, false, 0 },
	{ " 1", 0, 9, false, 0 },
	{ "1 ", 0, 9, false, 0 },
	{ "1a", 0, 99, false, 0 },
	{ "0x1", 0, 99, false, 0 }
};

static void
unsigned_numbers(void **state)
{
	uint64_t v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(unsigneds); i++) {
		v = 4711;
		assert_int_equal(span_u64(span_str(unsigneds[i].text),
		    unsigneds[i].min, unsigneds[i].max, &v),
		    unsigneds[i].ok);
		assert_true(v == (unsigneds[i].ok ? unsigneds[i].value :
		    4711));
	}
}

static void
small_and_signed_numbers(void **state)
{
	uint32_t u = 5;
	int64_t i = 5;

	assert_true(span_u32(SPAN_LIT("4294967295"), 0, UINT32_MAX, &u));
	assert_true(u == UINT32_MAX);
	assert_false(span_u32(SPAN_LIT("4294967296"), 0, UINT32_MAX, &u));
	assert_true(u == UINT32_MAX);
	assert_true(span_i64(SPAN_LIT("42"), -100, 100, &i));
	assert_true(i == 42);
	assert_true(span_i64(SPAN_LIT("9223372036854775807"), INT64_MIN,
	    INT64_MAX, &i));
	assert_true(i == INT64_MAX);
	assert_false(span_i64(SPAN_LIT("9223372036854775808"), INT64_MIN,
	    INT64_MAX, &i));
	assert_false(span_i64(SPAN_LIT("x"), -100, 100, &i));
	assert_true(i == INT64_MAX);
}

static const struct {
	const char *text;
	size_t n;
	bool ok;
} utf8[] = {
	{ "plain", 5, true },
	{ "", 0, true },
	{ "\xc3\xa4", 2, true },
	{ "\xe2\x82\xac", 3, true },
	{ "\xf0\x9f\x93\xa7", 4, true },
	{ "\xf4\x8f\xbf\xbf", 4, true },
	{ "\xf4\x90\x80\x80", 4, false },	/* past U+10FFFF */
	{ "\xc0\xaf", 2, false },		/* not the shortest form */
	{ "\xe0\x80\xaf", 3, false },
	{ "\xf0\x80\x80\xaf", 4, false },
	{ "\xc1\xbf", 2, false },
	{ "\xed\xa0\x80", 3, false },		/* a surrogate */
	{ "\xed\x9f\xbf", 3, true },
	{ "\x80", 1, false },			/* no lead byte */
	{ "\xc3", 1, false },			/* cut short */
	{ "\xe2\x82", 2, false },
	{ "\xf0\x9f\x93", 3, false },
	{ "\xc3" "a", 2, false },
	{ "\xff", 1, false },
	{ "\xf8\x88\x80\x80\x80", 5, false },
	{ "a\0b", 3, true }
};

static void
utf8_is_strict(void **state)
{
	char exact[8];
	size_t i;

	for (i = 0; i < ARRAY_LEN(utf8); i++) {
		memcpy(exact, utf8[i].text, utf8[i].n);
		if (span_is_utf8(span_of(exact, utf8[i].n)) != utf8[i].ok)
			fail_msg("case %zu", i);
	}
	assert_true(span_is_ascii(SPAN_LIT("plain")));
	assert_false(span_is_ascii(SPAN_LIT("pl\xc3\xa4in")));
	assert_true(span_is_ascii(SPAN_NONE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_ignores_case_only_where_it_says),
		cmocka_unit_test(starts_and_ends_stay_inside),
		cmocka_unit_test(first_and_last_of_a_byte),
		cmocka_unit_test(parts_are_clamped),
		cmocka_unit_test(trim_takes_white_space_off_both_ends),
		cmocka_unit_test(split_gives_empty_words_too),
		cmocka_unit_test(words_skip_runs_of_space),
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(small_and_signed_numbers),
		cmocka_unit_test(utf8_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
