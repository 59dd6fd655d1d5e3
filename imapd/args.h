/*
 * A framed command taken apart: words, strings and lists (RFC 3501 9). One
 * array in document order; a list's members follow it. Text points into the
 * command (quoted strings are unescaped in place there).
 *
 * Bounded: ARGS_MAX items, ARGS_DEPTH_MAX nested lists (S4).
 */
#ifndef IMAPD_ARGS_H
#define IMAPD_ARGS_H

#include "base/buf.h"
#include "base/span.h"

#define ARGS_MAX	10000
#define ARGS_DEPTH_MAX	40

enum arg_type {
	ARG_ATOM,		/* also flags, numbers, sets, BODY[...]<...> */
	ARG_QUOTED,
	ARG_LITERAL,
	ARG_PENDING,		/* a literal not read yet: the last item */
	ARG_LIST
};

struct arg {
	enum arg_type type;
	uint32_t end;		/* index behind it and its members */
	bool literal8;		/* "~{n}": may hold NUL (RFC 3516) */
	struct span text;
};

struct args {
	struct arg *arg;
	uint32_t n;
	uint32_t size;		/* private */
};

/* Walks one level. */
struct arg_iter {
	const struct args *args;
	uint32_t at, end;
};

void args_init(struct args *a);
void args_fini(struct args *a);
/* NULL when fine, else what is wrong, for the BAD reply. `text` must be
 * writable. `pending`: it ends in the "{n}" CRLF of a literal that is not read
 * yet, and lists may be open; quoted strings keep their backslashes then, and
 * the text is as it was. */
const char *args_parse(struct args *a, struct span text, bool pending)
    MUST_CHECK;
/* Once, for what ends in a pending literal and is not parsed again. */
void args_unescape(struct args *a);

struct arg_iter args_iter(const struct args *a);
struct arg_iter arg_members(const struct args *a, const struct arg *list);
/* NULL at the end. */
const struct arg *arg_next(struct arg_iter *it);
static inline bool
arg_at_end(const struct arg_iter *it)
{
	return it->at >= it->end;
}

/* The next item as what the grammar calls so; false when it is not one. */
bool arg_take_atom(struct arg_iter *it, struct span *out);
bool arg_take_astring(struct arg_iter *it, struct span *out);
/* An astring, or an atom with % and * (RFC 3501 list-mailbox). */
bool arg_take_pattern(struct arg_iter *it, struct span *out);
bool arg_take_list(struct arg_iter *it, struct arg_iter *members);
bool arg_is_list(const struct arg_iter *it);
/* A mod-sequence of 63 bits (RFC 7162); 0 only when `zero`. */
bool arg_take_modseq(struct arg_iter *it, bool zero, uint64_t *out);

#endif
