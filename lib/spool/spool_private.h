/*
 * What spool.c, spool_drain.c, spool_commit.c and spool_cold.c share.
 */
#ifndef SPOOL_SPOOL_PRIVATE_H
#define SPOOL_SPOOL_PRIVATE_H

#include "base/map.h"
#include "base/work.h"
#include "spool/outlog.h"
#include "spool/spool.h"

TAILQ_HEAD(msg_list, spool_msg);

enum seg_state {
	SEG_ABSENT,		/* not made yet */
	SEG_MAKING,
	SEG_FREE,
	SEG_LENT,
	SEG_DRAINING,		/* no longer appended to; being read */
	SEG_FULL,		/* all read; waits until nothing in it lives */
	SEG_RECYCLING,
	SEG_BAD			/* set aside until the next start (J5) */
};

/* What becomes true once the log has it durably. */
struct after {
	enum { AFTER_FINAL, AFTER_GONE, AFTER_COLD, AFTER_MOVED,
		AFTER_HELD } what;
	struct spool_msg *m;
	uint32_t rcpt;			/* FINAL */
	struct spool_segment *from;	/* COLD, MOVED: where it was, */
	uint64_t serial;		/* and its serial number now */
};

struct afters {
	struct after *v;
	size_t n, size;
};

struct spool_segment {
	struct spool *spool;
	struct segment_ref ref;		/* id 0: the cold log */
	enum seg_state state;
	struct msg_list msgs;
	size_t live;
	unsigned busy;			/* thread work that uses ref.fd */
	/* lent */
	void *owner;
	int lend_fd;			/* ready to be lent, or -1 */
	uint64_t walked, durable;
	bool returned, failed;
	bool walking;			/* a thread reads pages in */
	bool no_nowait;
	unsigned warmed;
	uint64_t warm_pos;
	/* the log: `log` belongs to the commit thread while `committing` */
	struct outlog log;
	struct buf pending;
	bool booted;			/* BOOT entry written this time */
	bool want_sync, rescue;
	bool compacting;		/* `writing` replaces the whole log */
	struct afters after;		/* need the next sync */
	bool committing;
	struct buf writing;		/* the commit thread's */
	bool syncing, rescuing;
	struct afters writing_after;
	int commit_rc;
	struct err commit_err;
	/* CHECKPOINT entries being put together */
	uint64_t ckpt_lane, ckpt_covered;
};

struct uncovered {
	struct spool_msg *m;
	uint32_t rcpt;
	bool inherited;		/* of a connection that is gone */
	uint64_t lane, n;
	uint64_t at_ms;
};

struct lane {
	bool up;
	uint64_t id;		/* of the present connection */
	uint64_t answers;	/* JOB_DONEs on it */
	struct uncovered *v;	/* oldest first: [first, first + n) */
	size_t first, n, size;
};

struct borrower {
	TAILQ_ENTRY(borrower) link;
	void *owner;
	spool_borrow_cb *cb;
	void *arg;
	uint64_t since_ms;
};

/* A request of an owner that a thread works on. */
struct request;
struct drain;

struct spool {
	struct loop *loop;
	struct spool_config cfg;
	const struct spool_ops *ops;
	void *arg;
	int journal_dir, queue_dir;
	struct work_pool *pool;
	struct spool_segment cold;
	struct spool_segment **seg;	/* by id - 1 */
	unsigned n_seg;
	unsigned n_making;
	bool make_failed;
	struct lane *lane;
	uint32_t lane_serial;
	TAILQ_HEAD(, borrower) borrowers;
	TAILQ_HEAD(, request) requests;
	struct map *by_id;		/* queue id -> message */
	struct map *cold_ids;		/* only while recovering */
	uint64_t cold_serial;
	/* recovery */
	bool recovering, stopping;
	unsigned draining;		/* segments not read yet */
	unsigned late;			/* of those, given up waiting for */
	bool sweeping;
	TAILQ_HEAD(, drain) drains;
	struct msg_list cold_found;
	uint64_t started_ms;
	bool hold_all;
	unsigned holding;		/* HOLD entries not durable yet */
	struct work hold_work;
	/* commit */
	struct work commit_work;
	bool commit_running;
	struct defer commit_defer, walk_defer, serve_defer;
	struct timer tick, commit_timer;
	bool moving;
	unsigned moves_open;		/* COLD written, not MOVED yet */
	uint64_t cold_log_floor;	/* its size when last compacted */
	unsigned pressure;
	bool disk_low, disk_asked;
	struct spool_stats stats;
};

/* Work orders: jobs of one key run one after another. */
enum { ORDER_COMMIT = 1, ORDER_QUEUE_DIR = 2, ORDER_DISK = 3 };

/* spool.c */
void spool_serve(struct spool *s);	/* recycle, lend, make, move */
void spool_msg_add(struct spool *s, struct spool_segment *seg,
    struct spool_msg *m);
/* Out of the lists, freed; its segment may be recycled then. */
void spool_msg_end(struct spool *s, struct spool_msg *m, bool deleted);
void spool_alarm(struct spool *s, const char *fmt, ...) PRINTF(2, 3);
struct spool_segment *spool_segment_new(struct spool *s, uint32_t id);
struct spool_msg *spool_msg_new(const struct record *r);
void spool_msg_free(struct spool_msg *m);

/* spool_drain.c */
void drain_start(struct spool *s);	/* recovery */
/* Reads the rest of a segment whose writer died, once the right to append is
 * back. */
void drain_segment(struct spool *s, struct spool_segment *seg);
void drains_free(struct spool *s);
void hold_check(struct spool *s);
/* Reads what the hints announced. */
void drain_live(struct spool *s, struct spool_segment *seg);

/* spool_commit.c */
void commit_entry(struct spool_segment *seg, const struct outlog_entry *e,
    bool sync);
void commit_after(struct spool_segment *seg, struct after a);
void commit_soon(struct spool *s);
void commit_cb(void *arg);
void lane_inherit(struct spool *s, struct spool_msg *m, uint32_t rcpt,
    uint64_t lane, uint64_t n);
void afters_add(struct afters *a, struct after e);

/* spool_cold.c */
void cold_move_some(struct spool *s);
/* Packs what the cold log must say of m. */
void cold_log_entries(struct spool *s, struct spool_msg *m,
    const uint8_t epoch[EPOCH_SIZE], struct buf *out);
/* BOOT and the entries of all messages of `list`: the whole log anew. */
void cold_log_all(struct spool *s, const struct msg_list *list,
    struct buf *out);
void cold_file_remove(struct spool *s, const char *queue_id);
void requests_drop(struct spool *s, const void *owner);

#endif
