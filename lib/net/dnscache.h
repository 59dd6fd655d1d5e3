/*
 * Answers of the DNS kept in memory, parsed, for as long as their ttl allows,
 * in front of dns.h: a warm look-up costs no packet, no copy and no turn of
 * the loop:
 *
 *	k = dnscache_peek(cache, name, DNS_MX);
 *	if (k == NULL)
 *		ask = dnscache_ask(cache, name, DNS_MX, cb, arg);
 *
 * A kept answer is immutable and reference-counted. Failures are not kept.
 * Bounded, in number and in bytes, as whose name is asked for chooses how long
 * the answer is: the entry that was not used for longest goes first.
 */
#ifndef NET_DNSCACHE_H
#define NET_DNSCACHE_H

#include "net/dns.h"

struct dns_kept {
	unsigned refs;			/* private */
	size_t bytes;			/* it takes so many */
	struct dns_answer answer;
};

/* A copy that outlives its query; one reference, yours. */
struct dns_kept *dns_kept_new(const struct dns_answer *a);
struct dns_kept *dns_kept_ref(struct dns_kept *k);
void dns_kept_unref(struct dns_kept **k);

struct dnscache;
struct dnscache_ask;

/* `dns` must outlive it. At most conf->dns_cache_entries answers, and so many
 * KiB. */
struct dnscache *dnscache_new(struct loop *l, struct dns *dns,
    const struct conf *conf);
/* Waiting callbacks are not run. */
void dnscache_free(struct dnscache **c);

/* One reference, yours; NULL: not there, or too old. */
struct dns_kept *dnscache_peek(struct dnscache *c, const char *name,
    enum dns_type type);
/* k is lent for the call (ref it to keep it), never NULL; from the loop,
 * once. Take the rules for `name` from dns_lookup. */
typedef void dnscache_cb(struct dns_kept *k, void *arg);
struct dnscache_ask *dnscache_ask(struct dnscache *c, const char *name,
    enum dns_type type, dnscache_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void dnscache_cancel(struct dnscache_ask **a);

/* JSON members (no braces) for `postern status`. */
void dnscache_status(const struct dnscache *c, struct buf *json);

#endif
