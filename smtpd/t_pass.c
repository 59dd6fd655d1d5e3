/*
 * Passes and their ends: months are played by the time given, so that every
 * limit is met to the second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "smtpd/pass.h"

#define HOUR	3600u
#define DAY	(24 * HOUR)
#define KEEP	(7 * DAY)
#define NOW	1000u

static struct pass_key
key_of(const char *ip)
{
	struct pass_key key;
	struct net_addr a;

	assert_true(net_addr_parse(span_str(ip), &a));
	pass_key_set(&key, &a);
	return key;
}

static const char *
text_of(const char *ip)
{
	static char text[100];
	struct pass_key key = key_of(ip);
	struct buf b;

	buf_init(&b, 100);
	pass_key_text(pass_key_span(&key), &b);
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&b));
	buf_fini(&b);
	return text;
}

static void
a_client_is_an_address_or_a_slash_64(void **state)
{
	(void)state;
	assert_string_equal(text_of("192.0.2.7"), "192.0.2.7");
	assert_string_equal(text_of("::ffff:192.0.2.7"), "192.0.2.7");
	assert_string_equal(text_of("2001:db8:1:2:3:4:5:6"),
	    "2001:db8:1:2::/64");
	assert_string_equal(text_of("2001:db8:1:3:3:4:5:6"),
	    "2001:db8:1:3::/64");
}

/* Each test runs out at its own second, and the client is known for KEEP
 * after the last of them. */
static void
every_pass_ends_to_the_second(void **state)
{
	static const struct pass_left ttl = { { DAY, HOUR, 30 * DAY, 29 * DAY,
		28 * DAY } };
	struct passes *p = passes_new(10, KEEP);
	struct pass_key key = key_of("192.0.2.7");
	struct pass_left left;
	uint64_t at;
	int t;

	(void)state;
	assert_false(passes_get(p, pass_key_span(&key), NOW, &left));
	assert_int_equal(pass_missing(&left), PASS_BIT(PASS_TESTS) - 1);
	assert_true(passes_add(p, pass_key_span(&key), &ttl, NOW));
	for (at = NOW; at < NOW + 40 * DAY; at += HOUR / 2) {
		bool known = passes_get(p, pass_key_span(&key), at, &left);

		assert_int_equal(known, at < NOW + 30 * DAY + KEEP);
		for (t = 0; t < PASS_TESTS; t++)
			assert_int_equal(left.s[t], at < NOW + ttl.s[t] ?
			    NOW + ttl.s[t] - at : 0);
	}
	assert_int_equal(passes_count(p), 0);
	for (t = 0; t < PASS_TESTS; t++) {
		passes_forget(p, pass_key_span(&key));
		assert_true(passes_add(p, pass_key_span(&key), &ttl, NOW));
		(void)passes_get(p, pass_key_span(&key), NOW + ttl.s[t] - 1,
		    &left);
		assert_int_equal(left.s[t], 1);
		(void)passes_get(p, pass_key_span(&key), NOW + ttl.s[t],
		    &left);
		assert_true(pass_missing(&left) & PASS_BIT(t));
	}
	at = NOW + 30 * DAY + KEEP;
	assert_true(passes_get(p, pass_key_span(&key), at - 1, &left));
	assert_false(passes_get(p, pass_key_span(&key), at, &left));
	passes_free(&p);
}

