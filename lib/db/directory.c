#include "db/directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/directory_private.h"
#include "db/resolution.h"

#define LOOKUP_MAGIC	0x64697202u
#define KEY_MAX		600	/* longer than any normal form */
#define DOWN_PATIENCE_MS 5000	/* after this nobody waits for a connection */
#define ANSWER_MS	7500	/* most that a look-up may take */

struct directory_ask {
	TAILQ_ENTRY(directory_ask) link;
	struct ask_list *list;		/* a lookup's, or dir->ready */
	struct resolution *res;		/* on dir->ready */
	directory_cb *cb;
	void *arg;
};

/* A query on its way and all who wait for it. */
struct lookup {
	uint32_t magic;
	struct directory *d;
	uint64_t settings;		/* of d when it was asked */
	struct ask_list asks;
	size_t key_n;
	char key[];
};

/* --- what may be used --- */

bool
directory_is_live(struct directory *d)
{
	return db_listening(d->db) && d->unfit == NULL &&
	    loop_now_ms(d->loop) - d->heard_ms <=
	    (uint64_t)d->conf->directory_stale_after;
}

bool
directory_is_stale(struct directory *d)
{
	return !directory_is_live(d);
}

static bool
is_fresh(struct directory *d, const struct cached *e)
{
	return e->gen == d->gen && directory_is_live(d);
}

/* Young enough to be served when nothing better can be had? */
static bool
is_servable(struct directory *d, const struct cached *e)
{
	uint64_t known;

	if (e->gen == d->gen)
		known = d->heard_ms;
	else if (d->gen - e->gen < GENS)
		known = d->heard[e->gen % GENS];
	else
		return false;
	known = MAX(known, e->at_ms);
	return loop_now_ms(d->loop) - known <=
	    (uint64_t)d->conf->directory_max_stale;
}

static bool
is_negative(const struct resolution *r)
{
	return r->class == RESOLVE_NOT_LOCAL || r->class == RESOLVE_UNKNOWN ||
	    r->class == RESOLVE_DISABLED;
}

/* The entry for key if it can be answered without a query. */
static const struct resolution *
cached_find(struct directory *d, struct span key)
{
	const struct cached *e = dircache_get(d->cache, key);

	if (e == NULL)
		return NULL;
	if (is_fresh(d, e)) {
		d->stats.hits++;
		return e->res;
	}
	if (db_state(d->db) != DB_UP && is_servable(d, e)) {
		d->stats.stale_served++;
		return e->res;
	}
	return NULL;
}

/* --- asks --- */

static struct directory_ask *
ask_new(struct ask_list *list, directory_cb *cb, void *arg)
{
	struct directory_ask *a = xcalloc(1, sizeof(*a));

	a->cb = cb;
	a->arg = arg;
	a->list = list;
	TAILQ_INSERT_TAIL(list, a, link);
	return a;
}

static void
ask_free(struct directory_ask *a)
{
	TAILQ_REMOVE(a->list, a, link);
	resolution_unref(&a->res);
	free(a);
}

static void
ask_tell(struct directory_ask *a, const struct resolution *res)
{
	struct resolution *mine = resolution_ref(res);
	directory_cb *cb = a->cb;
	void *arg = a->arg;

	ask_free(a);
	cb(mine, arg);
	resolution_unref(&mine);
}

static void
ready_cb(void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);
	struct directory_ask *a, *last = TAILQ_LAST(&d->ready, ask_list);
	bool end = false;

	/* `last` may be cancelled on the way; then this is a longer turn, at
	 * most by what callbacks add: a list that is still finite. */
	while (!end && (a = TAILQ_FIRST(&d->ready)) != NULL) {
		end = a == last;
		ask_tell(a, a->res);
	}
	if (!TAILQ_EMPTY(&d->ready))
		defer_call(&d->ready_defer);
}

static struct directory_ask *
ask_ready(struct directory *d, struct resolution *res, directory_cb *cb,
    void *arg)
{
	struct directory_ask *a = ask_new(&d->ready, cb, arg);

	a->res = res;
	defer_call(&d->ready_defer);
	return a;
}

/* --- look-ups --- */

static void
lookup_end(struct lookup *lk, const struct resolution *res)
{
	struct directory_ask *a;

	(void)map_del(lk->d->lookups, span_of(lk->key, lk->key_n));
	while ((a = TAILQ_FIRST(&lk->asks)) != NULL)
		ask_tell(a, res);
	lk->magic = 0;
	free(lk);
}

/* No answer came: what was known before, or TEMP. */
static struct resolution *
lookup_failed(struct directory *d, struct span key, const char *why)
{
	const struct cached *e = dircache_get(d->cache, key);

	if (e != NULL && is_servable(d, e)) {
		d->stats.stale_served++;
		return resolution_ref(e->res);
	}
	d->stats.temp++;
	return resolution_plain(key, RESOLVE_TEMP, why);
}

