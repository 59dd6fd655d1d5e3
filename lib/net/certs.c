#include "net/certs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/map.h"
#include "base/pack.h"
#include "base/xmalloc.h"
#include "net/pem.h"
#include "net/tls.h"

#define TICKET_NAME	16
#define TICKET_AES	32
#define TICKET_HMAC	32

struct certs {
	unsigned refs;
	SSL_CTX *ctx;
	struct pem_pair *fallback;	/* "tls/default" */
	struct map *domains;		/* name -> struct pem_pair */
	uint8_t keys[CERTS_TICKET_KEYS][CERTS_TICKET_KEY_LEN];
	size_t n_keys;
	int64_t period;			/* that keys were derived for */
	char alpn[32];
};

/* --- which pair a client sees --- */

static const struct pem_pair *
certs_at(const struct certs *c, struct span host)
{
	return map_get(c->domains, host);
}

/* Exact name first; then the parent domain's pair if it is good for this
 * host, so that DOMAIN.crt may serve imap.DOMAIN. Two look-ups at most. */
static const struct pem_pair *
certs_find(const struct certs *c, const char *sni)
{
	const struct pem_pair *p;
	char host[256];
	struct span name = span_str(sni);
	ptrdiff_t dot;

	if (sni == NULL || map_count(c->domains) == 0 ||
	    !tls_host_valid(name))
		return c->fallback;
	for (size_t i = 0; i <= name.n; i++)
		host[i] = ascii_lower(sni[i]);
	name.p = host;
	if ((p = certs_at(c, name)) != NULL)
		return p;
	if ((dot = span_chr(name, '.')) != -1) {
		p = certs_at(c, span_sub(name, (size_t)dot + 1, name.n));
		if (p != NULL && X509_check_host(p->leaf, host, name.n, 0,
		    NULL) == 1)
			return p;
	}
	return c->fallback;
}

static int
certs_pick_cb(SSL *ssl, void *arg)
{
	const struct pem_pair *p = certs_find(arg, SSL_get_servername(ssl,
	    TLSEXT_NAMETYPE_host_name));

	return p != NULL && SSL_use_cert_and_key(ssl, p->leaf, p->key,
	    p->chain, 1) == 1;
}

static int
certs_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned int inlen, void *arg)
{
	const struct certs *c = arg;
	size_t want = strlen(c->alpn);

	(void)ssl;
	if (want == 0)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned i = 0; i < inlen; i += 1u + in[i]) {
		if (in[i] != want || i + 1 + want > inlen ||
		    memcmp(in + i + 1, c->alpn, want) != 0)
			continue;
		*out = in + i + 1;
		*outlen = in[i];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- session tickets --- */

static int
ticket_mac_key(EVP_MAC_CTX *mac, uint8_t *key)
{
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key,
	    TICKET_HMAC);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    (char[]){ "SHA256" }, 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_MAC_CTX_set_params(mac, params);
}

static int
ticket_seal(struct certs *c, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *aes,
    EVP_MAC_CTX *mac)
{
	uint8_t *key = c->keys[0];

	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
		return -1;
	memcpy(name, key, TICKET_NAME);
	if (EVP_EncryptInit_ex(aes, EVP_aes_256_cbc(), NULL,
	    key + TICKET_NAME, iv) != 1 ||
	    ticket_mac_key(mac, key + TICKET_NAME + TICKET_AES) != 1)
		return -1;
	return 1;
}

static int
ticket_open(struct certs *c, const uint8_t *name, const uint8_t *iv,
    EVP_CIPHER_CTX *aes, EVP_MAC_CTX *mac)
{
	size_t i;

	for (i = 0; i < c->n_keys; i++)
		if (memcmp(c->keys[i], name, TICKET_NAME) == 0)
			break;
	if (i == c->n_keys)
		return 0;		/* a full handshake, then */
	if (EVP_DecryptInit_ex(aes, EVP_aes_256_cbc(), NULL,
	    c->keys[i] + TICKET_NAME, iv) != 1 ||
	    ticket_mac_key(mac, c->keys[i] + TICKET_NAME + TICKET_AES) != 1)
		return -1;
	return i == 0 ? 1 : 2;		/* 2: and give a new ticket */
}

