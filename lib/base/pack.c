#include "base/pack.h"

#include "base/xmalloc.h"

void
pack_u8(struct buf *b, uint8_t v)
{
	buf_append(b, &v, 1);
}

void
pack_u16(struct buf *b, uint16_t v)
{
	buf_append(b, &v, 2);
}

void
pack_u32(struct buf *b, uint32_t v)
{
	buf_append(b, &v, 4);
}

void
pack_u64(struct buf *b, uint64_t v)
{
	buf_append(b, &v, 8);
}

void
pack_span(struct buf *b, struct span s)
{
	if (s.n > UINT32_MAX) {
		b->failed = true;
		return;
	}
	pack_u32(b, (uint32_t)s.n);
	buf_span_add(b, s);
}

void
pack_str(struct buf *b, const char *s)
{
	pack_span(b, span_str(s));
}

static const unsigned char *
unpack_bytes(struct unpack *u, size_t n)
{
	const unsigned char *at = u->p;

	if (u->failed || n > u->n) {
		u->failed = true;
		return NULL;
	}
	u->p += n;
	u->n -= n;
	return at;
}

uint8_t
unpack_u8(struct unpack *u)
{
	const unsigned char *p = unpack_bytes(u, 1);

	return p == NULL ? 0 : p[0];
}

uint16_t
unpack_u16(struct unpack *u)
{
	const unsigned char *p = unpack_bytes(u, 2);

	return p == NULL ? 0 : get_u16(p);
}

uint32_t
unpack_u32(struct unpack *u)
{
	const unsigned char *p = unpack_bytes(u, 4);

	return p == NULL ? 0 : get_u32(p);
}

uint64_t
unpack_u64(struct unpack *u)
{
	const unsigned char *p = unpack_bytes(u, 8);

	return p == NULL ? 0 : get_u64(p);
}

struct span
unpack_span(struct unpack *u, size_t max)
{
	uint32_t n = unpack_u32(u);
	const unsigned char *p;

	if (n > max)
		u->failed = true;
	p = unpack_bytes(u, n);
	return p == NULL ? SPAN_LIT("") : span_of(p, n);
}

char *
unpack_strdup(struct unpack *u, size_t max)
{
	struct span s = unpack_span(u, max);

	if (u->failed)
		return NULL;
	if (span_chr(s, '\0') >= 0) {
		u->failed = true;
		return NULL;
	}
	return xmemdup0(s.p, s.n);
}
