/*
 * Tables made of tables or of nothing: static, fail, unionmap, pipemap,
 * randmap.
 */
#include <stdlib.h>

#include "base/conf.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

#define MEMBERS_MAX	64

/* --- static, fail --- */

bool
table_in_braces(struct span text, struct span *inside)
{
	text = span_trim(text);
	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}')
		return false;
	*inside = span_sub(text, 1, text.n - 2);
	return true;
}

struct span
table_unbraced(struct span text)
{
	struct span inside;

	return span_trim(table_in_braces(text, &inside) ? inside : text);
}

static void *
text_make(const struct table *t, struct span text, struct err *err)
{
	(void)t;
	(void)err;
	text = table_unbraced(text);
	return xmemdup0(text.p, text.n);
}

static enum table_result
static_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	(void)asker;
	(void)key;
	(void)err;
	buf_str(out, data);
	return TABLE_FOUND;
}

static enum table_result
fail_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	(void)asker;
	(void)key;
	(void)out;
	err_set(err, ERR_TEMP, PS_EIO, "fail:%s always fails",
	    (const char *)data);
	return TABLE_TEMPFAIL;
}

const struct table_type table_type_static = {
	.name = "static", .make = text_make, .free = free,
	.look_up = static_look_up,
};
const struct table_type table_type_fail = {
	.name = "fail", .make = text_make, .free = free,
	.look_up = fail_look_up,
};

/* --- members --- */

struct members {
	struct table *table[MEMBERS_MAX];
	size_t n;
};

static void
members_free(void *data)
{
	struct members *m = data;

	while (m->n > 0)
		table_unref(&m->table[--m->n]);
	free(m);
}

static void *
members_make(const struct table *t, struct span text, struct err *err)
{
	struct members *m = xcalloc(1, sizeof(*m));
	struct span inside, spec;

	if (!table_in_braces(text, &inside)) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "%s:{type:name, type:name} is wanted", t->type->name);
		free(m);
		return NULL;
	}
	while (conf_braced_next(&inside, &spec)) {
		if (m->n == MEMBERS_MAX) {
			err_set(err, ERR_PERM, PS_ETOOBIG,
			    "more than %d tables", MEMBERS_MAX);
			goto bad;
		}
		if ((m->table[m->n] = table_open(spec, err)) == NULL)
			goto bad;
		m->n++;
	}
	if (m->n > 0)
		return m;
	err_set(err, ERR_PERM, PS_ESYNTAX, "no table in the braces");
bad:
	members_free(m);
	return NULL;
}

/* Whole keys only if the first member wants that, as in Postfix. */
static void
members_nature(const void *data, bool *pattern, bool *async)
{
	const struct members *m = data;
	size_t i;

	*pattern = table_is_pattern(m->table[0]);
	for (i = 0; i < m->n; i++)
		*async = *async || table_is_async(m->table[i]);
}

/* Members that have to be asked are asked together. */
static enum table_result
union_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	struct members *m = data;
	size_t i, before = buf_len(out), mark;
	bool parked = false;
	enum table_result r;

	for (i = 0; i < m->n; i++) {
		mark = buf_len(out);
		if (mark > before)
			buf_char(out, ',');
		r = table_look_up_with(m->table[i], key, out, err, asker);
		if (r == TABLE_FOUND)
			continue;
		buf_truncate(out, mark);
		parked = parked || r == TABLE_PARKED;
		if (r == TABLE_TEMPFAIL) {
			buf_truncate(out, before);
			return r;
		}
	}
	if (parked) {
		buf_truncate(out, before);
		return TABLE_PARKED;
	}
	return buf_len(out) > before ? TABLE_FOUND : TABLE_NOTFOUND;
}

static enum table_result
pipe_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	struct members *m = data;
	enum table_result r = TABLE_NOTFOUND;
	struct buf now, next;
	size_t i;

	buf_init(&now, TABLE_VALUE_MAX);
	buf_init(&next, TABLE_VALUE_MAX);
	buf_span_add(&now, key);
	for (i = 0; i < m->n; i++) {
		buf_clear(&next);
		r = table_look_up_with(m->table[i], buf_span(&now), &next, err,
		    asker);
		if (r != TABLE_FOUND)
			break;
		buf_clear(&now);
		buf_span_add(&now, buf_span(&next));
	}
	if (r == TABLE_FOUND)
		buf_span_add(out, buf_span(&now));
	buf_fini(&now);
	buf_fini(&next);
	return r;
}

const struct table_type table_type_unionmap = {
	.name = "unionmap", .make = members_make, .free = members_free,
	.look_up = union_look_up, .nature = members_nature,
};
const struct table_type table_type_pipemap = {
	.name = "pipemap", .make = members_make, .free = members_free,
	.look_up = pipe_look_up, .nature = members_nature,
};

/* --- randmap --- */

static void *
rand_make(const struct table *t, struct span text, struct err *err)
{
	struct span inside, member;

	(void)t;
	if (!table_in_braces(text, &inside) ||
	    !conf_braced_next(&inside, &member)) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "randmap:{value, value} is wanted");
		return NULL;
	}
	(void)table_in_braces(text, &inside);
	return xmemdup0(inside.p, inside.n);
}

static enum table_result
rand_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	struct span rest = span_str(data), member;
	uint32_t pick;
	size_t n = 0;

	(void)key;
	(void)err;
	while (conf_braced_next(&rest, &member))
		n++;
	if (asker != NULL)
		pick = asker->dice;
	else
		proc_random(&pick, sizeof(pick));
	pick %= n;
	rest = span_str(data);
	while (conf_braced_next(&rest, &member) && pick-- > 0)
		;
	buf_span_add(out, table_unbraced(member));
	return TABLE_FOUND;
}

const struct table_type table_type_randmap = {
	.name = "randmap", .pattern = true, .make = rand_make, .free = free,
	.look_up = rand_look_up,
};
