/*
 * SEARCH, in slices of a few milliseconds; ESEARCH (RFC 4731) and SEARCHRES
 * (RFC 5182).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/search_match.h"

#define SLICE_US	10000
#define CHECK_EVERY	64		/* messages between looks at the clock */
#define CHECK_CACHE	8		/* the same when the cache is asked */

enum {
	RETURN_MIN = 1,
	RETURN_MAX = 2,
	RETURN_ALL = 4,
	RETURN_COUNT = 8,
	RETURN_SAVE = 16
};

static const struct {
	const char *name;
	unsigned bit;
} return_names[] = {
	{ "MIN", RETURN_MIN },
	{ "MAX", RETURN_MAX },
	{ "ALL", RETURN_ALL },
	{ "COUNT", RETURN_COUNT },
	{ "SAVE", RETURN_SAVE },
};

struct search {
	struct search_plan plan;
	struct matcher matcher;
	unsigned returns;		/* RETURN_*; 0: the plain form */
	uint32_t seq;			/* next to try */
	uint32_t *found;		/* message numbers */
	size_t n, size;
};

static void
search_free(void *arg)
{
	struct search *r = arg;

	search_plan_fini(&r->plan);
	matcher_fini(&r->matcher);
	free(r->found);
	free(r);
}

/* --- finding ------------------------------------------------------------------------ */

static void
found_add(struct search *r, uint32_t seq)
{
	if (r->n == r->size) {
		r->size = r->size == 0 ? 64 : r->size * 2;
		r->found = xreallocarray(r->found, r->size,
		    sizeof(*r->found));
	}
	r->found[r->n++] = seq;
}

static void
try_one(struct session *s, struct search *r, uint32_t seq)
{
	int rc;

	rc = matcher_try(&r->matcher, &r->plan, s->folder, seq, &s->job_err);
	if (rc < 0)
		session_unreadable(s, "search", folder_uid(s->folder, seq),
		    &s->job_err);
	if (rc > 0)
		found_add(r, seq);
}

static void
search_job(struct session *s)
{
	struct search *r = s->run;
	uint64_t end = clock_mono_us() + SLICE_US;
	enum search_cost cost = r->plan.key[r->plan.root].cost;
	uint32_t every = cost == COST_MEMORY ? CHECK_EVERY :
	    cost == COST_BODY ? 1 : CHECK_CACHE;

	while (r->seq <= s->told_exists) {
		try_one(s, r, r->seq++);
		if (r->seq % every == 0 && clock_mono_us() > end)
			return;
	}
}

/* --- telling ------------------------------------------------------------------------- */

/* With MIN and MAX alone only these are meant by SAVE and by MODSEQ (RFC 5182
 * 2.1, RFC 4731 3.2): the others are forgotten. */
static void
found_narrow(struct search *r)
{
	unsigned ends = r->returns & (RETURN_MIN | RETURN_MAX);

	if (ends == 0 || r->n == 0 ||
	    (r->returns & (RETURN_ALL | RETURN_COUNT)))
		return;
	if (ends == RETURN_MAX)
		r->found[0] = r->found[r->n - 1];
	else if (ends == (RETURN_MIN | RETURN_MAX) && r->n > 1)
		r->found[1] = r->found[r->n - 1];
	r->n = ends == (RETURN_MIN | RETURN_MAX) ? MIN(r->n, (size_t)2) : 1;
}

static void
found_save(struct session *s, const struct search *r)
{
	uint32_t *uids = xcalloc(r->n + 1, sizeof(*uids));
	size_t i;

	for (i = 0; i < r->n; i++)
		uids[i] = folder_uid(s->folder, r->found[i]);
	seqset_fini(&s->saved);
	seqset_of(&s->saved, uids, r->n);
	free(uids);
}

static uint64_t
found_modseq(const struct session *s, const struct search *r)
{
	struct folder_msg m;
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (folder_msg(s->folder, r->found[i], &m))
			most = MAX(most, m.modseq);
	return most;
}

/* "* ESEARCH (TAG "a") UID MIN 2 COUNT 3 ALL 2,10:11 MODSEQ 9"; message numbers
 * have become what the client wants to hear. */
