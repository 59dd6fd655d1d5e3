/*
 * imapd's sessions as lib/live tells them, and how they are ended by hand.
 */
#ifndef IMAPD_LIVE_SESSIONS_H
#define IMAPD_LIVE_SESSIONS_H

#include "live/live.h"

extern const struct live_ops live_sessions_ops;

#endif
