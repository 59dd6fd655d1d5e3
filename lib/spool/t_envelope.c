/* Envelopes survive packing, and nothing malformed unpacks. */
#include "t_spool.h"

static struct envelope_rcpt rcpts[2];

static void
sample(struct envelope *e)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->queue_id, "0123456789aZ", 13);
	e->arrival_us = -5;
	e->flags = ENVELOPE_8BITMIME | ENVELOPE_SMTPUTF8;
	e->ret = ENVELOPE_RET_HDRS;
	e->envid = SPAN_LIT("QQ314159");
	e->sender = SPAN_LIT("");
	e->client_name = SPAN_LIT("mx.example.net");
	e->client_ip = SPAN_LIT("2001:db8::1");
	e->helo = SPAN_LIT("mx");
	e->proto = SPAN_LIT("ESMTPS");
	e->sasl_user = SPAN_LIT("kim@a.example");
	e->body_size = 12345678901ULL;
	e->rcpt = rcpts;
	e->n_rcpt = 2;
	rcpts[0] = (struct envelope_rcpt){ ENVELOPE_MAILBOX, 77,
	    SPAN_LIT("info@a.example"), SPAN_LIT("kim@a.example"), 3,
	    SPAN_LIT("rfc822;info@a.example"), 1 << 30, 1000 };
	rcpts[1] = (struct envelope_rcpt){ ENVELOPE_EXTERNAL, 0,
	    SPAN_LIT("x@b.example"), SPAN_LIT("y@c.example"), 0,
	    SPAN_LIT(""), 0, 0 };
}

static void
what_is_packed_comes_back(void **state)
{
	struct envelope e, got;
	struct buf a, b;

	sample(&e);
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	assert_int_equal(envelope_pack(&e, &a, NULL), 0);
	assert_int_equal(envelope_unpack(buf_span(&a), &got, NULL), 0);
	assert_string_equal(got.queue_id, e.queue_id);
	assert_int_equal(got.arrival_us, -5);
	assert_int_equal(got.n_rcpt, 2);
	assert_int_equal(got.rcpt[0].mailbox_id, 77);
	assert_true(span_eq(got.rcpt[1].final, e.rcpt[1].final));
	assert_true(span_eq(got.sasl_user, e.sasl_user));
	assert_int_equal(got.body_size, e.body_size);
	assert_int_equal(envelope_pack(&got, &b, NULL), 0);
	assert_true(span_eq(buf_span(&a), buf_span(&b)));
	envelope_fini(&got);
	buf_fini(&a);
	buf_fini(&b);
}

/* What says nothing of holding is version 1, byte for byte as ever: records
 * of before stay readable, and so do these to a build of before. */
static void
plain_mail_is_version_1_as_ever(void **state)
{
	static const char old[] = "\x01" "0123456789aZ"
	    "\xfb\xff\xff\xff\xff\xff\xff\xff" "\x03\0\0\0" "\x02"
	    "\x02\0\0\0" "id" "\0\0\0\0" "\x02\0\0\0" "mx"
	    "\0\0\0\0" "\0\0\0\0" "\x04\0\0\0" "SMTP" "\0\0\0\0"
	    "\x09\0\0\0\0\0\0\0" "\x01\0\0\0"
	    "\0" "\x07\0\0\0\0\0\0\0" "\x03\0\0\0" "a@b"
	    "\x03\0\0\0" "c@d" "\0" "\0\0\0\0"
	    "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0";
	struct span bytes = span_of(old, sizeof(old) - 1);
	struct envelope got;
	struct buf b;

	assert_int_equal(envelope_unpack(bytes, &got, NULL), 0);
	assert_true(span_is(got.client_name, "mx"));
	assert_int_equal(got.rcpt[0].mailbox_id, 7);
	assert_false(envelope_is_held(&got));
	assert_int_equal(got.filter.n, 0);
	buf_init(&b, 4096);
	assert_int_equal(envelope_pack(&got, &b, NULL), 0);
	assert_true(span_eq(buf_span(&b), bytes));
	envelope_fini(&got);
	buf_fini(&b);
}

