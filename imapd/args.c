#include "imapd/args.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct parser {
	struct args *a;
	char *p, *end;
	uint32_t open[ARGS_DEPTH_MAX];	/* lists that are not closed */
	unsigned depth;
	bool after;			/* an item just ended: space needed */
	bool pending;			/* the last literal is not read yet */
};

void
args_init(struct args *a)
{
	*a = (struct args){ .n = 0 };
}

void
args_fini(struct args *a)
{
	free(a->arg);
	args_init(a);
}

static struct arg *
arg_add(struct parser *s, enum arg_type type, struct span text)
{
	struct args *a = s->a;
	struct arg *arg;

	if (a->n == a->size) {
		a->size = a->size == 0 ? 8 : a->size * 2;
		a->arg = xreallocarray(a->arg, a->size, sizeof(*a->arg));
	}
	arg = &a->arg[a->n++];
	arg->type = type;
	arg->text = text;
	arg->end = a->n;
	arg->literal8 = false;
	s->after = true;
	return arg;
}

static const char *
take_quoted(struct parser *s)
{
	char *from = ++s->p;

	for (; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\r' || *s->p == '\n' || *s->p == '\0')
			return "Line end or NUL in a quoted string";
		if (*s->p == '\\') {
			if (++s->p == s->end || (*s->p != '"' &&
			    *s->p != '\\'))
				return "Bad escape in a quoted string";
		}
	}
	if (s->p == s->end)
		return "Quoted string without end";
	arg_add(s, ARG_QUOTED, span_of(from, (size_t)(s->p - from)));
	s->p++;
	return NULL;
}

static void
unescape(struct span *text)
{
	char *to = (char *)(uintptr_t)text->p;
	size_t i, n = 0;

	for (i = 0; i < text->n; i++) {
		if (text->p[i] == '\\')
			i++;
		to[n++] = text->p[i];
	}
	text->n = n;
}

void
args_unescape(struct args *a)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (a->arg[i].type == ARG_QUOTED &&
		    span_chr(a->arg[i].text, '\\') >= 0)
			unescape(&a->arg[i].text);
}

/* "{n}" CRLF at s->p, which goes behind it. */
static const char *
literal_begin(struct parser *s, struct span *number, uint64_t *n)
{
	char *close = memchr(s->p, '}', (size_t)(s->end - s->p));

	if (close == NULL)
		return "Bad literal";
	*number = span_of(s->p + 1, (size_t)(close - s->p - 1));
	if (number->n > 0 && number->p[number->n - 1] == '+')
		number->n--;
	if (!span_u64(*number, 0, UINT32_MAX, n) || s->end - close < 3 ||
	    close[1] != '\r' || close[2] != '\n')
		return "Bad literal";
	s->p = close + 3;
	return s->p == s->end && s->pending ? NULL :
	    *n > (uint64_t)(s->end - s->p) ? "Bad literal" :
	    memchr(s->p, '\0', *n) != NULL ? "NUL in a literal" : NULL;
}

/* False: it is not read yet. */
static bool
literal_is_here(struct parser *s, struct span number)
{
	if (s->p != s->end || !s->pending)
		return true;
	arg_add(s, ARG_PENDING, number);
	return false;
}

static const char *
take_literal(struct parser *s)
{
	struct span number;
	const char *why;
	uint64_t n;

	why = literal_begin(s, &number, &n);
	if (why != NULL || !literal_is_here(s, number))
		return why;
	arg_add(s, ARG_LITERAL, span_of(s->p, n));
	s->p += n;
	return NULL;
}

/* "~{n}": only as an APPEND's message, which is not read into a command. */
static const char *
take_literal8(struct parser *s)
{
	const char *why;

	s->p++;
	why = take_literal(s);
	if (why != NULL)
		return why;
	if (s->p != s->end)
		return "Unexpected literal8";
	s->a->arg[s->a->n - 1].literal8 = true;
	return NULL;
}

static bool
is_atom_char(char c)
{
	return (unsigned char)c > ' ' && c != 127 && c != '(' && c != ')' &&
	    c != '{' && c != '"';
}

/* A field's name as a literal (RFC 3501 9, header-fld-name) becomes a quoted
 * string, as the section is told to the client again: *here is false when it
 * is not read yet, and nothing becomes anything before the last one is. */
static const char *
section_literal(struct parser *s, bool *here)
{
	char *to = s->p;
	struct span number, name;
	const char *why;
	uint64_t n;
	size_t i;

	why = literal_begin(s, &number, &n);
	*here = why == NULL && literal_is_here(s, number);
	if (!*here)
		return why;
	name = span_of(s->p, n);
	s->p += n;
	for (i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '"' ||
		    name.p[i] == '\\')
			return "No field has that name";
	if (s->pending)
		return NULL;
	*to = '"';
	memmove(to + 1, name.p, name.n);
	to[name.n + 1] = '"';
	memmove(to + name.n + 2, s->p, (size_t)(s->end - s->p));
	s->end -= s->p - (to + name.n + 2);
	s->p = to + name.n + 2;
	return NULL;
}

