#include "db/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "db/db_private.h"

struct revision_ask {
	TAILQ_ENTRY(revision_ask) link;
	struct db *db;
	db_revision_cb *cb;
	void *arg;
};

static void
revision_cb(const struct db_result *r, void *arg)
{
	struct revision_ask *a = arg;
	struct err err = { .kind = ERR_NONE };
	int rev = 0;

	if (db_ok(r))
		rev = (int)db_i64(r, 0, 0, 0);
	/* 42883, 3F000: no such function or schema: an empty database */
	else if (strcmp(db_sqlstate(r), "42883") != 0 &&
	    strcmp(db_sqlstate(r), "3F000") != 0)
		err = *db_err(r);
	if (err.kind == ERR_NONE && rev < DB_REVISION)
		err_set(&err, ERR_TEMP, PS_ESTATE, "the database has schema "
		    "revision %d, this program needs %d: run `postern db "
		    "migrate`", rev, DB_REVISION);
	else if (err.kind == ERR_NONE && rev > DB_REVISION)
		err_set(&err, ERR_PERM, PS_ESTATE, "the database has schema "
		    "revision %d, this program knows %d: it is too old", rev,
		    DB_REVISION);
	TAILQ_REMOVE(&a->db->revisions, a, link);
	a->cb(rev, err.kind == ERR_NONE ? NULL : &err, a->arg);
	free(a);
}

void
db_revisions_forget(struct db *db)
{
	struct revision_ask *a;

	while ((a = TAILQ_FIRST(&db->revisions)) != NULL) {
		TAILQ_REMOVE(&db->revisions, a, link);
		free(a);
	}
}

void
db_check_revision(struct db *db, db_revision_cb *cb, void *arg)
{
	struct revision_ask *a = xcalloc(1, sizeof(*a));

	a->db = db;
	a->cb = cb;
	a->arg = arg;
	TAILQ_INSERT_TAIL(&db->revisions, a, link);
	(void)db_ask(db, "SELECT schema_revision()", NULL, 0,
	    DB_AGAIN | DB_FIRST, revision_cb, a);
}
