/*
 * Where a table's contents come from: its file, its name, and its file again
 * when that has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

#define EMPTY_FOR_SECONDS	2

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

bool
table_is_file(const struct table *t)
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

void *
table_data_make(struct table *t, struct err *err)
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
		return true;	/* table_data_make says what is wrong */
	return stat_differs(&st, &t->seen);
}

/* Is someone just writing it? One that was emptied a moment ago is about to
 * be filled. */
static bool
being_written(const struct table *t)
{
	struct stat st;

	if (!table_is_file(t) || stat(t->arg, &st) == -1)
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
	if (!table_is_file(t))
		return false;
	if (!file_changed(t)) {
		t->trouble[0] = '\0';
		return false;
	}
	fresh = table_data_make(t, err);
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
