/*
 * `postern queue ...`: a connection that posternd handed over. Long lists are
 * sent in bounded turns and no faster than the CLI reads.
 */
#include "delivery/qmgr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define ROWS_PER_TURN	200
#define BACKLOG_MAX	(512 * 1024)
#define PAUSE_MS	20

enum { EX_NOSUCH = 66, EX_CANNOT = 75, EX_WORDS = 64 };

/* A walk over many messages. */
struct listing {
	struct qconn *c;
	uint64_t id;
	char *ids;
	size_t n, at;
	uint32_t done;
	void (*each)(struct listing *l, struct spool_msg *m);
	const char *verb;
	struct defer turn;
	struct timer pause;
};

static void
end_send(struct qconn *c, uint64_t id, int code, const char *error)
{
	PROTO_SEND(c->ipc, id, CTL_END, ctl_end, .exit = (uint32_t)code,
	    .error = span_str(error));
}

static void
row_send(struct qconn *c, uint64_t id, struct buf *json)
{
	PROTO_SEND(c->ipc, id, CTL_ROW, ctl_row, .json = buf_span(json));
}

/* --- rows --- */

static void
put(struct buf *b, const char *name, const char *value)
{
	json_put_member(b, name, span_str(value));
}

static void
put_time(struct buf *b, const char *name, int64_t us)
{
	json_put_name(b, name);
	json_put_time(b, us / 1000000);
}

static const char *
state_of(const struct spool_msg *m)
{
	return m->held ? "hold" : m->n_active > 0 ? "active" :
	    m->sched_list == LIST_WAITING ? "deferred" :
	    m->n_uncovered > 0 && m->n_uncovered == m->n_open ? "sent" :
	    "incoming";
}

static void
message_row(const struct qmgr *q, const struct spool_msg *m, struct buf *b)
{
	uint64_t now = loop_now_ms(q->loop);

	buf_char(b, '{');
	put(b, "queue_id", m->queue_id);
	put(b, "state", state_of(m));
	put_time(b, "arrival", m->arrival_us);
	buf_fmt(b, ", \"size\": %llu, \"recipients\": %u, \"open\": %u, "
	    "\"attempts\": %u", (unsigned long long)m->body_size, m->n_rcpt,
	    m->n_open, m->attempts);
	if (m->sched_list == LIST_WAITING && m->next_ms > now)
		buf_fmt(b, ", \"next_try_s\": %llu",
		    (unsigned long long)(m->next_ms - now) / 1000);
	put(b, "sender", m->sender);
	if (m->reason != NULL)
		put(b, "reason", m->reason);
	buf_char(b, '}');
}

/* --- walks --- */

static void
listing_free(struct listing *l)
{
	defer_cancel(&l->turn);
	timer_clear(&l->pause);
	l->c->listing = NULL;
	free(l->ids);
	free(l);
}

static void
turn_cb(void *arg)
{
	struct listing *l = arg;
	struct qmgr *q = l->c->q;
	struct spool_msg *m;
	unsigned n;

	if (ipc_backlog(l->c->ipc) > BACKLOG_MAX) {
		timer_set_ms(&l->pause, PAUSE_MS);
		return;
	}
	for (n = 0; n < ROWS_PER_TURN && l->at < l->n; n++) {
		m = spool_msg_find(q->spool,
		    span_str(l->ids + l->at++ * (QUEUE_ID_LEN + 1)));
		if (m != NULL)
			l->each(l, m);
	}
	if (l->at < l->n) {
		defer_call(&l->turn);
		return;
	}
	if (l->verb != NULL) {
		struct buf b;

		buf_init(&b, 256);
		buf_fmt(&b, "{\"%s\": %u}", l->verb, l->done);
		row_send(l->c, l->id, &b);
		buf_fini(&b);
	}
	end_send(l->c, l->id, 0, "");
	listing_free(l);
}

