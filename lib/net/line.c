#include "net/line.h"

/* Index of the first CR or LF at or behind `from`, or n. */
static size_t
find_end(struct span s, size_t from)
{
	const char *lf, *cr;
	size_t n;

	if (from >= s.n)
		return s.n;
	lf = memchr(s.p + from, '\n', s.n - from);
	n = lf == NULL ? s.n : (size_t)(lf - s.p);
	cr = memchr(s.p + from, '\r', n - from);
	return cr == NULL ? n : (size_t)(cr - s.p);
}

enum line_result
line_next(struct line_reader *r, struct buf *in, size_t limit,
    struct span *line)
{
	struct span s = buf_span(in);
	size_t end = find_end(s, r->seen);
	enum line_result result = LINE_OK;

	*line = SPAN_NONE;
	if (end < s.n && s.p[end] == '\n')
		return LINE_BARE_LF;
	if (end + 1 < s.n && s.p[end + 1] != '\n')
		return LINE_BARE_CR;
	if (end + 1 >= s.n) {
		/* No end, or a CR whose LF has not come. */
		r->seen = end;
		if (end > limit) {
			buf_consume(in, end);
			r->seen = 0;
			r->skipping = true;
		}
		return LINE_MORE;
	}
	if (r->skipping || end > limit)
		result = LINE_TOO_LONG;
	else
		*line = span_sub(s, 0, end);
	buf_consume(in, end + 2);
	*r = (struct line_reader){ 0 };
	return result;
}
