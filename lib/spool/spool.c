#include "spool/spool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "spool/segment.h"
#include "spool/spool_private.h"

#define TICK_MS		1000
#define WAIT_REFUSE_MS	5000
#define THREADS		4

void
spool_alarm(struct spool *s, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->stats.alarms++;
	log_error("spool: %s", text);
}

/* --- messages -------------------------------------------------------------- */

/* Held by what stands in its own envelope, so from its first moment and after
 * any crash, until a HOLD entry says otherwise. */
static void
born_held(struct spool_msg *m, const struct envelope *e)
{
	struct buf why;

	m->held = m->born_held = true;
	buf_init(&why, 4 * ENVELOPE_TEXT_MAX);
	if (e->flags & ENVELOPE_HOLD)
		buf_fmt(&why, "held by an access rule%s%.*s",
		    e->hold.n > 0 ? ": " : "", SPAN_ARG(e->hold));
	if (e->filter.n > 0)
		buf_fmt(&why, "%sFILTER %.*s: content filters are not built "
		    "yet; who releases it has it delivered unfiltered",
		    buf_len(&why) > 0 ? "; " : "", SPAN_ARG(e->filter));
	spool_reason_set(m, buf_cstr(&why));
	buf_fini(&why);
}

struct spool_msg *
spool_msg_new(const struct record *r)
{
	const struct envelope *e = &r->env;
	struct spool_msg *m = xcalloc(1, sizeof(*m) +
	    e->n_rcpt * sizeof(m->rcpt[0]));
	uint32_t i;

	memcpy(m->queue_id, e->queue_id, sizeof(m->queue_id));
	m->ref = m->offset = r->h.offset;
	m->length = r->h.length;
	m->cold = (r->h.flags & RECORD_COLD) != 0;
	if (m->cold) {
		m->offset = COLD_RECORD_OFFSET;
		m->length = 0;
	}
	m->sum = (uint64_t)r->h.envelope_crc << 32 | r->h.body_crc;
	m->body_size = e->body_size;
	m->arrival_us = e->arrival_us;
	m->sender = xmemdup0(e->sender.p, e->sender.n);
	m->n_rcpt = m->n_open = e->n_rcpt;
	for (i = 0; i < e->n_rcpt; i++) {
		m->rcpt[i].mailbox_id = e->rcpt[i].mailbox_id;
		m->rcpt[i].kind = (uint8_t)e->rcpt[i].kind;
	}
	if (envelope_is_held(e))
		born_held(m, e);
	return m;
}

void
spool_msg_free(struct spool_msg *m)
{
	free(m->sender);
	free(m->reason);
	free(m);
}

void
spool_msg_add(struct spool *s, struct spool_segment *seg,
    struct spool_msg *m)
{
	struct spool_msg *old;

	m->seg = seg;
	m->found_ms = loop_now_ms(s->loop);
	TAILQ_INSERT_TAIL(&seg->msgs, m, link);
	seg->live++;
	if ((old = map_put(s->by_id, span_str(m->queue_id), m)) != NULL) {
		/* J8: never skip one of two, tell it apart by place */
		spool_alarm(s, "%s: two messages have this queue id "
		    "(segments %u and %u); both are delivered", m->queue_id,
		    old->seg->ref.id, seg->ref.id);
		old->twin = m->twin = true;
		(void)map_put(s->by_id, span_str(m->queue_id), old);
	}
}

void
spool_msg_end(struct spool *s, struct spool_msg *m, bool deleted)
{
	struct spool_segment *seg = m->seg;

	TAILQ_REMOVE(&seg->msgs, m, link);
	seg->live--;
	s->stats.removed++;
	if (map_get(s->by_id, span_str(m->queue_id)) == m)
		(void)map_del(s->by_id, span_str(m->queue_id));
	if (m->cold)
		cold_file_remove(s, m->queue_id);
	s->ops->removed(s->arg, m, deleted);
	spool_msg_free(m);
	if (seg->live == 0)
		defer_call(&s->serve_defer);
}

void
spool_reason_set(struct spool_msg *m, const char *why)
{
	char *copy = why == NULL ? NULL : xstrdup(why);

	/* `why` may be the present reason */
	free(m->reason);
	m->reason = copy;
}

struct spool_msg *
spool_msg_find(struct spool *s, struct span queue_id)
{
	return map_get(s->by_id, queue_id);
}

