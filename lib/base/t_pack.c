#include "base/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
what_was_packed_unpacks(void **state)
{
	struct unpack u;
	struct span s;
	struct buf b;
	char *text;

	buf_init(&b, 1000);
	pack_u8(&b, 0xab);
	pack_u16(&b, 0x1234);
	pack_u32(&b, 0xdeadbeef);
	pack_u64(&b, 0x0123456789abcdefu);
	pack_span(&b, span_of("a\0b", 3));
	pack_str(&b, "text");
	pack_str(&b, NULL);
	u = unpack_from(buf_span(&b));
	assert_int_equal(unpack_u8(&u), 0xab);
	assert_int_equal(unpack_u16(&u), 0x1234);
	assert_true(unpack_u32(&u) == 0xdeadbeef);
	assert_true(unpack_u64(&u) == 0x0123456789abcdefu);
	s = unpack_span(&u, 3);
	assert_true(span_eq(s, span_of("a\0b", 3)));
	assert_false(unpack_done(&u));
	text = unpack_strdup(&u, 4);
	assert_string_equal(text, "text");
	free(text);
	text = unpack_strdup(&u, 0);
	assert_string_equal(text, "");
	free(text);
	assert_true(unpack_ok(&u));
	assert_true(unpack_done(&u));
	buf_fini(&b);
}

static void
integers_are_little_endian(void **state)
{
	static const unsigned char want[] = { 1, 2, 1, 4, 3, 2, 1,
	    8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 'x' };
	struct buf b;

	buf_init(&b, 100);
	pack_u8(&b, 1);
	pack_u16(&b, 0x0102);
	pack_u32(&b, 0x01020304);
	pack_u64(&b, 0x0102030405060708u);
	pack_str(&b, "x");
	assert_int_equal(buf_len(&b), sizeof(want));
	assert_memory_equal(buf_data(&b), want, sizeof(want));
	buf_fini(&b);
}

static void
every_shorter_input_fails_and_stays_failed(void **state)
{
	struct unpack u;
	struct buf b;
	char *copy;
	size_t n;

	buf_init(&b, 1000);
	pack_u16(&b, 7);
	pack_u64(&b, 8);
	pack_str(&b, "text");
	for (n = 0; n < buf_len(&b); n++) {
		copy = malloc(n + (n == 0));
		memcpy(copy, buf_data(&b), n);
		u = unpack_from(span_of(copy, n));
		(void)unpack_u16(&u);
		(void)unpack_u64(&u);
		assert_int_equal(unpack_span(&u, 10).n, 0);
		assert_false(unpack_ok(&u));
		assert_false(unpack_done(&u));
		assert_int_equal(unpack_u8(&u), 0);
		assert_int_equal(unpack_u32(&u), 0);
		free(copy);
	}
	buf_fini(&b);
}

static void
lengths_that_lie_fail(void **state)
{
	struct unpack u;

	u = unpack_from(SPAN_LIT("\xff\xff\xff\xff" "abc"));
	assert_int_equal(unpack_span(&u, SIZE_MAX).n, 0);
	assert_false(unpack_ok(&u));
	u = unpack_from(SPAN_LIT("\x03\x00\x00\x00" "abc"));
	assert_int_equal(unpack_span(&u, 2).n, 0);
	assert_false(unpack_ok(&u));
	u = unpack_from(SPAN_LIT("\x03\x00\x00\x00" "a\0c"));
	assert_null(unpack_strdup(&u, 10));
	assert_false(unpack_ok(&u));
	u = unpack_from(SPAN_NONE);
	assert_true(unpack_done(&u));
	assert_null(unpack_strdup(&u, 10));
	assert_false(unpack_ok(&u));
}

static void
fixed_offsets(void **state)
{
	unsigned char m[16] = { 0 };

	put_u16(m + 1, 0x0102);
	put_u32(m + 3, 0x01020304);
	put_u64(m + 7, 0x0102030405060708u);
	assert_int_equal(m[1], 2);
	assert_int_equal(m[3], 4);
	assert_int_equal(m[7], 8);
	assert_int_equal(get_u16(m + 1), 0x0102);
	assert_int_equal(get_u32(m + 3), 0x01020304);
	assert_true(get_u64(m + 7) == 0x0102030405060708u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_unpacks),
		cmocka_unit_test(integers_are_little_endian),
		cmocka_unit_test(every_shorter_input_fails_and_stays_failed),
		cmocka_unit_test(lengths_that_lie_fail),
		cmocka_unit_test(fixed_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
