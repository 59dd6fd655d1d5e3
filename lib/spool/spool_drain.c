/*
 * Reading segments: what hints announce, what a dead worker left, and all of
 * it at start. One walk for all three (J2); at start the outcome log says
 * what of it is done already (J7).
 */
#include "spool/spool_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "spool/cold.h"
#include "spool/header.h"
#include "spool/incarnation.h"
#include "spool/segment.h"

#define RETRY_MS	20
#define PATIENCE_MS	5000

/* --- replaying an outcome log over messages --------------------------------- */

struct replay {
	struct spool *spool;
	struct map *by_ref;
	struct map *covered;		/* lane -> highest covered, + 1 */
	bool this_boot;
	struct msg_list *msgs;		/* COLD entries add here */
	uint64_t last_ref;
};

static void
replay_init(struct replay *p, struct spool *s, struct msg_list *msgs)
{
	*p = (struct replay){ .spool = s, .by_ref = map_new(),
	    .covered = map_new(), .msgs = msgs };
}

static void
replay_add(struct replay *p, struct spool_msg *m)
{
	TAILQ_INSERT_TAIL(p->msgs, m, link);
	(void)map_put_u64(p->by_ref, m->ref, m);
}

static void
replay_drop(struct replay *p, struct spool_msg *m)
{
	(void)map_del_u64(p->by_ref, m->ref);
	TAILQ_REMOVE(p->msgs, m, link);
	spool_msg_free(m);
}

static void
replay_outcome(struct replay *p, struct spool_msg *m,
    const struct outlog_entry *e)
{
	struct spool_rcpt *r;

	if (e->rcpt >= m->n_rcpt)
		return;
	r = &m->rcpt[e->rcpt];
	if (e->type == OUTLOG_UNDONE)
		r->state = SPOOL_DUE;
	else if (e->value == JOB_SENT)
		r->state = SPOOL_SENT;
	else if (e->value == JOB_FAILED) {
		r->state = SPOOL_FAILED;
		m->held = true;
	}
	r->lane = e->lane;
	r->n = e->n;
	r->this_boot = p->this_boot;
}

static void
replay_tried(struct spool_msg *m, const struct outlog_entry *e)
{
	int64_t wait = (e->next_us - clock_wall_us()) / 1000;

	m->attempts = e->value;
	m->crashes = e->crashes;
	/* a clock that jumped must not park a message for years (J13) */
	m->next_ms = clock_mono_ms() + (wait <= 0 ? 0 :
	    MIN((uint64_t)wait, (uint64_t)86400 * 1000));
}

static void
replay_held(struct spool_msg *m, bool held)
{
	uint32_t i;

	m->held = held;
	for (i = 0; i < m->n_rcpt && !held; i++)
		if (m->rcpt[i].state == SPOOL_FAILED)
			m->rcpt[i].state = SPOOL_DUE;
}

/* A COLD entry: the message as its file has it, or nothing when there is no
 * such file any more (it was finished). */
static void
replay_cold(struct replay *p, const struct outlog_entry *e)
{
	struct spool *s = p->spool;
	struct segment_ref ref;
	struct spool_msg *m;
	struct record r;
	struct err err;
	int rc;

	if ((rc = cold_open(s->queue_dir, e->queue_id, &ref, &err)) != 0) {
		if (rc != PS_ENOTFOUND)
			spool_alarm(s, "%s", err.why);
		return;
	}
	rc = memcmp(ref.epoch, e->epoch, EPOCH_SIZE) != 0 ? PS_ENOTFOUND :
	    record_peek(&ref, COLD_RECORD_OFFSET, &r, &err);
	(void)disk_close(ref.fd);
	if (rc != 0) {
		if (rc != PS_ENOTFOUND)
			spool_alarm(s, "queue file %s: %s", e->queue_id,
			    err.why);
		return;
	}
	m = spool_msg_new(&r);
	record_close(&r);
	m->cold = true;
	m->ref = e->ref;
	m->offset = COLD_RECORD_OFFSET;
	m->length = 0;
	memcpy(m->cold_epoch, e->epoch, EPOCH_SIZE);
	replay_add(p, m);
}

