/*
 * What a FETCH asks for, understood once (RFC 3501 6.4.5). Text points into
 * the command, which lives as long.
 */
#ifndef IMAPD_FETCH_PLAN_H
#define IMAPD_FETCH_PLAN_H

#include "imapd/args.h"

enum {
	FETCH_UID = 1,
	FETCH_FLAGS = 2,
	FETCH_DATE = 4,
	FETCH_SIZE = 8,
	FETCH_ENVELOPE = 16,
	FETCH_STRUCTURE = 32,
	FETCH_BODY = 64,
	FETCH_MODSEQ = 128
};
#define FETCH_TEXTS	(FETCH_ENVELOPE | FETCH_STRUCTURE | FETCH_BODY)

enum section_kind {
	SECTION_ALL,		/* BODY[], BODY[1] */
	SECTION_HEADER,
	SECTION_FIELDS,
	SECTION_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME
};

/* How a section is sent. */
enum section_form {
	FORM_BODY,		/* as it is */
	FORM_BINARY,		/* BINARY[1]: transfer encoding undone ... */
	FORM_BINARY_SIZE	/* ... how many octets that would be */
};

#define SECTION_PATH_MAX	40
#define SECTION_FIELDS_MAX	200
#define FETCH_SECTIONS_MAX	100

struct section {
	enum section_kind kind;
	enum section_form form;
	uint32_t path[SECTION_PATH_MAX];
	size_t path_n;
	struct span fields;	/* the names, between the parentheses */
	bool partial;
	uint32_t from, count;
	const char *label;	/* "RFC822.TEXT"; NULL: BODY[text] or the
				 * like, by form */
	struct span text;	/* between the brackets */
};

struct fetch_plan {
	unsigned items;
	bool seen;		/* sets \Seen */
	struct section *section;
	size_t n;
	bool changed_only;	/* CHANGEDSINCE (RFC 7162) ... */
	uint64_t since;		/* ... this */
	bool vanished;		/* and what was expunged since */
};

/* NULL when fine, else what is wrong. fetch_plan_fini() in any case. */
const char *fetch_plan_take(struct fetch_plan *p,
    struct arg_iter *it) MUST_CHECK;
/* The list of modifiers behind the items, when there is one. */
const char *fetch_modifiers_take(struct fetch_plan *p,
    struct arg_iter *it) MUST_CHECK;
void fetch_plan_fini(struct fetch_plan *p);

/* "BODY[1.HEADER.FIELDS (To)]<0>" or the like. */
void section_label_put(struct buf *out, const struct section *s);
/* Understands what stands between the brackets. */
bool section_parse(struct section *s, struct span text) MUST_CHECK;
/* Next field name of section.fields; false at the end. */
bool section_field_next(struct span *rest, struct span *name);

#endif
