/*
 * Inside the deliver program: the state its parts share.
 *
 *	deliver_main.c	main()
 *	deliver.c	service glue, connections
 *	deliver_mailbox.c	mailboxes kept open, usage, reservations
 *	deliver_job.c	jobs from qmgr: records into maildirs
 *	deliver_sync.c	checkpoints: file systems and their syncs
 *	deliver_quota.c	quota questions from smtpd and imapd
 *	deliver_pool.c	limits that mailboxes share, from PostgreSQL
 *	deliver_imapd.c	directories and notices for imapd
 *	deliver_usage.c	usage figures to PostgreSQL
 *	deliver_warn.c	warnings about quota, with
 *	quota_letter.c	their text
 *	deliver_marks.c	whose figures may be out of date, on disk
 */
#ifndef DELIVERY_DELIVER_H
#define DELIVERY_DELIVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/work.h"
#include "proto/service.h"
#include "spool/envelope.h"
#include "store/account.h"
#include "store/deliver_one.h"

struct deliver;
struct conn;
struct db;

/* --- limits ----------------------------------------------------------------- */

struct pool;
#define PLACE_POOLS_MAX	2		/* its domain, its organisation */

/* What the database says of one mailbox's limits, and the pools it is in. */
struct place {
	TAILQ_ENTRY(mbox) wanted;	/* to be asked for */
	bool asked;
	bool late;			/* asked, but nobody waits any more */
	bool known;			/* limit is, or was once, what it says */
	bool fresh;			/* and nothing else was told since */
	struct usage limit;		/* 0: none */
	bool counted_known;
	struct usage counted;		/* of this mailbox, in the pools' figures */
	int64_t shown_bytes;		/* what the pools have of us beyond it */
	int64_t shown_messages;
	size_t n_pools;
	struct pool *pool[PLACE_POOLS_MAX];
};

/* --- mailboxes ------------------------------------------------------------ */

/*
 * A mailbox that is in use or was lately. `lock` is held by the thread that
 * works on `target`; everything below `loop only` belongs to the loop.
 */
struct mbox {
	uint64_t id;
	struct deliver *d;
	pthread_mutex_t lock;
	struct delivery_target *target;	/* NULL: not open */
	uint64_t writes;		/* deliveries by us, counted */
	/* loop only */
	TAILQ_ENTRY(mbox) lru;		/* while refs == 0 */
	unsigned refs;
	bool usage_known, usage_asked;
	bool usage_stale;		/* changed while being asked for */
	bool usage_seen;		/* known once, and kept up since */
	bool report_wanted;		/* tell the database when known */
	uint64_t usage_until_ms;
	uint64_t usage_writes;		/* `writes` that usage has in it */
	struct usage usage;
	struct usage reserved;		/* by RCPTs and APPENDs under way */
	struct usage settled;		/* accepted, not here yet */
	uint64_t settled_until_ms;
	uint64_t early;			/* messages here before smtpd settled */
	TAILQ_ENTRY(mbox) settling;	/* while settled.messages > 0 */
	struct place place;
	TAILQ_HEAD(, quota_ask) waiting;
};

/* The box, made when it is new; a reference to give back. */
struct mbox *mbox_get(struct deliver *d, uint64_t mailbox_id);
void mbox_put(struct mbox *b);
/* In a thread, with b->lock held: opens the target if it is not. */
int mbox_open(struct mbox *b, struct err *err) MUST_CHECK;
void mbox_shut(struct mbox *b);
/* The same, when the work is done: keeps the target for the next mail unless
 * so many are open that descriptors could run out. */
void mbox_rest(struct mbox *b);
void mboxes_init(struct deliver *d);
void mboxes_fini(struct deliver *d);
/* Loop: a message of `bytes` arrived, as the `write`th; somebody else changed
 * something. */
void mbox_grew(struct mbox *b, uint64_t bytes, uint64_t write);
void mbox_usage_forget(struct deliver *d, uint64_t mailbox_id);
/* Reads the usage in a thread; usage_known is set some time later. */
void mbox_usage_ask(struct mbox *b);

/* --- connections ----------------------------------------------------------- */

/* One IPC connection. What a peer was given ends with it. */
struct conn {
	uint32_t magic;
	TAILQ_ENTRY(conn) link;
	struct deliver *d;
	enum service_role role;
	unsigned index;
	struct ipc *ipc;
	unsigned refs;			/* jobs in threads; the struct stays */
	bool closed;
	/* qmgr */
	uint64_t done_sent;		/* JOB_DONEs, for `covered` */
	struct map *segments;		/* number -> struct segment */
	/* smtpd: id -> struct quota_ask */
	struct map *asks;
	/* imapd: mailbox id -> struct watch */
	struct map *opened;
	struct map *seats;		/* deliver_seats.c */
};
#define CONN_MAGIC	0x64656c63u

void conn_ref(struct conn *c);
void conn_unref(struct conn *c);

struct deliver {
	const struct service_env *env;
	struct loop *loop;
	int store_dir;
	struct work_pool *writers;	/* deliveries, by mailbox */
	struct work_pool *openers;	/* homes and usage */
	struct work_pool *syncer;	/* one thread */
	TAILQ_HEAD(, conn) conns;
	struct map *boxes;
	TAILQ_HEAD(, mbox) idle;
	size_t n_idle, idle_max;
	atomic_size_t n_open;		/* targets, by the threads */
	size_t jobs;			/* in threads */
	bool stopping;
	bool sync_file;			/* maildir_sync = file */
	struct file_systems *fs;
	struct reporter *reporter;	/* NULL: no database */
	struct db *db;			/* the reporter's; NULL: none yet */
	struct pools *pools;
	struct marks *marks;
	struct warner *warner;
	TAILQ_HEAD(, mbox) settling;	/* by settled_until_ms */
	struct timer settle_timer;
	/* for status */
	uint64_t delivered, repeated, deferred, checkpoints;
};

