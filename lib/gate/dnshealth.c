#include "gate/dnshealth.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "gate/dnslist.h"

#define TESTS_AT_ONCE	8	/* of two look-ups each */
#define STATUS_MAX	40000	/* bytes of `postern status' */
#define HEALTH_MAGIC	0x646e7368u

/* A list and one kind of question. */
struct test {
	struct zone *zone;
	enum list_kind kind;
	bool wanted;		/* somebody uses it so */
	struct listhealth health;
	/* [0] must be there, [1] must not */
	struct probe {
		struct test *test;
		struct dns_query *query;	/* NULL: it has come */
		enum list_entry got;
	} probe[2];
	bool running;
};

struct zone {
	TAILQ_ENTRY(zone) link;
	struct dnshealth *h;
	struct test test[LIST_KINDS];
	bool exempt;
	char name[];		/* in lower case */
};

struct dnshealth {
	uint32_t magic;
	struct dns *dns;
	uint64_t interval_ms;	/* 0: nothing is tested */
	char *exempt;		/* dnsbl_self_test_exempt */
	struct map *by_name;
	TAILQ_HEAD(, zone) zones;
	size_t n;
	unsigned running;
	struct timer due;
	TAILQ_HEAD(, dnshealth_wait) waits;
	dnshealth_changed_cb *changed;
	void *arg;
};

static void due_cb(void *arg);

static bool
is_exempt(const struct dnshealth *h, const char *name)
{
	struct span rest = span_str(h->exempt), word;

	while (conf_list_next(&rest, &word))
		if (span_is(word, name))
			return true;
	return false;
}

/* NULL: there are too many. */
static struct zone *
zone_of(struct dnshealth *h, const char *name)
{
	char key[DNS_NAME_MAX];
	struct zone *z;
	size_t n, i;

	for (n = 0; name[n] != '\0'; n++) {
		if (n == sizeof(key) - 1)
			return NULL;
		key[n] = ascii_lower(name[n]);
	}
	if ((z = map_get(h->by_name, span_of(key, n))) != NULL)
		return z;
	if (h->n >= DNSHEALTH_LISTS_MAX)
		return NULL;
	z = xcalloc(1, sizeof(*z) + n + 1);
	z->h = h;
	memcpy(z->name, key, n);
	z->exempt = is_exempt(h, z->name);
	for (i = 0; i < LIST_KINDS; i++) {
		z->test[i].zone = z;
		z->test[i].kind = (enum list_kind)i;
	}
	map_put(h->by_name, span_of(z->name, n), z);
	TAILQ_INSERT_TAIL(&h->zones, z, link);
	h->n++;
	return z;
}

/* --- one test --- */

static enum list_entry
entry_of(const struct dns_answer *a)
{
	enum list_entry got = LIST_ENTRY_ABSENT;
	size_t i;

	if (a->result == DNS_TEMPFAIL)
		return LIST_ENTRY_SILENT;
	for (i = 0; i < a->n_records; i++)
		switch (dnslist_answer_kind(a->record[i].addr)) {
		case DNSLIST_COUNTS:
			return LIST_ENTRY_LISTED;
		case DNSLIST_REFUSES:
			got = LIST_ENTRY_REFUSED;
			break;
		case DNSLIST_OUTSIDE:
			if (got == LIST_ENTRY_ABSENT)
				got = LIST_ENTRY_OUTSIDE;
			break;
		}
	return got;
}

/* Those who wait ask again; who must wait on comes back. */
static void
wake(struct dnshealth *h)
{
	struct dnshealth_wait *w;
	void (*cb)(void *arg);

	while ((w = TAILQ_FIRST(&h->waits)) != NULL) {
		cb = w->cb;
		dnshealth_wait_end(w);
		cb(w->arg);
	}
}

static void
told(const struct test *t)
{
	const struct listhealth *s = &t->health;
	const char *zone = t->zone->name, *kind = list_kind_name(t->kind);
	bool good = s->state == LIST_GOOD;

	if (good)
		log_info("dnsbl resumed list=%s for=\"%s\"", zone, kind);
	else if (t->kind == LIST_IPV6)
		/* many lists have none, and nobody need do anything */
		log_info("dnsbl suspended list=%s for=\"%s\" why=\"%s\"", zone,
		    kind, s->why);
	else
		log_warning("dnsbl suspended list=%s for=\"%s\" why=\"%s\"",
		    zone, kind, s->why);
}

static void
finished(struct test *t)
{
	struct dnshealth *h = t->zone->h;
	enum list_state was = t->health.state;

	t->running = false;
	h->running--;
	if (listhealth_learn(&t->health, t->kind, t->probe[0].got,
	    t->probe[1].got, t->zone->exempt, h->interval_ms,
	    clock_mono_ms()) && (was == LIST_SUSPENDED ||
	    t->health.state == LIST_SUSPENDED)) {
		told(t);
		if (h->changed != NULL)
			h->changed(t->zone->name, t->kind,
			    t->health.state == LIST_GOOD, t->health.why,
			    h->arg);
	}
	wake(h);
	due_cb(h);
}

