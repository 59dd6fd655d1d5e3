/*
 * For tests: a private PostgreSQL (tests/pgcluster) with our schema, and ways
 * to wait for things on a loop. Not linked into any program.
 */
#ifndef DB_TESTPG_H
#define DB_TESTPG_H

#include <libpq-fe.h>

#include "base/conf.h"
#include "base/loop.h"

struct testpg {
	char *dir, *url;
};

/* Starts a cluster; exits 77 when no server is installed, 1 when it fails.
 * Removed at exit of the process, too. */
void testpg_start(struct testpg *pg);
/* A streaming standby of `of`. */
void testpg_standby(struct testpg *pg, const struct testpg *of);
/* stop, start, restart, promote ("stop immediate"); asserts success. */
void testpg_do(const struct testpg *pg, const char *command);
void testpg_stop(struct testpg *pg);
/* All migrations of top_srcdir/sql. */
void testpg_migrate(const struct testpg *pg);
const char *testpg_srcdir(void);
char *testpg_sql_dir(void);
/* Runs SQL as the superuser with search_path postern; returns the first value
 * of the last statement (yours, "" for none); asserts success. */
char *testpg_sql(const struct testpg *pg, const char *sql);
/* The same, for the effect only. */
void testpg_run(const struct testpg *pg, const char *sql);
/* Does a session wait for an advisory lock? arg is the struct testpg; for
 * testpg_wait(). */
bool testpg_waits_for_lock(void *arg);
/* A configuration with database = url and more lines. Yours. */
struct conf *testpg_conf(const char *url, const char *more);

/* For what comes at once, on a busy machine. */
#define TESTPG_PATIENCE	60000

/* Runs the loop until cond(arg) or for ms; returns whether cond held. */
bool testpg_wait(struct loop *l, bool (*cond)(void *), void *arg,
    uint32_t ms);
void testpg_sleep(struct loop *l, uint32_t ms);

#endif
