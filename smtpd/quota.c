#include "smtpd/quota.h"

#include "base/map.h"
#include "base/quota.h"
#include "proto/proto.h"
#include "smtpd/rcpt.h"
#include "smtpd/session.h"

/* architecture.md: which deliver has a mailbox. */
#define SLOTS	256

static struct ipc *
deliver_of(struct server *srv, uint64_t mailbox_id, unsigned *index)
{
	if (srv->n_deliver == 0)
		return NULL;
	*index = (unsigned)(mailbox_id % SLOTS % srv->n_deliver);
	return srv->deliver[*index];
}

static bool
ask_one(struct session *s, struct rcpt *r)
{
	uint64_t limit = quota_limit_bytes(session_conf(s), r->quota_bytes);
	struct server *srv = s->srv;
	struct ipc *c;

	if (r->kind != ENVELOPE_MAILBOX ||
	    (limit == 0 && r->quota_messages == 0 && !r->pooled))
		return false;
	c = deliver_of(srv, r->mailbox_id, &r->deliver);
	if (c == NULL)
		return false;
	r->quota_ask = ipc_next_id();
	PROTO_SEND(c, r->quota_ask, QUOTA_ASK, quota_ask,
	    .mailbox_id = r->mailbox_id,
	    .bytes = MAX(s->txn->declared_size, (uint64_t)1),
	    .messages = 1,
	    .limit_bytes = limit,
	    .limit_messages = r->quota_messages, .pooled = r->pooled);
	(void)map_put_u64(srv->quota_waits, r->quota_ask, s);
	return true;
}

unsigned
quota_ask(struct session *s)
{
	struct txn *t = s->txn;
	uint32_t i;

	t->quota_waiting = 0;
	t->quota_full = false;
	for (i = t->rcpt_first; i < t->n_rcpt; i++)
		if (ask_one(s, &t->rcpt[i]))
			t->quota_waiting++;
	return t->quota_waiting;
}

void
quota_release(struct txn *t, uint32_t first, uint64_t bytes)
{
	struct server *srv = t->srv;
	uint32_t i;

	for (i = first; i < t->n_rcpt; i++) {
		struct rcpt *r = &t->rcpt[i];

		if (r->quota_ask == 0)
			continue;
		(void)map_del_u64(srv->quota_waits, r->quota_ask);
		if (r->deliver < srv->n_deliver &&
		    srv->deliver[r->deliver] != NULL)
			PROTO_SEND(srv->deliver[r->deliver], r->quota_ask,
			    QUOTA_SETTLE, quota_settle, .bytes = bytes);
		r->quota_ask = 0;
	}
}

void
quota_forget(struct session *s)
{
	struct txn *t = s->txn;
	uint32_t i;

	for (i = t->rcpt_first; i < t->n_rcpt; i++)
		if (t->rcpt[i].quota_ask != 0)
			(void)map_del_u64(s->srv->quota_waits,
			    t->rcpt[i].quota_ask);
	t->quota_waiting = 0;
}

static void
session_lost(struct session *s, unsigned index)
{
	struct txn *t = s->txn;
	uint32_t i;

	if (t == NULL || t->quota_waiting == 0)
		return;
	for (i = t->rcpt_first; i < t->n_rcpt; i++) {
		struct rcpt *r = &t->rcpt[i];

		if (r->quota_ask == 0 || r->deliver != index ||
		    map_del_u64(s->srv->quota_waits, r->quota_ask) == NULL)
			continue;
		r->quota_ask = 0;
		t->quota_waiting--;
	}
	if (t->quota_waiting == 0)
		rcpt_quota_answered(s);
}

void
quota_deliver_lost(struct server *srv, unsigned index)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE(s, &srv->sessions, link, next)
		session_lost(s, index);
}

int
quota_answer_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_quota_answer in;
	struct session *s;

	if (!msg_quota_answer_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(srv->quota_waits, m->id);
	if (s == NULL)
		return 0;		/* late, or its session has gone */
	ps_assert(s->txn != NULL && s->txn->quota_waiting > 0);
	if (in.verdict == QUOTA_FULL)
		s->txn->quota_full = true;
	if (--s->txn->quota_waiting == 0)
		rcpt_quota_answered(s);
	return 0;
}