static void
replay_entry(const struct outlog_entry *e, void *arg)
{
	struct replay *p = arg;
	struct spool_msg *m;
	uintptr_t most;

	p->last_ref = MAX(p->last_ref, e->ref);
	if (e->type == OUTLOG_BOOT) {
		p->this_boot = memcmp(e->boot, p->spool->cfg.boot_id,
		    sizeof(e->boot)) == 0;
		return;
	}
	if (e->type == OUTLOG_CHECKPOINT) {
		most = (uintptr_t)map_get_u64(p->covered, e->lane);
		(void)map_put_u64(p->covered, e->lane,
		    (void *)MAX(most, (uintptr_t)e->n + 1));
		return;
	}
	if (e->type == OUTLOG_COLD) {
		replay_cold(p, e);
		return;
	}
	if ((m = map_get_u64(p->by_ref, e->ref)) == NULL)
		return;
	if (e->type == OUTLOG_GONE)
		replay_drop(p, m);
	else if (e->type == OUTLOG_TRIED)
		replay_tried(m, e);
	else if (e->type == OUTLOG_HOLD)
		replay_held(m, e->value != 0);
	else
		replay_outcome(p, m, e);
}

/* J7: what is final, what is provisional, what has to be done again. */
static void
rcpt_settle(const struct replay *p, struct spool_msg *m,
    struct spool_rcpt *r)
{
	uintptr_t most;

	if (r->state != SPOOL_SENT)
		return;
	most = (uintptr_t)map_get_u64(p->covered, r->lane);
	if (r->lane == 0 || r->n + 1 < most) {
		r->state = SPOOL_FINAL;
		m->n_open--;
	} else if (r->this_boot)
		m->n_uncovered++;
	else
		r->state = SPOOL_DUE;
}

static void
replay_end(struct replay *p)
{
	struct spool_msg *m, *next;
	uint32_t i;

	TAILQ_FOREACH_SAFE(m, p->msgs, link, next) {
		m->maybe_done = m->recovered = true;
		for (i = 0; i < m->n_rcpt; i++)
			rcpt_settle(p, m, &m->rcpt[i]);
		if (m->n_open == 0)
			replay_drop(p, m);
	}
	map_free(&p->by_ref);
	map_free(&p->covered);
}

/* --- a segment, in a thread --------------------------------------------------- */

struct drain {
	TAILQ_ENTRY(drain) link;
	struct work work;
	struct timer timer;
	struct spool *spool;
	struct spool_segment *seg;
	bool at_start;		/* open it, replay its log */
	bool counted;		/* recovery waits for it */
	uint64_t since_ms;
	struct msg_list msgs;
	uint64_t bad;
	struct buf gone;	/* GONE entries to write */
	int rc;
	struct err err;
};

/* J11: COLD wins over the record it was made from; the segment's log then
 * says GONE, before the message in the cold file may go on (see
 * after_cold). */
static bool
is_in_cold_log(struct spool *s, const struct spool_msg *m)
{
	uintptr_t sum = (uintptr_t)map_get(s->cold_ids,
	    span_str(m->queue_id));

	return sum == (m->sum | 1);
}

static int
drain_walk(struct drain *d, struct replay *p)
{
	struct spool_segment *seg = d->seg;
	struct record_walk w;
	struct record r;
	struct spool_msg *m;
	int rc;

	record_walk_init(&w, &seg->ref, d->at_start ? 0 : seg->walked,
	    seg->ref.size, true);
	while ((rc = record_walk_next(&w, &r, &d->err)) == 1) {
		m = spool_msg_new(&r);
		record_close(&r);
		if (d->at_start && is_in_cold_log(d->spool, m)) {
			struct outlog_entry gone = { .type = OUTLOG_GONE,
			    .ref = m->ref };

			outlog_pack(&d->gone, seg->ref.epoch, &gone);
			spool_msg_free(m);
		} else if (p != NULL)
			replay_add(p, m);
		else
			TAILQ_INSERT_TAIL(&d->msgs, m, link);
	}
	d->bad = w.bad;
	record_walk_fini(&w);
	return rc;
}

/* The epoch also stands in the log: a header page that rotted or tore hides
 * nothing. */
static int
drain_open(struct drain *d)
{
	struct spool *s = d->spool;
	struct spool_segment *seg = d->seg;
	int rc = 0;

	if (seg->ref.fd == -1)
		rc = segment_open(s->journal_dir, seg->ref.id, &seg->ref,
		    &d->err);
	if (rc != 0 && rc != PS_ECORRUPT)
		return rc;
	if (outlog_open(s->journal_dir, seg->ref.id,
	    rc == 0 ? seg->ref.epoch : NULL, &seg->log, NULL) != 0)
		seg->log.fd = -1;
	if (rc != 0 && seg->log.fd != -1) {
		memcpy(seg->ref.epoch, seg->log.epoch, EPOCH_SIZE);
		return 0;
	}
	return rc;
}

