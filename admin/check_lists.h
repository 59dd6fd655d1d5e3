/*
 * `postern config check`: do the policy services and tables answer that the
 * restriction lists name, and is some name an old one? A service may well be
 * started later, so this warns only.
 */
#ifndef ADMIN_CHECK_LISTS_H
#define ADMIN_CHECK_LISTS_H

#include "base/buf.h"
#include "base/conf.h"

/* Asks all of them at once and waits for the slowest, some seconds at most. A
 * line "warning: ..." for each that can't be reached, "hint: ..." for each
 * old name. */
void check_lists(struct conf *conf, struct buf *warnings);

#endif
