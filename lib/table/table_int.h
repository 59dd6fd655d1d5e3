/*
 * Inside lib/table: what a type brings.
 */
#ifndef TABLE_INT_H
#define TABLE_INT_H

#include <pthread.h>
#include <sys/stat.h>

#include "table/table.h"

#define TABLE_FILE_MAX	(256 * 1024 * 1024)

/* The contents of a table, made from a file's text or from the spec. A
 * refresh makes a new one and swaps. */
struct table_data;

struct table_type {
	const char *name;
	bool from_file;
	bool pattern;
	/* text: the file's bytes, or what stands behind `type:`. NULL with err
	 * when nothing of it can serve. */
	void *(*make)(const struct table *t, struct span text,
	    struct err *err);
	void (*free)(void *data);
	enum table_result (*look_up)(void *data, struct span key,
	    struct buf *out, struct err *err);
	/* combined types: refresh their members */
	bool (*refresh)(void *data, struct err *err);
};

struct table {
	unsigned refs;
	const struct table_type *type;
	char *spec;		/* whole */
	const char *arg;	/* behind the colon */
	pthread_mutex_t lock;	/* guards data: a thread may refresh */
	void *data;
	struct stat seen;
};

extern const struct table_type table_type_cidr;
extern const struct table_type table_type_regexp;
extern const struct table_type table_type_pcre;
extern const struct table_type table_type_inline;
extern const struct table_type table_type_static;
extern const struct table_type table_type_fail;
extern const struct table_type table_type_unionmap;
extern const struct table_type table_type_pipemap;
extern const struct table_type table_type_randmap;
/* hash, btree, lmdb, cdb, texthash: rows of table.c */
void *table_text_make(const struct table *t, struct span text,
    struct err *err);
void table_text_free(void *data);
enum table_result table_text_look_up(void *data, struct span key,
    struct buf *out, struct err *err);

/*
 * The logical lines of a table file: comments, empty lines and continuation
 * lines (leading white space) as in access(5). False at the end.
 */
struct table_lines {
	struct span rest;
	int next;		/* number of the next physical line */
	int lineno;		/* of the line just given */
	struct buf line;
};
void table_lines_init(struct table_lines *l, struct span text);
bool table_lines_next(struct table_lines *l, struct span *line);
void table_lines_fini(struct table_lines *l);

/* "file:line: ..." as a warning. */
void table_complain(const struct table *t, int lineno, const char *fmt, ...)
    PRINTF(3, 4);

/* Splits "{ a, b }" or "a, b": next member; braces nest. False at the end. */
bool table_members_next(struct span *rest, struct span *member);

#endif
