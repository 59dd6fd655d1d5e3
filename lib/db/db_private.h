/*
 * Inside of struct db, for the three files that make it: db.c has the public
 * face and the queries' lives, db_connect.c the connection's, db_traffic.c
 * what goes over it.
 */
#ifndef DB_DB_PRIVATE_H
#define DB_DB_PRIVATE_H

#include <libpq-fe.h>

#include "base/queue.h"
#include "base/work.h"
#include "db/db.h"
#include "db/endpoint.h"
#include "db/result.h"

#define DB_MAGIC	0x64620001u

enum phase {
	PHASE_IDLE,		/* waiting for the retry timer */
	PHASE_LOOK_UP,		/* a thread resolves host names */
	PHASE_CONNECT,		/* PQconnectPoll */
	PHASE_LISTEN,		/* LISTENs are on their way */
	PHASE_UP
};

enum query_where { Q_WAITING, Q_RUNNING, Q_FAILED };

struct db_query {
	TAILQ_ENTRY(db_query) link;
	struct db *db;
	enum query_where where;
	const char *sql;
	struct db_args *args;
	unsigned flags;
	bool done;			/* has its result, awaits its Sync */
	bool told;			/* its callback has run */
	db_result_cb *cb;		/* NULL: cancelled */
	void *arg;
	uint64_t deadline_ms;		/* then its asker is told */
	uint64_t sent_ms;
	struct db_result res;
};
TAILQ_HEAD(query_list, db_query);

struct listen {
	SLIST_ENTRY(listen) link;
	char *channel, *sql;
	db_notify_cb *cb;
	void *arg;
};

struct db {
	uint32_t magic;
	struct loop *loop;
	struct db_config c;		/* numbers only; strings are in ep */
	struct endpoints *ep;
	size_t start;			/* endpoint the next attempt begins at */
	struct work_pool *pool;		/* made when a name has to be found */
	struct work look_up;
	struct err look_up_err;
	int look_up_rc;

	enum phase phase;
	PGconn *conn;
	struct io io;
	bool listening;
	bool greeting;			/* in state_cb(DB_UP): nothing is sent
					 * until DB_FIRSTs are in front */
	bool broken;			/* to be taken down by broken_cb */
	size_t listens_left;
	uint64_t since_ms, up_ms;
	uint64_t heard_ms;		/* when the server last said something */
	uint32_t backoff_ms;
	char why[256];
	struct timer retry, connect_limit, expire;
	struct defer broken_defer, failed_defer;

	SLIST_HEAD(, listen) listens;
	struct query_list waiting, running, failed;
	TAILQ_HEAD(, revision_ask) revisions;	/* not answered yet */
	size_t n_waiting, n_running;
	db_state_cb *state_cb;
	void *state_arg;
	struct db_stats stats;
};

/* revision.c: what is asked is not answered, and freed. */
void db_revisions_forget(struct db *db);

/* --- db.c: queries --- */

struct db_query *query_new(struct db *db, const char *sql,
    const struct db_param *params, size_t n, unsigned flags,
    db_result_cb *cb, void *arg);
/* Between the lists; into `waiting` only ever back to the front. */
void query_move(struct db_query *q, enum query_where to);
void query_free(struct db_query *q);
/* Calls back, once. On the loop only. */
void query_tell(struct db_query *q);
void query_finish(struct db_query *q);		/* tells and frees */
/* Marks q failed; its callback follows from db_failed_cb. */
void query_fail(struct db_query *q, const char *why);
void db_failed_cb(void *arg);
void db_expire_cb(void *arg);
void db_expire_arm(struct db *db);

/* --- db_connect.c --- */

void db_connect_init(struct db *db);
void db_connect_begin(void *arg);
/* The connection is gone, or an attempt failed. Calls back. */
void db_lost(struct db *db, const char *why);
/* From inside calls that must not take the connection down under others. */
void db_break(struct db *db);

/* --- db_traffic.c --- */

bool query_send(struct db *db, struct db_query *q);
/* Sends what waits, as far as may run at a time. */
void db_pump(struct db *db);
/* Flushes and watches the socket accordingly. */
void db_io_again(struct db *db);
void db_traffic(struct db *db, int what);

#endif
