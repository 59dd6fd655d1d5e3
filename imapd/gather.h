/*
 * The messages that a search finds, one after the other, in slices: what SORT
 * and THREAD begin with.
 */
#ifndef IMAPD_GATHER_H
#define IMAPD_GATHER_H

#include "imapd/search_match.h"
#include "imapd/session.h"

struct gather {
	struct search_plan plan;	/* private */
	struct matcher matcher;
	uint32_t seq;			/* next to try */
};

void gather_init(struct gather *g);
void gather_fini(struct gather *g);
/* Takes "charset key ...", the rest of the command. False: answered. */
bool gather_take(struct gather *g, struct session *s, struct arg_iter *it);
/* In a thread: gives what is found to `each` until a slice is over. True when
 * all messages were tried. */
bool gather_run(struct gather *g, struct session *s,
    void (*each)(struct session *s, uint32_t seq));

#endif
