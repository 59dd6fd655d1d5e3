/*
 * What a client missed while it was away (RFC 7162, QRESYNC): what SELECT
 * tells, and VANISHED (EARLIER).
 */
#ifndef IMAPD_RESYNC_H
#define IMAPD_RESYNC_H

#include "imapd/resync_plan.h"
#include "imapd/session.h"

/* Appends to s->out a slice of what happened since, to be sent behind what
 * SELECT tells. 1: there is more, 0: that was all; or an error. In a thread. */
int resync_step(struct session *s, struct resync *r, struct err *err)
    MUST_CHECK;

/* Appends "* VANISHED (EARLIER) ...", or nothing, for those UIDs of `set` above
 * `above` that were expunged since; a star in `set` comes to mean any UID. In
 * a thread; looks at the folder anew. */
int vanished_put(struct session *s, struct buf *out, struct seqset *set,
    uint32_t above, uint64_t since, struct err *err) MUST_CHECK;

#endif