static void
the_later_end_holds(void **state)
{
	static const struct pass_left one = { { 100, 0, 50 } },
	    two = { { 60, 70, 50 } }, none = { { 0 } };
	struct passes *p = passes_new(10, KEEP);
	struct pass_key key = key_of("192.0.2.7");
	struct pass_left left;

	(void)state;
	assert_false(passes_add(p, pass_key_span(&key), &none, NOW));
	assert_int_equal(passes_count(p), 0);
	assert_true(passes_add(p, pass_key_span(&key), &one, NOW));
	assert_false(passes_add(p, pass_key_span(&key), &one, NOW));
	assert_true(passes_add(p, pass_key_span(&key), &two, NOW));
	assert_true(passes_get(p, pass_key_span(&key), NOW, &left));
	assert_int_equal(left.s[0], 100);
	assert_int_equal(left.s[1], 70);
	assert_int_equal(left.s[2], 50);
	assert_int_equal(left.s[3], 0);
	assert_true(passes_forget(p, pass_key_span(&key)));
	assert_false(passes_forget(p, pass_key_span(&key)));
	assert_false(passes_get(p, pass_key_span(&key), NOW, &left));
	passes_free(&p);
}

static struct pass_key
numbered(unsigned i)
{
	char ip[32];

	(void)snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16 & 255,
	    i >> 8 & 255, i & 255);
	return key_of(ip);
}

/* A million strangers leave the table at its size; who came lately and who
 * is met again and again stays. */
static void
a_flood_pushes_out_the_oldest(void **state)
{
	static const struct pass_left ttl = { { DAY } };
	struct passes *p = passes_new(1000, KEEP);
	struct pass_key friend = key_of("192.0.2.7"), key;
	struct pass_left left;
	unsigned i;

	(void)state;
	assert_true(passes_add(p, pass_key_span(&friend), &ttl, NOW));
	for (i = 0; i < 1000000; i++) {
		key = numbered(i);
		(void)passes_add(p, pass_key_span(&key), &ttl, NOW + 1);
		if (i % 500 == 0)
			assert_true(passes_get(p, pass_key_span(&friend),
			    NOW + 1, &left));
		assert_true(passes_count(p) <= 1000);
	}
	key = numbered(i - 1);
	assert_true(passes_get(p, pass_key_span(&key), NOW + 1, &left));
	key = numbered(0);
	assert_false(passes_get(p, pass_key_span(&key), NOW + 1, &left));
	/* a smaller table is reached as others come */
	passes_configure(p, 100, KEEP);
	for (i = 0; i < 1000; i++) {
		key = numbered(i);
		(void)passes_add(p, pass_key_span(&key), &ttl, NOW + 2);
	}
	assert_true(passes_count(p) <= 100);
	passes_free(&p);
}

/* Those whose time is over leave as others come, without a walk. */
static void
what_is_over_is_swept(void **state)
{
	static const struct pass_left ttl = { { 10 } };
	struct passes *p = passes_new(100000, 5);
	struct pass_key key;
	unsigned i;

	(void)state;
	for (i = 0; i < 20000; i++) {	/* ten a second */
		key = numbered(i);
		(void)passes_add(p, pass_key_span(&key), &ttl, NOW + i / 10);
		assert_true(passes_count(p) <= 10 * (10 + 5) + 10);
	}
	passes_free(&p);
}

static void
times_travel(void **state)
{
	static const struct pass_left sent = { { 1, 2, 3, 3650 * DAY, 0 } };
	struct pass_left got;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 100);
	pass_left_pack(&b, &sent);
	assert_true(pass_left_unpack(buf_span(&b), &got));
	assert_memory_equal(&got, &sent, sizeof(got));
	for (n = 0; n < buf_len(&b); n++)
		assert_false(pass_left_unpack(span_sub(buf_span(&b), 0, n),
		    &got));
	buf_char(&b, 'x');
	assert_false(pass_left_unpack(buf_span(&b), &got));
	/* a worker may be hostile: no pass for ever */
	buf_clear(&b);
	pass_left_pack(&b, &(struct pass_left){ { 3650 * DAY + 1 } });
	assert_false(pass_left_unpack(buf_span(&b), &got));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_an_address_or_a_slash_64),
		cmocka_unit_test(every_pass_ends_to_the_second),
		cmocka_unit_test(the_later_end_holds),
		cmocka_unit_test(a_flood_pushes_out_the_oldest),
		cmocka_unit_test(what_is_over_is_swept),
		cmocka_unit_test(times_travel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
