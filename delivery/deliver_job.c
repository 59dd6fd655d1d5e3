/*
 * Jobs: a record of the journal into one or more maildirs. The loop only
 * hands over and answers; reading, parsing and writing is done in the writer
 * threads, in order for one mailbox.
 */
#include "delivery/deliver.h"

#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "delivery/delivery_log.h"
#include "proto/proto.h"
#include "spool/cold.h"
#include "spool/record.h"
#include "store/texts.h"

#define BODY_MEMORY	(1024 * 1024)
#define JOB_RCPTS_MAX	100000
#define HEAD_MAX	8192

/* A segment as qmgr handed it to us; jobs in threads hold it. */
struct segment {
	struct segment_ref ref;
	unsigned refs;		/* loop only */
};

struct target {
	struct mbox *box;
	uint32_t rcpt;		/* index in the envelope */
	/* the outcome */
	enum job_outcome result;
	const char *dsn;
	char text[200];
	enum delivered how;
	uint64_t bytes;
	uint64_t write;		/* which of the mailbox's */
	uint64_t spent_us;
};

struct job {
	struct work work;
	struct conn *c;
	uint64_t id;
	struct segment *seg;
	char queue_id[QUEUE_ID_LEN + 1];
	uint64_t offset, length;
	int cold_fd;		/* -1: the record is in seg */
	bool maybe_done;
	uint64_t began_us;
	struct record rec;
	bool rec_open;
	struct target *target;
	size_t n;
};

/* --- segments --- */

static void
segment_put(struct segment *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	(void)close(s->ref.fd);
	free(s);
}

static int
segment_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_job_segment in;
	struct segment *s;
	struct stat st;

	(void)ipc;
	if (!msg_job_segment_unpack(m->body, &in) || m->nfds != 1 ||
	    in.epoch.n != EPOCH_SIZE || fstat(m->fd[0], &st) == -1)
		return PS_ESYNTAX;
	s = xcalloc(1, sizeof(*s));
	s->refs = 1;
	s->ref.fd = m->fd[0];
	m->fd[0] = -1;
	s->ref.id = in.segment;
	s->ref.size = (uint64_t)st.st_size;
	memcpy(s->ref.epoch, in.epoch.p, EPOCH_SIZE);
	segment_put(map_put_u64(c->segments, in.segment, s));
	return 0;
}

/* --- in a writer thread --- */

/*
 * Scratch of one writer thread: parse state and buffers, kept from message
 * to message, freed when the thread ends.
 */
struct scratch {
	struct texts texts;
	struct buf head;
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void
scratch_free(void *arg)
{
	struct scratch *s = arg;

	texts_fini(&s->texts);
	buf_fini(&s->head);
	free(s);
}

static void
scratch_key_make(void)
{
	if (pthread_key_create(&scratch_key, scratch_free) != 0)
		log_fatal("no key for the scratch of writer threads");
}

static struct scratch *
scratch_get(void)
{
	struct scratch *mine;

	(void)pthread_once(&scratch_once, scratch_key_make);
	mine = pthread_getspecific(scratch_key);
	if (mine != NULL)
		return mine;
	mine = xcalloc(1, sizeof(*mine));
	texts_init(&mine->texts);
	buf_init(&mine->head, HEAD_MAX);
	(void)pthread_setspecific(scratch_key, mine);
	return mine;
}

static int
record_read(struct job *j, struct err *err)
{
	struct segment_ref ref;
	uint64_t offset = j->offset;
	int rc;

	if (j->cold_fd != -1) {
		if ((rc = cold_ref(j->cold_fd, &ref, err)) < 0)
			return rc;
		offset = COLD_RECORD_OFFSET;
	} else
		ref = j->seg->ref;
	rc = record_open(&ref, offset, j->cold_fd == -1 ? j->length : 0,
	    j->queue_id, BODY_MEMORY, &j->rec, err);
	j->rec_open = rc == 0;
	return rc;
}

/* The header lines that virtual(8) puts in front. Addresses came through the
 * SMTP parser: no control bytes; long ones are the envelope's to cap. */
static void
head_make(const struct envelope *env, const struct envelope_rcpt *r,
    struct buf *out)
{
	buf_clear(out);
	buf_str(out, "Return-Path: <");
	buf_span_add(out, env->sender);
	buf_str(out, ">\r\n");
	if (!span_eq(r->orig, r->final)) {
		buf_str(out, "X-Original-To: ");
		buf_span_add(out, r->orig);
		buf_str(out, "\r\n");
	}
	buf_str(out, "Delivered-To: ");
	buf_span_add(out, r->final);
	buf_str(out, "\r\n");
}

static void
target_defer(struct target *t, const struct err *err)
{
	t->result = JOB_DEFERRED;
	t->dsn = err->code == PS_EFULL ? "4.3.1" : "4.3.0";
	(void)snprintf(t->text, sizeof(t->text), "%s%.160s",
	    err->code == PS_EFULL ? "mail system full: " : "", err->why);
}

static const char *
delivered_text(enum delivered how)
{
	static const char *const texts[] = {
		[DELIVERED_NEW] = "delivered to maildir",
		[DELIVERED_BEFORE] = "delivered to maildir before",
		[DELIVERED_REPAIRED] = "delivered to maildir, copy repaired",
		[DELIVERED_SECOND] = "delivered to maildir as a second file",
	};

	return texts[how];
}

/* The record has the last word on who gets it (J9, J10). */
static bool
target_is_named(const struct job *j, const struct target *t,
    struct err *err)
{
	const struct envelope *e = &j->rec.env;

