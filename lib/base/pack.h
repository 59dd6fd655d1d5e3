/*
 * Binary encoding for IPC bodies and on-disk records: little-endian integers,
 * length-prefixed bytes. Packing appends to a buf; unpacking reads a span and
 * remembers failure: read freely, test unpack_ok() once before use.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"
#include "base/span.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u16(struct buf *b, uint16_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_span(struct buf *b, struct span s);	/* u32 length, bytes */
void pack_str(struct buf *b, const char *s);	/* NULL packs as "" */

struct unpack {
	const unsigned char *p;
	size_t n;
	bool failed;
};

static inline struct unpack
unpack_from(struct span s)
{
	return (struct unpack){ (const unsigned char *)s.p, s.n, false };
}

uint8_t unpack_u8(struct unpack *u);		/* 0 after a failure */
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
/* Points into the source; empty after a failure or when longer than max. */
struct span unpack_span(struct unpack *u, size_t max);
/* A malloc'ed NUL-terminated copy (yours), or NULL after a failure, when
 * longer than max, or when it holds a NUL. */
char *unpack_strdup(struct unpack *u, size_t max);
/* True when nothing failed so far. */
static inline bool unpack_ok(const struct unpack *u) { return !u->failed; }
/* True when nothing failed and every byte was used. */
static inline bool unpack_done(const struct unpack *u)
{ return !u->failed && u->n == 0; }

/* Fixed-offset access for on-disk structures. */
static inline uint16_t get_u16(const void *p)
{ uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t get_u32(const void *p)
{ uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t get_u64(const void *p)
{ uint64_t v; memcpy(&v, p, 8); return v; }
static inline void put_u16(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put_u32(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void put_u64(void *p, uint64_t v) { memcpy(p, &v, 8); }

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "on-disk formats are little-endian; big-endian hosts are not supported"
#endif

#endif
