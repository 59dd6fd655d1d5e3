#include "imapd/seqs.h"

#include <stdlib.h>

#include "base/xmalloc.h"

void
seqs_fini(struct seqs *q)
{
	free(q->seq);
	q->seq = NULL;
	q->n = 0;
	seqset_fini(&q->set);
}

void
seqs_free(void *arg)
{
	seqs_fini(arg);
	free(arg);
}

/* First and last seq of a range, of those that the client was told of. */
static bool
range_seqs(const struct session *s, const struct seqset_range *r, bool uid,
    uint32_t *lo, uint32_t *hi)
{
	uint32_t exists = s->told_exists;

	*lo = uid ? folder_seq_from(s->folder, r->lo) : MAX(r->lo, 1u);
	*hi = uid ? (r->hi == UINT32_MAX ? exists :
	    folder_seq_from(s->folder, r->hi + 1) - 1) : r->hi;
	*hi = MIN(*hi, exists);
	return *lo <= *hi;
}

static void
seqs_of(struct seqs *out, const struct session *s)
{
	const struct seqset *set = &out->set;
	uint32_t lo, hi;
	size_t i, total = 0;

	for (i = 0; i < set->n; i++)
		if (range_seqs(s, &set->range[i], out->uid, &lo, &hi))
			total += hi - lo + 1;
	out->seq = total == 0 ? NULL :
	    xreallocarray(NULL, total, sizeof(*out->seq));
	for (i = 0; i < set->n; i++)
		if (range_seqs(s, &set->range[i], out->uid, &lo, &hi))
			while (lo <= hi)
				out->seq[out->n++] = lo++;
}

const char *
seqs_set_read(const struct session *s, struct span text, struct seqset *set,
    bool *uid)
{
	uint32_t exists = s->told_exists;

	if (span_eq(text, SPAN_LIT("$"))) {
		*uid = true;
		seqset_copy(set, &s->saved);
		return NULL;
	}
	if (!seqset_parse(set, text))
		return "Bad message set";
	if (!*uid && seqset_max(set) > exists)
		return "No such message number";
	seqset_resolve(set, *uid ? folder_uid(s->folder, exists) : exists);
	return NULL;
}

bool
seqs_read(struct session *s, struct arg_iter *it, struct seqs *out)
{
	const char *why = "Bad message set";
	struct span text;

	*out = (struct seqs){ .uid = s->uid };
	if (arg_take_atom(it, &text))
		why = seqs_set_read(s, text, &out->set, &out->uid);
	if (why != NULL) {
		session_bad(s, why);
		return false;
	}
	seqs_of(out, s);
	return true;
}

bool
seqs_take(struct session *s, struct arg_iter *it)
{
	struct seqs *q = xcalloc(1, sizeof(*q));

	session_run_set(s, q, seqs_free);
	return seqs_read(s, it, q);
}
