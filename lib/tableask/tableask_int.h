/*
 * Inside lib/tableask: one look-up, the facts it needs, who finds them out.
 */
#ifndef TABLEASK_INT_H
#define TABLEASK_INT_H

#include "base/queue.h"
#include "base/work.h"
#include "table/remote.h"
#include "tableask/tableask.h"

#define FACT_MAGIC	0x74660001u

/* One answer of a remote table that a look-up needs. */
struct fact {
	uint32_t magic;
	TAILQ_ENTRY(fact) link;
	struct table_ask *ask;
	struct table_env *env;
	struct table_remote *remote;
	char *key;
	size_t key_n;
	enum table_result r;	/* TABLE_PARKED: under way */
	struct buf value;
	struct err err;
	void *at;		/* the source's own */
	TAILQ_ENTRY(fact) wait;	/* the source's own */
};
TAILQ_HEAD(fact_list, fact);

static inline struct span
fact_key(const struct fact *f)
{
	return span_of(f->key, f->key_n);
}

/* The answer is there: the look-up goes on from the loop. A source calls one
 * of them once, also from inside `start`. */
void fact_found(struct fact *f, struct span value);
void fact_not_found(struct fact *f);
void fact_failed(struct fact *f, const char *fmt, ...) PRINTF(2, 3);

/* Who finds facts of one kind of table. */
struct source {
	/* What is known without asking, else TABLE_PARKED. May be NULL. */
	enum table_result (*peek)(struct table_env *env,
	    struct table_remote *r, struct span key, struct buf *out,
	    struct err *err);
	void (*start)(struct fact *f);
	/* Of one that was started and has no answer: forget it. */
	void (*cancel)(struct fact *f);
};

extern const struct source source_line;		/* tcp:, socketmap: */
extern const struct source source_sql;		/* pgsql: */
extern const struct source source_lists;	/* pg: */

struct peers;
struct sqls;
struct lists;

struct table_env {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	char *role, *password;
	struct work_pool *names;	/* made when first needed */
	TAILQ_HEAD(, table_ask) asks;
	struct peers *peers;
	struct sqls *sqls;
	struct lists *lists;
};

struct peers *peers_new(void);
void peers_free(struct peers **p);
struct sqls *sqls_new(struct table_env *env);
void sqls_free(struct sqls **s);
/* lists are made when the first is asked for */
void lists_free(struct lists **l);

#endif
