/*
 * A whole road for the spool's tests: a writer as smtpd has it, the manager
 * as qmgr has it, and an agent that keeps one file per delivery below
 * store/, so that power cuts reach it as well.
 */
#ifndef SPOOL_T_MANAGER_H
#define SPOOL_T_MANAGER_H

#include "t_spool.h"

#include "base/disk.h"
#include "base/work.h"
#include "spool/spool.h"

#define ROAD_MAX	400

struct road {
	struct t_dirs d;
	int store;
	struct loop *loop;
	struct spool *spool;
	struct spool_config cfg;
	struct journal_writer *w;
	int owner;			/* its address is the owner */
	bool ready;
	struct err ready_err;
	/* switches */
	bool no_hints;			/* J2 */
	bool no_agent;			/* messages stay due */
	enum job_outcome answer;
	unsigned defer_every;		/* every nth is deferred */
	unsigned hold_every;		/* every nth is born held */
	bool tolerant;			/* the spool may not open */
	bool rewrite;			/* after a failed sync (J5) */
	/* what happened, by message number */
	unsigned seen[ROAD_MAX];	/* `message` called */
	unsigned due[ROAD_MAX];		/* with something to do */
	unsigned given[ROAD_MAX];	/* to the agent */
	unsigned sent[ROAD_MAX];
	unsigned again[ROAD_MAX];	/* of these, with maybe_done */
	unsigned removed[ROAD_MAX];
	bool held[ROAD_MAX];
	unsigned n_seen, n_given, n_removed, n_changed, pressure;
	struct spool_msg *last;
	uint64_t answers;
};

static inline unsigned
road_number(const struct spool_msg *m)
{
	unsigned n = (unsigned)atoi(m->queue_id + 4);

	assert_true(n < ROAD_MAX);
	return n;
}

/* The agent: writes the copy without a sync, unless it is there. False when
 * the disk did not let it. */
static inline bool
road_deliver(struct road *r, struct spool_msg *m, uint32_t rcpt)
{
	char name[64], text[64], have[64] = "";
	bool ok = true;
	int fd, n;

	(void)snprintf(name, sizeof(name), "%s.%llu", m->queue_id,
	    (unsigned long long)m->rcpt[rcpt].mailbox_id);
	n = snprintf(text, sizeof(text), "copy of %s", m->queue_id);
	if ((fd = disk_openat(r->store, name, O_RDWR | O_CREAT, 0600)) == -1)
		return false;
	if (pread(fd, have, sizeof(have) - 1, 0) != n ||
	    strcmp(have, text) != 0 || r->rewrite)
		ok = disk_ftruncate(fd, 0) == 0 &&
		    disk_pwrite(fd, text, (size_t)n, 0) == n;
	(void)disk_close(fd);
	return ok;
}

/* Is message n's copy whole in the store? */
static inline bool
road_whole(const struct road *r, unsigned n)
{
	char name[64], text[64], have[64] = "";
	int fd, len;

	(void)snprintf(name, sizeof(name), "Tmsg%08u.%u", n, 100 + n);
	len = snprintf(text, sizeof(text), "copy of Tmsg%08u", n);
	if ((fd = openat(r->store, name, O_RDONLY)) == -1)
		return false;
	if (pread(fd, have, sizeof(have) - 1, 0) != len)
		have[0] = '\0';
	(void)close(fd);
	return strcmp(have, text) == 0;
}

static inline void
road_run_agent(struct road *r, struct spool_msg *m)
{
	unsigned n = road_number(m), lane;
	enum job_outcome answer = r->answer;
	uint32_t i;

	if (r->no_agent || m->held || m->moving)
		return;
	if (r->defer_every > 0 && n % r->defer_every == 0)
		answer = JOB_DEFERRED;
	for (i = 0; i < m->n_rcpt; i++) {
		if (m->rcpt[i].state != SPOOL_DUE)
			continue;
		r->given[n]++;
		r->again[n] += m->maybe_done;
		r->n_given++;
		spool_start(m, i);
		if (answer == JOB_SENT && !road_deliver(r, m, i))
			answer = JOB_DEFERRED;
		lane = spool_lane_of(r->spool, m->rcpt[i].mailbox_id);
		r->sent[n] += answer == JOB_SENT;
		m->attempts += answer == JOB_DEFERRED;
		spool_outcome(r->spool, m, i, answer, lane);
		spool_answered(r->spool, lane);
		r->answers++;
	}
}

static inline void
road_ready(void *arg, const struct err *err)
{
	struct road *r = arg;

	r->ready = true;
	if (err != NULL)
		r->ready_err = *err;
}

static inline void
road_message(void *arg, struct spool_msg *m)
{
	struct road *r = arg;

	r->seen[road_number(m)]++;
	r->held[road_number(m)] = m->held;
	r->due[road_number(m)] += m->rcpt[0].state == SPOOL_DUE;
	r->n_seen++;
	r->last = m;
	road_run_agent(r, m);
}

