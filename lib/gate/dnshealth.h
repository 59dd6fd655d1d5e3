/*
 * The health of all DNS lists that a process uses: tests each at the start and
 * every hour by the entries that RFC 5782 5 says a list must have and must not
 * have, and keeps those that fail from being used (listhealth.h) by whatever
 * restriction or score names them. One per process that asks lists: the tests
 * go the same way as its questions, so that they show what these would get.
 *
 * Lists are told apart by zone; filters don't matter. Bounded: at most
 * DNSHEALTH_LISTS_MAX zones (more are used untested) and a few tests at a
 * time.
 */
#ifndef GATE_DNSHEALTH_H
#define GATE_DNSHEALTH_H

#include "base/conf.h"
#include "base/loop.h"
#include "base/queue.h"
#include "gate/gate.h"
#include "gate/listhealth.h"
#include "net/dns.h"

#define DNSHEALTH_LISTS_MAX	256

struct dnshealth;

struct dnshealth *dnshealth_new(struct loop *l, struct dns *dns,
    const struct conf *conf);
/* Callbacks of those who wait are not run. */
void dnshealth_free(struct dnshealth **h);
/* Lists that nobody names any more are no longer tested: watch them anew. */
void dnshealth_reload(struct dnshealth *h, const struct conf *conf);
/* Begins to test all lists that these lists name. */
void dnshealth_watch(struct dnshealth *h, const struct gate *g);

/* A list was suspended (good: is used again). From the loop. */
typedef void dnshealth_changed_cb(const char *zone, enum list_kind kind,
    bool good, const char *why, void *arg);
void dnshealth_on_change(struct dnshealth *h, dnshealth_changed_cb *cb,
    void *arg);

/* May it be asked? LIST_USE_WAIT: its first test is under way (it ends in
 * dns_timeout). */
enum list_use dnshealth_use(struct dnshealth *h, const char *zone,
    enum list_kind kind);
/* Why not; "" when it may. */
const char *dnshealth_why(struct dnshealth *h, const char *zone,
    enum list_kind kind);
/* It gave an answer that can't be true. */
void dnshealth_doubt(struct dnshealth *h, const char *zone,
    enum list_kind kind);

/* Someone who waits for a test; in its owner, zeroed. Called once, from the
 * loop, when any test is over. */
struct dnshealth_wait {
	TAILQ_ENTRY(dnshealth_wait) link;	/* private, as all */
	struct dnshealth *h;
	void (*cb)(void *arg);		/* NULL: does not wait */
	void *arg;
};
/* Once more while it waits changes nothing. */
void dnshealth_wait(struct dnshealth *h, struct dnshealth_wait *w,
    void (*cb)(void *arg), void *arg);
void dnshealth_wait_end(struct dnshealth_wait *w);

/* JSON members (no braces) for `postern status`: "dnsbl": [ ... ]. */
void dnshealth_status(const struct dnshealth *h, struct buf *json);

#endif
