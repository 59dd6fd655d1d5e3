/*
 * Greylisting as gatekeeper does it: a sender that is not known waits, and
 * has proved to be a mail server when it comes back after a while. All in
 * memory; `changed` tells what others must learn (greylist_share.h), apply
 * takes in what they say.
 *
 *  - Who sends to whom (origin, sender, recipient) waits for delay, must come
 *    back within window, and is known until it has been silent for max_age.
 *  - An origin that came back clients_after times (one an hour counts) is
 *    trusted: nothing of it waits any more. So is one whose mail has waited
 *    for `budget` in all: slow senders are not to pay for being slow.
 *  - Who an administrator exempts, and whom our users wrote to, never wait.
 *
 * Knows no clock: times are arguments, in milliseconds. Always true: never
 * more than `most` entries of each kind; when there is no room, what has
 * waited longest without coming back goes first, then what was silent
 * longest; and no origin can take much of the room of those that wait.
 */
#ifndef SMTPD_GREYLIST_H
#define SMTPD_GREYLIST_H

#include "gate/grey.h"

struct grey_rules {
	int64_t delay_ms, window_ms, max_age_ms;
	int64_t budget_ms;		/* 0: none */
	unsigned clients_after;		/* 0: never */
	size_t most;
};

/* What others must learn. Keys are lent for the call. */
struct grey_triplet {
	struct span origin, sender, recipient;
	int64_t first_ms, last_ms, passed_ms;	/* passed 0: waiting */
	int64_t expires_ms;			/* 0: forgotten */
};
struct grey_origin {
	struct span origin;
	int64_t passes, last_pass_ms, waited_ms, last_ms;
	int64_t expires_ms;
};
struct grey_exempt {
	struct span item;	/* "from:x@far.example": sql/, greylist_exempt */
	bool written;		/* by a user; else by an administrator */
	int64_t expires_ms;
};

struct greylist_ops {
	void (*triplet)(const struct grey_triplet *t, void *arg);
	void (*origin)(const struct grey_origin *o, void *arg);
	void (*exempt)(const struct grey_exempt *x, void *arg);
	/* Its budget is used up. */
	void (*budget)(const struct grey_origin *o, void *arg);
};

struct greylist;

struct greylist *greylist_new(const struct grey_rules *rules,
    const struct greylist_ops *ops, void *arg);
void greylist_free(struct greylist **g);
void greylist_configure(struct greylist *g, const struct grey_rules *rules);

void greylist_ask(struct greylist *g, const struct grey_question *q,
    int64_t now_ms, struct grey_answer *answer);
/* A user of ours wrote to this address (normal form). */
void greylist_wrote(struct greylist *g, struct span address, int64_t now_ms);

/* From others, any number of times. */
void greylist_apply_triplet(struct greylist *g, const struct grey_triplet *t);
void greylist_apply_origin(struct greylist *g, const struct grey_origin *o);
void greylist_apply_exempt(struct greylist *g, const struct grey_exempt *x);

/* Forgets what has expired, a few at a time. */
void greylist_sweep(struct greylist *g, int64_t now_ms);

struct greylist_stats {
	size_t waiting, known, origins, exempt;
	uint64_t whys[GREY_WHYS];
	uint64_t crowded;	/* forgotten for want of room */
};
void greylist_stats(const struct greylist *g, struct greylist_stats *out);

#endif
