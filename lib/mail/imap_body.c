/*
 * BODY from BODYSTRUCTURE: the same list less what RFC 3501 7.4.2 calls
 * extension data, down through all parts.
 */
#include "mail/imap_read.h"
#include "mail/imap_text.h"

#define DEPTH_MAX (2 * MIME_DEPTH_MAX + 4)

/* Copies one value, with the space behind it left in s. */
static bool
copy_value(struct buf *out, struct span *s, struct span *value)
{
	*value = *s;
	if (!imap_read_skip(s))
		return false;
	value->n -= s->n;
	buf_span_add(out, *value);
	return true;
}

static bool
copy_space(struct buf *out, struct span *s)
{
	buf_char(out, ' ');
	return imap_read_char(s, ' ');
}

static bool
skip_rest(struct buf *out, struct span *s)
{
	while (imap_read_char(s, ' '))
		if (!imap_read_skip(s))
			return false;
	buf_char(out, ')');
	return imap_read_char(s, ')');
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
	if (depth > DEPTH_MAX || !imap_read_char(s, '('))
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
