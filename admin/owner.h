/*
 * Gives a directory tree to another user: for mail that another server's user
 * owned. Runs as root in a tree that this user may change meanwhile, so it
 * goes from descriptor to descriptor, follows no link, and touches nothing
 * that belongs to a third.
 */
#ifndef ADMIN_OWNER_H
#define ADMIN_OWNER_H

#include <sys/types.h>

#include "base/err.h"

/* All below `dir`, then dir itself, becomes uid's and gid's, directories with
 * STORE_DIR_MODE, files with STORE_FILE_MODE. What has begun is gone on with when
 * called again. PS_EDENIED, and nothing done: something belongs to another
 * than dir's owner (a hard link to somebody's file must not be given away). */
int owner_give(int dir, uid_t uid, gid_t gid, struct err *err) MUST_CHECK;

#endif
