/*
 * Inside the qmgr program: the state its parts share.
 *
 *	qmgr.c		service glue, the spool's callbacks
 *	qmgr_sched.c	what is due, back-off, expiry
 *	qmgr_agent.c	jobs and checkpoints with deliver
 *	qmgr_external.c	recipients elsewhere, until there is a relay
 *	qmgr_smtpd.c	segments, hints and queue files for smtpd
 *	qmgr_control.c	the CLI's queue commands
 */
#ifndef DELIVERY_QMGR_H
#define DELIVERY_QMGR_H

#include "base/map.h"
#include "base/queue.h"
#include "proto/service.h"
#include "spool/spool.h"

struct qmgr;

/* Lists a message can be on (spool_msg.sched_list). */
enum { LIST_NONE = 0, LIST_DUE, LIST_WAITING };
TAILQ_HEAD(qmgr_list, spool_msg);

/* Messages that wait, by the second they are due: a ring that is walked one
 * slot a second. Who waits longer than the ring passes by and stays. */
#define WHEEL_SLOTS	4096

/* One deliver process. */
struct agent {
	uint32_t magic;
	struct qmgr *q;
	unsigned lane;
	struct ipc *ipc;		/* NULL while it is away */
	struct map *jobs;		/* id -> struct job */
	struct map *segments;		/* number -> epoch it was told */
	uint64_t checkpoint_id;		/* under way; 0: none */
};
#define AGENT_MAGIC	0x716d6167u

/* A connection of smtpd or of the CLI. */
struct qconn {
	uint32_t magic;
	TAILQ_ENTRY(qconn) link;
	struct qmgr *q;
	enum service_role role;
	unsigned index;
	struct ipc *ipc;
	uint64_t borrow_id;		/* QUEUE_BORROW under way; 0: none */
	TAILQ_HEAD(, cold_ask) colds;
	struct listing *listing;	/* control: rows being sent */
};
#define QCONN_MAGIC	0x716d636fu

struct qmgr {
	const struct service_env *env;
	struct loop *loop;
	struct spool *spool;
	bool ready, stopping, stopped;
	unsigned pressure;
	char pressure_why[160];
	struct agent *agent;
	unsigned lanes;
	TAILQ_HEAD(, qconn) conns;
	struct defer closing;
	/* schedule */
	struct qmgr_list due;
	struct qmgr_list wheel[WHEEL_SLOTS];
	uint64_t wheel_s;		/* the second walked last */
	size_t n_due, n_waiting;
	size_t scan_left;		/* of the due list, by this scan */
	bool scan_again;		/* asked for while one was under way */
	struct defer run;
	struct timer second, checkpoint, stop_limit;
	bool suspect_out;		/* a suspect is with an agent, alone */
	int64_t wall_offset_us;		/* wall minus monotonic */
	bool clock_jumped;
	uint64_t sent, deferred, failed;
};

/* What main() runs; the tests drive it by hand. */
extern const struct service qmgr_service;
/* Ends it as it stands: what is not covered is found again at a start. */
void qmgr_free(struct qmgr **q);

/* --- schedule --- */
void sched_init(struct qmgr *q);
void sched_fini(struct qmgr *q);
/* Look at m: due now, later, or nothing to do. */
void sched_consider(struct qmgr *q, struct spool_msg *m);
void sched_forget(struct qmgr *q, struct spool_msg *m);
/* A try ended without success for some recipient: back off. */
void sched_back_off(struct qmgr *q, struct spool_msg *m);
void sched_now(struct qmgr *q, struct spool_msg *m);
void sched_kick(struct qmgr *q);
/* Recipients of m that can be tried: any at all, any in a mailbox. */
bool sched_has_due(const struct spool_msg *m, bool mailbox_only);

/* --- agents --- */
void agents_init(struct qmgr *q);
void agents_fini(struct qmgr *q);
void agent_peer(struct qmgr *q, unsigned index, int fd);
/* Is there an agent that could take a job? */
bool agents_have_room(const struct qmgr *q);
/* Gives m's due mailbox recipients to their agents. False: no agent could
 * take any; it stays due. */
bool agents_try(struct qmgr *q, struct spool_msg *m);
bool agents_busy(const struct qmgr *q);
bool agents_uncovered(const struct qmgr *q);
void agents_checkpoint(struct qmgr *q);
/* Something is uncovered: a checkpoint within checkpoint_interval. */
void agents_checkpoint_soon(struct qmgr *q);

/* --- recipients elsewhere --- */
void external_defer(struct qmgr *q, struct spool_msg *m);

/* --- smtpd --- */
extern const struct ipc_handler qmgr_smtpd_handlers[];
extern const size_t qmgr_smtpd_n_handlers;
void qmgr_smtpd_closed(struct qconn *c);
void qmgr_pressure_tell(struct qconn *c);

/* --- CLI --- */
extern const struct ipc_handler qmgr_control_handlers[];
extern const size_t qmgr_control_n_handlers;
void qmgr_control_closed(struct qconn *c);

/* A job ended, or time passed: is there anything left to wait for? */
void qmgr_maybe_stop(struct qmgr *q);

#endif
