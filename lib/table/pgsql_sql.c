#include "table/pgsql_sql.h"

#include <stdlib.h>

#include "base/xmalloc.h"

#define SQL_MAX	65536

/* --- translation --- */

struct scan {
	struct pgsql_sql *s;
	struct span in;
	size_t at;
	struct buf out;
	struct err *err;
};

static bool
is_word(char c)
{
	return ascii_isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static char
peek(const struct scan *c, size_t ahead)
{
	return c->at + ahead < c->in.n ? c->in.p[c->at + ahead] : '\0';
}

static bool
bad(struct scan *c, const char *why)
{
	(void)err_set(c->err, ERR_PERM, PS_ESYNTAX, "query, character %zu: %s",
	    c->at + 1, why);
	return false;
}

static bool
param_add(struct scan *c, struct span template)
{
	if (c->s->n == PGSQL_PARAMS_MAX)
		return bad(c, "more than 16 escapes");
	c->s->param[c->s->n++] = xmemdup0(template.p, template.n);
	buf_fmt(&c->out, "$%zu", c->s->n);
	return true;
}

/* 'text', '' inside is a quote. With an escape in it, it is a parameter. */
static bool
literal(struct scan *c)
{
	size_t from = c->at;
	char before = from > 0 ? c->in.p[from - 1] : '\0';
	bool backslash = (before | 32) == 'e', escapes = false, fine;
	struct buf text;

	buf_init(&text, SQL_MAX);
	for (c->at++; c->at < c->in.n; c->at++) {
		if (peek(c, 0) == '\'') {
			if (peek(c, 1) != '\'')
				break;
			c->at++;
		} else if (backslash && peek(c, 0) == '\\')
			c->at++;
		escapes = escapes || peek(c, 0) == '%';
		buf_char(&text, peek(c, 0));
	}
	if (c->at >= c->in.n)
		fine = bad(c, "a quoted text has no end");
	else if (!escapes) {
		buf_span_add(&c->out, span_sub(c->in, from,
		    c->at + 1 - from));
		fine = true;
	} else if (is_word(before) || before == '&')
		fine = bad(c, "an escape in a text with a prefix (E'', B'')");
	else
		fine = param_add(c, buf_span(&text));
	buf_fini(&text);
	c->at++;
	return fine;
}

/* Copies up to and with `end`; an escape can't be in there. */
static bool
copy_through(struct scan *c, size_t skip, struct span end, const char *what)
{
	size_t i;

	for (i = c->at + skip; i + end.n <= c->in.n; i++) {
		if (span_eq(span_sub(c->in, i, end.n), end)) {
			buf_span_add(&c->out, span_sub(c->in, c->at,
			    i + end.n - c->at));
			c->at = i + end.n;
			return true;
		}
		if (c->in.p[i] == '%')
			return bad(c, what);
	}
	return bad(c, "what begins here has no end");
}

/* $tag$text$tag$; $1 is ours. */
static bool
dollar(struct scan *c)
{
	size_t n = 1;

	if (ascii_isdigit((unsigned char)peek(c, 1)))
		return bad(c, "$ with a number: use %s and the like");
	while (is_word(peek(c, n)))
		n++;
	if (peek(c, n) != '$') {
		buf_char(&c->out, c->in.p[c->at++]);
		return true;
	}
	return copy_through(c, n + 1, span_sub(c->in, c->at, n + 1),
	    "an escape in a dollar-quoted text");
}

/* "--" to the end of the text (lines were joined), C comments. */
static bool
comment(struct scan *c)
{
	int depth = 0;

	if (peek(c, 0) == '-') {
		c->at = c->in.n;
		return true;
	}
	while (c->at < c->in.n) {
		if (peek(c, 0) == '/' && peek(c, 1) == '*')
			depth++, c->at += 2;
		else if (peek(c, 0) == '*' && peek(c, 1) == '/')
			depth--, c->at += 2;
		else
			c->at++;
		if (depth == 0) {
			buf_char(&c->out, ' ');
			return true;
		}
	}
	return bad(c, "a comment has no end");
}

/* %s that is not quoted */
static bool
escape(struct scan *c)
{
	if (peek(c, 1) == '%') {
		buf_char(&c->out, '%');
		c->at += 2;
		return true;
	}
	if ((c->at > 0 && is_word(c->in.p[c->at - 1])) || is_word(peek(c, 2)))
		return bad(c, "an escape stands in quotes or alone");
	if (!param_add(c, span_sub(c->in, c->at, 2)))
		return false;
	c->at += 2;
	return true;
}

static bool
step(struct scan *c)
{
	switch (peek(c, 0)) {
	case '\'':
		return literal(c);
	case '"':
		return copy_through(c, 1, SPAN_LIT("\""),
		    "an escape in the name of a table or column");
	case '$':
		return dollar(c);
	case '%':
		return escape(c);
	case '-':
	case '/':
		if (peek(c, 1) == (peek(c, 0) == '-' ? '-' : '*'))
			return comment(c);
		break;
	}
	buf_char(&c->out, c->in.p[c->at++]);
	return true;
}

int
pgsql_sql_translate(struct pgsql_sql *s, struct span query, struct err *err)
{
	struct scan c = { .s = s, .in = span_trim(query), .err = err };
	bool fine = true;

	while (c.in.n > 0 && c.in.p[c.in.n - 1] == ';')
		c.in = span_trim(span_sub(c.in, 0, c.in.n - 1));
	buf_init(&c.out, SQL_MAX);
	while (fine && c.at < c.in.n)
		fine = step(&c);
	if (fine && (buf_failed(&c.out) || buf_len(&c.out) == 0))
		fine = bad(&c, "it is empty or too long");
	if (fine)
		s->text = xstrdup(buf_cstr(&c.out));
	buf_fini(&c.out);
	return fine ? 0 : PS_ESYNTAX;
}

void
pgsql_sql_fini(struct pgsql_sql *s)
{
	while (s->n > 0)
		free(s->param[--s->n]);
	free(s->text);
	s->text = NULL;
}

/* --- templates --- */

static const struct { char escape; unsigned needs; } escapes[] = {
	{ 's', 0 }, { 'S', 0 }, { '%', 0 },
	{ 'u', PGSQL_NEEDS_USER }, { 'd', PGSQL_NEEDS_DOMAIN },
	{ 'U', PGSQL_NEEDS_KEY_USER }, { 'D', PGSQL_NEEDS_KEY_DOMAIN },
};

bool
pgsql_template_check(struct span t, unsigned *needs, unsigned *labels,
    struct err *err)
{
	size_t i, k;
	char c;

	for (i = 0; i < t.n; i++) {
		if (t.p[i] != '%')
			continue;
		c = ++i < t.n ? t.p[i] : '\0';
		if (c >= '1' && c <= '9') {
			*labels = MAX(*labels, (unsigned)(c - '0'));
			continue;
		}
		for (k = 0; k < ARRAY_LEN(escapes); k++)
			if (escapes[k].escape == c)
				break;
		if (k == ARRAY_LEN(escapes)) {
			(void)err_set(err, ERR_PERM, PS_ESYNTAX, "\"%.*s\": "
			    "unknown escape; %%%% is a percent sign",
			    (int)MIN(t.n, (size_t)120), t.p);
			return false;
		}
		*needs |= escapes[k].needs;
	}
	return true;
}

/* user@domain, cut at the last @; all of it is the user without one. */
static void
cut(struct span s, struct span *user, struct span *domain)
{
	ptrdiff_t at = span_rchr(s, '@');

	*user = at < 0 ? s : span_sub(s, 0, (size_t)at);
	*domain = at < 0 ? SPAN_NONE : span_sub(s, (size_t)at + 1, s.n);
}

static bool
has(struct span s, bool user_wanted, bool domain_wanted)
{
	struct span user, domain;

	cut(s, &user, &domain);
	return (!user_wanted || user.n > 0) &&
	    (!domain_wanted || domain.n > 0);
}

/* The i-th label of the domain, counted from the last: 1 is "com". */
static struct span
label(struct span key, unsigned i)
{
	struct span user, domain, one = SPAN_NONE;
	ptrdiff_t dot;

	cut(key, &user, &domain);
	while (i-- > 0) {
		if (domain.n == 0)
			return SPAN_NONE;
		dot = span_rchr(domain, '.');
		one = span_sub(domain, (size_t)(dot + 1), domain.n);
		domain = span_sub(domain, 0, (size_t)MAX(dot, 0));
	}
	return one;
}

bool
pgsql_template_fits(unsigned needs, unsigned labels, struct span key,
    struct span value)
{
	if (value.p == NULL)
		value = key;
	return has(value, needs & PGSQL_NEEDS_USER,
	    needs & PGSQL_NEEDS_DOMAIN) &&
	    has(key, needs & PGSQL_NEEDS_KEY_USER,
	    needs & PGSQL_NEEDS_KEY_DOMAIN) &&
	    (labels == 0 || label(key, labels).n > 0);
}

void
pgsql_template_fill(struct span t, struct span key, struct span value,
    struct buf *out)
{
	struct span user, domain, key_user, key_domain;
	size_t i;

	cut(value, &user, &domain);
	cut(key, &key_user, &key_domain);
	for (i = 0; i < t.n; i++) {
		if (t.p[i] != '%' || i + 1 == t.n) {
			buf_char(out, t.p[i]);
			continue;
		}
		switch (t.p[++i]) {
		case 's':	buf_span_add(out, value); break;
		case 'u':	buf_span_add(out, user); break;
		case 'd':	buf_span_add(out, domain); break;
		case 'S':	buf_span_add(out, key); break;
		case 'U':	buf_span_add(out, key_user); break;
		case 'D':	buf_span_add(out, key_domain); break;
		case '%':	buf_char(out, '%'); break;
		default:
			buf_span_add(out, label(key,
			    (unsigned)(t.p[i] - '0')));
		}
	}
}
