/*
 * The collation i;unicode-casemap (RFC 5051): text as bytes that compare
 * alike when people would say so. Thread-safe.
 */
#ifndef MAIL_CASEMAP_H
#define MAIL_CASEMAP_H

#include "base/buf.h"
#include "base/span.h"

/* Appends the key of UTF-8 text; what is no UTF-8 stands for itself. Keys
 * are compared as bytes (memcmp, the shorter first). */
void casemap_key(struct buf *out, struct span utf8);

#endif