static void
probe_cb(const struct dns_answer *a, void *arg)
{
	struct probe *p = arg;
	struct test *t = p->test;

	p->query = NULL;
	p->got = entry_of(a);
	if (t->probe[0].query == NULL && t->probe[1].query == NULL)
		finished(t);
}

/* The entry's name under the list's zone; false: it would be too long. */
static bool
entry_name(enum list_kind kind, bool have, const char *zone,
    char out[DNS_NAME_MAX])
{
	static const char *const entries[LIST_KINDS][2] = {
		[LIST_IPV4] = { "127.0.0.2", "127.0.0.1" },
		[LIST_IPV6] = { "::ffff:7f00:2", "::ffff:7f00:1" },
		[LIST_NAMES] = { "test", "invalid" },
	};
	const char *entry = entries[kind][have ? 0 : 1];
	int n;

	if (kind != LIST_NAMES)
		return dns_reverse_name(entry, zone, out);
	n = snprintf(out, DNS_NAME_MAX, "%s.%s", entry, zone);
	return n > 0 && n < DNS_NAME_MAX;
}

static void
start(struct test *t)
{
	struct dnshealth *h = t->zone->h;
	char name[2][DNS_NAME_MAX];
	int i;

	t->running = true;
	h->running++;
	for (i = 0; i < 2; i++) {
		t->probe[i].test = t;
		/* what has no such name is said to be not there */
		if (!entry_name(t->kind, i == 0, t->zone->name, name[i]))
			(void)snprintf(name[i], DNS_NAME_MAX, "%s",
			    t->zone->name);
		t->probe[i].query = dns_lookup(h->dns, name[i], DNS_A,
		    probe_cb, &t->probe[i]);
	}
}

/* --- when --- */

/* Starts what is due; sets the timer to the next. */
static void
due_cb(void *arg)
{
	struct dnshealth *h = OBJ_CAST(arg, dnshealth, HEALTH_MAGIC);
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;
	struct zone *z;
	struct test *t;

	TAILQ_FOREACH(z, &h->zones, link)
		for (t = z->test; t < z->test + LIST_KINDS; t++) {
			if (!t->wanted || t->running || h->interval_ms == 0)
				continue;
			if (!listhealth_due(&t->health, now))
				next = MIN(next, t->health.next_ms);
			else if (h->running < TESTS_AT_ONCE)
				start(t);
			/* else `finished' comes by here */
		}
	if (next == UINT64_MAX)
		timer_clear(&h->due);
	else
		timer_set_ms(&h->due, next - now);
}

/* NULL: it is not watched. */
static struct test *
want(struct dnshealth *h, const char *name, enum list_kind kind)
{
	struct zone *z = h->interval_ms == 0 ? NULL : zone_of(h, name);

	if (z == NULL)
		return NULL;
	if (!z->test[kind].wanted) {
		z->test[kind].wanted = true;
		timer_set_ms(&h->due, 0);
	}
	return &z->test[kind];
}

/* It has nobody of IPv6, but is well: not one that is gone altogether. */
static bool
is_without_ipv6(const struct test *t)
{
	return t->health.no_ipv6 &&
	    t->zone->test[LIST_IPV4].health.state == LIST_GOOD;
}

enum list_use
dnshealth_use(struct dnshealth *h, const char *zone, enum list_kind kind)
{
	const struct test *t = want(h, zone, kind);

	if (t == NULL || t->health.state == LIST_GOOD)
		return LIST_USE_YES;
	if (t->health.state != LIST_SUSPENDED)
		return LIST_USE_WAIT;
	return is_without_ipv6(t) ? LIST_USE_NEVER : LIST_USE_NO;
}

const char *
dnshealth_why(struct dnshealth *h, const char *zone, enum list_kind kind)
{
	const struct test *t = want(h, zone, kind);

	return t == NULL || t->health.state != LIST_SUSPENDED ? "" :
	    t->health.why;
}

void
dnshealth_doubt(struct dnshealth *h, const char *zone, enum list_kind kind)
{
	struct test *t = want(h, zone, kind);
	uint64_t before;

	if (t == NULL || t->running)
		return;
	before = t->health.next_ms;
	listhealth_doubt(&t->health, clock_mono_ms());
	if (t->health.next_ms != before)
		timer_set_ms(&h->due, 0);
}

