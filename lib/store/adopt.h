/*
 * Takes over a maildir of Dovecot's or Courier's as the mail of an account:
 * messages with their UIDs, flags, keywords and dates, UIDVALIDITY, folders,
 * subscriptions. Files are renamed into the account's home, or copied when
 * that was asked for; what else those servers keep stays where it is.
 *
 * Always true:
 * 1. Nothing is changed before all folders were looked at and found fit.
 * 2. While it works, and after it was killed, the account is closed to all
 *    others (STORE_ADOPTING in its home, box.h); called again it goes on.
 * 3. A UIDVALIDITY and its UIDs hold for the reader from the first look.
 *
 * Mail that was in the account stays; in a folder that takes over a
 * UIDVALIDITY it gets new UIDs behind those taken over. Blocks.
 */
#ifndef STORE_ADOPT_H
#define STORE_ADOPT_H

#include "base/err.h"

enum adopt_from { ADOPT_PLAIN, ADOPT_DOVECOT, ADOPT_COURIER };

struct adopt_folder {
	const char *name;		/* on disk, "": INBOX */
	enum adopt_from from;		/* whose UIDs */
	uint32_t uidvalidity;		/* 0: it gets one of ours */
	uint32_t uidnext;
	uint64_t messages, bytes;
	uint64_t without_uid;		/* of messages: will get new ones */
	uint64_t packed;		/* compressed files: not taken */
	uint64_t odd;			/* no files, not readable: not taken */
	uint64_t lost_keywords;		/* more than 26, or bad names */
	unsigned keywords;
};

struct adopt_events {
	/* Each folder, when it was looked at and again when it is done. */
	void (*folder)(const struct adopt_folder *f, bool done, void *arg);
	void (*note)(const char *text, void *arg);
	/* What maildirsize says; 0: no limit, not both. */
	void (*quota)(uint64_t bytes, uint64_t messages, void *arg);
	void (*progress)(const char *folder, uint64_t n, uint64_t of,
	    void *arg);
	void *arg;
};

struct adopt {
	int source;			/* directory of the maildir, lent */
	int home;			/* of the account; -1: none (check) */
	uint64_t mailbox_id;
	bool check;			/* only look */
	bool copy;			/* leave the files where they are */
	const struct adopt_events *events;
};

/* PS_ENOTFOUND: no maildir. PS_ESTATE: it cannot be taken over as it is, and
 * nothing was changed. PS_EAGAIN: somebody else is at it. Any other error:
 * call it again when the cause is mended. */
int adopt_run(const struct adopt *a, struct err *err) MUST_CHECK;

#endif
