/*
 * JSON as far as we speak it: escaping what we print, and walking the flat objects
 * that Postern's processes answer with. Reads untrusted bytes: bounded depth,
 * nothing is allocated but what the caller's buf takes.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/span.h"

/* Appends s as a JSON string with its quotes; bytes that are not UTF-8 become
 * U+FFFD. */
void json_put_string(struct buf *out, struct span s);

/* Inside an object: appends `"name": `, with a comma unless it is the first
 * member; the value follows. json_put_member: and a string. */
void json_put_name(struct buf *out, const char *name);
void json_put_member(struct buf *out, const char *name, struct span value);

/* Appends seconds since 1970 as a string, "2026-11-28T17:20:00Z"; "" when that
 * has no such form. */
void json_put_time(struct buf *out, int64_t s);

/* Is this one complete JSON value, nothing behind it? */
bool json_is_valid(struct span s);

/*
 * Walks the members of an object, or the elements of an array (key is then
 * empty). Start with *rest = the value; false at the end or when it is
 * malformed (rest->p == NULL). *key and *value are as written: a string value
 * has its quotes.
 */
bool json_next(struct span *rest, struct span *key, struct span *value);

/* Appends the text of a scalar as people read it: a string decoded, all else
 * as written. */
void json_text(struct span value, struct buf *out);

#endif
