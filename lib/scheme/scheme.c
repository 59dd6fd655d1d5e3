#include "config.h"

#include "scheme/scheme_int.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/xmalloc.h"
#include "mail/codec.h"

static const struct scheme schemes[] = {
	{ "SCRAM-SHA-256", scram_verify, scram_check, scram_make, SCHEME_TEXT, "SHA256",
	    true },
	{ "SCRAM-SHA-1", scram_verify, scram_check, NULL, SCHEME_TEXT, "SHA1", false },
	{ "BLF-CRYPT", crypt3_verify, crypt3_check, crypt3_make, SCHEME_TEXT, "$2b$",
	    true },
	{ "SHA512-CRYPT", crypt3_verify, crypt3_check, crypt3_make, SCHEME_TEXT, "$6$",
	    true },
	{ "SHA256-CRYPT", crypt3_verify, crypt3_check, crypt3_make, SCHEME_TEXT, "$5$",
	    true },
	{ "CRYPT", crypt3_verify, crypt3_check, NULL, SCHEME_TEXT, "", true },
	{ "PBKDF2", pbkdf2_verify, pbkdf2_check, NULL, SCHEME_TEXT, "SHA1",
	    false },
#ifdef HAVE_ARGON2
	{ "ARGON2ID", argon2_scheme_verify, argon2_check, NULL, SCHEME_TEXT,
	    "$argon2id$", true },
	{ "ARGON2I", argon2_scheme_verify, argon2_check, NULL, SCHEME_TEXT,
	    "$argon2i$", true },
	{ "ARGON2", argon2_scheme_verify, argon2_check, NULL, SCHEME_TEXT,
	    "$argon2", true },
#endif
	{ "MD5-CRYPT", crypt3_verify, crypt3_check, NULL, SCHEME_TEXT, "", false },
	{ "DES-CRYPT", crypt3_verify, crypt3_check, NULL, SCHEME_TEXT, "", false },
	{ "SSHA512", digest_salted_verify, digest_salted_check, digest_salted_make, SCHEME_B64,
	    "SHA512", false },
	{ "SSHA256", digest_salted_verify, digest_salted_check, digest_salted_make, SCHEME_B64,
	    "SHA256", false },
	{ "SSHA", digest_salted_verify, digest_salted_check, NULL, SCHEME_B64, "SHA1", false },
	{ "SMD5", digest_salted_verify, digest_salted_check, NULL, SCHEME_B64, "MD5", false },
	{ "SHA512", digest_verify, digest_check, NULL, SCHEME_B64, "SHA512", false },
	{ "SHA256", digest_verify, digest_check, NULL, SCHEME_B64, "SHA256", false },
	{ "SHA1", digest_verify, digest_check, NULL, SCHEME_B64, "SHA1", false },
	{ "SHA", digest_verify, digest_check, NULL, SCHEME_B64, "SHA1", false },
	{ "LDAP-MD5", digest_verify, digest_check, NULL, SCHEME_B64, "MD5", false },
	{ "PLAIN-MD5", digest_verify, digest_check, NULL, SCHEME_HEX, "MD5", false },
	{ "PLAIN", clear_verify, clear_check, clear_make, SCHEME_TEXT, "", false },
	{ "CLEAR", clear_verify, clear_check, NULL, SCHEME_TEXT, "", false },
	{ "CLEARTEXT", clear_verify, clear_check, NULL, SCHEME_TEXT, "", false },
};

