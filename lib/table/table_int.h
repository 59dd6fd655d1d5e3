/*
 * Inside lib/table: what a type brings.
 */
#ifndef TABLE_INT_H
#define TABLE_INT_H

#include <pthread.h>
#include <sys/stat.h>

#include "base/queue.h"
#include "table/remote.h"
#include "table/table.h"

#define TABLE_FILE_MAX	(256 * 1024 * 1024)

/* The contents of a table, made from a file's text or from the spec. A
 * refresh makes a new one and swaps. */
struct table_data;

struct table_type {
	const char *name;
	bool from_file;
	bool pattern;
	bool async;
	/* text: the file's bytes, or what stands behind `type:`. NULL with err
	 * when nothing of it can serve. */
	void *(*make)(const struct table *t, struct span text,
	    struct err *err);
	void (*free)(void *data);
	/* asker may be NULL: nobody can be asked */
	enum table_result (*look_up)(void *data, struct span key,
	    struct buf *out, struct err *err, struct table_asker *asker);
	/* combined types: what their members are like */
	void (*nature)(const void *data, bool *pattern, bool *async);
};

struct table {
	LIST_ENTRY(table) link;
	unsigned refs;
	const struct table_type *type;
	char *spec;		/* whole */
	const char *arg;	/* behind the colon */
	bool pattern, async;
	pthread_mutex_t lock;	/* guards data: a thread may refresh */
	void *data;
	struct stat seen;
	char trouble[256];	/* why the last refresh failed; refresh only */
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
extern const struct table_type table_type_tcp;
extern const struct table_type table_type_socketmap;
extern const struct table_type table_type_pgsql;
extern const struct table_type table_type_pg;
/* hash, btree, lmdb, cdb, texthash: rows of table.c */
void *table_text_make(const struct table *t, struct span text,
    struct err *err);
void table_text_free(void *data);
enum table_result table_text_look_up(void *data, struct span key,
    struct buf *out, struct err *err, struct table_asker *asker);

/* Is it read from a file, and not from rules in its name? */
bool table_is_file(const struct table *t);
/* Reads and parses what is there now; NULL with err. */
void *table_data_make(struct table *t, struct err *err);

/* All open tables that are read from files, each with a reference that is
 * yours; `array` is made larger and returned. */
struct table **table_files_open(struct table **array, size_t *n);

/* "file:line: ..." as a warning. */
void table_complain(const struct table *t, int lineno, const char *fmt, ...)
    PRINTF(3, 4);

/* ASCII letters in lower case, as exact tables compare keys. At most
 * TABLE_KEY_MAX bytes. */
struct span table_fold(struct span key, char out[TABLE_KEY_MAX]);

/* "{ text }" without its braces and the space around; else just trimmed. */
struct span table_unbraced(struct span text);
/* True when text stands in braces: then *inside is what they hold. */
bool table_in_braces(struct span text, struct span *inside);

/* --- tables of rules (cidr, regexp, pcre): the first that matches wins --- */

/* The head of each rule. */
struct table_rule {
	enum { RULE_VALUE, RULE_IF, RULE_ENDIF } kind;
	bool not;
	int lineno;
	char *value;		/* but for RULE_ENDIF; yours */
	size_t past;		/* RULE_IF: number of the rule behind its
				 * endif */
};

struct table_rules {
	size_t size;		/* of a rule; its head is its first member */
	size_t n, room;
	char *rule;
};

/* The i-th rule's head. */
struct table_rule *table_rule_at(const struct table_rules *r, size_t i);
void table_rule_add(struct table_rules *r, const struct table_rule *rule);
/* Cuts "if" or "endif" off the front of *line; what remains is the condition
 * or a rule. */
void table_rule_kind(struct span *line, struct table_rule *rule);
/* Cuts "!"s and the space behind them off the front of *line. */
void table_rule_not(struct span *line, struct table_rule *rule);
/* Links each if to its endif; warns of what is odd. */
void table_rules_link(const struct table *t, struct table_rules *r);

/* Does rule match the key, its `!` considered? FOUND, NOTFOUND or
 * TEMPFAIL. */
typedef enum table_result table_rule_match_fn(const void *arg,
    const struct table_rule *rule, struct err *err);
/* The first rule that matches, ifs considered: FOUND sets *hit. */
enum table_result table_rules_find(const struct table_rules *r,
    table_rule_match_fn *match, const void *arg,
    const struct table_rule **hit, struct err *err);

#endif
