#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/ticket.h"

static const uint8_t key[32] = { 1, 2, 3 };

static struct span
ticket_span(const uint8_t *t)
{
	return span_of(t, TICKET_LEN);
}

static void
test_a_ticket_opens_its_mailbox(void **state)
{
	uint8_t t[TICKET_LEN];
	uint64_t id = 0;

	(void)state;
	ticket_make(key, 77, 1000, t);
	assert_int_equal(ticket_check(key, ticket_span(t), 1000, &id, NULL),
	    0);
	assert_int_equal(id, 77);
}

static void
test_every_changed_bit_is_refused(void **state)
{
	uint8_t t[TICKET_LEN];
	uint64_t id = 5;

	(void)state;
	ticket_make(key, 77, 1000, t);
	for (size_t i = 0; i < TICKET_LEN * 8; i++) {
		t[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(ticket_check(key, ticket_span(t), 0, &id,
		    NULL), PS_EDENIED);
		t[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(id, 5);
}

static void
test_expiry_length_and_other_keys(void **state)
{
	static const uint8_t other[32] = { 1, 2, 4 };
	uint8_t t[TICKET_LEN + 1] = { 0 }, again[TICKET_LEN];
	struct err err;
	uint64_t id = 5;

	(void)state;
	ticket_make(key, 77, 1000, t);
	assert_int_equal(ticket_check(key, ticket_span(t), 1001, &id, &err),
	    PS_EDENIED);
	assert_string_equal(err.why, "expired ticket");
	assert_int_equal(ticket_check(other, ticket_span(t), 0, &id, &err),
	    PS_EDENIED);
	assert_string_equal(err.why, "forged ticket");
	for (size_t n = 0; n <= sizeof(t); n++)
		if (n != TICKET_LEN)
			assert_int_equal(ticket_check(key, span_of(t, n), 0,
			    &id, &err), PS_EDENIED);
	assert_int_equal(id, 5);
	ticket_make(key, 77, 1000, again);	/* the nonce differs */
	assert_memory_not_equal(t, again, TICKET_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ticket_opens_its_mailbox),
		cmocka_unit_test(test_every_changed_bit_is_refused),
		cmocka_unit_test(test_expiry_length_and_other_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