static void
lookup_cb(const struct db_result *r, void *arg)
{
	struct lookup *lk = OBJ_CAST(arg, lookup, LOOKUP_MAGIC);
	struct directory *d = lk->d;
	struct span key = span_of(lk->key, lk->key_n);
	struct resolution *res;

	if (d->unfit != NULL)
		res = lookup_failed(d, key, d->unfit);
	else if (db_ok(r)) {
		res = resolution_of_rows(key, r, d->host_id);
		/* Before mail for our own is taken as another host's. */
		if (d->host_id == 0 && res->n_mailboxes > 0) {
			resolution_unref(&res);
			res = lookup_failed(d, key,
			    "this host is not in the database");
		} else if (res->class == RESOLVE_TEMP)
			log_error("directory: %.*s: %s", SPAN_ARG(key),
			    res->why);
		else if (db_state(d->db) == DB_UP &&
		    lk->settings == d->settings)
			dircache_put(d->cache, key, res, is_negative(res),
			    d->gen, loop_now_ms(d->loop));
	} else if (db_err(r)->kind == ERR_PERM)
		res = resolution_plain(key, RESOLVE_UNKNOWN, db_err(r)->why);
	else {
		if (db_err(r)->kind == ERR_BUG || db_sqlstate(r)[0] != '\0')
			log_error("directory: %.*s: %s", SPAN_ARG(key),
			    db_err(r)->why);
		res = lookup_failed(d, key, db_err(r)->why);
	}
	lookup_end(lk, res);
	resolution_unref(&res);
}

static struct lookup *
lookup_start(struct directory *d, struct span key)
{
	struct lookup *lk = xmalloc(sizeof(*lk) + key.n);
	bool is_domain = key.p[0] == '@';
	struct db_param params[] = {
		DB_TEXT(is_domain ? span_sub(key, 1, key.n) : key),
		DB_TEXT(span_str(d->conf->recipient_delimiter)),
	};

	*lk = (struct lookup){ .magic = LOOKUP_MAGIC, .d = d,
	    .settings = d->settings, .key_n = key.n };
	TAILQ_INIT(&lk->asks);
	memcpy(lk->key, key.p, key.n);
	(void)map_put(d->lookups, key, lk);
	d->stats.queries++;
	if (is_domain)
		(void)db_ask(d->db, "SELECT item, value, id FROM "
		    "resolve_domain($1)", params, 1, DB_AGAIN, lookup_cb, lk);
	else
		(void)db_ask(d->db, "SELECT " RESOLVE_COLUMNS " FROM "
		    "resolve_recipient($1, $2)", params, 2, DB_AGAIN,
		    lookup_cb, lk);
	return lk;
}

/* Nobody of such a name can be in the database; don't even ask it. */
static bool
key_is_sane(struct span key)
{
	size_t i;

	if (key.n < 2 || key.n > KEY_MAX || span_chr(key, '@') < 0 ||
	    key.p[key.n - 1] == '@' || !span_is_utf8(key))
		return false;
	for (i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] < ' ' || key.p[i] == 0x7f)
			return false;
	return true;
}

static struct directory_ask *
resolve_key(struct directory *d, struct span key, directory_cb *cb,
    void *arg)
{
	const struct resolution *res;
	struct lookup *lk;

	if (!key_is_sane(key))
		return ask_ready(d, resolution_plain(span_sub(key, 0, KEY_MAX),
		    RESOLVE_UNKNOWN, "not a mail address"), cb, arg);
	if ((res = cached_find(d, key)) != NULL)
		return ask_ready(d, resolution_ref(res), cb, arg);
	d->stats.misses++;
	if ((lk = map_get(d->lookups, key)) != NULL) {
		d->stats.joined++;
		return ask_new(&lk->asks, cb, arg);
	}
	if (d->unfit != NULL)
		return ask_ready(d, lookup_failed(d, key, d->unfit), cb, arg);
	if (db_state(d->db) != DB_UP &&
	    db_state_ms(d->db) > DOWN_PATIENCE_MS)
		return ask_ready(d, lookup_failed(d, key, db_why(d->db)), cb,
		    arg);
	lk = lookup_start(d, key);
	return ask_new(&lk->asks, cb, arg);
}

struct resolution *
directory_peek(struct directory *d, struct span address)
{
	const struct resolution *res;

	if (address.n < 2 || address.p[0] == '@')
		return NULL;
	res = cached_find(d, address);
	return res == NULL ? NULL : resolution_ref(res);
}

struct directory_ask *
directory_resolve(struct directory *d, struct span address, directory_cb *cb,
    void *arg)
{
	if (address.n > 0 && address.p[0] == '@')
		return ask_ready(d, resolution_plain(SPAN_NONE,
		    RESOLVE_UNKNOWN, "not a mail address"), cb, arg);
	return resolve_key(d, address, cb, arg);
}