static int
drain_log(struct drain *d, struct replay *p)
{
	struct spool_segment *seg = d->seg;
	int rc;

	if (seg->log.fd == -1) {
		memcpy(seg->log.epoch, seg->ref.epoch, EPOCH_SIZE);
		seg->log.dir = d->spool->journal_dir;
		seg->log.id = seg->ref.id;
		return outlog_replace(&seg->log, buf_span(&d->gone), &d->err);
	}
	rc = outlog_scan(&seg->log, replay_entry, p, &d->err);
	if (rc != 0 || buf_len(&d->gone) == 0)
		return rc;
	if ((rc = outlog_append(&seg->log, buf_span(&d->gone), &d->err)) == 0)
		rc = outlog_sync(&seg->log, &d->err);
	return rc;
}

static void
drain_run(void *arg)
{
	struct drain *d = arg;
	struct replay p;

	buf_clear(&d->gone);
	if (d->at_start && (d->rc = drain_open(d)) != 0)
		return;
	if ((d->rc = segment_right_take(d->seg->ref.fd)) != 0)
		return;
	segment_right_drop(d->seg->ref.fd);
	/* J2: nothing is acted on that was not synced. What a failure here
	 * loses was not promised to anybody. */
	if (disk_fdatasync(d->seg->ref.fd) == -1) {
		(void)err_errno(&d->err, "sync");
		d->seg->failed = true;
	}
	if (!d->at_start) {
		d->rc = drain_walk(d, NULL);
		return;
	}
	replay_init(&p, d->spool, &d->msgs);
	if ((d->rc = drain_walk(d, &p)) == 0)
		d->rc = drain_log(d, &p);
	replay_end(&p);
}

/* --- and on the loop ------------------------------------------------------------ */

static void
msg_take(struct spool *s, struct spool_segment *seg, struct spool_msg *m)
{
	struct outlog_entry hold = { .type = OUTLOG_HOLD, .value = 1 };
	uint32_t i;

	if (m->n_rcpt == 0) {
		spool_alarm(s, "%s: a message without recipients is ignored",
		    m->queue_id);
		spool_msg_free(m);
		return;
	}
	spool_msg_add(s, seg, m);
	for (i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].state == SPOOL_SENT)
			lane_inherit(s, m, i, m->rcpt[i].lane, m->rcpt[i].n);
	if (s->hold_all && m->recovered) {
		m->held = true;
		spool_reason_set(m, "restored spool: release it by hand");
		hold.ref = m->ref;
		commit_entry(seg, &hold, true);
		s->holding++;
		commit_after(seg, (struct after){ .what = AFTER_HELD });
	}
	s->ops->message(s->arg, m);
}

static void recover_check(struct spool *s);

static void
msgs_free(struct msg_list *l)
{
	struct spool_msg *m;

	while ((m = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, m, link);
		spool_msg_free(m);
	}
}

static void
drain_again_cb(void *arg)
{
	struct drain *d = arg;

	work_give(d->spool->pool, &d->work);
}

/* A worker still has the right to append: it is ending, or was stopped. */
static void
drain_wait(struct drain *d)
{
	struct spool *s = d->spool;
	uint64_t now = loop_now_ms(s->loop);

	msgs_free(&d->msgs);
	if (d->at_start && d->seg->log.fd != -1)
		outlog_close(&d->seg->log);	/* opened anew next time */
	if (now - d->since_ms > PATIENCE_MS) {
		log_warning("spool: segment %u: %s", d->seg->ref.id,
		    d->rc == PS_EAGAIN ? "still held by a worker" :
		    d->err.why);
		d->since_ms = now;
		if (d->counted) {
			d->counted = false;
			s->draining--;
			s->late++;
			recover_check(s);
		}
	}
	timer_set_ms(&d->timer, d->rc == PS_EAGAIN ? RETRY_MS :
	    50 * RETRY_MS);
}

static void
drain_free(struct drain *d)
{
	msgs_free(&d->msgs);
	buf_fini(&d->gone);
	TAILQ_REMOVE(&d->spool->drains, d, link);
	free(d);
}

