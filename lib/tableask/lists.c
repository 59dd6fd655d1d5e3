/*
 * pg: lists, which `postern access` edits. A list is held whole and told of
 * each change by NOTIFY, on the connection that it was read by: a look-up in
 * it asks no one, misses included. One that is too long to hold is asked for
 * key by key.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "tableask/tableask_int.h"

#define LISTS_MAGIC	0x746c0010u
#define LIST_MAGIC	0x746c0011u
#define ENTRY_MAGIC	0x746c0012u
#define SINGLE_MAGIC	0x746c0013u
#define CHANNEL		"postern_access"
#define HEARTBEAT	"postern_directory"	/* directory_link.c sends it */
#define DOWN_PATIENCE_MS 5000	/* after this nobody waits for a connection */
#define ANSWER_MS	7500

#define LOAD_SQL \
	"SELECT key, action, lives_ms FROM access_load($1, $2, $3)"

enum list_state {
	LIST_UNREAD,
	LIST_HELD,
	LIST_LONG		/* longer than access_list_cache_entries */
};

struct entry {
	uint32_t magic;
	struct list *list;
	char *key;
	char *action;		/* NULL: there is none */
	uint64_t until_ms;	/* 0: for ever */
	struct db_query *query;	/* it changed: what it is now */
};

struct list {
	uint32_t magic;
	struct lists *all;
	char *name;
	enum list_state state;
	struct map *entries;
	uint64_t gen;		/* connection that it was read by */
	uint64_t known_ms;	/* until when it was known to be true; of
				 * earlier connections */
	struct db_query *load;
	bool dirty;		/* changed while it is read */
	struct fact_list waiting;	/* for the load */
};

struct lists {
	uint32_t magic;
	struct table_env *env;
	struct db *db;
	struct map *by_name;
	uint64_t gen, heard_ms;
};

/* One key of a list asked for by itself. */
struct single {
	uint32_t magic;
	struct fact *fact;
	struct db_query *query;
};

/* --- entries --- */

static void
entry_free(struct entry *e)
{
	db_cancel(&e->query);
	free(e->key);
	free(e->action);
	e->magic = 0;
	free(e);
}

static struct entry *
entry_get(struct list *l, struct span key)
{
	struct entry *e = map_get(l->entries, key);

	if (e != NULL)
		return e;
	e = xcalloc(1, sizeof(*e));
	e->magic = ENTRY_MAGIC;
	e->list = l;
	e->key = xmemdup0(key.p, key.n);
	(void)map_put(l->entries, key, e);
	return e;
}

static void
entry_drop(struct entry *e)
{
	(void)map_del(e->list->entries, span_str(e->key));
	entry_free(e);
}

/* Takes a row of LOAD_SQL. */
static void
entry_set(struct entry *e, const struct db_result *r, size_t row)
{
	struct span action = db_get(r, row, 1);
	int64_t lives = db_i64(r, row, 2, 0);

	free(e->action);
	e->action = xmemdup0(action.p == NULL ? "" : action.p, action.n);
	e->until_ms = lives <= 0 ? 0 :
	    loop_now_ms(e->list->all->env->loop) + (uint64_t)lives;
}

static void
entries_clear(struct list *l)
{
	size_t pos = 0;
	void *value;

	while (map_next(l->entries, &pos, NULL, &value))
		entry_free(value);
	map_free(&l->entries);
	l->entries = map_new();
}

/* Forgets what is held: it is not true any more. */
static void
list_forget(struct list *l)
{
	entries_clear(l);
	l->state = LIST_UNREAD;
}

/* --- may what is held be used? --- */

/* Is what the connection tells heard? */
static bool
is_live(struct lists *all)
{
	return db_listening(all->db) && loop_now_ms(all->env->loop) -
	    all->heard_ms <= (uint64_t)all->env->conf->directory_stale_after;
}

