#include "smtpd/greylist.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define PASS_GAP_MS	(3600 * 1000)	/* one pass an hour counts */
#define WRITTEN_MS	(365LL * 24 * 3600 * 1000)
#define TOUCH_PART	50	/* last seen is told when it is that part of
				 * its life old */
#define SWEEP_MAX	64
#define LOADS		16384	/* lists of who waits, by origin */
#define LOAD_PART	32	/* of all room for one of them */
#define LOAD_MIN	64

enum sort { WAITING, KNOWN, ORIGIN, EXEMPT, SORTS };

/* One entry of any sort, in the list of its sort: the one that was silent
 * longest in front. */
struct entry {
	TAILQ_ENTRY(entry) link;
	TAILQ_ENTRY(entry) mate;	/* WAITING: in the load of its origin */
	enum sort sort;
	bool written;			/* EXEMPT */
	int64_t first_ms, last_ms, passed_ms, expires_ms;
	int64_t passes, waited_ms;	/* ORIGIN; last pass is passed_ms */
	int64_t told_ms;		/* others know last_ms so far */
	size_t key_n;
	char key[];			/* a triplet's has NULs between */
};
TAILQ_HEAD(entries, entry);

/* What waits of one origin, or of some; who came first in front. */
struct load {
	struct entries waiting;
	size_t n;
};

struct greylist {
	struct grey_rules rules;
	const struct greylist_ops *ops;
	void *arg;
	struct map *triplets, *origins, *exempts;
	struct entries list[SORTS];
	size_t count[SORTS];
	struct load load[LOADS];
	unsigned lengths_v4[33], lengths_v6[129];	/* of exempt networks */
	struct buf key;				/* the one in hand */
	struct greylist_stats stats;
};

/* --- entries --- */

static struct map *
map_of(const struct greylist *g, enum sort s)
{
	return s == ORIGIN ? g->origins : s == EXEMPT ? g->exempts :
	    g->triplets;
}

static struct span
entry_key(const struct entry *e)
{
	return span_of(e->key, e->key_n);
}

/* Its n-th part. */
static struct span
key_part(const struct entry *e, int n)
{
	struct span rest = entry_key(e), part = SPAN_NONE;

	while (n-- >= 0)
		(void)span_split(&rest, '\0', &part);
	return part;
}

static struct span
triplet_key(struct greylist *g, struct span origin, struct span sender,
    struct span recipient)
{
	buf_clear(&g->key);
	buf_span_add(&g->key, origin);
	buf_char(&g->key, '\0');
	buf_span_add(&g->key, sender);
	buf_char(&g->key, '\0');
	buf_span_add(&g->key, recipient);
	return buf_span(&g->key);
}

static struct load *
load_of(struct greylist *g, struct span origin)
{
	return &g->load[siphash(origin.p, origin.n) % LOADS];
}

static void
load_in(struct greylist *g, struct entry *e)
{
	struct load *l = load_of(g, key_part(e, 0));

	TAILQ_INSERT_TAIL(&l->waiting, e, mate);
	l->n++;
}

static void
load_out(struct greylist *g, struct entry *e)
{
	struct load *l = load_of(g, key_part(e, 0));

	TAILQ_REMOVE(&l->waiting, e, mate);
	l->n--;
}

/* "net:192.0.2.0/24": which lengths there are, so that few are looked for. */
static void
lengths_note(struct greylist *g, struct span item, int by)
{
	ptrdiff_t slash = span_rchr(item, '/');
	bool v6 = span_chr(span_sub(item, 4, item.n), ':') != -1;
	uint32_t bits;

	if (!span_starts(item, "net:") || slash == -1 || !span_u32(
	    span_sub(item, (size_t)slash + 1, item.n), 0, v6 ? 128 : 32,
	    &bits))
		return;
	if (v6)
		g->lengths_v6[bits] += (unsigned)by;
	else
		g->lengths_v4[bits] += (unsigned)by;
}

