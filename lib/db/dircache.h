/*
 * The directory's memory: resolutions by key, each also found under all that
 * it depends on, in two LRU lists with caps of their own. Knows nothing of
 * the database or of time.
 */
#ifndef DB_DIRCACHE_H
#define DB_DIRCACHE_H

#include "db/directory.h"

struct dircache;

/* What is kept of an answer; lent until the next call on the cache. */
struct cached {
	const struct resolution *res;
	uint64_t gen;			/* the caller's */
	uint64_t at_ms;			/* the caller's */
};

struct dircache *dircache_new(size_t max_positive, size_t max_negative);
void dircache_free(struct dircache **c);
void dircache_limits(struct dircache *c, size_t max_positive,
    size_t max_negative);

/* The entry, now the most recently used of its list; or NULL. */
const struct cached *dircache_get(struct dircache *c, struct span key);
/* Keeps a reference to res under key, in place of what was there. */
void dircache_put(struct dircache *c, struct span key,
    const struct resolution *res, bool negative, uint64_t gen,
    uint64_t at_ms);
/* Forgets all that depends on `what`; returns how many (SIZE_MAX: so many
 * that everything was forgotten instead, to keep the turn short). */
size_t dircache_drop(struct dircache *c, struct span what);
/* Forgets everything at once; memory follows bit by bit. */
void dircache_clear(struct dircache *c);

void dircache_count(const struct dircache *c, size_t *positive,
    size_t *negative);

#endif
