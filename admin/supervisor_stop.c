/*
 * Stopping: stage by stage in the order in which mail flows, so that what a
 * later stage still has to do can be done. Each stage has stop_grace_time.
 */
#include "admin/supervisor_int.h"

#include <sys/wait.h>

#include "base/log.h"

static void
finished_cb(void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);

	s->events.stopped(s->failed, s->events.arg);
}

static bool
stage_ended(const struct supervisor *s, unsigned stage)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (child_role(s->v[i].child)->stop_stage == stage &&
		    child_state(s->v[i].child) != CHILD_DOWN)
			return false;
	return true;
}

/* Goes on to the next stage that has anyone left in it. */
static void
stop_go_on(struct supervisor *s)
{
	size_t i;

	while (s->stage < ROLE_STOP_STAGES && stage_ended(s, s->stage))
		s->stage++;
	if (s->stage == ROLE_STOP_STAGES) {
		timer_clear(&s->grace);
		if (!s->done)
			defer_call(&s->finished);
		s->done = true;
		return;
	}
	for (i = 0; i < s->n; i++)
		if (child_role(s->v[i].child)->stop_stage == s->stage)
			child_stop(s->v[i].child);
	timer_set_ms(&s->grace,
	    (uint64_t)s->shared.config->conf->stop_grace_time);
}

static void
stop_kill_stage(struct supervisor *s)
{
	struct child *c;
	size_t i;

	for (i = 0; i < s->n; i++) {
		c = s->v[i].child;
		if (child_role(c)->stop_stage != s->stage ||
		    !child_alive(c))
			continue;
		log_warning("process %s (pid %ld) did not end in time: "
		    "killing it", child_name(c), (long)child_pid(c));
		child_kill(c);
	}
}

static void
grace_cb(void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);

	stop_kill_stage(s);
}

void
supervisor_stop_init(struct supervisor *s)
{
	timer_init(&s->grace, s->shared.loop, grace_cb, s);
	defer_init(&s->finished, s->shared.loop, finished_cb, s);
}

void
supervisor_stop_fini(struct supervisor *s)
{
	timer_clear(&s->grace);
	defer_cancel(&s->finished);
}

void
supervisor_stop_ended(struct supervisor *s, const struct child *c,
    int wait_status, const char *how)
{
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
		log_warning("process %s (pid %ld) %s while stopping",
		    child_name(c), (long)child_pid(c), how);
	if (stage_ended(s, s->stage))
		stop_go_on(s);
}

void
supervisor_stop(struct supervisor *s)
{
	size_t i;

	if (s->stopping) {
		stop_kill_stage(s);
		return;
	}
	s->stopping = true;
	timer_clear(&s->watch);
	for (i = 0; i < s->n; i++)
		timer_clear(&s->v[i].restart);
	stop_go_on(s);
}

bool
supervisor_stopping(const struct supervisor *s)
{
	return s->stopping;
}
