/*
 * What the CLI prints: rows of named columns, as a table that fits the
 * terminal or as JSON. Whatever a value holds, no control byte reaches the
 * terminal (S13).
 */
#ifndef ADMIN_OUT_H
#define ADMIN_OUT_H

#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"

enum out_kind {
	OUT_TEXT,
	OUT_NUMBER,		/* right-aligned; bare in JSON */
	OUT_SIZE,		/* bytes; */
	OUT_LIMIT,		/* bytes; 0 is "none" */
	OUT_LIMIT_COUNT,	/* a number; 0 is "none" */
	OUT_BOOL,		/* "t"/"f" or "true"/"false" */
	OUT_RAW			/* a JSON value as it is */
};

struct out_column {
	const char *name;	/* key in JSON, heading in a table */
	enum out_kind kind;
};

struct out;

/* `single`: one object, shown as "name: value" lines. Columns are copied. */
struct out *out_new(bool json, bool single, const struct out_column *columns,
    size_t n);
/* n values; .p == NULL is null. */
void out_row(struct out *o, const struct span *values);
/* Prints all; returns the number of rows. NULL afterwards. */
size_t out_end(struct out **o);

/* Appends text with control bytes and invalid UTF-8 as '?'. */
void out_clean(struct buf *b, struct span text);
/* The same, straight out. */
void out_clean_to(FILE *f, struct span text);
/* A line "key<TAB>value" to stdout, both cleaned but for tabs: for other
 * programs. Without a key (.p == NULL) the value alone. */
void out_pair(struct span key, struct span value);
/* "12.3M" */
void out_size(struct buf *b, uint64_t bytes);
/* A line of text to stdout or stderr, cleaned. */
void out_say(const char *fmt, ...) PRINTF(1, 2);
void out_complain(const char *fmt, ...) PRINTF(1, 2);
/* Text for a manual page, to stdout. */
void out_man(const char *text);

#endif