	if (t->rcpt < e->n_rcpt &&
	    e->rcpt[t->rcpt].kind == ENVELOPE_MAILBOX &&
	    e->rcpt[t->rcpt].mailbox_id == t->box->id)
		return true;
	err_set(err, ERR_BUG, PS_ESYNTAX,
	    "job names recipient %u, mailbox %llu, which its record has not",
	    t->rcpt, (unsigned long long)t->box->id);
	return false;
}

/* Open target, deliver. A target that failed is closed: its home may have
 * been removed or replaced under it. */
static int
target_try(struct job *j, struct target *t, const struct delivery *dl,
    struct err *err)
{
	uint32_t uid;
	int rc;

	rc = mbox_open(t->box, err);
	if (rc == 0)
		rc = deliver_one(t->box->target, dl, j->c->d->sync_file,
		    &t->how, &uid, err);
	if (rc < 0)
		mbox_shut(t->box);
	else
		mbox_rest(t->box);
	return rc;
}

static void
target_deliver(struct job *j, struct target *t,
    const struct delivery_body *body, struct buf *head)
{
	struct deliver *d = j->c->d;
	struct delivery dl = {
		.queue_id = span_of(j->queue_id, QUEUE_ID_LEN),
		.arrival = j->rec.env.arrival_us / 1000000,
		.body = body,
		.maybe_done = j->maybe_done,
		.rewrite = j->maybe_done && sync_has_failed(d),
	};
	struct err err = { 0 };
	int rc;

	if (!target_is_named(j, t, &err)) {
		target_defer(t, &err);
		return;
	}
	head_make(&j->rec.env, &j->rec.env.rcpt[t->rcpt], head);
	dl.head = buf_span(head);
	t->bytes = dl.head.n + body->len;
	marks_note(d, t->box->id);
	pthread_mutex_lock(&t->box->lock);
	rc = target_try(j, t, &dl, &err);
	if (rc == PS_ENOTFOUND)
		rc = target_try(j, t, &dl, &err);
	t->write = ++t->box->writes;
	pthread_mutex_unlock(&t->box->lock);
	if (rc < 0) {
		target_defer(t, &err);
		return;
	}
	t->result = JOB_SENT;
	t->dsn = "2.0.0";
	(void)snprintf(t->text, sizeof(t->text), "%s",
	    delivered_text(t->how));
}

static void
job_run(void *arg)
{
	struct job *j = arg;
	struct scratch *s = scratch_get();
	struct delivery_body body = { .fd = -1 };
	struct err err = { 0 };
	uint64_t from;
	size_t i;

	if (record_read(j, &err) < 0) {
		for (i = 0; i < j->n; i++)
			target_defer(&j->target[i], &err);
		return;
	}
	body.mem = j->rec.body;
	body.fd = j->rec.fd;
	body.off = j->rec.body_offset;
	body.len = j->rec.h.body_len;
	if (body.mem.p != NULL) {
		texts_make(&s->texts, body.mem);
		body.envelope = buf_span(&s->texts.envelope);
		body.bodystructure = buf_span(&s->texts.bodystructure);
		body.references = texts_references(&s->texts);
		body.fields = texts_fields(&s->texts);
		body.header_bytes = s->texts.header_bytes;
	}
	for (i = 0; i < j->n; i++) {
		from = clock_mono_us();
		target_deliver(j, &j->target[i], &body, &s->head);
		j->target[i].spent_us = clock_mono_us() - from;
	}
}

/* --- on the loop --- */

static void
target_finish(struct job *j, struct target *t, struct buf *results)
{
	static const char *const status[] = {
		[JOB_SENT] = "sent", [JOB_DEFERRED] = "deferred",
		[JOB_FAILED] = "bounced"
	};
	struct deliver *d = j->c->d;

	entry_job_result_pack(results, &(struct entry_job_result){
	    .rcpt = t->rcpt, .result = (uint8_t)t->result,
	    .dsn = span_str(t->dsn), .text = span_str(t->text) });
	if (t->result != JOB_SENT)
		d->deferred++;
	else if (t->how == DELIVERED_NEW || t->how == DELIVERED_SECOND) {
		d->delivered++;
		mbox_grew(t->box, t->bytes, t->write);
		mbox_notify(d, t->box->id, SPAN_LIT(""), NULL);
	} else {
		/* who did it may have died before it could tell */
		mbox_usage_forget(d, t->box->id);
		d->repeated++;
	}
	if (t->how == DELIVERED_SECOND && t->result == JOB_SENT)
		log_error("%s: mailbox %llu has another message under this "
		    "queue id: was the spool restored? Both are kept",
		    j->queue_id, (unsigned long long)t->box->id);
	if (j->rec_open && t->rcpt < j->rec.env.n_rcpt)
		delivery_log(&j->rec.env, &j->rec.env.rcpt[t->rcpt],
		    "maildir", t->spent_us, t->dsn,
		    status[t->result], t->text);
	else
		log_error("%s: mailbox %llu: not delivered: %s", j->queue_id,
		    (unsigned long long)t->box->id, t->text);
	mbox_put(t->box);
}

static void
job_done(void *arg)
{
	struct job *j = arg;
	struct conn *c = j->c;
	struct deliver *d = c->d;
	struct buf results;
	size_t i;

	buf_init(&results, IPC_BODY_MAX - 64);
	for (i = 0; i < j->n; i++)
		target_finish(j, &j->target[i], &results);
	ps_assert(!buf_failed(&results));	/* qmgr caps n */
	if (!c->closed) {
		c->done_sent++;
		PROTO_SEND(c->ipc, j->id, JOB_DONE, job_done,
		    .results = buf_span(&results));
	}
	buf_fini(&results);
	if (j->rec_open)
		record_close(&j->rec);
	segment_put(j->seg);
	if (j->cold_fd != -1)
		(void)close(j->cold_fd);
	conn_unref(c);
	free(j->target);
	free(j);
	d->jobs--;
	deliver_maybe_stop(d);
}

/* Fills j->target from the packed list; false when it is malformed. */
static bool
targets_read(struct job *j, struct span list)
{
	struct entry_job_rcpt e;
	size_t max = list.n / 12;	/* u32 and u64 each */

	if (max == 0 || max > JOB_RCPTS_MAX)
		return false;
	j->target = xcalloc(max, sizeof(*j->target));
	while (j->n < max && entry_job_rcpt_next(&list, &e)) {
		j->target[j->n].rcpt = e.rcpt;
		j->target[j->n++].box = mbox_get(j->c->d, e.mailbox_id);
	}
	return list.n == 0;
}

static int
deliver_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_job_deliver in;
	struct segment *seg;
	struct job *j;

