#include "tableask/tableask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/proc.h"
#include "base/xmalloc.h"
#include "tableask/tableask_int.h"

#define ENV_MAGIC	0x74650001u
#define ASK_MAGIC	0x74610001u
/* More for one look-up is a pipe that turns in circles. */
#define FACTS_MAX	200

struct table_ask {
	uint32_t magic;
	TAILQ_ENTRY(table_ask) link;
	struct table_env *env;
	struct table *table;
	struct table_asker asker;
	char *key;
	size_t key_n;
	struct fact_list facts;
	size_t n_facts;
	struct defer run;
	struct timer limit;
	enum table_result r;		/* TABLE_PARKED: not known yet */
	struct buf value;
	struct err err;
	table_ask_cb *cb;
	void *arg;
};

static const struct source *const sources[TABLE_REMOTE_KINDS] = {
	[TABLE_REMOTE_TCP] = &source_line,
	[TABLE_REMOTE_SOCKETMAP] = &source_line,
	[TABLE_REMOTE_PGSQL] = &source_sql,
	[TABLE_REMOTE_PG] = &source_lists,
};

/* --- facts --- */

static void
fact_set(struct fact *f, enum table_result r)
{
	ps_assert(f->r == TABLE_PARKED);
	f->r = r;
	f->at = NULL;
	defer_call(&f->ask->run);
}

void
fact_failed(struct fact *f, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)err_set(&f->err, ERR_TEMP, PS_EIO, "%.50s: %s", f->remote->spec,
	    text);
	fact_set(f, TABLE_TEMPFAIL);
}

void
fact_found(struct fact *f, struct span value)
{
	buf_span_add(&f->value, value);
	if (buf_failed(&f->value))
		fact_failed(f, "the value is too long");
	else
		fact_set(f, TABLE_FOUND);
}

void
fact_not_found(struct fact *f)
{
	fact_set(f, TABLE_NOTFOUND);
}

static struct fact *
fact_new(struct table_ask *a, struct table_remote *r, struct span key)
{
	struct fact *f = xcalloc(1, sizeof(*f));

	f->magic = FACT_MAGIC;
	f->ask = a;
	f->env = a->env;
	f->remote = table_remote_ref(r);
	f->key = xmemdup0(key.p, key.n);
	f->key_n = key.n;
	f->r = TABLE_PARKED;
	buf_init(&f->value, TABLE_VALUE_MAX);
	TAILQ_INSERT_TAIL(&a->facts, f, link);
	a->n_facts++;
	return f;
}

static void
fact_free(struct fact *f)
{
	if (f->r == TABLE_PARKED)
		sources[f->remote->kind]->cancel(f);
	TAILQ_REMOVE(&f->ask->facts, f, link);
	table_remote_unref(&f->remote);
	buf_fini(&f->value);
	free(f->key);
	f->magic = 0;
	free(f);
}

/* --- what a look-up may know --- */

static enum table_result
known(struct table_env *env, struct table_remote *r, struct span key,
    struct buf *out, struct err *err)
{
	const struct source *s = sources[r->kind];

	return s->peek == NULL ? TABLE_PARKED : s->peek(env, r, key, out, err);
}

/* For table_peek: nothing is asked. */
struct peeker {
	struct table_asker asker;
	struct table_env *env;
};

static enum table_result
peek_cb(struct table_asker *asker, struct table_remote *r, struct span key,
    struct buf *out, struct err *err)
{
	struct peeker *p = CONTAINER_OF(asker, struct peeker, asker);

	return known(p->env, r, key, out, err);
}

/* For table_ask: what was learned for it, what is known, or ask. */
static enum table_result
ask_cb(struct table_asker *asker, struct table_remote *r, struct span key,
    struct buf *out, struct err *err)
{
	struct table_ask *a = CONTAINER_OF(asker, struct table_ask, asker);
	enum table_result now;
	struct fact *f;

	TAILQ_FOREACH(f, &a->facts, link)
		if (f->remote == r && span_eq(fact_key(f), key)) {
			if (f->r == TABLE_FOUND)
				buf_span_add(out, buf_span(&f->value));
			if (err != NULL && f->r == TABLE_TEMPFAIL)
				*err = f->err;
			return f->r;
		}
	if ((now = known(a->env, r, key, out, err)) != TABLE_PARKED)
		return now;
	if (a->n_facts == FACTS_MAX) {
		(void)err_set(err, ERR_TEMP, PS_ETOOBIG,
		    "%.100s: more than %d questions for one look-up",
		    table_name(a->table), FACTS_MAX);
		return TABLE_TEMPFAIL;
	}
	f = fact_new(a, r, key);
	sources[r->kind]->start(f);
	return TABLE_PARKED;
}

