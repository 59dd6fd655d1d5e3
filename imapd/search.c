/*
 * SEARCH, in slices of a few milliseconds.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/search_match.h"

#define SLICE_US	10000
#define CHECK_EVERY	64		/* messages between looks at the clock */

struct search {
	struct search_plan plan;
	struct matcher matcher;
	uint32_t seq;			/* next to try */
	struct buf found;		/* " 2 84 882" */
};

static void
search_free(void *arg)
{
	struct search *r = arg;

	search_plan_fini(&r->plan);
	matcher_fini(&r->matcher);
	buf_fini(&r->found);
	free(r);
}

static void
try_one(struct session *s, struct search *r, uint32_t seq)
{
	int rc;

	rc = matcher_try(&r->matcher, &r->plan, s->folder, seq, &s->job_err);
	if (rc < 0)
		log_warning("%s: search user=<%s> folder=<%s> uid=%u: %s",
		    s->id, s->user, folder_name(s->folder),
		    folder_uid(s->folder, seq), s->job_err.why);
	if (rc <= 0)
		return;
	buf_char(&r->found, ' ');
	buf_dec(&r->found, s->uid ? folder_uid(s->folder, seq) : seq);
}

static void
search_job(struct session *s)
{
	struct search *r = s->run;
	uint64_t end = clock_mono_us() + SLICE_US;
	bool files = r->plan.key[r->plan.root].cost > COST_MEMORY;

	while (r->seq <= folder_exists(s->folder)) {
		try_one(s, r, r->seq++);
		if ((files || r->seq % CHECK_EVERY == 0) &&
		    clock_mono_us() > end)
			return;
	}
}

static void search_slice(struct session *s);

static void
search_done(struct session *s)
{
	struct search *r = s->run;
	struct buf *out;

	if (r->seq <= folder_exists(s->folder)) {
		session_slice(s, search_slice);
		return;
	}
	out = session_out(s);
	buf_str(out, "* SEARCH");
	buf_span_add(out, buf_span(&r->found));
	buf_str(out, "\r\n");
	session_ok(s);
}

static void
search_slice(struct session *s)
{
	session_job(s, search_job, search_done);
}

void
cmd_search(struct session *s, struct arg_iter *it)
{
	struct search *r = xcalloc(1, sizeof(*r));
	const char *why;

	matcher_init(&r->matcher);
	buf_init(&r->found, BUF_NO_CAP);
	r->seq = 1;
	session_run_set(s, r, search_free);
	why = search_plan_take(&r->plan, it, s->folder);
	if (r->plan.bad_charset)
		session_reply(s, "NO", "[BADCHARSET (US-ASCII UTF-8)] %s",
		    why);
	else if (why != NULL)
		session_bad(s, why);
	else
		search_slice(s);
}
