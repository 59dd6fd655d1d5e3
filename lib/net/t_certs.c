/*
 * Which certificate a client sees, what is refused, tickets, versions. Both
 * ends of a handshake run in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/conf.h"
#include "base/xmalloc.h"
#include "net/certs.h"
#include "net/testcert.h"
#include "net/tls.h"

static struct conf *
conf_text(const char *text)
{
	struct buf why;
	struct conf *c;

	buf_init(&why, 4096);
	c = conf_parse("test", span_str(text), &why);
	if (c == NULL)
		fail_msg("%s", buf_cstr(&why));
	buf_fini(&why);
	return c;
}

static struct certs *
certs_plain(const char *text)
{
	struct conf *conf = conf_text(text);
	struct certs *c = certs_new(conf);

	conf_unref(&conf);
	return c;
}

static int
certs_give(struct certs *c, const char *name, const char *host,
    unsigned faults, struct err *err)
{
	struct buf pem;
	int ret;

	buf_init(&pem, 65536);
	testcert_make(host, faults, &pem);
	ret = certs_file(c, name, buf_span(&pem), err);
	buf_fini(&pem);
	return ret;
}

/* One handshake in memory. Returns the client end, or NULL if it failed. */
static SSL *
shake(struct certs *c, SSL_CTX *ctx, const char *sni, SSL_SESSION *resume)
{
	SSL *server = SSL_new(certs_ctx(c)), *client = SSL_new(ctx);
	BIO *a, *b;
	char byte;
	int done = 0;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	if (sni != NULL)
		SSL_set_tlsext_host_name(client, sni);
	if (resume != NULL)
		SSL_set_session(client, resume);
	for (int i = 0; i < 10 && done != 2; i++)
		done = (SSL_do_handshake(client) == 1) +
		    (SSL_do_handshake(server) == 1);
	if (done == 2)		/* takes the TLS 1.3 ticket in */
		(void)SSL_read(client, &byte, 1);
	SSL_free(server);
	if (done != 2) {
		SSL_free(client);
		return NULL;
	}
	return client;
}

/* The host name of the certificate that a client asking for sni sees. */
static void
assert_sees(struct certs *c, const char *sni, const char *want)
{
	SSL_CTX *ctx = tls_ctx_new(false);
	SSL *client = shake(c, ctx, sni, NULL);

	assert_non_null(client);
	if (X509_check_host(SSL_get0_peer_certificate(client), want, 0, 0,
	    NULL) != 1)
		fail_msg("%s does not see %s", sni, want);
	SSL_free(client);
	SSL_CTX_free(ctx);
}

static void
test_sni_picks_a_pair(void **state)
{
	static const char *const nonsense[] = {
		"../a.example", "a.example\n", "a..example", "-a.example",
		"192.0.2.1", "a.example/", ".", "a b", "x\x01"
	};
	struct certs *c = certs_plain("");

	(void)state;
	assert_false(certs_usable(c));
	assert_int_equal(certs_give(c, "tls/default", "mx.example", 0, NULL),
	    0);
	assert_int_equal(certs_give(c, "tls/a.example", "a.example", 0, NULL),
	    0);
	assert_true(certs_usable(c));
	assert_int_equal(certs_count(c), 2);
	assert_sees(c, NULL, "mx.example");
	assert_sees(c, "a.example", "a.example");
	assert_sees(c, "A.Example", "a.example");
	assert_sees(c, "imap.a.example", "a.example");
	assert_sees(c, "b.imap.a.example", "mx.example");
	assert_sees(c, "other.example", "mx.example");
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++)
		assert_sees(c, nonsense[i], "mx.example");
	assert_int_equal(certs_file(c, "tls/a.example", SPAN_NONE, NULL), 0);
	assert_sees(c, "a.example", "mx.example");
	certs_unref(&c);
}

static void
test_a_bad_new_pair_leaves_the_old(void **state)
{
	static const struct {
		unsigned faults;
		const char *why;
	} t[] = {
		{ TESTCERT_EXPIRED, "tls/default: certificate has expired" },
		{ TESTCERT_FUTURE,
		    "tls/default: certificate is not yet valid" },
		{ TESTCERT_WRONG_KEY,
		    "tls/default: key does not match the certificate" },
		{ TESTCERT_NO_KEY, "tls/default: no usable private key" },
		{ TESTCERT_NO_CERT, "tls/default: no certificate in it" },
		{ TESTCERT_NO_CERT | TESTCERT_NO_KEY, "" },
	};
	struct certs *c = certs_plain("");

	(void)state;
	assert_int_equal(certs_give(c, "tls/default", "old.example", 0, NULL),
	    0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct err err;
		int ret = certs_give(c, "tls/default", "new.example",
		    t[i].faults, &err);

		if (*t[i].why != '\0') {
			assert_true(ret < 0);
			assert_memory_equal(err.why, t[i].why,
			    strlen(t[i].why));
		}
		assert_sees(c, NULL, "old.example");
	}
	assert_int_equal(certs_give(c, "tls/default", "new.example", 0, NULL),
	    0);
	assert_sees(c, NULL, "new.example");
	certs_unref(&c);
}

