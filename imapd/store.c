/*
 * STORE: flags of a set of messages, a bounded number per slice.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/flags.h"
#include "imapd/seqs.h"

#define SLICE_MESSAGES	5000

struct store {
	struct seqs seqs;
	size_t at;
	struct flag_list flags;
	struct flag_change change;
	bool resolved;
	uint32_t *failed;		/* room for all; NULL: unconditional */
	size_t n_failed;
};

static void
store_free(void *arg)
{
	struct store *r = arg;

	seqs_fini(&r->seqs);
	flag_list_fini(&r->flags);
	free(r->failed);
	free(r);
}

static void
store_job(struct session *s)
{
	struct store *r = s->run;
	size_t n = MIN(r->seqs.n - r->at, (size_t)SLICE_MESSAGES);
	size_t failed = 0;

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
		    &r->change, r->failed == NULL ? NULL :
		    r->failed + r->n_failed, &failed, &s->job_err);
	r->at += n;
	r->n_failed += failed;
}

static void store_slice(struct session *s);

/* The messages that had changed since (RFC 7162 3.1.3). */
static void
reply_modified(struct session *s, struct store *r)
{
	struct buf set;
	size_t i;

	for (i = 0; s->uid && i < r->n_failed; i++)
		r->failed[i] = folder_uid(s->folder, r->failed[i]);
	buf_init(&set, BUF_NO_CAP);
	seqset_put(&set, r->failed, r->n_failed);
	session_reply(s, "OK", "[MODIFIED %s] Conditional STORE failed",
	    buf_cstr(&set));
	buf_fini(&set);
}

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
	if (r->n_failed > 0)
		reply_modified(s, r);
	else
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
	return c->silent || span_is(word, "FLAGS");
}

/* "(UNCHANGEDSINCE n)" */
static bool
modifier_take(struct session *s, struct store *r, struct arg_iter *it)
{
	struct arg_iter members;
	struct span word;

	r->change.unchanged_since = UINT64_MAX;
	if (!arg_take_list(it, &members))
		return true;
	r->failed = xcalloc(r->seqs.n + 1, sizeof(*r->failed));
	return arg_take_atom(&members, &word) &&
	    span_is(word, "UNCHANGEDSINCE") &&
	    arg_take_modseq(&members, true, &r->change.unchanged_since) &&
	    arg_at_end(&members);
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
	if (!modifier_take(s, r, it)) {
		session_bad(s, "Bad STORE modifier");
		return;
	}
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
	if (r->failed != NULL)
		condstore_enable(s);
	r->change.stamp = condstore_on(s);
	if (s->read_only)
		session_reply(s, "NO", "[CANNOT] Mailbox is read-only");
	else
		store_slice(s);
}