static void
drain_done(void *arg)
{
	struct drain *d = arg;
	struct spool *s = d->spool;
	struct spool_segment *seg = d->seg;
	struct spool_msg *m;

	if (s->stopping)
		return;		/* freed by drains_free */
	if (d->rc == PS_EAGAIN || d->rc == PS_EFULL) {
		drain_wait(d);
		return;
	}
	if (d->bad > 0)
		log_warning("spool: segment %u: %llu torn records, which "
		    "nobody was promised, are skipped", seg->ref.id,
		    (unsigned long long)d->bad);
	if (seg->failed)
		spool_alarm(s, "segment %u: %s", seg->ref.id, d->err.why);
	seg->state = SEG_FULL;
	if (d->rc != 0) {
		spool_alarm(s, "segment %u cannot be read: %s; it is set "
		    "aside, its messages are not delivered", seg->ref.id,
		    d->err.why);
		seg->state = SEG_BAD;
	} else {
		while ((m = TAILQ_FIRST(&d->msgs)) != NULL) {
			TAILQ_REMOVE(&d->msgs, m, link);
			msg_take(s, seg, m);
		}
	}
	seg->walked = seg->ref.size;
	s->draining -= d->counted;
	drain_free(d);
	recover_check(s);
	defer_call(&s->serve_defer);
}

static void
drain_give(struct spool *s, struct spool_segment *seg, bool at_start)
{
	struct drain *d = xcalloc(1, sizeof(*d));

	d->spool = s;
	d->seg = seg;
	d->at_start = d->counted = at_start;
	d->since_ms = loop_now_ms(s->loop);
	timer_init(&d->timer, s->loop, drain_again_cb, d);
	TAILQ_INIT(&d->msgs);
	buf_init(&d->gone, BUF_NO_CAP);
	TAILQ_INSERT_TAIL(&s->drains, d, link);
	s->draining += d->counted;
	seg->state = SEG_DRAINING;
	seg->returned = false;
	d->work = (struct work){ .run = drain_run, .done = drain_done,
	    .arg = d };
	work_give(s->pool, &d->work);
}

void
drains_free(struct spool *s)
{
	struct drain *d;

	while ((d = TAILQ_FIRST(&s->drains)) != NULL) {
		timer_clear(&d->timer);
		drain_free(d);
	}
	msgs_free(&s->cold_found);
}

void
drain_segment(struct spool *s, struct spool_segment *seg)
{
	drain_give(s, seg, false);
}

/* --- live ------------------------------------------------------------------------ */

struct warm {
	struct work work;
	struct spool_segment *seg;
	uint64_t from, to;
};

static void
warm_run(void *arg)
{
	struct warm *w = arg;
	size_t n = (size_t)MIN(w->to - w->from, (uint64_t)4 << 20);
	char *p = xmalloc(n);

	/* into the page cache, and once through memory: then it is there */
	(void)disk_pread(w->seg->ref.fd, p, n, (off_t)w->from);
	free(p);
}

static void
warm_done(void *arg)
{
	struct warm *w = arg;
	struct spool_segment *seg = w->seg;

	seg->walking = false;
	seg->busy--;
	free(w);
	if (!seg->spool->stopping)
		defer_call(&seg->spool->walk_defer);
}

static void
warm_give(struct spool *s, struct spool_segment *seg, uint64_t from)
{
	struct warm *w = xcalloc(1, sizeof(*w));

	w->seg = seg;
	w->from = from;
	w->to = seg->durable;
	seg->walking = true;
	seg->busy++;
	w->work = (struct work){ .run = warm_run, .done = warm_done,
	    .arg = w };
	work_give(s->pool, &w->work);
}

void
drain_live(struct spool *s, struct spool_segment *seg)
{
	struct record_walk w;
	struct record r;
	struct err err;
	int rc = 0;

	if (seg->walking)
		return;
	record_walk_init(&w, &seg->ref, seg->walked, seg->durable, false);
	w.nowait = !seg->no_nowait;
	while (w.pos < w.end && (rc = record_walk_next(&w, &r, &err)) == 1) {
		msg_take(s, seg, spool_msg_new(&r));
		record_close(&r);
	}
	seg->walked = w.pos;
	if (rc == PS_EAGAIN) {
		/* some file systems never do it without waiting */
		seg->no_nowait = ++seg->warmed > 8 && seg->warm_pos == w.pos;
		seg->warm_pos = w.pos;
		warm_give(s, seg, w.pos);
	} else if (rc < 0)
		spool_alarm(s, "segment %u: %s", seg->ref.id, err.why);
	if (w.bad + w.skipped > 0)
		spool_alarm(s, "segment %u: %llu announced pages hold no "
		    "good record", seg->ref.id,
		    (unsigned long long)(w.bad + w.skipped));
	record_walk_fini(&w);
	if (seg->state == SEG_DRAINING && seg->walked >= seg->durable) {
		seg->state = SEG_FULL;
		defer_call(&s->serve_defer);
	}
}

