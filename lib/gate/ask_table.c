/*
 * Tables for an evaluation: what was asked of those that ask others is
 * remembered until its end.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/ask_table.h"

/* A list of ten access tables needs some eighty forms of one name. */
#define TABLES_MAX_ASKED	1000

struct gate_ask_table {
	SLIST_ENTRY(gate_ask_table) link;
	struct gate_ask *ask;
	struct table *table;
	struct table_ask *query;	/* NULL: it has come */
	enum table_result r;
	struct buf value;
	struct err err;
	size_t key_n;
	char key[];
};

static void
came(enum table_result r, struct span value, const struct err *err,
    void *arg)
{
	struct gate_ask_table *t = arg;

	t->query = NULL;
	t->r = r;
	t->err = *err;
	buf_span_add(&t->value, value);
	defer_call(&t->ask->again);
}

static struct gate_ask_table *
asked(struct gate_ask *a, const struct table *table, struct span key)
{
	struct gate_ask_table *t;

	SLIST_FOREACH(t, &a->tables, link)
		if (t->table == table &&
		    span_eq(span_of(t->key, t->key_n), key))
			return t;
	return NULL;
}

static enum table_result
ask(struct gate_ask *a, struct table *table, struct span key)
{
	struct gate_ask_table *t = xcalloc(1, sizeof(*t) + key.n);

	t->ask = a;
	t->table = table_ref(table);
	t->r = TABLE_PARKED;
	buf_init(&t->value, TABLE_VALUE_MAX);
	t->key_n = key.n;
	if (key.n > 0)
		memcpy(t->key, key.p, key.n);
	SLIST_INSERT_HEAD(&a->tables, t, link);
	a->n_tables++;
	t->query = table_ask(a->world->tables, table, key, came, t);
	return TABLE_PARKED;
}

enum table_result
gate_ask_table(struct table *table, struct span key, struct buf *out,
    struct err *err, void *arg)
{
	struct gate_ask *a = arg;
	struct gate_ask_table *t;
	enum table_result r;

	if (!table_is_async(table) || a->world->tables == NULL ||
	    key.n > TABLE_KEY_MAX)
		return table_look_up(table, key, out, err);
	if ((t = asked(a, table, key)) != NULL) {
		if (err != NULL)
			*err = t->err;
		buf_span_add(out, buf_span(&t->value));
		return t->r;
	}
	r = table_peek(a->world->tables, table, key, out, err);
	if (r != TABLE_PARKED)
		return r;
	if (a->n_tables < TABLES_MAX_ASKED)
		return ask(a, table, key);
	(void)err_set(err, ERR_TEMP, PS_ETOOBIG, "too many look-ups");
	return TABLE_TEMPFAIL;
}

void
gate_ask_tables_end(struct gate_ask *a)
{
	struct gate_ask_table *t;

	while ((t = SLIST_FIRST(&a->tables)) != NULL) {
		SLIST_REMOVE_HEAD(&a->tables, link);
		table_ask_cancel(&t->query);
		table_unref(&t->table);
		buf_fini(&t->value);
		free(t);
	}
}
