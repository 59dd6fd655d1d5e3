/*
 * Sequence sets: "1:3,7,*" (RFC 3501 9), of sequence numbers or UIDs.
 */
#ifndef IMAPD_SEQSET_H
#define IMAPD_SEQSET_H

#include "base/buf.h"
#include "base/span.h"

#define SEQSET_STAR	UINT32_MAX	/* "*" until resolved */

struct seqset {
	struct seqset_range { uint32_t lo, hi; } *range;
	size_t n;
	bool star;		/* one was resolved: the last range has it */
};

/* False when malformed. On success s is ordered: ranges ascend and do not
 * touch, but for those that hold a star. seqset_fini() in any case. */
bool seqset_parse(struct seqset *s, struct span text) MUST_CHECK;
void seqset_fini(struct seqset *s);
/* Replaces "*" by `last` and puts the ranges in order. */
void seqset_resolve(struct seqset *s, uint32_t last);
bool seqset_has(const struct seqset *s, uint32_t n);	/* after resolve */
/* The largest number written, before seqset_resolve; ranges with a star are
 * not counted, as "1:*" is asked of empty mailboxes too. */
uint32_t seqset_max(const struct seqset *s);

/* Made from ascending numbers; or a copy. seqset_fini() either. */
void seqset_of(struct seqset *s, const uint32_t *v, size_t n);
void seqset_copy(struct seqset *s, const struct seqset *from);
bool seqset_has_star(const struct seqset *s);	/* before resolve */

/* Appends "1:3,7": a resolved set, or ascending numbers. */
void seqset_print(struct buf *out, const struct seqset *s);
void seqset_put(struct buf *out, const uint32_t *v, size_t n);
/* One range more. */
void seqset_put_range(struct buf *out, bool first, uint32_t lo, uint32_t hi);

#endif
