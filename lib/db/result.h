/*
 * What db.c and result.c share: the answer to one query, and its parameters
 * as libpq wants them.
 */
#ifndef DB_RESULT_H
#define DB_RESULT_H

#include <libpq-fe.h>

#include "db/db.h"

#define DB_PARAMS_MAX	16

struct db_result {
	PGresult *pg;			/* NULL: never reached the server */
	struct err err;
	char sqlstate[6];
};

/* Fills err and sqlstate from what the server said. Takes pg over. */
void db_result_set(struct db_result *r, PGresult *pg);
void db_result_fail(struct db_result *r, const char *why);
void db_result_fini(struct db_result *r);

/* Binary parameters in one block of memory, freed with free(). */
struct db_args {
	int n;
	Oid type[DB_PARAMS_MAX];
	const char *value[DB_PARAMS_MAX];
	int length[DB_PARAMS_MAX];
	int format[DB_PARAMS_MAX];
	char bytes[];
};
struct db_args *db_args_new(const struct db_param *p, size_t n);

#endif
