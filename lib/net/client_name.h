/*
 * Who is the client? The host name behind an address, as Postfix finds it:
 * PTR, then the name's addresses must hold the client's own. Only a confirmed
 * name is the client's name; the unconfirmed one is kept as reverse name.
 */
#ifndef NET_CLIENT_NAME_H
#define NET_CLIENT_NAME_H

#include "net/dnscache.h"

enum client_name_state {
	CLIENT_NAME_OK,		/* confirmed */
	CLIENT_NAME_FORGED,	/* the name leads elsewhere, or nowhere: 5xx */
	CLIENT_NAME_NONE,	/* no PTR: 5xx */
	CLIENT_NAME_TEMP	/* could not be found out now: 4xx */
};

struct client_name {
	char name[DNS_NAME_MAX];		/* "unknown" unless OK */
	char reverse_name[DNS_NAME_MAX];	/* "unknown" without PTR */
	enum client_name_state name_state, reverse_state;
};

/* Lent for the call; from the loop, once. */
typedef void client_name_cb(const struct client_name *n, void *arg);

struct client_name_ask;

/* NULL: the cache knew, *known is filled, and no callback follows. Most clients
 * of a busy MX came a moment ago; they wait for nothing. */
struct client_name_ask *client_name_find(struct dnscache *c, const char *ip,
    struct client_name *known, client_name_cb *cb, void *arg);
void client_name_cancel(struct client_name_ask **a);

#endif