/* --- recovery as a whole ----------------------------------------------------------- */

struct scan {
	struct work work;
	struct spool *spool;
	uint32_t *ids;
	size_t n_ids;
	struct msg_list cold;
	uint64_t last_serial;
	int rc;
	struct err err;
};

static DIR *
dir_list(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	if (d == NULL && fd != -1)
		(void)close(fd);
	return d;
}

static int
scan_journal(struct scan *c)
{
	DIR *d = dir_list(c->spool->journal_dir);
	struct dirent *e;
	struct span name;
	uint32_t id;

	if (d == NULL)
		return err_errno(&c->err, "read the journal directory");
	while ((e = readdir(d)) != NULL) {
		name = span_str(e->d_name);
		if (!span_ends(name, ".seg") ||
		    !span_u32(span_sub(name, 0, name.n - 4), 1, 9999, &id))
			continue;
		c->ids = xreallocarray(c->ids, c->n_ids + 1,
		    sizeof(*c->ids));
		c->ids[c->n_ids++] = id;
	}
	(void)closedir(d);
	return 0;
}

/* A cold log whose header is gone: every file in queue/ is a message. */
static void
cold_adopt(struct scan *c, struct replay *p)
{
	DIR *d = dir_list(c->spool->queue_dir);
	struct outlog_entry entry = { .type = OUTLOG_COLD };
	struct segment_ref ref;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!queueid_valid(span_str(e->d_name)) ||
		    cold_open(c->spool->queue_dir, e->d_name, &ref, NULL) != 0)
			continue;
		(void)disk_close(ref.fd);
		entry.ref = ++p->last_ref;
		memcpy(entry.epoch, ref.epoch, EPOCH_SIZE);
		memcpy(entry.queue_id, e->d_name, sizeof(entry.queue_id));
		replay_cold(p, &entry);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* Only what lives is written back; uncovered outcomes as they were. */
static int
cold_compact(struct scan *c)
{
	struct spool *s = c->spool;
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_CAP);
	cold_log_all(s, &c->cold, &b);
	rc = outlog_replace(&s->cold.log, buf_span(&b), &c->err);
	buf_fini(&b);
	return rc;
}

static int
scan_cold(struct scan *c)
{
	struct spool *s = c->spool;
	struct replay p;
	int rc;

	rc = outlog_open(s->journal_dir, 0, NULL, &s->cold.log, &c->err);
	if (rc != 0 && rc != PS_ENOTFOUND && rc != PS_ECORRUPT)
		return rc;
	replay_init(&p, s, &c->cold);
	if (rc != 0) {
		header_epoch(s->cold.log.epoch);
		if (rc == PS_ECORRUPT) {
			spool_alarm(s, "the cold log cannot be read: every "
			    "queue file counts as a message");
			cold_adopt(c, &p);
		}
		rc = 0;
	} else
		rc = outlog_scan(&s->cold.log, replay_entry, &p, &c->err);
	c->last_serial = p.last_ref;
	replay_end(&p);
	return rc != 0 ? rc : cold_compact(c);
}

static void
scan_run(void *arg)
{
	struct scan *c = arg;

	if ((c->rc = scan_journal(c)) == 0)
		c->rc = scan_cold(c);
}

static void
scan_done(void *arg)
{
	struct scan *c = arg;
	struct spool *s = c->spool;
	struct spool_msg *m;
	size_t i;

	if (c->rc != 0 && !s->stopping)
		s->ops->ready(s->arg, &c->err);
	while ((m = TAILQ_FIRST(&c->cold)) != NULL) {
		TAILQ_REMOVE(&c->cold, m, link);
		(void)map_put(s->cold_ids, span_str(m->queue_id),
		    (void *)(uintptr_t)(m->sum | 1));
		if (s->stopping || c->rc != 0)
			spool_msg_free(m);
		else
			TAILQ_INSERT_TAIL(&s->cold_found, m, link);
	}
	s->cold_serial = c->last_serial;
	s->cold.booted = true;
	for (i = 0; i < c->n_ids && c->rc == 0 && !s->stopping; i++)
		drain_give(s, spool_segment_new(s, c->ids[i]), true);
	if (c->rc == 0 && !s->stopping)
		recover_check(s);
	free(c->ids);
	free(c);
}

