/*
 * A back end of disk.h for tests: does every operation for real, below one
 * directory, records it, can make chosen calls fail, and can afterwards
 * build any state that a power cut at any step may leave, into another
 * directory, so that recovery can be run on it.
 *
 * The model (stricter than ext4):
 * - Written data may be lost, page by page and torn within a page at 512
 *   bytes, until a successful fdatasync, fsync or syncfs that was called
 *   after the write returned. Lost means: what was there before, or zeroes,
 *   or (when the file grew) a shorter file.
 * - A name made, linked, renamed or removed may be early or late, each on
 *   its own (a rename is atomic), until its directory is synced.
 * - A failed sync dooms what it should have synced: later syncs of the same
 *   file succeed and prove nothing about that data (J5).
 *
 * Thread-safe; operations are recorded one at a time. Syncs are only
 * recorded, not done. Reads go to the real files and see everything, as the
 * page cache does. Only one recording at a time.
 */
#ifndef BASE_DISK_RECORD_H
#define BASE_DISK_RECORD_H

#include "base/disk.h"
#include "base/err.h"

enum disk_op {
	DISK_ANY = 0,		/* for disk_record_fail: all below */
	DISK_OPEN, DISK_PWRITE, DISK_FALLOCATE, DISK_TRUNCATE,
	DISK_FDATASYNC, DISK_FSYNC, DISK_SYNCFS, DISK_RENAME, DISK_LINK,
	DISK_UNLINK, DISK_MKDIR, DISK_UTIMENS,
	DISK_OP_COUNT
};

struct disk_record;

/* Takes what is below `root` now as durable and puts itself in place of the
 * real back end. Ends the process when root cannot be read: a test's fault. */
struct disk_record *disk_record_start(const char *root);
/* Puts the real back end back and frees. */
void disk_record_stop(struct disk_record **r);
/* Puts the real back end back, keeps the recording for its states. */
void disk_record_pause(struct disk_record *r);

/* Operations recorded so far. Take it when something was promised (a 250):
 * states of later steps must keep that promise. */
size_t disk_record_steps(struct disk_record *r);
enum disk_op disk_record_op(struct disk_record *r, size_t step);
/* "pwrite journal/0001.seg 4096+8192", for a failing test's message. */
const char *disk_record_describe(struct disk_record *r, size_t step,
    char *out, size_t n);

/* The nth call (from 1, counted from now) of `op` fails with `err` and does
 * nothing; a pwrite with ENOSPC writes half. nth = 0: none. `forever`: and
 * so do all later ones. */
void disk_record_fail(struct disk_record *r, enum disk_op op, unsigned nth,
    int err, bool forever);
/* How many calls failed so. */
unsigned disk_record_failures(struct disk_record *r);
/* Calls of `op` seen so far, failed ones included. */
unsigned disk_record_calls(struct disk_record *r, enum disk_op op);

/*
 * States after the first `step` operations. 0: only what is durable. 1: all
 * that was done (what a killed process leaves). 2: all names, no unsynced
 * data. 3: all data, no unsynced names. From 4: every combination when there
 * are no more than `max`, else a fixed pseudo-random sample.
 */
unsigned disk_record_states(struct disk_record *r, size_t step, unsigned max);
/* Builds state `state` (of disk_record_states with the same max) below
 * `dir`, an existing empty directory. */
void disk_record_build(struct disk_record *r, size_t step, unsigned state,
    unsigned max, const char *dir);

/* Helpers for tests: a fresh directory under $TMPDIR (yours to free), and
 * removing it with all it holds. */
char *disk_record_tmpdir(const char *name);
void disk_record_rmdir(const char *dir);

#endif
