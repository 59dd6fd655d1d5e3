#include "imapd/resync_plan.h"

/* A set without a star, ordered. */
static bool
plain_set_take(struct arg_iter *it, struct seqset *set)
{
	struct span word;

	if (!arg_take_atom(it, &word) || !seqset_parse(set, word) ||
	    seqset_has_star(set))
		return false;
	seqset_resolve(set, 0);
	return true;
}

static const char *
match_take(struct resync *r, struct arg_iter *it)
{
	struct arg_iter members;

	if (!arg_take_list(it, &members) ||
	    !plain_set_take(&members, &r->match_seqs) ||
	    !plain_set_take(&members, &r->match_uids) ||
	    !arg_at_end(&members))
		return "Bad QRESYNC sequence match data";
	return NULL;
}

const char *
resync_take(struct resync *r, struct arg_iter *it)
{
	struct arg_iter members;
	struct span word;
	const char *why;

	r->wanted = true;
	if (!arg_take_list(it, &members) || !arg_take_atom(&members, &word) ||
	    !span_u32(word, 1, UINT32_MAX, &r->uidvalidity) ||
	    !arg_take_modseq(&members, false, &r->since))
		return "QRESYNC takes (UIDVALIDITY mod-sequence ...)";
	r->has_known = !arg_at_end(&members) && !arg_is_list(&members);
	if (r->has_known && !plain_set_take(&members, &r->known))
		return "Bad QRESYNC UID set";
	if (arg_is_list(&members) && (why = match_take(r, &members)) != NULL)
		return why;
	return arg_at_end(&members) ? NULL : "Bad QRESYNC parameter";
}

void
resync_fini(struct resync *r)
{
	seqset_fini(&r->known);
	seqset_fini(&r->match_seqs);
	seqset_fini(&r->match_uids);
}
