/*
 * The inside of a supervisor, for supervisor.c (starting, restarting) and
 * supervisor_stop.c.
 */
#ifndef ADMIN_SUPERVISOR_INT_H
#define ADMIN_SUPERVISOR_INT_H

#include "admin/supervisor.h"

#define SUPERVISOR_MAGIC	0x73757065u
/* One place in the family; its process comes and goes. */
struct member {
	struct supervisor *sup;
	struct child *child;
	struct timer restart;
	uint64_t backoff_ms;
	unsigned restarts;
	bool was_started;	/* STARTED at least once */
};

struct supervisor {
	uint32_t magic;
	struct child_shared shared;
	struct conf *started;		/* with this: the rest may be reloaded */
	struct supervisor_events events;
	struct member *v;
	size_t n;
	bool ready, stopping, failed, done;
	unsigned stage;			/* of stopping */
	struct timer grace, watch;
	struct defer finished;
};

/* Timers and calls of stopping, for supervisor_new and _free. */
void supervisor_stop_init(struct supervisor *s);
void supervisor_stop_fini(struct supervisor *s);
/* A child ended while stopping; `how` in words. */
void supervisor_stop_ended(struct supervisor *s, const struct child *c,
    int wait_status, const char *how);

#endif