static void
list_in(struct greylist *g, struct entry *e, enum sort s)
{
	e->sort = s;
	TAILQ_INSERT_TAIL(&g->list[s], e, link);
	g->count[s]++;
	if (s == WAITING)
		load_in(g, e);
}

static void
list_out(struct greylist *g, struct entry *e)
{
	TAILQ_REMOVE(&g->list[e->sort], e, link);
	g->count[e->sort]--;
	if (e->sort == WAITING)
		load_out(g, e);
}

static void
forget(struct greylist *g, struct entry *e)
{
	list_out(g, e);
	(void)map_del(map_of(g, e->sort), entry_key(e));
	if (e->sort == EXEMPT)
		lengths_note(g, entry_key(e), -1);
	free(e);
}

/* Behind all others of its sort. */
static void
move(struct greylist *g, struct entry *e, enum sort s)
{
	list_out(g, e);
	list_in(g, e, s);
}

/* Room for one more. */
static void
make_room(struct greylist *g, enum sort s)
{
	struct entry *e = NULL;
	size_t n;

	if (map_count(map_of(g, s)) < g->rules.most)
		return;
	if (s == WAITING || s == KNOWN)
		e = TAILQ_FIRST(&g->list[WAITING]);
	if (e == NULL)
		e = TAILQ_FIRST(&g->list[s]);
	/* what an administrator said is kept while there is anything else */
	for (n = g->count[s]; n > 1 && s == EXEMPT && !e->written; n--) {
		move(g, e, s);
		e = TAILQ_FIRST(&g->list[s]);
	}
	if (e == NULL)
		return;
	g->stats.crowded++;
	forget(g, e);
}

static struct entry *
entry_new(struct greylist *g, enum sort s, struct span key)
{
	struct entry *e;

	make_room(g, s);
	e = xcalloc(1, sizeof(*e) + key.n);
	e->key_n = key.n;
	memcpy(e->key, key.p, key.n);
	(void)map_put(map_of(g, s), key, e);
	list_in(g, e, s);
	if (s == EXEMPT)
		lengths_note(g, key, 1);
	return e;
}

/* Live, or NULL. */
static struct entry *
find(struct greylist *g, enum sort s, struct span key, int64_t now)
{
	struct entry *e = map_get(map_of(g, s), key);

	if (e != NULL && e->expires_ms <= now) {
		forget(g, e);
		return NULL;
	}
	return e;
}

/* --- telling others --- */

static void
tell(struct greylist *g, struct entry *e)
{
	e->told_ms = e->last_ms;
	if (e->sort == ORIGIN)
		g->ops->origin(&(struct grey_origin){ .origin = entry_key(e),
		    .passes = e->passes, .last_pass_ms = e->passed_ms,
		    .waited_ms = e->waited_ms, .last_ms = e->last_ms,
		    .expires_ms = e->expires_ms }, g->arg);
	else if (e->sort == EXEMPT)
		g->ops->exempt(&(struct grey_exempt){ .item = entry_key(e),
		    .written = true, .expires_ms = e->expires_ms }, g->arg);
	else
		g->ops->triplet(&(struct grey_triplet){
		    .origin = key_part(e, 0), .sender = key_part(e, 1),
		    .recipient = key_part(e, 2), .first_ms = e->first_ms,
		    .last_ms = e->last_ms, .passed_ms = e->passed_ms,
		    .expires_ms = e->expires_ms }, g->arg);
}

/* Seen again. True when that is worth telling. */
static bool
touch(struct greylist *g, struct entry *e, int64_t now, int64_t life)
{
	e->last_ms = MAX(e->last_ms, now);
	e->expires_ms = MAX(e->expires_ms, now + life);
	move(g, e, e->sort);
	return now - e->told_ms >= life / TOUCH_PART;
}

/* --- who never waits --- */

static struct entry *
find_item(struct greylist *g, const char *kind, struct span what, int64_t now)
{
	buf_clear(&g->key);
	buf_str(&g->key, kind);
	buf_span_add(&g->key, what);
	return find(g, EXEMPT, buf_span(&g->key), now);
}

