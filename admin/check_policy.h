/*
 * `postern config check`: do the policy services answer that the restriction
 * lists name? A service may well be started later, so this warns only.
 */
#ifndef ADMIN_CHECK_POLICY_H
#define ADMIN_CHECK_POLICY_H

#include "base/buf.h"
#include "base/conf.h"

/* Connects to all of them at once and waits for the slowest, some seconds at
 * most. A line in `warnings` for each that can't be reached. */
void check_policy(struct conf *conf, struct buf *warnings);

#endif
