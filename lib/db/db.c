#include "db/db_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"

/* --- queries: their lists and ends --- */

void
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
void
query_free(struct db_query *q)
{
	query_move(q, Q_FAILED);
	TAILQ_REMOVE(&q->db->failed, q, link);
	db_result_fini(&q->res);
	free(q->args);
	free(q);
}

/* Calls back, once. On the loop only. */
void
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

void
query_finish(struct db_query *q)
{
	query_tell(q);
	query_free(q);
}

/* Marks q failed; its callback follows from failed_cb. */
void
query_fail(struct db_query *q, const char *why)
{
	db_result_fini(&q->res);
	db_result_fail(&q->res, why);
	query_move(q, Q_FAILED);
	defer_call(&q->db->failed_defer);
}

void
db_failed_cb(void *arg)
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

struct db_query *
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

void
db_expire_arm(struct db *db)
{
	uint64_t now = loop_now_ms(db->loop), at = silence_limit_ms(db);
	const struct db_query *q = TAILQ_FIRST(&db->waiting);

	if (q != NULL)
		at = MIN(at, q->deadline_ms);
	TAILQ_FOREACH(q, &db->running, link)
		if (!q->told && !q->done) {
			at = MIN(at, q->deadline_ms);
			break;		/* those behind it came later */
		}
	if (at == UINT64_MAX)
		timer_clear(&db->expire);
	else
		timer_set_ms(&db->expire, at > now ? at - now : 0);
}

/* Behind slow ones a query may be old though the server lives: its asker is
 * told, and only its place is kept for the answer that will come. */
static void
running_expire(struct db *db, uint64_t now)
{
	struct db_query *q;

	for (;;) {
		TAILQ_FOREACH(q, &db->running, link)
			if (!q->told && !q->done && q->deadline_ms <= now)
				break;
		if (q == NULL)
			return;
		db->stats.timed_out++;
		db_result_fail(&q->res, "no answer in time");
		query_tell(q);		/* may change the list */
	}
}

void
db_expire_cb(void *arg)
{
	struct db *db = OBJ_CAST(arg, db, DB_MAGIC);
	uint64_t now = loop_now_ms(db->loop);
	struct db_query *q;

	if (silence_limit_ms(db) <= now)
		db_lost(db, "the server does not answer");
	running_expire(db, now);
	while ((q = TAILQ_FIRST(&db->waiting)) != NULL &&
	    q->deadline_ms <= now) {
		db->stats.timed_out++;
		query_fail(q, db->why[0] != '\0' ? db->why :
		    "no answer in time");
	}
	db_expire_arm(db);
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
	TAILQ_INIT(&db->revisions);
	SLIST_INIT(&db->listens);
	db_connect_init(db);
	timer_init(&db->expire, l, db_expire_cb, db);
	defer_init(&db->failed_defer, l, db_failed_cb, db);
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
	db_revisions_forget(db);
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
	db_pump(db);
	if (!db->expire.set)
		db_expire_arm(db);
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
