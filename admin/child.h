/*
 * One child process of posternd: started by fork and exec with its control
 * connection on descriptor 3, given all that proto/service.h promises, and
 * reaped. Knows nothing of the other children; supervisor.h does.
 */
#ifndef ADMIN_CHILD_H
#define ADMIN_CHILD_H

#include "admin/configfile.h"
#include "admin/instance.h"
#include "admin/listen.h"
#include "admin/roles.h"
#include "admin/secrets.h"
#include "base/loop.h"

struct child;

enum child_state {
	CHILD_DOWN,		/* no process */
	CHILD_STARTING,		/* process, not yet STARTED */
	CHILD_RUNNING
};

/* What all children are made from; lent by the supervisor. */
struct child_shared {
	struct loop *loop;
	struct instance *instance;
	struct configfile *config;
	struct listen_set *listeners;
	struct secret_set *secrets;
	unsigned count[ROLE_COUNT];
	void (*started)(struct child *c, void *arg);
	/* Its process was reaped; `failure` is what it said, or "". */
	void (*ended)(struct child *c, int wait_status, const char *failure,
	    void *arg);
	void (*status)(struct child *c, uint64_t id, struct span json,
	    void *arg);
	void *arg;
};

struct child *child_new(const struct child_shared *shared,
    const struct role *role, unsigned index);
void child_free(struct child **c);

/* Starts a process and hands it everything but peers and START. */
int child_start(struct child *c, struct err *err) MUST_CHECK;
void child_peer(struct child *c, enum service_role role, unsigned index,
    int fd);
void child_go(struct child *c);			/* START */

/* Nothing happens in these while there is no process. */
void child_reload(struct child *c);
void child_secret(struct child *c, const char *name, struct span contents);
void child_log_fd(struct child *c, int fd);
void child_stop(struct child *c);		/* drain, please */
void child_kill(struct child *c);
void child_ask_status(struct child *c, uint64_t id);
/* The process `pid` ended: true when it was c's. */
bool child_reap(struct child *c, pid_t pid, int wait_status);

bool child_alive(const struct child *c);	/* has a process */
enum child_state child_state(const struct child *c);
const char *child_name(const struct child *c);		/* "smtpd/0" */
const struct role *child_role(const struct child *c);
unsigned child_index(const struct child *c);
/* Of the present or else the last process. */
pid_t child_pid(const struct child *c);
uint32_t child_incarnation(const struct child *c);
/* Milliseconds since that was started. */
uint64_t child_age_ms(const struct child *c);

#endif