static void
test_expired_is_better_than_nothing(void **state)
{
	struct certs *c = certs_plain("");
	struct err err;

	(void)state;
	assert_int_equal(certs_give(c, "tls/default", "mx.example",
	    TESTCERT_EXPIRED, &err), 1);
	assert_non_null(strstr(err.why, "expired"));
	assert_sees(c, NULL, "mx.example");
	certs_unref(&c);
}

static void
test_names_that_are_not_ours(void **state)
{
	struct certs *c = certs_plain("");
	struct err err;

	(void)state;
	assert_int_equal(certs_file(c, "database_password", SPAN_LIT("x"),
	    &err), 0);
	assert_true(certs_file(c, "tls/../../etc", SPAN_LIT("x"), &err) < 0);
	assert_true(certs_file(c, "tls/", SPAN_LIT("x"), &err) < 0);
	assert_int_equal(certs_count(c), 0);
	certs_unref(&c);
}

/* Every prefix and many broken bytes of a good file: refused or harmless. */
static void
test_torn_files(void **state)
{
	struct certs *c = certs_plain("");
	struct buf pem;
	char *copy;

	(void)state;
	buf_init(&pem, 65536);
	testcert_make("mx.example", 0, &pem);
	for (size_t n = 0; n < buf_len(&pem) - 30; n += 7)
		assert_true(certs_file(c, "tls/a.example",
		    span_of(buf_data(&pem), n), NULL) <= 0);
	assert_int_equal(certs_count(c), 0);
	copy = xmemdup0(buf_data(&pem), buf_len(&pem));
	for (size_t i = 0; i < buf_len(&pem); i += 5) {
		copy[i] ^= 0x15;
		(void)!certs_file(c, "tls/a.example",
		    span_of(copy, buf_len(&pem)), NULL);
		copy[i] ^= 0x15;
	}
	free(copy);
	buf_fini(&pem);
	certs_unref(&c);
}

static void
test_versions_follow_the_configuration(void **state)
{
	struct certs *c = certs_plain("tls_min_protocol = TLSv1.3\n");
	struct conf *conf = conf_text("");
	SSL_CTX *ctx = tls_ctx_new(false);
	SSL *client;

	(void)state;
	assert_int_equal(certs_give(c, "tls/default", "mx.example", 0, NULL),
	    0);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_null(shake(c, ctx, NULL, NULL));
	certs_conf(c, conf);
	client = shake(c, ctx, NULL, NULL);
	assert_non_null(client);
	SSL_free(client);
	SSL_CTX_free(ctx);
	conf_unref(&conf);
	certs_unref(&c);
}

/* S29: a client's wish to shake hands again is turned down. */
static void
test_no_renegotiation(void **state)
{
	struct certs *c = certs_plain("");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(certs_ctx(c)), *client;
	BIO *a, *b;
	char byte;

	(void)state;
	assert_int_equal(certs_give(c, "tls/default", "mx.example", 0, NULL),
	    0);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	client = SSL_new(ctx);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10 && !(SSL_is_init_finished(client) &&
	    SSL_is_init_finished(server)); i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	assert_true(SSL_is_init_finished(client));
	assert_int_equal(SSL_renegotiate(client), 1);
	for (int i = 0; i < 5; i++) {
		assert_int_not_equal(SSL_do_handshake(client), 1);
		assert_true(SSL_read(server, &byte, 1) <= 0);
	}
	assert_int_equal(SSL_num_renegotiations(server), 0);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	certs_unref(&c);
}

static void
test_alpn_mismatch_is_refused(void **state)
{
	static const unsigned char http[] = "\x08http/1.1";
	static const unsigned char imap[] = "\x08http/1.1\x04imap";
	struct certs *c = certs_plain("");
	SSL_CTX *ctx = tls_ctx_new(false);
	SSL *client;

	(void)state;
	assert_int_equal(certs_give(c, "tls/default", "mx.example", 0, NULL),
	    0);
	certs_alpn(c, "imap");
	assert_int_equal(SSL_CTX_set_alpn_protos(ctx, http,
	    sizeof(http) - 1), 0);
	assert_null(shake(c, ctx, NULL, NULL));
	assert_int_equal(SSL_CTX_set_alpn_protos(ctx, imap,
	    sizeof(imap) - 1), 0);
	client = shake(c, ctx, NULL, NULL);
	assert_non_null(client);
	SSL_free(client);
	SSL_CTX_free(ctx);
	certs_unref(&c);
}

/* A ticket from one worker is good at another with the same secret, through
 * one change of keys and not through more. */