/* The name, and those it is below. */
static bool
client_is_exempt(struct greylist *g, struct span name, int64_t now)
{
	ptrdiff_t dot;

	while (name.n > 0) {
		if (find_item(g, "client:", name, now) != NULL)
			return true;
		dot = span_chr(name, '.');
		name = dot == -1 ? SPAN_NONE :
		    span_sub(name, (size_t)dot + 1, name.n);
	}
	return false;
}

static bool
network_is_exempt(struct greylist *g, const struct net_addr *a, int64_t now)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = memcmp(a->b, v4, sizeof(v4)) == 0, found = false;
	const unsigned *lengths = is_v4 ? g->lengths_v4 : g->lengths_v6;
	unsigned bits, most = is_v4 ? 32 : 128;
	struct buf net;

	buf_init(&net, 128);
	for (bits = 0; bits <= most && !found; bits++) {
		if (lengths[bits] == 0)
			continue;
		buf_clear(&net);
		grey_network(a, bits, bits, &net);
		found = find_item(g, "net:", buf_span(&net), now) != NULL;
	}
	buf_fini(&net);
	return found;
}

static bool
recipient_wants_none(struct greylist *g, struct span recipient, int64_t now)
{
	ptrdiff_t at = span_rchr(recipient, '@');

	return find_item(g, "to:", recipient, now) != NULL || (at != -1 &&
	    find_item(g, "to:", span_sub(recipient, (size_t)at,
	    recipient.n), now) != NULL);
}

static enum grey_why
exemption(struct greylist *g, const struct grey_question *q, int64_t now)
{
	struct entry *e;

	if (map_count(g->exempts) == 0)
		return GREY_NEW;
	if (recipient_wants_none(g, q->recipient, now))
		return GREY_UNWANTED;
	if (q->sender_as_is.n > 0 &&
	    (e = find_item(g, "from:", q->sender_as_is, now)) != NULL)
		return e->written ? GREY_WRITTEN : GREY_EXEMPT;
	if (client_is_exempt(g, q->client, now) ||
	    client_is_exempt(g, q->origin, now) ||
	    network_is_exempt(g, &q->address, now))
		return GREY_EXEMPT;
	return GREY_NEW;
}

/* --- origins --- */

/* Why it need not wait; GREY_NEW: it must. */
static enum grey_why
trust(const struct greylist *g, const struct entry *o)
{
	const struct grey_rules *r = &g->rules;

	if (r->clients_after > 0 && o->passes >= (int64_t)r->clients_after)
		return GREY_TRUSTED;
	if (r->budget_ms > 0 && o->waited_ms >= r->budget_ms)
		return GREY_BUDGET;
	return GREY_NEW;
}

/* Something of it was let through, after `waited` (0: it was known). */
static void
origin_passed(struct greylist *g, struct span origin, int64_t waited,
    int64_t now)
{
	struct entry *o = find(g, ORIGIN, origin, now);
	enum grey_why before;

	if (o == NULL) {
		o = entry_new(g, ORIGIN, origin);
		o->first_ms = now;
		o->passed_ms = now - PASS_GAP_MS;
	}
	before = trust(g, o);
	(void)touch(g, o, now, g->rules.max_age_ms);
	if (waited == 0 && now - o->passed_ms < PASS_GAP_MS)
		return;
	if (now - o->passed_ms >= PASS_GAP_MS) {
		o->passes++;
		o->passed_ms = now;
	}
	o->waited_ms += waited;
	tell(g, o);
	if (before == GREY_NEW && trust(g, o) == GREY_BUDGET)
		g->ops->budget(&(struct grey_origin){ .origin = origin,
		    .passes = o->passes, .waited_ms = o->waited_ms }, g->arg);
}

/* --- the verdict --- */

