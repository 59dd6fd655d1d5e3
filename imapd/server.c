#include "imapd/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/guests.h"
#include "imapd/live_sessions.h"
#include "imapd/session.h"

#define FILE_THREADS		8
#define HOUR_MS			3600000
#define STOP_LOOK_MS		20

void
server_enter(struct server *v, struct session *s)
{
	TAILQ_INSERT_TAIL(&v->sessions, s, link);
	live_enter(v->live, &s->live);
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
	live_leave(v->live, &s->live);
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
	char name[32];

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
	v->watcher = watcher_new(v->loop, (size_t)v->conf->imap_watch_limit);
	v->deliver = xcalloc(MAX(env->count[ROLE_DELIVER], 1u),
	    sizeof(*v->deliver));
	v->asked = map_new();
	v->accounts = map_new();
	TAILQ_INIT(&v->sessions);
	v->guests = guests_new(v->conf);
	(void)snprintf(name, sizeof(name), "imapd/%u", env->index);
	v->live = live_new(v->loop, name, &live_sessions_ops);
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
	server_listeners_close(v);
	guests_free(&v->guests);
	timer_clear(&v->hourly);
	timer_clear(&v->stop_timer);
	live_free(&v->live);
	work_pool_free(&v->pool);
	watcher_free(&v->watcher);
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
	guests_configure(v->guests, v->conf);
	watcher_max_set(v->watcher, (size_t)v->conf->imap_watch_limit);
}

void
server_stop(void *arg)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct session *s, *next;

	v->stopping = true;
	server_listeners_close(v);
	TAILQ_FOREACH_SAFE(s, &v->sessions, link, next)
		session_bye(s, "Server shutting down");
	stop_when_empty(v);
}

void
server_file(void *arg, const char *name, struct span contents)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct err err = { 0 };
	int rc;

	rc = certs_file(v->certs, name, contents, &err);
	if (rc < 0)
		log_error("certificate refused, the old one stays: %s",
		    err.why);
	else if (rc > 0)
		log_warning("certificate taken although it has expired, as "
		    "there is no other: %s", err.why);
}

void
server_status(void *arg, struct buf *json)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);

	buf_fmt(json, "\"sessions\": %zu, \"watches\": %zu, \"connections\": %llu, "
	    "\"logins\": %llu, \"failed_logins\": %llu, \"commands\": %llu",
	    v->n_sessions, watcher_count(v->watcher),
	    (unsigned long long)v->stats.connections,
	    (unsigned long long)v->stats.logins,
	    (unsigned long long)v->stats.failed_logins,
	    (unsigned long long)v->stats.commands);
	v->stats = (struct server_stats){ .logins = 0 };
}
