#include "imapd/guests.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "gate/netlist.h"
#include "imapd/session.h"

struct guests {
	struct session_list all;	/* who came first is first */
	struct map *networks;		/* -> how many, as a pointer */
	struct netlist *exempt;
	uintptr_t limit;		/* 0: none */
};

struct guests *
guests_new(const struct conf *conf)
{
	struct guests *g = xcalloc(1, sizeof(*g));

	TAILQ_INIT(&g->all);
	g->networks = map_new();
	guests_configure(g, conf);
	return g;
}

void
guests_free(struct guests **gp)
{
	struct guests *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	ps_assert(TAILQ_EMPTY(&g->all));
	map_free(&g->networks);
	netlist_free(&g->exempt);
	free(g);
}

void
guests_configure(struct guests *g, const struct conf *conf)
{
	struct span bad;

	g->limit = (uintptr_t)conf->imap_guest_limit;
	netlist_free(&g->exempt);
	/* authd complains of a word that is wrong */
	g->exempt = netlist_parse(conf->login_defence_exempt_networks, &bad);
}

static bool
is_exempt(const struct guests *g, const struct session *s)
{
	struct net_addr a;

	return s->client_n == 0 || (g->exempt != NULL &&
	    net_addr_parse(span_str(s->ip), &a) &&
	    netlist_match(g->exempt, &a));
}

static struct span
network(const struct session *s)
{
	return span_of(s->client, s->client_n);
}

static uintptr_t
count(const struct guests *g, const struct session *s)
{
	return (uintptr_t)map_get(g->networks, network(s));
}

bool
guests_enter(struct guests *g, struct session *s)
{
	ps_assert(!s->guest);
	s->guest_counted = !is_exempt(g, s);
	if (s->guest_counted) {
		if (g->limit > 0 && count(g, s) >= g->limit)
			return false;
		(void)map_put(g->networks, network(s),
		    (void *)(count(g, s) + 1));
	}
	s->guest = true;
	TAILQ_INSERT_TAIL(&g->all, s, guest_link);
	return true;
}

void
guests_leave(struct guests *g, struct session *s)
{
	if (!s->guest)
		return;
	s->guest = false;
	TAILQ_REMOVE(&g->all, s, guest_link);
	if (!s->guest_counted)
		return;
	if (count(g, s) > 1)
		(void)map_put(g->networks, network(s),
		    (void *)(count(g, s) - 1));
	else
		(void)map_del(g->networks, network(s));
}

bool
guests_make_room(struct guests *g)
{
	struct session *s;

	TAILQ_FOREACH(s, &g->all, guest_link) {
		/* its password is being checked: it may be a user */
		if (s->asked != 0)
			continue;
		guests_leave(g, s);
		session_bye(s, "[UNAVAILABLE] Server is full, log in sooner");
		return true;
	}
	return false;
}