/* True with *answer, when it need not be looked at further. */
static bool
origin_answers(struct greylist *g, struct span origin, int64_t now,
    struct grey_answer *answer)
{
	struct entry *o = find(g, ORIGIN, origin, now);

	if (o == NULL || (answer->why = trust(g, o)) == GREY_NEW)
		return false;
	if (touch(g, o, now, g->rules.max_age_ms))
		tell(g, o);
	return true;
}

/* An origin that floods us has its share: whoever of it waits longest makes
 * room. Not who is new: others may have the same provider, or only the same
 * load, and are to pass when they come back. Others need not hear of any of it
 * before that. */
static void
wait_anew(struct greylist *g, const struct grey_question *q, int64_t now)
{
	size_t most = MAX(g->rules.most / LOAD_PART, (size_t)LOAD_MIN);
	struct load *l = load_of(g, q->origin);
	bool floods = l->n >= most;
	struct entry *e;

	if (floods) {
		g->stats.crowded++;
		forget(g, TAILQ_FIRST(&l->waiting));
	}
	e = entry_new(g, WAITING, triplet_key(g, q->origin, q->sender,
	    q->recipient));
	e->first_ms = e->last_ms = now;
	e->expires_ms = now + g->rules.window_ms;
	if (!floods)
		tell(g, e);
}

static void
came_back(struct greylist *g, struct entry *e, struct span origin,
    int64_t now, struct grey_answer *answer)
{
	int64_t waited = now - e->first_ms;

	answer->why = GREY_CAME_BACK;
	answer->waited_s = (uint32_t)MIN(waited / 1000, (int64_t)UINT32_MAX);
	e->passed_ms = now;
	e->last_ms = now;
	e->expires_ms = now + g->rules.max_age_ms;
	move(g, e, KNOWN);
	tell(g, e);
	origin_passed(g, origin, MAX(waited, 1), now);
}

static void
triplet_answers(struct greylist *g, const struct grey_question *q,
    int64_t now, struct grey_answer *answer)
{
	struct entry *e = find(g, WAITING, triplet_key(g, q->origin,
	    q->sender, q->recipient), now);
	int64_t left;

	if (e == NULL) {
		wait_anew(g, q, now);
		answer->why = GREY_NEW;
		left = g->rules.delay_ms;
	} else if (e->sort == KNOWN) {
		answer->why = GREY_KNOWN;
		if (touch(g, e, now, g->rules.max_age_ms))
			tell(g, e);
		origin_passed(g, q->origin, 0, now);
		return;
	} else {
		/* a clock that was set back makes nobody wait longer */
		e->first_ms = MIN(e->first_ms, now);
		left = e->first_ms + g->rules.delay_ms - now;
		if (left <= 0) {
			came_back(g, e, q->origin, now, answer);
			return;
		}
		answer->why = GREY_EARLY;
	}
	answer->wait = true;
	answer->wait_s = (uint32_t)((left + 999) / 1000);
}

void
greylist_ask(struct greylist *g, const struct grey_question *q, int64_t now,
    struct grey_answer *answer)
{
	*answer = (struct grey_answer){ .why = exemption(g, q, now) };
	if (answer->why == GREY_NEW && !origin_answers(g, q->origin, now,
	    answer))
		triplet_answers(g, q, now, answer);
	g->stats.whys[answer->why]++;
	greylist_sweep(g, now);
}

void
greylist_wrote(struct greylist *g, struct span address, int64_t now)
{
	struct entry *e = find_item(g, "from:", address, now);

	if (e == NULL) {
		e = entry_new(g, EXEMPT, buf_span(&g->key));
		e->first_ms = now;
		e->written = true;
		(void)touch(g, e, now, WRITTEN_MS);
		tell(g, e);
	} else if (e->written && touch(g, e, now, WRITTEN_MS))
		tell(g, e);
}

/* --- from others --- */

