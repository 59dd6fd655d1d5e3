/*
 * A growing byte buffer with a cap. Appends at the back, consumes from the
 * front. Appending past the cap (or a failed format) marks the buffer failed
 * and drops that append whole; append freely, test buf_failed() once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/macros.h"
#include "base/span.h"

struct buf {
	char *mem;		/* private: use buf_data() */
	size_t off, len, size;	/* private: live bytes are [off, off + len) */
	size_t cap;		/* live bytes never exceed this */
	bool failed;
};

#define BUF_NO_CAP	(SIZE_MAX / 2)

void buf_init(struct buf *b, size_t cap);
void buf_fini(struct buf *b);			/* frees; reusable after init */
void buf_fini_secret(struct buf *b);		/* wipes first */
void buf_clear(struct buf *b);			/* empty, failure forgotten */
/* Gives memory back when the buffer is empty and holds more than `keep`. */
void buf_shrink(struct buf *b, size_t keep);

static inline char *buf_data(const struct buf *b)
{ return b->mem == NULL ? (char *)(uintptr_t)"" : b->mem + b->off; }
static inline size_t buf_len(const struct buf *b) { return b->len; }
static inline bool buf_failed(const struct buf *b) { return b->failed; }
static inline struct span buf_span(const struct buf *b)
{ return (struct span){ buf_data(b), b->len }; }

void buf_append(struct buf *b, const void *p, size_t n);
void buf_span_add(struct buf *b, struct span s);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_dec(struct buf *b, uint64_t v);	/* decimal, no format cost */
/* Room for at least n more bytes at the back, or NULL (marks failed). Fill it
 * and call buf_commit with what was used. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);	/* drop n from the front */
void buf_truncate(struct buf *b, size_t n);	/* keep the first n */
/* NUL-terminates behind the live bytes (not counted) and returns them; lent
 * until the next call on b. */
const char *buf_cstr(struct buf *b);
/* The bytes as a malloc'ed NUL-terminated string; yours; b is left empty. */
char *buf_take(struct buf *b);

#endif
