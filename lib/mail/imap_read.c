#include "mail/imap_read.h"

static void
advance(struct span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

bool
imap_read_char(struct span *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	advance(s, 1);
	return true;
}

/* *escapes: a backslash is among what was passed. */
static bool
skip_quoted(struct span *s, bool *escapes)
{
	const char *quote = memchr(s->p + 1, '"', s->n - 1);
	size_t n = quote == NULL ? 0 : (size_t)(quote - s->p);

	/* as nearly all are */
	*escapes = quote != NULL && memchr(s->p, '\\', n) != NULL;
	if (quote != NULL && !*escapes) {
		advance(s, n + 1);
		return true;
	}
	advance(s, 1);
	while (s->n > 0 && *s->p != '"')
		advance(s, *s->p == '\\' && s->n > 1 ? 2 : 1);
	return imap_read_char(s, '"');
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

bool
imap_read_skip(struct span *s)
{
	unsigned depth = 0;
	bool escapes;

	do {
		if (s->n == 0)
			return false;
		if (imap_read_char(s, '(')) {
			depth++;
		} else if (*s->p == ')') {
			if (depth-- == 0)
				return false;
			advance(s, 1);
		} else if (*s->p == '"') {
			if (!skip_quoted(s, &escapes))
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

static bool
read_quoted(struct span *s, struct buf *out)
{
	struct span rest = *s;
	const char *p;
	bool escapes;

	if (!skip_quoted(s, &escapes))
		return false;
	if (!escapes) {
		buf_append(out, rest.p + 1, (size_t)(s->p - rest.p) - 2);
		return true;
	}
	for (p = rest.p + 1; p < s->p - 1; p++) {
		if (*p == '\\')
			p++;
		buf_char(out, *p);
	}
	return true;
}

bool
imap_read_string(struct span *s, struct buf *out)
{
	struct span whole = *s;
	size_t n;

	if (s->n > 0 && *s->p == '"')
		return read_quoted(s, out);
	if (s->n > 0 && *s->p == '{') {
		if (!skip_literal(s))
			return false;
		/* the text is what stands behind "}" CR LF */
		n = (size_t)span_chr(whole, '}') + 3;
		buf_append(out, whole.p + n, whole.n - s->n - n);
		return true;
	}
	if (!span_starts(*s, "NIL"))
		return false;
	advance(s, 3);
	return true;
}

/* "(name route local domain)" */
static bool
read_address(struct span *s, struct buf *out)
{
	size_t start = buf_len(out);
	bool group;

	if (!imap_read_char(s, '(') || !imap_read_string(s, out) ||
	    !imap_read_char(s, ' ') || !imap_read_skip(s) ||
	    !imap_read_char(s, ' '))
		return false;
	if (buf_len(out) > start)
		buf_char(out, ' ');
	buf_char(out, '<');
	if (!imap_read_string(s, out) || !imap_read_char(s, ' '))
		return false;
	group = span_starts(*s, "NIL");
	if (!group)
		buf_char(out, '@');
	if (!imap_read_string(s, out))
		return false;
	buf_char(out, '>');
	return imap_read_char(s, ')');
}

static bool
read_addresses(struct span *s, struct buf *out)
{
	bool first = true;

	if (!imap_read_char(s, '('))
		return span_starts(*s, "NIL");
	while (!imap_read_char(s, ')')) {
		if (!first)
			buf_str(out, ", ");
		first = false;
		if (!read_address(s, out))
			return false;
	}
	return true;
}

/* To the value of a field. */
static bool
find_field(struct span *s, enum imap_envelope field)
{
	int i;

	if (!imap_read_char(s, '('))
		return false;
	for (i = 0; i < (int)field; i++)
		if (!imap_read_skip(s) || !imap_read_char(s, ' '))
			return false;
	return true;
}

bool
imap_read_envelope(struct span envelope, enum imap_envelope field,
    struct buf *out)
{
	struct span s = envelope;

	if (!find_field(&s, field))
		return false;
	return field >= IMAP_ENV_FROM && field <= IMAP_ENV_BCC ?
	    read_addresses(&s, out) : imap_read_string(&s, out);
}

bool
imap_read_mailbox(struct span envelope, enum imap_envelope field,
    struct buf *out)
{
	struct span s = envelope;

	if (!find_field(&s, field))
		return false;
	if (!imap_read_char(&s, '('))
		return span_starts(s, "NIL");
	return imap_read_char(&s, '(') && imap_read_skip(&s) &&
	    imap_read_char(&s, ' ') && imap_read_skip(&s) &&
	    imap_read_char(&s, ' ') && imap_read_string(&s, out);
}
