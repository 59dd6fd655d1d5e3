#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define FILE_MAX_BYTES	(1024 * 1024)
#define VALUE_MAX	(64 * 1024)
#define EXPAND_DEPTH	20

/* Where a parameter's value in one part of the file came from. */
struct conf_line {
	const char *file;	/* NULL: default */
	int line, column;	/* of the value's first character */
	char *raw;		/* before $name expansion; NULL: default */
	bool own;		/* set in this section, not inherited */
};

/* A name that the site made up: a restriction class, or a $macro. */
struct conf_own {
	char *name;
	char *value;		/* expanded */
	char *where;		/* "file:line" */
	struct conf_line line;
};

/* Numbers a row's range carries; texts for people come from here too. */
struct range {
	int64_t lo, hi;
	const char *words;
};

#define TEXT_(x)	#x
#define TEXT(x)		TEXT_(x)
#define STRING(n, d, rel, help) \
	{ #n, CONF_STRING, d, "", rel, help, offsetof(struct conf, n) },
#define RAW(n, d, rel, help) \
	{ #n, CONF_RAW, d, "", rel, help, offsetof(struct conf, n) },
#define LIST(n, d, rel, help) \
	{ #n, CONF_LIST, d, "", rel, help, offsetof(struct conf, n) },
#define BOOL(n, d, rel, help) \
	{ #n, CONF_BOOL, d, "yes|no", rel, help, offsetof(struct conf, n) },
#define INT(n, d, lo, hi, rel, help) \
	{ #n, CONF_INT, d, TEXT(lo) ".." TEXT(hi), rel, help, \
	    offsetof(struct conf, n) },
#define SIZE(n, d, lo, hi, rel, help) \
	{ #n, CONF_SIZE, d, TEXT(lo) ".." TEXT(hi) " bytes", rel, help, \
	    offsetof(struct conf, n) },
#define TIME(n, d, lo, hi, rel, help) \
	{ #n, CONF_TIME, d, TEXT(lo) ".." TEXT(hi) " ms", rel, help, \
	    offsetof(struct conf, n) },
#define ENUM(n, d, words, rel, help) \
	{ #n, CONF_ENUM, d, words, rel, help, offsetof(struct conf, n) },
static const struct conf_param params[] = {
#include "base/params.def"
};
#undef STRING
#undef RAW
#undef LIST
#undef BOOL
#undef INT
#undef SIZE
#undef TIME
#undef ENUM

#define STRING(n, d, rel, help)			{ 0, 0, NULL },
#define RAW(n, d, rel, help)			{ 0, 0, NULL },
#define LIST(n, d, rel, help)			{ 0, 0, NULL },
#define BOOL(n, d, rel, help)			{ 0, 0, NULL },
#define INT(n, d, lo, hi, rel, help)		{ lo, hi, NULL },
#define SIZE(n, d, lo, hi, rel, help)		{ lo, hi, NULL },
#define TIME(n, d, lo, hi, rel, help)		{ lo, hi, NULL },
#define ENUM(n, d, words, rel, help)		{ 0, 0, words },
static const struct range ranges[] = {
#include "base/params.def"
};
#undef STRING
#undef RAW
#undef LIST
#undef BOOL
#undef INT
#undef SIZE
#undef TIME
#undef ENUM

#define N_PARAMS	ARRAY_LEN(params)

static const struct { const char *suffix; int64_t factor; } size_units[] = {
	{ "", 1 }, { "k", 1024 }, { "m", 1024 * 1024 },
	{ "g", 1024 * 1024 * 1024 },
}, time_units[] = {
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 86400 * 1000LL },
	{ "w", 7 * 86400 * 1000LL },
};

const struct conf_param *
conf_params(size_t *n)
{
	*n = N_PARAMS;
	return params;
}

const struct conf_param *
conf_param_find(struct span name)
{
	size_t i;

	for (i = 0; i < N_PARAMS; i++)
		if (span_eq(name, span_str(params[i].name)))
			return &params[i];
	return NULL;
}

/* --- complaints --- */

/* The state of one conf_parse. */
struct parse {
	const char *file;
	struct buf *complaints;
	bool bad;
	struct conf *main;
	struct conf *part;	/* where lines go now: main or a section */
	int nested;		/* conditions within conditions */
};

static void PRINTF(4, 5)
complain(struct parse *ps, int line, int column, const char *fmt, ...)
{
	va_list ap;

	ps->bad = true;
	buf_fmt(ps->complaints, "%s:%d:%d: ", ps->file, line, column);
	va_start(ap, fmt);
	buf_vfmt(ps->complaints, fmt, ap);
	va_end(ap);
	buf_char(ps->complaints, '\n');
}

unsigned
conf_word_distance(struct span a, struct span b)
{
	unsigned row[3][65], *last2 = row[0], *last = row[1], *now = row[2];
	unsigned *t;
	size_t i, j;

	if (a.n > 64 || b.n > 64)
		return 1000;
	for (j = 0; j <= b.n; j++)
		last[j] = (unsigned)j;
	for (i = 1; i <= a.n; i++) {
		now[0] = (unsigned)i;
		for (j = 1; j <= b.n; j++) {
			unsigned same = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
			unsigned d = last[j - 1] + same;

			d = MIN(d, last[j] + 1);
			d = MIN(d, now[j - 1] + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				d = MIN(d, last2[j - 2] + 1);
			now[j] = d;
		}
		t = last2;
		last2 = last;
		last = now;
		now = t;
	}
	return last[b.n];
}

static const char *
nearest_param(struct span name)
{
	unsigned best = 1000, d;
	const char *found = "";
	size_t i;

	for (i = 0; i < N_PARAMS; i++) {
		d = conf_word_distance(name, span_str(params[i].name));
		if (d < best) {
			best = d;
			found = params[i].name;
		}
	}
	return found;
}

static bool
enum_has(const char *words, struct span value, struct span *nearest)
{
	struct span rest = span_str(words), w;
	unsigned best = 1000, d;

	while (span_split(&rest, '|', &w)) {
		if (span_eq(w, value))
			return true;
		if ((d = conf_word_distance(w, value)) < best) {
			best = d;
			*nearest = w;
		}
	}
	return false;
}

/* --- values --- */

static int64_t
digits_of(struct span v, struct span *suffix)
{
	size_t i = 0;
	int64_t n;

	while (i < v.n && ascii_isdigit((unsigned char)v.p[i]))
		i++;
	*suffix = span_sub(v, i, v.n);
	return span_i64(span_sub(v, 0, i), 0, INT64_MAX, &n) ? n : -1;
}

/* A number with a unit, in the unit's base; -1 if malformed. */
static int64_t
number_of(enum conf_type type, struct span v)
{
	struct span suffix;
	int64_t n = digits_of(v, &suffix), f = -1;
	size_t i;

	if (type == CONF_INT)
		f = suffix.n == 0 ? 1 : -1;
	else if (type == CONF_SIZE) {
		for (i = 0; i < ARRAY_LEN(size_units); i++)
			if (span_is(suffix, size_units[i].suffix))
				f = size_units[i].factor;
	} else
		for (i = 0; i < ARRAY_LEN(time_units); i++)
			if (span_is(suffix, time_units[i].suffix))
				f = time_units[i].factor;
	if (n < 0 || f < 0 || n > INT64_MAX / f)
		return -1;
	return n * f;
}

static void *
field_of(const struct conf *c, const struct conf_param *p)
{
	return (char *)(uintptr_t)c + p->offset;
}

static void
field_set_string(struct conf *c, const struct conf_param *p, struct span v)
{
	char **field = field_of(c, p);

	free(*field);
	*field = xmemdup0(v.p, v.n);
}

static const char *const wanted[] = {
	[CONF_INT] = "a number is wanted",
	[CONF_SIZE] = "a size is wanted, such as 50m (units k m g)",
	[CONF_TIME] = "a time is wanted, such as 30s (units ms s m h d w)",
};

bool
conf_number(const struct conf_param *p, struct span v, int64_t *out,
    char why[128])
{
	const struct range *r = &ranges[p - params];
	/* below zero only where the row's range is, and without a unit */
	bool negative = r->lo < 0 && v.n > 1 && v.p[0] == '-';
	int64_t n = number_of(p->type, span_sub(v, negative, v.n));
	bool good = n >= 0;

	if (negative)
		n = -n;
	if (good && n >= r->lo && n <= r->hi) {
		*out = n;
		return true;
	}
	if (!good)
		(void)snprintf(why, 128, "%s", wanted[p->type]);
	else
		(void)snprintf(why, 128, "outside the range %s", p->range);
	return false;
}

/* As in the DNS; what is more than that ends up in greetings and headers. */
static bool
is_host_name(struct span v)
{
	struct span label;
	size_t i;

	if (v.n == 0 || v.n > 255)
		return false;
	while (span_split(&v, '.', &label)) {
		if (label.n == 0 || label.n > 63)
			return false;
		for (i = 0; i < label.n; i++)
			if (!ascii_isalnum((unsigned char)label.p[i]) &&
			    label.p[i] != '-' && label.p[i] != '_')
				return false;
	}
	return true;
}

static bool
is_absolute_path(struct span v)
{
	return span_starts(v, "/");
}

/* Strings that must look like something. */
static const struct {
	size_t offset;
	bool (*good)(struct span v);
	const char *wanted;
} shapes[] = {
	{ offsetof(struct conf, myhostname), is_host_name,
	    "a host name is wanted, such as mx.example.org" },
	{ offsetof(struct conf, host_name_in_database), is_host_name,
	    "a host name is wanted, such as mx.example.org" },
	{ offsetof(struct conf, spool_directory), is_absolute_path,
	    "an absolute path is wanted" },
	{ offsetof(struct conf, store_directory), is_absolute_path,
	    "an absolute path is wanted" },
	{ offsetof(struct conf, run_directory), is_absolute_path,
	    "an absolute path is wanted" },
};

static const char *
shape_wrong(const struct conf_param *p, struct span v)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(shapes); i++)
		if (shapes[i].offset == p->offset && !shapes[i].good(v))
			return shapes[i].wanted;
	return NULL;
}

/* The database has names in lower case, people have $myhostname in any. */
static void
host_name_fold(struct conf *c)
{
	char *s;

	for (s = c->host_name_in_database; *s != '\0'; s++)
		*s = (char)ascii_lower((unsigned char)*s);
}

/* Stores v; returns what is wrong with it, or NULL. */
static const char *
field_set(struct conf *c, const struct conf_param *p, struct span v,
    char why[128])
{
	struct span near = SPAN_LIT("");

	switch (p->type) {
	case CONF_STRING:
		field_set_string(c, p, v);
		if (p->offset == offsetof(struct conf, host_name_in_database))
			host_name_fold(c);
		return shape_wrong(p, v);
	case CONF_RAW:
	case CONF_LIST:
		field_set_string(c, p, v);
		return NULL;
	case CONF_ENUM:
		if (!enum_has(ranges[p - params].words, v, &near)) {
			(void)snprintf(why, 128, "one of %s is wanted; did "
			    "you mean \"%.*s\"?", ranges[p - params].words,
			    SPAN_ARG(near));
			return why;
		}
		field_set_string(c, p, v);
		return NULL;
	case CONF_BOOL:
		if (!span_is(v, "yes") && !span_is(v, "no"))
			return "yes or no is wanted";
		*(bool *)field_of(c, p) = span_is(v, "yes");
		return NULL;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_TIME:
		return conf_number(p, v, field_of(c, p), why) ? NULL : why;
	}
	return "unknown type";
}

/* --- $name expansion --- */

static void expand(struct parse *ps, const struct conf *c, struct span in,
    int depth, struct buf *out, const struct conf_line *at);
static void expand_param(struct parse *ps, const struct conf *c,
    const struct conf_param *p, int depth, struct buf *out,
    const struct conf_line *at);

static struct conf_own *
own_find(const struct conf *c, struct span name)
{
	size_t i;

	for (i = 0; i < c->n_own; i++)
		if (span_eq(name, span_str(c->own[i].name)))
			return &c->own[i];
	return NULL;
}

static void
expand_name(struct parse *ps, const struct conf *c, struct span name,
    int depth, struct buf *out, const struct conf_line *at)
{
	const struct conf_param *p = conf_param_find(name);
	const struct conf_own *own = p != NULL ? NULL : own_find(c, name);

	if (p == NULL && own == NULL) {
		/* deeper down it is told where it stands, not here again */
		ps->bad = true;
		if (depth == 0)
			complain(ps, at->line, at->column, "$%.*s: unknown "
			    "parameter; did you mean $%s?", SPAN_ARG(name),
			    nearest_param(name));
		return;
	}
	if (depth >= EXPAND_DEPTH) {
		complain(ps, at->line, at->column,
		    "$%.*s: refers to itself", SPAN_ARG(name));
		return;
	}
	if (own != NULL)
		expand(ps, c, span_str(own->line.raw), depth + 1, out, at);
	else
		expand_param(ps, c, p, depth + 1, out, at);
}

/* The parent of myhostname, when it has one with a dot. */
static void
mydomain_derive(struct parse *ps, const struct conf *c, int depth,
    struct buf *out, const struct conf_line *at)
{
	struct span name, parent;
	struct buf host;
	ptrdiff_t dot;

	buf_init(&host, VALUE_MAX);
	expand(ps, c, SPAN_LIT("$myhostname"), depth, &host, at);
	name = span_trim(buf_span(&host));
	dot = span_chr(name, '.');
	parent = dot < 0 ? SPAN_NONE : span_sub(name, (size_t)dot + 1, name.n);
	buf_span_add(out, span_chr(parent, '.') < 0 ? name : parent);
	buf_fini(&host);
}

static void
expand_param(struct parse *ps, const struct conf *c,
    const struct conf_param *p, int depth, struct buf *out,
    const struct conf_line *at)
{
	const struct conf_line *l = &c->lines[p - params];
	struct span raw = span_str(l->raw != NULL ? l->raw : p->def);

	if (raw.n == 0 && p->offset == offsetof(struct conf, mydomain))
		mydomain_derive(ps, c, depth, out, at);
	else if (p->type == CONF_RAW)
		buf_span_add(out, raw);
	else
		expand(ps, c, raw, depth, out, at);
}

/* Where the brace closes behind which `from` is; in.n when nowhere. */
static size_t
brace_end(struct span in, size_t from)
{
	size_t i;
	int open = 1;

	for (i = from; i < in.n; i++) {
		open += in.p[i] == '{';
		open -= in.p[i] == '}';
		if (open == 0)
			break;
	}
	return i;
}

/* Cuts "{value}" off the front of *rest; all of it when it has no brace. */
static struct span
operand(struct span *rest)
{
	struct span all = span_trim(*rest);
	size_t end;

	*rest = SPAN_NONE;
	if (all.n == 0 || all.p[0] != '{')
		return all;
	end = brace_end(all, 1);
	if (end < all.n)
		*rest = span_trim(span_sub(all, end + 1, all.n));
	return span_sub(all, 1, end - 1);
}

/* The rest of ${name?value}, ${name?{value}:{other}} or ${name:value}, as in
 * postconf(5): the value when name is not empty, the other when it is. */
static void
expand_if(struct parse *ps, const struct conf *c, struct span name,
    struct span rest, int depth, struct buf *out, const struct conf_line *at)
{
	struct span yes = SPAN_NONE, no = SPAN_NONE;
	struct buf value;
	bool question = rest.p[0] == '?';

	rest = span_sub(rest, 1, rest.n);
	*(question ? &yes : &no) = operand(&rest);
	if (question && rest.n > 0 && rest.p[0] == ':') {
		rest = span_sub(rest, 1, rest.n);
		no = operand(&rest);
	}
	if (rest.n > 0) {
		complain(ps, at->line, at->column, "${%.*s%c...}: \"%.*s\" "
		    "does not belong there", SPAN_ARG(name),
		    question ? '?' : ':', SPAN_ARG(rest));
		return;
	}
	if (ps->nested >= EXPAND_DEPTH) {
		complain(ps, at->line, at->column,
		    "${%.*s?...}: nested too deeply", SPAN_ARG(name));
		return;
	}
	ps->nested++;
	buf_init(&value, VALUE_MAX);
	expand_name(ps, c, name, depth, &value, at);
	expand(ps, c, buf_len(&value) > 0 ? yes : no, depth, out, at);
	buf_fini(&value);
	ps->nested--;
}

static void
expand(struct parse *ps, const struct conf *c, struct span in, int depth,
    struct buf *out, const struct conf_line *at)
{
	size_t i = 0, from, end;
	struct span name;
	bool brace;

	while (i < in.n && !ps->bad) {
		if (in.p[i] != '$') {
			buf_char(out, in.p[i++]);
			continue;
		}
		if (++i < in.n && in.p[i] == '$') {
			buf_char(out, in.p[i++]);
			continue;
		}
		if ((brace = i < in.n && in.p[i] == '{'))
			i++;
		for (from = i; i < in.n &&
		    (ascii_isalnum((unsigned char)in.p[i]) || in.p[i] == '_');)
			i++;
		name = span_sub(in, from, i - from);
		end = brace ? brace_end(in, from) : i;
		if (brace && end < in.n && i < end &&
		    (in.p[i] == '?' || in.p[i] == ':')) {
			expand_if(ps, c, name, span_sub(in, i, end - i),
			    depth, out, at);
			i = end + 1;
			continue;
		}
		expand_name(ps, c, name, depth, out, at);
		if (brace && (i >= in.n || in.p[i++] != '}'))
			complain(ps, at->line, at->column,
			    "${ without its }");
	}
}

/* --- snapshots --- */

static struct conf *
conf_new(const char *kind, struct span name)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->kind = xstrdup(kind);
	c->name = xmemdup0(name.p, name.n);
	c->n_lines = N_PARAMS;
	c->lines = xcalloc(N_PARAMS, sizeof(*c->lines));
	return c;
}

struct conf *
conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

static bool
type_is_text(enum conf_type t)
{
	return t == CONF_STRING || t == CONF_RAW || t == CONF_LIST ||
	    t == CONF_ENUM;
}

void
conf_unref(struct conf **cp)
{
	struct conf *c = *cp;
	size_t i;

	*cp = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	for (i = 0; i < N_PARAMS; i++) {
		if (type_is_text(params[i].type))
			free(*(char **)field_of(c, &params[i]));
		free(c->lines[i].raw);
	}
	for (i = 0; i < c->n_sections; i++)
		conf_unref(&c->sections[i]);
	for (i = 0; i < c->n_own; i++) {
		free(c->own[i].name);
		free(c->own[i].value);
		free(c->own[i].where);
		free(c->own[i].line.raw);
	}
	free(c->own);
	if (c->n_lines > 0)
		free((char *)(uintptr_t)c->lines[N_PARAMS - 1].file);
	free(c->sections);
	free(c->lines);
	free(c->kind);
	free(c->name);
	free(c);
}

static struct conf_own *
own_add(struct conf *c, struct span name)
{
	struct conf_own *own;

	c->own = xreallocarray(c->own, c->n_own + 1, sizeof(*c->own));
	own = &c->own[c->n_own++];
	*own = (struct conf_own){ .name = xmemdup0(name.p, name.n) };
	return own;
}

/* What is not set in a section is as in the main part. */
static void
section_inherit(struct conf *c, const struct conf *main)
{
	struct conf_own *own;
	size_t i;

	for (i = 0; i < main->n_own; i++) {
		if (own_find(c, span_str(main->own[i].name)) != NULL)
			continue;
		own = own_add(c, span_str(main->own[i].name));
		own->line = main->own[i].line;
		own->line.own = false;
		own->line.raw = xstrdup(main->own[i].line.raw);
	}

	for (i = 0; i < N_PARAMS; i++) {
		struct conf_line *l = &c->lines[i];
		const struct conf_line *from = &main->lines[i];

		if (l->own || from->raw == NULL)
			continue;
		l->raw = xstrdup(from->raw);
		l->line = from->line;
		l->column = from->column;
	}
}

static void
values_fill(struct parse *ps, struct conf *c)
{
	struct buf out;
	char why[128];
	const char *wrong;
	size_t i;

	buf_init(&out, VALUE_MAX);
	for (i = 0; i < N_PARAMS; i++) {
		struct conf_line *l = &c->lines[i];
		bool was_bad = ps->bad;

		buf_clear(&out);
		ps->bad = false;
		expand_param(ps, c, &params[i], 0, &out, l);
		wrong = buf_failed(&out) ? "value is too long" :
		    field_set(c, &params[i], span_trim(buf_span(&out)), why);
		/* inherited mistakes are told once, for the main part */
		if (wrong != NULL && (c == ps->main || l->own))
			complain(ps, l->line, l->column, "%s = %.80s: %s",
			    params[i].name, buf_cstr(&out), wrong);
		ps->bad = ps->bad || was_bad;
	}
	for (i = 0; i < c->n_own; i++) {
		struct conf_own *own = &c->own[i];

		buf_clear(&out);
		expand(ps, c, span_str(own->line.raw), 0, &out, &own->line);
		own->value = xstrdup(buf_failed(&out) ? "" : buf_cstr(&out));
		own->where = xasprintf("%s:%d", ps->file, own->line.line);
	}
	buf_fini(&out);
}

/* --- the site's own names --- */

static bool
is_name_char(char c)
{
	return ascii_isalnum((unsigned char)c) || c == '_';
}

/* Is $name or ${name} in the text? */
static bool
text_uses(const char *text, struct span name)
{
	const char *p = text;

	while (p != NULL && (p = strchr(p, '$')) != NULL) {
		p += p[1] == '{' ? 2 : 1;
		if (strncmp(p, name.p, name.n) == 0 &&
		    !is_name_char(p[name.n]))
			return true;
		if (*p == '$')
			p++;
	}
	return false;
}

static bool
part_uses(const struct conf *c, struct span name)
{
	size_t classes = (size_t)(conf_param_find(
	    SPAN_LIT("smtpd_restriction_classes")) - params);
	struct span rest, word;
	size_t i;

	if (c->lines[classes].raw != NULL) {
		rest = span_str(c->lines[classes].raw);
		while (conf_list_next(&rest, &word))
			if (span_eq(word, name))
				return true;
	}
	for (i = 0; i < N_PARAMS; i++)
		if (text_uses(c->lines[i].raw, name))
			return true;
	for (i = 0; i < c->n_own; i++)
		if (text_uses(c->own[i].line.raw, name))
			return true;
	return false;
}

/* A name that is no parameter and that nothing uses is a mistake. */
static void
own_check(struct parse *ps, const struct conf *c)
{
	struct span name;
	size_t i, j;
	bool used;

	for (i = 0; i < c->n_own; i++) {
		name = span_str(c->own[i].name);
		used = part_uses(ps->main, name);
		for (j = 0; !used && j < ps->main->n_sections; j++)
			used = part_uses(ps->main->sections[j], name);
		if (!used)
			complain(ps, c->own[i].line.line, 1, "%s: unknown "
			    "parameter; did you mean %s?", c->own[i].name,
			    nearest_param(name));
	}
}

const char *
conf_own(const struct conf *c, struct span name, const char **where)
{
	const struct conf_own *own = own_find(c, name);

	if (own != NULL && where != NULL)
		*where = own->where;
	return own == NULL ? NULL : own->value;
}

const char *
conf_own_at(const struct conf *c, size_t i)
{
	return i < c->n_own ? c->own[i].name : NULL;
}

/* --- the file --- */

static bool
name_is_valid(struct span name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (!ascii_isalnum((unsigned char)name.p[i]) &&
		    strchr("_-.", name.p[i]) == NULL)
			return false;
	return name.n > 0 && name.n <= 64;
}

static void
section_begin(struct parse *ps, struct span line, int lineno)
{
	struct span in = span_sub(line, 1, line.n), kind, name, rest;
	struct conf *c;

	ps->part = NULL;	/* lines of a bad section are only parsed */
	if (!span_ends(in, "]")) {
		complain(ps, lineno, (int)line.n, "`]' is missing");
		return;
	}
	rest = span_sub(in, 0, in.n - 1);
	if (!span_word(&rest, &kind) ||
	    (!span_is(kind, "service") && !span_is(kind, "transport"))) {
		complain(ps, lineno, 2, "a section is [service NAME] or "
		    "[transport NAME]");
		return;
	}
	name = span_trim(rest);
	if (!name_is_valid(name)) {
		complain(ps, lineno, 2, "section name \"%.*s\": letters, "
		    "digits, `-', `_' and `.' are wanted", SPAN_ARG(name));
		return;
	}
	c = conf_new(span_is(kind, "service") ? "service" : "transport",
	    name);
	if (conf_section(ps->main, c->kind, c->name) != NULL) {
		complain(ps, lineno, 2, "section [%s %s] is there twice",
		    c->kind, c->name);
		conf_unref(&c);
		return;
	}
	ps->main->sections = xreallocarray(ps->main->sections,
	    ps->main->n_sections + 1, sizeof(*ps->main->sections));
	ps->main->sections[ps->main->n_sections++] = c;
	ps->part = c;
}

/* The line of a name of the site's own; NULL when it can't be one. */
static struct conf_line *
own_line(struct parse *ps, struct span name)
{
	struct conf_own *own;
	size_t i;

	for (i = 0; i < name.n; i++)
		if (!is_name_char(name.p[i]))
			return NULL;
	if (name.n == 0 || name.n > 64 || ps->part == NULL)
		return NULL;
	own = own_find(ps->part, name);
	return own != NULL ? &own->line : &own_add(ps->part, name)->line;
}

static void
assignment(struct parse *ps, struct span line, int lineno)
{
	ptrdiff_t eq = span_chr(line, '=');
	struct span name, value;
	const struct conf_param *p;
	struct conf_line *l;

	name = span_trim(eq < 0 ? line : span_sub(line, 0, (size_t)eq));
	if (eq < 0) {
		complain(ps, lineno, 1, "\"%.*s\": `name = value' is wanted",
		    (int)MIN(name.n, (size_t)60), name.p);
		return;
	}
	value = span_trim(span_sub(line, (size_t)eq + 1, line.n));
	p = conf_param_find(name);
	l = p == NULL ? own_line(ps, name) : NULL;
	if (p == NULL && l == NULL) {
		complain(ps, lineno, 1, "%.*s: unknown parameter; did you "
		    "mean %s?", (int)MIN(name.n, (size_t)80), name.p,
		    nearest_param(name));
		return;
	}
	if (ps->part == NULL)
		return;
	if (p != NULL)
		l = &ps->part->lines[p - params];
	if (l->own) {
		complain(ps, lineno, 1, "%.*s: already set in line %d",
		    SPAN_ARG(name), l->line);
		return;
	}
	if (value.n > VALUE_MAX || span_chr(value, '\0') >= 0) {
		complain(ps, lineno, 1, "%.*s: value is too long or holds "
		    "NUL", SPAN_ARG(name));
		value = SPAN_LIT("");
	}
	l->own = true;
	l->raw = xmemdup0(value.p, value.n);
	l->line = lineno;
	l->column = value.n == 0 ? (int)line.n : (int)(value.p - line.p) + 1;
}

static void
logical_line(struct parse *ps, struct span line, int lineno)
{
	line = span_of(line.p, span_trim(line).n +
	    (size_t)(span_trim(line).p - line.p));
	if (line.n == 0)
		return;
	if (line.p[0] == '[')
		section_begin(ps, line, lineno);
	else
		assignment(ps, line, lineno);
}

static void
lines_parse(struct parse *ps, struct span text)
{
	struct span line, trimmed;
	struct buf whole;
	int lineno = 0, begun = 0;

	buf_init(&whole, FILE_MAX_BYTES);
	while (span_split(&text, '\n', &line)) {
		lineno++;
		trimmed = span_trim(line);
		if (trimmed.n == 0 || trimmed.p[0] == '#')
			continue;
		if (ascii_isspace((unsigned char)line.p[0])) {
			if (buf_len(&whole) == 0) {
				complain(ps, lineno, 1, "a continuation line "
				    "with nothing to continue");
				continue;
			}
			buf_char(&whole, ' ');
			buf_span_add(&whole, trimmed);
			continue;
		}
		if (buf_len(&whole) > 0)
			logical_line(ps, buf_span(&whole), begun);
		buf_clear(&whole);
		buf_span_add(&whole, trimmed);
		begun = lineno;
	}
	if (buf_len(&whole) > 0)
		logical_line(ps, buf_span(&whole), begun);
	buf_fini(&whole);
}

static void
file_note(struct conf *c, const char *file)
{
	/* one copy per part, owned through its last row (see conf_unref) */
	char *copy = xstrdup(file);
	size_t i;

	for (i = 0; i < N_PARAMS; i++)
		c->lines[i].file = copy;
}

struct conf *
conf_parse(const char *file, struct span text, struct buf *complaints)
{
	struct parse ps = { .file = file, .complaints = complaints };
	size_t i;

	ps.main = ps.part = conf_new("", SPAN_LIT(""));
	file_note(ps.main, file);
	/* a byte order mark, as some editors put in front */
	if (span_starts(text, "\xef\xbb\xbf"))
		text = span_sub(text, 3, text.n);
	if (text.n > FILE_MAX_BYTES)
		complain(&ps, 1, 1, "file is larger than 1 MiB");
	else if (text.p != NULL)
		lines_parse(&ps, text);
	own_check(&ps, ps.main);
	for (i = 0; i < ps.main->n_sections; i++)
		own_check(&ps, ps.main->sections[i]);
	values_fill(&ps, ps.main);
	for (i = 0; i < ps.main->n_sections; i++) {
		file_note(ps.main->sections[i], file);
		section_inherit(ps.main->sections[i], ps.main);
		values_fill(&ps, ps.main->sections[i]);
	}
	if (ps.bad)
		conf_unref(&ps.main);
	return ps.main;
}

struct conf *
conf_read(const char *path, struct buf *complaints)
{
	char *text = xmalloc(FILE_MAX_BYTES + 1);
	struct conf *c = NULL;
	size_t n = 0;
	ssize_t got = 0;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) != -1)
		while (n <= FILE_MAX_BYTES && (got = read(fd, text + n,
		    FILE_MAX_BYTES + 1 - n)) > 0)
			n += (size_t)got;
	if (fd == -1 || got == -1)
		buf_fmt(complaints, "%s: %s\n", path, strerrordesc_np(errno));
	else
		c = conf_parse(path, span_of(text, n), complaints);
	if (fd != -1)
		(void)close(fd);
	free(text);
	return c;
}

