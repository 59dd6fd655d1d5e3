/*
 * Whether an account may take more. In threads.
 */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

#include "imapd/session.h"

/* Room for `messages` more of `bytes` in all? Limits are what authd said at
 * login. False: over. A failure to find out counts as room: the figure is
 * checked again, and mail must not stop for a counter. */
bool quota_has_room(struct session *s, uint64_t messages, uint64_t bytes);

#endif
