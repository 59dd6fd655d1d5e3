#include "table/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

#define EMPTY_FOR_SECONDS	2

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

/* --- files --- */

/* The file's bytes, yours; NULL with err. *st is filled. */
static char *
file_read(const char *path, struct stat *st, size_t *n, struct err *err)
{
	char *text = NULL;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*n = 0;
	if (fd == -1 || fstat(fd, st) == -1) {
		err_errno(err, "%s", path);
		goto out;
	}
	if (!S_ISREG(st->st_mode) || st->st_size > TABLE_FILE_MAX) {
		err_set(err, ERR_PERM, PS_ETOOBIG,
		    "%s: not a regular file of at most 256 MiB", path);
		goto out;
	}
	text = xmalloc((size_t)st->st_size + 1);
	while (*n < (size_t)st->st_size) {
		got = read(fd, text + *n, (size_t)st->st_size - *n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			err_errno(err, "%s", path);
			free(text);
			text = NULL;
		}
		if (got <= 0)
			break;
		*n += (size_t)got;
	}
out:
	if (fd != -1)
		(void)close(fd);
	return text;
}

/* Rules in the specification itself, as Postfix 3.7 has it:
 * regexp:{{/pattern/ result} {/pattern/ result}}. */
static bool
is_inline(const struct table *t)
{
	return t->type->from_file && t->type->pattern && t->arg[0] == '{';
}

static bool
is_file(const struct table *t)
{
	return t->type->from_file && !is_inline(t);
}

/* The text that a file with these rules would hold. */
static bool
inline_text(struct span spec, struct buf *out, struct err *err)
{
	struct span rule;

	spec = span_trim(spec);
	if (spec.p[spec.n - 1] != '}')
		return err_set(err, ERR_PERM, PS_ESYNTAX, "{ without its }") ==
		    0;
	spec = span_sub(spec, 1, spec.n - 2);
	while (conf_braced_next(&spec, &rule)) {
		if (rule.p[0] != '{' || rule.p[rule.n - 1] != '}')
			return err_set(err, ERR_PERM, PS_ESYNTAX, "each rule "
			    "is wanted in { } of its own") == 0;
		buf_span_add(out, span_trim(span_sub(rule, 1, rule.n - 2)));
		buf_char(out, '\n');
	}
	return true;
}

static void *
inline_make(struct table *t, struct err *err)
{
	struct buf text;
	void *data = NULL;

	buf_init(&text, TABLE_VALUE_MAX);
	if (inline_text(span_str(t->arg), &text, err))
		data = t->type->make(t, buf_span(&text), err);
	buf_fini(&text);
	return data;
}

static void *
data_make(struct table *t, struct err *err)
{
	char *text;
	void *data;
	size_t n;

	if (is_inline(t))
		return inline_make(t, err);
	if (!t->type->from_file)
		return t->type->make(t, span_str(t->arg), err);
	if ((text = file_read(t->arg, &t->seen, &n, err)) == NULL)
		return NULL;
	data = t->type->make(t, span_of(text, n), err);
	free(text);
	return data;
}

static bool
stat_differs(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_size != b->st_size ||
	    a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static bool
file_changed(const struct table *t)
{
	struct stat st;

	if (stat(t->arg, &st) == -1)
		return true;	/* data_make says what is wrong */
	return stat_differs(&st, &t->seen);
}

/* Is someone just writing it? One that was emptied a moment ago is about to
 * be filled. */
static bool
being_written(const struct table *t)
{
	struct stat st;

	if (!is_file(t) || stat(t->arg, &st) == -1)
		return false;
	return stat_differs(&st, &t->seen) || (st.st_size == 0 &&
	    time(NULL) - st.st_mtim.tv_sec < EMPTY_FOR_SECONDS);
}

/* Says a trouble once. */
static void
trouble_tell(struct table *t, const struct err *err)
{
	if (strcmp(t->trouble, err->why) == 0)
		return;
	if (err->why[0] != '\0')
		log_warning("table %s: %s; what was read before serves on",
		    t->spec, err->why);
	memcpy(t->trouble, err->why, sizeof(t->trouble));
}

static void *
data_swap(struct table *t, void *fresh)
{
	void *old;

	pthread_mutex_lock(&t->lock);
	old = t->data;
	t->data = fresh;
	pthread_mutex_unlock(&t->lock);
	return old;
}

bool
table_refresh(struct table *t, struct err *err)
{
	struct err why;
	void *fresh;

	if (err == NULL)
		err = &why;
	err_clear(err);
	if (!is_file(t))
		return false;
	if (!file_changed(t)) {
		t->trouble[0] = '\0';
		return false;
	}
	fresh = data_make(t, err);
	trouble_tell(t, err);
	if (fresh == NULL)
		return false;
	if (being_written(t)) {
		t->type->free(fresh);
		memset(&t->seen, 0, sizeof(t->seen));
		return false;
	}
	log_info("table %s: read anew", t->spec);
	t->type->free(data_swap(t, fresh));
	return true;
}

/* --- life --- */

struct table **
table_files_open(struct table **array, size_t *n)
{
	struct table *t;

	*n = 0;
	LIST_FOREACH(t, &open_tables, link) {
		if (!is_file(t))
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
	if ((t->data = data_make(t, err)) == NULL) {
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
