/*
 * The durable counter behind queue ids (J8) and the guard against restored
 * spools (J14). One file in the spool directory, replaced as a whole. Only
 * one process (posternd) raises it. May wait for the disk.
 */
#ifndef SPOOL_INCARNATION_H
#define SPOOL_INCARNATION_H

#include "base/err.h"

/* Raises the counter by `count` and makes that durable; *first is the first
 * of the count fresh numbers. Never gives a number twice, whatever fails. A
 * missing file in a spool that has segments is an error: it was not ours. */
int incarnation_raise(int spool_dir, uint32_t count, uint32_t *first,
    struct err *err) MUST_CHECK;
/* The last number given; 0 for a fresh spool. */
int incarnation_read(int spool_dir, uint32_t *last, struct err *err)
    MUST_CHECK;

/*
 * J14: `recorded` is the incarnation the database has for this host. 0 when
 * the spool is not behind it. PS_EDENIED when it is: a restored spool or a
 * snapshot; refuse to start. With `accept` the counter is set past
 * `recorded`, the spool is marked so that qmgr holds all its mail before it
 * acts on any, and 0 is returned.
 */
int incarnation_check(int spool_dir, uint32_t recorded, bool accept,
    struct err *err) MUST_CHECK;
/* Was the spool accepted by incarnation_check and not yet held? */
bool incarnation_hold_wanted(int spool_dir);
/* qmgr: all is held (durably); forget the mark. */
int incarnation_hold_done(int spool_dir, struct err *err) MUST_CHECK;

#endif
