/*
 * Jobs and checkpoints with deliver. A job is one message's due recipients of
 * one lane; it ends by its answer or with its connection (J10).
 */
#include "delivery/qmgr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define JOBS_PER_AGENT	512
#define RCPTS_PER_JOB	2000
/* A message that was with an agent when it died is tried again; after this
 * many deaths alone, and after that many it is held (S36). */
#define SUSPECT_AFTER	2
#define HELD_AFTER	5

struct job {
	uint64_t id;
	struct agent *a;
	struct spool_msg *m;
	bool alone;
	size_t n;
	uint32_t rcpt[];
};

/* --- segments --- */

/* deliver reads only: it gets a descriptor that cannot write. */
static int
read_only_dup(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool
segment_tell(struct agent *a, const struct segment_ref *ref)
{
	uint8_t *told = map_get_u64(a->segments, ref->id);
	int fd;

	if (told != NULL && memcmp(told, ref->epoch, EPOCH_SIZE) == 0)
		return true;
	if ((fd = read_only_dup(ref->fd)) == -1) {
		log_error("cannot hand segment %u to deliver", ref->id);
		return false;
	}
	PROTO_SEND_FDS(a->ipc, 0, &fd, 1, JOB_SEGMENT, job_segment,
	    .segment = ref->id, .epoch = span_of(ref->epoch, EPOCH_SIZE));
	(void)close(fd);
	if (told == NULL) {
		told = xmalloc(EPOCH_SIZE);
		(void)map_put_u64(a->segments, ref->id, told);
	}
	memcpy(told, ref->epoch, EPOCH_SIZE);
	return true;
}

/* --- jobs --- */

static void
job_free(struct job *j)
{
	if (j->alone)
		j->a->q->suspect_out = false;
	(void)map_del_u64(j->a->jobs, j->id);
	free(j);
}

/* The agent is gone, or could not be asked: all due again. */
static void
job_abandon(struct job *j)
{
	struct qmgr *q = j->a->q;
	struct spool_msg *m = j->m;
	size_t i;

	/* those of an answer that was broken off are settled already */
	for (i = 0; i < j->n; i++)
		if (m->rcpt[j->rcpt[i]].state == SPOOL_ACTIVE)
			spool_abandon(m, j->rcpt[i]);
	job_free(j);
	sched_consider(q, m);
}

static void
job_send(struct job *j, const struct segment_ref *ref, int cold_fd)
{
	struct spool_msg *m = j->m;
	struct buf rcpts;
	size_t i;

	buf_init(&rcpts, RCPTS_PER_JOB * 12);
	for (i = 0; i < j->n; i++)
		entry_job_rcpt_pack(&rcpts, &(struct entry_job_rcpt){
		    .rcpt = j->rcpt[i],
		    .mailbox_id = m->rcpt[j->rcpt[i]].mailbox_id });
	PROTO_SEND_FDS(j->a->ipc, j->id, &cold_fd, cold_fd == -1 ? 0 : 1,
	    JOB_DELIVER, job_deliver,
	    .queue_id = span_of(m->queue_id, QUEUE_ID_LEN),
	    .segment = ref == NULL ? SEGMENT_COLD : ref->id,
	    .offset = m->offset, .length = m->length,
	    .maybe_done = m->maybe_done, .rcpts = buf_span(&rcpts));
	buf_fini(&rcpts);
}

/* The queue file is open: the job may have died with its agent meanwhile. */
struct cold_open {
	struct qmgr *q;
	unsigned lane;
	uint64_t job_id;
};

static void
cold_opened_cb(void *arg, struct spool_msg *m, int fd, const struct err *err)
{
	struct cold_open *o = arg;
	struct qmgr *q = o->q;
	struct job *j = map_get_u64(q->agent[o->lane].jobs, o->job_id);

	if (j != NULL && fd != -1)
		job_send(j, NULL, fd);
	else if (j != NULL) {
		log_error("%s: its queue file cannot be opened: %s",
		    m->queue_id, err->why);
		spool_reason_set(m, err->why);
		/* until the back-off below; next_ms is its slot on the wheel,
		 * where another job of it may have put it meanwhile */
		sched_forget(q, m);
		m->next_ms = UINT64_MAX;
		job_abandon(j);
		sched_back_off(q, m);
	}
	if (fd != -1)
		(void)close(fd);
	free(o);
	qmgr_maybe_stop(q);
}

static bool
job_begin(struct agent *a, struct spool_msg *m, const uint32_t *rcpt,
    size_t n)
{
	const struct segment_ref *ref = spool_segment_ref(m);
	struct cold_open *o;
	struct job *j;
	size_t i;

	if (ref != NULL && !segment_tell(a, ref))
		return false;
	j = xcalloc(1, sizeof(*j) + n * sizeof(*rcpt));
	j->id = ipc_next_id();
	j->a = a;
	j->m = m;
	j->n = n;
	memcpy(j->rcpt, rcpt, n * sizeof(*rcpt));
	if ((j->alone = m->crashes >= SUSPECT_AFTER))
		a->q->suspect_out = true;
	(void)map_put_u64(a->jobs, j->id, j);
	for (i = 0; i < n; i++)
		spool_start(m, rcpt[i]);
	if (ref != NULL) {
		job_send(j, ref, -1);
		return true;
	}
	o = xcalloc(1, sizeof(*o));
	*o = (struct cold_open){ .q = a->q, .lane = a->lane,
	    .job_id = j->id };
	spool_open_cold(a->q->spool, m, cold_opened_cb, o);
	return true;
}

/* Room for one more job? A suspect goes alone, and nothing beside it. */
static bool
agent_takes(const struct agent *a, const struct spool_msg *m)
{
	if (a->ipc == NULL || a->q->suspect_out)
		return false;
	if (m->crashes >= SUSPECT_AFTER)
		return map_count(a->jobs) == 0;
	return map_count(a->jobs) < JOBS_PER_AGENT;
}

static bool
lane_try(struct qmgr *q, struct agent *a, struct spool_msg *m)
{
	uint32_t rcpt[RCPTS_PER_JOB];
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < m->n_rcpt && n < RCPTS_PER_JOB; i++)
		if (m->rcpt[i].state == SPOOL_DUE &&
		    m->rcpt[i].kind == ENVELOPE_MAILBOX &&
		    spool_lane_of(q->spool, m->rcpt[i].mailbox_id) == a->lane)
			rcpt[n++] = i;
	return n > 0 && job_begin(a, m, rcpt, n);
}

