/*
 * authd and deliver: their answers, their coming and going, and which of our
 * accounts they know.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/quota.h"
#include "imapd/session.h"
#include "live/live.h"
#include "proto/proto.h"

void
server_await(struct server *v, uint64_t id, struct session *s)
{
	map_put_u64(v->asked, id, s);
}

void
server_forget(struct server *v, uint64_t id)
{
	map_del_u64(v->asked, id);
}

static int
challenge_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_auth_challenge in;
	struct session *s;

	if (!msg_auth_challenge_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_get_u64(v->asked, m->id);
	if (s != NULL)
		login_challenge(s, in.challenge);
	return 0;
}

static int
result_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_auth_result in;
	struct session *s;

	if (!msg_auth_result_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(v->asked, m->id);
	if (s != NULL)
		login_result(s, &in);
	return 0;
}

static int
revoke_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_auth_revoke in;
	struct session *s, *next;

	if (!msg_auth_revoke_unpack(m->body, &in))
		return PS_ESYNTAX;
	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next)
		if (s->mailbox_id == in.mailbox_id)
			session_bye(s, "Your access has changed; "
			    "log in again");
	return 0;
}

static int
opened_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_mbox_opened in;
	struct session *s;

	if (!msg_mbox_opened_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(v->asked, m->id);
	if (s == NULL)
		return 0;
	/* neither one too many nor a refused ticket was counted */
	if (in.too_many || in.mailbox_id == 0)
		s->seat_on = NULL;
	if (in.too_many)
		login_too_many(s);
	else
		login_opened(s, in.ok && m->nfds == 1, in.why, &m->fd[0]);
	return 0;
}

static int
room_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_quota_answer in;
	struct session *s;

	if (!msg_quota_answer_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(v->asked, m->id);
	if (s != NULL)
		quota_answered(s, in.verdict == QUOTA_OK);
	return 0;
}

static int
roots_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_quota_roots in;
	struct session *s;

	if (!msg_quota_roots_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(v->asked, m->id);
	if (s != NULL)
		quota_told(s, in.roots);
	return 0;
}

static void
tell_sessions(struct server *v, struct session *but, uint64_t mailbox_id,
    struct span folder)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next)
		if (s != but && s->mailbox_id == mailbox_id)
			session_folder_changed(s, folder);
}

static int
changed_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct msg_mbox_changed in;

	if (!msg_mbox_changed_unpack(m->body, &in))
		return PS_ESYNTAX;
	tell_sessions(v, NULL, in.mailbox_id, in.folder);
	return 0;
}

static const struct ipc_handler authd_handlers[] = {
	{ MSG_AUTH_CHALLENGE, challenge_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_RESULT, result_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_REVOKE, revoke_cb, IPC_ANY_PHASE },
};
static const struct ipc_handler deliver_handlers[] = {
	{ MSG_MBOX_OPENED, opened_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_CHANGED, changed_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_ANSWER, room_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_ROOTS, roots_cb, IPC_ANY_PHASE },
};

/* --- peers ---------------------------------------------------------------------- */

struct ipc *
server_deliver(struct server *v, uint64_t mailbox_id)
{
	unsigned count = v->env->count[ROLE_DELIVER];

	return count == 0 ? NULL : v->deliver[mailbox_id % 256 % count];
}

/* An account that sessions of ours are logged in to. */
struct account_use {
	unsigned sessions, watchers;
	struct ipc *opened_on;		/* deliver knows it on this connection;
					 * NULL: that one has gone */
};

/* deliver takes messages about an account only on the connection it was
 * opened on; NULL when that is not the present one. */
static struct ipc *
account_ipc(struct server *v, const struct account_use *u,
    uint64_t mailbox_id)
{
	struct ipc *c = server_deliver(v, mailbox_id);

	return u != NULL && c != NULL && u->opened_on == c ? c : NULL;
}

struct ipc *
server_account_deliver(struct server *v, uint64_t mailbox_id)
{
	return account_ipc(v, map_get_u64(v->accounts, mailbox_id),
	    mailbox_id);
}

void
server_account_opened(struct server *v, uint64_t mailbox_id)
{
	struct account_use *u = map_get_u64(v->accounts, mailbox_id);
	struct ipc *c = server_deliver(v, mailbox_id);

	if (u == NULL) {
		u = xcalloc(1, sizeof(*u));
		map_put_u64(v->accounts, mailbox_id, u);
	}
	u->sessions++;
	if (u->opened_on == c)
		return;
	u->opened_on = c;
	if (u->watchers > 0 && c != NULL)
		PROTO_SEND(c, 0, MBOX_WATCH, mbox_watch,
		    .mailbox_id = mailbox_id);
}

