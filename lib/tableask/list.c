#include "tableask/list.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"

#define LIST_MAGIC	0x746c0011u
#define ENTRY_MAGIC	0x746c0012u
#define SINGLE_MAGIC	0x746c0013u

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

/* One key of a list asked for by itself. */
struct single {
	uint32_t magic;
	struct list *list;
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

static bool
is_usable(struct list *l)
{
	struct lists *all = l->all;
	uint64_t known = l->gen == all->gen ? all->heard_ms : l->known_ms;

	if (l->state != LIST_HELD)
		return false;
	if (db_state(all->db) == DB_UP)
		return l->gen == all->gen && lists_are_live(all);
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

enum table_result
list_find(struct list *l, struct span key, struct span *value)
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
	enum table_result r = list_find(l, fact_key(f), &value);

	fact_tell(f, r, value, why);
}

/* --- one key --- */

static void
single_cb(const struct db_result *r, void *arg)
{
	struct single *s = OBJ_CAST(arg, single, SINGLE_MAGIC);
	struct fact *f = OBJ_CAST(s->fact, fact, FACT_MAGIC);
	struct list *l = s->list;

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
	s->list = l;
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
void
list_key_changed(struct list *l, struct span key)
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

void
list_changed(struct list *l)
{
	l->dirty = l->load != NULL;
	if (l->state == LIST_HELD)
		list_forget(l);
}

void
list_lost(struct list *l)
{
	if (l->gen == l->all->gen)
		l->known_ms = l->all->heard_ms;
}

/* --- asking --- */

void
list_ask(struct list *l, struct fact *f)
{
	struct lists *all = l->all;

	/* Not heard: what was read could not be kept. */
	if (db_state(all->db) == DB_UP && (!lists_are_live(all) ||
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

void
list_cancel(struct fact *f)
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

/* --- life --- */

struct list *
list_new(struct lists *all, const char *name)
{
	struct list *l = xcalloc(1, sizeof(*l));

	l->magic = LIST_MAGIC;
	l->all = all;
	l->name = xstrdup(name);
	l->entries = map_new();
	TAILQ_INIT(&l->waiting);
	return l;
}

void
list_free(struct list *l)
{
	entries_clear(l);
	map_free(&l->entries);
	db_cancel(&l->load);
	l->magic = 0;
	free(l->name);
	free(l);
}