bool
scheme_bytes_equal(struct span a, struct span b)
{
	return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

static const struct scheme *
scheme_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_is(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static bool
scheme_suffix(struct span suffix, enum scheme_encoding *encoding)
{
	if (span_is(suffix, "HEX"))
		*encoding = SCHEME_HEX;
	else if (span_is(suffix, "B64") || span_is(suffix, "BASE64"))
		*encoding = SCHEME_B64;
	else
		return false;
	return true;
}

/* Cuts a stored string into scheme, encoding and data. */
static const struct scheme *
scheme_cut(struct span stored, enum scheme_encoding *encoding,
    struct span *data)
{
	const struct scheme *s;
	struct span name;
	ptrdiff_t end, dot;

	*data = stored;
	if (stored.n == 0 || stored.n > SCHEME_STORED_MAX)
		return NULL;
	if (span_starts(stored, "$argon2"))
		name = SPAN_LIT("ARGON2");
	else if (stored.p[0] == '$')
		name = SPAN_LIT("CRYPT");
	else if (span_starts(stored, "SCRAM-SHA-256$"))
		name = SPAN_LIT("SCRAM-SHA-256");
	else if (stored.p[0] != '{' || (end = span_chr(stored, '}')) == -1)
		return NULL;
	else {
		name = span_sub(stored, 1, (size_t)end - 1);
		*data = span_sub(stored, (size_t)end + 1, stored.n);
	}
	dot = span_chr(name, '.');
	s = scheme_find(dot == -1 ? name : span_sub(name, 0, (size_t)dot));
	if (s == NULL)
		return NULL;
	*encoding = s->encoding;
	if (dot != -1 && !scheme_suffix(span_sub(name, (size_t)dot + 1,
	    name.n), encoding))
		return NULL;
	return s;
}

static int
hex_digit(char c)
{
	if (ascii_isdigit((unsigned char)c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_decode(struct buf *out, struct span in)
{
	if (in.n % 2 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 2) {
		int high = hex_digit(in.p[i]), low = hex_digit(in.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		buf_char(out, (char)(high << 4 | low));
	}
	return true;
}

/* What a row's functions get: data as it is, or decoded into raw. */
static bool
scheme_data(enum scheme_encoding encoding, struct span data, struct buf *raw,
    struct span *out)
{
	*out = data;
	if (encoding == SCHEME_TEXT)
		return true;
	if (!(encoding == SCHEME_B64 ? base64_decode(raw, data) :
	    hex_decode(raw, data)) || buf_failed(raw))
		return false;
	*out = buf_span(raw);
	return true;
}

enum scheme_verdict
scheme_verify(struct span stored, struct span password)
{
	enum scheme_verdict verdict = SCHEME_UNUSABLE;
	enum scheme_encoding encoding;
	const struct scheme *s;
	struct span data;
	struct buf raw;

	if ((s = scheme_cut(stored, &encoding, &data)) == NULL)
		return SCHEME_UNUSABLE;
	if (password.n > SCHEME_PASSWORD_MAX || span_chr(password, '\0') != -1)
		return SCHEME_MISMATCH;
	buf_init(&raw, SCHEME_STORED_MAX);
	if (scheme_data(encoding, data, &raw, &data))
		verdict = s->verify(s, data, password);
	buf_fini_secret(&raw);
	return verdict;
}

int
scheme_check(struct span stored, struct err *err)
{
	enum scheme_encoding encoding;
	const struct scheme *s;
	struct span data;
	struct buf raw;
	bool ok;

	if (stored.n > SCHEME_STORED_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "a hash has at most %d bytes", SCHEME_STORED_MAX);
	if ((s = scheme_cut(stored, &encoding, &data)) == NULL)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "a hash of no known scheme");
	buf_init(&raw, SCHEME_STORED_MAX);
	ok = scheme_data(encoding, data, &raw, &data) && s->check(s, data);
	buf_fini_secret(&raw);
	return ok ? 0 : err_set(err, ERR_PERM, PS_ESYNTAX,
	    "not a hash of scheme %s", s->name);
}

bool
scheme_is_clear(struct span stored, struct span *password)
{
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_cut(stored, &encoding, password);

	return s != NULL && s->verify == clear_verify &&
	    encoding == SCHEME_TEXT && password->n > 0;
}

int
scheme_make(const char *name, struct span password, unsigned cost,
    struct buf *out, struct err *err)
{
	const struct scheme *s;
	struct buf data;
	int ret;

	if (name == NULL)
		name = SCHEME_DEFAULT;
	s = scheme_find(span_str(name));
	if (s == NULL || s->make == NULL)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "passwords cannot be stored as %.40s", name);
	if (password.n == 0 || span_chr(password, '\0') != -1)
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "a password is not empty and holds no NUL");
	if (password.n > SCHEME_PASSWORD_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "a password has at most %d bytes", SCHEME_PASSWORD_MAX);
	buf_init(&data, SCHEME_STORED_MAX);
	if ((ret = s->make(s, password, cost, &data, err)) == 0) {
		buf_fmt(out, "{%s}", s->name);
		buf_span_add(out, buf_span(&data));
	}
	buf_fini_secret(&data);
	return ret;
}

bool
scheme_is_current(struct span stored, unsigned iterations)
{
	struct scram_verifier v;
	enum scheme_encoding encoding;
	const struct scheme *s;
	struct span data;

	if (scram_verifier_read(stored, &v))
		return v.iterations >= iterations;
	s = scheme_cut(stored, &encoding, &data);
	return s != NULL && s->strong && (s->verify != crypt3_verify ||
	    crypt3_is_strong(data)) && s->verify != scram_verify;
}

const char *
scheme_name_at(size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].make != NULL && n-- == 0)
			return schemes[i].name;
	return NULL;
}
