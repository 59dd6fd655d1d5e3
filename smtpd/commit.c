#include "smtpd/commit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "smtpd/grey_client.h"
#include "smtpd/quota.h"
#include "smtpd/received.h"
#include "spool/cold.h"

/* While qmgr lags, each 250 waits this long (QUEUE_PRESSURE 1). */
#define PRESSURE_NAP_MS	200

static void commit_store(struct txn *t);

/* --- the end --- */

static enum step
told(struct session *s)
{
	s->errors = s->junk = 0;
	session_replyf(s, "250 2.0.0 Ok: queued as %s", s->txn->queue_id);
	session_reset(s);
	return STEP_NEXT;
}

static enum step
done(struct session *s, bool ok)
{
	if (!ok) {
		session_reply(s,
		    "451 4.3.0 Error: queue file write error");
		session_reset(s);
		return STEP_NEXT;
	}
	if (s->srv->pressure > 0)
		return session_nap(s, PRESSURE_NAP_MS, told);
	return told(s);
}

/* Whom our users write to need not wait when he answers. */
static void
note_correspondents(const struct txn *t)
{
	uint32_t i;

	if (t->env.sasl_user.n == 0 || !t->learns)
		return;
	for (i = 0; i < t->n_rcpt; i++)
		if (t->rcpt[i].kind == ENVELOPE_EXTERNAL)
			grey_client_wrote(t->srv, txn_span(t,
			    t->rcpt[i].final));
}

/* Durable, or not at all. From the loop. */
static void
finish(struct txn *t, bool ok, const char *why)
{
	struct server *srv = t->srv;
	struct session *s = t->session;

	t->committing = false;
	srv->n_committing--;
	if (ok) {
		srv->stat.messages++;
		note_correspondents(t);
	} else
		log_error("%s: message not accepted: %s", t->queue_id, why);
	quota_release(t, 0, ok ? t->body.size : 0);
	/* What it held is not needed for the reply. */
	body_fini(&t->body);
	if (s != NULL) {
		session_continue(s, done(s, ok));
	} else {
		txn_free(&t);
		server_check_idle(srv);
	}
}

static void
later_cb(void *arg)
{
	struct txn *t = arg;

	finish(t, false, t->cold_err.why);
}

/* A failure found at once is told from the loop, like any other. */
static void
fail_later(struct txn *t, const char *why)
{
	(void)err_set(&t->cold_err, ERR_TEMP, PS_EIO, "%s", why);
	defer_init(&t->later, t->srv->loop, later_cb, t);
	defer_call(&t->later);
}

static void
journal_done(struct journal_append *a, bool ok, const struct err *err,
    void *arg)
{
	finish(arg, ok, ok ? "" : err->why);
}

/* --- the envelope --- */

static void
rcpt_fill(const struct txn *t, const struct rcpt *r, struct envelope_rcpt *e)
{
	*e = (struct envelope_rcpt){
		.kind = r->kind, .mailbox_id = r->mailbox_id,
		.orig = txn_span(t, r->orig), .final = txn_span(t, r->final),
		.notify = r->notify, .orcpt = txn_span(t, r->orcpt),
		.quota_bytes = r->quota_bytes,
		.quota_messages = r->quota_messages,
	};
}

/* Strings of the session are copied into the transaction: it may outlive
 * it. All are kept before any span is taken, as keeping moves them. */
static void
envelope_fill(struct session *s, struct txn *t)
{
	struct piece name = txn_keep(t, span_str(s->name));
	struct piece ip = txn_keep(t, span_str(s->ip));
	struct piece helo = txn_keep(t, span_str(s->helo == NULL ? "" :
	    s->helo));
	struct piece user = txn_keep(t, span_str(s->sasl_user == NULL ? "" :
	    s->sasl_user));
	uint32_t i;

	if (t->env_size < t->n_rcpt) {
		t->env_size = MAX(t->n_rcpt, 8u);
		t->env_rcpt = xreallocarray(t->env_rcpt, t->env_size,
		    sizeof(*t->env_rcpt));
	}
	for (i = 0; i < t->n_rcpt; i++)
		rcpt_fill(t, &t->rcpt[i], &t->env_rcpt[i]);
	t->env = (struct envelope){
		.arrival_us = t->arrival_us,
		.flags = t->flags | (s->tls ? ENVELOPE_TLS : 0) |
		    (t->act.hold != NULL ? ENVELOPE_HOLD : 0),
		.ret = t->ret, .envid = txn_span(t, t->envid),
		.sender = txn_sender(t), .client_name = txn_span(t, name),
		.client_ip = txn_span(t, ip), .helo = txn_span(t, helo),
		.proto = span_str(received_protocol(s)),
		.hold = span_str(t->act.hold != NULL ? t->act.hold : ""),
		.sasl_user = txn_span(t, user), .body_size = t->body.size,
		.rcpt = t->env_rcpt, .n_rcpt = t->n_rcpt,
	};
	/* REDIRECT overrides FILTER */
	if (t->act.filter != NULL && t->act.redirect == NULL)
		t->env.filter = span_str(t->act.filter);
	memcpy(t->env.queue_id, t->queue_id, sizeof(t->env.queue_id));
}

