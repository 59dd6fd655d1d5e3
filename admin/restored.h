/*
 * Is this spool an old copy? (DESIGN J14) The database remembers how far the
 * incarnation counter of each host's spool had come; a spool that is behind
 * was restored from a backup or a snapshot and must not send its mail again.
 *
 * libpq runs in a child process that has become the queue's user: posternd
 * itself, which is root, talks to no database.
 */
#ifndef ADMIN_RESTORED_H
#define ADMIN_RESTORED_H

#include "base/conf.h"
#include "base/err.h"

/*
 * Compares and lets the database know. Blocks for a few seconds at most; a
 * database that does not answer is a warning, as mail must flow without it.
 * PS_EDENIED: an old copy and not `accept`.
 */
int restored_check(const struct conf *conf, int spool_dir, bool accept,
    struct err *err) MUST_CHECK;
/* Lets the database know how far the counter is, in the background; the
 * process that does it is reaped by whoever waits for children. */
void restored_report(const struct conf *conf, int spool_dir);

#endif
