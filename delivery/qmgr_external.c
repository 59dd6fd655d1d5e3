/*
 * Recipients elsewhere. Until the relay is built they are deferred with a
 * plain reason, tried and logged like any other deferral, and never lost.
 */
#include "delivery/qmgr.h"

#include "base/log.h"
#include "delivery/delivery_log.h"

#define NO_RELAY "mail transport unavailable: relaying is not built yet"

static void
peeked_cb(void *arg, const char *queue_id, const struct record *r,
    const struct err *err)
{
	uint32_t i;

	(void)arg;
	if (r == NULL) {
		log_warning("%s: its envelope cannot be read: %s", queue_id,
		    err->why);
		return;
	}
	for (i = 0; i < r->env.n_rcpt; i++)
		if (r->env.rcpt[i].kind == ENVELOPE_EXTERNAL)
			delivery_log(&r->env, &r->env.rcpt[i], "none", 0,
			    "4.3.0", "deferred", NO_RELAY);
}

void
external_defer(struct qmgr *q, struct spool_msg *m)
{
	spool_peek(q->spool, m, peeked_cb, q);
	spool_reason_set(m, NO_RELAY);
	q->deferred++;
	sched_back_off(q, m);
}
