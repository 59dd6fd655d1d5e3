/*
 * Outcomes and checkpoints. Entries gather per log during a turn of the loop;
 * one thread writes them, and syncs the logs that a checkpoint named; what
 * was waiting for that sync is true only then (J6).
 */
#include "spool/spool_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define COLD_LOG_SIZE	((uint64_t)16 << 20)
/* Outcomes that wait for no sync gather this long, as waking the thread costs
 * more than writing them. A qmgr that dies in between asks for these jobs
 * again, and deliver knows them. */
#define GATHER_MS	3

void
afters_add(struct afters *a, struct after e)
{
	if (a->n == a->size) {
		a->size = MAX(a->size * 2, (size_t)16);
		a->v = xreallocarray(a->v, a->size, sizeof(*a->v));
	}
	a->v[a->n++] = e;
}

void
commit_entry(struct spool_segment *seg, const struct outlog_entry *e,
    bool sync)
{
	struct outlog_entry boot = { .type = OUTLOG_BOOT };
	const uint8_t *epoch = seg->ref.id == 0 ? seg->log.epoch :
	    seg->ref.epoch;

	if (!seg->booted) {
		seg->booted = true;
		memcpy(boot.boot, seg->spool->cfg.boot_id, sizeof(boot.boot));
		outlog_pack(&seg->pending, epoch, &boot);
	}
	outlog_pack(&seg->pending, epoch, e);
	seg->want_sync |= sync;
	if (sync)
		defer_call(&seg->spool->commit_defer);
	else if (!seg->spool->commit_timer.set)
		timer_set_ms(&seg->spool->commit_timer, GATHER_MS);
}

void
commit_after(struct spool_segment *seg, struct after a)
{
	afters_add(&seg->after, a);
	seg->want_sync = true;
	defer_call(&seg->spool->commit_defer);
}

void
commit_soon(struct spool *s)
{
	defer_call(&s->commit_defer);
}

/* --- the thread ------------------------------------------------------------ */

static void
seg_commit(struct spool_segment *seg)
{
	struct span entries = buf_span(&seg->writing);

	seg->commit_rc = 0;
	if (seg->compacting) {
		seg->commit_rc = outlog_replace(&seg->log, entries,
		    &seg->commit_err);
		return;
	}
	if (seg->rescuing) {
		seg->commit_rc = outlog_rescue(&seg->log, entries,
		    &seg->commit_err);
		return;
	}
	if (entries.n > 0)
		seg->commit_rc = outlog_append(&seg->log, entries,
		    &seg->commit_err);
	if (seg->commit_rc == 0 && seg->syncing) {
		seg->commit_rc = outlog_sync(&seg->log, &seg->commit_err);
		/* written but not synced: never append it a second time
		 * to this file, it will be another file */
		if (seg->commit_rc != 0)
			seg->rescuing = true;
	}
}

static void
commit_run(void *arg)
{
	struct spool *s = arg;
	unsigned i;

	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL && s->seg[i]->committing)
			seg_commit(s->seg[i]);
	if (s->cold.committing)
		seg_commit(&s->cold);
}

/* --- what is true afterwards -------------------------------------------------- */

static void
after_held(struct spool *s)
{
	if (s->holding > 0)
		s->holding--;
	hold_check(s);
}

/* The cold log has it, durably. Its segment's log must say so too before
 * anything more happens to it: once finished, the cold log forgets it, and
 * the record in the segment would be a message again. */
static void
after_cold(const struct after *a)
{
	struct outlog_entry e = { .type = OUTLOG_GONE, .ref = a->m->ref };
	struct after moved = *a;

	moved.what = AFTER_MOVED;
	commit_entry(a->from, &e, true);
	commit_after(a->from, moved);
}

static void
after_moved(struct spool *s, const struct after *a)
{
	struct spool_msg *m = a->m;

	TAILQ_REMOVE(&a->from->msgs, m, link);
	a->from->live--;
	m->seg = &s->cold;
	TAILQ_INSERT_TAIL(&s->cold.msgs, m, link);
	s->cold.live++;
	m->ref = a->serial;
	m->cold = true;
	m->offset = COLD_RECORD_OFFSET;
	m->length = 0;
	m->moving = false;
	s->moves_open--;
	s->stats.moved++;
	/* it may have been held or released on the way */
	spool_hold(s, m, m->held);
	s->ops->changed(s->arg, m);
}

