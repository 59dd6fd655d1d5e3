/*
 * LIST patterns: "*" matches anything, "%" anything but the separator.
 */
#ifndef IMAPD_PATTERN_H
#define IMAPD_PATTERN_H

#include "base/span.h"

/* INBOX matches in any case. Time is bounded by pattern times name length. */
bool pattern_match(struct span pattern, char sep, struct span name);

#endif
