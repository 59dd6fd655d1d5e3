#include "table/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

#define TEXT_TYPE(n) { .name = n, .from_file = true, .make = table_text_make, \
	.free = table_text_free, .look_up = table_text_look_up }

/* Postfix reads these from indexed copies; we read the source of each. */
static const struct table_type text_types[] = {
	TEXT_TYPE("hash"), TEXT_TYPE("btree"), TEXT_TYPE("lmdb"),
	TEXT_TYPE("cdb"), TEXT_TYPE("dbm"), TEXT_TYPE("texthash"),
};

static const struct table_type *const types[] = {
	&text_types[0], &text_types[1], &text_types[2], &text_types[3],
	&text_types[4], &text_types[5], &table_type_cidr,
	&table_type_regexp, &table_type_pcre, &table_type_inline,
	&table_type_static, &table_type_fail, &table_type_unionmap,
	&table_type_pipemap, &table_type_randmap, &table_type_pgsql,
	&table_type_pg, &table_type_tcp, &table_type_socketmap,
};

/* Every listener's lists may name the same one. */
static LIST_HEAD(, table) open_tables = LIST_HEAD_INITIALIZER(open_tables);

const char *const *
table_types(void)
{
	static const char *names[ARRAY_LEN(types) + 1];
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++)
		names[i] = types[i]->name;
	return names;
}

static const struct table_type *
type_find(struct span name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq(name, span_str(types[i]->name)))
			return types[i];
	return NULL;
}

void
table_complain(const struct table *t, int lineno, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->type->from_file)
		log_warning("%s:%d: %s; line ignored", t->arg, lineno, text);
	else
		log_warning("%s: %s", t->spec, text);
}

/* --- life --- */

struct table **
table_files_open(struct table **array, size_t *n)
{
	struct table *t;

	*n = 0;
	LIST_FOREACH(t, &open_tables, link) {
		if (!table_is_file(t))
			continue;
		array = xreallocarray(array, *n + 1, sizeof(*array));
		array[(*n)++] = table_ref(t);
	}
	return array;
}

/* proxy:TYPE:NAME is TYPE:NAME: nobody here needs a process that shares
 * connections. */
static struct span
unproxied(struct span spec)
{
	while (span_starts(spec, "proxy:"))
		spec = span_sub(spec, 6, spec.n);
	return spec;
}

static const struct table_type *
type_of(struct span spec, struct span *arg)
{
	ptrdiff_t colon = span_chr(spec, ':');

	*arg = span_sub(spec, (size_t)(colon + 1), spec.n);
	return type_find(colon < 0 ? SPAN_LIT("hash") :
	    span_sub(spec, 0, (size_t)colon));
}

static int
unknown_type(struct span spec, struct err *err)
{
	struct buf known;
	size_t i;

	buf_init(&known, 256);
	for (i = 0; i < ARRAY_LEN(types); i++)
		buf_fmt(&known, "%s%s", i == 0 ? "" : ", ", types[i]->name);
	(void)err_set(err, ERR_PERM, PS_ESYNTAX, "%.*s: unknown table type; "
	    "known are %s", (int)MIN(spec.n, (size_t)80), spec.p,
	    buf_cstr(&known));
	buf_fini(&known);
	return PS_ESYNTAX;
}

static struct table *
open_already(struct span spec)
{
	struct table *t;

	LIST_FOREACH(t, &open_tables, link)
		if (span_eq(spec, span_str(t->spec)))
			return table_ref(t);
	return NULL;
}

struct table *
table_open(struct span spec, struct err *err)
{
	struct span arg;
	const struct table_type *type = type_of(unproxied(spec), &arg);
	struct table *t = open_already(spec);

	if (t != NULL)
		return t;
	if (type == NULL || spec.n == 0 || spec.n > TABLE_VALUE_MAX ||
	    span_chr(spec, '\0') >= 0) {
		(void)unknown_type(spec, err);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->refs = 1;
	t->type = type;
	t->pattern = type->pattern;
	t->async = type->async;
	t->spec = span_chr(spec, ':') < 0 ?
	    xasprintf("hash:%.*s", SPAN_ARG(spec)) : xmemdup0(spec.p, spec.n);
	t->arg = t->spec + strlen(t->spec) - arg.n;
	LIST_INSERT_HEAD(&open_tables, t, link);
	pthread_mutex_init(&t->lock, NULL);
	if ((t->data = table_data_make(t, err)) == NULL) {
		if (err != NULL && err->why[0] == '\0')
			err_set(err, ERR_PERM, PS_ESYNTAX, "cannot be used");
		err_prefix(err, "table %.100s", t->spec);
		table_unref(&t);
		return NULL;
	}
	if (type->nature != NULL)
		type->nature(t->data, &t->pattern, &t->async);
	return t;
}

struct table *
table_ref(struct table *t)
{
	t->refs++;
	return t;
}

void
table_unref(struct table **tp)
{
	struct table *t = *tp;

	*tp = NULL;
	if (t == NULL || --t->refs > 0)
		return;
	LIST_REMOVE(t, link);
	if (t->data != NULL)
		t->type->free(t->data);
	pthread_mutex_destroy(&t->lock);
	free(t->spec);
	free(t);
}

const char *
table_name(const struct table *t)
{
	return t->spec;
}

bool
table_is_pattern(const struct table *t)
{
	return t->pattern;
}

bool
table_is_async(const struct table *t)
{
	return t->async;
}

enum table_result
table_look_up_with(struct table *t, struct span key, struct buf *out,
    struct err *err, struct table_asker *asker)
{
	enum table_result r;

	if (key.n == 0)
		key = SPAN_LIT("");	/* not NULL */
	if (key.n > TABLE_KEY_MAX || span_chr(key, '\0') >= 0)
		return TABLE_NOTFOUND;
	pthread_mutex_lock(&t->lock);
	r = t->type->look_up(t->data, key, out, err, asker);
	pthread_mutex_unlock(&t->lock);
	return r;
}

enum table_result
table_look_up(struct table *t, struct span key, struct buf *out,
    struct err *err)
{
	return table_look_up_with(t, key, out, err, NULL);
}