/* --- questions --- */

const struct conf *
conf_section_at(const struct conf *c, size_t i)
{
	return i < c->n_sections ? c->sections[i] : NULL;
}

const struct conf *
conf_section(const struct conf *c, const char *kind, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_sections; i++)
		if (strcmp(c->sections[i]->kind, kind) == 0 &&
		    strcmp(c->sections[i]->name, name) == 0)
			return c->sections[i];
	return NULL;
}

const char *
conf_where(const struct conf *c, const char *param)
{
	static _Thread_local char where[512];
	const struct conf_param *p = conf_param_find(span_str(param));

	if (p == NULL || c->lines[p - params].raw == NULL)
		return "";
	(void)snprintf(where, sizeof(where), "%s:%d",
	    c->lines[p - params].file, c->lines[p - params].line);
	return where;
}

static void
time_text(int64_t ms, struct buf *out)
{
	size_t i, best = 1;

	for (i = 1; i < ARRAY_LEN(time_units); i++)
		if (ms % time_units[i].factor == 0 && ms != 0)
			best = i;
	if (ms == 0)
		best = 2;
	buf_fmt(out, "%" PRId64 "%s", ms / time_units[best].factor,
	    time_units[best].suffix);
}

static void
size_text(int64_t n, struct buf *out)
{
	size_t i, best = 0;

	for (i = 1; i < ARRAY_LEN(size_units); i++)
		if (n != 0 && n % size_units[i].factor == 0)
			best = i;
	buf_fmt(out, "%" PRId64 "%s", n / size_units[best].factor,
	    size_units[best].suffix);
}

