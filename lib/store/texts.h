/*
 * The ready-made ENVELOPE and BODYSTRUCTURE of a message, made once when it
 * is stored. Scratch memory is kept between messages. Pure.
 */
#ifndef STORE_TEXTS_H
#define STORE_TEXTS_H

#include "base/buf.h"
#include "mail/mime.h"

struct texts {
	struct buf envelope, bodystructure, refs, fields;
	uint32_t header_bytes;
	bool made;			/* private */
	struct mime mime;		/* private */
};

void texts_init(struct texts *t);
void texts_fini(struct texts *t);
/* Empty texts when they would be too long to keep. */
void texts_make(struct texts *t, struct span message);
/* Of no message: none of it is known. */
void texts_clear(struct texts *t);
/* The message's References, unfolded; p == NULL when it is too long to keep,
 * "" when there is none. Lent until the next texts_make. */
struct span texts_references(const struct texts *t);
/* The names of its fields (field_names.h) in the same way. */
struct span texts_fields(const struct texts *t);

#endif