char *
spool_msg_ids(struct spool *s, size_t *n)
{
	char *ids = xcalloc(map_count(s->by_id) + 1, QUEUE_ID_LEN + 1);
	struct span key;
	void *value;
	size_t pos = 0, i = 0;

	while (map_next(s->by_id, &pos, &key, &value))
		memcpy(ids + i++ * (QUEUE_ID_LEN + 1), key.p, QUEUE_ID_LEN);
	*n = i;
	return ids;
}

const struct segment_ref *
spool_segment_ref(const struct spool_msg *m)
{
	return m->cold ? NULL : &m->seg->ref;
}

/* --- segments: make, recycle, lend ------------------------------------------ */

struct spool_segment *
spool_segment_new(struct spool *s, uint32_t id)
{
	struct spool_segment *seg = xcalloc(1, sizeof(*seg));

	seg->spool = s;
	seg->ref.id = id;
	seg->ref.fd = seg->lend_fd = seg->log.fd = -1;
	TAILQ_INIT(&seg->msgs);
	buf_init(&seg->pending, BUF_NO_CAP);
	buf_init(&seg->writing, BUF_NO_CAP);
	seg->walked = seg->durable = SPOOL_PAGE;
	while (s->n_seg < id) {
		s->seg = xreallocarray(s->seg, s->n_seg + 1,
		    sizeof(*s->seg));
		s->seg[s->n_seg++] = NULL;
	}
	s->seg[id - 1] = seg;
	return seg;
}

struct seg_job {
	struct work work;
	struct spool_segment *seg;
	bool make;
	int rc;
	struct err err;
};

/* In a thread: after this the segment is empty, durably, and lendable. */
static void
seg_job_run(void *arg)
{
	struct seg_job *j = arg;
	struct spool_segment *seg = j->seg;
	struct spool *s = seg->spool;

	if (j->make) {
		if (seg->ref.fd != -1)
			(void)disk_close(seg->ref.fd);
		j->rc = segment_create(s->journal_dir, seg->ref.id,
		    s->cfg.segment_size, &seg->ref, &j->err);
		if (j->rc != 0)
			return;
		seg->log.dir = s->journal_dir;
		seg->log.id = seg->ref.id;
		memcpy(seg->log.epoch, seg->ref.epoch, EPOCH_SIZE);
		j->rc = outlog_replace(&seg->log, span_of("", 0), &j->err);
	} else {
		segment_right_drop(seg->ref.fd);
		j->rc = segment_recycle(&seg->ref, &j->err);
		if (j->rc == 0 && seg->log.fd != -1)
			j->rc = outlog_reset(&seg->log, seg->ref.epoch,
			    &j->err);
		else if (j->rc == 0) {
			memcpy(seg->log.epoch, seg->ref.epoch, EPOCH_SIZE);
			j->rc = outlog_replace(&seg->log, span_of("", 0),
			    &j->err);
		}
	}
	if (j->rc != 0)
		return;
	seg->lend_fd = segment_lend(s->journal_dir, &seg->ref, &j->err);
	if (seg->lend_fd < 0)
		j->rc = seg->lend_fd;
}

static void
seg_job_done(void *arg)
{
	struct seg_job *j = arg;
	struct spool_segment *seg = j->seg;
	struct spool *s = seg->spool;

	s->n_making -= j->make;
	s->make_failed = j->make && j->rc != 0;
	if (j->rc == 0) {
		seg->state = SEG_FREE;
		seg->walked = seg->durable = SPOOL_PAGE;
		seg->booted = seg->returned = seg->failed = false;
		seg->rescue = seg->want_sync = false;
		s->stats.recycled += !j->make;
	} else {
		seg->lend_fd = -1;
		seg->state = j->make ? SEG_ABSENT : SEG_BAD;
		spool_alarm(s, "segment %u: %s: %s", seg->ref.id,
		    j->err.why, j->make ? "tried again later" :
		    "set aside until the next start");
	}
	free(j);
	if (!s->stopping)
		defer_call(&s->serve_defer);
}

static void
seg_job_give(struct spool_segment *seg, bool make)
{
	struct seg_job *j = xcalloc(1, sizeof(*j));

	seg->state = make ? SEG_MAKING : SEG_RECYCLING;
	j->seg = seg;
	j->make = make;
	j->work = (struct work){ .order = make ? 0 : ORDER_COMMIT,
	    .run = seg_job_run, .done = seg_job_done, .arg = j };
	work_give(seg->spool->pool, &j->work);
}

