#include "smtpd/peers.h"

#include <unistd.h>

#include "base/log.h"
#include "live/live.h"
#include "proto/proto.h"
#include "smtpd/commit.h"
#include "smtpd/first.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/limits.h"
#include "smtpd/quota.h"
#include "smtpd/sasl.h"
#include "smtpd/session.h"

/* --- qmgr --- */

static void
need_segment(void *arg)
{
	struct server *srv = arg;

	if (srv->qmgr == NULL)
		return;		/* asked again when there is one */
	srv->borrow_id = ipc_next_id();
	PROTO_SEND(srv->qmgr, srv->borrow_id, QUEUE_BORROW, queue_borrow);
}

static void
durable(void *arg, uint32_t segment, uint64_t offset)
{
	struct server *srv = arg;

	if (srv->qmgr != NULL)
		PROTO_SEND(srv->qmgr, 0, QUEUE_DURABLE, queue_durable,
		    .segment = segment, .offset = offset);
}

static void
returned(void *arg, uint32_t segment, uint64_t offset, bool failed)
{
	struct server *srv = arg;

	if (srv->qmgr != NULL)
		PROTO_SEND(srv->qmgr, 0, QUEUE_RETURN, queue_return,
		    .segment = segment, .offset = offset, .failed = failed);
}

static const struct journal_writer_ops journal_ops = { need_segment, durable,
	returned };

static int
segment_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_queue_segment in;

	if (!msg_queue_segment_unpack(m->body, &in) || m->nfds != 1)
		return PS_ESYNTAX;
	if (m->id != srv->borrow_id)
		return 0;
	srv->borrow_id = 0;
	journal_writer_segment(srv->journal, in.segment, in.epoch, in.start,
	    in.size, m->fd[0]);
	m->fd[0] = -1;
	return 0;
}

static int
pressure_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_queue_pressure in;

	if (!msg_queue_pressure_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (in.level >= 2 && srv->pressure < 2)
		log_warning("refusing mail with 452: %.*s", SPAN_ARG(in.why));
	else if (in.level < 2 && srv->pressure >= 2)
		log_info("taking mail again");
	srv->pressure = in.level;
	return 0;
}

static const struct ipc_handler qmgr_handlers[] = {
	{ MSG_QUEUE_SEGMENT, segment_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_COLD, commit_cold_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_COLD_LINKED, commit_linked_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_PRESSURE, pressure_cb, IPC_ANY_PHASE },
};

static void
qmgr_lost(struct server *srv)
{
	srv->borrow_id = 0;
	srv->pressure = 0;
	journal_writer_lost(srv->journal);
	commit_qmgr_lost(srv);
}

static void
qmgr_closed(struct ipc *c, void *arg)
{
	struct server *srv = arg;

	log_warning("lost the queue manager");
	ipc_free(&srv->qmgr);
	qmgr_lost(srv);
}

/* --- deliver, authd, gatekeeper --- */

static const struct ipc_handler deliver_handlers[] = {
	{ MSG_QUOTA_ANSWER, quota_answer_cb, IPC_ANY_PHASE },
};

static void
deliver_closed(struct ipc *c, void *arg)
{
	struct server *srv = arg;
	unsigned i;

	for (i = 0; i < srv->n_deliver; i++)
		if (srv->deliver[i] == c) {
			ipc_free(&srv->deliver[i]);
			quota_deliver_lost(srv, i);
		}
}

static const struct ipc_handler authd_handlers[] = {
	{ MSG_AUTH_CHALLENGE, sasl_challenge_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_RESULT, sasl_result_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_REVOKE, sasl_revoke_cb, IPC_ANY_PHASE },
};

static void
authd_closed(struct ipc *c, void *arg)
{
	struct server *srv = arg;

	ipc_free(&srv->authd);
	sasl_authd_lost(srv);
}

static const struct ipc_handler keeper_handlers[] = {
	{ MSG_KEEPER_COUNTED, limits_counted_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_ANSWER, keeper_answer_message_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_FORGET, first_forget_message_cb, IPC_ANY_PHASE },
};

/* Who waits for it goes on without it. */
static void
keeper_lost(struct server *srv)
{
	ipc_free(&srv->keeper);
	keeper_asks_hurry(srv, 0);
	limits_keeper_lost(srv);
}

static void
keeper_closed(struct ipc *c, void *arg)
{
	log_warning("lost gatekeeper: until there is a new one limits are "
	    "counted by this process alone");
	keeper_lost(arg);
}

static void
peer_qmgr(struct server *srv, int fd)
{
	if (srv->qmgr != NULL) {
		ipc_free(&srv->qmgr);
		qmgr_lost(srv);
	}
	srv->qmgr = ipc_new(srv->loop, fd, "qmgr", qmgr_handlers,
	    ARRAY_LEN(qmgr_handlers), qmgr_closed, srv);
	journal_writer_resume(srv->journal);
}

static void
peer_authd(struct server *srv, int fd)
{
	if (srv->authd != NULL) {
		ipc_free(&srv->authd);
		sasl_authd_lost(srv);
	}
	srv->authd = ipc_new(srv->loop, fd, "authd", authd_handlers,
	    ARRAY_LEN(authd_handlers), authd_closed, srv);
}

static void
peer_deliver(struct server *srv, unsigned index, int fd)
{
	if (srv->deliver[index] != NULL) {
		ipc_free(&srv->deliver[index]);
		quota_deliver_lost(srv, index);
	}
	srv->deliver[index] = ipc_new(srv->loop, fd, "deliver",
	    deliver_handlers, ARRAY_LEN(deliver_handlers), deliver_closed,
	    srv);
}

static void
peer_keeper(struct server *srv, int fd)
{
	if (srv->keeper != NULL)
		keeper_lost(srv);
	srv->keeper = ipc_new(srv->loop, fd, "gatekeeper", keeper_handlers,
	    ARRAY_LEN(keeper_handlers), keeper_closed, srv);
	limits_keeper_came(srv);
}

void
peers_take(struct server *srv, enum service_role role, unsigned index,
    int fd)
{
	if (role == ROLE_QMGR)
		peer_qmgr(srv, fd);
	else if (role == ROLE_AUTHD)
		peer_authd(srv, fd);
	else if (role == ROLE_GATEKEEPER)
		peer_keeper(srv, fd);
	else if (role == ROLE_DELIVER && index < srv->n_deliver)
		peer_deliver(srv, index, fd);
	else if (role == ROLE_CONTROL)
		live_control(srv->live, fd);
	else
		(void)close(fd);
}

struct journal_writer *
peers_journal_new(struct server *srv)
{
	return journal_writer_new(srv->loop, &journal_ops, srv);
}
