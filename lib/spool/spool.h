/*
 * The spool as qmgr has it: every segment, outcome log and queue file, and
 * the messages in them. It lends segments to smtpds, reads what they made
 * durable, keeps outcomes until a checkpoint made them final, recycles
 * segments, moves what stays into cold files, and does the same at start with
 * whatever a crash left (rules J1-J14, doc/spool-format.md).
 *
 * Runs on one loop; everything that may wait for the disk happens in its
 * threads. Callbacks come from the loop, never from within a call (but for
 * `changed` from spool_checkpointed). What it does not know: schedules,
 * agents, wires; that is qmgr's.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/err.h"
#include "base/loop.h"
#include "base/queue.h"
#include "proto/proto.h"
#include "spool/envelope.h"
#include "spool/record.h"

struct spool;
struct spool_segment;

enum spool_rcpt_state {
	SPOOL_DUE = 0,		/* to be tried */
	SPOOL_ACTIVE,		/* qmgr gave it to an agent */
	SPOOL_SENT,		/* provisional */
	SPOOL_FAILED,		/* for good; stays in the queue, held */
	SPOOL_FINAL		/* done and covered */
};

struct spool_rcpt {
	uint64_t mailbox_id;
	uint64_t lane, n;	/* private: the answer that made it SENT */
	uint8_t kind;		/* enum envelope_rcpt_kind */
	uint8_t state;		/* enum spool_rcpt_state; ACTIVE is qmgr's to
				 * set, with spool_start() */
	bool this_boot;		/* private */
};

/* One message. Lives from `message` to `removed`. The fields marked qmgr are
 * the scheduler's to use; change others only through the calls below. */
struct spool_msg {
	TAILQ_ENTRY(spool_msg) link;	/* private: in its segment */
	TAILQ_ENTRY(spool_msg) sched;	/* qmgr */
	char queue_id[QUEUE_ID_LEN + 1];
	uint8_t sched_list;		/* qmgr */
	bool held;
	bool born_held;		/* by its own envelope: no HOLD entry needed */
	bool moving;		/* on its way to a cold file: do not start */
	bool maybe_done;	/* an agent may have delivered it already */
	bool cold;		/* the record is in queue/QUEUEID */
	bool deleting;
	bool recovered;		/* found at start */
	bool twin;		/* private: another has the same queue id */
	struct spool_segment *seg;	/* private */
	uint64_t ref;		/* private: its name in the outcome log */
	uint64_t offset, length;	/* of the record; cold: length 0 */
	uint64_t sum;		/* private: checksums of its contents */
	uint8_t cold_epoch[EPOCH_SIZE];	/* private: of its queue file */
	uint64_t body_size;
	int64_t arrival_us;
	uint64_t found_ms;	/* monotonic: when it came into this queue */
	uint64_t next_ms;	/* monotonic; qmgr */
	uint32_t attempts, crashes;	/* qmgr; spool_tried keeps them */
	uint32_t tries;		/* qmgr: attempts since its start (J13) */
	uint32_t n_rcpt;
	uint32_t n_open;	/* not final */
	uint32_t n_active;	/* with agents */
	uint32_t n_uncovered;	/* provisional */
	char *sender;
	char *reason;		/* why deferred or held; may be NULL */
	struct spool_rcpt rcpt[];
};

struct spool_config {
	int spool_dir;			/* lent */
	unsigned segments;
	uint64_t segment_size;
	unsigned lanes;			/* deliver processes */
	uint32_t incarnation;
	uint8_t boot_id[16];
	uint64_t minfree;		/* bytes; pressure below */
	uint64_t cold_log_size;		/* compact beyond; 0: a default */
};

struct spool_ops {
	/* Recovery is over (all `message` calls for it came before), or
	 * cannot be done at all: err. */
	void (*ready)(void *arg, const struct err *err);
	void (*message)(void *arg, struct spool_msg *m);
	/* May be tried (again): a move ended, or an outcome was undone. */
	void (*changed)(void *arg, struct spool_msg *m);
	/* Every recipient is final, or it was deleted. Freed afterwards. */
	void (*removed)(void *arg, struct spool_msg *m, bool deleted);
	/* 0 none, 1 delay, 2 refuse (QUEUE_PRESSURE). */
	void (*pressure)(void *arg, unsigned level, const char *why);
};

/* Starts recovery in threads. Makes journal/ and queue/ when missing. NULL
 * with err when the spool directory cannot be used. */
struct spool *spool_new(struct loop *l, const struct spool_config *cfg,
    const struct spool_ops *ops, void *arg, struct err *err) MUST_CHECK;
/* Writes the outcomes not yet in the logs, frees all. No callbacks. */
void spool_free(struct spool **s);

/* --- smtpds: `owner` is the connection ---------------------------------- */