/* Everything in it is final or elsewhere, and nobody uses it. */
static bool
seg_recyclable(const struct spool_segment *seg)
{
	return seg->state == SEG_FULL && seg->live == 0 && seg->busy == 0 &&
	    !seg->committing && buf_len(&seg->pending) == 0 &&
	    seg->after.n == 0;
}

static void
seg_lend(struct spool *s, struct spool_segment *seg)
{
	struct borrower *b = TAILQ_FIRST(&s->borrowers);

	TAILQ_REMOVE(&s->borrowers, b, link);
	seg->state = SEG_LENT;
	seg->owner = b->owner;
	b->cb(b->arg, &seg->ref, SPOOL_PAGE, seg->lend_fd);
	(void)disk_close(seg->lend_fd);
	seg->lend_fd = -1;
	free(b);
}

static void
segs_make(struct spool *s)
{
	unsigned i;

	if (s->n_making > 0)
		return;
	for (i = 0; i < s->cfg.segments; i++)
		if (i >= s->n_seg || s->seg[i] == NULL ||
		    s->seg[i]->state == SEG_ABSENT)
			break;
	if (i == s->cfg.segments)
		return;
	if (i >= s->n_seg || s->seg[i] == NULL)
		(void)spool_segment_new(s, i + 1);
	s->n_making++;
	seg_job_give(s->seg[i], true);
}

static unsigned
segs_in(const struct spool *s, enum seg_state state)
{
	unsigned i, n = 0;

	for (i = 0; i < s->n_seg; i++)
		n += s->seg[i] != NULL && s->seg[i]->state == state;
	return n;
}

static void
pressure_update(struct spool *s)
{
	const struct borrower *b = TAILQ_FIRST(&s->borrowers);
	const char *why = "";
	unsigned level = 0;

	if (b != NULL) {
		level = loop_now_ms(s->loop) - b->since_ms > WAIT_REFUSE_MS &&
		    !s->recovering ? 2 : 1;
		why = "no free journal segment";
	}
	if (s->disk_low) {
		level = 2;
		why = "the spool's disk is nearly full";
	}
	if (level == s->pressure)
		return;
	s->pressure = level;
	if (level == 2)
		log_warning("spool: new mail is refused: %s", why);
	s->ops->pressure(s->arg, level, why);
}

void
spool_serve(struct spool *s)
{
	unsigned i;

	if (s->recovering || s->stopping)
		return;
	for (i = 0; i < s->n_seg; i++) {
		if (s->seg[i] == NULL || !seg_recyclable(s->seg[i]))
			continue;
		if (s->seg[i]->failed)
			s->seg[i]->state = SEG_BAD;
		else
			seg_job_give(s->seg[i], false);
	}
	for (i = 0; i < s->n_seg && !TAILQ_EMPTY(&s->borrowers); i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_FREE &&
		    i < s->cfg.segments)
			seg_lend(s, s->seg[i]);
	if (!s->make_failed)	/* else the tick tries again */
		segs_make(s);
	if (segs_in(s, SEG_FREE) + segs_in(s, SEG_RECYCLING) +
	    segs_in(s, SEG_MAKING) < MAX(s->cfg.segments / 4, 1u))
		cold_move_some(s);
	pressure_update(s);
}

static void
serve_cb(void *arg)
{
	spool_serve(arg);
}

/* --- owners ------------------------------------------------------------------- */

void
spool_borrow(struct spool *s, void *owner, spool_borrow_cb *cb, void *arg)
{
	struct borrower *b = xcalloc(1, sizeof(*b));

	b->owner = owner;
	b->cb = cb;
	b->arg = arg;
	b->since_ms = loop_now_ms(s->loop);
	TAILQ_INSERT_TAIL(&s->borrowers, b, link);
	defer_call(&s->serve_defer);
}

static struct spool_segment *
seg_owned(struct spool *s, const void *owner, uint32_t id, uint64_t offset)
{
	struct spool_segment *seg;

	if (id == 0 || id > s->n_seg || (seg = s->seg[id - 1]) == NULL ||
	    seg->state != SEG_LENT || seg->owner != owner ||
	    offset % SPOOL_PAGE != 0 || offset > seg->ref.size)
		return NULL;
	return seg;
}