static inline void
road_changed(void *arg, struct spool_msg *m)
{
	struct road *r = arg;

	r->n_changed++;
	/* what was deferred stays so until the test says otherwise */
	if (r->defer_every == 0)
		road_run_agent(r, m);
}

static inline void
road_removed(void *arg, struct spool_msg *m, bool deleted)
{
	struct road *r = arg;

	(void)deleted;
	r->removed[road_number(m)]++;
	r->n_removed++;
	if (r->last == m)
		r->last = NULL;
}

static inline void
road_pressure(void *arg, unsigned level, const char *why)
{
	((struct road *)arg)->pressure = level;
	assert_non_null(why);
}

static const struct spool_ops road_ops = { road_ready, road_message,
	road_changed, road_removed, road_pressure };

/* The writer's side. */
static inline void
road_lent(void *arg, const struct segment_ref *ref, uint64_t start, int fd)
{
	struct road *r = arg;

	assert_true(fd >= 0);
	journal_writer_segment(r->w, ref->id, span_of(ref->epoch, EPOCH_SIZE),
	    start, ref->size, dup(fd));
}

static inline void
road_need(void *arg)
{
	struct road *r = arg;

	spool_borrow(r->spool, &r->owner, road_lent, r);
}

static inline void
road_durable(void *arg, uint32_t segment, uint64_t offset)
{
	struct road *r = arg;

	if (!r->no_hints)
		assert_int_equal(spool_hint(r->spool, &r->owner, segment,
		    offset), 0);
}

static inline void
road_returned(void *arg, uint32_t segment, uint64_t offset, bool failed)
{
	struct road *r = arg;

	if (r->spool != NULL)
		assert_int_equal(spool_return(r->spool, &r->owner, segment,
		    offset, failed), 0);
}

static const struct journal_writer_ops road_wops = { road_need,
	road_durable, road_returned };

static inline void
road_boot(struct road *r, uint8_t boot)
{
	memset(r->cfg.boot_id, boot, sizeof(r->cfg.boot_id));
}

/* Opens the spool at `root` (kept); the writer is started by road_write. */
static inline void
road_open(struct road *r, const char *root)
{
	unsigned i;

	t_dirs_open(&r->d, root);
	(void)mkdirat(r->d.spool, "store", 0700);
	r->store = t_dir(r->d.spool, "store");
	if (r->loop == NULL)
		r->loop = loop_new();
	r->cfg.spool_dir = r->d.spool;
	r->cfg.incarnation++;
	if (r->cfg.segments == 0)
		r->cfg.segments = 3;
	if (r->cfg.segment_size == 0)
		r->cfg.segment_size = SEGMENT_SIZE_MIN;
	if (r->cfg.lanes == 0)
		r->cfg.lanes = 2;
	r->ready = false;
	r->spool = spool_new(r->loop, &r->cfg, &road_ops, r, NULL);
	assert_true(r->spool != NULL || r->tolerant);
	for (i = 0; i < r->cfg.lanes && r->spool != NULL; i++)
		spool_lane_up(r->spool, i);
}

static inline void
road_close(struct road *r)
{
	struct spool *s = r->spool;

	if (r->w != NULL) {
		journal_writer_lost(r->w);
		journal_writer_free(&r->w);
	}
	spool_free(&s);
	r->spool = NULL;
	t_turn(r->loop);
	t_dirs_close(&r->d);
	(void)close(r->store);
}

static inline void
road_new(struct road *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	r->d.root = disk_record_tmpdir(name);
	road_boot(r, 1);
	road_open(r, r->d.root);
}

static inline void
road_free(struct road *r)
{
	if (r->spool != NULL)
		road_close(r);
	loop_free(&r->loop);
	disk_record_rmdir(r->d.root);
	free(r->d.root);
}

static inline void
road_append(struct road *r, struct t_msg *m, unsigned n, const char *body,
    size_t len)
{
	if (r->w == NULL)
		r->w = journal_writer_new(r->loop, &road_wops, r);
	t_msg_init(m, n, body, len);
	if (r->hold_every > 0 && n % r->hold_every == 0) {
		m->env.flags |= ENVELOPE_HOLD;
		m->env.hold = SPAN_LIT("look at it");
	}
	assert_int_equal(journal_append(r->w, &m->a, &m->env, NULL), 0);
}

/* What JOB_CHECKPOINT does: sync the store, tell. */
static inline void
road_checkpoint(struct road *r)
{
	unsigned i;
	bool ok = disk_syncfs(r->store) == 0;

	r->rewrite |= !ok;
	for (i = 0; i < r->cfg.lanes; i++)
		if (spool_uncovered(r->spool, i) > 0)
			spool_checkpointed(r->spool, i, ok, UINT64_MAX);
}

static inline size_t
road_uncovered(struct road *r)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return st.uncovered;
}

#endif
