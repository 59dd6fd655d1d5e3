/*
 * Argon2 as its own library encodes it ($argon2id$v=19$m=65536,t=3,p=1$...),
 * which is what Dovecot's {ARGON2ID} and {ARGON2I} hold. Only for imported
 * users: new ones get SCRAM.
 */
#include "config.h"

#include "scheme/scheme_int.h"

#ifdef HAVE_ARGON2

#include <argon2.h>

#include "base/xmalloc.h"

/* What a stored hash may ask of us: memory in KiB, and passes over it. */
#define MEMORY_MAX	(256 * 1024)
#define WORK_MAX	(MEMORY_MAX * 10)
#define LANES_MAX	16

/* The number behind "m=" and so on in "m=65536,t=3,p=1". */
static bool
cost(struct span *rest, const char *name, uint32_t most, uint32_t *n)
{
	struct span word;

	return span_split(rest, ',', &word) && span_starts(word, name) &&
	    span_u32(span_sub(word, 2, word.n), 1, most, n);
}

bool
argon2_check(const struct scheme *s, struct span data)
{
	struct span rest = data, part[6];
	uint32_t m, t, p;
	size_t n = 0;

	if (data.n > SCHEME_STORED_MAX || span_chr(data, '\0') != -1 ||
	    !span_starts(data, s->detail))
		return false;
	while (n < ARRAY_LEN(part) && span_split(&rest, '$', &part[n]))
		n++;
	if (n != ARRAY_LEN(part) || rest.p != NULL ||
	    (!span_eq(part[1], SPAN_LIT("argon2id")) &&
	    !span_eq(part[1], SPAN_LIT("argon2i"))) ||
	    !span_eq(part[2], SPAN_LIT("v=19")) || part[4].n == 0 ||
	    part[5].n == 0)
		return false;
	return cost(&part[3], "m=", MEMORY_MAX, &m) &&
	    cost(&part[3], "t=", WORK_MAX, &t) &&
	    cost(&part[3], "p=", LANES_MAX, &p) && part[3].p == NULL &&
	    (uint64_t)m * t <= WORK_MAX;
}

enum scheme_verdict
argon2_scheme_verify(const struct scheme *s, struct span data,
    struct span password)
{
	argon2_type type = span_starts(data, "$argon2id$") ? Argon2_id :
	    Argon2_i;
	char *encoded;
	int rc;

	if (!argon2_check(s, data))
		return SCHEME_UNUSABLE;
	encoded = xmemdup0(data.p, data.n);
	rc = argon2_verify(encoded, password.p, password.n, type);
	secret_free(&encoded);
	if (rc == ARGON2_OK)
		return SCHEME_MATCH;
	return rc == ARGON2_VERIFY_MISMATCH ? SCHEME_MISMATCH :
	    SCHEME_UNUSABLE;
}

#endif
