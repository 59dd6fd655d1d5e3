#include "mail/header.h"

/* Start of the next line, or end. */
static const char *
line_end(const char *p, const char *end)
{
	const char *nl;

	nl = memchr(p, '\n', (size_t)(end - p));
	return nl == NULL ? end : nl + 1;
}

static bool
line_is_empty(const char *p, const char *next)
{
	size_t n = (size_t)(next - p);

	return n > 0 && next[-1] == '\n' &&
	    (n == 1 || (n == 2 && *p == '\r'));
}

void
header_iter_init(struct header_iter *it, struct span text)
{
	it->p = text.p;
	it->end = text.n == 0 ? text.p : text.p + text.n;
}

static void
field_cut(struct header_field *f, const char *p, const char *first_end)
{
	const char *colon;
	size_t n;

	colon = memchr(p, ':', (size_t)(first_end - p));
	if (colon == NULL) {
		f->name = span_trim(span_of(p, (size_t)(first_end - p)));
		f->value = span_of(first_end, 0);
		return;
	}
	n = (size_t)(colon - p);
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	f->name = span_of(p, n);
	f->value = span_trim(span_of(colon + 1,
	    (size_t)(f->raw.p + f->raw.n - (colon + 1))));
}

bool
header_next(struct header_iter *it, struct header_field *f)
{
	const char *p = it->p, *next, *first_end;

	if (p == it->end)
		return false;
	next = first_end = line_end(p, it->end);
	if (line_is_empty(p, next)) {
		it->end = p;
		return false;
	}
	while (next < it->end && (*next == ' ' || *next == '\t'))
		next = line_end(next, it->end);
	f->raw = span_of(p, (size_t)(next - p));
	field_cut(f, p, first_end);
	it->p = next;
	return true;
}

size_t
header_length(struct span text)
{
	const char *p, *next, *end;

	if (text.n == 0)
		return 0;
	end = text.p + text.n;
	for (p = text.p; p < end; p = next) {
		next = line_end(p, end);
		if (line_is_empty(p, next))
			return (size_t)(next - text.p);
	}
	return text.n;
}

bool
header_find(struct span text, const char *name, struct span *value)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, span_sub(text, 0, HEADER_LOOK_MAX));
	while (header_next(&it, &f))
		if (span_is(f.name, name)) {
			*value = f.value;
			return true;
		}
	return false;
}

void
header_unfold(struct buf *out, struct span value)
{
	const char *p = value.p, *end, *nl;
	size_t n;

	if (value.n == 0)
		return;
	for (end = p + value.n; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL) {
			buf_append(out, p, (size_t)(end - p));
			return;
		}
		n = (size_t)(nl - p);
		if (n > 0 && p[n - 1] == '\r')
			n--;
		buf_append(out, p, n);
	}
}