static void
esearch_put(struct session *s, struct search *r, uint64_t modseq)
{
	struct buf *out = session_out(s);

	buf_fmt(out, "* ESEARCH (TAG \"%s\")%s", s->tag, s->uid ? " UID" : "");
	if ((r->returns & RETURN_MIN) && r->n > 0)
		buf_fmt(out, " MIN %u", r->found[0]);
	if ((r->returns & RETURN_MAX) && r->n > 0)
		buf_fmt(out, " MAX %u", r->found[r->n - 1]);
	if (r->returns & RETURN_COUNT)
		buf_fmt(out, " COUNT %zu", r->n);
	if ((r->returns & RETURN_ALL) && r->n > 0) {
		buf_str(out, " ALL ");
		seqset_put(out, r->found, r->n);
	}
	if (r->plan.modseq && r->n > 0)
		buf_fmt(out, " MODSEQ %llu", (unsigned long long)modseq);
	buf_str(out, "\r\n");
}

static void
plain_put(struct session *s, struct search *r, uint64_t modseq)
{
	struct buf *out = session_out(s);
	size_t i;

	buf_str(out, "* SEARCH");
	for (i = 0; i < r->n; i++) {
		buf_char(out, ' ');
		buf_dec(out, r->found[i]);
	}
	if (r->plan.modseq && r->n > 0)
		buf_fmt(out, " (MODSEQ %llu)", (unsigned long long)modseq);
	buf_str(out, "\r\n");
}

static void
search_tell(struct session *s, struct search *r)
{
	uint64_t modseq = 0;
	size_t i;

	found_narrow(r);
	if (r->plan.modseq)
		modseq = found_modseq(s, r);
	if (r->returns & RETURN_SAVE)
		found_save(s, r);
	if (r->returns == RETURN_SAVE)
		return;			/* asked for no more than that */
	for (i = 0; s->uid && i < r->n; i++)
		r->found[i] = folder_uid(s->folder, r->found[i]);
	if (r->returns != 0)
		esearch_put(s, r, modseq);
	else
		plain_put(s, r, modseq);
}

static void search_slice(struct session *s);

static void
search_done(struct session *s)
{
	struct search *r = s->run;

	if (r->seq <= s->told_exists) {
		session_slice(s, search_slice);
		return;
	}
	search_tell(s, r);
	session_ok(s);
}

static void
search_slice(struct session *s)
{
	session_job(s, search_job, search_done);
}

/* --- asking --------------------------------------------------------------------------- */

static bool
return_take(struct search *r, struct arg_iter *members)
{
	struct span word;
	size_t i;

	while (arg_take_atom(members, &word)) {
		for (i = 0; i < ARRAY_LEN(return_names); i++)
			if (span_is(word, return_names[i].name))
				break;
		if (i == ARRAY_LEN(return_names))
			return false;
		r->returns |= return_names[i].bit;
	}
	if (r->returns == 0)
		r->returns = RETURN_ALL;
	return arg_at_end(members);
}

/* "RETURN (MIN COUNT)" */
static bool
returns_take(struct search *r, struct arg_iter *it)
{
	struct arg_iter ahead = *it, members;
	struct span word;

	if (!arg_take_atom(&ahead, &word) || !span_is(word, "RETURN"))
		return true;
	*it = ahead;
	return arg_take_list(it, &members) && return_take(r, &members);
}

static void
search_start(struct session *s, struct search *r)
{
	if (r->plan.modseq)
		condstore_enable(s);
	/* RFC 3501 7.4.1 for any form: expunges would move the numbers */
	s->hold_expunges = r->plan.numbers;
	search_slice(s);
}

void
cmd_search(struct session *s, struct arg_iter *it)
{
	struct search_scope scope = { .folder = s->folder,
	    .exists = s->told_exists, .saved = &s->saved };
	struct search *r = xcalloc(1, sizeof(*r));
	const char *why;

	matcher_init(&r->matcher);
	r->seq = 1;
	session_run_set(s, r, search_free);
	if (!returns_take(r, it)) {
		session_bad(s, "Bad RETURN options");
		return;
	}
	why = search_plan_take(&r->plan, it, &scope);
	if (r->plan.bad_charset) {
		/* a NO leaves nothing saved (RFC 5182 2.1) */
		if (r->returns & RETURN_SAVE)
			seqset_fini(&s->saved);
		session_reply(s, "NO", "[BADCHARSET (" SEARCH_CHARSETS
		    ")] %s", why);
	} else if (why != NULL) {
		session_bad(s, why);
	} else {
		search_start(s, r);
	}
}
