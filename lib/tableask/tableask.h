/*
 * Look-ups in tables that ask others (table_is_async()), beside the
 * synchronous table_look_up():
 *
 *	r = table_peek(env, t, key, out, err);
 *	if (r == TABLE_PARKED)
 *		ask = table_ask(env, t, key, cb, arg);
 *
 * Both do for any table. A table that fails is TABLE_TEMPFAIL with a reason;
 * a look-up takes at most table_timeout.
 */
#ifndef TABLEASK_TABLEASK_H
#define TABLEASK_TABLEASK_H

#include "base/conf.h"
#include "base/loop.h"
#include "table/table.h"

struct table_env;
struct table_ask;

/*
 * What look-ups of one process share: connections, held lists. pg: lists are
 * asked for as `role` of conf->database; password may be NULL. Connects when
 * first needed. Keeps a reference to conf.
 */
struct table_env *table_env_new(struct loop *l, struct conf *conf,
    const char *role, const char *password);
/* Waiting callbacks are not run. Not from inside one of them. */
void table_env_free(struct table_env **env);
/* New snapshot: times and limits; not the database. */
void table_env_reload(struct table_env *env, struct conf *conf);

/* The answer if no one has to be asked for it: of tables that are not
 * async, and from lists that are held. Else TABLE_PARKED; nothing was asked.
 * A value is appended to *out. */
enum table_result table_peek(struct table_env *env, struct table *t,
    struct span key, struct buf *out, struct err *err);

/* r is FOUND, NOTFOUND or TEMPFAIL (err says why). All is lent. */
typedef void table_ask_cb(enum table_result r, struct span value,
    const struct err *err, void *arg);

/* Keeps a reference to t. Answers from the loop, once; never inside this
 * call. The handle is valid until then. */
struct table_ask *table_ask(struct table_env *env, struct table *t,
    struct span key, table_ask_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void table_ask_cancel(struct table_ask **a);

#endif
