/*
 * The names of a header's fields as two bytes each, in their order: says
 * without the header that a field is not in it, or is in it just once. Two
 * names may share their bytes, so a field can seem to be there that is not,
 * but none that is there is ever missed.
 */
#ifndef MAIL_FIELD_NAMES_H
#define MAIL_FIELD_NAMES_H

#include "base/buf.h"
#include "base/span.h"

#define FIELD_NAMES_MAX	254
#define FIELD_NAMES_BYTES (2 * FIELD_NAMES_MAX)

/* Appends those of the header at the front of `text`. A buf with a cap fails
 * when there are too many. */
void field_names_put(struct buf *out, struct span text);
/* How many fields seem to have this name (any case). */
unsigned field_names_count(struct span names, struct span name);

#endif
