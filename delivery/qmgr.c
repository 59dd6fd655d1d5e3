/*
 * qmgr: knows what is due. Owns the spool; lends segments to smtpd, gives jobs
 * to deliver. See delivery/README.md and doc/spool-format.md.
 */
#include "delivery/qmgr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define STOP_LIMIT_MS	5000

/* --- the spool's callbacks --- */

static void
message_cb(void *arg, struct spool_msg *m)
{
	struct qmgr *q = arg;

	log_info("%s: from=<%s>, size=%llu, nrcpt=%u (queue %s)",
	    m->queue_id, m->sender, (unsigned long long)m->body_size,
	    m->n_rcpt, m->held ? "hold" : "active");
	if (m->next_ms > loop_now_ms(q->loop) + 1000)
		spool_reason_set(m, m->reason != NULL ? m->reason :
		    "deferred before the last start");
	/* what the last qmgr left uncovered: no answer may ever come that
	 * would ask for its checkpoint */
	if (m->n_uncovered > 0)
		agents_checkpoint_soon(q);
	sched_consider(q, m);
}

static void
changed_cb(void *arg, struct spool_msg *m)
{
	sched_consider(arg, m);
}

static void
removed_cb(void *arg, struct spool_msg *m, bool deleted)
{
	struct qmgr *q = arg;

	sched_forget(q, m);
	log_info("%s: removed%s", m->queue_id, deleted ? " by admin" : "");
}

static void
pressure_cb(void *arg, unsigned level, const char *why)
{
	struct qmgr *q = arg;
	struct qconn *c;

	if (level > q->pressure)
		log_warning("the queue takes less mail for now: %s", why);
	else if (level == 0 && q->pressure > 0)
		log_info("the queue takes mail again");
	q->pressure = level;
	(void)snprintf(q->pressure_why, sizeof(q->pressure_why), "%s", why);
	TAILQ_FOREACH(c, &q->conns, link)
		if (c->role == ROLE_SMTPD)
			qmgr_pressure_tell(c);
}

static void
ready_cb(void *arg, const struct err *err)
{
	struct qmgr *q = arg;

	if (err != NULL)
		log_fatal("the spool cannot be used: %s", err->why);
	q->ready = true;
	sched_kick(q);
}

static const struct spool_ops spool_ops = {
	.ready = ready_cb,
	.message = message_cb,
	.changed = changed_cb,
	.removed = removed_cb,
	.pressure = pressure_cb,
};

/* --- connections --- */

static void
qconn_close(struct qconn *c)
{
	if (c->role == ROLE_SMTPD)
		qmgr_smtpd_closed(c);
	else
		qmgr_control_closed(c);
	TAILQ_REMOVE(&c->q->conns, c, link);
	ipc_free(&c->ipc);
	c->magic = 0;
	free(c);
}

static void
closed_cb(struct ipc *ipc, void *arg)
{
	(void)ipc;
	qconn_close(OBJ_CAST(arg, qconn, QCONN_MAGIC));
}

static void
qconn_new(struct qmgr *q, enum service_role role, unsigned index, int fd)
{
	bool smtpd = role == ROLE_SMTPD;
	struct qconn *c, *old, *next;
	char name[32];

	if (smtpd)
		TAILQ_FOREACH_SAFE(old, &q->conns, link, next)
			if (old->role == role && old->index == index)
				qconn_close(old);
	c = xcalloc(1, sizeof(*c));
	c->magic = QCONN_MAGIC;
	c->q = q;
	c->role = role;
	c->index = index;
	TAILQ_INIT(&c->colds);
	(void)snprintf(name, sizeof(name), "%s/%u", service_role_name(role),
	    index);
	TAILQ_INSERT_TAIL(&q->conns, c, link);
	c->ipc = ipc_new(q->loop, fd, name,
	    smtpd ? qmgr_smtpd_handlers : qmgr_control_handlers,
	    smtpd ? qmgr_smtpd_n_handlers : qmgr_control_n_handlers,
	    closed_cb, c);
	if (smtpd)
		qmgr_pressure_tell(c);
}

