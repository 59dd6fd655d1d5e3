/* Shared by adopt.c and its parts only. */
#ifndef STORE_ADOPT_INT_H
#define STORE_ADOPT_INT_H

#include "store/adopt.h"
#include "store/foreign.h"
#include "store/keywords.h"
#include "store/scan.h"

/* One message of a folder that is taken over. */
struct adopt_file {
	const struct scan_ent *ent;
	uint32_t uid;			/* 0: a new one */
	uint32_t flags;			/* letters of keywords as they are there */
	uint64_t keywords;		/* bits of adopt_plan.keywords */
	uint64_t size, vsize;		/* vsize 0: not known yet */
	int64_t date;
};

/* What a folder holds, and what its server says of it. */
struct adopt_plan {
	struct adopt_folder seen;
	int dir;
	struct scan scan;
	struct adopt_file *file;
	size_t n;
	struct foreign_uids uids;
	struct foreign_keywords keywords;
	struct buf uids_text, keywords_text;	/* what these point into */
};

/* adopt_plan.c: looks at folder `name` below `source`. adopt_plan_fini in any
 * case. PS_ENOTFOUND: no maildir. */
int adopt_plan_make(struct adopt_plan *p, int source, const char *name,
    struct err *err) MUST_CHECK;
void adopt_plan_fini(struct adopt_plan *p);
/* A small file whole into text, which is initialized here; one that is not
 * there is empty. */
int adopt_text(int dir, const char *name, struct buf *text, struct err *err)
    MUST_CHECK;

/* adopt_folder.c: carries the plan out. */
int adopt_folder_take(const struct adopt *a, struct adopt_plan *p,
    struct err *err) MUST_CHECK;

#endif
