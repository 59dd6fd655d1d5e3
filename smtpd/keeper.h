/*
 * Counters of what clients do (Postfix: anvil): connections that are open,
 * and events per time unit. gatekeeper has one table for all workers; each
 * worker has its own, for when gatekeeper is away.
 *
 * A client is a network of a service, packed into a key. Time is counted as
 * anvil does: from a client's first event on for one unit, then all its rates
 * begin anew. A client without connections is forgotten a unit after its last
 * event, and earlier when there is no more room: the one that was silent
 * longest goes first.
 *
 * Always true: never more than `most` clients; those with connections stay.
 * Keys are hashed with a secret (map.h), so clients can't choose collisions.
 */
#ifndef SMTPD_KEEPER_H
#define SMTPD_KEEPER_H

#include "base/buf.h"
#include "base/span.h"
#include "gate/netlist.h"
#include "proto/proto.h"

#define KEEPER_SERVICE_MAX	64
#define KEEPER_KEY_MAX		(17 + KEEPER_SERVICE_MAX)

/* --- keys --- */

struct keeper_key {
	uint8_t n;			/* 0: none */
	char b[KEEPER_KEY_MAX];		/* address, bits, service */
};

/* v4, v6: how many bits of the address count. A longer service name is cut. */
void keeper_key_set(struct keeper_key *key, const struct net_addr *a,
    unsigned v4, unsigned v6, struct span service);
static inline struct span
keeper_key_span(const struct keeper_key *key)
{
	return span_of(key->b, key->n);
}
/* Is it what keeper_key_set makes? */
bool keeper_key_valid(struct span key);
/* "mx:192.0.2.7" or "mx:192.0.2.0/24" */
void keeper_key_text(struct span key, struct buf *out);

/* --- the table --- */

struct keeper;

struct keeper_counts {
	uint32_t connections, rate;
};

struct keeper *keeper_new(size_t most, uint64_t unit_ms);
void keeper_free(struct keeper **k);
void keeper_configure(struct keeper *k, size_t most, uint64_t unit_ms);

/*
 * Counts one event, or with `peek` only looks. A KEEPER_CONNECT that returned
 * true is one connection more, until keeper_gone. False: there is no room to
 * remember this client, and nothing is known of it.
 */
bool keeper_count(struct keeper *k, struct span key, enum keeper_event event,
    bool peek, uint64_t now_ms, struct keeper_counts *out);
/* n connections that no rate counts: they are not new. False as above. */
bool keeper_held(struct keeper *k, struct span key, uint32_t n,
    uint64_t now_ms);
/* n connections less; more than there are is all of them. */
void keeper_gone(struct keeper *k, struct span key, uint32_t n,
    uint64_t now_ms);

size_t keeper_clients(const struct keeper *k);
uint64_t keeper_connections(const struct keeper *k);

/* Walks the clients with connections; begin with *pos = 0. */
bool keeper_next(const struct keeper *k, size_t *pos, struct span *key,
    uint32_t *connections);

/* The highest counts since the last call, each a line as anvil logs it:
 * "max connection rate 3/60s for (mx:192.0.2.7) at Nov 28 12:00:00". */
void keeper_report(struct keeper *k, void (*line)(const char *text));

#endif
