/*
 * A DNS list as restrictions name it: a zone and which of its answers count,
 * "zen.example=127.0.0.[2..11;14]". Answers outside 127.0.0.0/8 never count:
 * they come from wildcards and parked domains, and 127.255.255.0/24 is how
 * lists say that they refuse to answer (RFC 5782 2.3).
 * Owns its text. Asks nobody.
 */
#ifndef GATE_DNSLIST_H
#define GATE_DNSLIST_H

#include "base/buf.h"
#include "base/span.h"

struct dnslist;

/* "zone" or "zone=filter": four numbers, each of which may be a list of
 * numbers and ranges in brackets. NULL with *why when malformed. */
struct dnslist *dnslist_parse(struct span spec, struct buf *why) MUST_CHECK;
void dnslist_free(struct dnslist **l);
const char *dnslist_zone(const struct dnslist *l);
const char *dnslist_spec(const struct dnslist *l);	/* as given */
/* Does this answer (an IPv4 address) say "listed"? */
bool dnslist_match(const struct dnslist *l, const uint8_t addr[4]);

#endif
