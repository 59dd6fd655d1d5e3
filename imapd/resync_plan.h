/*
 * The QRESYNC parameter of SELECT, understood (RFC 7162 3.2.5).
 */
#ifndef IMAPD_RESYNC_PLAN_H
#define IMAPD_RESYNC_PLAN_H

#include "imapd/args.h"
#include "imapd/seqset.h"

/* "(uidvalidity modseq [known-uids] [(seqs uids)])" */
struct resync {
	bool wanted;
	uint32_t uidvalidity;
	uint64_t since;
	bool has_known;
	struct seqset known;		/* UIDs that the client has */
	struct seqset match_seqs, match_uids;	/* pairs, in the same order */
	uint32_t seq;			/* resync.c's: how far we are */
};

/* Reads it off the front into a zeroed *r. NULL when fine, else what is wrong.
 * resync_fini() in any case. */
const char *resync_take(struct resync *r, struct arg_iter *it) MUST_CHECK;
void resync_fini(struct resync *r);

#endif
