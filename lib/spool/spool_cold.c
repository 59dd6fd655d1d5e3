/*
 * Cold files from qmgr's side: moving what stays in a segment that wants
 * recycling, what smtpds ask for, and reading messages on request (J11).
 */
#include "spool/spool_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "spool/cold.h"
#include "spool/segment.h"

#define MOVE_MAX	128		/* messages in one batch */
#define STAYS_MS	5000

/* --- the cold log ------------------------------------------------------------ */

void
cold_log_entries(struct spool *s, struct spool_msg *m,
    const uint8_t epoch[EPOCH_SIZE], struct buf *out)
{
	struct outlog_entry e = { .type = OUTLOG_COLD, .ref = m->ref };
	const uint8_t *seed = s->cold.log.epoch;
	uint32_t i;

	memcpy(e.epoch, epoch, EPOCH_SIZE);
	memcpy(e.queue_id, m->queue_id, sizeof(e.queue_id));
	outlog_pack(out, seed, &e);
	for (i = 0; i < m->n_rcpt; i++) {
		if (m->rcpt[i].state == SPOOL_DUE ||
		    m->rcpt[i].state == SPOOL_ACTIVE)
			continue;
		e = (struct outlog_entry){ .type = OUTLOG_OUTCOME,
		    .value = m->rcpt[i].state == SPOOL_FAILED ? JOB_FAILED :
		    JOB_SENT, .ref = m->ref, .rcpt = i };
		if (m->rcpt[i].state == SPOOL_SENT) {
			e.lane = m->rcpt[i].lane;
			e.n = m->rcpt[i].n;
		}
		outlog_pack(out, seed, &e);
	}
	if (m->attempts > 0 || m->crashes > 0) {
		e = (struct outlog_entry){ .type = OUTLOG_TRIED,
		    .value = (uint8_t)MIN(m->attempts, 255u), .ref = m->ref,
		    .crashes = m->crashes,
		    .next_us = clock_wall_us() + ((int64_t)m->next_ms -
		    (int64_t)clock_mono_ms()) * 1000 };
		outlog_pack(out, seed, &e);
	}
	/* what the envelope says by itself needs no entry, its opposite does */
	if (m->held || m->born_held) {
		e = (struct outlog_entry){ .type = OUTLOG_HOLD,
		    .value = m->held, .ref = m->ref };
		outlog_pack(out, seed, &e);
	}
}

void
cold_log_all(struct spool *s, const struct msg_list *list, struct buf *out)
{
	struct outlog_entry boot = { .type = OUTLOG_BOOT };
	struct spool_msg *m;

	memcpy(boot.boot, s->cfg.boot_id, sizeof(boot.boot));
	outlog_pack(out, s->cold.log.epoch, &boot);
	TAILQ_FOREACH(m, list, link)
		cold_log_entries(s, m, m->cold_epoch, out);
}

/* --- moving ---------------------------------------------------------------------- */

struct move_one {
	struct spool_msg *m;
	int fd;
	uint8_t epoch[EPOCH_SIZE];
	int rc;
	struct err err;
};

struct move_job {
	struct work work;
	struct spool *spool;
	struct spool_segment *seg;
	struct move_one one[MOVE_MAX];
	unsigned n;
	int rc;
	struct err err;
};

/* A file of that name from a move that did not get to its record: the record
 * in the segment is the message, so the file may go. */
static int
link_over(struct spool *s, int fd, const char *queue_id, struct err *err)
{
	int rc = cold_link(s->queue_dir, fd, queue_id, err);

	if (rc != PS_EEXIST)
		return rc;
	if ((rc = cold_unlink(s->queue_dir, queue_id, err)) != 0)
		return rc;
	return cold_link(s->queue_dir, fd, queue_id, err);
}