/* The entry for a row; NULL: it was forgotten, or there is nothing of it. */
static struct entry *
applied(struct greylist *g, enum sort s, struct span key, int64_t expires,
    bool *fresh)
{
	struct entry *e = map_get(map_of(g, s), key);

	*fresh = e == NULL;
	if (expires == 0) {
		if (e != NULL)
			forget(g, e);
		return NULL;
	}
	if (e == NULL)
		e = entry_new(g, s, key);
	e->expires_ms = MAX(e->expires_ms, expires);
	return e;
}

static void
seen(struct entry *e, int64_t last_ms)
{
	e->last_ms = MAX(e->last_ms, last_ms);
	e->told_ms = MAX(e->told_ms, last_ms);
}

void
greylist_apply_triplet(struct greylist *g, const struct grey_triplet *t)
{
	bool fresh;
	struct entry *e = applied(g, WAITING, triplet_key(g, t->origin,
	    t->sender, t->recipient), t->expires_ms, &fresh);

	if (e == NULL)
		return;
	e->first_ms = fresh ? t->first_ms : MIN(e->first_ms, t->first_ms);
	seen(e, t->last_ms);
	if (t->passed_ms > 0) {
		e->passed_ms = e->passed_ms == 0 ? t->passed_ms :
		    MIN(e->passed_ms, t->passed_ms);
		move(g, e, KNOWN);
	}
}

void
greylist_apply_origin(struct greylist *g, const struct grey_origin *o)
{
	bool fresh;
	struct entry *e = applied(g, ORIGIN, o->origin, o->expires_ms,
	    &fresh);

	if (e == NULL)
		return;
	e->passes = MAX(e->passes, o->passes);
	e->waited_ms = MAX(e->waited_ms, o->waited_ms);
	e->passed_ms = MAX(e->passed_ms, o->last_pass_ms);
	seen(e, o->last_ms);
}

void
greylist_apply_exempt(struct greylist *g, const struct grey_exempt *x)
{
	bool fresh;
	struct entry *e = applied(g, EXEMPT, x->item, x->expires_ms, &fresh);

	if (e == NULL)
		return;
	e->written = x->written;
	seen(e, x->expires_ms - WRITTEN_MS);
}

void
greylist_sweep(struct greylist *g, int64_t now)
{
	struct entry *e;
	int s, n = SWEEP_MAX;

	for (s = 0; s < SORTS; s++)
		while (n > 0 && (e = TAILQ_FIRST(&g->list[s])) != NULL &&
		    e->expires_ms <= now) {
			forget(g, e);
			n--;
		}
}

/* --- life --- */

struct greylist *
greylist_new(const struct grey_rules *rules, const struct greylist_ops *ops,
    void *arg)
{
	struct greylist *g = xcalloc(1, sizeof(*g));
	size_t i;
	int s;

	g->rules = *rules;
	g->ops = ops;
	g->arg = arg;
	g->triplets = map_new();
	g->origins = map_new();
	g->exempts = map_new();
	for (s = 0; s < SORTS; s++)
		TAILQ_INIT(&g->list[s]);
	for (i = 0; i < LOADS; i++)
		TAILQ_INIT(&g->load[i].waiting);
	buf_init(&g->key, BUF_NO_CAP);
	return g;
}

void
greylist_free(struct greylist **gp)
{
	struct greylist *g = *gp;
	struct entry *e;
	int s;

	*gp = NULL;
	if (g == NULL)
		return;
	for (s = 0; s < SORTS; s++)
		while ((e = TAILQ_FIRST(&g->list[s])) != NULL)
			forget(g, e);
	map_free(&g->triplets);
	map_free(&g->origins);
	map_free(&g->exempts);
	buf_fini(&g->key);
	free(g);
}

void
greylist_configure(struct greylist *g, const struct grey_rules *rules)
{
	g->rules = *rules;
}

void
greylist_stats(const struct greylist *g, struct greylist_stats *out)
{
	*out = g->stats;
	out->waiting = g->count[WAITING];
	out->known = g->count[KNOWN];
	out->origins = g->count[ORIGIN];
	out->exempt = g->count[EXEMPT];
}
