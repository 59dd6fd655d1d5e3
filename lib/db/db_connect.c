#include "db/db_private.h"

#include <string.h>

#include "base/log.h"
#include "base/proc.h"

#define BACKOFF_MIN_MS	50
#define STEADY_MS	5000	/* up this long: back-off starts anew */

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
void
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
	db_failed_cb(db);
	state_set(db, PHASE_IDLE);
	retry_arm(db);
	db_expire_arm(db);
}

static void
broken_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);

	if (db->broken)
		db_lost(db, PQerrorMessage(db->conn));
}

/* From inside calls that must not take the connection down under others. */
void
db_break(struct db *db)
{
	db->broken = true;
	defer_call(&db->broken_defer);
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
	db->greeting = true;
	state_set(db, PHASE_UP);
	db->greeting = false;
	db_pump(db);
	db_expire_arm(db);
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
	db_io_again(db);
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
		db_traffic(db, what);
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
notices_drop_cb(void *arg, const char *text)
{
	struct span line = span_trim(span_str(text));

	(void)arg;
	log_debug("database: %.*s", SPAN_ARG(line));
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

void
db_connect_begin(void *arg)
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

void
db_connect_init(struct db *db)
{
	timer_init(&db->retry, db->loop, db_connect_begin, db);
	timer_init(&db->connect_limit, db->loop, connect_limit_cb, db);
	defer_init(&db->broken_defer, db->loop, broken_cb, db);
}
