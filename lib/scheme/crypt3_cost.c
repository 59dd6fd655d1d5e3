/*
 * What a stored hash of crypt(3) asks of us. Who may set a password, a domain
 * admin for one, may write any cost into it, and the check of one password
 * must not keep a thread for an hour: a few seconds of work, and no more memory
 * than Argon2 may have. A method that is not in the table is not computed.
 */
#include "scheme/scheme_int.h"

#define BCRYPT_COST_MAX		17
#define SUNMD5_ROUNDS_MAX	1000000
#define MEMORY_MAX		(256ull << 20)
#define MEMORY_TIMES_MAX	4		/* passes over that much */
#define LOG2_MAX		30
#define SINGLE_MAX		47	/* yescrypt: more takes more digits */

/* The number up to '$'. */
static bool
number_within(struct span s, uint64_t most)
{
	struct span word;
	uint64_t n;

	return span_split(&s, '$', &word) && span_u64(word, 0, most, &n);
}

static bool
cheap(struct span rest)
{
	(void)rest;
	return true;
}

/* "a$12$..." */
static bool
bcrypt_fits(struct span rest)
{
	return rest.n > 2 && number_within(span_sub(rest, 2, rest.n),
	    BCRYPT_COST_MAX);
}

/* "salt$...", "rounds=5000$salt$..." */
static bool
sha2_fits(struct span rest)
{
	static const char rounds[] = "rounds=";

	return !span_starts(rest, rounds) || number_within(span_sub(rest,
	    sizeof(rounds) - 1, rest.n), SCHEME_ITERATIONS_MAX);
}

/* "20000$salt$..." */
static bool
sha1_fits(struct span rest)
{
	return number_within(rest, SCHEME_ITERATIONS_MAX);
}

/* "$salt$...", ",rounds=5000$salt$..." */
static bool
sunmd5_fits(struct span rest)
{
	static const char rounds[] = ",rounds=";

	return span_starts(rest, "$") || (span_starts(rest, rounds) &&
	    number_within(span_sub(rest, sizeof(rounds) - 1, rest.n),
	    SUNMD5_ROUNDS_MAX));
}

/* crypt(3)'s digits: "./0-9A-Za-z". */
static uint32_t
digit(char c)
{
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 38;
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A') + 12;
	return c >= '.' && c <= '9' ? (uint32_t)(c - '.') : UINT32_MAX;
}

/* scrypt and what is made of it take 128 * r * 2^log2_n bytes, p times. */
static bool
memory_fits(uint32_t log2_n, uint64_t r, uint64_t p)
{
	return log2_n <= LOG2_MAX && r > 0 && r <= MEMORY_MAX / 128 &&
	    (128 * r) << log2_n <= MEMORY_MAX && p > 0 &&
	    p <= MEMORY_TIMES_MAX * MEMORY_MAX / ((128 * r) << log2_n);
}

/* "j9T$salt$...": flavour, log2 of N, r. What else may stand there nobody
 * writes for passwords. */
static bool
yescrypt_fits(struct span rest)
{
	struct span word;
	size_t i;

	if (!span_split(&rest, '$', &word) || word.n != 3)
		return false;
	for (i = 0; i < word.n; i++)
		if (digit(word.p[i]) > SINGLE_MAX)
			return false;
	return memory_fits(digit(word.p[1]) + 1, digit(word.p[2]) + 1, 1);
}

/* Five digits, the lowest first. */
static bool
five_digits(struct span s, uint64_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < 5; i++) {
		if (i >= s.n || digit(s.p[i]) > 63)
			return false;
		*n |= (uint64_t)digit(s.p[i]) << (6 * i);
	}
	return true;
}

/* "CU..../....salt$...": log2 of N, r, p. */
static bool
scrypt_fits(struct span rest)
{
	uint64_t r, p;

	return rest.n > 11 && five_digits(span_sub(rest, 1, 5), &r) &&
	    five_digits(span_sub(rest, 6, 5), &p) &&
	    memory_fits(digit(rest.p[0]), r, p);
}

static const struct {
	const char *prefix;
	bool (*fits)(struct span rest);
} methods[] = {
	{ "$1$", cheap }, { "$2", bcrypt_fits }, { "$3$", cheap },
	{ "$5$", sha2_fits }, { "$6$", sha2_fits }, { "$7$", scrypt_fits },
	{ "$y$", yescrypt_fits }, { "$gy$", yescrypt_fits },
	{ "$sha1$", sha1_fits }, { "$md5", sunmd5_fits },
};

bool
crypt3_affordable(struct span data)
{
	size_t i;

	/* DES: that of BSD counts, too, but not far */
	if (!span_starts(data, "$"))
		return true;
	for (i = 0; i < ARRAY_LEN(methods); i++)
		if (span_starts(data, methods[i].prefix))
			return methods[i].fits(span_sub(data,
			    strlen(methods[i].prefix), data.n));
	return false;
}
