#include "net/dnscache.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define TTL_MAX		3600u	/* a day's ttl is no reason to miss a change */
#define KEY_MAX		(DNS_NAME_MAX + 8)
#define ENTRY_BYTES	1024	/* more than most take */

struct entry {
	TAILQ_ENTRY(entry) link;	/* least recently used first */
	struct dns_kept *kept;
	uint64_t until_ms;
	size_t n;
	char key[];
};

struct dnscache_ask {
	TAILQ_ENTRY(dnscache_ask) link;
	struct dnscache *cache;
	struct dns_query *query;
	dnscache_cb *cb;
	void *arg;
	size_t n;
	char key[KEY_MAX];
};

struct dnscache {
	struct loop *loop;
	struct dns *dns;
	size_t max;
	size_t bytes;			/* of all entries */
	struct map *map;		/* "TYPE name" -> struct entry */
	TAILQ_HEAD(, entry) used;
	TAILQ_HEAD(, dnscache_ask) asks;
	uint64_t hits, misses;
};

/* --- kept answers --- */

struct dns_kept *
dns_kept_new(const struct dns_answer *a)
{
	size_t i, bytes = 0, why = a->why == NULL ? 0 : strlen(a->why);
	struct dns_record *r;
	struct dns_kept *k;
	char *to;

	for (i = 0; i < a->n_records; i++)
		bytes += a->record[i].data.n;
	bytes += sizeof(*k) + a->n_records * sizeof(*r) + why + 1;
	k = xmalloc(bytes);
	r = (struct dns_record *)(void *)(k + 1);
	to = (char *)(r + a->n_records);
	k->refs = 1;
	k->bytes = bytes;
	k->answer = *a;
	k->answer.record = r;
	for (i = 0; i < a->n_records; i++) {
		r[i] = a->record[i];
		if (r[i].data.n == 0)
			continue;
		memcpy(to, r[i].data.p, r[i].data.n);
		r[i].data.p = to;
		to += r[i].data.n;
	}
	if (why > 0)
		memcpy(to, a->why, why);
	to[why] = '\0';
	k->answer.why = to;
	return k;
}

struct dns_kept *
dns_kept_ref(struct dns_kept *k)
{
	k->refs++;
	return k;
}

void
dns_kept_unref(struct dns_kept **kp)
{
	struct dns_kept *k = *kp;

	*kp = NULL;
	if (k != NULL && --k->refs == 0)
		free(k);
}

/* --- the cache --- */

struct dnscache *
dnscache_new(struct loop *l, struct dns *dns, const struct conf *conf)
{
	struct dnscache *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->dns = dns;
	c->max = (size_t)conf->dns_cache_entries;
	c->map = map_new();
	TAILQ_INIT(&c->used);
	TAILQ_INIT(&c->asks);
	return c;
}

static size_t
entry_bytes(const struct dns_kept *k, size_t key_n)
{
	return sizeof(struct entry) + key_n + k->bytes;
}

static void
entry_drop(struct dnscache *c, struct entry *e)
{
	c->bytes -= entry_bytes(e->kept, e->n);
	(void)map_del(c->map, span_of(e->key, e->n));
	TAILQ_REMOVE(&c->used, e, link);
	dns_kept_unref(&e->kept);
	free(e);
}

void
dnscache_free(struct dnscache **cp)
{
	struct dnscache *c = *cp;
	struct dnscache_ask *a;
	struct entry *e;

	*cp = NULL;
	if (c == NULL)
		return;
	while ((a = TAILQ_FIRST(&c->asks)) != NULL)
		dnscache_cancel(&a);
	while ((e = TAILQ_FIRST(&c->used)) != NULL)
		entry_drop(c, e);
	map_free(&c->map);
	free(c);
}

/* Names are compared without regard to case (RFC 4343); 0: no name of ours
 * is so long. */
static size_t
key_of(const char *name, enum dns_type type, char key[KEY_MAX])
{
	size_t n = (size_t)snprintf(key, KEY_MAX, "%d ", (int)type), i;
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len >= KEY_MAX - n)
		return 0;
	for (i = 0; i < len; i++)
		key[n + i] = ascii_lower(name[i]);
	return n + len;
}

struct dns_kept *
dnscache_peek(struct dnscache *c, const char *name, enum dns_type type)
{
	char key[KEY_MAX];
	size_t n = key_of(name, type, key);
	struct entry *e = n == 0 ? NULL : map_get(c->map, span_of(key, n));

	if (e != NULL && e->until_ms <= loop_now_ms(c->loop)) {
		entry_drop(c, e);
		e = NULL;
	}
	if (e == NULL) {
		c->misses++;
		return NULL;
	}
	c->hits++;
	TAILQ_REMOVE(&c->used, e, link);
	TAILQ_INSERT_TAIL(&c->used, e, link);
	return dns_kept_ref(e->kept);
}

static void
keep(struct dnscache *c, struct span key, struct dns_kept *k)
{
	uint32_t ttl = MIN(k->answer.ttl, TTL_MAX);
	size_t bytes = entry_bytes(k, key.n), most = c->max * ENTRY_BYTES;
	struct entry *e;

	if (ttl == 0 || key.n == 0 || bytes > most)
		return;
	if ((e = map_get(c->map, key)) != NULL)
		entry_drop(c, e);
	while (map_count(c->map) >= c->max || c->bytes + bytes > most)
		entry_drop(c, TAILQ_FIRST(&c->used));
	c->bytes += bytes;
	e = xmalloc(sizeof(*e) + key.n);
	e->kept = dns_kept_ref(k);
	e->until_ms = loop_now_ms(c->loop) + ttl * 1000ull;
	e->n = key.n;
	memcpy(e->key, key.p, key.n);
	(void)map_put(c->map, key, e);
	TAILQ_INSERT_TAIL(&c->used, e, link);
}

static void
answer_cb(const struct dns_answer *answer, void *arg)
{
	struct dnscache_ask *a = arg;
	struct dns_kept *k = dns_kept_new(answer);
	dnscache_cb *cb = a->cb;
	void *cb_arg = a->arg;

	keep(a->cache, span_of(a->key, a->n), k);
	TAILQ_REMOVE(&a->cache->asks, a, link);
	free(a);
	cb(k, cb_arg);
	dns_kept_unref(&k);
}

struct dnscache_ask *
dnscache_ask(struct dnscache *c, const char *name, enum dns_type type,
    dnscache_cb *cb, void *arg)
{
	struct dnscache_ask *a = xcalloc(1, sizeof(*a));

	a->cache = c;
	a->cb = cb;
	a->arg = arg;
	a->n = key_of(name, type, a->key);
	TAILQ_INSERT_TAIL(&c->asks, a, link);
	a->query = dns_lookup(c->dns, name, type, answer_cb, a);
	return a;
}

void
dnscache_cancel(struct dnscache_ask **ap)
{
	struct dnscache_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	dns_cancel(&a->query);
	TAILQ_REMOVE(&a->cache->asks, a, link);
	free(a);
}

void
dnscache_status(const struct dnscache *c, struct buf *json)
{
	buf_fmt(json, "\"dns_entries\": %zu, \"dns_bytes\": %zu, "
	    "\"dns_hits\": %llu, \"dns_misses\": %llu",
	    map_count(c->map), c->bytes,
	    (unsigned long long)c->hits, (unsigned long long)c->misses);
}
