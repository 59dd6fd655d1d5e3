/*
 * Lines from the wire: CR LF ends a line and nothing else does (RFC 5321
 * 2.3.8). A bare LF or a bare CR is reported, never repaired: two servers
 * that disagree about where a line ends can be made to see two different
 * conversations (S1).
 *
 * The reader remembers how far it looked, so a line that comes one byte at a
 * time costs no more than one that comes whole.
 */
#ifndef NET_LINE_H
#define NET_LINE_H

#include "base/buf.h"
#include "base/span.h"

enum line_result {
	LINE_MORE,		/* no end yet; the buffer is left alone */
	LINE_OK,
	LINE_TOO_LONG,		/* told once, when its end has come */
	LINE_BARE_LF,
	LINE_BARE_CR
};

struct line_reader {
	size_t seen;		/* bytes at the front known to hold no end */
	bool skipping;		/* inside a line that is too long */
};

/*
 * Takes the next line off the front of `in`. *line (without CR LF, at most
 * `limit` bytes; may hold NUL) is lent until bytes are added to `in`. After
 * LINE_BARE_* the buffer is left at that line: the caller ends the session.
 * A line that is too long is dropped as it arrives, so `in` needs room for
 * limit + 2 bytes only.
 */
enum line_result line_next(struct line_reader *r, struct buf *in,
    size_t limit, struct span *line);

#endif
