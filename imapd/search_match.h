/*
 * Does a message match a search? Reads its file only when a key needs it.
 * For threads.
 */
#ifndef IMAPD_SEARCH_MATCH_H
#define IMAPD_SEARCH_MATCH_H

#include "imapd/message.h"
#include "imapd/search_plan.h"

struct matcher {
	struct message message;		/* private */
	struct buf text, folded, decoded;
};

void matcher_init(struct matcher *m);
void matcher_fini(struct matcher *m);
/* 1: yes, 0: no, negative: the message could not be read. */
int matcher_try(struct matcher *m, const struct search_plan *p,
    struct folder *f, uint32_t seq, struct err *err) MUST_CHECK;

#endif
