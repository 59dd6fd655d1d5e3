/*
 * Replies: appended whole to the connection's output, which goes out in one
 * write at the end of the loop's turn (grouped for PIPELINING).
 *
 * `text` begins with its code: "250 2.1.0 Ok". CR, LF and other control
 * bytes in formatted text become '?': nothing a peer sent can begin a line of
 * its own. Lines are cut at REPLY_LINE_MAX.
 */
#ifndef SMTPD_REPLY_H
#define SMTPD_REPLY_H

#include "base/buf.h"

#define REPLY_LINE_MAX	510	/* RFC 5321 4.5.3.1.5, without CR LF */

/* A fixed line of ours: not looked at. */
void reply_line(struct buf *out, const char *text);
void reply_fmt(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
/* One line of several: "250" and '-' or ' ' are put in front. */
void reply_part(struct buf *out, int code, bool last, const char *fmt, ...)
    PRINTF(4, 5);

/* Makes formatted text in b, from byte `from` on, fit for one line. */
void reply_clean(struct buf *b, size_t from);
/* 250 -> "250 2.1.0 Ok": the first number of a reply text, or 0. */
int reply_code(const char *text);

#endif
