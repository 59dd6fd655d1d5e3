/*
 * Modified UTF-7 of IMAP mailbox names (RFC 3501 5.1.3).
 */
#ifndef MAIL_UTF7_H
#define MAIL_UTF7_H

#include "base/buf.h"
#include "base/span.h"

/* False on anything but the one right form of a name (the RFC wants each
 * name to have one). */
bool utf7_to_utf8(struct buf *out, struct span in) MUST_CHECK;
/* False when in is not valid UTF-8. */
bool utf7_from_utf8(struct buf *out, struct span in) MUST_CHECK;

#endif
