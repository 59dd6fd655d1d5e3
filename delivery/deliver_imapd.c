/*
 * What imapd gets: account directories against tickets of authd, and notices
 * of change for accounts it has opened.
 */
#include "delivery/deliver.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "proto/ticket.h"

#define OPENED_MAX	1000000

/* An account this connection may use; `watching` if it wants notices. */
struct watch {
	bool watching;
};

struct opening {
	struct work work;
	struct conn *c;
	uint64_t id, mailbox_id;
	int fd;
	struct err err;
};

static void
open_run(void *arg)
{
	struct opening *o = arg;
	struct deliver *d = o->c->d;

	marks_note(d, o->mailbox_id);
	if (account_home_open(d->store_dir, o->mailbox_id, true, &o->fd,
	    &o->err) < 0)
		o->fd = -1;
	else if (sync_note(d, o->fd, &o->err) < 0) {
		(void)close(o->fd);
		o->fd = -1;
	}
}

static void
open_done(void *arg)
{
	struct opening *o = arg;
	struct conn *c = o->c;
	struct deliver *d = c->d;

	if (o->fd == -1)
		log_error("mailbox %llu cannot be opened: %s",
		    (unsigned long long)o->mailbox_id, o->err.why);
	if (!c->closed && o->fd != -1) {
		if (map_get_u64(c->opened, o->mailbox_id) == NULL)
			(void)map_put_u64(c->opened, o->mailbox_id,
			    xcalloc(1, sizeof(struct watch)));
		PROTO_SEND_FDS(c->ipc, o->id, &o->fd, 1, MBOX_OPENED,
		    mbox_opened, .ok = 1, .mailbox_id = o->mailbox_id);
	} else if (!c->closed)
		PROTO_SEND(c->ipc, o->id, MBOX_OPENED, mbox_opened,
		    .mailbox_id = o->mailbox_id,
		    .why = span_str(o->err.why));
	if (o->fd != -1)
		(void)close(o->fd);
	conn_unref(c);
	free(o);
	d->jobs--;
	deliver_maybe_stop(d);
}

static int
open_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_mbox_open in;
	struct opening *o;
	struct err err = { 0 };
	uint64_t mailbox_id;

	if (!msg_mbox_open_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (ticket_check(c->d->env->key, in.ticket, clock_wall_us(),
	    &mailbox_id, &err) < 0 || map_count(c->opened) >= OPENED_MAX) {
		log_error("%s: mailbox not opened: %s", ipc_name(ipc),
		    err.why);
		PROTO_SEND(ipc, m->id, MBOX_OPENED, mbox_opened,
		    .why = SPAN_LIT("ticket refused"));
		return 0;
	}
	if (!seat_take(c, mailbox_id, in.client, in.client_limit)) {
		PROTO_SEND(ipc, m->id, MBOX_OPENED, mbox_opened,
		    .too_many = 1, .mailbox_id = mailbox_id);
		return 0;
	}
	o = xcalloc(1, sizeof(*o));
	conn_ref(c);
	c->d->jobs++;
	o->c = c;
	o->id = m->id;
	o->mailbox_id = mailbox_id;
	o->work = (struct work){ .order = mailbox_id + 1, .run = open_run,
	    .done = open_done, .arg = o };
	work_give(c->d->openers, &o->work);
	return 0;
}

static int
left_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_mbox_left in;

	(void)ipc;
	if (!msg_mbox_left_unpack(m->body, &in))
		return PS_ESYNTAX;
	seat_leave(c, in.mailbox_id, in.client);
	return 0;
}

static int
watch_set(struct conn *c, uint64_t mailbox_id, bool on)
{
	struct watch *w = map_get_u64(c->opened, mailbox_id);

	if (w == NULL)
		return PS_EDENIED;
	w->watching = on;
	return 0;
}

static int
watch_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_mbox_watch in;

	(void)ipc;
	if (!msg_mbox_watch_unpack(m->body, &in))
		return PS_ESYNTAX;
	return watch_set(c, in.mailbox_id, true);
}

static int
unwatch_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_mbox_unwatch in;

	(void)ipc;
	if (!msg_mbox_unwatch_unpack(m->body, &in))
		return PS_ESYNTAX;
	return watch_set(c, in.mailbox_id, false);
}

static int
changed_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_mbox_changed in;

	(void)ipc;
	if (!msg_mbox_changed_unpack(m->body, &in) ||
	    in.folder.n > FOLDER_NAME_MAX)
		return PS_ESYNTAX;
	if (map_get_u64(c->opened, in.mailbox_id) == NULL)
		return PS_EDENIED;
	mbox_usage_forget(c->d, in.mailbox_id);
	mbox_notify(c->d, in.mailbox_id, in.folder, c);
	return 0;
}

void
mbox_notify(struct deliver *d, uint64_t mailbox_id, struct span folder,
    const struct conn *except)
{
	const struct watch *w;
	struct conn *c;

	TAILQ_FOREACH(c, &d->conns, link) {
		if (c->role != ROLE_IMAPD || c == except)
			continue;
		w = map_get_u64(c->opened, mailbox_id);
		if (w != NULL && w->watching)
			PROTO_SEND(c->ipc, 0, MBOX_CHANGED, mbox_changed,
			    .mailbox_id = mailbox_id, .folder = folder);
	}
}

const struct ipc_handler deliver_imapd_handlers[] = {
	{ MSG_MBOX_OPEN, open_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_LEFT, left_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_WATCH, watch_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_UNWATCH, unwatch_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_CHANGED, changed_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_ASK, quota_ask_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_SETTLE, quota_settle_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_ROOTS_ASK, quota_roots_ask_cb, IPC_ANY_PHASE },
};
const size_t deliver_imapd_n_handlers = ARRAY_LEN(deliver_imapd_handlers);

void
deliver_imapd_closed(struct conn *c)
{
	struct span key;
	size_t pos = 0;
	uint64_t id;
	void *w;

	quota_conn_closed(c);
	while (map_next(c->opened, &pos, &key, &w)) {
		/* it may have died between a change and its notice */
		memcpy(&id, key.p, sizeof(id));
		mbox_usage_forget(c->d, id);
		free(w);
	}
}
