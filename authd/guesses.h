/*
 * How many different wrong passwords came, lately, for one subject: an
 * account, a network, or an account from a network that it knows. Time is cut
 * into slots, equal on all hosts; a slot's count grows when a password comes
 * that is not among the last GUESS_MARKS different ones, so the same stale
 * password counts once, however often it is repeated. Of a password only a
 * mark of 32 bits is kept, keyed with a secret that ends with the process.
 *
 * Counts of one slot are merged by the greatest (the database adds up what
 * hosts counted). To forgive begins a new epoch; what belongs to an older one
 * no longer counts.
 */
#ifndef AUTHD_GUESSES_H
#define AUTHD_GUESSES_H

#include "base/macros.h"

#define GUESS_SLOT_MS	(30 * 60 * 1000LL)
#define GUESS_SLOTS	48		/* a window is at most a day */
#define GUESS_MARKS	16
#define GUESS_COUNT_MAX	60000		/* of one slot */

struct guesses {
	uint64_t epoch;			/* when it was forgiven, in ms; 0 */
	int64_t newest;			/* slot; older ones lie behind it */
	uint16_t count[GUESS_SLOTS];	/* [slot % GUESS_SLOTS] */
	uint32_t mark[GUESS_MARKS];	/* seen last comes first */
	uint8_t n_marks;
};

/* The slot of a time in ms. */
int64_t guess_slot(int64_t now_ms);

/* A wrong password in this slot. True when it was a new one, and counted. */
bool guesses_add(struct guesses *g, int64_t slot, uint32_t mark);
/* Was this one seen lately? */
bool guesses_know(const struct guesses *g, uint32_t mark);
/* Another host's word, or the database's: so many in that slot. */
void guesses_merge(struct guesses *g, uint64_t epoch, int64_t slot,
    unsigned count);
/* Nothing that came before counts any more. */
void guesses_forgive(struct guesses *g, uint64_t epoch);

unsigned guesses_of_slot(const struct guesses *g, int64_t slot);
/* All of the last `window` slots, up to and with `slot`. */
unsigned guesses_level(const struct guesses *g, int64_t slot,
    unsigned window);
/* The time in ms from which there will be fewer than `limit` (> 0), if no
 * more come; 0: now. */
int64_t guesses_below_at(const struct guesses *g, int64_t slot,
    unsigned window, unsigned limit);

#endif
