#include "imapd/gather.h"

#include "base/clock.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "mail/charset.h"

#define SLICE_US	10000

void
gather_init(struct gather *g)
{
	memset(g, 0, sizeof(*g));
	matcher_init(&g->matcher);
	g->seq = 1;
}

void
gather_fini(struct gather *g)
{
	search_plan_fini(&g->plan);
	matcher_fini(&g->matcher);
}

bool
gather_take(struct gather *g, struct session *s, struct arg_iter *it)
{
	struct search_scope scope = { .folder = s->folder,
	    .exists = s->told_exists, .saved = &s->saved };
	struct span charset;
	const char *why;

	if (!arg_take_astring(it, &charset)) {
		session_bad(s, "Charset expected");
		return false;
	}
	if (!charset_known(charset)) {
		session_reply(s, "NO", "[BADCHARSET (" SEARCH_CHARSETS
		    ")] Unknown charset");
		return false;
	}
	why = search_plan_take_in(&g->plan, it, &scope, charset);
	if (why != NULL) {
		session_bad(s, why);
		return false;
	}
	if (g->plan.modseq)
		condstore_enable(s);
	s->hold_expunges = g->plan.numbers;
	return true;
}

bool
gather_run(struct gather *g, struct session *s,
    void (*each)(struct session *s, uint32_t seq))
{
	uint64_t end = clock_mono_us() + SLICE_US;
	struct err err;
	uint32_t seq;
	int rc;

	while (g->seq <= s->told_exists) {
		seq = g->seq++;
		rc = matcher_try(&g->matcher, &g->plan, s->folder, seq, &err);
		if (rc < 0)
			session_unreadable(s, "search", folder_uid(s->folder,
			    seq), &err);
		if (rc > 0)
			each(s, seq);
		if (clock_mono_us() > end)
			return false;
	}
	return true;
}
