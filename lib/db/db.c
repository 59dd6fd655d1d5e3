#include "db/db.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/work.h"
#include "base/xmalloc.h"
#include "db/endpoint.h"
#include "db/result.h"

#define DB_MAGIC	0x64620001u
#define RUNNING_MAX	64	/* sent and not answered */
#define BACKOFF_MIN_MS	50
#define STEADY_MS	5000	/* up this long: back-off starts anew */

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
	uint64_t deadline_ms;		/* while it waits */
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
	size_t n_waiting, n_running;
	db_state_cb *state_cb;
	void *state_arg;
	struct db_stats stats;
};

static void connect_begin(void *arg);
static void pump(struct db *db);

/* --- queries: their lists and ends --- */

static void
query_move(struct db_query *q, enum query_where to)
{
	struct db *db = q->db;

	switch (q->where) {
	case Q_WAITING:
		TAILQ_REMOVE(&db->waiting, q, link);
		db->n_waiting--;
		break;
	case Q_RUNNING:
		TAILQ_REMOVE(&db->running, q, link);
		db->n_running--;
		break;
	case Q_FAILED:
		TAILQ_REMOVE(&db->failed, q, link);
		break;
	}
	q->where = to;
	switch (to) {
	case Q_WAITING:			/* only ever back to the front */
		TAILQ_INSERT_HEAD(&db->waiting, q, link);
		db->n_waiting++;
		break;
	case Q_RUNNING:
		TAILQ_INSERT_TAIL(&db->running, q, link);
		db->n_running++;
		break;
	case Q_FAILED:
		TAILQ_INSERT_TAIL(&db->failed, q, link);
		break;
	}
}

/* Takes q off its list and frees it. */
static void
query_free(struct db_query *q)
{
	query_move(q, Q_FAILED);
	TAILQ_REMOVE(&q->db->failed, q, link);
	db_result_fini(&q->res);
	free(q->args);
	free(q);
}

/* Calls back, once. On the loop only. */
static void
query_tell(struct db_query *q)
{
	db_result_cb *cb = q->cb;

	if (q->told)
		return;
	q->told = true;
	q->cb = NULL;
	if (db_ok(&q->res))
		q->db->stats.answered++;
	else
		q->db->stats.failed++;
	if (cb != NULL)
		cb(&q->res, q->arg);
}

static void
query_finish(struct db_query *q)
{
	query_tell(q);
	query_free(q);
}

/* Marks q failed; its callback follows from failed_cb. */
static void
query_fail(struct db_query *q, const char *why)
{
	db_result_fini(&q->res);
	db_result_fail(&q->res, why);
	query_move(q, Q_FAILED);
	defer_call(&q->db->failed_defer);
}

static void
failed_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);
	struct db_query *q, *last = TAILQ_LAST(&db->failed, query_list);

	/* Those that fail meanwhile wait for the next turn. */
	while ((q = TAILQ_FIRST(&db->failed)) != NULL) {
		bool end = q == last;

		query_finish(q);
		if (end)
			break;
	}
	if (!TAILQ_EMPTY(&db->failed))
		defer_call(&db->failed_defer);
}

/* --- the state of the connection --- */

static void
state_set(struct db *db, enum phase phase)
{
	bool was_up = db->phase == PHASE_UP, is_up = phase == PHASE_UP;

	db->phase = phase;
	if (was_up == is_up)
		return;
	db->since_ms = loop_now_ms(db->loop);
	if (db->state_cb != NULL)
		db->state_cb(is_up ? DB_UP : DB_DOWN, db->state_arg);
}

/*
 * When the server counts as gone: it gives up each query sooner than we do
 * (statement_timeout), so it would have said something by then. One that is
 * only busy, with many queries before the first to be answered, is not gone.
 */
static uint64_t
silence_limit_ms(const struct db *db)
{
	const struct db_query *q = TAILQ_FIRST(&db->running);

	if (q == NULL)
		return UINT64_MAX;
	return MAX(q->sent_ms, db->heard_ms) + db->c.query_timeout_ms;
}

static void
expire_arm(struct db *db)
{
	struct db_query *w = TAILQ_FIRST(&db->waiting);
	uint64_t now = loop_now_ms(db->loop), at = silence_limit_ms(db);

	if (w != NULL)
		at = MIN(at, w->deadline_ms);
	if (at == UINT64_MAX)
		timer_clear(&db->expire);
	else
		timer_set_ms(&db->expire, at > now ? at - now : 0);
}

static void
retry_arm(struct db *db)
{
	uint32_t dice;

	proc_random(&dice, sizeof(dice));
	if (db->backoff_ms == 0)
		db->backoff_ms = BACKOFF_MIN_MS;
	/* 75..125 %, so that many processes do not come all at once */
	timer_set_ms(&db->retry,
	    db->backoff_ms * 3 / 4 + dice % (db->backoff_ms / 2 + 1));
	db->backoff_ms = MIN(db->backoff_ms * 2, db->c.backoff_max_ms);
}

