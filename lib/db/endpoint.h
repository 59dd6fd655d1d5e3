/*
 * Where a database may be: a libpq URL taken apart, its host names turned
 * into addresses, and put together again for one attempt, so that libpq never
 * looks up a name itself (it would block).
 */
#ifndef DB_ENDPOINT_H
#define DB_ENDPOINT_H

#include "db/db.h"

struct endpoints;

/* Takes c->url apart and adds our own settings. NULL with err (PERM) when
 * libpq does not understand it. */
struct endpoints *endpoints_new(const struct db_config *c, struct err *err)
    MUST_CHECK;
void endpoints_free(struct endpoints **e);

/* Is there a host that is neither a directory nor a number? */
bool endpoints_have_names(const struct endpoints *e);
/* Looks the names up. BLOCKS: call it in a thread, and touch nothing else of
 * e meanwhile. Names that can't be found are left out; when nothing at all
 * remains, returns PS_ENOTFOUND with err (TEMP). */
int endpoints_look_up(struct endpoints *e, struct err *err) MUST_CHECK;
/* Ready addresses; attempt n begins with the n-th of them. */
size_t endpoints_count(const struct endpoints *e);

/* Arrays for PQconnectStartParams, lent until the next call on e. */
struct conn_params {
	const char *const *keywords;
	const char *const *values;
};
struct conn_params endpoints_params(struct endpoints *e, size_t start);

#endif
