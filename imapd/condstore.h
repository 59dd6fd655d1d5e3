/*
 * What ENABLE switched on (RFC 5161), and mod-sequences in commands and
 * responses (RFC 7162, CONDSTORE).
 */
#ifndef IMAPD_CONDSTORE_H
#define IMAPD_CONDSTORE_H

#include "imapd/args.h"
#include "imapd/session.h"

/* A command that has to do with mod-sequences was met: from now on untagged
 * FETCH tells them. On the loop; tells HIGHESTMODSEQ when that is news. */
void condstore_enable(struct session *s);
static inline bool
condstore_on(const struct session *s)
{
	return (s->enabled & ENABLED_CONDSTORE) != 0;
}
static inline bool
qresync_on(const struct session *s)
{
	return (s->enabled & ENABLED_QRESYNC) != 0;
}

/* "MODSEQ (n)" */
void modseq_put(struct buf *out, uint64_t modseq);
/* OK, with the new HIGHESTMODSEQ for who knows mod-sequences: messages were
 * expunged (RFC 7162 3.2.7). */
void condstore_expunged_ok(struct session *s);

#endif
