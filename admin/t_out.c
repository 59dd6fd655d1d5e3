/* What reaches the terminal (S13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "admin/out.h"

#define CASE(in, want)	{ SPAN_LIT(in), want }

static void
test_clean(void **state)
{
	static const struct {
		struct span in;
		const char *want;
	} cases[] = {
		CASE("plain text", "plain text"),
		CASE("", ""),
		CASE("\x1b[2Jx", "?[2Jx"),
		CASE("a\0b", "a?b"),
		CASE("a\r\n\tb\x7f", "a???b?"),
		CASE("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"),
		CASE("\xc2\x9b" "31m", "?31m"),		/* C1 CSI */
		CASE("\xc2\xa0", "\xc2\xa0"),
		CASE("\xe2\x80\xae" "abc", "?abc"),	/* right to left */
		CASE("\xe2\x81\xa6" "abc", "?abc"),
		CASE("\xe2\x80\xa6", "\xe2\x80\xa6"),	/* ... is fine */
		CASE("\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"),
		CASE("\xff\xfe", "??"),
		CASE("\xc3", "?"),
		CASE("\xed\xa0\x80", "???"),		/* surrogate */
		CASE("\xc0\xaf", "??"),			/* not shortest */
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&b, 4096);
		out_clean(&b, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].want);
		buf_fini(&b);
	}
}

/* Whatever goes in, nothing that drives a terminal comes out. */
static void
test_clean_all_pairs(void **state)
{
	unsigned a, c;
	struct buf b;
	char in[2];
	size_t i;

	(void)state;
	buf_init(&b, 4096);
	for (a = 0; a < 256; a++)
		for (c = 0; c < 256; c++) {
			in[0] = (char)a;
			in[1] = (char)c;
			buf_clear(&b);
			out_clean(&b, span_of(in, 2));
			assert_true(span_is_utf8(buf_span(&b)));
			for (i = 0; i < buf_len(&b); i++)
				assert_true((unsigned char)buf_data(&b)[i] >=
				    0x20 && buf_data(&b)[i] != 0x7f);
		}
	buf_fini(&b);
}

static void
test_size(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0" }, { 1, "1" }, { 1023, "1023" }, { 1024, "1.0k" },
		{ 1536, "1.5k" }, { 10 * 1024, "10k" },
		{ 5 * 1024 * 1024, "5.0M" }, { 1ULL << 31, "2.0G" },
		{ 1ULL << 42, "4.0T" }, { UINT64_MAX, "16384P" },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&b, 64);
		out_size(&b, cases[i].bytes);
		assert_string_equal(buf_cstr(&b), cases[i].want);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_all_pairs),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