bool
agents_have_room(const struct qmgr *q)
{
	unsigned i;

	for (i = 0; i < q->lanes && !q->suspect_out; i++)
		if (q->agent[i].ipc != NULL &&
		    map_count(q->agent[i].jobs) < JOBS_PER_AGENT)
			return true;
	return false;
}

bool
agents_try(struct qmgr *q, struct spool_msg *m)
{
	bool any = false;
	unsigned i;

	if (m->n_rcpt == 1) {	/* the common case looks at one lane */
		i = spool_lane_of(q->spool, m->rcpt[0].mailbox_id);
		return agent_takes(&q->agent[i], m) &&
		    lane_try(q, &q->agent[i], m);
	}
	for (i = 0; i < q->lanes; i++)
		while (agent_takes(&q->agent[i], m) &&
		    lane_try(q, &q->agent[i], m))
			any = true;
	return any;
}

/* --- answers --- */

static bool
job_has(const struct job *j, uint32_t rcpt)
{
	size_t i;

	for (i = 0; i < j->n; i++)
		if (j->rcpt[i] == rcpt)
			return true;
	return false;
}

static void
result_take(struct agent *a, struct job *j, const struct entry_job_result *r)
{
	struct qmgr *q = a->q;
	char text[256];

	spool_outcome(q->spool, j->m, r->rcpt, (enum job_outcome)r->result,
	    a->lane);
	if (r->result == JOB_SENT) {
		q->sent++;
		return;
	}
	if (r->result == JOB_FAILED)
		q->failed++;
	else
		q->deferred++;
	(void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(r->text));
	spool_reason_set(j->m, text);
}

static int
done_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct agent *a = OBJ_CAST(arg, agent, AGENT_MAGIC);
	struct job *j = map_get_u64(a->jobs, m->id);
	struct msg_job_done in;
	struct entry_job_result r;
	struct spool_msg *msg;
	size_t seen = 0;
	bool deferred = false;

	(void)ipc;
	if (!msg_job_done_unpack(m->body, &in) || j == NULL)
		return PS_ESYNTAX;
	msg = j->m;
	while (entry_job_result_next(&in.results, &r)) {
		if (!job_has(j, r.rcpt) || r.result > JOB_FAILED ||
		    msg->rcpt[r.rcpt].state != SPOOL_ACTIVE)
			return PS_ESYNTAX;
		result_take(a, j, &r);
		deferred = deferred || r.result == JOB_DEFERRED;
		seen++;
	}
	if (in.results.n != 0 || seen != j->n)
		return PS_ESYNTAX;
	spool_answered(a->q->spool, a->lane);
	msg->crashes = 0;
	job_free(j);
	if (deferred)
		sched_back_off(a->q, msg);
	else
		sched_consider(a->q, msg);
	if (a->q->n_due > 0)
		sched_kick(a->q);
	if (spool_uncovered(a->q->spool, a->lane) > 0)
		agents_checkpoint_soon(a->q);
	qmgr_maybe_stop(a->q);
	return 0;
}

/* --- checkpoints (J6) --- */

void
agents_checkpoint_soon(struct qmgr *q)
{
	if (!q->checkpoint.set)
		timer_set_ms(&q->checkpoint,
		    (uint64_t)q->env->conf->checkpoint_interval);
}