static void
string_text(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s == '$')
			buf_char(out, '$');
		buf_char(out, *s);
	}
}

void
conf_value(const struct conf *c, const struct conf_param *p, struct buf *out)
{
	const void *field = field_of(c, p);

	switch (p->type) {
	case CONF_RAW:
		buf_str(out, *(char *const *)field);
		break;
	case CONF_STRING:
	case CONF_LIST:
	case CONF_ENUM:
		string_text(*(char *const *)field, out);
		break;
	case CONF_BOOL:
		buf_str(out, *(const bool *)field ? "yes" : "no");
		break;
	case CONF_INT:
		buf_fmt(out, "%" PRId64, *(const int64_t *)field);
		break;
	case CONF_SIZE:
		size_text(*(const int64_t *)field, out);
		break;
	case CONF_TIME:
		time_text(*(const int64_t *)field, out);
		break;
	}
}

static bool
value_same(const struct conf *a, const struct conf *b,
    const struct conf_param *p)
{
	struct buf va, vb;
	bool same;

	buf_init(&va, VALUE_MAX);
	buf_init(&vb, VALUE_MAX);
	conf_value(a, p, &va);
	conf_value(b, p, &vb);
	same = span_eq(buf_span(&va), buf_span(&vb));
	buf_fini(&va);
	buf_fini(&vb);
	return same;
}