/* --- large messages: a cold file first --- */

static void
cold_run(void *arg)
{
	struct txn *t = arg;

	(void)err_set(&t->cold_err, ERR_NONE, 0, "%s", "");
	if (cold_write(t->cold_fd, &t->env, t->body.fd, 0, t->body.size,
	    &t->cold_crc, &t->cold_err) == 0)
		t->cold_err.kind = ERR_NONE;
	else if (t->cold_err.kind == ERR_NONE)
		t->cold_err.kind = ERR_TEMP;
}

static void
cold_written(void *arg)
{
	struct txn *t = arg;
	struct ipc *qmgr = t->srv->qmgr;

	if (t->cold_err.kind != ERR_NONE || qmgr == NULL) {
		finish(t, false, qmgr == NULL ? "no queue manager" :
		    t->cold_err.why);
		return;
	}
	t->cold_ask = ipc_next_id();
	(void)map_put_u64(t->srv->cold_waits, t->cold_ask, t);
	PROTO_SEND_FDS(qmgr, t->cold_ask, &t->cold_fd, 1, QUEUE_COLD_LINK,
	    queue_cold_link, .queue_id = span_str(t->queue_id));
}

int
commit_cold_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_queue_cold in;
	struct txn *t;

	if (!msg_queue_cold_unpack(m->body, &in) ||
	    (in.ok && m->nfds != 1))
		return PS_ESYNTAX;
	if ((t = map_del_u64(srv->cold_waits, m->id)) == NULL)
		return 0;
	if (!in.ok) {
		finish(t, false, "the queue has no room for it");
		return 0;
	}
	t->cold_fd = m->fd[0];
	m->fd[0] = -1;
	t->cold_work = (struct work){ .run = cold_run, .done = cold_written,
		.arg = t };
	work_give(srv->pool, &t->cold_work);
	return 0;
}

int
commit_linked_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_queue_cold_linked in;
	struct txn *t;

	if (!msg_queue_cold_linked_unpack(m->body, &in))
		return PS_ESYNTAX;
	if ((t = map_del_u64(srv->cold_waits, m->id)) == NULL)
		return 0;
	if (!in.ok) {
		finish(t, false, "the queue file could not be linked");
		return 0;
	}
	t->append.cold = true;
	t->append.body_crc = t->cold_crc;
	commit_store(t);
	return 0;
}

void
commit_qmgr_lost(struct server *srv)
{
	struct span key;
	void *t;
	size_t pos;

	while (pos = 0, map_next(srv->cold_waits, &pos, &key, &t)) {
		(void)map_del(srv->cold_waits, key);
		finish(t, false, "the queue manager went away");
	}
}

static void
cold_begin(struct txn *t)
{
	struct ipc *qmgr = t->srv->qmgr;

	if (qmgr == NULL) {
		fail_later(t, "no queue manager");
		return;
	}
	t->cold_ask = ipc_next_id();
	(void)map_put_u64(t->srv->cold_waits, t->cold_ask, t);
	PROTO_SEND(qmgr, t->cold_ask, QUEUE_COLD_ASK, queue_cold_ask);
}

/* --- the journal --- */

static void
commit_store(struct txn *t)
{
	struct err err;

	if (!t->append.cold && t->body.fd == -1) {
		t->iov = (struct iovec){ buf_data(&t->body.mem),
			buf_len(&t->body.mem) };
		t->append.body = &t->iov;
		t->append.n_body = 1;
	} else if (!t->append.cold) {
		t->append.body_fd = t->body.fd;
	}
	t->append.body_len = t->body.size;
	journal_writer_expect(t->srv->journal,
	    t->srv->n_txns - t->srv->n_committing);
	if (journal_append(t->srv->journal, &t->append, &t->env, &err) != 0)
		fail_later(t, err.why);
}

/* All of it is where it will be read from. */
static void
commit_go(struct txn *t)
{
	if (t->body.err.kind != ERR_NONE)
		fail_later(t, t->body.err.why);
	else if (t->body.fd != -1 && t->body.size > t->journal_limit)
		cold_begin(t);
	else
		commit_store(t);
}

static void
flushed_cb(void *arg)
{
	commit_go(arg);
}

enum step
commit_discard(struct session *s)
{
	log_info("%s: discarded size=%llu nrcpt=%u", s->txn->queue_id,
	    (unsigned long long)s->txn->size, s->txn->n_accepted);
	return told(s);
}

enum step
commit_begin(struct session *s)
{
	struct txn *t = s->txn;

	envelope_fill(s, t);
	t->append = (struct journal_append){ .body_fd = -1,
		.cb = journal_done, .arg = t };
	t->journal_limit = (uint64_t)session_conf(s)->journal_message_limit;
	t->learns = session_conf(s)->greylist_learn_recipients;
	t->committing = true;
	s->srv->n_committing++;
	if (t->body.fd != -1 && buf_len(&t->body.mem) > 0)
		body_flush(&t->body, s->srv->pool, flushed_cb, t);
	else
		commit_go(t);
	return STEP_PARKED;
}