static void
after_final(struct spool *s, const struct after *a)
{
	struct spool_msg *m = a->m;

	m->rcpt[a->rcpt].state = SPOOL_FINAL;
	m->n_uncovered--;
	m->n_open--;
	if (m->n_open == 0)
		spool_msg_end(s, m, false);
}

static void
afters_run(struct spool *s, struct afters *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		switch (list->v[i].what) {
		case AFTER_FINAL:
			after_final(s, &list->v[i]);
			break;
		case AFTER_COLD:
			after_cold(&list->v[i]);
			break;
		case AFTER_MOVED:
			after_moved(s, &list->v[i]);
			break;
		case AFTER_GONE:
			spool_msg_end(s, list->v[i].m, true);
			break;
		case AFTER_HELD:
			after_held(s);
			break;
		}
	}
	list->n = 0;
}

/* The write or the sync failed: all of it again, later. */
static void
seg_put_back(struct spool_segment *seg)
{
	struct buf later = seg->pending;
	size_t i;

	spool_alarm(seg->spool, "%s: outcomes are kept in memory until it "
	    "works", seg->commit_err.why);
	if (seg->rescuing && buf_len(&seg->writing) > 0 && !seg->rescue)
		buf_clear(&seg->writing);	/* it is in the file */
	seg->pending = seg->writing;
	buf_span_add(&seg->pending, buf_span(&later));
	buf_fini(&later);
	buf_init(&seg->writing, BUF_NO_CAP);
	for (i = 0; i < seg->after.n; i++)
		afters_add(&seg->writing_after, seg->after.v[i]);
	free(seg->after.v);
	seg->after = seg->writing_after;
	memset(&seg->writing_after, 0, sizeof(seg->writing_after));
	seg->want_sync |= seg->syncing;
	seg->rescue |= seg->rescuing;
}

static void
seg_committed(struct spool *s, struct spool_segment *seg)
{
	seg->committing = false;
	s->stats.log_writes++;
	s->stats.log_syncs += seg->syncing;
	if (seg->compacting) {
		/* when it failed the log is as it was: later */
		seg->compacting = false;
		s->cold_log_floor = seg->log.end;
		s->stats.compacted += seg->commit_rc == 0;
		buf_clear(&seg->writing);
		return;
	}
	if (seg->commit_rc != 0) {
		seg_put_back(seg);
		return;
	}
	seg->rescue = false;
	buf_clear(&seg->writing);
	if (!s->stopping)
		afters_run(s, &seg->writing_after);
}

/* The cold log has grown to four times what lives. */
static bool
cold_overgrown(const struct spool *s)
{
	uint64_t most = s->cfg.cold_log_size > 0 ? s->cfg.cold_log_size :
	    COLD_LOG_SIZE;

	return s->cold.log.end >= MAX(most, s->cold_log_floor * 4);
}

/* Does anything wait for a sync? The rest has its timer. */
static bool
commit_wanted(const struct spool *s)
{
	unsigned i;

	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL && s->seg[i]->want_sync)
			return true;
	return s->cold.want_sync || cold_overgrown(s);
}

static void
commit_done(void *arg)
{
	struct spool *s = arg;
	bool failed = false;
	unsigned i;

	s->commit_running = false;
	for (i = 0; i <= s->n_seg; i++) {
		struct spool_segment *seg = i == s->n_seg ? &s->cold :
		    s->seg[i];

		if (seg == NULL || !seg->committing)
			continue;
		seg_committed(s, seg);
		failed |= seg->commit_rc != 0;
	}
	if (s->stopping)
		return;
	defer_call(&s->serve_defer);
	/* after a failure the tick tries again, not the next turn */
	if (!failed && commit_wanted(s))
		commit_soon(s);
}

static bool
seg_gather(struct spool_segment *seg)
{
	struct buf empty = seg->writing;
	struct afters none = seg->writing_after;

	if (buf_len(&seg->pending) == 0 && !seg->want_sync)
		return false;
	if (seg->log.fd == -1)
		return false;
	seg->committing = true;
	seg->writing = seg->pending;
	seg->pending = empty;
	seg->writing_after = seg->after;
	seg->after = none;
	seg->syncing = seg->want_sync;
	seg->rescuing = seg->rescue;
	seg->want_sync = false;
	return true;
}

/* When nothing is on its way into it, it is written anew. */
static bool
cold_compact(struct spool *s)
{
	if (s->recovering || s->moves_open > 0 || s->cold.log.fd == -1 ||
	    s->cold.rescue || s->cold.want_sync ||
	    buf_len(&s->cold.pending) > 0 || !cold_overgrown(s))
		return false;
	cold_log_all(s, &s->cold.msgs, &s->cold.writing);
	s->cold.committing = s->cold.compacting = true;
	s->cold.syncing = s->cold.rescuing = false;
	return true;
}

