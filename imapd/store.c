/*
 * STORE: flags of a set of messages, a bounded number per slice.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/seqs.h"

#define SLICE_MESSAGES	5000

struct store {
	struct seqs seqs;
	size_t at;
	struct flag_list flags;
	struct flag_change change;
	bool resolved;
};

static void
store_free(void *arg)
{
	struct store *r = arg;

	seqs_fini(&r->seqs);
	flag_list_fini(&r->flags);
	free(r);
}

static void
store_job(struct session *s)
{
	struct store *r = s->run;
	size_t n = MIN(r->seqs.n - r->at, (size_t)SLICE_MESSAGES);

	if (!r->resolved) {
		/* what is to be removed may be named by somebody else since */
		if (r->change.op == FLAG_REMOVE && r->flags.n > 0)
			s->job_rc = folder_refresh(s->folder, &s->job_err);
		if (s->job_rc < 0)
			return;
		s->job_rc = flag_list_resolve(&r->flags, s->folder,
		    r->change.op != FLAG_REMOVE, &r->change.flags,
		    &s->job_err);
		r->resolved = true;
	}
	if (s->job_rc == 0 && n > 0)
		s->job_rc = folder_store(s->folder, r->seqs.seq + r->at, n,
		    &r->change, NULL, NULL, &s->job_err);
	r->at += n;
}

static void store_slice(struct session *s);

static void
store_done(struct session *s)
{
	struct store *r = s->run;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	if (r->at < r->seqs.n) {
		session_slice(s, store_slice);
		return;
	}
	if (r->seqs.n > 0)
		session_changed_folder(s, folder_name(s->folder));
	session_ok(s);
}

static void
store_slice(struct session *s)
{
	session_job(s, store_job, store_done);
}

/* "+FLAGS.SILENT" */
static bool
operation_parse(struct flag_change *c, struct span word)
{
	c->op = FLAG_SET;
	if (word.n > 0 && (*word.p == '+' || *word.p == '-')) {
		c->op = *word.p == '+' ? FLAG_ADD : FLAG_REMOVE;
		word = span_sub(word, 1, word.n);
	}
	c->silent = span_is(word, "FLAGS.SILENT");
	c->unchanged_since = UINT64_MAX;
	return c->silent || span_is(word, "FLAGS");
}

void
cmd_store(struct session *s, struct arg_iter *it)
{
	struct store *r = xcalloc(1, sizeof(*r));
	struct span word;
	const char *why;

	session_run_set(s, r, store_free);
	if (!seqs_read(s, it, &r->seqs))
		return;
	if (!arg_take_atom(it, &word) || !operation_parse(&r->change, word)) {
		session_bad(s, "FLAGS, +FLAGS or -FLAGS expected");
		return;
	}
	why = flag_list_take(&r->flags, it, true);
	if (why != NULL) {
		session_bad(s, why);
		return;
	}
	if (!command_end(s, it))
		return;
	if (s->read_only)
		session_reply(s, "NO", "[CANNOT] Mailbox is read-only");
	else
		store_slice(s);
}
