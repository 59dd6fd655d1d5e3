#include "db/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "db/db.h"

#define CHANNEL		"postern_verify"
#define VERDICTS_MAGIC	0x76657264u
#define LOOKUP_MAGIC	0x766c6b70u
#define KEPT_MAX	50000	/* some 200 bytes each */
#define FRESH_MS	60000	/* longest that a NOTIFY may be missed, should a
				 * pooler in between lose our LISTEN */
#define DOWN_PATIENCE_MS 5000	/* after this nobody waits for a connection */

/* What is remembered, most recently used first. */
struct kept {
	TAILQ_ENTRY(kept) link;
	struct verdict *verdict;
	uint64_t gen;			/* the connection that told */
	uint64_t at_ms, age_ms;		/* when, and how old it was then */
	size_t key_n;
	char key[];
};

struct verdict_ask {
	TAILQ_ENTRY(verdict_ask) link;
	struct lookup *lookup;
	verdict_cb *cb;
	void *arg;
};

/* A query on its way, or an answer that waits for the loop's next turn, and
 * all who wait for it. */
struct lookup {
	uint32_t magic;
	struct verdicts *v;
	TAILQ_ENTRY(lookup) ready;
	TAILQ_HEAD(, verdict_ask) asks;
	struct verdict *verdict;	/* ready */
	bool dropped;			/* told of a change meanwhile */
	size_t key_n;
	char key[];
};

struct verdicts {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	char *password;			/* until it connects */
	struct db *db;			/* NULL: not asked yet */
	uint64_t gen;			/* connections so far */
	struct map *by_key, *lookups;
	TAILQ_HEAD(kept_list, kept) kept;
	TAILQ_HEAD(ready_list, lookup) ready;
	struct defer ready_defer;
	uint64_t hits, queries, stale, temp;
};

/* --- verdicts --- */

struct verdict *
verdict_ref(const struct verdict *v)
{
	struct verdict *mine = (struct verdict *)(uintptr_t)v;

	mine->refs++;
	return mine;
}

void
verdict_unref(struct verdict **vp)
{
	struct verdict *v = *vp;

	*vp = NULL;
	if (v != NULL && --v->refs == 0)
		free(v);
}

static struct verdict *
verdict_new(enum verdict_status status, struct span why)
{
	struct verdict *v;

	why = span_sub(why, 0, VERDICT_WHY_MAX);
	v = xmalloc(sizeof(*v) + why.n + 1);
	v->refs = 1;
	v->status = status;
	if (why.n > 0)
		memcpy(v->why, why.p, why.n);
	v->why[why.n] = '\0';
	return v;
}

static struct verdict *
verdict_plain(enum verdict_status status)
{
	return verdict_new(status, SPAN_NONE);
}

static enum verdict_status
status_of(struct span word)
{
	return span_is(word, "ok") ? VERDICT_OK : span_is(word, "bounce") ?
	    VERDICT_BOUNCE : span_is(word, "defer") ? VERDICT_DEFER :
	    VERDICT_NONE;
}

/* --- what is remembered --- */

static void
forget(struct verdicts *v, struct kept *k)
{
	(void)map_del(v->by_key, span_of(k->key, k->key_n));
	TAILQ_REMOVE(&v->kept, k, link);
	verdict_unref(&k->verdict);
	free(k);
}

static struct kept *
recall(struct verdicts *v, struct span key)
{
	struct kept *k = map_get(v->by_key, key);

	if (k == NULL)
		return NULL;
	TAILQ_REMOVE(&v->kept, k, link);
	TAILQ_INSERT_HEAD(&v->kept, k, link);
	return k;
}

static void
keep(struct verdicts *v, struct span key, struct verdict *verdict,
    uint64_t age_ms)
{
	struct kept *k = map_get(v->by_key, key);

	if (k != NULL)
		forget(v, k);
	else if (map_count(v->by_key) >= KEPT_MAX)
		forget(v, TAILQ_LAST(&v->kept, kept_list));
	k = xmalloc(sizeof(*k) + key.n);
	*k = (struct kept){ .verdict = verdict_ref(verdict), .gen = v->gen,
	    .at_ms = loop_now_ms(v->loop), .age_ms = age_ms,
	    .key_n = key.n };
	memcpy(k->key, key.p, key.n);
	TAILQ_INSERT_HEAD(&v->kept, k, link);
	(void)map_put(v->by_key, span_of(k->key, k->key_n), k);
}

