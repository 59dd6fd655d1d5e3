/*
 * Outcome logs (doc/spool-format): what became of the messages in a segment,
 * or, as log 0, of those in cold files. Appended without a sync; a checkpoint
 * syncs. These functions may wait for the disk and are called from one
 * thread at a time; packing entries is pure.
 */
#ifndef SPOOL_OUTLOG_H
#define SPOOL_OUTLOG_H

#include "base/buf.h"
#include "base/err.h"
#include "spool/record.h"

enum outlog_type {
	OUTLOG_BOOT = 1, OUTLOG_OUTCOME, OUTLOG_CHECKPOINT, OUTLOG_UNDONE,
	OUTLOG_TRIED, OUTLOG_HOLD, OUTLOG_COLD, OUTLOG_GONE
};

struct outlog_entry {
	enum outlog_type type;
	uint8_t value;
	uint64_t ref;
	uint32_t rcpt;			/* OUTCOME, UNDONE */
	uint64_t lane, n;		/* OUTCOME; CHECKPOINT: n = covered */
	uint32_t crashes;		/* TRIED */
	int64_t next_us;		/* TRIED */
	uint8_t boot[16];		/* BOOT */
	uint8_t epoch[EPOCH_SIZE];	/* COLD */
	char queue_id[QUEUE_ID_LEN + 1];	/* COLD */
};

struct outlog {
	int dir;
	uint32_t id;
	int fd;
	uint8_t epoch[EPOCH_SIZE];
	uint64_t end;		/* entries end here */
};

/* Appends one entry of a log with that epoch. */
void outlog_pack(struct buf *b, const uint8_t epoch[EPOCH_SIZE],
    const struct outlog_entry *e);

/* Opens the log of `id`. With want, PS_ECORRUPT unless it has that epoch;
 * without, takes the epoch it has. PS_ENOTFOUND, PS_ECORRUPT, PS_EIO. */
int outlog_open(int dir, uint32_t id, const uint8_t *want,
    struct outlog *o, struct err *err) MUST_CHECK;
/* Makes a log with these packed entries in place of what is there: written
 * aside, synced, renamed, directory synced. On failure *o is as it was (fd
 * -1 when it was new). */
int outlog_replace(struct outlog *o, struct span entries, struct err *err)
    MUST_CHECK;
/* After a recycling: empty, with the segment's new epoch. Not synced: a log
 * of another epoch does not count anyway. */
int outlog_reset(struct outlog *o, const uint8_t epoch[EPOCH_SIZE],
    struct err *err) MUST_CHECK;
void outlog_close(struct outlog *o);

/* Calls fn for each entry, sets o->end behind the last good one, and cuts
 * off (durably) what lies behind it, so that no torn rest can ever be read as
 * entries again. */
typedef void outlog_fn(const struct outlog_entry *e, void *arg);
int outlog_scan(struct outlog *o, outlog_fn *fn, void *arg, struct err *err)
    MUST_CHECK;

int outlog_append(struct outlog *o, struct span entries, struct err *err)
    MUST_CHECK;
/* J5: after a failure nothing more is believed of the file; see _rescue. */
int outlog_sync(struct outlog *o, struct err *err) MUST_CHECK;
/* Writes the log anew from what can be read of it and checks, plus `more`. */
int outlog_rescue(struct outlog *o, struct span more, struct err *err)
    MUST_CHECK;

/* The entries alone, from bytes: for the scan and its fuzz target. Returns
 * how many bytes were good. */
size_t outlog_parse(struct span bytes, const uint8_t epoch[EPOCH_SIZE],
    outlog_fn *fn, void *arg);

#endif
