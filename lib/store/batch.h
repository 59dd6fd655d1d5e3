/*
 * Messages on their way into a folder, several at once: names, records, cache
 * entries, the sync at the end, and taking all out again when something
 * fails. What APPEND, COPY and MOVE share. Blocks.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/box.h"

/* One message. */
struct coming {
	char base[FNAME_MAX + 1], path[FNAME_MAX + 8];
	struct index_rec r;
	bool placed;			/* the file has its final name */
};

struct batch {
	struct box *b;			/* lent */
	struct coming *c;
	size_t n, n_placed;
	struct buf entries;		/* for the cache */
	uint64_t *entry_at;
};

void batch_init(struct batch *x, struct box *b, size_t n);
void batch_fini(struct batch *x);
/* The name under which the message will lie, from c->r (uid, sizes, flags,
 * date); `unique` is kept, or made when unique.p is NULL. */
int batch_name(struct box *b, struct coming *c, struct span unique,
    struct err *err) MUST_CHECK;
/* Notes the cache entry of message i; e->name and e->uid are filled in. */
void batch_entry(struct batch *x, size_t i, struct cache_entry *e);
/* Records of all that was placed; box locked and changing. */
int batch_record(struct batch *x, struct err *err) MUST_CHECK;
/* Removes the files that were placed. */
void batch_undo(struct batch *x);
/* One syncfs for all; when it fails the messages are taken out again. */
int batch_sync(struct batch *x, struct err *err) MUST_CHECK;

#endif