void
commit_cb(void *arg)
{
	struct spool *s = arg;
	bool any = false;
	unsigned i;

	if (s->stopping)
		return;
	if (s->commit_running) {
		if (!s->commit_timer.set)
			timer_set_ms(&s->commit_timer, GATHER_MS);
		return;
	}
	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL && (s->seg[i]->state == SEG_LENT ||
		    s->seg[i]->state == SEG_DRAINING ||
		    s->seg[i]->state == SEG_FULL))
			any |= seg_gather(s->seg[i]);
	any |= seg_gather(&s->cold) || cold_compact(s);
	if (!any)
		return;
	s->commit_running = true;
	s->commit_work = (struct work){ .order = ORDER_COMMIT,
	    .run = commit_run, .done = commit_done, .arg = s };
	work_give(s->pool, &s->commit_work);
}

/* --- lanes ------------------------------------------------------------------- */

unsigned
spool_lane_of(const struct spool *s, uint64_t mailbox_id)
{
	return (unsigned)(mailbox_id % 256) % s->cfg.lanes;
}

static void
lane_push(struct spool *s, struct lane *l, struct uncovered u)
{
	if (l->first + l->n == l->size && l->first > 0) {
		memmove(l->v, l->v + l->first, l->n * sizeof(*l->v));
		l->first = 0;
	}
	if (l->first + l->n == l->size) {
		l->size = MAX(l->size * 2, (size_t)64);
		l->v = xreallocarray(l->v, l->size, sizeof(*l->v));
	}
	u.at_ms = loop_now_ms(s->loop);
	l->v[l->first + l->n++] = u;
}

void
spool_lane_up(struct spool *s, unsigned lane)
{
	struct lane *l = &s->lane[lane];

	if (l->up)
		spool_lane_down(s, lane);
	l->up = true;
	l->answers = 0;
	/* never 0: that is the lane of what is final anyway */
	l->id = (uint64_t)s->cfg.incarnation << 32 | ++s->lane_serial;
}

void
spool_lane_down(struct spool *s, unsigned lane)
{
	struct lane *l = &s->lane[lane];
	size_t i;

	l->up = false;
	for (i = 0; i < l->n; i++)
		l->v[l->first + i].inherited = true;
}

void
lane_inherit(struct spool *s, struct spool_msg *m, uint32_t rcpt,
    uint64_t lane, uint64_t n)
{
	struct lane *l = &s->lane[spool_lane_of(s, m->rcpt[rcpt].mailbox_id)];

	/* a recovered segment may come late: put it in front, so that those
	 * the present connection answers for stay in order behind */
	lane_push(s, l, (struct uncovered){ .m = m, .rcpt = rcpt,
	    .inherited = true, .lane = lane, .n = n });
	if (l->n > 1 && !l->v[l->first + l->n - 2].inherited) {
		struct uncovered u = l->v[l->first + l->n - 1];

		memmove(l->v + l->first + 1, l->v + l->first,
		    (l->n - 1) * sizeof(*l->v));
		l->v[l->first] = u;
	}
}

/* --- outcomes ------------------------------------------------------------------ */

void
spool_start(struct spool_msg *m, uint32_t rcpt)
{
	ps_assert(m->rcpt[rcpt].state == SPOOL_DUE && !m->moving);
	m->rcpt[rcpt].state = SPOOL_ACTIVE;
	m->n_active++;
}

void
spool_abandon(struct spool_msg *m, uint32_t rcpt)
{
	ps_assert(m->rcpt[rcpt].state == SPOOL_ACTIVE);
	m->rcpt[rcpt].state = SPOOL_DUE;
	m->n_active--;
	m->maybe_done = true;
}

void
spool_outcome(struct spool *s, struct spool_msg *m, uint32_t rcpt,
    enum job_outcome result, unsigned lane)
{
	struct spool_rcpt *r = &m->rcpt[rcpt];
	struct lane *l = &s->lane[lane];
	struct outlog_entry e = { .type = OUTLOG_OUTCOME,
	    .value = (uint8_t)result, .ref = m->ref, .rcpt = rcpt,
	    .lane = l->id, .n = l->answers };

