/*
 * All children together: starts them in the order of the role table, wires
 * each pair that talks, restarts what dies with back-off, passes on
 * reloads and changed secrets, and stops them stage by stage.
 *
 * Always true:
 *  1. A child is wired to exactly the processes alive when it starts; one
 *     that starts later brings the connection along.
 *  2. No process is started once stopping has begun.
 *  3. Every process gets an incarnation of its own (J8).
 */
#ifndef ADMIN_SUPERVISOR_H
#define ADMIN_SUPERVISOR_H

#include "admin/child.h"

struct supervisor;

struct supervisor_events {
	void (*ready)(void *arg);	/* all have STARTED; once */
	/* All children have ended after supervisor_stop(), or a child could
	 * not start at all (failed = true; logged). */
	void (*stopped)(bool failed, void *arg);
	/* A child's answer to supervisor_ask_status(); id 0: it has ended
	 * and owes none any more. */
	void (*status)(const struct child *c, uint64_t id, struct span json,
	    void *arg);
	void *arg;
};

/* Everything lent must outlive the supervisor. */
/* What a reload has changed last; lent. */
const struct configfile *supervisor_config(const struct supervisor *s);
struct supervisor *supervisor_new(struct loop *l, struct instance *in,
    struct configfile *config, struct listen_set *listeners,
    const struct supervisor_events *events);
/* Children that still run end by themselves: their control closes. */
void supervisor_free(struct supervisor **s);

int supervisor_start(struct supervisor *s, struct err *err) MUST_CHECK;
/*
 * Reads the file anew. A faulty one is refused: `complaints` says why, the
 * old configuration stays, false. Else every child gets it; parameters that
 * only a restart changes are named in `notes`.
 */
bool supervisor_reload(struct supervisor *s, struct buf *complaints,
    struct buf *notes) MUST_CHECK;
void supervisor_log_reopen(struct supervisor *s);
/* Drains and ends the children; a second call does not wait any longer. */
void supervisor_stop(struct supervisor *s);
bool supervisor_stopping(const struct supervisor *s);

size_t supervisor_count(const struct supervisor *s);
const struct child *supervisor_child(const struct supervisor *s, size_t i);
unsigned supervisor_restarts(const struct supervisor *s, size_t i);
/* Asks every running child; returns how many will answer. */
size_t supervisor_ask_status(struct supervisor *s, uint64_t id);
/* Hands a CLI connection to process `index` of `role`; PS_ENOTFOUND when there
 * is no such process, PS_EAGAIN when it is not running. The caller keeps fd. */
int supervisor_hand_over(struct supervisor *s, enum service_role role,
    unsigned index, unsigned number, int fd) MUST_CHECK;

#endif
