/*
 * Dovecot's {PBKDF2}: $1$SALT$ROUNDS$HEX of SHA-1. Only for imported users.
 */
#include "scheme/scheme_int.h"

#include <openssl/evp.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define KEY_LEN		20	/* SHA-1 */
#define SALT_MAX	256

struct pbkdf2 {
	struct span salt;
	uint32_t rounds;
	uint8_t key[KEY_LEN];
};

static bool
pbkdf2_read(struct span data, struct pbkdf2 *p)
{
	static const char digits[] = "0123456789abcdef";
	struct span empty, version, rounds, hex;
	const char *high, *low;
	size_t i;

	if (!span_split(&data, '$', &empty) || empty.n != 0 ||
	    !span_split(&data, '$', &version) ||
	    !span_eq(version, SPAN_LIT("1")) ||
	    !span_split(&data, '$', &p->salt) || p->salt.n == 0 ||
	    p->salt.n > SALT_MAX || !span_split(&data, '$', &rounds) ||
	    !span_u32(rounds, 1, SCHEME_ITERATIONS_MAX, &p->rounds) ||
	    !span_split(&data, '$', &hex) || data.p != NULL ||
	    hex.n != 2 * KEY_LEN)
		return false;
	for (i = 0; i < KEY_LEN; i++) {
		high = memchr(digits, ascii_lower(hex.p[2 * i]), 16);
		low = memchr(digits, ascii_lower(hex.p[2 * i + 1]), 16);
		if (high == NULL || low == NULL)
			return false;
		p->key[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

bool
pbkdf2_check(const struct scheme *s, struct span data)
{
	struct pbkdf2 p;

	(void)s;
	return pbkdf2_read(data, &p);
}

enum scheme_verdict
pbkdf2_verify(const struct scheme *s, struct span data, struct span password)
{
	uint8_t ours[KEY_LEN];
	struct pbkdf2 p;
	bool same;

	if (!pbkdf2_read(data, &p))
		return SCHEME_UNUSABLE;
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
	    (const uint8_t *)p.salt.p, (int)p.salt.n, (int)p.rounds,
	    EVP_get_digestbyname(s->detail), KEY_LEN, ours) != 1)
		log_fatal("PBKDF2 failed");
	same = scheme_bytes_equal(span_of(ours, KEY_LEN),
	    span_of(p.key, KEY_LEN));
	secure_wipe(ours, sizeof(ours));
	return same ? SCHEME_MATCH : SCHEME_MISMATCH;
}