/* To behind the bracket of "BODY[HEADER.FIELDS (From \"To\")]". */
static const char *
skip_section(struct parser *s, bool *here)
{
	bool quoted = false;
	const char *why;

	while (s->p < s->end) {
		char c = *s->p;

		if (c == '\r' || c == '\n' || c == '\0')
			break;
		if (c == '{' && !quoted) {
			why = section_literal(s, here);
			if (why != NULL || !*here)
				return why;
			continue;
		}
		if (quoted && c == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (c == '"')
			quoted = !quoted;
		s->p++;
		if (c == ']' && !quoted)
			return NULL;
	}
	return "Section without end";
}

static bool
has_section(struct span word)
{
	return span_is(word, "BODY") || span_is(word, "BODY.PEEK") ||
	    span_is(word, "BINARY") || span_is(word, "BINARY.PEEK") ||
	    span_is(word, "BINARY.SIZE");
}

static const char *
take_atom(struct parser *s)
{
	char *from = s->p;
	const char *why;
	bool here = true;

	while (s->p < s->end && is_atom_char(*s->p)) {
		if (*s->p == '[' && has_section(span_of(from,
		    (size_t)(s->p - from)))) {
			why = skip_section(s, &here);
			if (why != NULL || !here)
				return why;
			continue;
		}
		s->p++;
	}
	if (s->p == from)
		return "Unexpected character";
	arg_add(s, ARG_ATOM, span_of(from, (size_t)(s->p - from)));
	return NULL;
}

static const char *
open_list(struct parser *s)
{
	if (s->depth == ARGS_DEPTH_MAX)
		return "Too many nested lists";
	arg_add(s, ARG_LIST, span_of(s->p, 0));
	s->open[s->depth++] = s->a->n - 1;
	s->after = false;
	s->p++;
	return NULL;
}

static const char *
close_list(struct parser *s)
{
	if (s->depth == 0)
		return "Unexpected )";
	s->a->arg[s->open[--s->depth]].end = s->a->n;
	s->after = true;
	s->p++;
	return NULL;
}

static const char *
take_item(struct parser *s)
{
	if (*s->p == ')')
		return close_list(s);
	/* "(a)(b)" is common where "(a) (b)" is meant, and does no harm */
	if (s->after && *s->p != '(')
		return "Space missing";
	if (s->a->n >= ARGS_MAX)
		return "Too many arguments";
	switch (*s->p) {
	case '(':
		return open_list(s);
	case '"':
		return take_quoted(s);
	case '{':
		return take_literal(s);
	case '~':
		if (s->end - s->p > 1 && s->p[1] == '{')
			return take_literal8(s);
		return take_atom(s);
	default:
		return take_atom(s);
	}
}

const char *
args_parse(struct args *a, struct span text, bool pending)
{
	struct parser s = { .a = a, .p = (char *)(uintptr_t)text.p,
		.pending = pending };
	const char *why;
	uint32_t i;

	a->n = 0;
	s.end = text.n == 0 ? s.p : s.p + text.n;
	while (s.p < s.end) {
		if (*s.p == ' ') {
			s.p++;
			s.after = false;
			continue;
		}
		why = take_item(&s);
		if (why != NULL)
			return why;
	}
	if (s.depth > 0 && !pending)
		return "Missing )";
	for (i = 0; i < s.depth; i++)
		a->arg[s.open[i]].end = a->n;
	/* else all of it is parsed again when the literal is there */
	if (!pending)
		args_unescape(a);
	return NULL;
}

struct arg_iter
args_iter(const struct args *a)
{
	return (struct arg_iter){ a, 0, a->n };
}

struct arg_iter
arg_members(const struct args *a, const struct arg *list)
{
	return (struct arg_iter){ a, (uint32_t)(list - a->arg) + 1,
	    list->end };
}

static const struct arg *
peek(const struct arg_iter *it)
{
	return arg_at_end(it) ? NULL : &it->args->arg[it->at];
}

const struct arg *
arg_next(struct arg_iter *it)
{
	const struct arg *a = peek(it);

	if (a != NULL)
		it->at = a->end;
	return a;
}

bool
arg_take_atom(struct arg_iter *it, struct span *out)
{
	const struct arg *a = peek(it);

	if (a == NULL || a->type != ARG_ATOM)
		return false;
	it->at = a->end;
	*out = a->text;
	return true;
}

bool
arg_take_pattern(struct arg_iter *it, struct span *out)
{
	const struct arg *a = peek(it);

	if (a == NULL || a->literal8 || (a->type != ARG_ATOM &&
	    a->type != ARG_QUOTED && a->type != ARG_LITERAL))
		return false;
	it->at = a->end;
	*out = a->text;
	return true;
}

bool
arg_take_astring(struct arg_iter *it, struct span *out)
{
	const struct arg *a = peek(it);

	if (a != NULL && a->type == ARG_ATOM && (memchr(a->text.p, '%',
	    a->text.n) != NULL || memchr(a->text.p, '*', a->text.n) != NULL))
		return false;
	return arg_take_pattern(it, out);
}

bool
arg_is_list(const struct arg_iter *it)
{
	const struct arg *a = peek(it);

	return a != NULL && a->type == ARG_LIST;
}

bool
arg_take_list(struct arg_iter *it, struct arg_iter *members)
{
	const struct arg *a = peek(it);

	if (a == NULL || a->type != ARG_LIST)
		return false;
	*members = arg_members(it->args, a);
	it->at = a->end;
	return true;
}

bool
arg_take_modseq(struct arg_iter *it, bool zero, uint64_t *out)
{
	struct span word;

	return arg_take_atom(it, &word) &&
	    span_u64(word, zero ? 0 : 1, (uint64_t)INT64_MAX, out);
}