/* The copy, in a file without a name yet: o->fd. */
static int
copy_one(struct spool *s, const struct segment_ref *from, struct move_one *o)
{
	struct segment_ref ref;
	struct record r;
	int rc;

	if ((rc = record_open(from, o->m->offset, o->m->length,
	    o->m->queue_id, 0, &r, &o->err)) != 0)
		return rc;
	if ((o->fd = cold_create(s->queue_dir, &o->err)) < 0)
		rc = o->fd;
	if (rc == 0)
		rc = cold_fill(o->fd, &r.env, from->fd, r.body_offset,
		    r.h.body_len, NULL, &o->err);
	if (rc == 0)
		rc = cold_ref(o->fd, &ref, &o->err);
	if (rc == 0)
		memcpy(o->epoch, ref.epoch, EPOCH_SIZE);
	record_close(&r);
	return rc;
}

static int
epoch_one(struct spool *s, struct move_one *o)
{
	struct segment_ref ref;
	int rc = cold_open(s->queue_dir, o->m->queue_id, &ref, &o->err);

	if (rc == 0) {
		memcpy(o->epoch, ref.epoch, EPOCH_SIZE);
		(void)disk_close(ref.fd);
	}
	return rc;
}

/* J11, for many at a time: all written, one sync, all linked, one sync. */
static void
move_run(void *arg)
{
	struct move_job *j = arg;
	struct spool *s = j->spool;
	struct move_one *o, *end = j->one + j->n;

	for (o = j->one; o < end; o++) {
		o->fd = -1;
		o->rc = o->m->cold ? epoch_one(s, o) :
		    copy_one(s, &j->seg->ref, o);
	}
	if (disk_syncfs(s->queue_dir) == -1)
		j->rc = err_errno(&j->err, "sync the queue files");
	for (o = j->one; o < end; o++) {
		if (o->fd >= 0 && o->rc == 0 && j->rc == 0)
			o->rc = link_over(s, o->fd, o->m->queue_id, &o->err);
		if (o->fd >= 0)
			(void)disk_close(o->fd);
	}
	if (j->rc == 0)
		j->rc = cold_dir_sync(s->queue_dir, &j->err);
}

static void
move_failed(struct spool *s, struct move_one *o, const struct err *err)
{
	o->m->moving = false;
	spool_alarm(s, "%s: cannot move to a queue file: %s",
	    o->m->queue_id, err->why);
	s->ops->changed(s->arg, o->m);
}

static void
move_record(struct spool *s, struct move_job *j, struct move_one *o)
{
	struct after a = { .what = AFTER_COLD, .m = o->m, .from = j->seg,
	    .serial = ++s->cold_serial };
	uint64_t keep = o->m->ref;

	s->moves_open++;
	memcpy(o->m->cold_epoch, o->epoch, EPOCH_SIZE);
	o->m->ref = a.serial;
	cold_log_entries(s, o->m, o->epoch, &s->cold.pending);
	o->m->ref = keep;
	commit_after(&s->cold, a);
}

static void
move_done(void *arg)
{
	struct move_job *j = arg;
	struct spool *s = j->spool;
	struct move_one *o;

	s->moving = false;
	j->seg->busy--;
	for (o = j->one; o < j->one + j->n; o++) {
		if (j->rc != 0 || o->rc != 0)
			move_failed(s, o, j->rc != 0 ? &j->err : &o->err);
		else
			move_record(s, j, o);
	}
	free(j);
}

/* What stays, not what is just about to be given to an agent. */
static bool
movable(const struct spool *s, const struct spool_msg *m)
{
	return (m->held || m->attempts > 0 ||
	    loop_now_ms(s->loop) - m->found_ms > STAYS_MS) &&
	    m->n_active == 0 && m->n_uncovered == 0 && !m->moving &&
	    !m->deleting && !m->twin;
}

