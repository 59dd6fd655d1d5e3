/*
 * State that every process of a sort keeps in memory and all hosts share
 * through PostgreSQL: greylist, passes of first-contact tests, login defence.
 * Memory decides; the database only carries. What changed here is written in
 * batches, what others changed is read when NOTIFY tells of it, so that two
 * hosts agree within a second. Nobody ever waits for the database.
 *
 * The owner of the state has a table of its own in memory. He tells of each
 * change (share_change) and takes in what others changed (share_kind.apply).
 *
 * Always true:
 *  1. Rows merge in the database in any order (least, greatest), so that who
 *     writes last does not win by that.
 *  2. A batch counts once, also when the answer to it was lost: it goes under
 *     the writer's name and a number, which the database remembers.
 *  3. A change that is committed is read by all others, in whatever order
 *     batches commit: each batch has a revision of its kind, given out under
 *     a lock that lasts to the commit.
 *  4. Bounded: past dirty_max changes that wait the oldest are dropped.
 *  5. While the database is away nothing is lost that fits that bound.
 *
 * What a kind needs in sql/ (see 0010): a table with `revision bigint` and
 * `expires_at`, a row of its name in shared_kind, and functions
 *
 *	X_merge(writer text, batch bigint, a text[], b bigint[], ...)
 *	    RETURNS bigint	the revision; 0: this batch was merged before.
 *	    Begins with  r := share_begin('x', writer, batch);
 *	    IF r = 0 THEN RETURN 0; END IF;  and sets `revision = r` in each
 *	    row it writes
 *	X_changed(since bigint, most bigint)
 *	    RETURNS TABLE (revision bigint, a text, b bigint, ...)
 *	    rows with a higher revision that have not expired, lowest first
 *	X_expire(most bigint) RETURNS bigint
 *	    deletes at most so many that have expired, tells how many
 *
 * Times are milliseconds since 1970 by the database's clock (share_now_ms);
 * SQL has share_time(bigint) and share_ms(timestamptz) for them.
 */
#ifndef DB_SHARE_H
#define DB_SHARE_H

#include "base/conf.h"
#include "base/loop.h"
#include "base/span.h"
#include "db/db.h"

struct share;
struct share_kind;

enum share_type { SHARE_TEXT, SHARE_I64 };

/* What of two changes of one row that wait is written. */
enum share_join {
	SHARE_KEY,		/* equal ones are the same row */
	SHARE_LAST,
	SHARE_GREATEST, SHARE_LEAST, SHARE_SUM	/* of SHARE_I64 */
};

struct share_column {
	enum share_type type;
	enum share_join join;
};
#define SHARE_COLUMNS_MAX	12

/* A field of a row that changed. Text that PostgreSQL would refuse (no UTF-8,
 * NUL) has "?" instead. Keep a row within some KB. */
struct share_cell {
	struct span text;	/* SHARE_TEXT; copied */
	int64_t i64;
};

/* What never changes of a kind; its literals live as long as the program. */
struct share_kind_is {
	const char *name;		/* "greylist", as in shared_kind */
	/* SELECT x_merge($1, $2, $3::text[], $4::bigint[], ...) */
	const char *merge;
	/* SELECT revision, a, b, ... FROM x_changed($1, $2) */
	const char *changed;
	const char *expire;		/* SELECT x_expire($1); NULL: none */
	const struct share_column *columns;
	size_t n_columns;
	size_t dirty_max;		/* rows that may wait to be written */
	/* Row `row` of r was changed, here or elsewhere: its columns are
	 * those of `changed`, so the first field is 1. The same row may come
	 * any number of times, and with what was told by share_change. May be
	 * NULL: only written. */
	void (*apply)(const struct db_result *r, size_t row, void *arg);
	/* All that was in the database is in memory (again): after start, and
	 * after a time without it. May be NULL. */
	void (*caught_up)(void *arg);
};

/* `role` is one of conf's database roles; `password` may be NULL (copied).
 * Connects on the loop's next turn; add the kinds before that. Keeps a
 * reference to conf. */
struct share *share_new(struct loop *l, struct conf *conf, const char *role,
    const char *password);
/* What was not written is lost: see share_flush. */
void share_free(struct share **s);
/* Freed with s. */
struct share_kind *share_add(struct share *s, const struct share_kind_is *is,
    void *arg);

/* n_columns cells. Written within 200 ms or so. */
void share_change(struct share_kind *k, const struct share_cell *cells);

/* Does memory have all that others told up to about a second ago? False
 * until the first caught_up, and while the database is away (for a moment
 * after it went it still is true: a restart of it is not an outage). */
bool share_is_fresh(const struct share_kind *k);
/* Has it ever caught up? */
bool share_is_loaded(const struct share_kind *k);
/* Now, by the database's clock as far as known; else by ours. Setting ours then
 * makes no difference: what is kept would all expire, or never. */
int64_t share_now_ms(struct share *s);
/* The connection, for a query of its owner beside all this (events). */
struct db *share_db(struct share *s);

/* Writes what waits; done(arg) runs once from the loop when all is written or
 * the database does not take it. For the end of a program. */
void share_flush(struct share *s, loop_cb *done, void *arg);

struct share_stats {
	size_t dirty;			/* wait, or are on their way */
	uint64_t written, batches, failures, dropped, refused;
	uint64_t applied, pulls, expired;
};
void share_stats(const struct share_kind *k, struct share_stats *out);
/* A JSON member (no braces) for `postern status`. */
void share_status(struct share *s, struct buf *json);

#endif