/* Domains are kept under "@domain", which is nobody's address. */
static struct span
domain_key(char *mem, struct span domain)
{
	size_t n = MIN(domain.n, (size_t)KEY_MAX);

	mem[0] = '@';
	if (n > 0)
		memcpy(mem + 1, domain.p, n);
	return span_of(mem, n + 1);
}

struct resolution *
directory_domain_peek(struct directory *d, struct span domain)
{
	char mem[KEY_MAX + 1];
	const struct resolution *res;

	res = cached_find(d, domain_key(mem, domain));
	return res == NULL ? NULL : resolution_ref(res);
}

struct directory_ask *
directory_domain(struct directory *d, struct span domain, directory_cb *cb,
    void *arg)
{
	char mem[KEY_MAX + 1];

	return resolve_key(d, domain_key(mem, domain), cb, arg);
}

void
directory_cancel(struct directory_ask **ap)
{
	struct directory_ask *a = *ap;

	*ap = NULL;
	if (a != NULL)
		ask_free(a);	/* the query goes on and fills the cache */
}

/* --- the public face --- */

struct directory *
directory_new(struct loop *l, struct conf *conf, const char *password)
{
	struct directory *d = xcalloc(1, sizeof(*d));
	struct db_config c = db_config_of(conf, conf->database_role_lookup,
	    password);

	/* A heartbeat without answer ends the connection, and must do so well
	 * before its silence makes everything stale. */
	c.query_timeout_ms = (uint32_t)MIN(conf->directory_stale_after / 2,
	    ANSWER_MS);
	c.statement_timeout_ms = c.query_timeout_ms * 2 / 3 + 1;
	d->magic = DIRECTORY_MAGIC;
	d->loop = l;
	d->conf = conf_ref(conf);
	d->cache = dircache_new((size_t)conf->directory_cache_entries,
	    (size_t)conf->directory_cache_negative_entries);
	d->lookups = map_new();
	TAILQ_INIT(&d->ready);
	defer_init(&d->ready_defer, l, ready_cb, d);
	directory_link_init(d, &c);
	return d;
}

void
directory_free(struct directory **dp)
{
	struct directory *d = *dp;
	struct directory_ask *a;
	struct lookup *lk;
	size_t pos = 0;
	void *v;

	if (d == NULL)
		return;
	d->magic = 0;
	db_free(&d->db);
	while (map_next(d->lookups, &pos, NULL, &v)) {
		lk = v;
		while ((a = TAILQ_FIRST(&lk->asks)) != NULL)
			ask_free(a);
		free(lk);
	}
	map_free(&d->lookups);
	while ((a = TAILQ_FIRST(&d->ready)) != NULL)
		ask_free(a);
	defer_cancel(&d->ready_defer);
	timer_clear(&d->heartbeat);
	free(d->unfit);
	dircache_free(&d->cache);
	conf_unref(&d->conf);
	free(d);
	*dp = NULL;
}

void
directory_reload(struct directory *d, struct conf *conf)
{
	bool same = strcmp(conf->recipient_delimiter,
	    d->conf->recipient_delimiter) == 0;

	conf_ref(conf);
	conf_unref(&d->conf);
	d->conf = conf;
	if (!same) {
		dircache_clear(d->cache);
		d->settings++;
	}
	dircache_limits(d->cache, (size_t)conf->directory_cache_entries,
	    (size_t)conf->directory_cache_negative_entries);
}

void
directory_stats(const struct directory *d, struct directory_stats *s)
{
	*s = d->stats;
	dircache_count(d->cache, &s->positive, &s->negative);
}

void
directory_status(struct directory *d, struct buf *json)
{
	struct directory_stats s;
	struct db_stats q;

	directory_stats(d, &s);
	db_stats(d->db, &q);
	buf_fmt(json, "\"directory\": {\"database\": \"%s\", "
	    "\"since_ms\": %llu, \"stale\": %s, ",
	    db_state(d->db) == DB_UP ? "up" : "down",
	    (unsigned long long)db_state_ms(d->db),
	    directory_is_live(d) ? "false" : "true");
	buf_fmt(json, "\"positive\": %zu, \"negative\": %zu, "
	    "\"hits\": %llu, \"misses\": %llu, \"joined\": %llu, "
	    "\"queries\": %llu, \"stale_served\": %llu, \"temp\": %llu, "
	    "\"invalidated\": %llu, \"flushes\": %llu, \"connects\": %llu}",
	    s.positive, s.negative, (unsigned long long)s.hits,
	    (unsigned long long)s.misses, (unsigned long long)s.joined,
	    (unsigned long long)s.queries,
	    (unsigned long long)s.stale_served, (unsigned long long)s.temp,
	    (unsigned long long)s.invalidated, (unsigned long long)s.flushes,
	    (unsigned long long)q.connects);
}
