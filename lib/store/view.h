/*
 * Inside of folder.h: the view of one session. Shared by the folder*.c files
 * only.
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "store/box.h"
#include "store/folder.h"
#include "store/keywords.h"
#include "store/texts.h"

struct view_msg {
	struct index_rec r;
	uint32_t slot;			/* its number in the index */
	bool recent, gone, seen;
	bool changed;			/* flags that were not told yet */
	bool stamped;			/* a modseq that was not told yet */
};

struct folder {
	struct account *account;
	struct box *box;
	struct cache_window window;
	struct view_msg *msg;
	size_t n, size;
	uint32_t n_recent, n_unseen, n_gone;
	uint32_t n_changed;		/* changed or stamped */
	size_t changed_at;		/* where to look for changed ones */
	uint32_t flags_seen;		/* all bits met so far */
	bool claim_recent;
	bool loaded;			/* the messages are there */
	bool outline;			/* they are not, only these: */
	uint32_t outline_exists, outline_unseen, outline_first_unseen;
	/* of the index, as last merged or, for an outline, at the opening: */
	uint64_t generation, changes;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	uint64_t forgotten;		/* index_header's */
	uint32_t n_lazy;
	uint32_t lazy_group;		/* where folder_flush goes on */
	uint64_t synced_modseq, synced_generation;	/* durable for it */
	bool lazy_whole;		/* it began at the first group, and
					 * nothing was added since */
	struct keywords keywords;
	struct texts texts;
	bool texts_ready;
};

/* Brings the view up to what the index holds; box locked or not. */
int view_merge(struct folder *f, struct err *err) MUST_CHECK;
/* Locks the box and merges, so that slots are right. */
int view_lock(struct folder *f, struct err *err) MUST_CHECK;
/* Reads a group, under the lock when it does not hold still. PS_EAGAIN: the
 * index was reconciled, merge again. */
int view_group(struct folder *f, uint32_t number, struct index_group *g,
    struct err *err) MUST_CHECK;
/* Notes what the header says of the state that the view has now. */
void view_header_take(struct folder *f, const struct index_header *h);

/* --- folder_outline.c --- */

/* Makes f, just opened, an outline of b->h; false: it must be loaded. */
bool outline_take(struct folder *f);
/* Nothing changed since. */
bool outline_is_current(const struct folder *f);
/* Was this record changed since, of a message that was there? */
bool outline_had(const struct folder *f, const struct index_rec *r);
/* After loading: there are as many messages as were told; what went and is not
 * remembered is gone under UIDs that nobody has. False: the index is nonsense. */
bool outline_mend(struct folder *f);

/* --- folder.c --- */

/* There is something to tell of m: its flags, or its modseq alone. */
void view_mark(struct folder *f, struct view_msg *m, bool flags);
/* Takes over a record as it is now. */
void view_rec_set(struct folder *f, struct view_msg *m,
    const struct index_rec *r, bool silent);
/* Message at seq, NULL beyond or gone. */
struct view_msg *view_live(struct folder *f, uint32_t seq);
/* Calls fn for each of the messages at seqs (ascending), a group at a time,
 * and writes the groups in which it said that it changed something. Locked. */
typedef bool view_change_fn(struct folder *f, struct view_msg *m,
    struct index_rec *r, void *arg);
int view_change(struct folder *f, const uint32_t *seqs, size_t n,
    view_change_fn *fn, void *arg, bool silent, struct err *err) MUST_CHECK;
/* After a locked change: the view is what the index is; or, when the change
 * failed half way, will be read anew. */
void view_taken(struct folder *f, bool whole);
/* The message's path and open file, found again when it was renamed. The
 * base name is left in `base`. */
int view_file_open(struct folder *f, struct view_msg *m,
    char base[FNAME_MAX + 1], char path[FNAME_MAX + 8], int *fd,
    struct err *err) MUST_CHECK;
/* Have all flags in the view a name? */
bool view_keywords_known(const struct folder *f);
/* Reads the keyword names again when not. */
int view_keywords(struct folder *f, struct err *err) MUST_CHECK;

#endif
