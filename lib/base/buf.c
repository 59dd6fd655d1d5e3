#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define BUF_FIRST	64

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void
buf_fini(struct buf *b)
{
	free(b->mem);
	buf_init(b, b->cap);
}

void
buf_fini_secret(struct buf *b)
{
	secure_wipe(b->mem, b->size);
	buf_fini(b);
}

void
buf_clear(struct buf *b)
{
	b->off = b->len = 0;
	b->failed = false;
}

void
buf_shrink(struct buf *b, size_t keep)
{
	if (b->len > 0 || b->size <= keep)
		return;
	free(b->mem);
	b->mem = NULL;
	b->off = b->size = 0;
}

/* Makes room for `n` more bytes (one spare for buf_cstr) at the back. */
static bool
buf_grow(struct buf *b, size_t n)
{
	size_t want, size;

	if (b->failed || b->len > b->cap || n > b->cap - b->len ||
	    n > BUF_NO_CAP - b->len) {
		b->failed = true;
		return false;
	}
	want = b->len + n + 1;
	if (want <= b->size - b->off && b->size > 0)
		return true;
	if (b->off > 0 && want <= b->size && b->off >= b->len) {
		memmove(b->mem, b->mem + b->off, b->len);
		b->off = 0;
		return true;
	}
	size = b->size == 0 ? BUF_FIRST : b->size;
	while (size < want)
		size *= 2;
	if (b->off > 0) {
		memmove(b->mem, b->mem + b->off, b->len);
		b->off = 0;
	}
	b->mem = xreallocarray(b->mem, size, 1);
	b->size = size;
	return true;
}

void
buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_grow(b, n))
		return;
	memcpy(b->mem + b->off + b->len, p, n);
	b->len += n;
}

void
buf_span_add(struct buf *b, struct span s)
{
	buf_append(b, s.p, s.n);
}

void
buf_str(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void
buf_char(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void
buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (!buf_grow(b, MIN((size_t)64, b->cap - MIN(b->len, b->cap))))
		return;
	va_copy(again, ap);
	n = vsnprintf(b->mem + b->off + b->len, b->size - b->off - b->len,
	    fmt, ap);
	if (n < 0)
		b->failed = true;
	else if ((size_t)n >= b->size - b->off - b->len) {
		if (buf_grow(b, (size_t)n)) {
			(void)vsnprintf(b->mem + b->off + b->len,
			    (size_t)n + 1, fmt, again);
			b->len += (size_t)n;
		}
	} else if ((size_t)n > b->cap - b->len)
		b->failed = true;
	else
		b->len += (size_t)n;
	va_end(again);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void
buf_dec(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	buf_append(b, digits + i, sizeof(digits) - i);
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (!buf_grow(b, n))
		return NULL;
	return b->mem + b->off + b->len;
}

void
buf_commit(struct buf *b, size_t n)
{
	ps_assert(n < b->size - b->off - b->len);
	b->len += n;
}

void
buf_consume(struct buf *b, size_t n)
{
	ps_assert(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		b->off = 0;
}

void
buf_truncate(struct buf *b, size_t n)
{
	ps_assert(n <= b->len);
	b->len = n;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->mem == NULL)
		return "";
	b->mem[b->off + b->len] = '\0';	/* buf_grow kept a spare byte */
	return b->mem + b->off;
}

char *
buf_take(struct buf *b)
{
	char *s;

	if (b->off == 0 && b->mem != NULL) {
		s = b->mem;
		s[b->len] = '\0';
		b->mem = NULL;
		b->size = b->len = 0;
		b->failed = false;
		return s;
	}
	s = xmemdup0(buf_data(b), b->len);
	buf_fini(b);
	return s;
}
