#include "net/ccert.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define NAME_MAX_BYTES	128	/* of a common name that we keep */

struct ccert_policy {
	unsigned refs;
	bool required;
	int depth;
	const EVP_MD *digest;
	X509_STORE *store;
	STACK_OF(X509_NAME) *issuers;	/* told to clients; NULL: none */
};

/* --- the policy --- */

static void
store_file(X509_STORE *store, const char *file, struct buf *complaints)
{
	if (X509_STORE_load_file(store, file) != 1)
		buf_fmt(complaints, "%s: no certificate can be read\n", file);
}

/* "1a2b3c4d.0", as c_rehash(1) links them. */
static bool
is_hashed(const char *name)
{
	size_t i;

	for (i = 0; i < 8; i++)
		if (name[i] == '\0' || strchr("0123456789abcdef", name[i]) == NULL)
			return false;
	return name[8] == '.' && ascii_isdigit((unsigned char)name[9]);
}

/* All at once: OpenSSL alone would look into the directory in the middle of
 * a handshake, and a network process opens nothing then. */
static void
store_path(X509_STORE *store, const char *dir, struct buf *complaints)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	char *file;

	if (d == NULL) {
		buf_fmt(complaints, "%s: cannot be read\n", dir);
		return;
	}
	while ((de = readdir(d)) != NULL) {
		if (!is_hashed(de->d_name))
			continue;
		file = xasprintf("%s/%s", dir, de->d_name);
		store_file(store, file, complaints);
		free(file);
	}
	(void)closedir(d);
}

static bool
fill(struct ccert_policy *p, const struct conf *conf, struct buf *complaints)
{
	size_t before = buf_len(complaints);

	p->digest = EVP_get_digestbyname(conf->smtpd_tls_fingerprint_digest);
	if (p->digest == NULL)
		buf_fmt(complaints, "smtpd_tls_fingerprint_digest: \"%s\" is "
		    "no digest\n", conf->smtpd_tls_fingerprint_digest);
	if (*conf->smtpd_tls_CAfile != '\0') {
		store_file(p->store, conf->smtpd_tls_CAfile, complaints);
		p->issuers = SSL_load_client_CA_file(conf->smtpd_tls_CAfile);
	}
	if (*conf->smtpd_tls_CApath != '\0')
		store_path(p->store, conf->smtpd_tls_CApath, complaints);
	ERR_clear_error();
	return buf_len(complaints) == before;
}

struct ccert_policy *
ccert_policy_new(const struct conf *conf, struct buf *complaints)
{
	bool encrypt = conf->smtpd_tls_wrappermode ||
	    strcmp(conf->smtpd_tls_security_level, "encrypt") == 0;
	struct ccert_policy *p;

	if (conf->smtpd_tls_req_ccert && !encrypt)
		log_warning("smtpd_tls_req_ccert is ignored: TLS is not "
		    "required");
	if (!conf->smtpd_tls_ask_ccert && !conf->smtpd_tls_req_ccert)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->refs = 1;
	p->required = conf->smtpd_tls_req_ccert && encrypt;
	p->depth = (int)conf->smtpd_tls_ccert_verifydepth;
	if ((p->store = X509_STORE_new()) == NULL)
		log_fatal("out of memory for TLS");
	if (!fill(p, conf, complaints))
		ccert_policy_unref(&p);
	return p;
}

struct ccert_policy *
ccert_policy_ref(struct ccert_policy *p)
{
	if (p != NULL)
		p->refs++;
	return p;
}

void
ccert_policy_unref(struct ccert_policy **pp)
{
	struct ccert_policy *p = *pp;

	*pp = NULL;
	if (p == NULL || --p->refs > 0)
		return;
	X509_STORE_free(p->store);
	sk_X509_NAME_pop_free(p->issuers, X509_NAME_free);
	free(p);
}

/* --- the handshake --- */

/* The handshake goes on in any case. What SSL_get_verify_result then says is
 * a fact for the restrictions; and who must be trusted and is not can be told
 * why. */
static int
anyone_cb(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

bool
ccert_suffices(const struct ccert_policy *p, const struct ccert *c)
{
	return p == NULL || !p->required || (c != NULL && c->trusted);
}

void
ccert_ask(const struct ccert_policy *p, struct ssl_st *ssl)
{
	static const unsigned char context[] = "postern ccert";

	SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
	    anyone_cb);
	/* OpenSSL counts the issuers between the root and the client. */
	SSL_set_verify_depth(ssl, p->depth - 1);
	(void)SSL_set1_verify_cert_store(ssl, p->store);
	if (p->issuers != NULL)
		SSL_set0_CA_list(ssl, SSL_dup_CA_list(p->issuers));
	(void)SSL_set_options(ssl, SSL_OP_NO_TICKET);
	(void)SSL_set_num_tickets(ssl, 0);
	(void)SSL_set_session_id_context(ssl, context, sizeof(context) - 1);
}

static char *
common_name(const X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	struct span text;
	char *out, *p;
	int n;

	if (at < 0 || (n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(name, at)))) < 0)
		return xstrdup("");
	text = span_of(utf8, (size_t)n);
	/* A name with a NUL inside means two things to two readers. */
	if (text.n > NAME_MAX_BYTES || !span_is_utf8(text) ||
	    memchr(text.p, '\0', text.n) != NULL)
		text = SPAN_NONE;
	out = text.n == 0 ? xstrdup("") : xmemdup0(text.p, text.n);
	for (p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	OPENSSL_free(utf8);
	return out;
}

static char *
fingerprint(const EVP_MD *digest, const unsigned char *der, int n)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0, i;
	char *out;

	if (n <= 0 || EVP_Digest(der, (size_t)n, md, &len, digest, NULL) != 1)
		return xstrdup("");
	out = xcalloc(len, 3);
	for (i = 0; i < len; i++) {
		out[i * 3] = hex[md[i] >> 4];
		out[i * 3 + 1] = hex[md[i] & 15];
		out[i * 3 + 2] = i + 1 < len ? ':' : '\0';
	}
	return out;
}

struct ccert *
ccert_read(const struct ccert_policy *p, struct ssl_st *ssl)
{
	X509 *x = SSL_get0_peer_certificate(ssl);
	unsigned char *der = NULL;
	struct ccert *c;
	int n;

	if (x == NULL)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->subject = common_name(X509_get_subject_name(x));
	c->issuer = common_name(X509_get_issuer_name(x));
	n = i2d_X509(x, &der);
	c->fingerprint = fingerprint(p->digest, der, n);
	OPENSSL_free(der);
	der = NULL;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	c->pubkey_fingerprint = fingerprint(p->digest, der, n);
	OPENSSL_free(der);
	c->trusted = SSL_get_verify_result(ssl) == X509_V_OK;
	ERR_clear_error();
	return c;
}

void
ccert_free(struct ccert **cp)
{
	struct ccert *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	free(c->subject);
	free(c->issuer);
	free(c->fingerprint);
	free(c->pubkey_fingerprint);
	free(c);
}
