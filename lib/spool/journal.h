/*
 * The writing side of the journal, for smtpd: group commit into borrowed
 * segments (J1). Appends gather while the previous group syncs; a commit
 * thread writes all that gathered and calls fdatasync once; then each
 * append's callback runs on the loop, exactly once.
 *
 * Any error of the sync is final (J5): the whole group fails, the segment is
 * given back with failed = 1 and never written again.
 *
 * The segment's descriptor is the right to append: qmgr holds an OFD lock
 * through it and waits for its last close before it reads the rest of a
 * segment that was not returned. So never duplicate it.
 *
 * All functions are for the loop's thread.
 */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H

#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/queue.h"
#include "base/span.h"
#include "spool/envelope.h"
#include "spool/record.h"

struct journal_writer;
struct journal_append;

struct journal_writer_ops {
	/* Ask qmgr for a segment (QUEUE_BORROW); answer with
	 * journal_writer_segment(). Called in time, so that no append waits,
	 * and not again until answered. */
	void (*need_segment)(void *arg);
	/* Everything of the segment below offset is durable: QUEUE_DURABLE.
	 * Comes before the callbacks of that group. */
	void (*durable)(void *arg, uint32_t segment, uint64_t offset);
	/* Done with the segment, its descriptor is closed: QUEUE_RETURN. */
	void (*returned)(void *arg, uint32_t segment, uint64_t offset,
	    bool failed);
};

/* ok: durable, say 250. Else nothing is promised, say 451; *err says why. */
typedef void journal_cb(struct journal_append *a, bool ok,
    const struct err *err, void *arg);

/* Embedded in the caller's message; everything lent until cb. */
struct journal_append {
	TAILQ_ENTRY(journal_append) link;	/* private */
	/* Body in memory: iov parts, in order ... */
	const struct iovec *body;
	unsigned n_body;
	/* ... or the first body_len bytes of a temporary file (-1: none). */
	int body_fd;
	uint64_t body_len;
	/* RECORD_COLD: the body is in the cold file; body_crc is its crc. */
	bool cold;
	uint32_t body_crc;
	journal_cb *cb;
	void *arg;
	/* private */
	struct buf head;	/* header, packed envelope */
	uint64_t offset, length, queued_ms;
	uint32_t segment;
	int state;
};

struct journal_writer *journal_writer_new(struct loop *l,
    const struct journal_writer_ops *ops, void *arg);
/* Waits for the group in flight; pending appends fail. Their callbacks and
 * the segments' `returned` run before this returns. */
void journal_writer_free(struct journal_writer **w);

/* The answer to need_segment: takes fd. `start` is the first free offset.
 * fd = -1: none came (the connection failed), ask again later. */
void journal_writer_segment(struct journal_writer *w, uint32_t segment,
    struct span epoch, uint64_t start, uint64_t size, int fd);
/* The connection to qmgr ended: finish the group in flight, drop every
 * segment (no `returned`), go on with the next one that comes. Pending
 * appends wait for it; call journal_writer_resume when there is a new
 * connection to ask. */
void journal_writer_lost(struct journal_writer *w);
void journal_writer_resume(struct journal_writer *w);

/* How long an append may wait for a segment before it fails (default 30 s). */
void journal_writer_patience_ms(struct journal_writer *w, uint64_t ms);

/*
 * Queues a message: body fields, cb and arg of *a are set by the caller.
 * 0, or PS_E* when it cannot be stored at all (over a cap, larger than a
 * segment); cb is then not called. The envelope is packed here and not kept.
 */
int journal_append(struct journal_writer *w, struct journal_append *a,
    const struct envelope *env, struct err *err) MUST_CHECK;
/* How many more messages are on their way, for the appends that follow: a
 * group waits up to 4 ms for company when it comes quickly, never for 0. */
void journal_writer_expect(struct journal_writer *w, size_t n);
/* Largest record a segment takes: body plus packed envelope. 0 = no segment
 * was seen yet. */
uint64_t journal_writer_record_max(const struct journal_writer *w);
/* Appends that wait (for a group or a segment). */
size_t journal_writer_pending(struct journal_writer *w);

/* Figures since the start, for status(). */
struct journal_stats {
	uint64_t appended, failed, groups, bytes;
};
void journal_writer_stats(struct journal_writer *w,
    struct journal_stats *out);

#endif
