/*
 * Segment files as qmgr handles them: making, recycling, lending, the right
 * to append. All may wait for the disk, but for segment_lend.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "base/err.h"
#include "spool/record.h"

#define SEGMENT_SIZE_MIN	(16 * SPOOL_PAGE)

/* Makes the zero-filled file, synced with its name, and opens it; ref->fd is
 * yours. An unfinished one from before is replaced. */
int segment_create(int journal_dir, uint32_t id, uint64_t size,
    struct segment_ref *ref, struct err *err) MUST_CHECK;
/* Opens an existing one. PS_ENOTFOUND; PS_ECORRUPT when the header does not
 * check: then ref->fd is open all the same (and yours), epoch unknown. */
int segment_open(int journal_dir, uint32_t id, struct segment_ref *ref,
    struct err *err) MUST_CHECK;
/* Gives the segment a new epoch, durably (J4). On failure ref is unchanged
 * and the file must not be used any more (J5). */
int segment_recycle(struct segment_ref *ref, struct err *err) MUST_CHECK;

/* A new read-write description that carries the right to append; yours. */
int segment_lend(int journal_dir, const struct segment_ref *ref,
    struct err *err) MUST_CHECK;
/* Takes the right to append on fd, or PS_EAGAIN while another has it. */
int segment_right_take(int fd) MUST_CHECK;
void segment_right_drop(int fd);

#endif