static bool
is_usable(struct list *l)
{
	struct lists *all = l->all;
	uint64_t known = l->gen == all->gen ? all->heard_ms : l->known_ms;

	if (l->state != LIST_HELD)
		return false;
	if (db_state(all->db) == DB_UP)
		return l->gen == all->gen && is_live(all);
	return loop_now_ms(all->env->loop) - known <=
	    (uint64_t)all->env->conf->directory_max_stale;
}

/* What is held of a key, true or not. TABLE_PARKED: it is asked for. */
static enum table_result
held_value(const struct list *l, struct span key, struct span *value)
{
	const struct entry *e = map_get(l->entries, key);

	if (e != NULL && e->query != NULL)
		return TABLE_PARKED;
	if (e == NULL || e->action == NULL || (e->until_ms != 0 &&
	    e->until_ms <= loop_now_ms(l->all->env->loop)))
		return TABLE_NOTFOUND;
	*value = span_str(e->action);
	return TABLE_FOUND;
}

static enum table_result
held_find(struct list *l, struct span key, struct span *value)
{
	return is_usable(l) ? held_value(l, key, value) : TABLE_PARKED;
}

static void
fact_tell(struct fact *f, enum table_result r, struct span value,
    const char *why)
{
	if (r == TABLE_FOUND)
		fact_found(f, value);
	else if (r == TABLE_NOTFOUND)
		fact_not_found(f);
	else
		fact_failed(f, "%s", why);
}

/* No answer came: what was known before, or a failure. */
static void
held_tell(struct fact *f, struct list *l, const char *why)
{
	struct span value = SPAN_NONE;
	enum table_result r = held_find(l, fact_key(f), &value);

	fact_tell(f, r, value, why);
}

/* --- one key --- */

static void
single_cb(const struct db_result *r, void *arg)
{
	struct single *s = OBJ_CAST(arg, single, SINGLE_MAGIC);
	struct fact *f = OBJ_CAST(s->fact, fact, FACT_MAGIC);
	struct list *l = map_get(f->env->lists->by_name,
	    span_str(f->remote->name));

	free(s);
	if (!db_ok(r))
		held_tell(f, l, db_err(r)->why);
	else if (db_rows(r) == 0)
		fact_not_found(f);
	else
		fact_found(f, db_get(r, 0, 1));
}

static struct db_query *
key_ask(struct list *l, struct span key, db_result_cb *cb, void *arg)
{
	struct db_param p[] = { DB_TEXT(span_str(l->name)), DB_TEXT(key),
	    DB_I64(1) };

	return db_ask(l->all->db, LOAD_SQL, p, ARRAY_LEN(p), DB_AGAIN, cb,
	    arg);
}

static void
single_ask(struct list *l, struct fact *f)
{
	struct single *s = xcalloc(1, sizeof(*s));

	s->magic = SINGLE_MAGIC;
	s->fact = f;
	f->at = s;
	s->query = key_ask(l, fact_key(f), single_cb, s);
}

/* --- a whole list --- */

/* Who waits began before this was read, so it is an answer to them. */
static void
waiting_tell(struct list *l)
{
	struct span value = SPAN_NONE;
	enum table_result r;
	struct fact *f;

	while ((f = TAILQ_FIRST(&l->waiting)) != NULL) {
		TAILQ_REMOVE(&l->waiting, f, wait);
		if (l->state == LIST_LONG) {
			single_ask(l, f);
			continue;
		}
		r = held_value(l, fact_key(f), &value);
		fact_tell(f, r, value, "");
	}
}

static void
waiting_fail(struct list *l, const char *why)
{
	struct fact *f;

	while ((f = TAILQ_FIRST(&l->waiting)) != NULL) {
		TAILQ_REMOVE(&l->waiting, f, wait);
		held_tell(f, l, why);
	}
}