static void
walk(struct qconn *c, uint64_t id, const char *verb,
    void (*each)(struct listing *, struct spool_msg *))
{
	struct listing *l = xcalloc(1, sizeof(*l));

	l->c = c;
	l->id = id;
	l->verb = verb;
	l->each = each;
	l->ids = spool_msg_ids(c->q->spool, &l->n);
	defer_init(&l->turn, c->q->loop, turn_cb, l);
	timer_init(&l->pause, c->q->loop, turn_cb, l);
	c->listing = l;
	defer_call(&l->turn);
}

static void
each_list(struct listing *l, struct spool_msg *m)
{
	struct buf b;

	buf_init(&b, 16384);
	message_row(l->c->q, m, &b);
	row_send(l->c, l->id, &b);
	buf_fini(&b);
}

/* --- one message --- */

static void
flush_one(struct qmgr *q, struct spool_msg *m)
{
	m->attempts = 0;
	sched_now(q, m);
}

static bool
delete_one(struct qmgr *q, struct spool_msg *m)
{
	return spool_delete(q->spool, m) == 0;
}

static void
hold_set(struct qmgr *q, struct spool_msg *m, bool held)
{
	if (m->held == held)
		return;
	if (!held)
		m->crashes = 0;
	spool_reason_set(m, held ? "held by the administrator" : "");
	spool_hold(q->spool, m, held);
	sched_now(q, m);
}

static void
each_flush(struct listing *l, struct spool_msg *m)
{
	if (!m->held) {
		flush_one(l->c->q, m);
		l->done++;
	}
}

static void
each_delete(struct listing *l, struct spool_msg *m)
{
	if (delete_one(l->c->q, m))
		l->done++;
}

static void
each_hold(struct listing *l, struct spool_msg *m)
{
	l->done += !m->held;
	hold_set(l->c->q, m, true);
}

static void
each_release(struct listing *l, struct spool_msg *m)
{
	l->done += m->held;
	hold_set(l->c->q, m, false);
}

/* --- queue show --- */

struct show {
	struct qmgr *q;
	uint64_t id;
	unsigned index;		/* of the control connection */
};

static struct qconn *
control_find(struct qmgr *q, unsigned index)
{
	struct qconn *c;

	TAILQ_FOREACH(c, &q->conns, link)
		if (c->role == ROLE_CONTROL && c->index == index)
			return c;
	return NULL;
}

static void
rcpt_row(const struct spool_msg *m, const struct record *r, uint32_t i,
    struct buf *b)
{
	static const char *const names[] = { "due", "active", "sent",
	    "failed", "done" };
	const struct envelope_rcpt *rcpt = &r->env.rcpt[i];
	bool done = i < m->n_rcpt && (m->rcpt[i].state == SPOOL_SENT ||
	    m->rcpt[i].state == SPOOL_FINAL);

	buf_char(b, '{');
	put(b, "queue_id", m->queue_id);
	json_put_member(b, "recipient", rcpt->final);
	json_put_member(b, "original", rcpt->orig);
	put(b, "state", i < m->n_rcpt ? names[m->rcpt[i].state] : "");
	if (rcpt->kind == ENVELOPE_MAILBOX)
		buf_fmt(b, ", \"mailbox_id\": %llu",
		    (unsigned long long)rcpt->mailbox_id);
	json_put_member(b, "sender", r->env.sender);
	json_put_member(b, "client", r->env.client_ip);
	json_put_member(b, "helo", r->env.helo);
	/* the message's: who has it does not wait for that */
	put(b, "reason", done || m->reason == NULL ? "" : m->reason);
	buf_char(b, '}');
}

static void
shown_cb(void *arg, const char *queue_id, const struct record *r,
    const struct err *err)
{
	struct show *s = arg;
	struct qconn *c = control_find(s->q, s->index);
	struct spool_msg *m = spool_msg_find(s->q->spool,
	    span_str(queue_id));
	struct buf b;
	uint32_t i;

	if (c != NULL && (r == NULL || m == NULL))
		end_send(c, s->id, m == NULL ? EX_NOSUCH : EX_CANNOT,
		    m == NULL ? "it has just left the queue" : err->why);
	else if (c != NULL) {
		for (i = 0; i < r->env.n_rcpt; i++) {
			buf_init(&b, 65536);
			rcpt_row(m, r, i, &b);
			row_send(c, s->id, &b);
			buf_fini(&b);
		}
		end_send(c, s->id, 0, "");
	}
	free(s);
}

