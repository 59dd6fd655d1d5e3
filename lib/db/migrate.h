/*
 * The schema's revision. Migrations are files NNNN_name.sql, numbered from
 * 0001 without a gap, applied in order, each in its own transaction, under an
 * advisory lock, so that two CLIs can't collide. Forward only.
 *
 * The migrate_* functions block: CLI only, never in a loop.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "base/err.h"
#include "db/db.h"

/* What this build needs; equals the highest number in sql/ (tested). */
#define DB_REVISION	24

struct migrate_status {
	int current;		/* revision of the database; 0: empty */
	int newest;		/* highest file */
	int needed;		/* DB_REVISION */
};

/* url as in conf->database; role and password may be "" or NULL. dir holds
 * the files. Returns 0 or PS_E*: unreadable, no connection, a gap, or an
 * applied file that was changed since (PS_ECORRUPT). */
int migrate_status(const char *url, const char *role, const char *password,
    const char *dir, struct migrate_status *st, struct err *err) MUST_CHECK;

/* Called after each applied migration; may be NULL. */
typedef void migrate_cb(int revision, const char *name, void *arg);

/* Applies what is missing up to `upto` (0: all). A failed one is rolled back
 * whole and stops here; those before it stay. */
int migrate_apply(const char *url, const char *role, const char *password,
    const char *dir, int upto, migrate_cb *cb, void *arg, struct err *err)
    MUST_CHECK;

/* For start-up: asks the database for its revision. err is NULL when it is
 * DB_REVISION; else it says what to do. Newer than needed is PERM too. */
typedef void db_revision_cb(int revision, const struct err *err, void *arg);
void db_check_revision(struct db *db, db_revision_cb *cb, void *arg);

#endif
