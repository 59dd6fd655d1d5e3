#include "admin/prometheus.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xmalloc.h"

#define NAME_MAX_	160

/* A sample; those of one metric must stand together. */
struct sample {
	char name[NAME_MAX_];
	char process[64];
	char value[40];
	size_t order;		/* as found: a stable sort */
};

struct samples {
	struct sample *v;
	size_t n;
};

static void
sample_add(struct samples *s, const char *name, const char *process,
    struct span value)
{
	struct sample *one;

	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	one = &s->v[s->n];
	(void)snprintf(one->name, sizeof(one->name), "%s", name);
	(void)snprintf(one->process, sizeof(one->process), "%s", process);
	(void)snprintf(one->value, sizeof(one->value), "%.*s",
	    SPAN_ARG(value));
	one->order = s->n++;
}

static bool
is_number(struct span v)
{
	size_t i = v.n > 0 && v.p[0] == '-' ? 1 : 0;

	if (i == v.n)
		return false;
	for (; i < v.n; i++)
		if (!ascii_isdigit((unsigned char)v.p[i]) && v.p[i] != '.')
			return false;
	return true;
}

/* A key may be words for people; a metric's name has letters, digits, "_". */
static void
name_make_valid(char *name)
{
	for (; *name != '\0'; name++)
		if (!ascii_isalnum((unsigned char)*name))
			*name = '_';
}

/* prefix is "postern_smtpd". */
static void
members_add(struct samples *s, const char *prefix, const char *process,
    struct span object)
{
	struct span key, value;
	char name[NAME_MAX_];

	while (json_next(&object, &key, &value)) {
		(void)snprintf(name, sizeof(name), "%s_%.*s", prefix,
		    SPAN_ARG(key));
		name_make_valid(name);
		if (value.n > 0 && value.p[0] == '{')
			members_add(s, name, process, value);
		else if (is_number(value))
			sample_add(s, name, process, value);
		else if (span_eq(value, SPAN_LIT("true")))
			sample_add(s, name, process, SPAN_LIT("1"));
		else if (span_eq(value, SPAN_LIT("false")))
			sample_add(s, name, process, SPAN_LIT("0"));
	}
}

static void
row_add(struct samples *s, const char *row)
{
	struct span rest = span_str(row), key, value;
	struct buf process, state;
	char prefix[NAME_MAX_];

	buf_init(&process, 64);
	buf_init(&state, 64);
	while (json_next(&rest, &key, &value)) {
		if (span_is(key, "process"))
			json_text(value, &process);
		else if (span_is(key, "state"))
			json_text(value, &state);
	}
	(void)snprintf(prefix, sizeof(prefix), "postern_%.*s",
	    (int)strcspn(buf_cstr(&process), "/"), buf_cstr(&process));
	sample_add(s, "postern_up", buf_cstr(&process),
	    strcmp(buf_cstr(&state), "running") == 0 ? SPAN_LIT("1") :
	    SPAN_LIT("0"));
	members_add(s, prefix, buf_cstr(&process), span_str(row));
	buf_fini(&process);
	buf_fini(&state);
}

static int
compare(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : x->order < y->order ? -1 : 1;
}

void
prometheus_put(struct buf *out, char *const *rows, size_t n)
{
	struct samples s = { .n = 0 };
	size_t i;

	for (i = 0; i < n; i++)
		row_add(&s, rows[i]);
	if (s.n > 0)
		qsort(s.v, s.n, sizeof(*s.v), compare);
	for (i = 0; i < s.n; i++) {
		if (i == 0 || strcmp(s.v[i].name, s.v[i - 1].name) != 0)
			buf_fmt(out, "# TYPE %s untyped\n", s.v[i].name);
		buf_fmt(out, "%s{process=\"%s\"} %s\n", s.v[i].name,
		    s.v[i].process, s.v[i].value);
	}
	free(s.v);
}
