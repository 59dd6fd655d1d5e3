/*
 * The logical lines of a table file: comments, empty lines and continuation
 * lines (leading white space) as in access(5).
 */
#ifndef TABLE_LINES_H
#define TABLE_LINES_H

#include "base/buf.h"
#include "base/span.h"

struct table_lines {
	struct span rest;
	int next;		/* number of the next physical line */
	int lineno;		/* of the line just given */
	bool indented;		/* it began with white space, with nothing
				 * before it that it could go on with */
	struct buf line;	/* buf_failed(): it was too long */
};

void table_lines_init(struct table_lines *l, struct span text);
/* False at the end. The line is lent until the next call. */
bool table_lines_next(struct table_lines *l, struct span *line);
void table_lines_fini(struct table_lines *l);

/* Cuts the key off the front of a line: a word, in which double quotes hold
 * white space together ("john doe"@example.org). False: there is none. */
bool table_key_cut(struct span *line, struct span *key);

#endif
