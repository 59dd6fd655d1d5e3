/*
 * pg: lists, which `postern access` edits. A list is held whole and told of
 * each change by NOTIFY, on the connection that it was read by: a look-up in
 * it asks no one, misses included. One that is too long to hold is asked for
 * key by key. Here is the connection; list.c has a list.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"
#include "tableask/list.h"

#define LISTS_MAGIC	0x746c0010u
#define CHANNEL		"postern_access"
#define HEARTBEAT	"postern_directory"	/* directory_link.c sends it */
#define DOWN_PATIENCE_MS 5000	/* after this nobody waits for a connection */
#define ANSWER_MS	7500

/* --- what the database tells --- */

bool
lists_are_live(const struct lists *all)
{
	return db_listening(all->db) && loop_now_ms(all->env->loop) -
	    all->heard_ms <= (uint64_t)all->env->conf->directory_stale_after;
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
		list_key_changed(l, span_sub(payload, (size_t)space + 1,
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
	size_t pos = 0;
	void *value;

	if (state != DB_UP) {
		while (map_next(all->by_name, &pos, NULL, &value))
			list_lost(value);
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
	l = list_new(all, name);
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
	if ((r = list_find(l, key, &value)) == TABLE_FOUND)
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
	list_ask(l, f);
}

const struct source source_lists = {
	.peek = lists_peek, .start = lists_start, .cancel = list_cancel,
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
	while (map_next(all->by_name, &pos, NULL, &value))
		list_free(value);
	map_free(&all->by_name);
	db_free(&all->db);
	all->magic = 0;
	free(all);
}
