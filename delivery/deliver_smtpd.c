/*
 * Quota, asked at RCPT: usage from the index headers, kept in memory, plus
 * what is reserved. A reservation belongs to the connection that made it.
 */
#include "delivery/deliver.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define ASKS_MAX	100000	/* reservations of one smtpd */
#define SETTLED_MS	30000
#define USAGE_MS	60000	/* then foreign changes are looked for */
#define STALE_MS	1000

struct quota_ask {
	TAILQ_ENTRY(quota_ask) waiting;	/* on its box, until answered */
	struct conn *c;
	struct mbox *box;
	uint64_t id;
	uint64_t bytes, limit_bytes, limit_messages;
	bool answered;
	bool reserved;
};

/* --- usage --- */

struct usage_work {
	struct work work;
	struct mbox *box;
	struct usage usage;
	bool ok;
};

static void
usage_run(void *arg)
{
	struct usage_work *w = arg;
	struct err err = { 0 };

	pthread_mutex_lock(&w->box->lock);
	w->ok = mbox_open(w->box, &err) == 0 &&
	    delivery_usage(w->box->target, &w->usage, &err) == 0;
	mbox_rest(w->box);
	pthread_mutex_unlock(&w->box->lock);
	if (!w->ok)
		log_warning("mailbox %llu: usage is not known: %s",
		    (unsigned long long)w->box->id, err.why);
}

static void
usage_done(void *arg)
{
	struct usage_work *w = arg;
	struct mbox *b = w->box;
	struct deliver *d = b->d;

	if (w->ok) {
		b->usage = w->usage;
		b->usage_known = true;
		/* what changed meanwhile may be in it or not: ask soon */
		b->usage_until_ms = loop_now_ms(d->loop) +
		    (b->usage_stale ? STALE_MS : USAGE_MS);
	}
	b->usage_asked = b->usage_stale = false;
	if (w->ok && b->report_wanted)
		usage_changed(d, b->id);
	b->report_wanted = false;
	quota_waiting_answer(b, w->ok);
	mbox_put(b);
	free(w);
	d->jobs--;
	deliver_maybe_stop(d);
}

void
mbox_usage_ask(struct mbox *b)
{
	struct usage_work *w;

	if (b->usage_asked)
		return;
	b->usage_asked = true;
	w = xcalloc(1, sizeof(*w));
	w->box = mbox_get(b->d, b->id);
	b->d->jobs++;
	w->work = (struct work){ .order = b->id + 1, .run = usage_run,
	    .done = usage_done, .arg = w };
	work_give(b->d->openers, &w->work);
}

/* --- verdicts --- */

static bool
over(uint64_t limit, uint64_t used, uint64_t reserved, uint64_t more)
{
	if (limit == 0)
		return false;
	if (used > limit || reserved > limit - used)
		return true;
	return more > limit - used - reserved;
}

static void
ask_free(struct quota_ask *a)
{
	struct mbox *b = a->box;

	if (!a->answered)
		TAILQ_REMOVE(&b->waiting, a, waiting);
	if (a->reserved) {
		b->reserved -= a->bytes;
		b->reserved_messages--;
	}
	free(a);
	mbox_put(b);
}

static void
ask_answer(struct quota_ask *a, bool known)
{
	struct mbox *b = a->box;
	bool full = false;

	if (b->settled_until_ms < loop_now_ms(b->d->loop))
		b->settled = b->settled_messages = 0;
	if (known)
		full = over(a->limit_bytes, b->usage.bytes,
		    b->reserved + b->settled, a->bytes) ||
		    over(a->limit_messages, b->usage.messages,
		    b->reserved_messages + b->settled_messages, 1);
	a->answered = true;
	PROTO_SEND(a->c->ipc, a->id, QUOTA_ANSWER, quota_answer,
	    .verdict = full ? QUOTA_FULL : QUOTA_OK,
	    .used_bytes = b->usage.bytes, .used_messages = b->usage.messages);
	if (full) {
		(void)map_del_u64(a->c->asks, a->id);
		ask_free(a);
		return;
	}
	a->reserved = true;
	b->reserved += a->bytes;
	b->reserved_messages++;
}

void
quota_waiting_answer(struct mbox *b, bool known)
{
	struct quota_ask *a;

	while ((a = TAILQ_FIRST(&b->waiting)) != NULL) {
		TAILQ_REMOVE(&b->waiting, a, waiting);
		a->answered = true;
		ask_answer(a, known);
	}
}

/* --- messages --- */

static int
ask_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_quota_ask in;
	struct quota_ask *a;
	struct mbox *b;

	(void)ipc;
	if (!msg_quota_ask_unpack(m->body, &in) ||
	    map_count(c->asks) >= ASKS_MAX ||
	    map_get_u64(c->asks, m->id) != NULL ||
	    in.bytes > (uint64_t)1 << 40)
		return PS_ESYNTAX;
	a = xcalloc(1, sizeof(*a));
	a->c = c;
	a->id = m->id;
	a->box = b = mbox_get(c->d, in.mailbox_id);
	a->bytes = in.bytes;
	a->limit_bytes = in.limit_bytes;
	a->limit_messages = in.limit_messages;
	(void)map_put_u64(c->asks, m->id, a);
	if (in.limit_bytes == 0 && in.limit_messages == 0) {
		a->answered = true;
		ask_answer(a, false);
	} else if (b->usage_known &&
	    b->usage_until_ms > loop_now_ms(c->d->loop)) {
		a->answered = true;
		ask_answer(a, true);
	} else {
		TAILQ_INSERT_TAIL(&b->waiting, a, waiting);
		mbox_usage_ask(b);
	}
	return 0;
}

static int
settle_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_quota_settle in;
	struct quota_ask *a;
	struct mbox *b;

	(void)ipc;
	if (!msg_quota_settle_unpack(m->body, &in) ||
	    in.bytes > (uint64_t)1 << 40)
		return PS_ESYNTAX;
	if ((a = map_del_u64(c->asks, m->id)) == NULL)
		return 0;	/* it was refused */
	b = a->box;
	if (in.bytes > 0) {
		/* until the message arrives, or long enough */
		b->settled += in.bytes;
		b->settled_messages++;
		b->settled_until_ms = loop_now_ms(c->d->loop) + SETTLED_MS;
	}
	ask_free(a);
	return 0;
}

const struct ipc_handler deliver_smtpd_handlers[] = {
	{ MSG_QUOTA_ASK, ask_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_SETTLE, settle_cb, IPC_ANY_PHASE },
};
const size_t deliver_smtpd_n_handlers = ARRAY_LEN(deliver_smtpd_handlers);

void
deliver_smtpd_closed(struct conn *c)
{
	size_t pos = 0;
	void *a;

	while (map_next(c->asks, &pos, NULL, &a))
		ask_free(a);
}
