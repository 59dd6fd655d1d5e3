#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
assert_holds(const struct buf *b, const char *want)
{
	assert_int_equal(buf_len(b), strlen(want));
	assert_memory_equal(buf_data(b), want, strlen(want));
}

static void
appends_of_every_kind(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(buf_len(&b), 0);
	assert_non_null(buf_data(&b));
	buf_append(&b, "ab", 2);
	buf_span_add(&b, SPAN_LIT("cd"));
	buf_span_add(&b, SPAN_NONE);
	buf_str(&b, "ef");
	buf_char(&b, '-');
	buf_dec(&b, 0);
	buf_dec(&b, UINT64_MAX);
	buf_fmt(&b, " %s=%d", "x", -7);
	assert_holds(&b, "abcdef-018446744073709551615 x=-7");
	assert_string_equal(buf_cstr(&b), "abcdef-018446744073709551615 x=-7");
	assert_false(buf_failed(&b));
	buf_fini(&b);
}

static void
past_the_cap_the_append_is_dropped_whole(void **state)
{
	struct buf b;

	buf_init(&b, 8);
	buf_str(&b, "12345");
	buf_str(&b, "6789");
	assert_true(buf_failed(&b));
	assert_holds(&b, "12345");
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_str(&b, "12345678");
	assert_false(buf_failed(&b));
	buf_char(&b, '9');
	assert_true(buf_failed(&b));
	assert_holds(&b, "12345678");
	buf_clear(&b);
	buf_fmt(&b, "%s", "123456789");
	assert_true(buf_failed(&b));
	assert_int_equal(buf_len(&b), 0);
	buf_clear(&b);
	buf_dec(&b, 123456789);
	assert_true(buf_failed(&b));
	buf_fini(&b);
}

static void
the_cap_counts_live_bytes_only(void **state)
{
	struct buf b;
	int i;

	buf_init(&b, 8);
	for (i = 0; i < 1000; i++) {
		buf_str(&b, "abcdef");
		buf_consume(&b, 6);
	}
	assert_false(buf_failed(&b));
	assert_int_equal(buf_len(&b), 0);
	buf_str(&b, "abcdefgh");
	buf_consume(&b, 3);
	buf_str(&b, "ijk");
	assert_holds(&b, "defghijk");
	assert_false(buf_failed(&b));
	buf_fini(&b);
}

static void
reserve_and_commit(void **state)
{
	struct buf b;
	char *p;

	buf_init(&b, 100);
	buf_str(&b, "x");
	p = buf_reserve(&b, 99);
	assert_non_null(p);
	memset(p, 'y', 99);
	buf_commit(&b, 3);
	assert_holds(&b, "xyyy");
	assert_null(buf_reserve(&b, 97));
	assert_true(buf_failed(&b));
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(buf_failed(&b));
	buf_fini(&b);
}

static void
consume_and_truncate(void **state)
{
	struct buf b;

	buf_init(&b, BUF_NO_CAP);
	buf_str(&b, "hello world");
	buf_consume(&b, 6);
	assert_holds(&b, "world");
	buf_truncate(&b, 3);
	assert_holds(&b, "wor");
	buf_str(&b, "k");
	assert_holds(&b, "work");
	buf_consume(&b, 4);
	assert_holds(&b, "");
	buf_truncate(&b, 0);
	assert_holds(&b, "");
	buf_fini(&b);
}

static void
grows_far_and_gives_memory_back(void **state)
{
	struct buf b;
	size_t i;

	buf_init(&b, BUF_NO_CAP);
	for (i = 0; i < 300000; i++)
		buf_dec(&b, i % 10);
	assert_int_equal(buf_len(&b), 300000);
	for (i = 0; i < 300000; i += 7777)
		assert_int_equal(buf_data(&b)[i], '0' + (int)(i % 10));
	buf_shrink(&b, 100);
	assert_int_equal(buf_len(&b), 300000);
	buf_consume(&b, 300000);
	buf_shrink(&b, 100);
	assert_in_range(b.size, 0, 100);
	buf_str(&b, "again");
	assert_holds(&b, "again");
	buf_fini(&b);
}

static void
take_hands_the_bytes_over(void **state)
{
	struct buf b;
	char *s;

	buf_init(&b, 100);
	buf_str(&b, "xxmine");
	buf_consume(&b, 2);
	s = buf_take(&b);
	assert_string_equal(s, "mine");
	free(s);
	assert_int_equal(buf_len(&b), 0);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_str(&b, "y");
	assert_string_equal(buf_cstr(&b), "y");
	buf_fini_secret(&b);
}

static void
the_terminator_does_not_need_the_cap(void **state)
{
	struct buf b;

	buf_init(&b, 4);
	assert_string_equal(buf_cstr(&b), "");
	buf_str(&b, "1234");
	assert_string_equal(buf_cstr(&b), "1234");
	assert_false(buf_failed(&b));
	assert_int_equal(buf_len(&b), 4);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_of_every_kind),
		cmocka_unit_test(past_the_cap_the_append_is_dropped_whole),
		cmocka_unit_test(the_cap_counts_live_bytes_only),
		cmocka_unit_test(reserve_and_commit),
		cmocka_unit_test(consume_and_truncate),
		cmocka_unit_test(grows_far_and_gives_memory_back),
		cmocka_unit_test(take_hands_the_bytes_over),
		cmocka_unit_test(the_terminator_does_not_need_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
