/*
 * What waits to be written on a stream: copied bytes and lent ones, in order.
 * Small appends gather in one buffer at the end; lent spans stay where they
 * are until they were written. Private to lib/net.
 */
#ifndef NET_OUTQ_H
#define NET_OUTQ_H

#include <sys/uio.h>

#include "base/buf.h"
#include "base/queue.h"
#include "base/span.h"

struct outq_chunk;

struct outq {
	TAILQ_HEAD(, outq_chunk) chunks;
	size_t chunk_bytes;	/* not yet written, without the tail */
	struct buf tail;	/* behind the last chunk */
};

void outq_init(struct outq *q);
/* Releases what was lent, frees what was copied; usable again. */
void outq_clear(struct outq *q);

static inline size_t
outq_len(const struct outq *q)
{
	return q->chunk_bytes + buf_len(&q->tail);
}

/* For appending; lent until the next call on q. */
struct buf *outq_tail(struct outq *q);
/* Lent bytes: release(arg) runs once, from outq_consume or outq_clear. */
void outq_lend(struct outq *q, struct span bytes, void (*release)(void *),
    void *arg);
/* Fills at most max entries from the front; returns how many. */
int outq_iov(const struct outq *q, struct iovec *iov, int max);
/* The front as one piece of at most max bytes: in place where it lies so,
 * else gathered into scratch (max bytes). */
struct span outq_piece(const struct outq *q, char *scratch, size_t max);
/* The first n bytes were written. */
void outq_consume(struct outq *q, size_t n);

#endif
