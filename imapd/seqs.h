/*
 * The messages a command works on: its sequence set, or UID set, as
 * ascending sequence numbers of the selected folder.
 */
#ifndef IMAPD_SEQS_H
#define IMAPD_SEQS_H

#include "imapd/args.h"
#include "imapd/session.h"
#include "imapd/seqset.h"

struct seqs {
	uint32_t *seq;
	size_t n;
	struct seqset set;		/* as it was given, resolved */
	bool uid;			/* ... of UIDs */
};

/* Takes the next argument; UIDs when s->uid, or "$" (RFC 5182). The result becomes s->run, with
 * seqs_free. False: answered with BAD. */
bool seqs_take(struct session *s, struct arg_iter *it);
/* The same into *out, which seqs_fini() frees. */
bool seqs_read(struct session *s, struct arg_iter *it, struct seqs *out);
void seqs_fini(struct seqs *q);
void seqs_free(void *q);
/* Reads a set for session s into *set, resolved: "$", or what seqset.h reads,
 * of UIDs when *uid, which "$" always is. NULL when fine, else what is wrong;
 * seqset_fini() in any case. */
const char *seqs_set_read(const struct session *s, struct span text,
    struct seqset *set, bool *uid) MUST_CHECK;

#endif
