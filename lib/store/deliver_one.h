/*
 * Puts one message into one mailbox, exactly once. The key (queue id,
 * mailbox id) names the file, so a delivery that is asked for again finds what
 * it did before: DESIGN J6, J7, J9.
 *
 * Never syncs (J6): the caller's checkpoint does. Blocks: work.h threads only,
 * one at a time for a mailbox.
 */
#ifndef STORE_DELIVER_ONE_H
#define STORE_DELIVER_ONE_H

#include "base/err.h"
#include "base/span.h"

struct delivery_target;		/* an open folder, kept warm between mails */

/* The message as it is to be stored: head (per recipient), then body. The
 * body is in memory (mem) or length bytes of fd at off. */
struct delivery_body {
	struct span mem;
	int fd;				/* used when mem.p == NULL */
	uint64_t off, len;
	/* Texts for the index cache, made once per message by
	 * delivery_texts(); may be empty. */
	struct span envelope, bodystructure, references, fields;
	uint32_t header_bytes;
};

struct delivery {
	struct span queue_id;
	int64_t arrival;		/* seconds since 1970 */
	struct span head;		/* Return-Path: ... lines with CRLF */
	const struct delivery_body *body;
	bool maybe_done;		/* it was tried before: look first */
	bool any_copy;			/* what is found need not be equal */
	bool rewrite;			/* a sync failed since (J5): what is
					 * found is written anew, equal or not */
};

enum delivered {
	DELIVERED_NEW,
	DELIVERED_BEFORE,		/* the copy was there, whole */
	DELIVERED_REPAIRED,		/* it was there, damaged (J7) */
	DELIVERED_SECOND		/* same key, other content (J8) */
};

/* Opens INBOX of the mailbox, making the home when it is new. */
struct delivery_target *delivery_open(int store_dir, uint64_t mailbox_id,
    struct err *err) MUST_CHECK;
void delivery_close(struct delivery_target **t);
int delivery_dirfd(const struct delivery_target *t);	/* home, lent */

/* On failure err says why; its code is PS_EFULL for ENOSPC and EDQUOT. What
 * was begun is undone or is found by the next try with maybe_done. With
 * sync_file the file and its directory are synced before this returns
 * (maildir_sync = file, J12). */
int deliver_one(struct delivery_target *t, const struct delivery *d,
    bool sync_file, enum delivered *how, uint32_t *uid,
    struct err *err) MUST_CHECK;

/* Usage over all folders of the mailbox. */
struct usage;
int delivery_usage(struct delivery_target *t, struct usage *u,
    struct err *err) MUST_CHECK;

#endif
