/*
 * One connection to a policy service: opened, used for one request at a time,
 * watched while it is idle. Private to lib/policy; policy.h is for users.
 *
 * A callback runs from the loop, and may free the connection. After lost() or
 * an answer that leaves it unusable there is nothing to do but that. Timeouts
 * are the owner's, but for opening.
 */
#ifndef POLICY_CONN_H
#define POLICY_CONN_H

#include "net/dial.h"

struct policy_conn;

struct policy_conn_cbs {
	/* It is open. */
	void (*up)(void *arg);
	/* The action is yours to free. usable: it can take a request more. */
	void (*answer)(char *action, bool usable, void *arg);
	/* It could not be opened, or ended, or the service talks nonsense.
	 * heard: a part of the answer had come. */
	void (*lost)(const char *why, bool heard, void *arg);
};

struct policy_conn *policy_conn_new(struct loop *l, struct work_pool *names,
    const struct dial_place *place, uint32_t limit_ms,
    const struct policy_conn_cbs *cbs, void *arg);
void policy_conn_free(struct policy_conn **c);
/* Once up, and when no answer is due. */
void policy_conn_send(struct policy_conn *c, struct span request);

#endif