static int
checkpointed_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct agent *a = OBJ_CAST(arg, agent, AGENT_MAGIC);
	struct msg_job_checkpointed in;

	(void)ipc;
	if (!msg_job_checkpointed_unpack(m->body, &in) ||
	    m->id != a->checkpoint_id)
		return PS_ESYNTAX;
	a->checkpoint_id = 0;
	if (!in.ok)
		log_error("deliver/%u could not sync the mail store: what it "
		    "delivered since the last checkpoint is written again",
		    a->lane);
	spool_checkpointed(a->q->spool, a->lane, in.ok != 0, in.covered);
	qmgr_maybe_stop(a->q);
	return 0;
}

void
agents_checkpoint(struct qmgr *q)
{
	unsigned i;

	for (i = 0; i < q->lanes; i++) {
		struct agent *a = &q->agent[i];

		if (a->ipc == NULL || a->checkpoint_id != 0 ||
		    spool_uncovered(q->spool, i) == 0)
			continue;
		a->checkpoint_id = ipc_next_id();
		PROTO_SEND(a->ipc, a->checkpoint_id, JOB_CHECKPOINT,
		    job_checkpoint);
	}
}

static void
checkpoint_cb(void *arg)
{
	struct qmgr *q = arg;

	agents_checkpoint(q);
	if (agents_uncovered(q))
		agents_checkpoint_soon(q);
}

/* --- life of an agent --- */

/* Messages that were with it are suspects of having killed it. */
static void
crash_count(struct qmgr *q, struct spool_msg *m, bool stopping)
{
	m->maybe_done = true;
	if (stopping)
		return;
	m->crashes++;
	spool_tried(q->spool, m);
	if (m->crashes < HELD_AFTER)
		return;
	log_error("%s: %u deliver processes died with it; held. See `postern "
	    "queue show %s`", m->queue_id, m->crashes, m->queue_id);
	spool_reason_set(m, "held: deliver died with it again and again");
	spool_hold(q->spool, m, true);
}

static void
agent_down(struct agent *a)
{
	struct map *counted;
	struct spool_msg *m;
	size_t pos = 0;
	void *v;

	if (a->ipc == NULL)
		return;
	ipc_free(&a->ipc);
	a->checkpoint_id = 0;
	spool_lane_down(a->q->spool, a->lane);
	/* a message of many recipients has several jobs: one death all the
	 * same */
	counted = map_new();
	while (map_next(a->jobs, &pos, NULL, &v)) {
		m = ((struct job *)v)->m;
		if (map_put_u64(counted, (uintptr_t)m, m) == NULL)
			crash_count(a->q, m, a->q->stopping);
		job_abandon(v);
	}
	map_free(&counted);
	pos = 0;
	while (map_next(a->segments, &pos, NULL, &v))
		free(v);
	map_free(&a->segments);
	a->segments = map_new();
	qmgr_maybe_stop(a->q);
}

static void
closed_cb(struct ipc *ipc, void *arg)
{
	(void)ipc;
	agent_down(OBJ_CAST(arg, agent, AGENT_MAGIC));
}

static const struct ipc_handler handlers[] = {
	{ MSG_JOB_DONE, done_cb, IPC_ANY_PHASE },
	{ MSG_JOB_CHECKPOINTED, checkpointed_cb, IPC_ANY_PHASE },
};

void
agent_peer(struct qmgr *q, unsigned index, int fd)
{
	struct agent *a;
	char name[32];

	ps_assert(index < q->lanes);
	a = &q->agent[index];
	agent_down(a);
	(void)snprintf(name, sizeof(name), "deliver/%u", index);
	a->ipc = ipc_new(q->loop, fd, name, handlers, ARRAY_LEN(handlers),
	    closed_cb, a);
	spool_lane_up(q->spool, index);
	if (spool_uncovered(q->spool, index) > 0)
		agents_checkpoint_soon(q);
	sched_kick(q);
}

bool
agents_busy(const struct qmgr *q)
{
	unsigned i;

	for (i = 0; i < q->lanes; i++)
		if (map_count(q->agent[i].jobs) > 0)
			return true;
	return false;
}

bool
agents_uncovered(const struct qmgr *q)
{
	unsigned i;

	for (i = 0; i < q->lanes; i++)
		if (q->agent[i].ipc != NULL &&
		    spool_uncovered(q->spool, i) > 0)
			return true;
	return false;
}

void
agents_init(struct qmgr *q)
{
	unsigned i;

	q->lanes = q->env->count[ROLE_DELIVER];
	q->agent = xcalloc(q->lanes, sizeof(*q->agent));
	for (i = 0; i < q->lanes; i++)
		q->agent[i] = (struct agent){ .magic = AGENT_MAGIC, .q = q,
		    .lane = i, .jobs = map_new(), .segments = map_new() };
	timer_init(&q->checkpoint, q->loop, checkpoint_cb, q);
}

void
agents_fini(struct qmgr *q)
{
	unsigned i;

	timer_clear(&q->checkpoint);
	for (i = 0; i < q->lanes; i++) {
		agent_down(&q->agent[i]);
		map_free(&q->agent[i].jobs);
		map_free(&q->agent[i].segments);
	}
	free(q->agent);
}