static void
load_take(struct list *l, const struct db_result *r)
{
	size_t most = (size_t)l->all->env->conf->access_list_cache_entries;
	size_t row;

	entries_clear(l);
	l->gen = l->all->gen;
	l->state = LIST_HELD;
	if (db_rows(r) > most || !db_listening(l->all->db)) {
		if (db_rows(r) > most)
			log_info("pg:%s has more than %zu entries: each key "
			    "is asked for", l->name, most);
		l->state = LIST_LONG;
		return;
	}
	for (row = 0; row < db_rows(r); row++)
		entry_set(entry_get(l, db_get(r, row, 0)), r, row);
}

static void
load_cb(const struct db_result *r, void *arg)
{
	struct list *l = OBJ_CAST(arg, list, LIST_MAGIC);
	bool dirty = l->dirty;

	l->load = NULL;
	l->dirty = false;
	if (db_ok(r)) {
		load_take(l, r);
		waiting_tell(l);
		if (dirty)	/* the next one gets what changed meanwhile */
			list_forget(l);
		return;
	}
	if (db_err(r)->kind != ERR_TEMP)
		log_error("pg:%s: %s", l->name, db_err(r)->why);
	waiting_fail(l, db_err(r)->why);
}

static void
load_begin(struct list *l)
{
	struct db_param p[] = { DB_TEXT(span_str(l->name)), DB_NULL,
	    DB_I64(l->all->env->conf->access_list_cache_entries + 1) };

	l->dirty = false;
	l->load = db_ask(l->all->db, LOAD_SQL, p, ARRAY_LEN(p), DB_AGAIN,
	    load_cb, l);
}

/* --- what the database tells --- */

static void
entry_cb(const struct db_result *r, void *arg)
{
	struct entry *e = OBJ_CAST(arg, entry, ENTRY_MAGIC);

	e->query = NULL;
	if (!db_ok(r))
		list_forget(e->list);
	else if (db_rows(r) == 0)
		entry_drop(e);
	else
		entry_set(e, r, 0);
}

/* Until the answer is there, who looks for the key asks for himself. */
static void
entry_changed(struct list *l, struct span key)
{
	struct entry *e;

	if (l->load != NULL)
		l->dirty = true;
	if (l->state != LIST_HELD)
		return;
	if (map_count(l->entries) >
	    (size_t)l->all->env->conf->access_list_cache_entries) {
		list_forget(l);		/* has grown too long to be held */
		return;
	}
	e = entry_get(l, key);
	db_cancel(&e->query);
	e->query = key_ask(l, key, entry_cb, e);
}

static void
list_changed(struct list *l)
{
	l->dirty = l->load != NULL;
	if (l->state == LIST_HELD)
		list_forget(l);
}

static void
notify_cb(struct span payload, void *arg)
{
	struct lists *all = OBJ_CAST(arg, lists, LISTS_MAGIC);
	ptrdiff_t space = span_chr(payload, ' ');
	struct span name = space < 0 ? payload :
	    span_sub(payload, 0, (size_t)space);
	struct list *l;
	size_t pos = 0;
	void *value;

	all->heard_ms = loop_now_ms(all->env->loop);
	if (span_eq(payload, SPAN_LIT("*"))) {
		while (map_next(all->by_name, &pos, NULL, &value))
			list_changed(value);
		return;
	}
	if ((l = map_get(all->by_name, name)) == NULL)
		return;
	if (space < 0)
		list_changed(l);
	else
		entry_changed(l, span_sub(payload, (size_t)space + 1,
		    payload.n));
}

static void
heartbeat_cb(struct span payload, void *arg)
{
	struct lists *all = OBJ_CAST(arg, lists, LISTS_MAGIC);

	(void)payload;
	all->heard_ms = loop_now_ms(all->env->loop);
}

static void
state_cb(enum db_state state, void *arg)
{
	struct lists *all = OBJ_CAST(arg, lists, LISTS_MAGIC);
	struct list *l;
	size_t pos = 0;
	void *value;

	if (state != DB_UP) {
		while (map_next(all->by_name, &pos, NULL, &value)) {
			l = value;
			if (l->gen == all->gen)
				l->known_ms = all->heard_ms;
		}
		return;
	}
	/* LISTEN was acknowledged: from here on nothing is missed; what is
	 * older is read again when it is asked for. */
	all->gen++;
	all->heard_ms = loop_now_ms(all->env->loop);
}

