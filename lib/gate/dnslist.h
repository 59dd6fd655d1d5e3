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
#include "net/dns.h"

struct dnslist;

/* "zone" or "zone=filter": four numbers, each of which may be a list of
 * numbers and ranges in brackets. NULL with *why when malformed. */
struct dnslist *dnslist_parse(struct span spec, struct buf *why) MUST_CHECK;
void dnslist_free(struct dnslist **l);
const char *dnslist_zone(const struct dnslist *l);
const char *dnslist_spec(const struct dnslist *l);	/* as given */
/* What an answer of any list is worth, filters apart. */
enum dnslist_answer {
	DNSLIST_COUNTS,
	DNSLIST_REFUSES,	/* 127.255.255.0/24 */
	DNSLIST_OUTSIDE		/* of 127.0.0.0/8 */
};
enum dnslist_answer dnslist_answer_kind(const uint8_t addr[4]);
/* Is there an answer that no list gives which is well and speaks to us? */
bool dnslist_is_odd(const struct dns_answer *a);
/* The first of the answers that says "listed"; NULL: none does. */
const uint8_t *dnslist_find(const struct dnslist *l,
    const struct dns_answer *a);
/* Does this answer (an IPv4 address) say "listed"? */
bool dnslist_match(const struct dnslist *l, const uint8_t addr[4]);

#endif