/* The read segment with the least in it, if all of that may move now. */
static struct spool_segment *
move_pick(struct spool *s)
{
	struct spool_segment *seg, *best = NULL;
	struct spool_msg *m;
	unsigned i;

	for (i = 0; i < s->n_seg; i++) {
		seg = s->seg[i];
		if (seg == NULL || seg->state != SEG_FULL || seg->live == 0 ||
		    seg->failed || (best != NULL && seg->live >= best->live))
			continue;
		TAILQ_FOREACH(m, &seg->msgs, link)
			if (movable(s, m)) {
				best = seg;
				break;
			}
	}
	return best;
}

void
cold_move_some(struct spool *s)
{
	struct spool_segment *seg;
	struct move_job *j;
	struct spool_msg *m;

	if (s->moving || s->cold.log.fd == -1 ||
	    (seg = move_pick(s)) == NULL)
		return;
	j = xcalloc(1, sizeof(*j));
	j->spool = s;
	j->seg = seg;
	TAILQ_FOREACH(m, &seg->msgs, link) {
		if (j->n == MOVE_MAX)
			break;
		if (!movable(s, m))
			continue;
		m->moving = true;
		j->one[j->n++].m = m;
	}
	s->moving = true;
	seg->busy++;
	j->work = (struct work){ .order = ORDER_QUEUE_DIR, .run = move_run,
	    .done = move_done, .arg = j };
	work_give(s->pool, &j->work);
}

/* --- requests ---------------------------------------------------------------------- */

enum request_kind { REQ_ASK, REQ_LINK, REQ_OPEN, REQ_PEEK, REQ_REMOVE };

struct request {
	TAILQ_ENTRY(request) link;
	struct work work;
	struct spool *spool;
	enum request_kind kind;
	const void *owner;
	bool dropped;
	char queue_id[QUEUE_ID_LEN + 1];
	struct spool_msg *m;
	struct spool_segment *seg;	/* PEEK of a hot one: kept busy */
	uint64_t offset;
	int fd, rc;
	struct err err;
	struct record r;
	spool_cold_cb *cold_cb;
	spool_linked_cb *linked_cb;
	spool_open_cb *open_cb;
	spool_peek_cb *peek_cb;
	void *arg;
};

static void
peek_run(struct request *q)
{
	struct segment_ref ref;

	if (q->seg != NULL) {
		q->rc = record_peek(&q->seg->ref, q->offset, &q->r, &q->err);
		return;
	}
	q->rc = cold_open(q->spool->queue_dir, q->queue_id, &ref, &q->err);
	if (q->rc == 0) {
		q->rc = record_peek(&ref, COLD_RECORD_OFFSET, &q->r,
		    &q->err);
		(void)disk_close(ref.fd);
	}
}

static void
ask_run(struct request *q)
{
	q->fd = cold_create(q->spool->queue_dir, &q->err);
	if ((q->rc = MIN(q->fd, 0)) != 0)
		return;
	/* as long as its description is open, no recovery removes it */
	if (segment_right_take(q->fd) != 0)
		q->rc = err_set(&q->err, ERR_TEMP, PS_EIO,
		    "cannot lock a queue file");
}

static void
request_run(void *arg)
{
	struct request *q = arg;
	struct spool *s = q->spool;

	switch (q->kind) {
	case REQ_ASK:
		ask_run(q);
		break;
	case REQ_LINK:
		q->rc = cold_link(s->queue_dir, q->fd, q->queue_id, &q->err);
		if (q->rc == 0)
			q->rc = cold_dir_sync(s->queue_dir, &q->err);
		break;
	case REQ_OPEN:
		q->fd = disk_openat(s->queue_dir, q->queue_id, O_RDONLY, 0);
		q->rc = q->fd >= 0 ? 0 : err_errno(&q->err,
		    "open queue file %s", q->queue_id);
		break;
	case REQ_PEEK:
		peek_run(q);
		break;
	case REQ_REMOVE:
		q->rc = cold_unlink(s->queue_dir, q->queue_id, &q->err);
		break;
	}
}

