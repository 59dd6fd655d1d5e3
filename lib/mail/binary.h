/*
 * Messages with parts of transfer encoding "binary" (RFC 3030, RFC 3516) as
 * messages that anything can carry.
 */
#ifndef MAIL_BINARY_H
#define MAIL_BINARY_H

#include "base/buf.h"
#include "base/span.h"

/* Appends the message with its binary parts in base64, and what encloses
 * them as 8bit. All else stays as it is, so a NUL elsewhere does, too. */
void binary_to_base64(struct buf *out, struct span message);

#endif
