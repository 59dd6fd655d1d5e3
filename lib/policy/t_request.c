#include "policy/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config.h"

#define TAIL	"compatibility_level=3.6\nmail_version=" PACKAGE_VERSION "\n\n"

static void
all_attributes(void **state)
{
	static const char want[] = "request=smtpd_access_policy\n"
	    "protocol_state=RCPT\nprotocol_name=ESMTP\n"
	    "client_address=192.0.2.7\nclient_name=mx.example.net\n"
	    "client_port=4711\nreverse_client_name=rev.example.net\n"
	    "server_address=192.0.2.1\nserver_port=25\n"
	    "helo_name=mx.example.net\nsender=x@b.example\n"
	    "recipient=kim@a.example\nrecipient_count=0\nqueue_id=3kF9tQ01\n"
	    "instance=1.2.3.4\nsize=12345\netrn_domain=e.example\n"
	    "stress=yes\nsasl_method=PLAIN\nsasl_username=kim\n"
	    "sasl_sender=k@a.example\n"
	    "ccert_subject=A+20b+2Bc+3Dd\nccert_issuer=CA\n"
	    "ccert_fingerprint=AA:BB\nccert_pubkey_fingerprint=CC:DD\n"
	    "encryption_protocol=TLSv1.3\n"
	    "encryption_cipher=TLS_AES_256_GCM_SHA384\n"
	    "encryption_keysize=256\ntls_sni=mx.a.example\n"
	    "policy_context=in\n" TAIL;
	struct policy_request r = {
#define S(n, t)	.n = { t, sizeof(t) - 1 }
		S(protocol_state, "RCPT"), S(protocol_name, "ESMTP"),
		S(client_address, "192.0.2.7"),
		S(client_name, "mx.example.net"), S(client_port, "4711"),
		S(reverse_client_name, "rev.example.net"),
		S(server_address, "192.0.2.1"), S(server_port, "25"),
		S(helo_name, "mx.example.net"), S(sender, "x@b.example"),
		S(recipient, "kim@a.example"), S(queue_id, "3kF9tQ01"),
		S(instance, "1.2.3.4"), .size = 12345,
		S(etrn_domain, "e.example"), S(stress, "yes"),
		S(sasl_method, "PLAIN"), S(sasl_username, "kim"),
		S(sasl_sender, "k@a.example"), S(ccert_subject, "A b+c=d"),
		S(ccert_issuer, "CA"), S(ccert_fingerprint, "AA:BB"),
		S(ccert_pubkey_fingerprint, "CC:DD"),
		S(encryption_protocol, "TLSv1.3"),
		S(encryption_cipher, "TLS_AES_256_GCM_SHA384"),
		.encryption_keysize = 256, S(tls_sni, "mx.a.example"),
		S(policy_context, "in"),
#undef S
	};
	struct buf out;

	buf_init(&out, POLICY_REQUEST_MAX);
	policy_request_write(&r, &out);
	assert_false(buf_failed(&out));
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

/* What is not known is there, and empty. */
static void
nothing_known(void **state)
{
	struct policy_request r = { .size = 0 };
	struct buf out;

	buf_init(&out, POLICY_REQUEST_MAX);
	policy_request_write(&r, &out);
	assert_non_null(strstr(buf_cstr(&out), "\nsender=\nrecipient=\n"
	    "recipient_count=0\nqueue_id=\ninstance=\nsize=0\n"));
	assert_non_null(strstr(buf_cstr(&out), "\n" TAIL));
	buf_fini(&out);
}

static unsigned
lines(struct buf *b)
{
	struct span rest = buf_span(b), line;
	unsigned n = 0;

	while (span_split(&rest, '\n', &line))
		n++;
	return n;
}

/* S12: every field filled with every byte gives as many lines as an empty
 * one, no byte less, and no NUL. */
static void
no_injection(void **state)
{
	static const size_t numbers[] = {
		offsetof(struct policy_request, recipient_count),
		offsetof(struct policy_request, size),
		offsetof(struct policy_request, encryption_keysize) };
	struct policy_request r = { .size = 0 };
	char bytes[256];
	struct buf plain, out;
	unsigned want;
	size_t at, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	buf_init(&plain, POLICY_REQUEST_MAX);
	policy_request_write(&r, &plain);
	want = lines(&plain);
	buf_init(&out, POLICY_REQUEST_MAX);
	for (at = 0; at < sizeof(r); at += sizeof(struct span)) {
		for (i = 0; i < ARRAY_LEN(numbers) && numbers[i] != at; i++)
			;
		if (i < ARRAY_LEN(numbers)) {
			at -= sizeof(struct span) - sizeof(uint64_t);
			continue;
		}
		r = (struct policy_request){ .size = 0 };
		*(struct span *)(void *)((char *)&r + at) = span_of(bytes,
		    sizeof(bytes));
		buf_clear(&out);
		policy_request_write(&r, &out);
		assert_false(buf_failed(&out));
		assert_int_equal(lines(&out), want);
		assert_int_equal(span_chr(buf_span(&out), '\0'), -1);
		assert_int_equal(span_chr(buf_span(&out), '\r'), -1);
		assert_true(buf_len(&out) >= buf_len(&plain) +
		    sizeof(bytes));
	}
	buf_fini(&plain);
	buf_fini(&out);
}

static void
too_large(void **state)
{
	struct policy_request r = { .size = 0 };
	char *text = calloc(1, POLICY_REQUEST_MAX);
	struct buf out;

	assert_non_null(text);
	memset(text, 'x', POLICY_REQUEST_MAX);
	r.sasl_username = span_of(text, POLICY_REQUEST_MAX);
	buf_init(&out, POLICY_REQUEST_MAX);
	policy_request_write(&r, &out);
	assert_true(buf_failed(&out));
	buf_fini(&out);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_attributes),
		cmocka_unit_test(nothing_known),
		cmocka_unit_test(no_injection),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