static void
what_an_access_rule_asked_for_comes_back(void **state)
{
	static const struct {
		unsigned flags;
		struct span hold, filter;
	} t[] = {
		{ ENVELOPE_HOLD, { "", 0 }, { "", 0 } },
		{ ENVELOPE_HOLD, { "look", 4 }, { "", 0 } },
		{ 0, { "", 0 }, { "smtp:[f]:25", 11 } },
		{ ENVELOPE_HOLD | ENVELOPE_TLS, { "x", 1 }, { "f:", 2 } },
	};
	struct envelope e, got;
	struct buf a;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		sample(&e);
		e.flags = t[i].flags;
		e.hold = t[i].hold;
		e.filter = t[i].filter;
		buf_init(&a, 4096);
		assert_int_equal(envelope_pack(&e, &a, NULL), 0);
		assert_int_equal(buf_data(&a)[0], 2);
		assert_int_equal(envelope_unpack(buf_span(&a), &got, NULL), 0);
		assert_true(envelope_is_held(&got));
		assert_int_equal(got.flags, e.flags);
		assert_true(span_eq(got.hold, e.hold));
		assert_true(span_eq(got.filter, e.filter));
		envelope_fini(&got);
		/* said to be plain, it is malformed, and the other way round */
		buf_data(&a)[0] = 1;
		assert_int_equal(envelope_unpack(buf_span(&a), &got, NULL),
		    PS_ESYNTAX);
		buf_fini(&a);
	}
}

static void
no_prefix_and_no_extension_of(const struct envelope *e)
{
	struct envelope got;
	struct buf a;
	size_t i;

	buf_init(&a, 4096);
	assert_int_equal(envelope_pack(e, &a, NULL), 0);
	for (i = 0; i < buf_len(&a); i++)
		assert_int_equal(envelope_unpack(
		    span_of(buf_data(&a), i), &got, NULL), PS_ESYNTAX);
	buf_char(&a, 'x');
	assert_int_equal(envelope_unpack(buf_span(&a), &got, NULL),
	    PS_ESYNTAX);
	buf_fini(&a);
}

static void
no_prefix_and_no_extension_unpacks(void **state)
{
	struct envelope e;

	sample(&e);
	no_prefix_and_no_extension_of(&e);
	e.flags |= ENVELOPE_HOLD;
	e.hold = SPAN_LIT("because");
	e.filter = SPAN_LIT("smtp:[127.0.0.1]:10025");
	no_prefix_and_no_extension_of(&e);
}

static void
caps_hold_when_packing(void **state)
{
	static char big[ENVELOPE_TEXT_MAX + 1];
	struct envelope e;
	struct buf a;

	buf_init(&a, 65536);
	memset(big, 'x', sizeof(big));
	sample(&e);
	e.helo = span_of(big, sizeof(big));
	assert_int_equal(envelope_pack(&e, &a, NULL), PS_ETOOBIG);
	sample(&e);
	e.rcpt[0].orig = span_of(big, sizeof(big));
	assert_int_equal(envelope_pack(&e, &a, NULL), PS_ETOOBIG);
	sample(&e);
	e.filter = span_of(big, sizeof(big));
	assert_int_equal(envelope_pack(&e, &a, NULL), PS_ETOOBIG);
	sample(&e);
	e.hold = SPAN_LIT("a reason without the flag");
	assert_int_equal(envelope_pack(&e, &a, NULL), PS_ESYNTAX);
	sample(&e);
	e.queue_id[3] = '/';
	assert_int_equal(envelope_pack(&e, &a, NULL), PS_ESYNTAX);
	assert_int_equal(buf_len(&a), 0);
	buf_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_back),
		cmocka_unit_test(plain_mail_is_version_1_as_ever),
		cmocka_unit_test(what_an_access_rule_asked_for_comes_back),
		cmocka_unit_test(no_prefix_and_no_extension_unpacks),
		cmocka_unit_test(caps_hold_when_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
