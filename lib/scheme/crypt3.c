/*
 * Everything that crypt(3) knows, by libxcrypt.
 */
#include "scheme/scheme_int.h"

#include <crypt.h>
#include <stdlib.h>

#include "base/proc.h"
#include "base/xmalloc.h"

#define BCRYPT_STRONG	10
#define BCRYPT_USUAL	12
#define SHA2_ROUNDS_USUAL	100000

/* The number behind a prefix, up to '$'; 0 when there is none. */
static uint64_t
crypt3_number(struct span data, const char *prefix)
{
	uint64_t n = 0;
	struct span rest, word;

	if (!span_starts(data, prefix))
		return 0;
	rest = span_sub(data, strlen(prefix), data.n);
	if (!span_split(&rest, '$', &word) ||
	    !span_u64(word, 0, UINT64_MAX, &n))
		return 0;
	return n;
}

static uint64_t
crypt3_bcrypt_cost(struct span data)
{
	if (data.n < 7 || data.p[0] != '$' || data.p[1] != '2')
		return 0;
	return crypt3_number(span_sub(data, 4, data.n), "");
}

bool
crypt3_is_strong(struct span data)
{
	return crypt3_bcrypt_cost(data) >= BCRYPT_STRONG ||
	    span_starts(data, "$6$") || span_starts(data, "$5$") ||
	    span_starts(data, "$y$") || span_starts(data, "$gy$") ||
	    span_starts(data, "$7$");
}

/* crypt(3) of a copy; the result is in *work, wiped and freed by the caller.
 * NULL when it can't be done. */
static const char *
crypt3_hash(struct span password, const char *setting,
    struct crypt_data **work)
{
	char *copy = xmemdup0(password.p, password.n);
	const char *hash;

	*work = xcalloc(1, sizeof(**work));
	hash = crypt_rn(copy, setting, *work, (int)sizeof(**work));
	secret_free(&copy);
	return hash;
}

static void
crypt3_work_free(struct crypt_data **work)
{
	secure_wipe(*work, sizeof(**work));
	free(*work);
	*work = NULL;
}

static bool
crypt3_possible(struct span data)
{
	return data.n >= 13 && data.n < CRYPT_OUTPUT_SIZE &&
	    span_chr(data, '\0') == -1 && crypt3_affordable(data);
}

bool
crypt3_check(const struct scheme *s, struct span data)
{
	char *setting;
	int verdict;

	(void)s;
	if (!crypt3_possible(data))
		return false;
	setting = xmemdup0(data.p, data.n);
	verdict = crypt_checksalt(setting);
	secret_free(&setting);
	/* Old ones verify, too. */
	return verdict == CRYPT_SALT_OK || verdict == CRYPT_SALT_METHOD_LEGACY
	    || verdict == CRYPT_SALT_TOO_CHEAP;
}

enum scheme_verdict
crypt3_verify(const struct scheme *s, struct span data, struct span password)
{
	enum scheme_verdict verdict = SCHEME_UNUSABLE;
	struct crypt_data *work;
	const char *hash;
	char *setting;

	(void)s;
	if (!crypt3_possible(data))
		return SCHEME_UNUSABLE;
	if (password.n > CRYPT_MAX_PASSPHRASE_SIZE)
		return SCHEME_MISMATCH;
	setting = xmemdup0(data.p, data.n);
	hash = crypt3_hash(password, setting, &work);
	if (hash != NULL && hash[0] != '*')
		verdict = scheme_bytes_equal(span_str(hash), data) ?
		    SCHEME_MATCH : SCHEME_MISMATCH;
	crypt3_work_free(&work);
	secret_free(&setting);
	return verdict;
}

int
crypt3_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], random[16];
	struct crypt_data *work;
	const char *hash;
	int ret = 0;

	if (cost == 0)
		cost = s->detail[1] == '2' ? BCRYPT_USUAL : SHA2_ROUNDS_USUAL;
	proc_random(random, sizeof(random));
	if (crypt_gensalt_rn(s->detail, cost, random, sizeof(random), setting,
	    sizeof(setting)) == NULL)
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "%s does not take cost %u", s->name, cost);
	hash = crypt3_hash(password, setting, &work);
	if (hash == NULL || hash[0] == '*')
		ret = err_set(err, ERR_PERM, PS_ETOOBIG,
		    "%s does not take this password", s->name);
	else
		buf_str(out, hash);
	crypt3_work_free(&work);
	return ret;
}
