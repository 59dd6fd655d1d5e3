/*
 * smtpd's sessions as lib/live tells them, and how they are ended by hand.
 */
#ifndef SMTPD_LIVE_SESSIONS_H
#define SMTPD_LIVE_SESSIONS_H

#include "live/live.h"

extern const struct live_ops live_sessions_ops;

#endif