	(void)ipc;
	if (!msg_job_deliver_unpack(m->body, &in) ||
	    in.queue_id.n != QUEUE_ID_LEN || m->nfds > 1)
		return PS_ESYNTAX;
	seg = map_get_u64(c->segments, in.segment);
	if (m->nfds == 0 && seg == NULL)
		return PS_ESTATE;
	j = xcalloc(1, sizeof(*j));
	j->c = c;
	if (!targets_read(j, in.rcpts)) {
		while (j->n > 0)
			mbox_put(j->target[--j->n].box);
		free(j->target);
		free(j);
		return PS_ESYNTAX;
	}
	conn_ref(c);
	c->d->jobs++;
	j->id = m->id;
	memcpy(j->queue_id, in.queue_id.p, QUEUE_ID_LEN);
	j->offset = in.offset;
	j->length = in.length;
	j->maybe_done = in.maybe_done != 0;
	j->cold_fd = m->fd[0];
	m->fd[0] = -1;
	if (seg != NULL) {
		j->seg = seg;
		seg->refs++;
	}
	j->work = (struct work){ .order = j->target[0].box->id + 1,
	    .run = job_run, .done = job_done, .arg = j };
	work_give(c->d->writers, &j->work);
	return 0;
}

const struct ipc_handler deliver_qmgr_handlers[] = {
	{ MSG_JOB_SEGMENT, segment_cb, IPC_ANY_PHASE },
	{ MSG_JOB_DELIVER, deliver_cb, IPC_ANY_PHASE },
	{ MSG_JOB_CHECKPOINT, sync_checkpoint_cb, IPC_ANY_PHASE },
};
const size_t deliver_qmgr_n_handlers = ARRAY_LEN(deliver_qmgr_handlers);

void
deliver_qmgr_closed(struct conn *c)
{
	size_t pos = 0;
	void *s;

	/* jobs in threads finish; their answers find nobody, and the next
	 * qmgr asks again with maybe_done */
	while (map_next(c->segments, &pos, NULL, &s))
		segment_put(s);
}
