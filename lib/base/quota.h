/*
 * The arithmetic of quota that programs share. A limit of 0 is none.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include "base/conf.h"

/* Bytes a mailbox may hold, from what the database says and
 * virtual_mailbox_limit. */
uint64_t quota_limit_bytes(const struct conf *conf, uint64_t said);

/* quota_warning_thresholds as an array of PostgreSQL, "{80,90,95}"; words
 * that are no percentage are left out. */
void quota_thresholds(const struct conf *conf, struct buf *out);

/* Would `more` be too much? */
static inline bool
quota_over(uint64_t limit, uint64_t used, uint64_t more)
{
	return limit > 0 && (used > limit || more > limit - used);
}

#endif
