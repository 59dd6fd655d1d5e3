#include "db/dircache.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define DROP_MAX	4096	/* more than this in one turn: clear instead */
#define SWEEP		2	/* dead entries freed per put */

/* Something answers depend on, and those answers. */
struct subject {
	LIST_HEAD(, dep) deps;
	size_t n;
	size_t key_n;
	char key[];
};

struct dep {
	LIST_ENTRY(dep) link;
	struct subject *on;
	struct entry *entry;
};

struct entry {
	struct cached c;
	struct resolution *res;		/* c.res, and a reference */
	TAILQ_ENTRY(entry) lru;
	uint64_t epoch;			/* older than the cache's: dead */
	bool negative;
	size_t key_n, n_deps;
	char *key;			/* behind deps */
	struct dep deps[];
};
TAILQ_HEAD(entry_list, entry);

struct dircache {
	struct map *entries;		/* key -> entry */
	struct map *subjects;		/* what -> subject */
	struct entry_list list[2];	/* [negative]; newest first */
	size_t n[2], max[2];
	uint64_t epoch;
};

struct dircache *
dircache_new(size_t max_positive, size_t max_negative)
{
	struct dircache *c = xcalloc(1, sizeof(*c));

	c->entries = map_new();
	c->subjects = map_new();
	TAILQ_INIT(&c->list[0]);
	TAILQ_INIT(&c->list[1]);
	c->max[0] = max_positive;
	c->max[1] = max_negative;
	return c;
}

/* --- subjects --- */

static void
dep_tie(struct dircache *c, struct dep *d, struct entry *e, struct span what)
{
	struct subject *s = map_get(c->subjects, what);

	if (s == NULL) {
		s = xmalloc(sizeof(*s) + what.n);
		LIST_INIT(&s->deps);
		s->n = 0;
		s->key_n = what.n;
		memcpy(s->key, what.p, what.n);
		(void)map_put(c->subjects, what, s);
	}
	d->on = s;
	d->entry = e;
	LIST_INSERT_HEAD(&s->deps, d, link);
	s->n++;
}

static void
dep_untie(struct dircache *c, struct dep *d)
{
	struct subject *s = d->on;

	LIST_REMOVE(d, link);
	if (--s->n > 0)
		return;
	(void)map_del(c->subjects, span_of(s->key, s->key_n));
	free(s);
}

/* --- entries --- */

static void
entry_free(struct dircache *c, struct entry *e)
{
	size_t i;

	(void)map_del(c->entries, span_of(e->key, e->key_n));
	for (i = 0; i < e->n_deps; i++)
		dep_untie(c, &e->deps[i]);
	TAILQ_REMOVE(&c->list[e->negative], e, lru);
	c->n[e->negative]--;
	resolution_unref(&e->res);
	free(e);
}

/* Over its cap: the oldest go. Dead ones at the end go too, a few a time. */
static void
list_trim(struct dircache *c, int which)
{
	struct entry *e;
	int swept;

	while (c->n[which] > c->max[which])
		entry_free(c, TAILQ_LAST(&c->list[which], entry_list));
	for (swept = 0; swept < SWEEP; swept++) {
		e = TAILQ_LAST(&c->list[which], entry_list);
		if (e == NULL || e->epoch == c->epoch)
			break;
		entry_free(c, e);
	}
}

void
dircache_free(struct dircache **cp)
{
	struct dircache *c = *cp;
	int which;

	if (c == NULL)
		return;
	for (which = 0; which < 2; which++)
		while (!TAILQ_EMPTY(&c->list[which]))
			entry_free(c, TAILQ_FIRST(&c->list[which]));
	map_free(&c->entries);
	map_free(&c->subjects);
	free(c);
	*cp = NULL;
}

void
dircache_limits(struct dircache *c, size_t max_positive, size_t max_negative)
{
	c->max[0] = max_positive;
	c->max[1] = max_negative;
	list_trim(c, 0);
	list_trim(c, 1);
}

const struct cached *
dircache_get(struct dircache *c, struct span key)
{
	struct entry *e = map_get(c->entries, key);

	if (e == NULL)
		return NULL;
	if (e->epoch != c->epoch) {
		entry_free(c, e);
		return NULL;
	}
	if (e != TAILQ_FIRST(&c->list[e->negative])) {
		TAILQ_REMOVE(&c->list[e->negative], e, lru);
		TAILQ_INSERT_HEAD(&c->list[e->negative], e, lru);
	}
	return &e->c;
}

void
dircache_put(struct dircache *c, struct span key,
    const struct resolution *res, bool negative, uint64_t gen,
    uint64_t at_ms)
{
	struct entry *e = map_get(c->entries, key);
	size_t i, n = res->n_depends_on;

	if (e != NULL)
		entry_free(c, e);
	e = xmalloc(sizeof(*e) + n * sizeof(e->deps[0]) + key.n);
	e->res = resolution_ref(res);
	e->c = (struct cached){ .res = res, .gen = gen, .at_ms = at_ms };
	e->epoch = c->epoch;
	e->negative = negative;
	e->n_deps = n;
	e->key_n = key.n;
	e->key = (char *)&e->deps[n];
	memcpy(e->key, key.p, key.n);
	for (i = 0; i < n; i++)
		dep_tie(c, &e->deps[i], e, span_str(res->depends_on[i]));
	(void)map_put(c->entries, key, e);
	TAILQ_INSERT_HEAD(&c->list[negative], e, lru);
	c->n[negative]++;
	list_trim(c, negative);
}

size_t
dircache_drop(struct dircache *c, struct span what)
{
	struct subject *s = map_get(c->subjects, what);
	size_t n;

	if (s == NULL)
		return 0;
	n = s->n;
	if (n > DROP_MAX) {
		dircache_clear(c);
		return SIZE_MAX;
	}
	/* The subject goes with its last entry: count, don't look at it. */
	for (size_t i = 0; i < n; i++) {
		struct dep *d = LIST_FIRST(&s->deps);

		entry_free(c, d->entry);
	}
	return n;
}

void
dircache_clear(struct dircache *c)
{
	c->epoch++;
}

void
dircache_count(const struct dircache *c, size_t *positive, size_t *negative)
{
	*positive = c->n[0];
	*negative = c->n[1];
}