/* fd is lent for the call; -1 with err when there is none to be had. */
typedef void spool_borrow_cb(void *arg, const struct segment_ref *ref,
    uint64_t start, int fd);
/* Lends a segment as soon as one is free. cb gets `arg`; not called any more
 * after spool_owner_gone(owner). */
void spool_borrow(struct spool *s, void *owner, spool_borrow_cb *cb,
    void *arg);
/* PS_EDENIED when the owner does not have that segment, or the offset is not
 * one: misbehaviour. */
int spool_hint(struct spool *s, void *owner, uint32_t segment,
    uint64_t offset) MUST_CHECK;
int spool_return(struct spool *s, void *owner, uint32_t segment,
    uint64_t offset, bool failed) MUST_CHECK;
void spool_owner_gone(struct spool *s, void *owner);

/* A fresh unnamed queue file (J11). fd lent for the call, -1 on failure. */
typedef void spool_cold_cb(void *arg, int fd);
void spool_cold_ask(struct spool *s, void *owner, spool_cold_cb *cb,
    void *arg);
/* Links fd (taken over) as queue_id and syncs the directory. */
typedef void spool_linked_cb(void *arg, bool ok);
void spool_cold_link(struct spool *s, void *owner, int fd, struct span
    queue_id, spool_linked_cb *cb, void *arg);

/* --- agents ---------------------------------------------------------------- */

/* Deliver `lane` (0..lanes-1) has a fresh connection / lost it. */
void spool_lane_up(struct spool *s, unsigned lane);
void spool_lane_down(struct spool *s, unsigned lane);
/* Which lane a mailbox belongs to. */
unsigned spool_lane_of(const struct spool *s, uint64_t mailbox_id);
/* An agent gets this recipient. */
void spool_start(struct spool_msg *m, uint32_t rcpt);
/* The agent died with it: DUE again, and maybe done. */
void spool_abandon(struct spool_msg *m, uint32_t rcpt);
/* Result of an ACTIVE recipient. DEFERRED makes it DUE, FAILED holds the
 * message, SENT waits for a checkpoint of this lane. */
void spool_outcome(struct spool *s, struct spool_msg *m, uint32_t rcpt,
    enum job_outcome result, unsigned lane);
/* One JOB_DONE was taken in whole (its outcomes given): counts for covered. */
void spool_answered(struct spool *s, unsigned lane);
/* How many outcomes of this lane wait for a checkpoint. */
size_t spool_uncovered(const struct spool *s, unsigned lane);
/* JOB_CHECKPOINTED came (J6); not ok: every outcome up to there is undone
 * and `changed` called for its message (J5). */
void spool_checkpointed(struct spool *s, unsigned lane, bool ok,
    uint64_t covered);

/* The segment a job refers to; NULL for a cold message. ref->fd is lent. */
const struct segment_ref *spool_segment_ref(const struct spool_msg *m);
/* Opens the message's queue file in a thread; fd yours, -1 with err. m must
 * be kept busy (ACTIVE recipients) meanwhile. */
typedef void spool_open_cb(void *arg, struct spool_msg *m, int fd,
    const struct err *err);
void spool_open_cold(struct spool *s, struct spool_msg *m, spool_open_cb *cb,
    void *arg);

/* --- the queue --------------------------------------------------------------- */

/* Keeps attempts, crashes and next_ms over a restart. */
void spool_tried(struct spool *s, struct spool_msg *m);
/* Durable soon; takes effect at once. Releasing makes what had FAILED due. */
void spool_hold(struct spool *s, struct spool_msg *m, bool held);
/* Durably forgets it; `removed` follows. PS_ESTATE while with an agent or on
 * the move. */
int spool_delete(struct spool *s, struct spool_msg *m) MUST_CHECK;
void spool_reason_set(struct spool_msg *m, const char *why);

/* The envelope, read in a thread. *r is lent for the call; NULL with err. */
typedef void spool_peek_cb(void *arg, const char *queue_id,
    const struct record *r, const struct err *err);
void spool_peek(struct spool *s, struct spool_msg *m, spool_peek_cb *cb,
    void *arg);

struct spool_msg *spool_msg_find(struct spool *s, struct span queue_id);
/* The queue ids of all messages now, QUEUE_ID_LEN + 1 bytes each; yours to
 * free. Walk it in bounded turns and find each again. */
char *spool_msg_ids(struct spool *s, size_t *n);

struct spool_stats {
	unsigned segments, segments_free, segments_lent, segments_bad;
	size_t messages, cold, uncovered;
	uint64_t removed;
	uint64_t oldest_uncovered_ms;	/* age; 0: none */
	uint64_t unwritten;		/* bytes of outcomes not in a log yet */
	uint64_t log_writes, log_syncs, compacted, moved, recycled, alarms;
	bool recovering;
};
void spool_stats(struct spool *s, struct spool_stats *out);

#endif