static void
qmgr_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct qmgr *q = arg;

	if (role == ROLE_DELIVER)
		agent_peer(q, index, fd);
	else {
		ps_assert(role == ROLE_SMTPD || role == ROLE_CONTROL);
		qconn_new(q, role, index, fd);
	}
}

/* --- stopping --- */

void
qmgr_free(struct qmgr **qp)
{
	struct qmgr *q = *qp;

	q->stopping = q->stopped = true;
	while (!TAILQ_EMPTY(&q->conns))
		qconn_close(TAILQ_FIRST(&q->conns));
	agents_fini(q);
	spool_free(&q->spool);
	sched_fini(q);
	defer_cancel(&q->closing);
	timer_clear(&q->stop_limit);
	free(q);
	*qp = NULL;
}

static void
closing_cb(void *arg)
{
	struct qmgr *q = arg;

	qmgr_free(&q);
	service_stopped();
}

void
qmgr_maybe_stop(struct qmgr *q)
{
	if (!q->stopping || q->stopped || agents_busy(q))
		return;
	if (agents_uncovered(q))
		agents_checkpoint(q);
	else
		defer_call(&q->closing);
}

static void
qmgr_stop(void *arg)
{
	struct qmgr *q = arg;

	q->stopping = true;
	/* what is not covered by then is found again at the next start */
	timer_set_ms(&q->stop_limit, STOP_LIMIT_MS);
	qmgr_maybe_stop(q);
}

/* --- life --- */

static void *
qmgr_init(const struct service_env *env, struct err *err)
{
	const struct conf *conf = env->conf;
	struct qmgr *q = xcalloc(1, sizeof(*q));
	struct spool_config cfg = {
		.spool_dir = env->spool_dir,
		.segments = (unsigned)conf->journal_segments,
		.segment_size = (uint64_t)conf->journal_segment_size,
		.lanes = env->count[ROLE_DELIVER],
		.incarnation = env->incarnation,
		.minfree = (uint64_t)conf->queue_minfree,
	};

	q->env = env;
	q->loop = env->loop;
	TAILQ_INIT(&q->conns);
	clock_boot_id(cfg.boot_id);
	defer_init(&q->closing, q->loop, closing_cb, q);
	timer_init(&q->stop_limit, q->loop, closing_cb, q);
	sched_init(q);
	agents_init(q);
	q->spool = spool_new(q->loop, &cfg, &spool_ops, q, err);
	return q->spool == NULL ? NULL : q;
}

static void
qmgr_status(void *arg, struct buf *json)
{
	struct qmgr *q = arg;
	struct spool_stats st;

	spool_stats(q->spool, &st);
	buf_fmt(json, "\"messages\": %zu, \"due\": %zu, \"deferred\": %zu, "
	    "\"queue_files\": %zu, \"not_checkpointed\": %zu, "
	    "\"checkpoint_age_ms\": %llu, \"removed\": %llu, "
	    "\"segments\": %u, \"segments_free\": %u, "
	    "\"segments_lent\": %u, \"segments_bad\": %u, "
	    "\"log_syncs\": %llu, \"pressure\": %u, \"recovering\": %s",
	    st.messages, q->n_due, q->n_waiting, st.cold, st.uncovered,
	    (unsigned long long)st.oldest_uncovered_ms,
	    (unsigned long long)st.removed, st.segments, st.segments_free,
	    st.segments_lent, st.segments_bad,
	    (unsigned long long)st.log_syncs, q->pressure,
	    st.recovering ? "true" : "false");
}

const struct service qmgr_service = {
	.name = "qmgr",
	.init = qmgr_init,
	.peer = qmgr_peer,
	.stop = qmgr_stop,
	.status = qmgr_status,
};
