/*
 * How often each rule said what: the gate's verdicts of this process, by list,
 * rule with its argument, and action. Gathered in memory and told to
 * gatekeeper every few seconds, which adds those of all workers up in the
 * database (verdict_keep.h). While it is away they wait here.
 *
 * Bounded: rules are those of the configuration and its tables; past
 * VERDICT_COUNT_MAX kinds all else counts as one.
 */
#ifndef SMTPD_VERDICT_COUNT_H
#define SMTPD_VERDICT_COUNT_H

#include "base/buf.h"

#define VERDICT_COUNT_MAX	5000
#define VERDICT_TEXT_MAX	200	/* of a list, a rule, an action */
#define VERDICT_TELL_MS		2000

struct server;
struct verdict_counts;

struct verdict_counts *verdict_counts_new(struct server *srv);
/* What was not told yet is told, when gatekeeper is there. */
void verdict_counts_free(struct verdict_counts **c);

/* argument may be NULL; action: "reject", "permit", ... Also for what decides
 * outside the lists, under a list name of its own. */
void verdict_count(struct server *srv, const char *list, const char *rule,
    const char *argument, const char *action);

/* A JSON member (no braces) for `postern status`: how many of each action. */
void verdict_counts_status(const struct verdict_counts *c, struct buf *json);

#endif
