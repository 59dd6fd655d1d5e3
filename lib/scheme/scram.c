/*
 * SCRAM verifiers (RFC 5802, RFC 7677): what is stored instead of a password.
 */
#include "scheme/scheme_int.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "mail/codec.h"

#define SCRAM_SALT_LEN	16

static void
scram_hmac(const EVP_MD *md, const uint8_t *key, size_t key_len,
    const char *text, uint8_t *out)
{
	if (HMAC(md, key, (int)key_len, (const uint8_t *)text, strlen(text),
	    out, NULL) == NULL)
		log_fatal("HMAC failed");
}

/* RFC 5802 3: SaltedPassword, as long as the digest. */
static void
scram_salt(const EVP_MD *md, struct span password, struct span salt,
    uint32_t iterations, uint8_t *salted)
{
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
	    (const uint8_t *)salt.p, (int)salt.n, (int)iterations, md,
	    EVP_MD_get_size(md), salted) != 1)
		log_fatal("PBKDF2 failed");
}

/* ClientKey, StoredKey, ServerKey. */
static void
scram_derive(const EVP_MD *md, struct span password, struct scram_verifier *v)
{
	size_t n = (size_t)EVP_MD_get_size(md);
	uint8_t salted[EVP_MAX_MD_SIZE], client_key[EVP_MAX_MD_SIZE];

	scram_salt(md, password, span_of(v->salt, v->salt_len), v->iterations,
	    salted);
	scram_hmac(md, salted, n, "Client Key", client_key);
	scram_hmac(md, salted, n, "Server Key", v->server_key);
	if (EVP_Digest(client_key, n, v->stored_key, NULL, md, NULL) != 1)
		log_fatal("digest failed");
	secure_wipe(salted, sizeof(salted));
	secure_wipe(client_key, sizeof(client_key));
}

/* Base64 into at most max bytes; its length, or 0. */
static size_t
scram_field(struct span text, uint8_t *out, size_t max)
{
	struct buf raw;
	size_t n = 0;

	buf_init(&raw, max);
	if (base64_decode(&raw, text) && !buf_failed(&raw)) {
		n = buf_len(&raw);
		memcpy(out, buf_data(&raw), n);
	}
	buf_fini_secret(&raw);
	return n;
}

/* "iter,salt,stored,server" and Cyrus' "...$iter:salt$stored:server" differ
 * only in what stands between. */
static bool
scram_read(struct span data, size_t key_len, struct scram_verifier *v)
{
	bool cyrus = span_starts(data, "SCRAM-SHA-");
	const char *sep = cyrus ? ":$:" : ",,,";
	struct span f[4];
	ptrdiff_t at;

	if (cyrus)
		data = span_sub(data, (size_t)span_chr(data, '$') + 1,
		    span_chr(data, '$') == -1 ? 0 : data.n);
	for (int i = 0; i < 3; i++) {
		if ((at = span_chr(data, sep[i])) == -1)
			return false;
		f[i] = span_sub(data, 0, (size_t)at);
		data = span_sub(data, (size_t)at + 1, data.n);
	}
	f[3] = data;
	if (!span_u32(f[0], 1, SCHEME_ITERATIONS_MAX, &v->iterations))
		return false;
	v->salt_len = scram_field(f[1], v->salt, sizeof(v->salt));
	return v->salt_len > 0 &&
	    scram_field(f[2], v->stored_key, SCRAM_KEY_LEN) == key_len &&
	    scram_field(f[3], v->server_key, SCRAM_KEY_LEN) == key_len;
}

bool
scram_check(const struct scheme *s, struct span data)
{
	struct scram_verifier v;

	return scram_read(data, (size_t)EVP_MD_get_size(
	    EVP_get_digestbyname(s->detail)), &v);
}

enum scheme_verdict
scram_verify(const struct scheme *s, struct span data, struct span password)
{
	const EVP_MD *md = EVP_get_digestbyname(s->detail);
	size_t n = (size_t)EVP_MD_get_size(md);
	struct scram_verifier stored, ours;
	bool same;

	if (!scram_read(data, n, &stored))
		return SCHEME_UNUSABLE;
	ours = stored;
	scram_derive(md, password, &ours);
	same = scheme_bytes_equal(span_of(ours.stored_key, n),
	    span_of(stored.stored_key, n));
	secure_wipe(&ours, sizeof(ours));
	secure_wipe(&stored, sizeof(stored));
	return same ? SCHEME_MATCH : SCHEME_MISMATCH;
}

