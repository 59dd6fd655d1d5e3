/*
 * Cyrus SASL as we hold it: what logs in, what does not, and that nothing but
 * PLAIN and SCRAM-SHA-256(-PLUS) is on offer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "authd/mech.h"
#include "authd/testclient.h"
#include "scheme/scheme.h"

static char verifier[512];
static const uint8_t binding[] = "0123456789abcdef0123456789abcdef";

static int
setup(void **state)
{
	struct scram_verifier v;
	struct err err;
	struct buf text;

	(void)state;
	if (mech_init(NULL, &err) != 0) {
		fprintf(stderr, "%s\n", err.why);
		return -1;
	}
	buf_init(&text, sizeof(verifier));
	scram_verifier_make(SPAN_LIT("pencil"), (const uint8_t *)"saltsalt",
	    8, 4096, &v);
	scram_verifier_cyrus(&v, &text);
	(void)snprintf(verifier, sizeof(verifier), "%s", buf_cstr(&text));
	buf_fini(&text);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mech_fini();
	return 0;
}

static bool
is_secret(struct span password, void *arg)
{
	++*(int *)arg;
	return span_eq(password, SPAN_LIT("se\xff cret"));
}

static enum mech_result
plain(struct span message, int *asked)
{
	struct mech_secrets secrets = {
		.name = SPAN_LIT("kim@a.example"), .check = is_secret,
		.arg = asked
	};
	struct mech *m = mech_new("PLAIN", "imap", &secrets, NULL);
	enum mech_result r;
	struct span out;

	assert_non_null(m);
	r = mech_step(m, message, &out);
	mech_free(&m);
	return r;
}

static void
test_plain(void **state)
{
	int asked = 0;

	(void)state;
	assert_int_equal(plain(SPAN_LIT("\0kim@a.example\0se\xff cret"),
	    &asked), MECH_DONE);
	assert_int_equal(asked, 1);
	assert_int_equal(plain(SPAN_LIT("kim@a.example\0kim@a.example\0"
	    "se\xff cret"), &asked), MECH_DONE);
	assert_int_equal(plain(SPAN_LIT("\0kim@a.example\0secret"), &asked),
	    MECH_DENIED);
	assert_int_equal(asked, 3);
	assert_int_equal(plain(SPAN_LIT("\0other@a.example\0se\xff cret"),
	    &asked), MECH_DENIED);
	assert_int_equal(asked, 3);
	assert_int_not_equal(plain(SPAN_LIT("no nul at all"), &asked),
	    MECH_DONE);
	assert_int_equal(asked, 3);
}

struct attempt {
	const char *mech, *gs2, *user, *password;
	const char *server_type;	/* what the server has; NULL none */
	bool right_data, done;
};

static enum mech_result
scram(const struct attempt *a)
{
	struct mech_secrets secrets = {
		.name = SPAN_LIT("kim@a.example"), .verifier = verifier
	};
	struct mech_binding b = {
		.type = span_str(a->server_type),
		.data = span_of(binding, 32)
	};
	struct mech *m = mech_new(a->mech, "imap", &secrets, &b);
	struct scram_client c = { 0 };
	enum mech_result r;
	struct buf text;
	struct span out;

	assert_non_null(m);
	buf_init(&text, 4096);
	if (strncmp(a->gs2, "p=", 2) == 0)
		c.binding = span_of(binding + !a->right_data,
		    a->right_data ? 32 : 31);
	scram_client_first(&c, a->gs2, a->user, &text);
	r = mech_step(m, buf_span(&text), &out);
	if (r == MECH_MORE) {
		buf_clear(&text);
		assert_true(scram_client_final(&c, out,
		    span_str(a->password), &text));
		r = mech_step(m, buf_span(&text), &out);
		if (r == MECH_DONE)
			assert_true(scram_client_verify(&c, out));
	}
	buf_fini(&text);
	mech_free(&m);
	return r;
}

/* That -PLUS is not "n,," or "y,,", which Cyrus lets pass, is seen to in
 * exchange.c. */
static const struct attempt attempts[] = {
	{ "SCRAM-SHA-256", "n,,", "kim@a.example", "pencil", NULL, true,
	    true },
	{ "SCRAM-SHA-256", "n,a=kim@a.example,", "kim@a.example", "pencil",
	    NULL, true, true },
	{ "SCRAM-SHA-256", "y,,", "kim@a.example", "pencil", NULL, true,
	    true },
	{ "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "kim@a.example", "pencil",
	    "tls-exporter", true, true },
	{ "SCRAM-SHA-256-PLUS", "p=tls-unique,,", "kim@a.example", "pencil",
	    "tls-unique", true, true },
	{ "SCRAM-SHA-256", "n,,", "kim@a.example", "Pencil", NULL, true,
	    false },
	{ "SCRAM-SHA-256", "n,,", "kim@a.example", "", NULL, true, false },
	{ "SCRAM-SHA-256", "n,,", "eve@a.example", "pencil", NULL, true,
	    false },
	{ "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "kim@a.example", "pencil",
	    "tls-exporter", false, false },
	{ "SCRAM-SHA-256-PLUS", "p=tls-unique,,", "kim@a.example", "pencil",
	    "tls-exporter", true, false },
	{ "SCRAM-SHA-256", "p=tls-exporter,,", "kim@a.example", "pencil",
	    NULL, true, false },
};

static void
test_scram(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		enum mech_result r = scram(&attempts[i]);

		if ((r == MECH_DONE) != attempts[i].done)
			fail_msg("row %zu: %d", i, r);
		if (!attempts[i].done && r == MECH_FAULT)
			fail_msg("row %zu is a fault", i);
	}
}

static void
test_nothing_else_is_offered(void **state)
{
	static const char *const others[] = {
		"ANONYMOUS", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL",
		"SCRAM-SHA-1", "SCRAM-SHA-512", "GSSAPI", "NTLM", ""
	};
	struct mech_secrets secrets = { .name = SPAN_LIT("kim@a.example") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct mech *m = mech_new(others[i], "imap", &secrets, NULL);
		struct span out;
		enum mech_result r;

		assert_non_null(m);
		r = mech_step(m, SPAN_LIT("x"), &out);
		if (r == MECH_DONE || r == MECH_MORE)
			fail_msg("%s", others[i]);
		mech_free(&m);
	}
}

static void *
hammer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 60; i++) {
		const struct attempt *a = &attempts[i % ARRAY_LEN(attempts)];

		if ((scram(a) == MECH_DONE) != a->done)
			return (void *)(uintptr_t)1;
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, NULL),
		    0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		void *bad;

		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_nothing_else_is_offered),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
