/*
 * What smtpd asks of qmgr: segments to append to, queue files for big
 * messages; and what it tells: how far its segment is durable.
 */
#include "delivery/qmgr.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

/* A queue file being made or linked. Its answer finds the connection gone,
 * or not. */
struct cold_ask {
	TAILQ_ENTRY(cold_ask) link;
	struct qconn *c;
	uint64_t id;
};

static void
borrowed_cb(void *arg, const struct segment_ref *ref, uint64_t start, int fd)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);
	uint64_t id = c->borrow_id;

	c->borrow_id = 0;
	if (fd == -1)
		return;		/* the spool said why; pressure is on */
	PROTO_SEND_FDS(c->ipc, id, &fd, 1, QUEUE_SEGMENT, queue_segment,
	    .segment = ref->id, .epoch = span_of(ref->epoch, EPOCH_SIZE),
	    .start = start, .size = ref->size);
}

static int
borrow_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);

	(void)ipc;
	if (m->body.n != 0 || c->borrow_id != 0 || m->id == 0)
		return PS_ESYNTAX;
	c->borrow_id = m->id;
	spool_borrow(c->q->spool, c, borrowed_cb, c);
	return 0;
}

static int
durable_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);
	struct msg_queue_durable in;

	(void)ipc;
	if (!msg_queue_durable_unpack(m->body, &in))
		return PS_ESYNTAX;
	return spool_hint(c->q->spool, c, in.segment, in.offset);
}

static int
return_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);
	struct msg_queue_return in;

	(void)ipc;
	if (!msg_queue_return_unpack(m->body, &in))
		return PS_ESYNTAX;
	return spool_return(c->q->spool, c, in.segment, in.offset,
	    in.failed != 0);
}

/* --- queue files (J11) --- */

static struct cold_ask *
cold_ask_new(struct qconn *c, uint64_t id)
{
	struct cold_ask *a = xcalloc(1, sizeof(*a));

	a->c = c;
	a->id = id;
	TAILQ_INSERT_TAIL(&c->colds, a, link);
	return a;
}

static void
cold_ask_free(struct cold_ask *a)
{
	TAILQ_REMOVE(&a->c->colds, a, link);
	free(a);
}

static void
cold_made_cb(void *arg, int fd)
{
	struct cold_ask *a = arg;

	PROTO_SEND_FDS(a->c->ipc, a->id, &fd, fd == -1 ? 0 : 1, QUEUE_COLD,
	    queue_cold, .ok = fd != -1);
	cold_ask_free(a);
}

static int
cold_ask_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);

	(void)ipc;
	if (m->body.n != 0)
		return PS_ESYNTAX;
	spool_cold_ask(c->q->spool, c, cold_made_cb,
	    cold_ask_new(c, m->id));
	return 0;
}

static void
cold_linked_cb(void *arg, bool ok)
{
	struct cold_ask *a = arg;

	PROTO_SEND(a->c->ipc, a->id, QUEUE_COLD_LINKED, queue_cold_linked,
	    .ok = ok);
	cold_ask_free(a);
}

static int
cold_link_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct qconn *c = OBJ_CAST(arg, qconn, QCONN_MAGIC);
	struct msg_queue_cold_link in;
	int fd;

	(void)ipc;
	if (!msg_queue_cold_link_unpack(m->body, &in) || m->nfds != 1 ||
	    !queueid_valid(in.queue_id))
		return PS_ESYNTAX;
	fd = m->fd[0];
	m->fd[0] = -1;
	spool_cold_link(c->q->spool, c, fd, in.queue_id, cold_linked_cb,
	    cold_ask_new(c, m->id));
	return 0;
}

/* --- --- */

void
qmgr_pressure_tell(struct qconn *c)
{
	PROTO_SEND(c->ipc, 0, QUEUE_PRESSURE, queue_pressure,
	    .level = (uint8_t)c->q->pressure,
	    .why = span_str(c->q->pressure_why));
}

const struct ipc_handler qmgr_smtpd_handlers[] = {
	{ MSG_QUEUE_DURABLE, durable_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_BORROW, borrow_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_RETURN, return_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_COLD_ASK, cold_ask_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_COLD_LINK, cold_link_cb, IPC_ANY_PHASE },
};
const size_t qmgr_smtpd_n_handlers = ARRAY_LEN(qmgr_smtpd_handlers);

void
qmgr_smtpd_closed(struct qconn *c)
{
	/* after this no callback of ours comes (spool.h) */
	spool_owner_gone(c->q->spool, c);
	while (!TAILQ_EMPTY(&c->colds))
		cold_ask_free(TAILQ_FIRST(&c->colds));
}
