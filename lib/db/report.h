/*
 * What a network process tells the database on its own: events, as table
 * `event' keeps them. On a connection that is made when there is first
 * something to tell; nobody waits for it. Bounded: while the database is away
 * the newest REPORT_EVENTS_MAX events are kept.
 */
#ifndef DB_REPORT_H
#define DB_REPORT_H

#include "base/conf.h"
#include "base/loop.h"
#include "base/span.h"

#define REPORT_EVENTS_MAX	200

struct report;

/* As `role` of conf; `password` may be NULL (copied). Keeps a reference to
 * conf. */
struct report *report_new(struct loop *l, struct conf *conf, const char *role,
    const char *password);
/* What was not told yet is lost. */
void report_free(struct report **r);

/* name: "dnsbl.suspended"; detail: a JSON object. Told once, or a few times
 * when a connection dies under it. */
void report_event(struct report *r, const char *name, struct span subject,
    struct span detail);

#endif