/* --- scheme.h --- */

bool
scram_verifier_read(struct span stored, struct scram_verifier *v)
{
	static const char name[] = "{SCRAM-SHA-256}";

	if (span_starts(stored, name))
		stored = span_sub(stored, sizeof(name) - 1, stored.n);
	else if (!span_starts(stored, "SCRAM-SHA-256$"))
		return false;
	return scram_read(stored, SCRAM_KEY_LEN, v);
}

void
scram_verifier_make(struct span password, const uint8_t *salt,
    size_t salt_len, uint32_t iterations, struct scram_verifier *v)
{
	ps_assert(salt_len <= SCRAM_SALT_MAX);
	*v = (struct scram_verifier){
		.iterations = iterations, .salt_len = salt_len
	};
	memcpy(v->salt, salt, salt_len);
	scram_derive(EVP_sha256(), password, v);
}

void
scram_client_key(struct span password, struct span salt, uint32_t iterations,
    uint8_t key[SCRAM_KEY_LEN])
{
	uint8_t salted[SCRAM_KEY_LEN];

	scram_salt(EVP_sha256(), password, salt, iterations, salted);
	scram_hmac(EVP_sha256(), salted, sizeof(salted), "Client Key", key);
	secure_wipe(salted, sizeof(salted));
}

static void
fake_bytes(const uint8_t key[32], const char *what, struct span user,
    uint8_t out[SCRAM_KEY_LEN])
{
	struct buf text;

	buf_init(&text, 4096);
	buf_str(&text, what);
	buf_char(&text, '\0');
	buf_span_add(&text, user);
	if (buf_failed(&text) || HMAC(EVP_sha256(), key, 32,
	    (const uint8_t *)buf_data(&text), buf_len(&text), out,
	    NULL) == NULL)
		log_fatal("HMAC failed");
	buf_fini(&text);
}

void
scram_verifier_fake(const uint8_t key[32], struct span user,
    uint32_t iterations, struct scram_verifier *v)
{
	uint8_t salt[SCRAM_KEY_LEN];

	v->iterations = iterations;
	v->salt_len = SCRAM_SALT_LEN;
	fake_bytes(key, "scram salt", user, salt);
	memcpy(v->salt, salt, SCRAM_SALT_LEN);
	fake_bytes(key, "scram stored", user, v->stored_key);
	fake_bytes(key, "scram server", user, v->server_key);
}

static void
scram_write(const struct scram_verifier *v, const char *sep, struct buf *out)
{
	buf_dec(out, v->iterations);
	buf_char(out, sep[0]);
	base64_encode(out, span_of(v->salt, v->salt_len));
	buf_char(out, sep[1]);
	base64_encode(out, span_of(v->stored_key, SCRAM_KEY_LEN));
	buf_char(out, sep[2]);
	base64_encode(out, span_of(v->server_key, SCRAM_KEY_LEN));
}

void
scram_verifier_write(const struct scram_verifier *v, struct buf *out)
{
	buf_str(out, "{SCRAM-SHA-256}");
	scram_write(v, ",,,", out);
}

void
scram_verifier_cyrus(const struct scram_verifier *v, struct buf *out)
{
	buf_str(out, "SCRAM-SHA-256$");
	scram_write(v, ":$:", out);
}

int
scram_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err)
{
	uint8_t salt[SCRAM_SALT_LEN];
	struct scram_verifier v;

	(void)s;
	if (cost == 0)
		cost = 4096;
	if (cost > SCHEME_ITERATIONS_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "too many iterations: %u", cost);
	proc_random(salt, sizeof(salt));
	scram_verifier_make(password, salt, sizeof(salt), cost, &v);
	scram_write(&v, ",,,", out);
	secure_wipe(&v, sizeof(v));
	return 0;
}
