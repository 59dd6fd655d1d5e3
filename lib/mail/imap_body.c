/*
 * BODY from BODYSTRUCTURE: the same list less what RFC 3501 7.4.2 calls
 * extension data, down through all parts.
 */
#include "mail/imap_text.h"

#define DEPTH_MAX (2 * MIME_DEPTH_MAX + 4)

static void
advance(struct span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

static bool
take(struct span *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	advance(s, 1);
	return true;
}

static bool
skip_quoted(struct span *s)
{
	advance(s, 1);
	while (s->n > 0 && *s->p != '"')
		advance(s, *s->p == '\\' && s->n > 1 ? 2 : 1);
	return take(s, '"');
}

static bool
skip_literal(struct span *s)
{
	ptrdiff_t end = span_chr(*s, '}');
	uint64_t n;

	if (end < 2 || !span_u64(span_sub(*s, 1, (size_t)end - 1), 0, s->n,
	    &n) || s->n - (size_t)end < n + 3)
		return false;
	advance(s, (size_t)end + 3 + n);
	return true;
}

/* One value: string, number, NIL or a whole list. */
static bool
skip_value(struct span *s)
{
	unsigned depth = 0;

	do {
		if (s->n == 0)
			return false;
		if (take(s, '(')) {
			depth++;
		} else if (*s->p == ')') {
			if (depth-- == 0)
				return false;
			advance(s, 1);
		} else if (*s->p == '"') {
			if (!skip_quoted(s))
				return false;
		} else if (*s->p == '{') {
			if (!skip_literal(s))
				return false;
		} else if (*s->p == ' ') {
			if (depth == 0)
				return false;
			advance(s, 1);
		} else {
			while (s->n > 0 && *s->p != ' ' && *s->p != ')' &&
			    *s->p != '(')
				advance(s, 1);
		}
	} while (depth > 0);
	return true;
}

/* Copies one value, with the space behind it left in s. */
static bool
copy_value(struct buf *out, struct span *s, struct span *value)
{
	*value = *s;
	if (!skip_value(s))
		return false;
	value->n -= s->n;
	buf_span_add(out, *value);
	return true;
}

static bool
copy_space(struct buf *out, struct span *s)
{
	buf_char(out, ' ');
	return take(s, ' ');
}

static bool
skip_rest(struct buf *out, struct span *s)
{
	while (take(s, ' '))
		if (!skip_value(s))
			return false;
	buf_char(out, ')');
	return take(s, ')');
}

static bool copy_part(struct buf *out, struct span *s, unsigned depth);

static bool
copy_multipart(struct buf *out, struct span *s, unsigned depth)
{
	struct span sub;

	while (s->n > 0 && *s->p == '(')
		if (!copy_part(out, s, depth + 1))
			return false;
	return copy_space(out, s) && copy_value(out, s, &sub) &&
	    skip_rest(out, s);
}

static bool
copy_single(struct buf *out, struct span *s, unsigned depth)
{
	struct span v[7];
	int i;

	for (i = 0; i < 7; i++)
		if ((i > 0 && !copy_space(out, s)) ||
		    !copy_value(out, s, &v[i]))
			return false;
	if (span_is(v[0], "\"message\"") && span_is(v[1], "\"rfc822\"")) {
		if (!copy_space(out, s) || !copy_value(out, s, &v[2]) ||
		    !copy_space(out, s) || !copy_part(out, s, depth + 1) ||
		    !copy_space(out, s) || !copy_value(out, s, &v[2]))
			return false;
	} else if (span_is(v[0], "\"text\"")) {
		if (!copy_space(out, s) || !copy_value(out, s, &v[2]))
			return false;
	}
	return skip_rest(out, s);
}

static bool
copy_part(struct buf *out, struct span *s, unsigned depth)
{
	if (depth > DEPTH_MAX || !take(s, '('))
		return false;
	buf_char(out, '(');
	return s->n > 0 && *s->p == '(' ? copy_multipart(out, s, depth) :
	    copy_single(out, s, depth);
}

bool
imap_text_body(struct buf *out, struct span structure)
{
	size_t mark = buf_len(out);

	if (copy_part(out, &structure, 0) && structure.n == 0)
		return true;
	buf_truncate(out, mark);
	return false;
}
