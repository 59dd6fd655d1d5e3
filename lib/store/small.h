/*
 * Small text files of an account (subscriptions, special uses): read whole,
 * replaced whole under the account's lock. Blocks.
 */
#ifndef STORE_SMALL_H
#define STORE_SMALL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SMALL_MAX	(1024 * 1024)

/* The account's lock; *fd is yours, closing it unlocks. */
int small_lock(int account_dir, int *fd, struct err *err) MUST_CHECK;
/* Into text, which is initialized here; a file that is not there is empty.
 * buf_fini() in any case. */
int small_read(int account_dir, const char *name, struct buf *text,
    struct err *err) MUST_CHECK;
/* On disk under its name when it returns 0; PS_ETOOBIG when `text` failed. */
int small_replace(int account_dir, const char *name, const struct buf *text,
    struct err *err) MUST_CHECK;

#endif
