#include "smtpd/server.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/first.h"
#include "smtpd/judge.h"
#include "smtpd/keeper.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/live_sessions.h"
#include "smtpd/session.h"
#include "smtpd/upstream.h"
#include "smtpd/verdict_count.h"

/* Until limits_configure. */
#define OWN_CLIENTS	100000
#define OWN_UNIT_MS	60000
#define KEEPER_TIMEOUT_MS	250

void
server_init(struct server *srv, struct loop *l)
{
	memset(srv, 0, sizeof(*srv));
	srv->loop = srv->world.loop = l;
	TAILQ_INIT(&srv->sessions);
	TAILQ_INIT(&srv->upstreams);
	TAILQ_INIT(&srv->idlers);
	srv->first = first_new(srv);
	srv->live = live_new(l, "smtpd", &live_sessions_ops);
	srv->own_counts = keeper_new(OWN_CLIENTS, OWN_UNIT_MS);
	srv->keeper_waits = map_new();
	srv->keeper_timeout_ms = KEEPER_TIMEOUT_MS;
	keeper_asks_init(srv);
	srv->quota_waits = map_new();
	srv->auth_waits = map_new();
	srv->cold_waits = map_new();
}

static void
kick_all(struct server *srv)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&srv->sessions)) != NULL)
		session_kick(s, "421 4.3.2 Service shutting down");
}

void
server_fini(struct server *srv)
{
	struct judge *j;

	srv->idle = NULL;
	upstream_end_all(srv);
	kick_all(srv);
	first_free(&srv->first);
	live_free(&srv->live);
	txn_spares_free(srv);
	while ((j = srv->spare_judges) != NULL) {
		srv->spare_judges = j->next_spare;
		free(j);
	}
	verdict_counts_free(&srv->verdicts);
	keeper_free(&srv->own_counts);
	map_free(&srv->keeper_waits);
	keeper_asks_fini(srv);
	map_free(&srv->quota_waits);
	map_free(&srv->auth_waits);
	map_free(&srv->cold_waits);
}

void
server_check_idle(struct server *srv)
{
	void (*idle)(struct server *, void *) = srv->idle;

	if (!srv->stopping || idle == NULL || srv->n_sessions > 0 ||
	    srv->n_committing > 0)
		return;
	srv->idle = NULL;
	idle(srv, srv->idle_arg);
}

void
server_stop(struct server *srv, void (*idle)(struct server *, void *),
    void *arg)
{
	struct session *s, *next;

	srv->stopping = true;
	upstream_end_all(srv);
	first_stop(srv);
	TAILQ_FOREACH_SAFE(s, &srv->sessions, link, next)
		session_shut(s);
	srv->idle = idle;
	srv->idle_arg = arg;
	server_check_idle(srv);
}
