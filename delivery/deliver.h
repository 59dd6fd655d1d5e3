/*
 * Inside the deliver program: the state its parts share.
 *
 *	deliver_main.c	main()
 *	deliver.c	service glue, connections
 *	deliver_mailbox.c	mailboxes kept open, usage, reservations
 *	deliver_job.c	jobs from qmgr: records into maildirs
 *	deliver_sync.c	checkpoints: file systems and their syncs
 *	deliver_smtpd.c	quota questions from smtpd
 *	deliver_imapd.c	directories and notices for imapd
 *	deliver_usage.c	usage figures to PostgreSQL
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
	/* loop only */
	TAILQ_ENTRY(mbox) lru;		/* while refs == 0 */
	unsigned refs;
	bool usage_known, usage_asked;
	bool usage_stale;		/* changed while being asked for */
	bool report_wanted;		/* tell the database when known */
	uint64_t usage_until_ms;
	struct usage usage;
	uint64_t reserved;		/* bytes, by RCPTs under way */
	uint64_t reserved_messages;
	uint64_t settled;		/* bytes, accepted, not here yet */
	uint64_t settled_messages, settled_until_ms;
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
/* Loop: a message of `bytes` arrived; somebody else changed something. */
void mbox_grew(struct mbox *b, uint64_t bytes);
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
	/* for status */
	uint64_t delivered, repeated, deferred, checkpoints;
};

/* --- parts ------------------------------------------------------------------ */

extern const struct ipc_handler deliver_qmgr_handlers[];
extern const size_t deliver_qmgr_n_handlers;
void deliver_qmgr_closed(struct conn *c);

extern const struct ipc_handler deliver_smtpd_handlers[];
extern const size_t deliver_smtpd_n_handlers;
void deliver_smtpd_closed(struct conn *c);
/* The box's usage is known now, or cannot be: answer who waits. */
void quota_waiting_answer(struct mbox *b, bool known);

extern const struct ipc_handler deliver_imapd_handlers[];
extern const size_t deliver_imapd_n_handlers;
void deliver_imapd_closed(struct conn *c);
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
/* The mailbox's figures are to be told, soon. */
void usage_changed(struct deliver *d, uint64_t mailbox_id);

/* main() is in deliver_main.c, so that tests can drive the rest. */
extern const struct service deliver_service;
/* Called when a stop is complete: service_stopped, or a test's. */
extern void (*deliver_stopped)(void);
/* The last job is done and we are stopping: end. d itself stays. */
void deliver_maybe_stop(struct deliver *d);

#endif