static void
why_set(struct db *db, const char *text)
{
	struct span line = span_str(text);
	char was[sizeof(db->why)];

	memcpy(was, db->why, sizeof(was));
	line.n = MIN(strcspn(text, "\n"), sizeof(db->why) - 1);
	memcpy(db->why, line.p, line.n);
	db->why[line.n] = '\0';
	if (db->phase == PHASE_UP)
		log_warning("database: connection lost: %s", db->why);
	else if (strcmp(was, db->why) != 0)
		log_warning("database: no connection: %s", db->why);
}

/* The connection is gone, or an attempt failed. */
static void
db_lost(struct db *db, const char *why)
{
	struct db_query *q;

	why_set(db, why);
	if (db->phase == PHASE_UP &&
	    loop_now_ms(db->loop) - db->up_ms >= STEADY_MS)
		db->backoff_ms = 0;
	io_clear(&db->io);
	timer_clear(&db->connect_limit);
	PQfinish(db->conn);
	db->conn = NULL;
	db->listening = false;
	db->broken = false;
	defer_cancel(&db->broken_defer);
	/* Back to the front of the queue, in their order, or failed. */
	while ((q = TAILQ_LAST(&db->running, query_list)) != NULL) {
		db_result_fini(&q->res);
		q->done = false;
		if (q->cb == NULL)
			query_free(q);		/* told, or cancelled */
		else if (q->flags & DB_AGAIN)
			query_move(q, Q_WAITING);
		else
			query_fail(q, db->why);
	}
	failed_cb(db);
	state_set(db, PHASE_IDLE);
	retry_arm(db);
	expire_arm(db);
}

static void
broken_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);

	if (db->broken)
		db_lost(db, PQerrorMessage(db->conn));
}

/* From inside calls that must not take the connection down under others. */
static void
db_break(struct db *db)
{
	db->broken = true;
	defer_call(&db->broken_defer);
}

static void
expire_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);
	uint64_t now = loop_now_ms(db->loop);
	struct db_query *q;

	if (silence_limit_ms(db) <= now)
		db_lost(db, "the server does not answer");
	while ((q = TAILQ_FIRST(&db->waiting)) != NULL &&
	    q->deadline_ms <= now) {
		db->stats.timed_out++;
		query_fail(q, db->why[0] != '\0' ? db->why :
		    "no answer in time");
	}
	expire_arm(db);
}

/* --- sending and receiving --- */

static void
io_again(struct db *db)
{
	int rc = PQflush(db->conn);

	if (rc < 0) {
		db_break(db);
		return;
	}
	io_want(&db->io, IO_READ | (rc > 0 ? IO_WRITE : 0));
}

static bool
query_send(struct db *db, struct db_query *q)
{
	const struct db_args *a = q->args;

	q->sent_ms = loop_now_ms(db->loop);
	return PQsendQueryParams(db->conn, q->sql, a->n, a->type, a->value,
	    a->length, a->format, 0) == 1 && PQpipelineSync(db->conn) == 1;
}

static void
pump(struct db *db)
{
	struct db_query *q;
	bool sent = false;

	if (db->phase != PHASE_UP || db->conn == NULL || db->broken)
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
		io_again(db);
}

static void
notices_drop_cb(void *arg, const char *text)
{
	struct span line = span_trim(span_str(text));

	(void)arg;
	log_debug("database: %.*s", SPAN_ARG(line));
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

static void
traffic_cb(struct db *db, int what)
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
	pump(db);
	io_again(db);
	expire_arm(db);
}

/* --- connecting --- */

static void
up(struct db *db)
{
	timer_clear(&db->connect_limit);
	db->why[0] = '\0';
	db->up_ms = loop_now_ms(db->loop);
	db->stats.connects++;
	log_info("database: connected to %s as %s%s", PQhost(db->conn),
	    PQuser(db->conn), SLIST_EMPTY(&db->listens) || db->listening ?
	    "" : ", which takes no LISTEN (a standby?)");
	state_set(db, PHASE_UP);
	pump(db);
	expire_arm(db);
}

static void
listen_cb(const struct db_result *r, void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);

	if (db->phase != PHASE_LISTEN || db->conn == NULL)
		return;
	if (!db_ok(r)) {
		db->listening = false;
		/* A standby refuses with 25006; it can still be asked. */
		if (strcmp(db_sqlstate(r), "25006") != 0) {
			log_warning("database: LISTEN: %s", db_err(r)->why);
			db_break(db);
			return;
		}
	}
	if (--db->listens_left == 0)
		up(db);
}

