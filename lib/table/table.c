#include "table/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

#define TEXT_TYPE(n) { n, true, false, table_text_make, table_text_free, \
	table_text_look_up, NULL }

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
	&table_type_pipemap, &table_type_randmap,
};

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

/* --- logical lines --- */

void
table_lines_init(struct table_lines *l, struct span text)
{
	*l = (struct table_lines){ .rest = text, .next = 1 };
	if (text.n == 0)
		l->rest = SPAN_NONE;
	buf_init(&l->line, TABLE_KEY_MAX + TABLE_VALUE_MAX);
}

void
table_lines_fini(struct table_lines *l)
{
	buf_fini(&l->line);
}

static bool
is_continuation(struct span physical)
{
	return physical.n > 0 && ascii_isspace((unsigned char)physical.p[0]);
}

bool
table_lines_next(struct table_lines *l, struct span *line)
{
	struct span physical, trimmed, ahead;
	bool begun = false;

	buf_clear(&l->line);
	for (;;) {
		ahead = l->rest;
		if (!span_split(&ahead, '\n', &physical))
			break;
		trimmed = span_trim(physical);
		if (trimmed.n > 0 && trimmed.p[0] != '#') {
			if (begun && !is_continuation(physical))
				break;
			if (!begun)
				l->lineno = l->next;
			else
				buf_char(&l->line, ' ');
			buf_span_add(&l->line, trimmed);
			begun = true;
		}
		l->rest = ahead;
		l->next++;
	}
	*line = buf_span(&l->line);
	return begun;
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

bool
table_members_next(struct span *rest, struct span *member)
{
	size_t i = 0, from;
	int depth = 0;

	while (i < rest->n && (ascii_isspace((unsigned char)rest->p[i]) ||
	    rest->p[i] == ','))
		i++;
	for (from = i; i < rest->n; i++) {
		if (rest->p[i] == '{')
			depth++;
		else if (rest->p[i] == '}')
			depth--;
		else if (depth <= 0 && rest->p[i] == ',')
			break;
	}
	*member = span_trim(span_sub(*rest, from, i - from));
	*rest = span_sub(*rest, i, rest->n);
	return member->n > 0;
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

static void *
data_make(struct table *t, struct err *err)
{
	char *text;
	void *data;
	size_t n;

	if (!t->type->from_file)
		return t->type->make(t, span_str(t->arg), err);
	if ((text = file_read(t->arg, &t->seen, &n, err)) == NULL)
		return NULL;
	data = t->type->make(t, span_of(text, n), err);
	free(text);
	return data;
}

static bool
file_changed(const struct table *t)
{
	struct stat st;

	if (stat(t->arg, &st) == -1)
		return true;	/* data_make says what is wrong */
	return st.st_ino != t->seen.st_ino || st.st_size != t->seen.st_size ||
	    st.st_mtim.tv_sec != t->seen.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != t->seen.st_mtim.tv_nsec;
}

bool
table_refresh(struct table *t, struct err *err)
{
	void *fresh, *old;

	err_clear(err);
	if (t->type->refresh != NULL)
		return t->type->refresh(t->data, err);
	if (!t->type->from_file || !file_changed(t))
		return false;
	if ((fresh = data_make(t, err)) == NULL)
		return false;
	pthread_mutex_lock(&t->lock);
	old = t->data;
	t->data = fresh;
	pthread_mutex_unlock(&t->lock);
	t->type->free(old);
	return true;
}

/* --- life --- */

struct table *
table_open(struct span spec, struct err *err)
{
	ptrdiff_t colon = span_chr(spec, ':');
	struct span name = colon < 0 ? SPAN_LIT("hash") :
	    span_sub(spec, 0, (size_t)colon);
	const struct table_type *type = type_find(name);
	struct table *t;

	if (type == NULL || spec.n == 0 || spec.n > TABLE_VALUE_MAX ||
	    span_chr(spec, '\0') >= 0) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "%.*s: unknown table type; known are hash, btree, lmdb, "
		    "cdb, texthash, cidr, regexp, pcre, inline, static, fail, "
		    "unionmap, pipemap and randmap",
		    (int)MIN(spec.n, (size_t)80), spec.p);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->refs = 1;
	t->type = type;
	t->spec = colon < 0 ? xasprintf("hash:%.*s", SPAN_ARG(spec)) :
	    xmemdup0(spec.p, spec.n);
	t->arg = strchr(t->spec, ':') + 1;
	pthread_mutex_init(&t->lock, NULL);
	if ((t->data = data_make(t, err)) == NULL) {
		if (err != NULL && err->why[0] == '\0')
			err_set(err, ERR_PERM, PS_ESYNTAX, "cannot be used");
		err_prefix(err, "table %.100s", t->spec);
		table_unref(&t);
	}
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
	return t->type->pattern;
}

enum table_result
table_look_up(struct table *t, struct span key, struct buf *out,
    struct err *err)
{
	enum table_result r;

	if (key.n == 0 || key.n > TABLE_KEY_MAX || span_chr(key, '\0') >= 0)
		return TABLE_NOTFOUND;
	pthread_mutex_lock(&t->lock);
	r = t->type->look_up(t->data, key, out, err);
	pthread_mutex_unlock(&t->lock);
	return r;
}