static int
ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *aes, EVP_MAC_CTX *mac, int sealing)
{
	struct certs *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (c->n_keys == 0)
		return 0;
	return sealing ? ticket_seal(c, name, iv, aes, mac) :
	    ticket_open(c, name, iv, aes, mac);
}

void
certs_ticket_keys(struct certs *c,
    const uint8_t keys[][CERTS_TICKET_KEY_LEN], size_t n)
{
	ps_assert(n <= CERTS_TICKET_KEYS);
	secure_wipe(c->keys, sizeof(c->keys));
	memcpy(c->keys, keys, n * CERTS_TICKET_KEY_LEN);
	if (c->n_keys == 0 && n > 0)
		SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ctx, ticket_cb);
	c->n_keys = n;
	c->period = -1;
}

static void
ticket_key_derive(const uint8_t secret[32], int64_t period,
    uint8_t key[CERTS_TICKET_KEY_LEN])
{
	uint8_t text[32] = "postern tls ticket", mac[2][64];

	put_u64(text + 20, (uint64_t)period);
	for (uint8_t i = 0; i < 2; i++) {
		text[31] = i;
		if (HMAC(EVP_sha512(), secret, 32, text, sizeof(text), mac[i],
		    NULL) == NULL)
			log_fatal("HMAC failed");
	}
	memcpy(key, mac, CERTS_TICKET_KEY_LEN);
	secure_wipe(mac, sizeof(mac));
}

void
certs_ticket_derive(struct certs *c, const uint8_t secret[32], int64_t now_s)
{
	uint8_t keys[CERTS_TICKET_KEYS][CERTS_TICKET_KEY_LEN];
	int64_t period = now_s / CERTS_TICKET_PERIOD_S;

	if (c->n_keys > 0 && c->period == period)
		return;
	ticket_key_derive(secret, period, keys[0]);
	ticket_key_derive(secret, period - 1, keys[1]);
	/* another worker's clock call may be a moment ahead of ours */
	ticket_key_derive(secret, period + 1, keys[2]);
	certs_ticket_keys(c, keys, CERTS_TICKET_KEYS);
	c->period = period;
	secure_wipe(keys, sizeof(keys));
}

/* --- the store --- */

