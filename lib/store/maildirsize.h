/*
 * maildirsize, the quota file of Maildir++, for programs beside us that look
 * at it (virtual_create_maildirsize). We write it and never go by it; reading
 * one is foreign.h's, when a maildir is adopted. Blocks.
 */
#ifndef STORE_MAILDIRSIZE_H
#define STORE_MAILDIRSIZE_H

#include "store/account.h"

/* Replaces the file by limits and sums; without limits it is removed. Not
 * synced: it can be made again. One writer at a time. */
int maildirsize_write(int account_dir, const struct usage *limit,
    const struct usage *used, struct err *err) MUST_CHECK;

#endif