static void
name_add(struct buf *out, const char *part, const char *name)
{
	if (buf_len(out) > 0)
		buf_str(out, ", ");
	if (part[0] != '\0')
		buf_fmt(out, "[%s] ", part);
	buf_str(out, name);
}

/* What a section inherits from the main parts is told of there. */
static void
params_need_restart(const struct conf *a, const struct conf *b,
    const struct conf *main_a, const struct conf *main_b, struct buf *out)
{
	size_t i;

	for (i = 0; i < N_PARAMS; i++)
		if (!params[i].reloadable && !value_same(a, b, &params[i]) &&
		    (a == main_a || value_same(main_a, main_b, &params[i])))
			name_add(out, a->name, params[i].name);
}

void
conf_needs_restart(const struct conf *a, const struct conf *b,
    struct buf *out)
{
	const struct conf *other;
	size_t k;

	params_need_restart(a, b, a, b, out);
	for (k = 0; k < a->n_sections; k++) {
		other = conf_section(b, a->sections[k]->kind,
		    a->sections[k]->name);
		if (other == NULL)
			name_add(out, a->sections[k]->name, "removed");
		else
			params_need_restart(a->sections[k], other, a, b, out);
	}
	for (k = 0; k < b->n_sections; k++)
		if (conf_section(a, b->sections[k]->kind,
		    b->sections[k]->name) == NULL)
			name_add(out, b->sections[k]->name, "added");
}

bool
conf_list_next(struct span *rest, struct span *word)
{
	size_t i = 0, from;

	while (i < rest->n && (ascii_isspace((unsigned char)rest->p[i]) ||
	    rest->p[i] == ','))
		i++;
	from = i;
	while (i < rest->n && !ascii_isspace((unsigned char)rest->p[i]) &&
	    rest->p[i] != ',')
		i++;
	*word = span_sub(*rest, from, i - from);
	*rest = span_sub(*rest, i, rest->n);
	return word->n > 0;
}

bool
conf_braced_next(struct span *rest, struct span *word)
{
	size_t i = 0, from;
	int braces = 0;
	char c;

	while (i < rest->n && (ascii_isspace((unsigned char)rest->p[i]) ||
	    rest->p[i] == ','))
		i++;
	for (from = i; i < rest->n; i++) {
		c = rest->p[i];
		if (braces == 0 && (ascii_isspace((unsigned char)c) ||
		    c == ','))
			break;
		braces += c == '{';
		braces -= c == '}' && braces > 0;
	}
	*word = span_sub(*rest, from, i - from);
	*rest = span_sub(*rest, i, rest->n);
	return word->n > 0;
}
