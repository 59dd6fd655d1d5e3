/*
 * Finds what an earlier try of a delivery left, by its key (queue id, mailbox
 * id): in any folder of the account, or in the memory of expunged messages
 * (J6, J7, J9). Blocks.
 */
#ifndef STORE_FIND_H
#define STORE_FIND_H

#include "base/err.h"
#include "store/box.h"

struct found {
	struct box *box;		/* locked until found_fini; NULL: gone */
	bool own;			/* box is ours, not the caller's */
	bool gone;			/* a reader expunged or moved it */
	uint32_t group, slot;
	struct index_rec rec;
	char path[FNAME_MAX + 8];	/* of the live file */
};

/* PS_ENOTFOUND: never delivered, as far as can be known. */
int find_delivery(int account_dir, struct box *inbox, struct span queue_id,
    struct found *f, struct err *err) MUST_CHECK;
/* Notes in the index that the file is whole in this boot. */
int found_made_whole(struct found *f, struct err *err) MUST_CHECK;
void found_fini(struct found *f);

struct usage;
/* Live totals over all folders. */
int usage_read(int account_dir, uint64_t mailbox_id, struct usage *u,
    struct err *err) MUST_CHECK;

#endif