/* Young enough to be believed? Failures only where they are kept at all. */
static bool
is_believed(const struct verdicts *v, const struct kept *k)
{
	const struct conf *conf = v->conf;
	uint64_t age = k->age_ms + loop_now_ms(v->loop) - k->at_ms;

	if (k->verdict->status == VERDICT_OK)
		return age < (uint64_t)conf->address_verify_positive_expire_time;
	return conf->address_verify_negative_cache &&
	    age < (uint64_t)conf->address_verify_negative_expire_time;
}

/* What it comes to by now. */
static struct verdict *
told(const struct verdicts *v, const struct kept *k)
{
	return k->verdict->status == VERDICT_NONE || is_believed(v, k) ?
	    verdict_ref(k->verdict) : verdict_plain(VERDICT_NONE);
}

static bool
is_live(const struct verdicts *v)
{
	return v->db != NULL && db_state(v->db) == DB_UP &&
	    db_listening(v->db);
}

/* While nobody can be asked: what was said last, if it was anything. */
static struct verdict *
told_stale(struct verdicts *v, struct span key)
{
	struct kept *k = recall(v, key);

	if (k != NULL && k->verdict->status != VERDICT_NONE &&
	    is_believed(v, k)) {
		v->stale++;
		return verdict_ref(k->verdict);
	}
	v->temp++;
	return verdict_plain(VERDICT_TEMP);
}

struct verdict *
verdicts_peek(struct verdicts *v, struct span address)
{
	struct kept *k = recall(v, address);

	if (k == NULL || !is_live(v) || k->gen != v->gen ||
	    loop_now_ms(v->loop) - k->at_ms > FRESH_MS)
		return NULL;
	v->hits++;
	return told(v, k);
}

/* --- look-ups --- */

static void
lookup_tell(struct lookup *lk, const struct verdict *verdict)
{
	struct verdict_ask *a;
	verdict_cb *cb;
	void *arg;

	(void)map_del(lk->v->lookups, span_of(lk->key, lk->key_n));
	while ((a = TAILQ_FIRST(&lk->asks)) != NULL) {
		cb = a->cb;
		arg = a->arg;
		TAILQ_REMOVE(&lk->asks, a, link);
		free(a);
		cb(verdict, arg);
	}
	lk->magic = 0;
	verdict_unref(&lk->verdict);
	free(lk);
}

static void
ready_cb(void *arg)
{
	struct verdicts *v = OBJ_CAST(arg, verdicts, VERDICTS_MAGIC);
	struct ready_list now;
	struct lookup *lk;

	/* who asks again from his callback is answered next turn */
	TAILQ_INIT(&now);
	TAILQ_CONCAT(&now, &v->ready, ready);
	while ((lk = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, lk, ready);
		lookup_tell(lk, lk->verdict);
	}
}

static void
answer_cb(const struct db_result *r, void *arg)
{
	struct lookup *lk = OBJ_CAST(arg, lookup, LOOKUP_MAGIC);
	struct verdicts *v = lk->v;
	struct span key = span_of(lk->key, lk->key_n);
	struct verdict *verdict;
	int64_t age_s;

	if (!db_ok(r)) {
		if (db_sqlstate(r)[0] != '\0')
			log_error("verdicts: %.*s: %s", SPAN_ARG(key),
			    db_err(r)->why);
		verdict = told_stale(v, key);
	} else if (db_rows(r) == 0) {
		verdict = verdict_plain(VERDICT_NONE);
		if (!lk->dropped)
			keep(v, key, verdict, 0);
	} else {
		verdict = verdict_new(status_of(db_get(r, 0, 0)),
		    db_get(r, 0, 1));
		age_s = MIN(MAX(db_i64(r, 0, 2, 0), 0), INT32_MAX);
		keep(v, key, verdict, (uint64_t)age_s * 1000);
		verdict_unref(&verdict);
		verdict = told(v, map_get(v->by_key, key));
		if (lk->dropped)
			forget(v, map_get(v->by_key, key));
	}
	lookup_tell(lk, verdict);
	verdict_unref(&verdict);
}

static void
state_cb(enum db_state state, void *arg)
{
	struct verdicts *v = OBJ_CAST(arg, verdicts, VERDICTS_MAGIC);

	/* what changed while we did not listen is not known: asked again */
	if (state == DB_UP)
		v->gen++;
}

/* An answer on its way may be from before the change. */
static void
notify_cb(struct span payload, void *arg)
{
	struct verdicts *v = OBJ_CAST(arg, verdicts, VERDICTS_MAGIC);
	struct kept *k = map_get(v->by_key, payload);
	bool all = span_is(payload, "*");
	struct lookup *lk;
	struct span key;
	size_t pos = 0;
	void *p;

	v->gen += all;
	if (k != NULL)
		forget(v, k);
	while (map_next(v->lookups, &pos, &key, &p)) {
		lk = p;
		lk->dropped |= all || span_eq(key, payload);
	}
}

