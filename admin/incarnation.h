/*
 * The incarnation counter: a number that no two starts of any process on
 * this spool ever share, so that a queue id is never given twice (DESIGN
 * J8). Durable before it is used; kept as decimal text in the file
 * `incarnation` of the spool directory.
 */
#ifndef ADMIN_INCARNATION_H
#define ADMIN_INCARNATION_H

#include <stdint.h>

#include "base/err.h"

struct incarnation {
	int dirfd;		/* the spool directory, lent */
	uint32_t last;		/* last one handed out */
	uint32_t reserved;	/* durable ceiling */
};

/* Reads the counter; a missing file means 0. A file that holds anything
 * else is an error: starting at 0 again could double ids. */
int incarnation_open(struct incarnation *in, int dirfd, struct err *err)
    MUST_CHECK;
/* Makes at least n numbers durable in one go. */
int incarnation_reserve(struct incarnation *in, unsigned n, struct err *err)
    MUST_CHECK;
/* The next number; durable when this returns 0. */
int incarnation_next(struct incarnation *in, uint32_t *out, struct err *err)
    MUST_CHECK;

#endif