enum table_result
table_peek(struct table_env *env, struct table *t, struct span key,
    struct buf *out, struct err *err)
{
	struct peeker p = { .asker = { .ask = peek_cb }, .env = env };

	proc_random(&p.asker.dice, sizeof(p.asker.dice));
	return table_look_up_with(t, key, out, err, &p.asker);
}

/* --- one look-up --- */

static void
ask_free(struct table_ask *a)
{
	struct fact *f;

	while ((f = TAILQ_FIRST(&a->facts)) != NULL)
		fact_free(f);
	TAILQ_REMOVE(&a->env->asks, a, link);
	defer_cancel(&a->run);
	timer_clear(&a->limit);
	table_unref(&a->table);
	buf_fini(&a->value);
	free(a->key);
	a->magic = 0;
	free(a);
}

static void
look_up(struct table_ask *a)
{
	buf_clear(&a->value);
	err_clear(&a->err);
	a->r = table_look_up_with(a->table, span_of(a->key, a->key_n),
	    &a->value, &a->err, &a->asker);
	if (a->r == TABLE_FOUND && buf_failed(&a->value)) {
		a->r = TABLE_TEMPFAIL;
		(void)err_set(&a->err, ERR_TEMP, PS_ETOOBIG,
		    "%.100s: the value is too long", table_name(a->table));
	}
}

static void
tell(struct table_ask *a)
{
	table_ask_cb *cb = a->cb;

	a->cb = NULL;
	cb(a->r, buf_span(&a->value), &a->err, a->arg);
	ask_free(a);
}

static void
run_cb(void *arg)
{
	struct table_ask *a = OBJ_CAST(arg, table_ask, ASK_MAGIC);

	if (a->r == TABLE_PARKED)
		look_up(a);
	if (a->r != TABLE_PARKED)
		tell(a);
}

static void
limit_cb(void *arg)
{
	struct table_ask *a = OBJ_CAST(arg, table_ask, ASK_MAGIC);

	a->r = TABLE_TEMPFAIL;
	(void)err_set(&a->err, ERR_TEMP, PS_EIO, "%.100s: no answer in time",
	    table_name(a->table));
	tell(a);
}

struct table_ask *
table_ask(struct table_env *env, struct table *t, struct span key,
    table_ask_cb *cb, void *arg)
{
	struct table_ask *a = xcalloc(1, sizeof(*a));

	a->magic = ASK_MAGIC;
	a->env = env;
	a->table = table_ref(t);
	a->asker.ask = ask_cb;
	proc_random(&a->asker.dice, sizeof(a->asker.dice));
	a->key_n = MIN(key.n, (size_t)TABLE_KEY_MAX + 1);
	a->key = xmemdup0(key.p == NULL ? "" : key.p, a->key_n);
	a->cb = cb;
	a->arg = arg;
	TAILQ_INIT(&a->facts);
	buf_init(&a->value, TABLE_VALUE_MAX);
	defer_init(&a->run, env->loop, run_cb, a);
	timer_init(&a->limit, env->loop, limit_cb, a);
	timer_set_ms(&a->limit, (uint64_t)env->conf->table_timeout);
	TAILQ_INSERT_TAIL(&env->asks, a, link);
	look_up(a);
	if (a->r != TABLE_PARKED)
		defer_call(&a->run);
	return a;
}

void
table_ask_cancel(struct table_ask **ap)
{
	struct table_ask *a = *ap;

	*ap = NULL;
	if (a != NULL && a->cb != NULL)
		ask_free(a);
}

/* --- the environment --- */

struct table_env *
table_env_new(struct loop *l, struct conf *conf, const char *role,
    const char *password)
{
	struct table_env *env = xcalloc(1, sizeof(*env));

	env->magic = ENV_MAGIC;
	env->loop = l;
	env->conf = conf_ref(conf);
	env->role = xstrdup(role);
	env->password = password == NULL ? NULL : xstrdup(password);
	TAILQ_INIT(&env->asks);
	env->peers = peers_new();
	env->sqls = sqls_new(env);
	return env;
}

void
table_env_free(struct table_env **envp)
{
	struct table_env *env = *envp;

	*envp = NULL;
	if (env == NULL)
		return;
	while (!TAILQ_EMPTY(&env->asks))
		ask_free(TAILQ_FIRST(&env->asks));
	peers_free(&env->peers);
	sqls_free(&env->sqls);
	lists_free(&env->lists);
	work_pool_free(&env->names);
	secret_free(&env->password);
	free(env->role);
	conf_unref(&env->conf);
	env->magic = 0;
	free(env);
}

void
table_env_reload(struct table_env *env, struct conf *conf)
{
	conf_ref(conf);
	conf_unref(&env->conf);
	env->conf = conf;
}
