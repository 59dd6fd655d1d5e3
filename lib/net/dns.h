/*
 * DNS for a program's loop: libunbound as a stub that forwards to the
 * resolvers of resolv.conf (or those of `dns_resolver`), validating DNSSEC
 * when a trust anchor is there. Make it after fork, one per process.
 *
 * Always true:
 *  1. A callback runs once, from the loop, never inside dns_lookup (libunbound
 *     itself calls back at once for what it knows).
 *  2. An answer that did not arrive in dns_timeout is DNS_TEMPFAIL.
 *  3. A record whose signature is wrong (bogus) is DNS_TEMPFAIL, never data.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

struct dns;
struct dns_query;

enum dns_type {			/* RFC 1035 3.2.2 and later */
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52
};

enum dns_result {
	DNS_OK,			/* at least one record */
	DNS_NODATA,		/* the name exists, not this type */
	DNS_NXDOMAIN,
	DNS_TEMPFAIL		/* no answer, SERVFAIL, bogus, malformed */
};

#define DNS_NAME_MAX	254	/* text, with NUL; no dot at the end */
#define DNS_RECORDS_MAX	256	/* more are cut off */

/* One record. Which members count depends on the type asked for. */
struct dns_record {
	uint32_t ttl;
	uint16_t preference;		/* MX; SRV priority */
	uint16_t weight, port;		/* SRV */
	char name[DNS_NAME_MAX];	/* NS, CNAME, PTR, MX, SRV; "" = root
					 * (null MX, RFC 7505) */
	uint8_t addr[16];		/* A (4 bytes), AAAA */
	struct span data;		/* TXT: strings joined (RFC 7208 3.3);
					 * TLSA and others: raw rdata */
};

struct dns_answer {
	enum dns_result result;
	bool secure;			/* validated with DNSSEC */
	char canonical[DNS_NAME_MAX];	/* name the records belong to, after
					 * CNAMEs */
	const struct dns_record *record;
	size_t n_records;		/* in the answer's order */
	uint32_t ttl;			/* seconds it may be kept; 0: not at
					 * all (what failed, what has no SOA) */
	const char *why;		/* for the log when TEMPFAIL */
};

/* Lent for the call. */
typedef void dns_cb(const struct dns_answer *a, void *arg);

struct dns *dns_new(struct loop *l, const struct conf *conf, struct err *err);
/* Waiting callbacks are not run. */
void dns_free(struct dns **d);

/* name without a dot at the end (one is taken off). A name that is not valid
 * (label over 63 bytes, over 253 in all, empty label) answers NXDOMAIN; past
 * dns_query_limit the answer is TEMPFAIL. The handle is valid until the
 * callback runs. */
struct dns_query *dns_lookup(struct dns *d, const char *name,
    enum dns_type type, dns_cb *cb, void *arg);
/* The callback will not run; *q becomes NULL. NULL is fine. */
void dns_cancel(struct dns_query **q);
size_t dns_waiting(const struct dns *d);

/* "4.3.2.1.in-addr.arpa" or the ip6.arpa form of a numeric address, with
 * `zone` in place of the suffix when not NULL (block lists: "zen.x.example").
 * False when ip is not an address. */
bool dns_reverse_name(const char *ip, const char *zone,
    char out[DNS_NAME_MAX]) MUST_CHECK;

/* The parser alone, for tests and fuzzing: a wire-format reply to a question
 * for `type`. Records point into `packet` or *scratch (malloc'ed, yours, may
 * be NULL). False when malformed. */
bool dns_parse(struct span packet, enum dns_type type,
    struct dns_answer *a, struct dns_record **records, char **scratch)
    MUST_CHECK;

#endif
