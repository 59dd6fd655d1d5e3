#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xmalloc.h"

/* Chained buckets; doubles past a load of one, halves below an eighth. */

#define MAP_MIN	16

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t n;
	char key[];
};

struct map {
	struct entry **bucket;
	size_t n_buckets, count;
};

struct map *
map_new(void)
{
	struct map *m = xcalloc(1, sizeof(*m));

	m->n_buckets = MAP_MIN;
	m->bucket = xcalloc(m->n_buckets, sizeof(*m->bucket));
	return m;
}

void
map_free(struct map **mp)
{
	struct map *m = *mp;
	struct entry *e, *next;
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->n_buckets; i++)
		for (e = m->bucket[i]; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	free(m->bucket);
	free(m);
	*mp = NULL;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

/* The link that points to the key's entry, or to the NULL where it would go. */
static struct entry **
map_link(const struct map *m, struct span key, uint64_t hash)
{
	struct entry **link = &m->bucket[hash & (m->n_buckets - 1)];

	for (; *link != NULL; link = &(*link)->next)
		if ((*link)->hash == hash &&
		    span_eq(span_of((*link)->key, (*link)->n), key))
			break;
	return link;
}

static void
map_resize(struct map *m, size_t n)
{
	struct entry **bucket = xcalloc(n, sizeof(*bucket)), *e, *next;
	size_t i;

	for (i = 0; i < m->n_buckets; i++)
		for (e = m->bucket[i]; e != NULL; e = next) {
			next = e->next;
			e->next = bucket[e->hash & (n - 1)];
			bucket[e->hash & (n - 1)] = e;
		}
	free(m->bucket);
	m->bucket = bucket;
	m->n_buckets = n;
}

void *
map_get(const struct map *m, struct span key)
{
	struct entry *e = *map_link(m, key, siphash(key.p, key.n));

	return e == NULL ? NULL : e->value;
}

void *
map_put(struct map *m, struct span key, void *value)
{
	uint64_t hash = siphash(key.p, key.n);
	struct entry **link = map_link(m, key, hash), *e = *link;
	void *old;

	ps_assert(value != NULL);
	if (e != NULL) {
		old = e->value;
		e->value = value;
		return old;
	}
	e = xmalloc(sizeof(*e) + key.n);
	*e = (struct entry){ .hash = hash, .value = value, .n = key.n };
	if (key.n > 0)
		memcpy(e->key, key.p, key.n);
	*link = e;
	if (++m->count > m->n_buckets)
		map_resize(m, m->n_buckets * 2);
	return NULL;
}

void *
map_del(struct map *m, struct span key)
{
	struct entry **link = map_link(m, key, siphash(key.p, key.n));
	struct entry *e = *link;
	void *old;

	if (e == NULL)
		return NULL;
	old = e->value;
	*link = e->next;
	free(e);
	m->count--;
	/* Shrinking waits for the next put, so that map_next may delete. */
	return old;
}

bool
map_next(const struct map *m, size_t *pos, struct span *key, void **value)
{
	/* *pos: bucket number in the upper bits, place in chain below. The
	 * entry returned last may be gone, so walk each chain from its end:
	 * deleting one does not move those before it. */
	size_t b = *pos >> 16, done = *pos & 0xffff, len, i;
	struct entry *e;

	for (; b < m->n_buckets; b++, done = 0) {
		for (len = 0, e = m->bucket[b]; e != NULL; e = e->next)
			len++;
		if (done == 0 || done > len + 1)	/* it was changed */
			done = len + 1;
		if (done == 1)
			continue;
		for (i = 2, e = m->bucket[b]; i < done; i++)
			e = e->next;
		if (key != NULL)
			*key = span_of(e->key, e->n);
		if (value != NULL)
			*value = e->value;
		*pos = b << 16 | (done - 1);
		return true;
	}
	*pos = b << 16;
	return false;
}

void *
map_get_u64(const struct map *m, uint64_t key)
{
	return map_get(m, span_of(&key, sizeof(key)));
}

void *
map_put_u64(struct map *m, uint64_t key, void *value)
{
	return map_put(m, span_of(&key, sizeof(key)), value);
}

void *
map_del_u64(struct map *m, uint64_t key)
{
	return map_del(m, span_of(&key, sizeof(key)));
}
