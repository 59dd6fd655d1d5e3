/*
 * postern.conf: `name = value` lines as in main.cf, continuation lines
 * (leading white space), `#` comments, `$name` and `${name}` expansion with
 * Postfix's conditions (`${name?{value}:{other}}`, `${name:value}`), and
 * `[service NAME]` / `[transport NAME]` sections whose lines override for
 * that one listener or transport.
 *
 * Every parameter is one row of params.def. A site may add names of its own
 * where they are used: as $name in some value, or in
 * smtpd_restriction_classes; any other unknown name is an error. A struct conf is an immutable,
 * reference-counted snapshot: a session keeps the one it began with. Errors
 * name file:line:column, the bad word and the nearest valid one.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum conf_type {
	CONF_STRING,		/* char *, never NULL */
	CONF_RAW,		/* the same, without $name expansion */
	CONF_BOOL,		/* bool: yes|no */
	CONF_INT,		/* int64_t, plain number */
	CONF_SIZE,		/* int64_t bytes; suffix k m g */
	CONF_TIME,		/* int64_t milliseconds; suffix ms s m h d w,
				 * plain number = seconds */
	CONF_ENUM,		/* char *, one of the row's words */
	CONF_LIST		/* char *, comma/space separated words */
};

struct conf {
	unsigned refs;		/* private */
	char *name;		/* "" = main part, else the section's NAME */
	char *kind;		/* "", "service" or "transport" */
#define STRING(n, d, rel, help)			char *n;
#define RAW(n, d, rel, help)			char *n;
#define BOOL(n, d, rel, help)			bool n;
#define INT(n, d, lo, hi, rel, help)		int64_t n;
#define SIZE(n, d, lo, hi, rel, help)		int64_t n;
#define TIME(n, d, lo, hi, rel, help)		int64_t n;
#define ENUM(n, d, words, rel, help)		char *n;
#define LIST(n, d, rel, help)			char *n;
#include "base/params.def"
#undef STRING
#undef RAW
#undef BOOL
#undef INT
#undef SIZE
#undef TIME
#undef ENUM
#undef LIST
	struct conf_line *lines;	/* private: where each value is from */
	size_t n_lines;
	struct conf **sections;		/* main part only; private */
	size_t n_sections;
	struct conf_own *own;		/* the site's own names; private */
	size_t n_own;
};

struct conf_param {
	const char *name;
	enum conf_type type;
	const char *def;
	const char *range;	/* for people: "1..100", "none|may|encrypt" */
	bool reloadable;
	const char *help;
	size_t offset;
};

/* The table itself, sorted as in params.def. */
const struct conf_param *conf_params(size_t *n);
const struct conf_param *conf_param_find(struct span name);

/*
 * Parses text (as read from `file`, which is only used in messages). All
 * mistakes are reported, one line each "file:line:column: message", into
 * `complaints`; any makes this return NULL. Ownership: one reference, yours.
 */
struct conf *conf_parse(const char *file, struct span text,
    struct buf *complaints) MUST_CHECK;
/* Reads the file (at most 1 MiB) and parses it. */
struct conf *conf_read(const char *path, struct buf *complaints) MUST_CHECK;

struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf **c);

/* The n-th section, main part's values under its own; lent from c. */
const struct conf *conf_section_at(const struct conf *c, size_t i);
const struct conf *conf_section(const struct conf *c, const char *kind,
    const char *name);

/* Where the value of `param` came from: "file:line", or "" for a default. */
const char *conf_where(const struct conf *c, const char *param);
/*
 * The value of one of the site's own names, NULL when there is none; lent
 * from c, as *where is ("file:line"; may be NULL).
 */
const char *conf_own(const struct conf *c, struct span name,
    const char **where);
/* The i-th of them: its name, or NULL past the last. */
const char *conf_own_at(const struct conf *c, size_t i);
/* The value as text, as conf_parse would read it back. */
void conf_value(const struct conf *c, const struct conf_param *p,
    struct buf *out);
/* Names of parameters that differ and may not change by reload, comma
 * separated; empty when a reload is possible. */
void conf_needs_restart(const struct conf *a, const struct conf *b,
    struct buf *out);

/* Prints the PARAMETERS part of postern.conf(5) in mdoc from the table. */
void conf_print_man(struct buf *out);

/* Edit distance of two words (transpositions count as one; 1000 when one is
 * longer than 64): for "did you mean". */
unsigned conf_word_distance(struct span a, struct span b);

/* Reads v as the value of a numeric parameter (units, range) and returns
 * true; else `why` says for people what is wanted. For settings that are given
 * elsewhere than in a line of their own. */
bool conf_number(const struct conf_param *p, struct span v, int64_t *out,
    char why[128]) MUST_CHECK;

/* Next word of a CONF_LIST value; false at the end. */
bool conf_list_next(struct span *rest, struct span *word);
/* The same; "{ ... }" is one word, with its braces. A "}" that closes none is a
 * byte like others. */
bool conf_braced_next(struct span *rest, struct span *word);

#endif
