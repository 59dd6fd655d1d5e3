#include "imapd/seqs.h"

#include <stdlib.h>

#include "base/xmalloc.h"

void
seqs_fini(struct seqs *q)
{
	free(q->seq);
	q->seq = NULL;
	q->n = 0;
}

void
seqs_free(void *arg)
{
	seqs_fini(arg);
	free(arg);
}

/* First and last seq of a range. */
static bool
range_seqs(struct folder *f, const struct seqset_range *r, bool uid,
    uint32_t *lo, uint32_t *hi)
{
	uint32_t exists = folder_exists(f);

	*lo = uid ? folder_seq_from(f, r->lo) : MAX(r->lo, 1u);
	*hi = uid ? (r->hi == UINT32_MAX ? exists :
	    folder_seq_from(f, r->hi + 1) - 1) : MIN(r->hi, exists);
	return *lo <= *hi;
}

void
seqs_of(struct seqs *out, struct folder *f, struct seqset *set, bool uid)
{
	uint32_t exists = folder_exists(f), lo, hi;
	size_t i, total = 0;

	seqset_resolve(set, uid ? folder_uid(f, exists) : exists);
	for (i = 0; i < set->n; i++)
		if (range_seqs(f, &set->range[i], uid, &lo, &hi))
			total += hi - lo + 1;
	out->seq = total == 0 ? NULL :
	    xreallocarray(NULL, total, sizeof(*out->seq));
	out->n = 0;
	for (i = 0; i < set->n; i++)
		if (range_seqs(f, &set->range[i], uid, &lo, &hi))
			while (lo <= hi)
				out->seq[out->n++] = lo++;
}

bool
seqs_read(struct session *s, struct arg_iter *it, struct seqs *out)
{
	struct seqset set = { NULL, 0 };
	struct span text;

	out->seq = NULL;
	out->n = 0;
	if (!arg_take_atom(it, &text) || !seqset_parse(&set, text)) {
		seqset_fini(&set);
		session_bad(s, "Bad message set");
		return false;
	}
	if (!s->uid && seqset_max(&set) > folder_exists(s->folder)) {
		seqset_fini(&set);
		session_bad(s, "No such message number");
		return false;
	}
	seqs_of(out, s->folder, &set, s->uid);
	seqset_fini(&set);
	return true;
}

bool
seqs_take(struct session *s, struct arg_iter *it)
{
	struct seqs *q = xcalloc(1, sizeof(*q));

	session_run_set(s, q, seqs_free);
	return seqs_read(s, it, q);
}