	ps_assert(r->state == SPOOL_ACTIVE);
	m->n_active--;
	if (result == JOB_DEFERRED) {
		r->state = SPOOL_DUE;
		return;
	}
	if (result == JOB_FAILED) {
		r->state = SPOOL_FAILED;
		m->held = true;
	} else {
		r->state = SPOOL_SENT;
		r->lane = l->id;
		r->n = l->answers;
		m->n_uncovered++;
		lane_push(s, l, (struct uncovered){ .m = m, .rcpt = rcpt,
		    .lane = l->id, .n = l->answers });
	}
	commit_entry(m->seg, &e, false);
}

void
spool_answered(struct spool *s, unsigned lane)
{
	s->lane[lane].answers++;
}

size_t
spool_uncovered(const struct spool *s, unsigned lane)
{
	return s->lane[lane].n;
}

/* Ends the CHECKPOINT entry that gathers for seg. */
static void
ckpt_flush(struct spool_segment *seg)
{
	struct outlog_entry e = { .type = OUTLOG_CHECKPOINT,
	    .lane = seg->ckpt_lane, .n = seg->ckpt_covered };

	if (seg->ckpt_covered > 0)
		commit_entry(seg, &e, true);
	seg->ckpt_covered = 0;
}

static void
ckpt_cover(struct spool_segment *seg, const struct uncovered *u)
{
	if (seg->ckpt_lane != u->lane)
		ckpt_flush(seg);
	seg->ckpt_lane = u->lane;
	seg->ckpt_covered = MAX(seg->ckpt_covered, u->n + 1);
	commit_after(seg, (struct after){ .what = AFTER_FINAL, .m = u->m,
	    .rcpt = u->rcpt });
}

static void
uncovered_undo(struct spool *s, const struct uncovered *u)
{
	struct outlog_entry e = { .type = OUTLOG_UNDONE, .ref = u->m->ref,
	    .rcpt = u->rcpt };

	u->m->rcpt[u->rcpt].state = SPOOL_DUE;
	u->m->n_uncovered--;
	u->m->maybe_done = true;
	commit_entry(u->m->seg, &e, false);
	s->ops->changed(s->arg, u->m);
}

void
spool_checkpointed(struct spool *s, unsigned lane, bool ok, uint64_t covered)
{
	struct lane *l = &s->lane[lane];
	struct uncovered u;
	unsigned i;

	/* what comes back in meanwhile is none of this checkpoint's */
	covered = MIN(covered, l->answers);
	if (!ok)
		spool_alarm(s, "a checkpoint of deliver %u failed: its "
		    "deliveries are made again", lane);
	while (l->n > 0) {
		u = l->v[l->first];
		if (!u.inherited && u.n >= covered)
			break;
		l->first++;
		l->n--;
		if (ok)
			ckpt_cover(u.m->seg, &u);
		else
			uncovered_undo(s, &u);
	}
	if (l->n == 0)
		l->first = 0;
	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL)
			ckpt_flush(s->seg[i]);
	ckpt_flush(&s->cold);
}

/* --- the queue ------------------------------------------------------------------ */

static int64_t
wall_of(struct spool *s, uint64_t mono_ms)
{
	uint64_t now = loop_now_ms(s->loop);

	return clock_wall_us() + ((int64_t)mono_ms - (int64_t)now) * 1000;
}

void
spool_tried(struct spool *s, struct spool_msg *m)
{
	struct outlog_entry e = { .type = OUTLOG_TRIED, .ref = m->ref,
	    .value = (uint8_t)MIN(m->attempts, 255u), .crashes = m->crashes,
	    .next_us = wall_of(s, m->next_ms) };

	commit_entry(m->seg, &e, false);
}

void
spool_hold(struct spool *s, struct spool_msg *m, bool held)
{
	struct outlog_entry e = { .type = OUTLOG_HOLD, .ref = m->ref,
	    .value = held };
	uint32_t i;

	m->held = held;
	for (i = 0; i < m->n_rcpt && !held; i++)
		if (m->rcpt[i].state == SPOOL_FAILED)
			m->rcpt[i].state = SPOOL_DUE;
	commit_entry(m->seg, &e, true);
}

int
spool_delete(struct spool *s, struct spool_msg *m)
{
	struct outlog_entry e = { .type = OUTLOG_GONE, .ref = m->ref };

	if (m->n_active > 0 || m->n_uncovered > 0 || m->moving ||
	    m->deleting)
		return PS_ESTATE;
	m->deleting = true;
	commit_entry(m->seg, &e, true);
	commit_after(m->seg, (struct after){ .what = AFTER_GONE, .m = m });
	return 0;
}