/* --- parts ------------------------------------------------------------------ */

extern const struct ipc_handler deliver_qmgr_handlers[];
extern const size_t deliver_qmgr_n_handlers;
void deliver_qmgr_closed(struct conn *c);

extern const struct ipc_handler deliver_smtpd_handlers[];
extern const size_t deliver_smtpd_n_handlers;
/* For smtpd and imapd alike; also what a closing connection holds. */
int quota_ask_cb(struct ipc *c, struct ipc_msg *m, void *arg);
int quota_settle_cb(struct ipc *c, struct ipc_msg *m, void *arg);
int quota_roots_ask_cb(struct ipc *c, struct ipc_msg *m, void *arg);
void quota_conn_closed(struct conn *c);
/* Usage, limits or pools of b are known now, or will not be: answers who
 * waits, if nothing is missing any more. */
void quota_try(struct mbox *b);
void quota_init(struct deliver *d);
void quota_fini(struct deliver *d);

/* The database's word on limits; nothing is known without one. */
void pools_init(struct deliver *d);
void pools_stop(struct deliver *d);	/* asks no more, holds no mailbox */
void pools_fini(struct deliver *d);
/* d->db is new: before its first turn. */
void pools_connected(struct deliver *d);
/* Makes sure that b's limits and pools are known. True: quota_try(b) follows,
 * in three fifths of quota_timeout at most. False: what is known is all there is. */
bool place_ask(struct mbox *b);
/* b's usage or what is settled for it changed. */
void place_shift(struct mbox *b);
/* The database has counted these figures of a mailbox. */
void place_counted(struct deliver *d, uint64_t mailbox_id,
    const struct usage *u);
/* b ends. */
void place_drop(struct mbox *b);
/* One of a mailbox's pools. Figures are what the database counts, and what we
 * know of that it does not. */
struct pool_view {
	unsigned kind;			/* enum quota_kind */
	const char *name;		/* lent */
	struct usage limit, used;	/* limit 0: none */
};
struct pool_view pool_view(const struct pool *p);
struct pool *pool_ref(struct pool *p);
void pool_unref(struct deliver *d, struct pool **p);
/* Reservations: more, and less again. */
void pool_reserve(struct pool *p, const struct usage *u);
void pool_release(struct pool *p, const struct usage *u);

extern const struct ipc_handler deliver_imapd_handlers[];
extern const size_t deliver_imapd_n_handlers;
void deliver_imapd_closed(struct conn *c);
/* Counts a session; false: the user has `limit` (0: any number) from that
 * client's network. An empty client is not counted. */
bool seat_take(struct conn *c, uint64_t mailbox_id, struct span client,
    uint32_t limit) MUST_CHECK;
void seat_leave(struct conn *c, uint64_t mailbox_id, struct span client);
/* Tells the watchers of a mailbox, but for `except` (may be NULL). */
void mbox_notify(struct deliver *d, uint64_t mailbox_id, struct span folder,
    const struct conn *except);

/* File systems of the store; each has one descriptor kept for syncfs. */
int sync_init(struct deliver *d, struct err *err) MUST_CHECK;
void sync_fini(struct deliver *d);
/* From any thread: mail will be written to the file system of dirfd. */
int sync_note(struct deliver *d, int dirfd, struct err *err) MUST_CHECK;
/* Did a sync fail since the start? Then what is found may be gone (J5). */
bool sync_has_failed(const struct deliver *d);
int sync_checkpoint_cb(struct ipc *c, struct ipc_msg *m, void *arg);

/* Usage figures for the database: NULL when `database` is empty. */
struct reporter *reporter_new(struct deliver *d);
void reporter_password(struct reporter *r, struct span password);
void reporter_free(struct reporter **r);
/* The mailbox's figures are to be told, soon; sooner when it has pools. */
void usage_changed(struct deliver *d, uint64_t mailbox_id);
/* Figures that were asked for with b->report_wanted came, or could not be
 * read (NULL). */
void usage_read_done(struct deliver *d, uint64_t mailbox_id,
    const struct usage *u, uint64_t version);

/* Adds the ids whose figures are on their way to the database to m. */
void reporter_live(const struct reporter *r, struct map *m);

/* Warnings about quota. */
void warn_init(struct deliver *d);
void warn_fini(struct deliver *d);
/* d->db is up: there may be some left of before. */
void warn_connected(struct deliver *d);
/* The database knows new figures or a new limit of this mailbox. */
void warn_look(struct deliver *d, uint64_t mailbox_id);

/* Marks: a file in the store that names every mailbox whose figures in the
 * database may be out of date, so that a killed deliver's successor tells
 * them. */
void marks_init(struct deliver *d);
void marks_fini(struct deliver *d);
/* From any thread, before the mailbox is changed. */
void marks_note(struct deliver *d, uint64_t mailbox_id);
/* Loop: forgets the marks that are needed no more, if they are many. */
void marks_tidy(struct deliver *d);

/* main() is in deliver_main.c, so that tests can drive the rest. */
extern const struct service deliver_service;
/* Called when a stop is complete: service_stopped, or a test's. */
extern void (*deliver_stopped)(void);
/* The last job is done and we are stopping: end. d itself stays. */
void deliver_maybe_stop(struct deliver *d);

#endif
