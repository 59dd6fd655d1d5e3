#include "net/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "net/ccert.h"

struct tls {
	SSL *ssl;
	const struct ccert_policy *ccert;
	bool server, ready, goodbye;
	int want;
	char why[120];
};

/* TLS 1.2 suites: forward secrecy and AEAD first, CBC last for old clients;
 * nothing anonymous, exported or with broken parts. */
static const char tls12_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:"
    "ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:"
    "!aNULL:!eNULL:!MD5:!DSS:!PSK:!SRP";

struct ssl_ctx_st *
tls_ctx_new(bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() :
	    TLS_client_method());

	if (ctx == NULL)
		log_fatal("cannot set up TLS");
	/* OpenSSL writes with write(2): a peer that left must not kill us */
	(void)signal(SIGPIPE, SIG_IGN);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, tls12_ciphers) != 1)
		log_fatal("OpenSSL refuses our TLS settings");
	return ctx;
}

struct tls *
tls_new(struct ssl_ctx_st *ctx, int fd, bool server, const char *host)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	ERR_clear_error();
	t->server = server;
	if ((t->ssl = SSL_new(ctx)) == NULL || SSL_set_fd(t->ssl, fd) != 1)
		log_fatal("out of memory for TLS");
	if (server)
		SSL_set_accept_state(t->ssl);
	else {
		SSL_set_connect_state(t->ssl);
		if (host != NULL)
			(void)SSL_set_tlsext_host_name(t->ssl, host);
	}
	t->want = server ? IO_READ : IO_WRITE;
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
	*tp = NULL;
}

void
tls_ask_ccert(struct tls *t, const struct ccert_policy *p)
{
	t->ccert = p;
	ccert_ask(p, t->ssl);
}

struct ccert *
tls_ccert(const struct tls *t)
{
	return t->ready && t->ccert != NULL ? ccert_read(t->ccert, t->ssl) :
	    NULL;
}

static void
tls_explain(struct tls *t, const char *what, int err, int saved_errno)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

	if (reason == NULL && err == SSL_ERROR_SYSCALL && saved_errno != 0)
		reason = strerrordesc_np(saved_errno);
	if (reason == NULL)
		reason = "connection closed";
	(void)snprintf(t->why, sizeof(t->why), "%s: %s", what, reason);
	ERR_clear_error();
}

/* What a call that did not succeed means; see tls.h. */
static int
tls_failed(struct tls *t, const char *what, int ret)
{
	int saved = errno, err = SSL_get_error(t->ssl, ret);

	switch (err) {
	case SSL_ERROR_WANT_READ:
		t->want = IO_READ;
		return PS_EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->want = IO_WRITE;
		return PS_EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		(void)snprintf(t->why, sizeof(t->why), "%s: closed by peer",
		    what);
		return PS_ECLOSED;
	default:
		tls_explain(t, what, err, saved);
		return PS_EIO;
	}
}

int
tls_handshake(struct tls *t)
{
	int ret;

	ERR_clear_error();
	errno = 0;
	if ((ret = SSL_do_handshake(t->ssl)) == 1) {
		t->ready = true;
		t->want = IO_READ;
		return 1;
	}
	return tls_failed(t, t->server ? "SSL_accept error" :
	    "SSL_connect error", ret);
}

ssize_t
tls_read(struct tls *t, void *p, size_t n)
{
	size_t got = 0;
	int ret;

	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(t->ssl, p, n, &got) == 1)
		return (ssize_t)got;
	ret = tls_failed(t, "SSL_read error", 0);
	return ret == PS_ECLOSED ? 0 : ret;
}

ssize_t
tls_write(struct tls *t, const void *p, size_t n)
{
	size_t put = 0;

	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(t->ssl, p, n, &put) == 1)
		return (ssize_t)put;
	return tls_failed(t, "SSL_write error", 0);
}

void
tls_goodbye(struct tls *t)
{
	if (!t->ready || t->goodbye)
		return;
	t->goodbye = true;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

bool
tls_ready(const struct tls *t)
{
	return t->ready;
}

int
tls_want(const struct tls *t)
{
	return t->want;
}

bool
tls_pending(const struct tls *t)
{
	return t->ready && SSL_has_pending(t->ssl) == 1;
}

const char *
tls_why(const struct tls *t)
{
	return t->why;
}

void
tls_describe(const struct tls *t, struct stream_tls *info)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);
	const char *sni = SSL_get_servername(t->ssl,
	    TLSEXT_NAMETYPE_host_name);

	*info = (struct stream_tls){
		.protocol = SSL_get_version(t->ssl),
		.cipher = c == NULL ? "none" : SSL_CIPHER_get_name(c),
		.sni = sni != NULL && tls_host_valid(span_str(sni)) ? sni : "",
		.resumed = SSL_session_reused(t->ssl) == 1,
	};
	if (c != NULL)
		info->bits = SSL_CIPHER_get_bits(c, &info->alg_bits);
}

/* The first Finished message of the handshake (RFC 5929 3.1): the client's,
 * or the server's when a session was resumed. */
static size_t
tls_unique(const struct tls *t, uint8_t *out)
{
	bool first_is_ours = t->server == (SSL_session_reused(t->ssl) == 1);

	return first_is_ours ?
	    SSL_get_finished(t->ssl, out, STREAM_BINDING_MAX) :
	    SSL_get_peer_finished(t->ssl, out, STREAM_BINDING_MAX);
}

size_t
tls_binding(const struct tls *t, const char **type,
    uint8_t out[STREAM_BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	size_t n = 0;

	*type = "";
	if (!t->ready)
		return 0;
	ERR_clear_error();
	if (SSL_version(t->ssl) >= TLS1_3_VERSION) {
		if (SSL_export_keying_material(t->ssl, out, 32, label,
		    sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1)
			n = 32;
		if (n > 0)
			*type = "tls-exporter";
	} else if (SSL_get_extms_support(t->ssl) == 1) {
		/* without it a man in the middle can align two handshakes */
		n = tls_unique(t, out);
		if (n > 0)
			*type = "tls-unique";
	}
	return n;
}

bool
tls_host_valid(struct span name)
{
	struct span label;
	bool letter = false;

	if (name.n == 0 || name.n > 253)
		return false;
	while (span_split(&name, '.', &label)) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		letter = false;
		for (size_t i = 0; i < label.n; i++) {
			unsigned char c = (unsigned char)label.p[i];

			if (!ascii_isalnum(c) && c != '-' && c != '_')
				return false;
			letter |= !ascii_isdigit(c);
		}
	}
	return letter;		/* last label all digits: an address */
}