static struct db_query *
query_new(struct db *db, const char *sql, const struct db_param *params,
    size_t n, unsigned flags, db_result_cb *cb, void *arg)
{
	struct db_query *q = xcalloc(1, sizeof(*q));

	q->db = db;
	q->sql = sql;
	q->args = db_args_new(params, n);
	q->flags = flags;
	q->cb = cb;
	q->arg = arg;
	q->deadline_ms = loop_now_ms(db->loop) + db->c.query_timeout_ms;
	q->where = Q_WAITING;
	if (flags & DB_FIRST)
		TAILQ_INSERT_HEAD(&db->waiting, q, link);
	else
		TAILQ_INSERT_TAIL(&db->waiting, q, link);
	db->n_waiting++;
	return q;
}

static void
connected(struct db *db)
{
	struct db_query *q;
	struct listen *l;

	if (PQsetnonblocking(db->conn, 1) != 0 ||
	    PQenterPipelineMode(db->conn) != 1) {
		db_lost(db, PQerrorMessage(db->conn));
		return;
	}
	db->phase = PHASE_LISTEN;
	db->listening = !SLIST_EMPTY(&db->listens);
	db->listens_left = 0;
	SLIST_FOREACH(l, &db->listens, link) {
		q = query_new(db, l->sql, NULL, 0, DB_ONCE, listen_cb, db);
		query_move(q, Q_RUNNING);
		db->listens_left++;
		if (!query_send(db, q)) {
			db_break(db);
			return;
		}
	}
	io_again(db);
	if (db->listens_left == 0)
		up(db);
}

static void
socket_cb(int fd, int what, void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);
	PostgresPollingStatusType st;

	(void)fd;
	if (db->broken)
		return;
	if (db->phase != PHASE_CONNECT) {
		traffic_cb(db, what);
		return;
	}
	/* libpq may change sockets in here, even to one of the same number */
	io_clear(&db->io);
	st = PQconnectPoll(db->conn);
	if (st == PGRES_POLLING_FAILED) {
		db_lost(db, PQerrorMessage(db->conn));
		return;
	}
	io_init(&db->io, db->loop, PQsocket(db->conn), socket_cb, db);
	if (st == PGRES_POLLING_OK)
		connected(db);
	else
		io_want(&db->io,
		    st == PGRES_POLLING_WRITING ? IO_WRITE : IO_READ);
}

static void
connect_start(struct db *db)
{
	struct conn_params p = endpoints_params(db->ep, db->start);

	db->phase = PHASE_CONNECT;
	db->conn = PQconnectStartParams(p.keywords, p.values, 0);
	if (db->conn == NULL)
		log_fatal("out of memory");
	if (PQstatus(db->conn) == CONNECTION_BAD) {
		db_lost(db, PQerrorMessage(db->conn));
		return;
	}
	PQsetNoticeProcessor(db->conn, notices_drop_cb, NULL);
	io_init(&db->io, db->loop, PQsocket(db->conn), socket_cb, db);
	io_want(&db->io, IO_WRITE);
	timer_set_ms(&db->connect_limit, db->c.connect_timeout_ms);
}

static void
connect_limit_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);

	/* A host that swallows packets must not hide those behind it. */
	db->start++;
	db_lost(db, "connecting takes too long");
}

static void
look_up_run(void *arg)
{
	struct db *db = arg;	/* db_free waits for the thread */

	db->look_up_rc = endpoints_look_up(db->ep, &db->look_up_err);
}

static void
look_up_done(void *arg)
{
	struct db *db = arg;

	if (db->magic != DB_MAGIC)
		return;
	if (db->look_up_rc != 0)
		db_lost(db, db->look_up_err.why);
	else
		connect_start(db);
}

static void
connect_begin(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);

	db->phase = PHASE_LOOK_UP;
	err_clear(&db->look_up_err);
	db->look_up = (struct work){ .run = look_up_run,
	    .done = look_up_done, .arg = db };
	if (endpoints_have_names(db->ep)) {
		if (db->pool == NULL)
			db->pool = work_pool_new(db->loop, 1);
		work_give(db->pool, &db->look_up);
		return;
	}
	look_up_run(db);
	look_up_done(db);
}

/* --- the public face --- */

