/*
 * pgsql: tables. Those with the same connection parameters share their
 * connections: one, or a few while many ask; what no one has asked for a while
 * is closed.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "db/db.h"
#include "table/pgsql.h"
#include "tableask/tableask_int.h"

#define IDLE_MS		300000
#define SWEEP_MS	60000
#define BUSY		4	/* queries on one connection */

struct sql {
	TAILQ_ENTRY(sql) link;
	char *conninfo;
	struct db *db;
	size_t asking;
	uint64_t used_ms;
};

struct sqls {
	struct table_env *env;
	TAILQ_HEAD(, sql) all;
	struct timer sweep;
};

/* One query under way; its text is the table's, which the fact keeps. */
struct question {
	struct sql *sql;
	struct fact *fact;
	struct db_query *query;
};

static void
sql_free(struct sqls *all, struct sql *s)
{
	TAILQ_REMOVE(&all->all, s, link);
	db_free(&s->db);
	secret_free(&s->conninfo);
	free(s);
}

static void
sweep_cb(void *arg)
{
	struct sqls *all = arg;
	uint64_t now = loop_now_ms(all->env->loop);
	struct sql *s, *next;

	TAILQ_FOREACH_SAFE(s, &all->all, link, next)
		if (s->asking == 0 && now - s->used_ms >= IDLE_MS)
			sql_free(all, s);
	if (!TAILQ_EMPTY(&all->all))
		timer_set_ms(&all->sweep, SWEEP_MS);
}

static struct sql *
sql_new(struct table_env *env, const char *conninfo)
{
	uint32_t limit_ms = (uint32_t)env->conf->table_timeout;
	struct db_config c = { .url = conninfo,
	    .application = env->conf->syslog_name,
	    .connect_timeout_ms = limit_ms / 2 + 1,
	    .statement_timeout_ms = limit_ms * 2 / 3,
	    .query_timeout_ms = limit_ms,
	    .queue_max = (size_t)env->conf->table_queue_limit };
	struct sql *s = xcalloc(1, sizeof(*s));

	s->conninfo = xstrdup(conninfo);
	s->db = db_new(env->loop, &c);
	TAILQ_INSERT_TAIL(&env->sqls->all, s, link);
	timer_set_ms(&env->sqls->sweep, SWEEP_MS);
	return s;
}

/* One that is up, for another may never be: a server limits, too. Then the
 * one with the least to do. */
static bool
sql_is_better(const struct sql *a, const struct sql *b)
{
	bool a_up = db_state(a->db) == DB_UP, b_up = db_state(b->db) == DB_UP;

	return a_up != b_up ? a_up : a->asking < b->asking;
}

/* The connection to ask. Queries wait for those before them on theirs, so
 * there is another for next time when all have enough to do. */
static struct sql *
sql_get(struct table_env *env, const struct pgsql_query *q)
{
	const char *conninfo = pgsql_conninfo(q);
	struct sql *s, *best = NULL;
	int64_t n = 0, up = 0;

	TAILQ_FOREACH(s, &env->sqls->all, link) {
		if (strcmp(s->conninfo, conninfo) != 0)
			continue;
		n++;
		up += db_state(s->db) == DB_UP;
		if (best == NULL || sql_is_better(s, best))
			best = s;
	}
	if (best == NULL)
		return sql_new(env, conninfo);
	if (best->asking >= BUSY && up == n &&
	    n < env->conf->table_connection_limit)
		(void)sql_new(env, conninfo);
	return best;
}

/* --- the source --- */

static void
question_end(struct question *q)
{
	q->sql->asking--;
	q->sql->used_ms = loop_now_ms(q->fact->env->loop);
	free(q);
}

/* Each column of each row is a value. */
static void
rows_tell(struct fact *f, const struct db_result *r)
{
	const struct pgsql_query *query = f->remote->query;
	size_t row, n = 0;
	struct buf out;
	int col, columns = db_columns(r);

	buf_init(&out, TABLE_VALUE_MAX);
	for (row = 0; row < db_rows(r); row++)
		for (col = 0; col < columns; col++)
			if (!pgsql_value_add(query, fact_key(f),
			    db_get(r, row, col), &n, &out)) {
				fact_failed(f, "expansion_limit is exceeded");
				goto out;
			}
	if (buf_failed(&out) || span_chr(buf_span(&out), '\0') >= 0)
		fact_failed(f, "the value is too long");
	else if (n == 0)
		fact_not_found(f);
	else
		fact_found(f, buf_span(&out));
out:
	buf_fini(&out);
}

static void
answer_cb(const struct db_result *r, void *arg)
{
	struct question *q = arg;
	struct fact *f = OBJ_CAST(q->fact, fact, FACT_MAGIC);

	question_end(q);
	/* also of a wrong query: the admin can mend that, and mail waits */
	if (!db_ok(r))
		fact_failed(f, "%s", db_err(r)->why);
	else
		rows_tell(f, r);
}

static void
sql_start(struct fact *f)
{
	const struct pgsql_query *query = f->remote->query;
	struct db_param params[PGSQL_PARAMS_MAX];
	struct buf text[PGSQL_PARAMS_MAX];
	size_t i, n = pgsql_params(query);
	struct question *q;

	if (!pgsql_wants(query, fact_key(f))) {
		fact_not_found(f);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	q->fact = f;
	q->sql = sql_get(f->env, query);
	q->sql->asking++;
	f->at = q;
	for (i = 0; i < n; i++) {
		buf_init(&text[i], TABLE_VALUE_MAX);
		pgsql_param(query, i, fact_key(f), &text[i]);
		params[i] = DB_QUOTED(buf_span(&text[i]));
	}
	q->query = db_ask(q->sql->db, pgsql_sql(query), params, n, DB_AGAIN,
	    answer_cb, q);
	for (i = 0; i < n; i++)
		buf_fini(&text[i]);
}

static void
sql_cancel(struct fact *f)
{
	struct question *q = f->at;

	db_cancel(&q->query);
	question_end(q);
}

const struct source source_sql = {
	.start = sql_start, .cancel = sql_cancel,
};

struct sqls *
sqls_new(struct table_env *env)
{
	struct sqls *all = xcalloc(1, sizeof(*all));

	all->env = env;
	TAILQ_INIT(&all->all);
	timer_init(&all->sweep, env->loop, sweep_cb, all);
	return all;
}

void
sqls_free(struct sqls **allp)
{
	struct sqls *all = *allp;

	*allp = NULL;
	while (!TAILQ_EMPTY(&all->all))
		sql_free(all, TAILQ_FIRST(&all->all));
	timer_clear(&all->sweep);
	free(all);
}
