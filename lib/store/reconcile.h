/*
 * Brings a folder's index and head file into line with its directories
 * (doc/store-format.md, 2, 4, 5, 7): after a crash, a power cut, the loss of
 * the index, or changes by other programs. The maildir wins, but for what
 * the index log knows later. Box locked; blocks.
 */
#ifndef STORE_RECONCILE_H
#define STORE_RECONCILE_H

#include "base/err.h"

struct box;
struct index_rec;

/* A new UIDVALIDITY for a folder whose head file is new or damaged. */
int reconcile_head_new(struct box *b, struct err *err) MUST_CHECK;

/* Reads the directories for the box_reconcile that follows, without the lock:
 * it does not read them again when nothing happened there since. */
void reconcile_ahead(struct box *b);
void reconcile_ahead_drop(struct box *b);

/* Writes these records (ascending UIDs) as a new index that takes the old
 * one's place; b->h has totals, mtimes, uidnext and the rest as wanted. */
int reconcile_index_write(struct box *b, const struct index_rec *recs,
    size_t n, struct err *err) MUST_CHECK;

#endif