static void
request_answer(struct request *q)
{
	int fd = q->rc == 0 ? q->fd : -1;

	switch (q->kind) {
	case REQ_ASK:
		q->cold_cb(q->arg, fd);
		break;
	case REQ_LINK:
		q->linked_cb(q->arg, q->rc == 0);
		break;
	case REQ_OPEN:
		q->open_cb(q->arg, q->m, fd, q->rc == 0 ? NULL : &q->err);
		if (q->rc == 0)
			q->fd = -1;
		break;
	case REQ_PEEK:
		q->peek_cb(q->arg, q->queue_id, q->rc == 0 ? &q->r : NULL,
		    &q->err);
		break;
	case REQ_REMOVE:
		break;
	}
}

static void
request_done(void *arg)
{
	struct request *q = arg;
	struct spool *s = q->spool;

	TAILQ_REMOVE(&s->requests, q, link);
	if (q->seg != NULL) {
		q->seg->busy--;
		defer_call(&s->serve_defer);
	}
	if (q->rc != 0 && q->kind != REQ_PEEK && q->rc != PS_ENOTFOUND)
		log_warning("spool: %s", q->err.why);
	if (!q->dropped && !s->stopping)
		request_answer(q);
	if (q->fd >= 0)
		(void)disk_close(q->fd);
	if (q->kind == REQ_PEEK && q->rc == 0)
		record_close(&q->r);
	free(q);
}

static struct request *
request_new(struct spool *s, enum request_kind kind, const void *owner,
    void *arg)
{
	struct request *q = xcalloc(1, sizeof(*q));

	q->spool = s;
	q->kind = kind;
	q->owner = owner;
	q->arg = arg;
	q->fd = -1;
	q->work = (struct work){ .run = request_run, .done = request_done,
	    .arg = q };
	TAILQ_INSERT_TAIL(&s->requests, q, link);
	return q;
}

void
requests_drop(struct spool *s, const void *owner)
{
	struct request *q;

	TAILQ_FOREACH(q, &s->requests, link)
		q->dropped |= q->owner == owner;
}

void
spool_cold_ask(struct spool *s, void *owner, spool_cold_cb *cb, void *arg)
{
	struct request *q = request_new(s, REQ_ASK, owner, arg);

	q->cold_cb = cb;
	work_give(s->pool, &q->work);
}

void
spool_cold_link(struct spool *s, void *owner, int fd, struct span queue_id,
    spool_linked_cb *cb, void *arg)
{
	struct request *q = request_new(s, REQ_LINK, owner, arg);

	q->linked_cb = cb;
	q->fd = fd;
	/* a wrong one fails cold_link's check */
	memcpy(q->queue_id, queue_id.p, MIN(queue_id.n,
	    (size_t)QUEUE_ID_LEN));
	q->work.order = ORDER_QUEUE_DIR;
	work_give(s->pool, &q->work);
}

void
spool_open_cold(struct spool *s, struct spool_msg *m, spool_open_cb *cb,
    void *arg)
{
	struct request *q = request_new(s, REQ_OPEN, s, arg);

	q->open_cb = cb;
	q->m = m;
	memcpy(q->queue_id, m->queue_id, sizeof(q->queue_id));
	work_give(s->pool, &q->work);
}

void
spool_peek(struct spool *s, struct spool_msg *m, spool_peek_cb *cb,
    void *arg)
{
	struct request *q = request_new(s, REQ_PEEK, s, arg);

	q->peek_cb = cb;
	memcpy(q->queue_id, m->queue_id, sizeof(q->queue_id));
	if (!m->cold) {
		q->seg = m->seg;
		q->seg->busy++;
		q->offset = m->offset;
	}
	work_give(s->pool, &q->work);
}

void
cold_file_remove(struct spool *s, const char *queue_id)
{
	struct request *q;

	if (s->stopping)
		return;		/* recovery does it */
	q = request_new(s, REQ_REMOVE, s, NULL);
	memcpy(q->queue_id, queue_id, sizeof(q->queue_id));
	q->work.order = ORDER_QUEUE_DIR;
	work_give(s->pool, &q->work);
}