int
spool_hint(struct spool *s, void *owner, uint32_t segment, uint64_t offset)
{
	struct spool_segment *seg = seg_owned(s, owner, segment, offset);

	if (seg == NULL)
		return PS_EDENIED;
	seg->durable = MAX(seg->durable, offset);
	defer_call(&s->walk_defer);
	return 0;
}

int
spool_return(struct spool *s, void *owner, uint32_t segment,
    uint64_t offset, bool failed)
{
	struct spool_segment *seg = seg_owned(s, owner, segment, offset);

	if (seg == NULL)
		return PS_EDENIED;
	seg->durable = MAX(seg->durable, offset);
	seg->returned = true;
	seg->failed = failed;
	seg->owner = NULL;
	seg->state = SEG_DRAINING;
	if (failed)
		spool_alarm(s, "segment %u: its sync failed; set aside",
		    segment);
	defer_call(&s->walk_defer);
	return 0;
}

void
spool_owner_gone(struct spool *s, void *owner)
{
	struct borrower *b, *next;
	unsigned i;

	TAILQ_FOREACH_SAFE(b, &s->borrowers, link, next)
		if (b->owner == owner) {
			TAILQ_REMOVE(&s->borrowers, b, link);
			free(b);
		}
	requests_drop(s, owner);
	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL && s->seg[i]->state == SEG_LENT &&
		    s->seg[i]->owner == owner) {
			s->seg[i]->owner = NULL;
			drain_segment(s, s->seg[i]);
		}
	defer_call(&s->serve_defer);
}

static void
walk_cb(void *arg)
{
	struct spool *s = arg;
	unsigned i;

	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL && (s->seg[i]->state == SEG_LENT ||
		    (s->seg[i]->state == SEG_DRAINING &&
		    s->seg[i]->returned)))
			drain_live(s, s->seg[i]);
}

/* --- now and then ---------------------------------------------------------------- */

struct disk_job {
	struct work work;
	struct spool *spool;
	bool low;
};

static void
disk_job_run(void *arg)
{
	struct disk_job *j = arg;
	struct statvfs st;

	if (fstatvfs(j->spool->cfg.spool_dir, &st) == 0)
		j->low = (uint64_t)st.f_bavail * st.f_frsize <
		    j->spool->cfg.minfree;
}

static void
disk_job_done(void *arg)
{
	struct disk_job *j = arg;

	j->spool->disk_low = j->low;
	j->spool->disk_asked = false;
	free(j);
}

static void
disk_check(struct spool *s)
{
	struct disk_job *j;

	if (s->disk_asked)
		return;
	s->disk_asked = true;
	j = xcalloc(1, sizeof(*j));
	j->spool = s;
	j->work = (struct work){ .order = ORDER_DISK, .run = disk_job_run,
	    .done = disk_job_done, .arg = j };
	work_give(s->pool, &j->work);
}

static void
tick_cb(void *arg)
{
	struct spool *s = arg;

	disk_check(s);
	commit_soon(s);
	if (!s->recovering)
		segs_make(s);
	spool_serve(s);
	timer_set_ms(&s->tick, TICK_MS);
}

/* --- begin and end ------------------------------------------------------------- */

