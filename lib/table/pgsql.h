/*
 * What a pgsql: table's file says (pgsql_table(5)): where the database is,
 * which query to ask, what becomes of its answer. Asks nothing itself.
 *
 * A key never becomes part of the SQL: the query is translated once, when the
 * file is read, so that each quoted text with %s or the like in it (and each
 * %s that stands alone) is a parameter.
 */
#ifndef TABLE_PGSQL_H
#define TABLE_PGSQL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct table;
struct pgsql_query;

#define PGSQL_PARAMS_MAX	16

/* Complains about lines that can't be used; NULL with err when the whole is
 * of no use. */
struct pgsql_query *pgsql_query_parse(const struct table *t, struct span text,
    struct err *err) MUST_CHECK;
void pgsql_query_free(struct pgsql_query **q);

/* For libpq; may hold a password. */
const char *pgsql_conninfo(const struct pgsql_query *q);
const char *pgsql_sql(const struct pgsql_query *q);
size_t pgsql_params(const struct pgsql_query *q);

/* Has the key what the query asks for, and is its domain one of those of
 * `domain`? If not, there is no query and nothing is found. */
bool pgsql_wants(const struct pgsql_query *q, struct span key);
/* Appends parameter i for a wanted key. */
void pgsql_param(const struct pgsql_query *q, size_t i, struct span key,
    struct buf *out);
/* Appends one field of the answer in the form of result_format, behind a comma
 * if it is not the first. False: expansion_limit is exceeded. */
bool pgsql_value_add(const struct pgsql_query *q, struct span key,
    struct span value, size_t *count, struct buf *out);

#endif
