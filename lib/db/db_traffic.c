#include "db/db_private.h"

#include <string.h>

#define RUNNING_MAX	64	/* sent and not answered */

/* --- sending and receiving --- */

void
db_io_again(struct db *db)
{
	int rc = PQflush(db->conn);

	if (rc < 0) {
		db_break(db);
		return;
	}
	io_want(&db->io, IO_READ | (rc > 0 ? IO_WRITE : 0));
}

bool
query_send(struct db *db, struct db_query *q)
{
	const struct db_args *a = q->args;

	q->sent_ms = loop_now_ms(db->loop);
	return PQsendQueryParams(db->conn, q->sql, a->n, a->type, a->value,
	    a->length, a->format, 0) == 1 && PQpipelineSync(db->conn) == 1;
}

void
db_pump(struct db *db)
{
	struct db_query *q;
	bool sent = false;

	if (db->phase != PHASE_UP || db->conn == NULL || db->broken ||
	    db->greeting)
		return;
	while (db->n_running < RUNNING_MAX &&
	    (q = TAILQ_FIRST(&db->waiting)) != NULL) {
		query_move(q, Q_RUNNING);
		sent = true;
		if (!query_send(db, q)) {
			db_break(db);
			return;
		}
	}
	if (sent)
		db_io_again(db);
}

/*
 * Hands a result to the first running query. A write is done when its Sync
 * is, for only then it is committed. An answer to a reader is told at once:
 * between it and its Sync the server may send the very NOTIFY that outdates
 * it, and that must come second.
 */
static void
result_take(struct db *db, PGresult *pg)
{
	struct db_query *q = TAILQ_FIRST(&db->running);

	if (PQresultStatus(pg) != PGRES_PIPELINE_SYNC) {
		if (q->done) {
			PQclear(pg);
			return;
		}
		q->done = true;
		db_result_set(&q->res, pg);
		if (db_ok(&q->res) && (q->flags & DB_AGAIN))
			query_tell(q);
		return;
	}
	PQclear(pg);
	query_finish(q);
}

static void
results_take(struct db *db)
{
	PGresult *pg;
	int empty = 0;

	while (!TAILQ_EMPTY(&db->running) && !PQisBusy(db->conn)) {
		if ((pg = PQgetResult(db->conn)) != NULL) {
			empty = 0;
			result_take(db, pg);
		} else if (++empty > 2 || PQstatus(db->conn) != CONNECTION_OK)
			break;		/* NULL ends each query once */
	}
}

static void
notifies_take(struct db *db)
{
	struct listen *l;
	PGnotify *n;

	while (db->conn != NULL && (n = PQnotifies(db->conn)) != NULL) {
		db->stats.notifies++;
		SLIST_FOREACH(l, &db->listens, link)
			if (strcmp(l->channel, n->relname) == 0)
				l->cb(span_str(n->extra), l->arg);
		PQfreemem(n);
	}
}

void
db_traffic(struct db *db, int what)
{
	bool alive = true;

	if (what & IO_READ) {
		alive = PQconsumeInput(db->conn) == 1;
		db->heard_ms = loop_now_ms(db->loop);
	}
	/* What arrived before the end is used, results before NOTIFYs. */
	results_take(db);
	notifies_take(db);
	if (!alive || PQstatus(db->conn) != CONNECTION_OK) {
		db_lost(db, PQerrorMessage(db->conn));
		return;
	}
	db_pump(db);
	db_io_again(db);
	db_expire_arm(db);
}

