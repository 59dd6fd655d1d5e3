/*
 * Inside pgsql.c: queries with %s, %u, %d, %S, %U, %D, %1..%9 in them become
 * SQL with parameters, whose texts are templates.
 */
#ifndef TABLE_PGSQL_SQL_H
#define TABLE_PGSQL_SQL_H

#include "table/pgsql.h"

struct pgsql_sql {
	char *text;				/* with $1..$n */
	char *param[PGSQL_PARAMS_MAX];		/* template of each */
	size_t n;
};

/* 0, or PS_ESYNTAX with err: an escape stands where no parameter can. */
int pgsql_sql_translate(struct pgsql_sql *s, struct span query,
    struct err *err) MUST_CHECK;
void pgsql_sql_fini(struct pgsql_sql *s);

/* What a template takes from the key (upper case) and from the value (lower
 * case; the same as the key in a query). */
enum {
	PGSQL_NEEDS_DOMAIN = 1, PGSQL_NEEDS_USER = 2,
	PGSQL_NEEDS_KEY_DOMAIN = 4, PGSQL_NEEDS_KEY_USER = 8
};
/* Adds up what a template needs; false with err: an unknown escape. */
bool pgsql_template_check(struct span t, unsigned *needs, unsigned *labels,
    struct err *err);
/* value SPAN_NONE: a query, where the key is the value. */
bool pgsql_template_fits(unsigned needs, unsigned labels, struct span key,
    struct span value);
void pgsql_template_fill(struct span t, struct span key, struct span value,
    struct buf *out);

#endif
