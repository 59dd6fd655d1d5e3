#include "net/outq.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct outq_chunk {
	TAILQ_ENTRY(outq_chunk) link;
	struct span left;		/* what is not yet written */
	void (*release)(void *arg);
	void *arg;
	struct buf own;			/* empty when lent */
};

/* A tail that once grew past this is given back when empty. */
#define OUTQ_KEEP	0

void
outq_init(struct outq *q)
{
	TAILQ_INIT(&q->chunks);
	q->chunk_bytes = 0;
	buf_init(&q->tail, BUF_NO_CAP);
}

static void
chunk_drop(struct outq *q, struct outq_chunk *c)
{
	void (*release)(void *) = c->release;
	void *arg = c->arg;

	TAILQ_REMOVE(&q->chunks, c, link);
	q->chunk_bytes -= c->left.n;
	buf_fini(&c->own);
	free(c);
	if (release != NULL)
		release(arg);
}

void
outq_clear(struct outq *q)
{
	struct outq_chunk *c;

	while ((c = TAILQ_FIRST(&q->chunks)) != NULL)
		chunk_drop(q, c);
	buf_fini(&q->tail);
	buf_init(&q->tail, BUF_NO_CAP);
}

struct buf *
outq_tail(struct outq *q)
{
	return &q->tail;
}

static struct outq_chunk *
chunk_add(struct outq *q)
{
	struct outq_chunk *c = xcalloc(1, sizeof(*c));

	buf_init(&c->own, BUF_NO_CAP);
	TAILQ_INSERT_TAIL(&q->chunks, c, link);
	return c;
}

/* What was copied so far becomes a chunk, so that another may follow. */
static void
tail_seal(struct outq *q)
{
	struct outq_chunk *c;

	if (buf_len(&q->tail) == 0)
		return;
	c = chunk_add(q);
	c->own = q->tail;
	c->left = buf_span(&c->own);
	q->chunk_bytes += c->left.n;
	buf_init(&q->tail, BUF_NO_CAP);
}

void
outq_lend(struct outq *q, struct span bytes, void (*release)(void *),
    void *arg)
{
	struct outq_chunk *c;

	tail_seal(q);
	c = chunk_add(q);
	c->left = bytes;
	c->release = release;
	c->arg = arg;
	q->chunk_bytes += bytes.n;
}

int
outq_iov(const struct outq *q, struct iovec *iov, int max)
{
	const struct outq_chunk *c;
	int n = 0;

	TAILQ_FOREACH(c, &q->chunks, link) {
		if (n == max)
			return n;
		if (c->left.n == 0)
			continue;
		iov[n].iov_base = (void *)(uintptr_t)c->left.p;
		iov[n++].iov_len = c->left.n;
	}
	if (n < max && buf_len(&q->tail) > 0) {
		iov[n].iov_base = buf_data(&q->tail);
		iov[n++].iov_len = buf_len(&q->tail);
	}
	return n;
}

struct span
outq_piece(const struct outq *q, char *scratch, size_t max)
{
	struct iovec iov[32];
	int n = outq_iov(q, iov, ARRAY_LEN(iov));
	size_t used = 0;

	if (n == 0)
		return SPAN_NONE;
	if (n == 1 || iov[0].iov_len >= max)
		return span_of(iov[0].iov_base, MIN(iov[0].iov_len, max));
	for (int i = 0; i < n && used < max; i++) {
		size_t part = MIN(iov[i].iov_len, max - used);

		memcpy(scratch + used, iov[i].iov_base, part);
		used += part;
	}
	return span_of(scratch, used);
}

void
outq_consume(struct outq *q, size_t n)
{
	struct outq_chunk *c;

	while ((c = TAILQ_FIRST(&q->chunks)) != NULL) {
		size_t part = MIN(n, c->left.n);

		c->left = span_sub(c->left, part, c->left.n - part);
		q->chunk_bytes -= part;
		n -= part;
		if (c->left.n > 0)
			return;
		chunk_drop(q, c);
	}
	buf_consume(&q->tail, n);
	if (buf_len(&q->tail) == 0)
		buf_shrink(&q->tail, OUTQ_KEEP);
}