/* --- requests --- */

/* NULL when it is there and was answered. */
typedef const char *one_fn(struct qconn *c, uint64_t id,
    struct spool_msg *m);

static const char *
one_show(struct qconn *c, uint64_t id, struct spool_msg *m)
{
	struct show *s = xcalloc(1, sizeof(*s));

	*s = (struct show){ .q = c->q, .id = id, .index = c->index };
	spool_peek(c->q->spool, m, shown_cb, s);
	return NULL;
}

static const char *
one_flush(struct qconn *c, uint64_t id, struct spool_msg *m)
{
	if (m->held)
		return "it is held: release it first";
	flush_one(c->q, m);
	end_send(c, id, 0, "");
	return NULL;
}

static const char *
one_delete(struct qconn *c, uint64_t id, struct spool_msg *m)
{
	if (!delete_one(c->q, m))
		return "it is being delivered just now: try again";
	end_send(c, id, 0, "");
	return NULL;
}

static const char *
one_hold(struct qconn *c, uint64_t id, struct spool_msg *m)
{
	hold_set(c->q, m, true);
	end_send(c, id, 0, "");
	return NULL;
}

static const char *
one_release(struct qconn *c, uint64_t id, struct spool_msg *m)
{
	hold_set(c->q, m, false);
	end_send(c, id, 0, "");
	return NULL;
}

static const struct {
	const char *verb;
	const char *done;	/* key of the count after a walk */
	one_fn *one;
	void (*each)(struct listing *, struct spool_msg *);
	bool all_by_default;
} verbs[] = {
	{ "queue list", NULL, NULL, each_list, true },
	{ "queue show", NULL, one_show, NULL, false },
	{ "queue flush", "flushed", one_flush, each_flush, true },
	{ "queue delete", "deleted", one_delete, each_delete, false },
	{ "queue hold", "held", one_hold, each_hold, false },
	{ "queue release", "released", one_release, each_release, false },
};

static void
request_run(struct qconn *c, uint64_t id, size_t v, struct span args)
{
	struct entry_ctl_arg a;
	struct spool_msg *m;
	const char *problem;

	if (!entry_ctl_arg_next(&args, &a)) {
		if (verbs[v].all_by_default)
			walk(c, id, verbs[v].done, verbs[v].each);
		else
			end_send(c, id, EX_WORDS, "a queue id is wanted");
		return;
	}
	if (span_is(a.value, "ALL") && verbs[v].each != NULL) {
		walk(c, id, verbs[v].done, verbs[v].each);
		return;
	}
	if (verbs[v].one == NULL || args.n > 0) {
		end_send(c, id, EX_WORDS, "one queue id, or ALL, is wanted");
		return;
	}
	if ((m = spool_msg_find(c->q->spool, a.value)) == NULL) {
		end_send(c, id, EX_NOSUCH, "no such message in the queue");
		return;
	}
	if ((problem = verbs[v].one(c, id, m)) != NULL)
		end_send(c, id, EX_CANNOT, problem);
}

static int
request_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);
	struct msg_ctl_request in;
	size_t i;

	(void)ipc;
	if (!msg_ctl_request_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (c->listing != NULL)
		return PS_ESTATE;	/* one question at a time */
	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_is(in.verb, verbs[i].verb)) {
			request_run(c, m->id, i, in.args);
			return 0;
		}
	end_send(c, m->id, EX_WORDS, "qmgr does not know this command");
	return 0;
}

const struct ipc_handler qmgr_control_handlers[] = {
	{ MSG_CTL_REQUEST, request_cb, IPC_ANY_PHASE },
};
const size_t qmgr_control_n_handlers = ARRAY_LEN(qmgr_control_handlers);

void
qmgr_control_closed(struct qconn *c)
{
	if (c->listing != NULL)
		listing_free(c->listing);
}