void
dnshealth_watch(struct dnshealth *h, const struct gate *g)
{
	const struct dnslist *l;
	bool names;
	size_t i;

	for (i = 0; (l = gate_dnslist_at(g, i, &names)) != NULL; i++)
		if (names)
			(void)want(h, dnslist_zone(l), LIST_NAMES);
		else {
			(void)want(h, dnslist_zone(l), LIST_IPV4);
			(void)want(h, dnslist_zone(l), LIST_IPV6);
		}
}

/* --- who waits --- */

void
dnshealth_wait(struct dnshealth *h, struct dnshealth_wait *w,
    void (*cb)(void *arg), void *arg)
{
	if (w->cb != NULL)
		return;
	w->h = h;
	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&h->waits, w, link);
}

void
dnshealth_wait_end(struct dnshealth_wait *w)
{
	if (w->cb == NULL)
		return;
	TAILQ_REMOVE(&w->h->waits, w, link);
	w->cb = NULL;
}

/* --- what is told --- */

static void
test_status(const struct test *t, uint64_t now_ms, struct buf *json)
{
	static const char *const states[] = { [LIST_UNTESTED] = "untested",
		[LIST_GOOD] = "ok", [LIST_SUSPENDED] = "suspended" };
	const struct listhealth *s = &t->health;

	buf_str(json, "{\"list\": ");
	json_put_string(json, span_str(t->zone->name));
	buf_fmt(json, ", \"for\": \"%s\", \"state\": \"%s\", "
	    "\"since_s\": %llu, \"tested_s\": %llu, \"why\": ",
	    list_kind_name(t->kind), states[s->state],
	    (unsigned long long)(s->since_ms == 0 ? 0 :
	    (now_ms - s->since_ms) / 1000),
	    (unsigned long long)(s->tested_ms == 0 ? 0 :
	    (now_ms - s->tested_ms) / 1000));
	json_put_string(json, span_str(s->why));
	buf_char(json, '}');
}

void
dnshealth_status(const struct dnshealth *h, struct buf *json)
{
	uint64_t now = clock_mono_ms();
	const struct zone *z;
	const struct test *t;
	unsigned suspended = 0;
	bool first = true;

	buf_str(json, "\"dnsbl\": [");
	TAILQ_FOREACH(z, &h->zones, link)
		for (t = z->test; t < z->test + LIST_KINDS; t++) {
			if (!t->wanted)
				continue;
			suspended += t->health.state == LIST_SUSPENDED;
			if (buf_len(json) > STATUS_MAX)
				continue;
			buf_str(json, first ? "" : ", ");
			first = false;
			test_status(t, now, json);
		}
	buf_fmt(json, "], \"dnsbl_suspended\": %u", suspended);
}

/* --- life --- */

void
dnshealth_on_change(struct dnshealth *h, dnshealth_changed_cb *cb, void *arg)
{
	h->changed = cb;
	h->arg = arg;
}

void
dnshealth_reload(struct dnshealth *h, const struct conf *conf)
{
	struct zone *z;
	size_t i;

	h->interval_ms = (uint64_t)conf->dnsbl_self_test_interval;
	free(h->exempt);
	h->exempt = xstrdup(conf->dnsbl_self_test_exempt);
	TAILQ_FOREACH(z, &h->zones, link) {
		z->exempt = is_exempt(h, z->name);
		/* until somebody names it again; what is known of it stays */
		for (i = 0; i < LIST_KINDS; i++)
			z->test[i].wanted = false;
	}
	timer_set_ms(&h->due, 0);
}

struct dnshealth *
dnshealth_new(struct loop *l, struct dns *dns, const struct conf *conf)
{
	struct dnshealth *h = xcalloc(1, sizeof(*h));

	h->magic = HEALTH_MAGIC;
	h->dns = dns;
	h->by_name = map_new();
	TAILQ_INIT(&h->zones);
	TAILQ_INIT(&h->waits);
	timer_init(&h->due, l, due_cb, h);
	dnshealth_reload(h, conf);
	return h;
}

static void
zone_free(struct zone *z)
{
	struct test *t;

	for (t = z->test; t < z->test + LIST_KINDS; t++) {
		dns_cancel(&t->probe[0].query);
		dns_cancel(&t->probe[1].query);
	}
	free(z);
}

void
dnshealth_free(struct dnshealth **hp)
{
	struct dnshealth *h = *hp;
	struct dnshealth_wait *w;
	struct zone *z;

	*hp = NULL;
	if (h == NULL)
		return;
	while ((w = TAILQ_FIRST(&h->waits)) != NULL)
		dnshealth_wait_end(w);
	while ((z = TAILQ_FIRST(&h->zones)) != NULL) {
		TAILQ_REMOVE(&h->zones, z, link);
		zone_free(z);
	}
	map_free(&h->by_name);
	timer_clear(&h->due);
	free(h->exempt);
	h->magic = 0;
	free(h);
}
