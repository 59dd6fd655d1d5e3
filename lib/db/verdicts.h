/*
 * What is known about addresses of other servers, for reject_unverified_*: a
 * bounded memory in front of table `verdict`. A change in PostgreSQL is live
 * at once; a warm look-up costs no query, but one a minute. While the database is away what is
 * remembered is served as long as it would be believed anyhow
 * (address_verify_*_expire_time).
 *
 * It only reads. Whose verdicts these are (the administrator's, later those
 * of probes) is nobody's business here. Connects when it is first asked.
 */
#ifndef DB_VERDICTS_H
#define DB_VERDICTS_H

#include "base/conf.h"
#include "base/loop.h"
#include "base/span.h"

struct verdicts;
struct verdict_ask;

enum verdict_status {
	VERDICT_NONE,		/* nobody has found out, or it is too old */
	VERDICT_OK,		/* it takes mail */
	VERDICT_DEFER,		/* it could not be found out */
	VERDICT_BOUNCE,		/* it takes none */
	VERDICT_TEMP		/* the database does not answer */
};

/* Immutable. `why` is for the reply to a client: printable, at most
 * VERDICT_WHY_MAX bytes. */
struct verdict {
	unsigned refs;		/* private */
	enum verdict_status status;
	char why[];
};
#define VERDICT_WHY_MAX	250

struct verdict *verdict_ref(const struct verdict *v);
void verdict_unref(struct verdict **v);

/* As conf->database_role_lookup; `password` may be NULL (copied). Keeps a
 * reference to conf. */
struct verdicts *verdicts_new(struct loop *l, struct conf *conf,
    const char *password);
/* Waiting callbacks are not run. Not from inside one of them. */
void verdicts_free(struct verdicts **v);
/* New times; not the connection. */
void verdicts_reload(struct verdicts *v, struct conf *conf);

/* `address` is in normal form. What may be said without asking, else NULL.
 * Yours: unref it. */
struct verdict *verdicts_peek(struct verdicts *v, struct span address);
/* v is lent for the call; never NULL. */
typedef void verdict_cb(const struct verdict *v, void *arg);
/* Answers from the loop, once; never inside this call. The handle is valid
 * until then. */
struct verdict_ask *verdicts_ask(struct verdicts *v, struct span address,
    verdict_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void verdicts_cancel(struct verdict_ask **a);

/* JSON members (no braces) for `postern status`. */
void verdicts_status(struct verdicts *v, struct buf *json);

#endif