struct db *
db_new(struct loop *l, const struct db_config *c)
{
	struct db *db = xcalloc(1, sizeof(*db));
	struct err err = { .kind = ERR_NONE };

	db->magic = DB_MAGIC;
	db->loop = l;
	db->c = (struct db_config){
		.connect_timeout_ms = c->connect_timeout_ms,
		.statement_timeout_ms = c->statement_timeout_ms,
		.query_timeout_ms = c->query_timeout_ms,
		.backoff_max_ms = c->backoff_max_ms,
		.queue_max = c->queue_max,
	};
	if (db->c.connect_timeout_ms == 0)
		db->c.connect_timeout_ms = 5000;
	if (db->c.statement_timeout_ms == 0)
		db->c.statement_timeout_ms = 5000;
	if (db->c.query_timeout_ms == 0)
		db->c.query_timeout_ms = 8000;
	if (db->c.backoff_max_ms == 0)
		db->c.backoff_max_ms = 5000;
	if (db->c.queue_max == 0)
		db->c.queue_max = 4096;
	TAILQ_INIT(&db->waiting);
	TAILQ_INIT(&db->running);
	TAILQ_INIT(&db->failed);
	SLIST_INIT(&db->listens);
	timer_init(&db->retry, l, connect_begin, db);
	timer_init(&db->connect_limit, l, connect_limit_cb, db);
	timer_init(&db->expire, l, expire_cb, db);
	defer_init(&db->broken_defer, l, broken_cb, db);
	defer_init(&db->failed_defer, l, failed_cb, db);
	db->since_ms = loop_now_ms(l);
	struct db_config full = *c;
	full.statement_timeout_ms = db->c.statement_timeout_ms;
	if ((db->ep = endpoints_new(&full, &err)) == NULL) {
		/* Stays down: nothing can heal it but another setting. */
		log_error("%s", err.why);
		memcpy(db->why, err.why, sizeof(db->why));
		return db;
	}
	timer_set_ms(&db->retry, 0);
	return db;
}

void
db_free(struct db **dbp)
{
	struct db *db = *dbp;
	struct db_query *q;
	struct listen *l;

	if (db == NULL)
		return;
	db->magic = 0;
	work_pool_free(&db->pool);
	timer_clear(&db->retry);
	timer_clear(&db->connect_limit);
	timer_clear(&db->expire);
	defer_cancel(&db->broken_defer);
	defer_cancel(&db->failed_defer);
	io_clear(&db->io);
	PQfinish(db->conn);
	while ((q = TAILQ_FIRST(&db->waiting)) != NULL ||
	    (q = TAILQ_FIRST(&db->running)) != NULL ||
	    (q = TAILQ_FIRST(&db->failed)) != NULL)
		query_free(q);
	while ((l = SLIST_FIRST(&db->listens)) != NULL) {
		SLIST_REMOVE_HEAD(&db->listens, link);
		free(l->channel);
		free(l->sql);
		free(l);
	}
	endpoints_free(&db->ep);
	free(db);
	*dbp = NULL;
}

void
db_listen(struct db *db, const char *channel, db_notify_cb *cb, void *arg)
{
	struct listen *l = xcalloc(1, sizeof(*l));

	ps_assert(db->phase == PHASE_IDLE);
	ps_assert(channel[strspn(channel, "abcdefghijklmnopqrstuvwxyz_")] ==
	    '\0');
	l->channel = xstrdup(channel);
	/* LISTEN takes no parameter; the name is ours and was just checked. */
	l->sql = xasprintf("LISTEN %s", channel);
	l->cb = cb;
	l->arg = arg;
	SLIST_INSERT_HEAD(&db->listens, l, link);
}

bool
db_listening(const struct db *db)
{
	return db->phase == PHASE_UP && db->listening;
}

void
db_on_state(struct db *db, db_state_cb *cb, void *arg)
{
	db->state_cb = cb;
	db->state_arg = arg;
}

enum db_state
db_state(const struct db *db)
{
	if (db->phase == PHASE_UP)
		return DB_UP;
	return db->phase == PHASE_IDLE ? DB_DOWN : DB_CONNECTING;
}

uint64_t
db_state_ms(struct db *db)
{
	return loop_now_ms(db->loop) - db->since_ms;
}

const char *
db_why(const struct db *db)
{
	return db->why;
}

struct db_query *
db_ask(struct db *db, const char *sql, const struct db_param *params,
    size_t n, unsigned flags, db_result_cb *cb, void *arg)
{
	struct db_query *q = query_new(db, sql, params, n, flags, cb, arg);

	db->stats.asked++;
	if (db->n_waiting + db->n_running > db->c.queue_max) {
		db->stats.refused++;
		query_fail(q, "too many queries are waiting");
		return q;
	}
	pump(db);
	if (!db->expire.set)
		expire_arm(db);
	return q;
}

void
db_cancel(struct db_query **qp)
{
	struct db_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	q->cb = NULL;
	/* One that was sent has an answer coming: it must be waited for. */
	if (q->where == Q_WAITING)
		query_free(q);
}

void
db_stats(const struct db *db, struct db_stats *s)
{
	*s = db->stats;
	s->waiting = db->n_waiting;
	s->running = db->n_running;
}
