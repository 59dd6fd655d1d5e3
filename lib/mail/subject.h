/*
 * The base subject of SORT and THREAD (RFC 5256 2.1): what a subject is about,
 * without "Re:", "Fwd:", "[list]" and the like.
 */
#ifndef MAIL_SUBJECT_H
#define MAIL_SUBJECT_H

#include "base/buf.h"
#include "base/span.h"

/* Appends the base subject of a Subject field's value, as UTF-8. True when
 * the subject is that of a reply or a forward. */
bool subject_base(struct buf *out, struct span value);

#endif
