/*
 * Who is believed: networks of the configuration, and the shapes of it that
 * would let strangers relay. Such a configuration is refused, not warned
 * about: an open relay is found within hours.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/gate_int.h"

struct netlist *
gate_networks(const struct gate *g, const char *param, const char *text,
    struct buf *complaints)
{
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);

	if (n == NULL)
		gate_complain(complaints, conf_where(g->conf, param),
		    "%s: \"%.*s\" is no network", param, SPAN_ARG(bad));
	return n;
}

/* Those of the interfaces, and what the configuration adds: addresses that a
 * proxy or translator in front of us has. */
struct netlist *
gate_own_find(const struct gate *g, struct buf *complaints)
{
	struct ifaddrs *all = NULL, *i;
	char ip[INET6_ADDRSTRLEN];
	struct netlist *n;
	struct buf text;

	buf_init(&text, 65536);
	if (getifaddrs(&all) == -1)
		all = NULL;
	for (i = all; i != NULL; i = i->ifa_next) {
		const void *a = i->ifa_addr;

		if (a == NULL || (i->ifa_addr->sa_family != AF_INET &&
		    i->ifa_addr->sa_family != AF_INET6))
			continue;
		a = i->ifa_addr->sa_family == AF_INET ?
		    (const void *)&((const struct sockaddr_in *)a)->sin_addr :
		    &((const struct sockaddr_in6 *)a)->sin6_addr;
		if (inet_ntop(i->ifa_addr->sa_family, a, ip, sizeof(ip)) ==
		    NULL)
			continue;
		buf_fmt(&text, strchr(ip, ':') != NULL ? "[%s] " : "%s ", ip);
	}
	if (all != NULL)
		freeifaddrs(all);
	buf_str(&text, g->conf->proxy_interfaces);
	n = gate_networks(g, "proxy_interfaces", buf_cstr(&text), complaints);
	buf_fini(&text);
	return n;
}

/* --- lists --- */

/* Does some rule of the list stop strangers from relaying? Or is everyone, or
 * whoever knows what to say, permitted before one does? */
static enum guard { GUARD_NONE, GUARD_STOPS, GUARD_OPEN }
guards(const struct gate_list *l)
{
	enum guard in;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->rules[i].warn)
			continue;
		if (l->rules[i].class != NULL) {
			in = guards(l->rules[i].class);
			if (in != GUARD_NONE)
				return in;
		}
		if (l->rules[i].is->flags & GATE_GUARDS)
			return GUARD_STOPS;
		if (l->rules[i].is->flags & (GATE_ENDS | GATE_OPENS))
			return GUARD_OPEN;
	}
	return GUARD_NONE;
}

static void
check_relay(const struct gate *g, struct buf *complaints)
{
	const struct gate_list *relay = &g->list[GATE_RELAY];

	if (guards(relay) == GUARD_STOPS ||
	    guards(&g->list[GATE_RECIPIENT]) == GUARD_STOPS)
		return;
	gate_complain(complaints, relay->where, "open relay: neither "
	    "smtpd_relay_restrictions nor smtpd_recipient_restrictions has "
	    "reject_unauth_destination, defer_unauth_destination, reject or "
	    "defer before everyone is permitted");
}

/* --- networks --- */

/* A network that holds strangers makes permit_mynetworks an open relay. A
 * whole private range is not a site's: bridges, containers and proxies have
 * addresses of it too, and what they pass on comes from anywhere. */
static void
check_mynetworks(const struct gate *g, struct buf *complaints)
{
	const char *where = conf_where(g->conf, "mynetworks");

	if (netlist_too_wide(g->mynetworks))
		gate_complain(complaints, where, "open relay: mynetworks has "
		    "a network wider than any site's (IPv4 /8, IPv6 /16)");
	else if (netlist_has_private_range(g->mynetworks) &&
	    !g->conf->mynetworks_private_ranges)
		gate_complain(complaints, where, "open relay: mynetworks "
		    "trusts a whole private range: a bridge, container host "
		    "or proxy with an address of it would let strangers "
		    "relay; name your own networks (or, if none can be in "
		    "between, set mynetworks_private_ranges = yes)");
}

/* Peers that may say who the client is must not be anybody, and what they
 * are themselves must not be trusted: a connection that a proxy passes on
 * without its header would be. */
static void
check_peers(const struct gate *g, const char *param, const char *text,
    struct buf *complaints)
{
	const char *where = conf_where(g->conf, param);
	struct netlist *peers = gate_networks(g, param, text, complaints);

	if (peers != NULL && netlist_too_wide(peers))
		gate_complain(complaints, where, "open relay: %s has a network "
		    "wider than any site's: whoever is in it may say that he "
		    "is a client of mynetworks", param);
	netlist_free(&peers);
}

static void
check_proxies(const struct gate *g, struct buf *complaints)
{
	static const char param[] = "smtpd_upstream_proxy_hosts";
	struct span rest = span_str(g->conf->smtpd_upstream_proxy_hosts), word;
	struct netlist *proxies;

	check_peers(g, param, g->conf->smtpd_upstream_proxy_hosts,
	    complaints);
	if (g->conf->smtpd_upstream_proxy_protocol[0] == '\0')
		return;
	proxies = gate_networks(g, param, g->conf->smtpd_upstream_proxy_hosts,
	    complaints);
	if (proxies == NULL)
		return;
	while (conf_list_next(&rest, &word))
		if (netlist_overlaps(g->mynetworks, word))
			gate_complain(complaints, conf_where(g->conf, param),
			    "open relay: mynetworks trusts the proxy %.*s: "
			    "whom it passes on without a PROXY header would "
			    "be trusted with it; take it out of mynetworks "
			    "(!ADDRESS in front)", SPAN_ARG(word));
	netlist_free(&proxies);
}

void
gate_check_trust(const struct gate *g, struct buf *complaints)
{
	check_relay(g, complaints);
	check_mynetworks(g, complaints);
	check_peers(g, "smtpd_authorized_xclient_hosts",
	    g->conf->smtpd_authorized_xclient_hosts, complaints);
	check_proxies(g, complaints);
}
