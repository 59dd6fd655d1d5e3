/*
 * One IMAP connection: its state, the command it works on, and the slices
 * that work is cut into. Shared by the files of imapd/, nobody else.
 *
 * Always true:
 * 1. One command at a time; input waits (is not read) until it has ended.
 * 2. A job in a thread has the account and folder for itself: the loop does
 *    not touch them while `busy`, and the session is not freed.
 * 3. Every command ends by exactly one session_reply() (or the session does).
 * 4. Nothing is written while the stream is full; slices wait for it to drain.
 */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "base/conf.h"
#include "base/work.h"
#include "imapd/args.h"
#include "imapd/reader.h"
#include "imapd/seqset.h"
#include "imapd/server.h"
#include "live/live.h"
#include "imapd/watch.h"
#include "net/stream.h"
#include "store/account.h"
#include "store/folder.h"

#define SESSION_LINE_BEFORE_LOGIN	8192
#define TAG_MAX				128

enum session_state {
	SESSION_GREETED = 1,		/* bits: commands list theirs */
	SESSION_AUTHENTICATED = 2,
	SESSION_SELECTED = 4
};
enum session_enabled {
	ENABLED_CONDSTORE = 1,		/* FETCH tells mod-sequences */
	ENABLED_QRESYNC = 2		/* VANISHED instead of EXPUNGE */
};

#define SESSION_ANY	(SESSION_GREETED | SESSION_LOGGED_IN)
#define SESSION_LOGGED_IN (SESSION_AUTHENTICATED | SESSION_SELECTED)

struct command;

struct session {
	uint32_t magic;
	TAILQ_ENTRY(session) link;
	struct live_link live;
	struct server *server;
	struct conf *conf;		/* snapshot of its beginning */
	const struct conf *listener;	/* its [service], in conf */
	struct stream *stream;
	struct reader reader;
	struct timer idle_timer, lazy_timer, look_timer;
	struct defer next;
	char id[SESSION_ID_LEN + 1];
	char ip[64];

	enum session_state state;
	bool greeted;			/* TLS first: greeting not sent yet */
	TAILQ_ENTRY(session) guest_link;	/* guests.c */
	bool guest, guest_counted;
	bool closing;			/* no more commands; ends when free */
	bool bye;			/* BYE was said: finish politely */
	bool idling;

	/* the command under way */
	const struct command *command;	/* NULL: none */
	bool uid;			/* "UID ..." form */
	bool hold_expunges;		/* it named message numbers */
	char tag[TAG_MAX + 1];
	struct args args;
	void *run;			/* its own state */
	void (*run_free)(void *run);
	/* Set while a command reads plain lines: gets each one. */
	void (*line)(struct session *s, struct span line);
	/* Set while a command takes literal bytes off the stream itself. */
	void (*input)(struct session *s);
	void (*slice)(struct session *s);	/* what `next` goes on with */
	bool want_room;			/* slice waits for the stream */
	struct buf reply;		/* tagged line that ends the command */

	/* work in a thread */
	struct work work;
	bool busy;
	void (*job)(struct session *s);
	void (*job_done)(struct session *s);
	int job_rc;
	struct err job_err;
	struct buf out;			/* what the job wants to send */

	/* quota.c: what we ask deliver, and the reservation it gave */
	struct room {
		struct timer timer;
		void (*done)(struct session *s);
		uint64_t asked, held;	/* request ids, or 0 */
		uint64_t messages, bytes;
		bool roots;		/* it is asked for figures */
		bool fits;		/* the answer */
	} room;

	/* login */
	unsigned enabled;		/* ENABLED_* */
	uint64_t asked;			/* request id we wait for, or 0 */
	unsigned failed_logins, unknown_commands;
	char *user, *ticket;
	char *appended;			/* where the last APPEND went */
	size_t ticket_n;
	char mech[32];
	uint64_t mailbox_id, quota_bytes, quota_messages;
	struct account *account;
	bool counted;			/* server_account_opened() was told */
	char client[16];		/* its network, as deliver counts it */
	size_t client_n;		/* 0: not known */
	const struct ipc *seat_on;	/* the deliver that counts us, or NULL */
	/* Undoes in a thread what a command left when the session ends. */
	void (*abandon)(struct session *s);

	/* selected folder */
	struct folder *folder;
	struct seqset saved;		/* UIDs that "$" stands for */
	bool read_only;
	bool modseq_lowered;		/* HIGHESTMODSEQ was told too low, as
					 * expunges are held back */
	uint32_t unreadable[16];	/* UIDs that the log knows of */
	size_t n_unreadable;
	bool stale;			/* somebody changed it: refresh */
	struct watch watch;		/* while idling */
	bool heard;			/* something since the last refresh */
	uint64_t refresh_began_ms, refresh_ms;	/* how long the last took */
	uint32_t told_exists, told_recent;
	uint32_t told_keywords;		/* bits of those in FLAGS */
	bool watching;
	bool update_expunges;		/* update.c's, while it works */
	void (*update_done)(struct session *s);
	void (*unselected)(struct session *s);	/* session_unselect's */
};

