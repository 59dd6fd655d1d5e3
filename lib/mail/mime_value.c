/*
 * Structured values of Content- fields (RFC 2045 5.1, RFC 2183 2).
 */
#include <string.h>

#include "mail/mime.h"

static void
advance(struct span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* White space and comments. */
static void
skip_cfws(struct span *s)
{
	int depth = 0;

	while (s->n > 0) {
		char c = *s->p;

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && s->n > 1)
			advance(s, 1);
		else if (depth == 0 && !ascii_isspace((unsigned char)c))
			return;
		advance(s, 1);
	}
}

static bool
is_token(char c)
{
	return (unsigned char)c > ' ' && c != 127 &&
	    strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static struct span
take_token(struct span *s)
{
	struct span t = { s->p, 0 };

	while (t.n < s->n && is_token(t.p[t.n]))
		t.n++;
	advance(s, t.n);
	return t;
}

/* With its quotes; a missing end quote ends with the value. */
static struct span
take_quoted(struct span *s)
{
	struct span t = { s->p, 1 };

	while (t.n < s->n && t.p[t.n] != '"')
		t.n += t.p[t.n] == '\\' && t.n + 1 < s->n ? 2 : 1;
	if (t.n < s->n)
		t.n++;
	advance(s, t.n);
	return t;
}

/* A value outside quotes: more than the token it should be is common. */
static struct span
take_loose(struct span *s)
{
	struct span t = { s->p, 0 };

	while (t.n < s->n && t.p[t.n] != ';' && t.p[t.n] != '(' &&
	    !ascii_isspace((unsigned char)t.p[t.n]))
		t.n++;
	advance(s, t.n);
	return t;
}

bool
mime_token(struct span value, struct span *token, struct mime_value *v)
{
	if (value.p == NULL)
		return false;
	skip_cfws(&value);
	*token = take_token(&value);
	v->rest = value;
	v->params = 0;
	return token->n > 0;
}

bool
mime_type(struct span value, struct span *type, struct span *subtype,
    struct mime_value *v)
{
	if (!mime_token(value, type, v))
		return false;
	skip_cfws(&v->rest);
	if (v->rest.n == 0 || *v->rest.p != '/')
		return false;
	advance(&v->rest, 1);
	skip_cfws(&v->rest);
	*subtype = take_token(&v->rest);
	return subtype->n > 0;
}

/* To behind the next ';' outside quotes; false at the end. */
static bool
skip_to_param(struct span *s)
{
	for (;;) {
		skip_cfws(s);
		if (s->n == 0)
			return false;
		if (*s->p == ';') {
			advance(s, 1);
			return true;
		}
		if (*s->p == '"')
			take_quoted(s);
		else
			advance(s, 1);
	}
}

bool
mime_param_next(struct mime_value *v, struct span *name, struct span *raw)
{
	struct span *s = &v->rest;

	while (v->params < MIME_PARAMS_MAX && skip_to_param(s)) {
		skip_cfws(s);
		*name = take_token(s);
		skip_cfws(s);
		if (name->n == 0 || s->n == 0 || *s->p != '=')
			continue;
		advance(s, 1);
		skip_cfws(s);
		*raw = s->n > 0 && *s->p == '"' ? take_quoted(s) :
		    take_loose(s);
		v->params++;
		return true;
	}
	return false;
}

size_t
mime_unquote(struct span raw, char *out)
{
	size_t i, n = 0;
	bool quoted = raw.n > 0 && *raw.p == '"';

	for (i = quoted; i < raw.n; i++) {
		char c = raw.p[i];

		if (quoted && c == '"')
			break;
		if (quoted && c == '\\' && i + 1 < raw.n)
			c = raw.p[++i];
		if (c != '\r' && c != '\n')
			out[n++] = c;
	}
	return n;
}

/* Sections of one parameter (RFC 2231 3): "name*0", "name*1". */
struct sections {
	struct span raw[MIME_SECTIONS_MAX];
};

/* Notes `raw` when `found` is a section of `name`. Percent-encoded ones are
 * left alone: nobody needs them for what is looked up here. */
static void
section_note(struct sections *s, const char *name, struct span found,
    struct span raw)
{
	size_t n = strlen(name);
	uint32_t number;

	if (found.n > n + 1 && found.p[n] == '*' &&
	    span_is(span_sub(found, 0, n), name) &&
	    span_u32(span_sub(found, n + 1, found.n), 0,
	    MIME_SECTIONS_MAX - 1, &number) && s->raw[number].p == NULL)
		s->raw[number] = raw;
}

static size_t
sections_join(const struct sections *s, char *out, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < MIME_SECTIONS_MAX && s->raw[i].p != NULL; i++) {
		if (s->raw[i].n > n - len)
			return 0;
		len += mime_unquote(s->raw[i], out + len);
	}
	return len;
}

size_t
mime_param(struct span value, const char *name, char *out, size_t n)
{
	struct mime_value v;
	struct span token, sub, found, raw;
	struct sections sections = { { { NULL, 0 } } };

	if (!mime_token(value, &token, &v))
		return 0;
	if (v.rest.n > 0 && *v.rest.p == '/') {
		advance(&v.rest, 1);
		sub = take_token(&v.rest);
		if (sub.n == 0)
			return 0;
	}
	while (mime_param_next(&v, &found, &raw)) {
		if (span_is(found, name))
			return raw.n > n ? 0 : mime_unquote(raw, out);
		section_note(&sections, name, found, raw);
	}
	return sections_join(&sections, out, n);
}

enum mime_transfer
mime_transfer(struct span value)
{
	static const struct {
		const char *name;
		enum mime_transfer transfer;
	} known[] = {
		{ "7bit", TRANSFER_IDENTITY },
		{ "8bit", TRANSFER_IDENTITY },
		{ "binary", TRANSFER_IDENTITY },
		{ "base64", TRANSFER_BASE64 },
		{ "quoted-printable", TRANSFER_QP },
	};
	struct mime_value v;
	struct span token;
	size_t i;

	if (value.n == 0)
		return TRANSFER_IDENTITY;
	if (mime_token(value, &token, &v))
		for (i = 0; i < ARRAY_LEN(known); i++)
			if (span_is(token, known[i].name))
				return known[i].transfer;
	return TRANSFER_UNKNOWN;
}
