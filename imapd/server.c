#include "imapd/server.h"

#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/session.h"
#include "proto/proto.h"

#define SERVER_MAGIC		0x696d7376
#define FILE_THREADS		4
#define ACCEPTS_PER_TURN	64
#define HOUR_MS			3600000
#define ACCEPT_PAUSE_MS		1000
#define STOP_LOOK_MS		20

struct listener {
	SLIST_ENTRY(listener) link;
	struct server *server;
	char *section;
	struct io io;
	struct timer pause;
	int fd;
};
SLIST_HEAD(listener_list, listener);

/* --- answers of authd and deliver --------------------------------------------- */

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
	if (s != NULL)
		login_opened(s, in.ok && m->nfds == 1, in.why, &m->fd[0]);
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
	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next) {
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
	accounts_forget(v, c);
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
	} else {
		log_warning("a peer nobody asked for: %s",
		    service_role_name(role));
		close(fd);
	}
}

/* --- listeners -------------------------------------------------------------------- */

static void
refuse(int fd)
{
	static const char text[] = "* BYE Too many connections\r\n";

	/* best effort: the peer is told, or sees the close */
	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("refused connection was gone");
	close(fd);
}

static void
pause_over_cb(void *arg)
{
	struct listener *l = arg;

	io_want(&l->io, IO_READ);
}

static void
accept_cb(int fd, int what, void *arg)
{
	struct listener *l = arg;
	struct server *v = l->server;
	int i, conn;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn == -1) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS) {
				log_warning("accept: out of descriptors or "
				    "memory");
				io_want(&l->io, 0);
				timer_set_ms(&l->pause, ACCEPT_PAUSE_MS);
			}
			return;
		}
		v->stats.connections++;
		if (v->n_sessions >= (size_t)v->conf->imap_client_limit) {
			log_warning("imap_client_limit (%zu) reached",
			    v->n_sessions);
			refuse(conn);
			continue;
		}
		session_new(v, conn, l->section);
	}
}

void
server_listener(void *arg, const char *section, int fd)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct listener *l = xcalloc(1, sizeof(*l));

	l->server = v;
	l->section = xstrdup(section);
	l->fd = fd;
	timer_init(&l->pause, v->loop, pause_over_cb, l);
	io_init(&l->io, v->loop, fd, accept_cb, l);
	SLIST_INSERT_HEAD(v->listeners, l, link);
	io_want(&l->io, IO_READ);
}

static void
listeners_close(struct server *v)
{
	struct listener *l;

	while ((l = SLIST_FIRST(v->listeners)) != NULL) {
		SLIST_REMOVE_HEAD(v->listeners, link);
		timer_clear(&l->pause);
		io_clear(&l->io);
		close(l->fd);
		free(l->section);
		free(l);
	}
}

/* --- life -------------------------------------------------------------------------- */

void
server_enter(struct server *v, struct session *s)
{
	TAILQ_INSERT_TAIL(&v->sessions, s, link);
	v->n_sessions++;
}

/* The last BYEs are still on their way for a moment. */
static void
stop_when_empty(struct server *v)
{
	if (!v->stopping || v->n_sessions > 0)
		return;
	if (stream_finishing() > 0)
		timer_set_ms(&v->stop_timer, STOP_LOOK_MS);
	else
		service_stopped();
}

static void
stop_timer_cb(void *arg)
{
	stop_when_empty(OBJ_CAST(arg, server, SERVER_MAGIC));
}

void
server_leave(struct server *v, struct session *s)
{
	TAILQ_REMOVE(&v->sessions, s, link);
	v->n_sessions--;
	stop_when_empty(v);
}

static void
hourly_cb(void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);

	certs_ticket_derive(v->certs, v->env->key, clock_wall_us() / 1000000);
	timer_set_ms(&v->hourly, HOUR_MS);
}

struct server *
server_new(const struct service_env *env, struct err *err)
{
	struct server *v = xcalloc(1, sizeof(*v));

	v->magic = SERVER_MAGIC;
	v->env = env;
	v->loop = env->loop;
	if (queueid_gen_init(&v->ids, 0, env->incarnation) < 0) {
		err_set(err, ERR_PERM, PS_ETOOBIG, "incarnation %u is too "
		    "large", env->incarnation);
		free(v);
		return NULL;
	}
	v->conf = conf_ref(env->conf);
	v->certs = certs_new(v->conf);
	certs_alpn(v->certs, "imap");
	v->pool = work_pool_new(v->loop, FILE_THREADS);
	v->deliver = xcalloc(MAX(env->count[ROLE_DELIVER], 1u),
	    sizeof(*v->deliver));
	v->asked = map_new();
	v->accounts = map_new();
	TAILQ_INIT(&v->sessions);
	v->listeners = xcalloc(1, sizeof(*v->listeners));
	SLIST_INIT(v->listeners);
	store_host_set(v->conf->myhostname);
	timer_init(&v->hourly, v->loop, hourly_cb, v);
	timer_init(&v->stop_timer, v->loop, stop_timer_cb, v);
	hourly_cb(v);
	return v;
}

void
server_free(struct server **vp)
{
	struct server *v = *vp;
	unsigned i;

	if (v == NULL)
		return;
	*vp = NULL;
	ps_assert(v->n_sessions == 0);
	listeners_close(v);
	timer_clear(&v->hourly);
	timer_clear(&v->stop_timer);
	work_pool_free(&v->pool);
	for (i = 0; i < v->env->count[ROLE_DELIVER]; i++)
		ipc_free(&v->deliver[i]);
	ipc_free(&v->authd);
	certs_unref(&v->certs);
	conf_unref(&v->conf);
	map_free(&v->asked);
	map_free(&v->accounts);
	free(v->deliver);
	free(v->listeners);
	v->magic = 0;
	free(v);
}

void
server_reload(void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);

	conf_unref(&v->conf);
	v->conf = conf_ref(v->env->conf);
	certs_conf(v->certs, v->conf);
}

void
server_stop(void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct session *s, *next;

	v->stopping = true;
	listeners_close(v);
	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next)
		session_bye(s, "Server shutting down");
	stop_when_empty(v);
}

void
server_file(void *arg, const char *name, struct span contents)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct err err = { 0 };

	if (certs_file(v->certs, name, contents, &err) < 0)
		log_error("certificate refused, the old one stays: %s",
		    err.why);
}

void
server_status(void *arg, struct buf *json)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);

	buf_fmt(json, "\"sessions\": %zu, \"connections\": %llu, "
	    "\"logins\": %llu, \"failed_logins\": %llu, \"commands\": %llu",
	    v->n_sessions, (unsigned long long)v->stats.connections,
	    (unsigned long long)v->stats.logins,
	    (unsigned long long)v->stats.failed_logins,
	    (unsigned long long)v->stats.commands);
	v->stats = (struct server_stats){ .logins = 0 };
}
