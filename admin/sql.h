/*
 * The CLI's database connection: blocking libpq, one statement at a time,
 * values only as parameters. Not for anything that runs on a loop.
 */
#ifndef ADMIN_SQL_H
#define ADMIN_SQL_H

#include "base/conf.h"
#include "base/err.h"

struct sql;
struct sql_result;

/* As database_role_admin. NULL and err (ERR_TEMP) when it does not answer. */
struct sql *sql_open(const struct conf *conf, const char *role,
    struct err *err);
/* Somebody else's database: a libpq URL or keyword string. */
struct sql *sql_open_other(const char *conninfo, struct err *err);
void sql_close(struct sql **s);

/*
 * Runs `statement` with n text parameters (.p == NULL: NULL). On failure NULL
 * and err: ERR_TEMP connection, ERR_PERM what the database refuses; code
 * PS_ENOTFOUND (P0002), PS_EEXIST (unique), PS_EDENIED (42501), PS_ESYNTAX
 * other refusals. err->why is the server's own sentence and hint.
 */
struct sql_result *sql_ask(struct sql *s, const char *statement,
    const struct span *params, size_t n, struct err *err);
void sql_result_free(struct sql_result **r);
size_t sql_rows(const struct sql_result *r);
/* .p == NULL: NULL. Lent. */
struct span sql_get(const struct sql_result *r, size_t row, size_t column);

/* Prints the rows by column name and type (out.h). */
void sql_print(const struct sql_result *r, bool json, bool single);

/* "{a,b}": an array literal of text elements, quoted as it must be. */
void sql_array(struct buf *out, const struct span *items, size_t n);

#endif
