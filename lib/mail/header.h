/*
 * The header of a message or MIME part (RFC 5322 2.2), one field at a time.
 * Owns nothing: spans point into the text given. CRLF and LF both end a
 * line; NUL is a byte like any other. A line without a colon is a field
 * whose name is the whole line, so nothing of a damaged header is lost.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"
#include "base/span.h"

/* Fields that start behind this many bytes are for nobody but BODY[HEADER]. */
#define HEADER_LOOK_MAX	(1024 * 1024)

struct header_field {
	struct span name;	/* without colon and the space before it */
	struct span value;	/* behind the colon, folds and all, without the
				 * white space around it */
	struct span raw;	/* the whole field with its last line end */
};

struct header_iter {
	const char *p, *end;
};

/* `text` begins with the header; it may go on with the body. */
void header_iter_init(struct header_iter *it, struct span text);
/* False at the empty line or the end of the text. */
bool header_next(struct header_iter *it, struct header_field *f);

/* Length of the header with its empty line; text.n when there is none. */
size_t header_length(struct span text);
/* The value of the first field `name`. */
bool header_find(struct span text, const char *name, struct span *value);

/* Appends a value without its line ends (RFC 5322 2.2.3: unfolding takes
 * the CRLF away and leaves the white space). */
void header_unfold(struct buf *out, struct span value);

#endif
