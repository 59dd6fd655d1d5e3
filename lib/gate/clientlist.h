/*
 * A list of clients, as in smtpd_client_event_limit_exceptions: networks,
 * host names and tables in any order. The first word that matches decides;
 * "!" in front of it makes that decision a no (Postfix: namadr_list).
 *
 *	192.0.2.0/24 [2001:db8::]/32	networks (netlist.h)
 *	mx.example.net			this name
 *	.example.net			any name below it
 *	hash:/etc/friends		a table that has the name or the address
 *	check_address_map cidr:/etc/a	a table that is asked for the address
 */
#ifndef GATE_CLIENTLIST_H
#define GATE_CLIENTLIST_H

#include "base/buf.h"
#include "gate/netlist.h"

struct client_list;

/* NULL when a word is wrong; `why` then tells which, and what is. So is a
 * table that others must be asked for (tcp, pgsql). */
struct client_list *client_list_parse(const char *text, struct buf *why)
    MUST_CHECK;
void client_list_free(struct client_list **l);

/* name NULL: not known yet, so no name matches. A table that fails does not
 * match. */
bool client_list_match(const struct client_list *l, const char *name,
    const char *ip, const struct net_addr *a);

#endif
