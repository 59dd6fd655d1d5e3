/*
 * Text of other character sets as UTF-8, and UTF-8 folded for comparing
 * without regard to case.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/buf.h"
#include "base/span.h"

/* Do we know this charset (RFC 2978 names, any case)? */
bool charset_known(struct span name);
/* Appends `in` as UTF-8; bytes that make no sense become U+FFFD. False, with
 * nothing appended, when the charset is unknown. */
bool charset_to_utf8(struct buf *out, struct span name, struct span in)
    MUST_CHECK;

/* Appends UTF-8 with upper case made lower: ASCII, Latin, Greek, Cyrillic,
 * Armenian. Invalid bytes stay. Same length. */
void utf8_fold(struct buf *out, struct span in);

#endif
