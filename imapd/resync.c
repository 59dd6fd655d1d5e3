#include "imapd/resync.h"

#include <stdlib.h>

#include "imapd/condstore.h"
#include "imapd/flags.h"

#define SLICE_BYTES	(128 * 1024)

/* The highest UID of the pairs that are as the client says: it knows what went
 * from below it. The sets are as long as the client's, the walk is not. */
static uint32_t
match_highest(const struct resync *r, const struct folder *f)
{
	const struct seqset *a = &r->match_seqs, *b = &r->match_uids;
	uint32_t seq, uid, best = 0;
	size_t i = 0, j = 0;

	if (a->n == 0 || b->n == 0)
		return 0;
	seq = a->range[0].lo;
	uid = b->range[0].lo;
	while (seq <= folder_exists(f)) {
		if (folder_uid(f, seq) == uid)
			best = uid;
		if (seq++ == a->range[i].hi) {
			if (++i == a->n)
				break;
			seq = a->range[i].lo;
		}
		if (uid++ == b->range[j].hi) {
			if (++j == b->n)
				break;
			uid = b->range[j].lo;
		}
	}
	return best;
}

/* --- VANISHED (EARLIER) -------------------------------------------------------------- */

struct vanished {
	struct buf *out;
	bool any;
};

static void
range_put(struct vanished *v, uint32_t lo, uint32_t hi)
{
	if (lo > hi)
		return;
	if (!v->any)
		buf_str(v->out, "* VANISHED (EARLIER) ");
	seqset_put_range(v->out, !v->any, lo, hi);
	v->any = true;
}

/* Those of a range that are not in the mailbox, whenever they went. */
static void
absent_put(struct vanished *v, const struct folder *f, uint32_t lo,
    uint32_t hi)
{
	uint32_t seq = folder_seq_from(f, lo), uid;

	for (; seq <= folder_exists(f) && lo <= hi; seq++) {
		uid = folder_uid(f, seq);
		if (uid > hi)
			break;
		range_put(v, lo, uid - 1);
		lo = uid + 1;
	}
	range_put(v, lo, hi);
}

static void
remembered_put(struct vanished *v, const struct seqset *set, uint32_t above,
    const uint32_t *uids, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i = j) {
		j = i + 1;
		if (uids[i] <= above || !seqset_has(set, uids[i]))
			continue;
		while (j < n && uids[j] == uids[j - 1] + 1 &&
		    seqset_has(set, uids[j]))
			j++;
		range_put(v, uids[i], uids[j - 1]);
	}
}

int
vanished_put(struct session *s, struct buf *out, struct seqset *set,
    uint32_t above, uint64_t since, struct err *err)
{
	struct vanished v = { .out = out };
	uint32_t *uids, last;
	bool known;
	size_t i, n;
	int rc;

	rc = folder_vanished(s->folder, since, &uids, &n, &known, err);
	if (rc < 0)
		return rc;
	/* what was never given out cannot have gone */
	last = folder_uidnext(s->folder) - 1;
	/* nor has what is there an end for who asks up to "*": the last ones
	 * may have gone */
	if (set->star)
		set->range[set->n - 1].hi = last;
	if (known)
		remembered_put(&v, set, above, uids, n);
	for (i = 0; !known && i < set->n; i++)
		absent_put(&v, s->folder, MAX(set->range[i].lo, above + 1),
		    MIN(set->range[i].hi, last));
	if (v.any)
		buf_str(out, "\r\n");
	free(uids);
	return 0;
}

/* --- SELECT (QRESYNC ...) --------------------------------------------------------------- */

static int
step_begin(struct session *s, struct resync *r, struct err *err)
{
	struct seqset_range all = { 1, folder_uidnext(s->folder) - 1 };
	struct seqset every = { .range = &all, .n = all.hi > 0 };
	int rc;

	r->seq = 1;
	rc = vanished_put(s, &s->out, r->has_known ? &r->known : &every,
	    match_highest(r, s->folder), r->since, err);
	/* a client that is ahead of us knows nothing */
	if (r->since > folder_highest_modseq(s->folder))
		r->since = 0;
	return rc;
}

static void
changed_put(struct session *s, const struct resync *r, uint32_t seq)
{
	struct buf *out = &s->out;
	struct folder_msg m;

	if (!folder_msg(s->folder, seq, &m) || m.modseq <= r->since ||
	    (r->has_known && !seqset_has(&r->known, m.uid)))
		return;
	buf_fmt(out, "* %u FETCH (UID %u FLAGS ", seq, m.uid);
	flags_put(out, s->folder, m.flags, m.recent);
	buf_char(out, ' ');
	modseq_put(out, m.modseq);
	buf_str(out, ")\r\n");
	folder_told(s->folder, seq);
}

int
resync_step(struct session *s, struct resync *r, struct err *err)
{
	int rc = r->seq == 0 ? step_begin(s, r, err) : 0;

	if (rc < 0)
		return rc;
	while (r->seq <= s->told_exists && buf_len(&s->out) < SLICE_BYTES)
		changed_put(s, r, r->seq++);
	return r->seq <= s->told_exists;
}
