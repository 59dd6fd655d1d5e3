/*
 * Whether an account may take more, and GETQUOTA and its kin. deliver is
 * asked, which knows present limits, the pools an account is in, and what
 * others have reserved (doc/architecture.md, "Quota"). When it does not
 * answer, the index and the limits of the login have to do.
 */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

#include "imapd/session.h"

void quota_init(struct session *s);
/* Room for `messages` more of `bytes` in all? s->room.fits says it when
 * done(s) runs, from the loop. What fits is reserved until the command ends,
 * or is asked for anew. A failure to find out counts as room: mail must not
 * stop for a counter. */
void quota_ask_room(struct session *s, uint64_t messages, uint64_t bytes,
    void (*done)(struct session *s));
/* The command has ended: whatever it added is where others count it. */
void quota_release(struct session *s);

/* deliver has gone, or is silent: who waits for it goes on without it. */
void quota_deliver_lost(struct session *s);

/* deliver's answers. */
void quota_answered(struct session *s, bool fits);
void quota_told(struct session *s, struct span roots);

#endif