/* J11: files that nothing refers to. Whoever may still give one a record
 * holds its lock, and no segment was lent yet. */
struct sweep {
	struct work work;
	struct spool *spool;
	struct map *live;
	unsigned removed;
};

static void
sweep_one(struct sweep *w, const char *name)
{
	int dir = w->spool->queue_dir, fd;

	if (map_get(w->live, span_str(name)) != NULL ||
	    (fd = disk_openat(dir, name, O_RDWR, 0)) == -1)
		return;
	if (segment_right_take(fd) == 0 && disk_unlinkat(dir, name, 0) == 0)
		w->removed++;
	(void)disk_close(fd);
}

static void
sweep_run(void *arg)
{
	struct sweep *w = arg;
	DIR *d = dir_list(w->spool->queue_dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			sweep_one(w, e->d_name);
	if (d != NULL)
		(void)closedir(d);
	if (w->removed > 0 && disk_fsync(w->spool->queue_dir) == -1)
		log_warning("spool: cannot sync the queue directory");
}

static void
hold_done_run(void *arg)
{
	struct spool *s = arg;
	struct err err;

	if (incarnation_hold_done(s->cfg.spool_dir, &err) != 0)
		log_warning("spool: %s; the next start holds all again",
		    err.why);
}

/* J14: the mark goes when everything is held, durably. */
void
hold_check(struct spool *s)
{
	if (!s->hold_all || s->recovering || s->late > 0 || s->holding > 0 ||
	    s->stopping)
		return;
	s->hold_all = false;
	s->hold_work = (struct work){ .run = hold_done_run, .arg = s };
	work_give(s->pool, &s->hold_work);
}

static void
recover_end(struct spool *s)
{
	s->recovering = false;
	if (s->hold_all)
		log_warning("spool: it was restored: all %zu messages in it "
		    "are held; see `postern queue list`, then `postern queue "
		    "release` or `delete`", map_count(s->by_id));
	if (!s->stopping) {
		s->ops->ready(s->arg, NULL);
		defer_call(&s->serve_defer);
	}
	hold_check(s);
}

static void
sweep_done(void *arg)
{
	struct sweep *w = arg;
	struct spool *s = w->spool;

	if (w->removed > 0)
		log_info("spool: %u queue files without a record removed",
		    w->removed);
	map_free(&w->live);
	free(w);
	recover_end(s);
}

static void
sweep_give(struct spool *s)
{
	struct sweep *w = xcalloc(1, sizeof(*w));
	struct span key;
	void *value;
	size_t pos = 0;

	w->spool = s;
	w->live = map_new();
	while (map_next(s->by_id, &pos, &key, &value))
		if (((struct spool_msg *)value)->cold ||
		    ((struct spool_msg *)value)->twin)
			(void)map_put(w->live, key, w);
	w->work = (struct work){ .order = ORDER_QUEUE_DIR, .run = sweep_run,
	    .done = sweep_done, .arg = w };
	work_give(s->pool, &w->work);
}

static void
recover_check(struct spool *s)
{
	struct spool_msg *m;

	if (!s->recovering || s->sweeping || s->draining > 0)
		return;
	s->sweeping = true;
	/* in its segments' turn: records that COLD entries replaced are known
	 * only after all were read */
	while ((m = TAILQ_FIRST(&s->cold_found)) != NULL) {
		TAILQ_REMOVE(&s->cold_found, m, link);
		msg_take(s, &s->cold, m);
	}
	if (s->late > 0) {
		recover_end(s);		/* next start sweeps */
		return;
	}
	sweep_give(s);
}

void
drain_start(struct spool *s)
{
	struct scan *c = xcalloc(1, sizeof(*c));

	c->spool = s;
	TAILQ_INIT(&c->cold);
	s->hold_all = incarnation_hold_wanted(s->cfg.spool_dir);
	c->work = (struct work){ .run = scan_run, .done = scan_done,
	    .arg = c };
	work_give(s->pool, &c->work);
}
