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
};

/* Takes the next argument; UIDs when s->uid. The result becomes s->run, with
 * seqs_free. False: answered with BAD. */
bool seqs_take(struct session *s, struct arg_iter *it);
/* The same into *out, which seqs_fini() frees. */
bool seqs_read(struct session *s, struct arg_iter *it, struct seqs *out);
void seqs_fini(struct seqs *q);
void seqs_free(void *q);
/* Resolves a parsed set against f; `uid`: it holds UIDs. */
void seqs_of(struct seqs *out, struct folder *f, struct seqset *set,
    bool uid);

#endif