#define SESSION_MAGIC		0x696d6170

/* Takes over fd. `section` is the listener's name. */
void session_new(struct server *v, int fd, const char *section);
/* Says "* BYE text" and ends, now or when its job is done. */
void session_bye(struct session *s, const char *text);
/* Ends without a word (the peer has gone). */
void session_close(struct session *s);

/* --- for commands --- */

/* Takes the tag off the front of a command; "*", and false, when there is none
 * that could be one. */
bool session_take_tag(struct session *s, struct arg_iter *it);
/* Ends the command: "tag word text", e.g. "OK", "[READ-ONLY] done"; updates
 * of the selected folder are sent before it. */
void session_reply(struct session *s, const char *word, const char *fmt, ...)
    PRINTF(3, 4);
void session_ok(struct session *s);		/* "OK NAME completed" */
void session_bad(struct session *s, const char *why);
/* NO with the text that fits what the store says; logs what is ours. */
void session_failed(struct session *s, const struct err *err);
/* A message of the selected folder cannot be read: says so in the log, once.
 * `what` failed: fetch, search ... For jobs, too. */
void session_unreadable(struct session *s, const char *what, uint32_t uid,
    const struct err *err);

/* Runs `job` in a thread with the mailbox for itself, then `done` on the
 * loop (not when the session ended meanwhile). */
void session_job(struct session *s, void (*job)(struct session *),
    void (*done)(struct session *));
/* The same, but `warm` may be able to do it here and now, without waiting
 * (base/disk.h: disk_nowait); then it returns true and leaves what `job`
 * would. */
void session_job_warm(struct session *s, bool (*warm)(struct session *),
    void (*job)(struct session *), void (*done)(struct session *));
/* The same while another process is asked: `done` runs when the answer's
 * handler calls session_awaited(). */
void session_await(struct session *s, void (*done)(struct session *));
void session_awaited(struct session *s);
/* Goes on with `slice` on a later turn, once the stream has room. */
void session_slice(struct session *s, void (*slice)(struct session *));
/* Sends what a job left in s->out. */
void session_send_out(struct session *s);
/* The command's own memory; freed when the command ends. */
void session_run_set(struct session *s, void *run, void (*run_free)(void *));
/* Reads plain lines for the command: session_line_end() stops it. */
void session_read_lines(struct session *s,
    void (*line)(struct session *, struct span));
void session_line_end(struct session *s);
/* The command takes input from the stream itself: `input` is called when
 * there is some; session_input_end() goes on with the command's text. */
void session_take_input(struct session *s, void (*input)(struct session *));
void session_input_end(struct session *s);

static inline struct buf *
session_out(struct session *s)
{
	return stream_out(s->stream);
}
void session_state_set(struct session *s, enum session_state state);
/* Leaves the selected folder; a job, as files are closed and flushed. */
void session_unselect(struct session *s, void (*done)(struct session *));
/* deliver or another session: folder `name` of our mailbox changed. */
void session_folder_changed(struct session *s, struct span folder);
/* Whether deliver is to tell us of changes. */
void session_watch(struct session *s, bool on);
/* We changed a folder: tell the others. */
void session_changed_folder(struct session *s, const char *folder);
/* Restarts the autologout clock. */
void session_touch(struct session *s);

/* --- session.c, job.c, input.c and reply.c among themselves --- */

/* Not busy, closing: gives the account back in a thread, then frees. */
void session_teardown(struct session *s);
/* There may be input to read commands from. */
void session_input(struct session *s);
/* The client took what there was: its commands are read again, and when idle
 * it is told more. */
void session_room(struct session *s);
void session_next_cb(void *arg);	/* the defer's and ... */
void session_lazy_cb(void *arg);	/* ... the lazy timer's callback */

/* --- parts of commands --- */

/* capability.c: the list after "CAPABILITY " for the session's state. */
void capability_put(struct session *s, struct buf *out);

/* update.c: sends what changed in the folder, then calls done. Expunges are
 * sent only when `expunges` (RFC 3501 7.4.1). */
void update_send(struct session *s, bool expunges,
    void (*done)(struct session *));
/* As update_send after looking at the folder first. */
void update_refresh(struct session *s, bool expunges,
    void (*done)(struct session *));

/* login.c: answers of authd and deliver. */
struct msg_auth_result;
void login_challenge(struct session *s, struct span challenge);
void login_result(struct session *s, const struct msg_auth_result *m);
void login_too_many(struct session *s);
void login_opened(struct session *s, bool ok, struct span why, int *fd);
void login_lost(struct session *s);	/* the asked process has gone */
/* The session ends: tells authd when an exchange was under way. */
void login_abandon(struct session *s);

/* idle.c */
#define IDLE_LOOK_MS	30000	/* at what others did and nobody heard */
void idle_wake(struct session *s);
/* In a refresh's thread: listens to the folder from now on, if there is room. */
void idle_listen(struct session *s);
void idle_look_cb(void *arg);	/* the look timer's */

#endif
