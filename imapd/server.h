/*
 * What the sessions of one imapd process share: configuration, certificates,
 * the connections to authd and deliver, file threads, and who watches which
 * mailbox. Sessions ask here; answers come back to session.h's functions.
 */
#ifndef IMAPD_SERVER_H
#define IMAPD_SERVER_H

#include "base/map.h"
#include "base/queue.h"
#include "base/work.h"
#include "net/certs.h"
#include "proto/service.h"
#include "spool/queueid.h"

struct session;
struct ipc;
struct live;

TAILQ_HEAD(session_list, session);
SLIST_HEAD(listener_list, listener);

struct server_stats {
	uint64_t connections, logins, failed_logins, commands;
};

#define SERVER_MAGIC		0x696d7376

struct server {
	uint32_t magic;
	const struct service_env *env;
	struct loop *loop;
	struct conf *conf;		/* our reference to the snapshot */
	struct certs *certs;
	struct work_pool *pool;
	struct watcher *watcher;
	struct queueid_gen ids;
	struct ipc *authd;
	struct ipc **deliver;		/* env->count[ROLE_DELIVER] of them */
	struct map *asked;		/* request id -> session */
	struct map *accounts;		/* mailbox id -> struct account_use */
	struct session_list sessions;
	struct guests *guests;		/* those that have not logged in */
	size_t n_sessions;
	struct live *live;		/* the same, for the CLI */
	struct listener_list *listeners;
	struct timer hourly, stop_timer;
	struct server_stats stats;
	bool stopping;
};

struct server *server_new(const struct service_env *env, struct err *err);
/* Without sessions only. */
void server_free(struct server **v);
void server_peer(void *arg, enum service_role role, unsigned index, int fd);
void server_listener(void *arg, const char *section, int fd);
void server_listeners_close(struct server *v);
void server_reload(void *arg);
void server_stop(void *arg);
void server_file(void *arg, const char *name, struct span contents);
void server_status(void *arg, struct buf *json);

/* The session no longer counts as one of its user. */
void server_left(struct server *v, struct session *s);

/* The session is linked into the list, or leaves it (last act of a session;
 * ends the process when that was the last one and we stop). */
void server_enter(struct server *v, struct session *s);
void server_leave(struct server *v, struct session *s);

/* Remembers that `s` waits for the answer `id`; forget drops it. */
void server_await(struct server *v, uint64_t id, struct session *s);
void server_forget(struct server *v, uint64_t id);
/* The connection to the deliver process that owns the mailbox, or NULL. */
struct ipc *server_deliver(struct server *v, uint64_t mailbox_id);

/* The same, if it knows that we have the account open: only then it takes
 * messages about it. */
struct ipc *server_account_deliver(struct server *v, uint64_t mailbox_id);

/* One session more has the account open (deliver just handed it over), or one
 * less. */
void server_account_opened(struct server *v, uint64_t mailbox_id);
void server_account_closed(struct server *v, uint64_t mailbox_id);
/* One session more, or less, wants to hear of changes in the mailbox. */
void server_watch(struct server *v, uint64_t mailbox_id, bool on);
/* Tells deliver, and by it all other sessions, that a folder changed; our
 * own sessions but `by` are told here. */
void server_changed(struct server *v, struct session *by,
    uint64_t mailbox_id, const char *folder);

#endif
