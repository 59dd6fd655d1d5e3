/*
 * One folder, locked and changed: what deliver and the views of imapd build
 * on. Holds the descriptors of the folder's files and, while locked, the
 * truth about its index header. doc/store-format.md 3 and 5 are its rules.
 *
 * Everything here blocks. A box is used by one thread at a time; two boxes
 * of one folder exclude each other by the lock, also within a process.
 */
#ifndef STORE_BOX_H
#define STORE_BOX_H

#include "base/buf.h"
#include "base/err.h"
#include "store/cache.h"
#include "store/fname.h"
#include "store/head.h"
#include "store/index.h"
#include "store/layout.h"

struct box {
	uint64_t mailbox_id;
	char name[FOLDER_NAME_MAX + 1];
	int account;			/* the account's directory, lent */
	int dir, head, index, cache;	/* cache -1 until wanted */
	bool locked;
	bool dirs_clean;		/* no foreign change when ours began */
	bool look;			/* a file was missed: go through it */
	bool head_fresh;		/* head file was made just now */
	bool warned;			/* this folder's trouble was logged */
	uint64_t cache_open_id;		/* cache_id of the open cache file */
	struct head hd;
	struct index_header h;		/* as last read or written */
	struct index_group *tail;	/* the last group, if tail_ok; NULL
					 * until records were added */
	bool tail_ok;
	bool modseq_taken;		/* by the change under way */
	struct box_ahead *ahead;	/* what was read before the lock */
	bool in_slices;			/* box_follow is at work: a reconcile
					 * may leave foreign files for later */
	bool more;			/* ... and did */
};

enum box_open_how {
	BOX_EXISTING,
	BOX_CREATE,			/* makes cur, new, tmp when missing */
	BOX_ADOPT			/* and is the one who adopts */
};

/* Opens the folder's files. account_dir is lent and must outlive the box.
 * PS_ENOTFOUND; PS_EAGAIN: the account is being adopted (adopt.h). */
struct box *box_open(int account_dir, const char *name, uint64_t mailbox_id,
    enum box_open_how how, struct err *err) MUST_CHECK;
void box_close(struct box **b);
/* cur, new and tmp in a folder's directory. */
int box_dirs_make(int dir, struct err *err) MUST_CHECK;

/* Waits for the lock, then sees to it that the index can be believed:
 * reconciles it with the directory when it cannot. */
int box_lock(struct box *b, struct err *err) MUST_CHECK;
void box_unlock(struct box *b);

/* The header without a lock, for readers. PS_ECORRUPT, PS_ENOTFOUND: take the
 * lock. Reopens a replaced index. */
int box_peek(struct box *b, struct err *err) MUST_CHECK;
/* The header without a lock, and true: reconciles first when other programs
 * or a crash left the index behind. */
int box_current(struct box *b, struct err *err) MUST_CHECK;
/* Brings the index up to date with the directories, also when it looks so
 * (`always`): reads them before it takes the lock, and takes foreign files over
 * a slice at a time. */
int box_follow(struct box *b, bool always, struct err *err) MUST_CHECK;
/* Did another program touch new/ or cur/ since the header was written? */
bool box_dirs_changed(struct box *b);
/* Writes b->h as it is; locked. */
int box_header_write(struct box *b, struct err *err) MUST_CHECK;
/* Reads the directory and brings the index up to date; locked. */
int box_reconcile(struct box *b, struct err *err) MUST_CHECK;
/* Drops old GONE records and old cache entries; locked. */
int box_compact(struct box *b, struct err *err) MUST_CHECK;
bool box_wants_compaction(const struct box *b);

/* --- changing, between lock and unlock ---------------------------------- */

/* Marks the index DIRTY and takes n UIDs (may be 0), the first in *first. */
int box_change_begin(struct box *b, uint32_t n, uint32_t *first,
    struct err *err) MUST_CHECK;
/* The same for copies that are made whole or not at all (COPY, APPEND): when
 * this process ends before box_change_end, the next lock removes what is there
 * of them. Not for files that are moved here. */
int box_copies_begin(struct box *b, uint32_t n, uint32_t *first,
    struct err *err) MUST_CHECK;
/* Clears DIRTY, writes totals. When a change fails half way do not call it:
 * the next lock reconciles. */
int box_change_end(struct box *b, struct err *err) MUST_CHECK;

/* Appends records (UIDs ascending, above all others); sets their modseq. */
int box_recs_add(struct box *b, struct index_rec *recs, size_t n,
    struct err *err) MUST_CHECK;
/* Reads a group under the lock; a damaged one is reconciled away by the next
 * locker. */
int box_group_read(struct box *b, uint32_t number, struct index_group *g,
    struct err *err) MUST_CHECK;
/* Writes a changed group back. The caller has adjusted totals by box_count. */
int box_group_write(struct box *b, struct index_group *g,
    struct err *err) MUST_CHECK;
/* Takes `was` out of the totals and puts `is` in; NULL = nothing. */
void box_count(struct index_header *h, const struct index_rec *was,
    const struct index_rec *is);

/* Has it work for folder_flush: a name or an unlink that lags? */
bool rec_is_lazy(const struct index_rec *r);

/* Appends packed cache entries; *off is where the first one lies. Of none: where
 * the next would. */
int box_cache_append(struct box *b, struct span entries, uint64_t *off,
    struct err *err) MUST_CHECK;
/* Starts the cache anew with the entries of these records, whose offsets it
 * changes; an index that holds them must be written next. Locked. */
int box_cache_renew(struct box *b, struct index_rec *recs, size_t n,
    struct err *err) MUST_CHECK;
/* Opens the cache file if it belongs to this index. */
bool box_cache_open(struct box *b);

/* The modseq of this change: one number for all it does, and none when it
 * does nothing that a reader could see. */
static inline uint64_t
box_modseq(struct box *b)
{
	b->modseq_taken = true;
	return b->h.modseq + 1;
}
/* Sees to it that the head file's ceilings on disk are above the UIDs below
 * uid_end and the next modseq. Locked. */
int box_ceilings(struct box *b, uint32_t uid_end, struct err *err)
    MUST_CHECK;

/* --- file names ----------------------------------------------------------- */

/* "new/<base>" or "cur/<base>:2,<flags>" as the record says it is now. */
void box_path(struct span base, uint32_t flags, bool in_new,
    char out[FNAME_MAX + 8]);
/* The base name of a record: from the cache, else by reading the directory.
 * False: no such file. */
bool box_base(struct box *b, struct cache_window *w,
    const struct index_rec *r, char out[FNAME_MAX + 1]);
/* Reads the directory for the file of uid: its path as it is now ("cur/..."),
 * true when found. */
bool box_find_uid(struct box *b, uint32_t uid, uint32_t key,
    char path[FNAME_MAX + 8]);

#endif
