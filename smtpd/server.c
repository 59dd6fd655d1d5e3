#include "smtpd/server.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/judge.h"
#include "smtpd/session.h"
#include "smtpd/upstream.h"

void
server_init(struct server *srv, struct loop *l)
{
	memset(srv, 0, sizeof(*srv));
	srv->loop = srv->world.loop = l;
	TAILQ_INIT(&srv->sessions);
	TAILQ_INIT(&srv->upstreams);
	srv->clients = map_new();
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
	txn_spares_free(srv);
	while ((j = srv->spare_judges) != NULL) {
		srv->spare_judges = j->next_spare;
		free(j);
	}
	map_free(&srv->clients);
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
	TAILQ_FOREACH_SAFE(s, &srv->sessions, link, next)
		session_shut(s);
	srv->idle = idle;
	srv->idle_arg = arg;
	server_check_idle(srv);
}

/* IPv6 clients own whole /64s: count those. */
static struct span
client_key(const struct net_addr *a)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };

	return span_of(a->b, memcmp(a->b, v4, sizeof(v4)) == 0 ? 16 : 8);
}

unsigned
server_client_count(struct server *srv, const struct net_addr *a, int change)
{
	struct span key = client_key(a);
	uintptr_t n = (uintptr_t)map_get(srv->clients, key);

	if (change < 0 && n <= 1) {
		(void)map_del(srv->clients, key);
		return 0;
	}
	n = change < 0 ? n - 1 : n + 1;
	(void)map_put(srv->clients, key, (void *)n);
	return (unsigned)n;
}