void
server_account_closed(struct server *v, uint64_t mailbox_id)
{
	struct account_use *u = map_get_u64(v->accounts, mailbox_id);

	ps_assert(u != NULL && u->sessions > 0);
	if (--u->sessions > 0)
		return;
	map_del_u64(v->accounts, mailbox_id);
	free(u);
}

void
server_left(struct server *v, struct session *s)
{
	struct ipc *c = server_deliver(v, s->mailbox_id);

	if (s->seat_on != NULL && s->seat_on == c)
		PROTO_SEND(c, 0, MBOX_LEFT, mbox_left,
		    .mailbox_id = s->mailbox_id,
		    .client = span_of(s->client, s->client_n));
	s->seat_on = NULL;
}

/* The connection has gone; its address may come back as another one. */
static void
accounts_forget(struct server *v, const struct ipc *c)
{
	struct span key;
	size_t pos = 0;
	void *value;

	while (map_next(v->accounts, &pos, &key, &value)) {
		struct account_use *u = value;

		if (u->opened_on == c)
			u->opened_on = NULL;
	}
}

void
server_watch(struct server *v, uint64_t mailbox_id, bool on)
{
	struct account_use *u = map_get_u64(v->accounts, mailbox_id);
	struct ipc *c = account_ipc(v, u, mailbox_id);

	ps_assert(u != NULL);
	if (on) {
		if (u->watchers++ == 0 && c != NULL)
			PROTO_SEND(c, 0, MBOX_WATCH, mbox_watch,
			    .mailbox_id = mailbox_id);
	} else if (--u->watchers == 0 && c != NULL) {
		PROTO_SEND(c, 0, MBOX_UNWATCH, mbox_unwatch,
		    .mailbox_id = mailbox_id);
	}
}

void
server_changed(struct server *v, struct session *by, uint64_t mailbox_id,
    const char *folder)
{
	struct ipc *c = account_ipc(v, map_get_u64(v->accounts, mailbox_id),
	    mailbox_id);

	tell_sessions(v, by, mailbox_id, span_str(folder));
	if (c != NULL)
		PROTO_SEND(c, 0, MBOX_CHANGED, mbox_changed,
		    .mailbox_id = mailbox_id, .folder = span_str(folder));
}

/* Whoever waits for an answer of a process that has gone gets none. */
static void
peer_closed_cb(struct ipc *c, void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	bool was_authd = c == v->authd;
	struct session *s, *next;
	unsigned i;

	log_warning("lost %s", ipc_name(c));
	accounts_forget(v, c);
	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next) {
		if (s->seat_on == c)
			s->seat_on = NULL;
		if (s->room.asked != 0 && !s->closing &&
		    server_deliver(v, s->mailbox_id) == c)
			quota_deliver_lost(s);
		if (s->asked == 0 || s->closing)
			continue;
		/* without a mailbox it waits for authd, else for deliver */
		if ((s->mailbox_id == 0) == was_authd && (was_authd ||
		    server_deliver(v, s->mailbox_id) == c))
			login_lost(s);
	}
	if (was_authd) {
		ipc_free(&v->authd);
		return;
	}
	for (i = 0; i < v->env->count[ROLE_DELIVER]; i++)
		if (v->deliver[i] == c)
			ipc_free(&v->deliver[i]);
}

void
server_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);

	if (role == ROLE_AUTHD) {
		if (v->authd != NULL)
			peer_closed_cb(v->authd, v);
		v->authd = ipc_new(v->loop, fd, "authd", authd_handlers,
		    ARRAY_LEN(authd_handlers), peer_closed_cb, v);
	} else if (role == ROLE_DELIVER &&
	    index < v->env->count[ROLE_DELIVER]) {
		if (v->deliver[index] != NULL)
			peer_closed_cb(v->deliver[index], v);
		v->deliver[index] = ipc_new(v->loop, fd, "deliver",
		    deliver_handlers, ARRAY_LEN(deliver_handlers),
		    peer_closed_cb, v);
	} else if (role == ROLE_CONTROL) {
		live_control(v->live, fd);
	} else {
		log_warning("a peer nobody asked for: %s",
		    service_role_name(role));
		close(fd);
	}
}