/* --- the source --- */

static struct lists *
lists_get(struct table_env *env)
{
	struct lists *all = env->lists;
	struct db_config c;

	if (all != NULL)
		return all;
	all = xcalloc(1, sizeof(*all));
	all->magic = LISTS_MAGIC;
	all->env = env;
	all->by_name = map_new();
	c = db_config_of(env->conf, env->role, env->password);
	c.query_timeout_ms = (uint32_t)MIN(env->conf->table_timeout,
	    ANSWER_MS);
	c.statement_timeout_ms = c.query_timeout_ms * 2 / 3 + 1;
	all->db = db_new(env->loop, &c);
	db_listen(all->db, CHANNEL, notify_cb, all);
	db_listen(all->db, HEARTBEAT, heartbeat_cb, all);
	db_on_state(all->db, state_cb, all);
	env->lists = all;
	return all;
}

static struct list *
list_get(struct lists *all, const char *name)
{
	struct list *l = map_get(all->by_name, span_str(name));

	if (l != NULL)
		return l;
	l = xcalloc(1, sizeof(*l));
	l->magic = LIST_MAGIC;
	l->all = all;
	l->name = xstrdup(name);
	l->entries = map_new();
	TAILQ_INIT(&l->waiting);
	(void)map_put(all->by_name, span_str(name), l);
	return l;
}

static enum table_result
lists_peek(struct table_env *env, struct table_remote *remote,
    struct span key, struct buf *out, struct err *err)
{
	enum table_result r;
	struct span value;
	struct list *l;

	(void)err;
	if (env->lists == NULL || (l = map_get(env->lists->by_name,
	    span_str(remote->name))) == NULL)
		return TABLE_PARKED;
	if ((r = held_find(l, key, &value)) == TABLE_FOUND)
		buf_span_add(out, value);
	return r;
}

static void
lists_start(struct fact *f)
{
	struct lists *all = lists_get(f->env);
	struct list *l = list_get(all, f->remote->name);

	if (db_state(all->db) != DB_UP &&
	    db_state_ms(all->db) > DOWN_PATIENCE_MS) {
		fact_failed(f, "%s", db_why(all->db));
		return;
	}
	/* Not heard: what was read could not be kept. */
	if (db_state(all->db) == DB_UP && (!is_live(all) ||
	    (l->gen == all->gen && l->state != LIST_UNREAD &&
	    l->load == NULL))) {
		single_ask(l, f);
		return;
	}
	f->at = l;
	TAILQ_INSERT_TAIL(&l->waiting, f, wait);
	if (l->load == NULL)
		load_begin(l);
}

static void
lists_cancel(struct fact *f)
{
	const uint32_t *magic = f->at;
	struct single *s;
	struct list *l;

	if (*magic == LIST_MAGIC) {
		l = OBJ_CAST(f->at, list, LIST_MAGIC);
		TAILQ_REMOVE(&l->waiting, f, wait);
		return;
	}
	s = OBJ_CAST(f->at, single, SINGLE_MAGIC);
	db_cancel(&s->query);
	free(s);
}

const struct source source_lists = {
	.peek = lists_peek, .start = lists_start, .cancel = lists_cancel,
};

void
lists_free(struct lists **allp)
{
	struct lists *all = *allp;
	size_t pos = 0;
	void *value;

	*allp = NULL;
	if (all == NULL)
		return;
	while (map_next(all->by_name, &pos, NULL, &value)) {
		struct list *l = value;

		entries_clear(l);
		map_free(&l->entries);
		db_cancel(&l->load);
		l->magic = 0;
		free(l->name);
		free(l);
	}
	map_free(&all->by_name);
	db_free(&all->db);
	all->magic = 0;
	free(all);
}