static void
connect_once(struct verdicts *v)
{
	struct db_config c;

	if (v->db != NULL)
		return;
	c = db_config_of(v->conf, v->conf->database_role_lookup, v->password);
	v->db = db_new(v->loop, &c);
	secret_free(&v->password);
	db_listen(v->db, CHANNEL, notify_cb, v);
	db_on_state(v->db, state_cb, v);
}

static struct lookup *
lookup_start(struct verdicts *v, struct span key)
{
	struct lookup *lk = xmalloc(sizeof(*lk) + key.n);
	struct db_param p = DB_TEXT(key);

	*lk = (struct lookup){ .magic = LOOKUP_MAGIC, .v = v,
	    .key_n = key.n };
	TAILQ_INIT(&lk->asks);
	memcpy(lk->key, key.p, key.n);
	(void)map_put(v->lookups, key, lk);
	if (db_state(v->db) != DB_UP &&
	    db_state_ms(v->db) > DOWN_PATIENCE_MS) {
		lk->verdict = told_stale(v, key);
		TAILQ_INSERT_TAIL(&v->ready, lk, ready);
		defer_call(&v->ready_defer);
		return lk;
	}
	v->queries++;
	(void)db_ask(v->db, "SELECT status, why, age_s FROM verify_lookup($1)",
	    &p, 1, DB_AGAIN, answer_cb, lk);
	return lk;
}

struct verdict_ask *
verdicts_ask(struct verdicts *v, struct span address, verdict_cb *cb,
    void *arg)
{
	struct verdict_ask *a = xcalloc(1, sizeof(*a));
	struct lookup *lk = map_get(v->lookups, address);

	connect_once(v);
	if (lk == NULL)
		lk = lookup_start(v, address);
	a->lookup = lk;
	a->cb = cb;
	a->arg = arg;
	TAILQ_INSERT_TAIL(&lk->asks, a, link);
	return a;
}

void
verdicts_cancel(struct verdict_ask **ap)
{
	struct verdict_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	TAILQ_REMOVE(&a->lookup->asks, a, link);
	free(a);	/* the query goes on: it fills the memory */
}

/* --- life --- */

struct verdicts *
verdicts_new(struct loop *l, struct conf *conf, const char *password)
{
	struct verdicts *v = xcalloc(1, sizeof(*v));

	v->magic = VERDICTS_MAGIC;
	v->loop = l;
	v->conf = conf_ref(conf);
	v->password = password == NULL ? NULL : xstrdup(password);
	v->by_key = map_new();
	v->lookups = map_new();
	TAILQ_INIT(&v->kept);
	TAILQ_INIT(&v->ready);
	defer_init(&v->ready_defer, l, ready_cb, v);
	return v;
}

void
verdicts_free(struct verdicts **vp)
{
	struct verdicts *v = *vp;
	struct verdict_ask *a;
	struct lookup *lk;
	struct kept *k;
	size_t pos = 0;
	void *p;

	if (v == NULL)
		return;
	*vp = NULL;
	v->magic = 0;
	db_free(&v->db);
	defer_cancel(&v->ready_defer);
	while (map_next(v->lookups, &pos, NULL, &p)) {
		lk = p;
		while ((a = TAILQ_FIRST(&lk->asks)) != NULL) {
			TAILQ_REMOVE(&lk->asks, a, link);
			free(a);
		}
		verdict_unref(&lk->verdict);
		free(lk);
	}
	while ((k = TAILQ_FIRST(&v->kept)) != NULL)
		forget(v, k);
	map_free(&v->lookups);
	map_free(&v->by_key);
	secret_free(&v->password);
	conf_unref(&v->conf);
	free(v);
}

void
verdicts_reload(struct verdicts *v, struct conf *conf)
{
	conf_ref(conf);
	conf_unref(&v->conf);
	v->conf = conf;
}

void
verdicts_status(struct verdicts *v, struct buf *json)
{
	buf_fmt(json, "\"verify\": {\"kept\": %zu, \"hits\": %llu, "
	    "\"queries\": %llu, \"stale_served\": %llu, \"temp\": %llu}",
	    map_count(v->by_key), (unsigned long long)v->hits,
	    (unsigned long long)v->queries, (unsigned long long)v->stale,
	    (unsigned long long)v->temp);
}
