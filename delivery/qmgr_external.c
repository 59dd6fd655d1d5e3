/*
 * Recipients elsewhere. Until the relay is built they are deferred with a
 * plain reason, tried and logged like any other deferral, and never lost.
 */
#include "delivery/qmgr.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define NO_RELAY "mail transport unavailable: relaying is not built yet"

static void
rcpt_log(const struct envelope *env, const struct envelope_rcpt *r)
{
	double delay = (double)(clock_wall_us() - env->arrival_us) / 1e6;
	bool moved = !span_eq(r->orig, r->final);

	log_info("%s: to=<%.*s>%s%.*s%s, relay=none, delay=%.2g, "
	    "delays=%.2g/0/0/0, dsn=4.3.0, status=deferred (" NO_RELAY ")",
	    env->queue_id, SPAN_ARG(r->final), moved ? ", orig_to=<" : "",
	    moved ? (int)r->orig.n : 0, r->orig.p, moved ? ">" : "",
	    delay, delay);
}

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
			rcpt_log(&r->env, &r->env.rcpt[i]);
}

void
external_defer(struct qmgr *q, struct spool_msg *m)
{
	spool_peek(q->spool, m, peeked_cb, q);
	spool_reason_set(m, NO_RELAY);
	q->deferred++;
	sched_back_off(q, m);
}
