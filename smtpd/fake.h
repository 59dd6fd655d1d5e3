/*
 * For tests and the fuzz target: stands in for net/stream, the directory and
 * the journal (linked instead of the real ones), so that a real session runs
 * without sockets, database and disk. Deterministic.
 *
 * The directory knows:
 *	kim@a.example		mailbox 1
 *	lee@a.example		mailbox 2, quota 1000 bytes
 *	full@a.example		mailbox 3, quota 1 byte, which is full
 *	k@a.example		alias of mailbox 1
 *	both@a.example		mailboxes 1 and 2
 *	far@a.example		mailbox 4, of another host
 *	fwd@a.example		forward to x@out.example
 *	off@a.example		disabled
 *	x@temp.example		no answer (451)
 *	x@relay.example		relay domain
 *	else @a.example unknown, all other domains not ours
 * A policy service answers, a turn later, what its policy_context says.
 *
 * Verdicts, with `why' "said so": ok@far.example, no@far.example (bounce),
 * slow@far.example (defer), x@temp.far.example (no answer); no others.
 */
#ifndef SMTPD_FAKE_H
#define SMTPD_FAKE_H

#include "base/buf.h"
#include "smtpd/session.h"

/* A message that the journal was given. */
struct fake_message {
	/* "sender|MAILBOX 1 kim@..|EXTERNAL x@..|HOLD why|FILTER x:y"; a
	 * recipient that wants no notice has " never" behind it */
	struct buf envelope;
	struct buf body;
};
#define FAKE_MESSAGES_MAX	64

struct fake {
	struct loop *loop;
	struct conf *conf;
	struct profile *prof;
	struct server srv;
	struct stream *stream;	/* of the session under test */
	bool late;		/* the directory answers a turn later */
	bool tls;		/* what the stream says of itself */
	unsigned hangs_up;	/* so many turns of the loop in which it waits
				 * for us, then it does; 0: never */
	bool journal_fails;
	bool journal_holds;	/* answers after fake_journal_release */
	struct fake_append *held_append;
	struct fake_message message[FAKE_MESSAGES_MAX];
	unsigned n_messages;
	struct buf sent;	/* what the session has said so far */
	unsigned policy_asks;
	bool closed;
};

/* conf text; fails the process when it is wrong. One at a time. */
void fake_init(struct fake *f, const char *conf);
void fake_fini(struct fake *f);
/* A fresh session from 192.0.2.7; forgets messages and output. */
void fake_connect(struct fake *f);
/* The client sends; runs the loop until nothing happens any more. */
void fake_send(struct fake *f, struct span bytes);
/* The one append that is held gets its answer. */
void fake_journal_release(struct fake *f);
/* The client hangs up. */
void fake_hangup(struct fake *f);
void fake_settle(struct fake *f);
/* "a|b|!" against what was said since the last time: every line begins with
 * its piece, "!" means that the session has closed. False with *why. */
bool fake_said(struct fake *f, const char *says, struct buf *why) MUST_CHECK;
/* One turn of the loop, whatever the session does. */
void fake_turn(struct fake *f);

#endif
