/*
 * A list of networks, as in mynetworks: words ADDRESS, ADDRESS/BITS,
 * [IPV6]/BITS, each optionally with "!" in front to take it out again. The
 * first word that matches decides, as in Postfix. An IPv4 address mapped into
 * IPv6 is that IPv4 address.
 */
#ifndef GATE_NETLIST_H
#define GATE_NETLIST_H

#include "base/buf.h"
#include "base/span.h"

/* An address in 16 bytes; IPv4 as ::ffff:a.b.c.d. */
struct net_addr {
	uint8_t b[16];
};

struct netlist;

/* Text without brackets. False when it is no address. */
bool net_addr_parse(struct span text, struct net_addr *a) MUST_CHECK;

/* NULL when a word is malformed; then `bad` is that word (lent from text). */
struct netlist *netlist_parse(const char *text, struct span *bad) MUST_CHECK;
void netlist_free(struct netlist **n);
/* Is one of the networks so wide (IPv4 wider than /8, IPv6 than /16) that no
 * site can own it? */
bool netlist_too_wide(const struct netlist *n);
/* Does it hold the whole of a private range (RFC 1918, 6598)? */
bool netlist_has_private_range(const struct netlist *n);
/* Does a word of another list have an address that matches? */
bool netlist_overlaps(const struct netlist *n, struct span word);
bool netlist_match(const struct netlist *n, const struct net_addr *a);

#endif