static int
dir_open(int at, const char *name, struct err *err)
{
	int fd;

	if (disk_mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return err_errno(err, "make %s in the spool", name);
	fd = disk_openat(at, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return err_errno(err, "open %s in the spool", name);
	return fd;
}

static void
seg_init_cold(struct spool *s)
{
	s->cold.spool = s;
	s->cold.state = SEG_FULL;
	s->cold.ref.fd = s->cold.lend_fd = s->cold.log.fd = -1;
	TAILQ_INIT(&s->cold.msgs);
	buf_init(&s->cold.pending, BUF_NO_CAP);
	buf_init(&s->cold.writing, BUF_NO_CAP);
}

struct spool *
spool_new(struct loop *l, const struct spool_config *cfg,
    const struct spool_ops *ops, void *arg, struct err *err)
{
	struct spool *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->cfg = *cfg;
	s->cfg.lanes = MAX(cfg->lanes, 1u);
	s->ops = ops;
	s->arg = arg;
	if ((s->journal_dir = dir_open(cfg->spool_dir, "journal", err)) < 0 ||
	    (s->queue_dir = dir_open(cfg->spool_dir, "queue", err)) < 0) {
		if (s->journal_dir >= 0)
			(void)disk_close(s->journal_dir);
		free(s);
		return NULL;
	}
	if (disk_fsync(cfg->spool_dir) == -1) {
		(void)err_errno(err, "sync the spool directory");
		(void)disk_close(s->journal_dir);
		(void)disk_close(s->queue_dir);
		free(s);
		return NULL;
	}
	s->by_id = map_new();
	s->cold_ids = map_new();
	s->lane = xcalloc(s->cfg.lanes, sizeof(*s->lane));
	TAILQ_INIT(&s->borrowers);
	TAILQ_INIT(&s->requests);
	TAILQ_INIT(&s->drains);
	TAILQ_INIT(&s->cold_found);
	seg_init_cold(s);
	defer_init(&s->commit_defer, l, commit_cb, s);
	defer_init(&s->walk_defer, l, walk_cb, s);
	defer_init(&s->serve_defer, l, serve_cb, s);
	timer_init(&s->commit_timer, l, commit_cb, s);
	timer_init(&s->tick, l, tick_cb, s);
	timer_set_ms(&s->tick, TICK_MS);
	s->pool = work_pool_new(l, THREADS);
	s->recovering = true;
	s->started_ms = loop_now_ms(l);
	drain_start(s);
	return s;
}

static void
seg_fini(struct spool_segment *seg)
{
	struct spool_msg *m;

	while ((m = TAILQ_FIRST(&seg->msgs)) != NULL) {
		TAILQ_REMOVE(&seg->msgs, m, link);
		spool_msg_free(m);
	}
	/* what the logs do not have yet; a restart finds it there */
	if (seg->log.fd != -1 && buf_len(&seg->pending) > 0)
		if (outlog_append(&seg->log, buf_span(&seg->pending),
		    NULL) != 0)
			log_warning("spool: the last outcomes of segment %u "
			    "were not written", seg->ref.id);
	buf_fini(&seg->pending);
	buf_fini(&seg->writing);
	free(seg->after.v);
	free(seg->writing_after.v);
	outlog_close(&seg->log);
	if (seg->ref.fd != -1)
		(void)disk_close(seg->ref.fd);
	if (seg->lend_fd != -1)
		(void)disk_close(seg->lend_fd);
}

void
spool_free(struct spool **sp)
{
	struct spool *s = *sp;
	struct borrower *b;
	unsigned i;

	if (s == NULL)
		return;
	s->stopping = true;
	work_pool_free(&s->pool);
	drains_free(s);
	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL) {
			seg_fini(s->seg[i]);
			free(s->seg[i]);
		}
	seg_fini(&s->cold);
	while ((b = TAILQ_FIRST(&s->borrowers)) != NULL) {
		TAILQ_REMOVE(&s->borrowers, b, link);
		free(b);
	}
	for (i = 0; i < s->cfg.lanes; i++)
		free(s->lane[i].v);
	free(s->lane);
	free(s->seg);
	map_free(&s->by_id);
	map_free(&s->cold_ids);
	defer_cancel(&s->commit_defer);
	defer_cancel(&s->walk_defer);
	defer_cancel(&s->serve_defer);
	timer_clear(&s->tick);
	timer_clear(&s->commit_timer);
	(void)disk_close(s->journal_dir);
	(void)disk_close(s->queue_dir);
	free(s);
	*sp = NULL;
}

void
spool_stats(struct spool *s, struct spool_stats *out)
{
	uint64_t now = loop_now_ms(s->loop);
	unsigned i;

	*out = s->stats;
	out->recovering = s->recovering;
	out->messages = map_count(s->by_id);
	out->cold = s->cold.live;
	out->segments = s->n_seg;
	out->segments_free = segs_in(s, SEG_FREE);
	out->segments_lent = segs_in(s, SEG_LENT);
	out->segments_bad = segs_in(s, SEG_BAD);
	out->unwritten = buf_len(&s->cold.pending) + buf_len(&s->cold.writing);
	for (i = 0; i < s->n_seg; i++)
		if (s->seg[i] != NULL)
			out->unwritten += buf_len(&s->seg[i]->pending) +
			    buf_len(&s->seg[i]->writing);
	out->uncovered = 0;
	out->oldest_uncovered_ms = 0;
	for (i = 0; i < s->cfg.lanes; i++) {
		out->uncovered += s->lane[i].n;
		if (s->lane[i].n > 0)
			out->oldest_uncovered_ms =
			    MAX(out->oldest_uncovered_ms, now -
			    s->lane[i].v[s->lane[i].first].at_ms);
	}
}
