/*
 * What a LIST or LSUB asks for (RFC 3501 6.3.8, RFC 5258, RFC 5819, RFC
 * 6154), understood once. Text is copied: it outlives the command's bytes.
 */
#ifndef IMAPD_LIST_PLAN_H
#define IMAPD_LIST_PLAN_H

#include "imapd/args.h"

#define LIST_PATTERNS_MAX	50

/* Selection and return options. */
enum {
	LIST_SUBSCRIBED = 1,
	LIST_REMOTE = 2,		/* nothing is; allowed, no effect */
	LIST_RECURSIVE = 4,
	LIST_SPECIAL = 8,
	LIST_CHILDREN = 16,
	LIST_STATUS = 32
};

struct list_plan {
	bool lsub;
	bool extended;			/* options or several patterns */
	unsigned select, give;		/* LIST_* bits */
	unsigned status;		/* items of LIST_STATUS */
	char *pattern[LIST_PATTERNS_MAX]; /* the reference in front */
	size_t n;
	bool levels;			/* the last one ends in "%" */
	bool root;			/* LIST "" "": asks for the separator */
};

/* NULL when fine, else what is wrong. list_plan_fini() in any case. */
const char *list_plan_take(struct list_plan *p, struct arg_iter *it,
    bool lsub) MUST_CHECK;
void list_plan_fini(struct list_plan *p);

#endif
