#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"

/* Values are never dereferenced: numbers do. */
static void *
number(uintptr_t n)
{
	return (void *)(n + 1);
}

static void
put_get_replace_delete(void **state)
{
	struct map *m = map_new();

	assert_null(map_get(m, SPAN_LIT("a")));
	assert_null(map_put(m, SPAN_LIT("a"), number(1)));
	assert_null(map_put(m, SPAN_LIT("A"), number(2)));
	assert_null(map_put(m, span_of("a\0", 2), number(3)));
	assert_null(map_put(m, SPAN_NONE, number(4)));
	assert_int_equal(map_count(m), 4);
	assert_ptr_equal(map_get(m, SPAN_LIT("a")), number(1));
	assert_ptr_equal(map_get(m, span_of("a\0", 2)), number(3));
	assert_ptr_equal(map_get(m, SPAN_LIT("")), number(4));
	assert_ptr_equal(map_put(m, SPAN_LIT("a"), number(9)), number(1));
	assert_int_equal(map_count(m), 4);
	assert_ptr_equal(map_del(m, SPAN_LIT("a")), number(9));
	assert_null(map_del(m, SPAN_LIT("a")));
	assert_null(map_get(m, SPAN_LIT("a")));
	assert_int_equal(map_count(m), 3);
	map_free(&m);
	assert_null(m);
	map_free(&m);
}

static void
keys_are_copies(void **state)
{
	struct map *m = map_new();
	char key[] = "mine";

	map_put(m, span_str(key), number(1));
	memset(key, 'x', 4);
	assert_ptr_equal(map_get(m, SPAN_LIT("mine")), number(1));
	assert_null(map_get(m, SPAN_LIT("xxxx")));
	map_free(&m);
}

static void
holds_many_through_growing_and_shrinking(void **state)
{
	struct map *m = map_new();
	char key[32];
	uintptr_t i;

	for (i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "key-%zu", (size_t)i);
		assert_null(map_put(m, span_str(key), number(i)));
	}
	assert_int_equal(map_count(m), 20000);
	/* Delete most, in an order that is not the order of insertion. */
	for (i = 0; i < 20000; i++) {
		uintptr_t k = i * 7919 % 20000;

		if (k % 100 == 0)
			continue;
		snprintf(key, sizeof(key), "key-%zu", (size_t)k);
		assert_ptr_equal(map_del(m, span_str(key)), number(k));
	}
	assert_int_equal(map_count(m), 200);
	for (i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "key-%zu", (size_t)i);
		if (i % 100 == 0)
			assert_ptr_equal(map_get(m, span_str(key)),
			    number(i));
		else
			assert_null(map_get(m, span_str(key)));
	}
	map_free(&m);
}

static void
a_walk_sees_each_once_and_may_delete(void **state)
{
	struct map *m = map_new();
	unsigned char seen[1000] = { 0 };
	size_t pos = 0, n = 0;
	struct span key;
	void *value;
	uint64_t i;

	for (i = 0; i < 1000; i++)
		map_put_u64(m, i * 0x100000001u, number(i));
	while (map_next(m, &pos, &key, &value)) {
		i = (uintptr_t)value - 1;
		assert_in_range(i, 0, 999);
		assert_int_equal(seen[i]++, 0);
		n++;
		if (i % 2 == 0)
			assert_ptr_equal(map_del(m, key), value);
	}
	assert_int_equal(n, 1000);
	assert_int_equal(map_count(m), 500);
	for (i = 0; i < 1000; i++)
		assert_ptr_equal(map_get_u64(m, i * 0x100000001u),
		    i % 2 == 0 ? NULL : number(i));
	assert_ptr_equal(map_del_u64(m, 0x100000001u), number(1));
	map_free(&m);
}

static void
crc32c_known_answers(void **state)
{
	static const unsigned char zeros[32], ones[32] = { 255, 255, 255, 255,
	    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	    255, 255 };
	const char *nine = "123456789";
	static char text[20000];
	uint32_t crc = 0;
	size_t cut;

	/* RFC 3720 B.4 and the customary check value. */
	assert_true(crc32c(0, zeros, 32) == 0x8a9136aa);
	assert_true(crc32c(0, ones, 32) == 0x62a8ab43);
	assert_true(crc32c(0, nine, 9) == 0xe3069283);
	assert_true(crc32c(0, "", 0) == 0);
	for (cut = 0; cut <= 9; cut++)
		assert_true(crc32c(crc32c(0, nine, cut), nine + cut,
		    9 - cut) == 0xe3069283);
	/* Long input, at once and in pieces, is the same. */
	for (cut = 0; cut < sizeof(text); cut++)
		text[cut] = (char)(cut * 2654435761u >> 13);
	for (cut = 0; cut < sizeof(text); cut += 100)
		crc = crc32c(crc, text + cut, MIN(100, sizeof(text) - cut));
	assert_true(crc == crc32c(0, text, sizeof(text)));
	for (cut = 4000; cut < 4200; cut++)
		assert_true(crc32c(crc32c(0, text, cut), text + cut,
		    sizeof(text) - cut) == crc);
	/* Starts at any alignment give the same. */
	assert_true(crc32c(0, ones + 1, 8) == crc32c(0, ones + 5, 8));
}

static void
siphash_is_a_function_within_the_process(void **state)
{
	assert_true(siphash("abc", 3) == siphash("abc", 3));
	assert_true(siphash("abc", 3) != siphash("abd", 3));
	assert_true(siphash("abc", 2) != siphash("abc", 3));
	assert_true(siphash("12345678", 8) != siphash("12345679", 8));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_get_replace_delete),
		cmocka_unit_test(keys_are_copies),
		cmocka_unit_test(holds_many_through_growing_and_shrinking),
		cmocka_unit_test(a_walk_sees_each_once_and_may_delete),
		cmocka_unit_test(crc32c_known_answers),
		cmocka_unit_test(siphash_is_a_function_within_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