static void
test_tickets_are_shared_by_workers(void **state)
{
	static const struct {
		int64_t periods;
		uint8_t secret;
		bool resumes;
	} t[] = {
		{ 0, 1, true }, { 1, 1, true }, { -1, 1, true },
		{ 2, 1, false }, { 0, 2, false }
	};
	uint8_t secret[32] = { 1 };
	struct certs *a = certs_plain("");
	int64_t now = 1000 * CERTS_TICKET_PERIOD_S;
	SSL_CTX *ctx = tls_ctx_new(false);

	(void)state;
	assert_int_equal(certs_give(a, "tls/default", "mx.example", 0, NULL),
	    0);
	certs_ticket_derive(a, secret, now);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION;
	    version++) {
		SSL *first, *second;
		SSL_SESSION *session;

		SSL_CTX_set_max_proto_version(ctx, version);
		first = shake(a, ctx, NULL, NULL);
		assert_non_null(first);
		session = SSL_get1_session(first);
		assert_true(SSL_SESSION_is_resumable(session));
		(void)SSL_shutdown(first);
		for (size_t i = 0; i < ARRAY_LEN(t); i++) {
			struct certs *b = certs_plain("");

			assert_int_equal(certs_give(b, "tls/default",
			    "mx.example", 0, NULL), 0);
			secret[0] = t[i].secret;
			certs_ticket_derive(b, secret,
			    now + t[i].periods * CERTS_TICKET_PERIOD_S);
			second = shake(b, ctx, NULL, session);
			assert_non_null(second);
			assert_int_equal(SSL_session_reused(second),
			    t[i].resumes);
			(void)SSL_shutdown(second);
			SSL_free(second);
			certs_unref(&b);
		}
		SSL_SESSION_free(session);
		SSL_free(first);
	}
	SSL_CTX_free(ctx);
	certs_unref(&a);
}

static void
file_write(const char *path, struct span text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

static void
test_load_from_files(void **state)
{
	char dir[] = "/tmp/postern-certs-XXXXXX";
	char *mx, *a, *text;
	struct buf pem, why;
	struct certs *c;
	struct conf *conf;

	(void)state;
	assert_non_null(mkdtemp(dir));
	buf_init(&pem, 65536);
	buf_init(&why, 4096);
	mx = xasprintf("%s/mx.pem", dir);
	testcert_make("mx.example", 0, &pem);
	file_write(mx, buf_span(&pem));
	a = xasprintf("%s/a.example.crt", dir);
	file_write(a, buf_span(&pem));	/* its .key is missing */
	text = xasprintf("tls_certificate_file = %s\n"
	    "tls_key_file = %s\ntls_certificate_directory = %s\n", mx, mx,
	    dir);
	conf = conf_text(text);
	c = certs_new(conf);
	assert_int_equal(certs_load(c, conf, &why), 1);
	assert_non_null(strstr(buf_cstr(&why), "a.example.key"));
	assert_sees(c, NULL, "mx.example");
	(void)unlink(mx);
	(void)unlink(a);
	(void)rmdir(dir);
	conf_unref(&conf);
	certs_unref(&c);
	buf_fini(&pem);
	buf_fini(&why);
	free(mx);
	free(a);
	free(text);
}

static void
test_host_names(void **state)
{
	static const struct { const char *name; bool valid; } t[] = {
		{ "a.example", true }, { "a", true }, { "a_b.example", true },
		{ "xn--bcher-kva.example", true }, { "1a.2b", true },
		{ "", false }, { ".", false }, { "a.", false }, { ".a", false },
		{ "a..b", false }, { "1.2.3.4", false }, { "-a.b", false },
		{ "a-.b", false }, { "a/b", false }, { "a b", false },
		{ "::1", false }
	};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (tls_host_valid(span_str(t[i].name)) != t[i].valid)
			fail_msg("%s", t[i].name);
	assert_false(tls_host_valid(span_of("a\0b", 3)));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 64 == 63 ? '.' : 'a';
	assert_true(tls_host_valid(span_of(longest, 253)));
	assert_false(tls_host_valid(span_of(longest, 254)));
	longest[63] = 'a';
	assert_false(tls_host_valid(span_of(longest, 64)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sni_picks_a_pair),
		cmocka_unit_test(test_a_bad_new_pair_leaves_the_old),
		cmocka_unit_test(test_expired_is_better_than_nothing),
		cmocka_unit_test(test_names_that_are_not_ours),
		cmocka_unit_test(test_torn_files),
		cmocka_unit_test(test_versions_follow_the_configuration),
		cmocka_unit_test(test_no_renegotiation),
		cmocka_unit_test(test_alpn_mismatch_is_refused),
		cmocka_unit_test(test_tickets_are_shared_by_workers),
		cmocka_unit_test(test_load_from_files),
		cmocka_unit_test(test_host_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
