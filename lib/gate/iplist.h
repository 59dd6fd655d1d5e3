/*
 * A list of decisions about client addresses, as in postscreen_access_list
 * (postscreen(8)): words in any order, the first that fires decides.
 *
 *	permit_mynetworks	permits what mynetworks has
 *	permit  reject  dunno	for every client
 *	cidr:/etc/postern/a	a table that has permit, reject or dunno for
 *				the whole address, or a list of such words
 *
 * Only tables that answer at once: it is asked before anything is said.
 */
#ifndef GATE_IPLIST_H
#define GATE_IPLIST_H

#include "base/conf.h"
#include "gate/netlist.h"

struct iplist;

enum iplist_verdict { IPLIST_DUNNO, IPLIST_PERMIT, IPLIST_REJECT };

/* From conf's value `text` of `param`. What is wrong with it is a line in
 * complaints; never NULL. */
struct iplist *iplist_new(const struct conf *conf, const char *param,
    const char *text, struct buf *complaints);
void iplist_free(struct iplist **l);

/* A table that fails, or says what is no such word (logged), decides
 * nothing. *by, lent, is the word that decided; "" for none. */
enum iplist_verdict iplist_find(const struct iplist *l, const char *ip,
    const struct net_addr *a, const char **by);

#endif