struct certs *
certs_new(const struct conf *conf)
{
	struct certs *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->period = -1;
	c->domains = map_new();
	c->ctx = tls_ctx_new(true);
	SSL_CTX_set_app_data(c->ctx, c);
	SSL_CTX_set_cert_cb(c->ctx, certs_pick_cb, c);
	SSL_CTX_set_alpn_select_cb(c->ctx, certs_alpn_cb, c);
	/* resumption by ticket only: no memory held for clients that left */
	(void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(c->ctx, 1);
	(void)SSL_CTX_set_session_id_context(c->ctx,
	    (const unsigned char *)"postern", 7);
	certs_conf(c, conf);
	return c;
}

struct certs *
certs_ref(struct certs *c)
{
	c->refs++;
	return c;
}

void
certs_unref(struct certs **cp)
{
	struct certs *c = *cp;
	struct span key;
	size_t pos = 0;
	void *p;

	*cp = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	while (map_next(c->domains, &pos, &key, &p)) {
		struct pem_pair *pair = p;

		pem_pair_free(&pair);
	}
	map_free(&c->domains);
	pem_pair_free(&c->fallback);
	SSL_CTX_free(c->ctx);
	secure_wipe(c->keys, sizeof(c->keys));
	free(c);
}

void
certs_conf(struct certs *c, const struct conf *conf)
{
	int lowest = strcmp(conf->tls_min_protocol, "TLSv1.3") == 0 ?
	    TLS1_3_VERSION : TLS1_2_VERSION;

	(void)SSL_CTX_set_min_proto_version(c->ctx, lowest);
}

void
certs_alpn(struct certs *c, const char *protocol)
{
	(void)snprintf(c->alpn, sizeof(c->alpn), "%s",
	    protocol == NULL ? "" : protocol);
}

struct ssl_ctx_st *
certs_ctx(const struct certs *c)
{
	return c->ctx;
}

bool
certs_usable(const struct certs *c)
{
	return c->fallback != NULL;
}

size_t
certs_count(const struct certs *c)
{
	return map_count(c->domains) + (c->fallback != NULL);
}

static void
certs_put(struct certs *c, struct span domain, struct pem_pair *pair)
{
	struct pem_pair *old;

	if (span_is(domain, "default")) {
		old = c->fallback;
		c->fallback = pair;
	} else if (pair != NULL)
		old = map_put(c->domains, domain, pair);
	else
		old = map_del(c->domains, domain);
	pem_pair_free(&old);
}

static bool
certs_has(const struct certs *c, struct span domain)
{
	return span_is(domain, "default") ? c->fallback != NULL :
	    certs_at(c, domain) != NULL;
}

/* Takes the pair over unless something is wrong with it. */
static int
certs_offer(struct certs *c, struct span domain, struct span pem,
    struct err *err)
{
	struct pem_pair *pair = pem_pair_parse(c->ctx, pem, err);

	if (pair == NULL)
		return PS_ESYNTAX;
	if (pem_pair_in_time(pair, err)) {
		certs_put(c, domain, pair);
		return 0;
	}
	if (certs_has(c, domain)) {
		pem_pair_free(&pair);
		return PS_EDENIED;
	}
	certs_put(c, domain, pair);
	return 1;
}

int
certs_file(struct certs *c, const char *name, struct span contents,
    struct err *err)
{
	struct span domain = span_str(name);
	struct err scrap;
	int ret;

	if (!span_starts(domain, "tls/"))
		return 0;
	if (err == NULL)
		err = &scrap;
	err_clear(err);
	domain = span_sub(domain, 4, domain.n);
	if (!span_is(domain, "default") && !tls_host_valid(domain))
		ret = err_set(err, ERR_PERM, PS_ESYNTAX,
		    "not a host name");
	else if (contents.n == 0) {
		if (!span_is(domain, "default"))
			certs_put(c, domain, NULL);
		return 0;
	} else
		ret = certs_offer(c, domain, contents, err);
	if (ret != 0)
		(void)err_prefix(err, "%s", name);
	return ret;
}

/* --- reading files --- */

static void
certs_load_pair(struct certs *c, const char *domain, const char *crt,
    const char *key, struct buf *complaints)
{
	struct buf pem;
	struct err err;
	char *name;

	buf_init(&pem, 2 * PEM_FILE_MAX);
	err_clear(&err);
	if (pem_file_read(crt, &pem, &err) != 0 ||
	    (strcmp(crt, key) != 0 && pem_file_read(key, &pem, &err) != 0)) {
		buf_fmt(complaints, "%s\n", err.why);
		buf_fini_secret(&pem);
		return;
	}
	name = xasprintf("tls/%s", domain);
	if (certs_file(c, name, buf_span(&pem), &err) != 0)
		buf_fmt(complaints, "%s: %s\n", crt, err.why);
	free(name);
	buf_fini_secret(&pem);
}

static void
certs_load_dir(struct certs *c, const char *dir, struct buf *complaints)
{
	struct dirent *de;
	DIR *d = opendir(dir);

	if (d == NULL) {
		buf_fmt(complaints, "%s: cannot be read\n", dir);
		return;
	}
	while ((de = readdir(d)) != NULL) {
		struct span file = span_str(de->d_name);
		char *domain, *crt, *key;

		if (file.n <= 4 || !span_ends(file, ".crt"))
			continue;
		domain = xmemdup0(file.p, file.n - 4);
		crt = xasprintf("%s/%s.crt", dir, domain);
		key = xasprintf("%s/%s.key", dir, domain);
		certs_load_pair(c, domain, crt, key, complaints);
		free(domain);
		free(crt);
		free(key);
	}
	(void)closedir(d);
}

size_t
certs_load(struct certs *c, const struct conf *conf, struct buf *complaints)
{
	if (*conf->tls_certificate_file != '\0')
		certs_load_pair(c, "default", conf->tls_certificate_file,
		    *conf->tls_key_file == '\0' ? conf->tls_certificate_file :
		    conf->tls_key_file, complaints);
	if (*conf->tls_certificate_directory != '\0')
		certs_load_dir(c, conf->tls_certificate_directory,
		    complaints);
	return certs_count(c);
}
