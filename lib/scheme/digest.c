/*
 * Plain digests, salted digests and clear text: only for imported users.
 */
#include "scheme/scheme_int.h"

#include <openssl/evp.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "mail/codec.h"

#define DIGEST_SALT	16

struct digest {
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned n;
};

static void
digest_of(const char *name, struct span a, struct span b, struct digest *d)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL ||
	    EVP_DigestInit_ex(ctx, EVP_get_digestbyname(name), NULL) != 1 ||
	    EVP_DigestUpdate(ctx, a.p, a.n) != 1 ||
	    EVP_DigestUpdate(ctx, b.p, b.n) != 1 ||
	    EVP_DigestFinal_ex(ctx, d->bytes, &d->n) != 1)
		log_fatal("digest %s is not available", name);
	EVP_MD_CTX_free(ctx);
}

static size_t
digest_length(const struct scheme *s)
{
	return (size_t)EVP_MD_get_size(EVP_get_digestbyname(s->detail));
}

bool
digest_check(const struct scheme *s, struct span data)
{
	return data.n == digest_length(s);
}

bool
digest_salted_check(const struct scheme *s, struct span data)
{
	return data.n > digest_length(s);
}

bool
clear_check(const struct scheme *s, struct span data)
{
	(void)s;
	return data.n > 0;
}

enum scheme_verdict
digest_verify(const struct scheme *s, struct span data, struct span password)
{
	struct digest d;
	bool same;

	digest_of(s->detail, password, SPAN_LIT(""), &d);
	if (data.n != d.n)
		return SCHEME_UNUSABLE;
	same = scheme_bytes_equal(data, span_of(d.bytes, d.n));
	secure_wipe(&d, sizeof(d));
	return same ? SCHEME_MATCH : SCHEME_MISMATCH;
}

/* digest(password salt) and then the salt */
enum scheme_verdict
digest_salted_verify(const struct scheme *s, struct span data,
    struct span password)
{
	size_t n = digest_length(s);
	struct digest d;
	bool same;

	if (data.n <= n)
		return SCHEME_UNUSABLE;
	digest_of(s->detail, password, span_sub(data, n, data.n), &d);
	same = scheme_bytes_equal(span_sub(data, 0, n),
	    span_of(d.bytes, d.n));
	secure_wipe(&d, sizeof(d));
	return same ? SCHEME_MATCH : SCHEME_MISMATCH;
}

int
digest_salted_make(const struct scheme *s, struct span password,
    unsigned cost, struct buf *out, struct err *err)
{
	uint8_t salt[DIGEST_SALT];
	struct digest d;
	struct buf raw;

	(void)cost;
	(void)err;
	proc_random(salt, sizeof(salt));
	digest_of(s->detail, password, span_of(salt, sizeof(salt)), &d);
	buf_init(&raw, sizeof(d.bytes) + sizeof(salt));
	buf_append(&raw, d.bytes, d.n);
	buf_append(&raw, salt, sizeof(salt));
	base64_encode(out, buf_span(&raw));
	buf_fini_secret(&raw);
	return 0;
}

enum scheme_verdict
clear_verify(const struct scheme *s, struct span data, struct span password)
{
	struct digest a, b;
	bool same;

	(void)s;
	if (data.n == 0)	/* an empty password is nobody's */
		return SCHEME_UNUSABLE;
	/* by digest, so that not even the length shows in the time */
	digest_of("SHA256", data, SPAN_LIT(""), &a);
	digest_of("SHA256", password, SPAN_LIT(""), &b);
	same = scheme_bytes_equal(span_of(a.bytes, a.n),
	    span_of(b.bytes, b.n));
	secure_wipe(&a, sizeof(a));
	secure_wipe(&b, sizeof(b));
	return same ? SCHEME_MATCH : SCHEME_MISMATCH;
}

int
clear_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err)
{
	(void)s;
	(void)cost;
	(void)err;
	buf_span_add(out, password);
	return 0;
}
