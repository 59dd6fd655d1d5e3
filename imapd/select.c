/*
 * SELECT, EXAMINE and what ends them; CHECK, EXPUNGE.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/flags.h"
#include "imapd/resync.h"
#include "imapd/seqs.h"
#include "imapd/seqset.h"

/* --- SELECT, EXAMINE ------------------------------------------------------------ */

struct selecting {
	char name[FOLDER_NAME_MAX + 1];
	bool impossible;		/* no mailbox has that name */
	bool read_only, condstore;
	struct resync resync;
	struct folder *folder;
};

static void
selecting_free(void *arg)
{
	struct selecting *r = arg;

	folder_close(&r->folder);
	resync_fini(&r->resync);
	free(r);
}

static void
select_job(struct session *s)
{
	struct selecting *r = s->run;

	r->folder = folder_open_outline(s->account, r->name, !r->read_only,
	    &s->job_err);
	if (r->folder == NULL)
		s->job_rc = MIN(s->job_err.code, -1);
	else if (r->resync.wanted)
		s->job_rc = folder_load(r->folder, &s->job_err);
}

static void
send_selected(struct session *s)
{
	struct folder *f = s->folder;
	struct buf *out;

	flags_tell(s);
	out = session_out(s);
	buf_fmt(out, "* %u EXISTS\r\n* %u RECENT\r\n", folder_exists(f),
	    folder_recent(f));
	if (folder_first_unseen(f) > 0)
		buf_fmt(out, "* OK [UNSEEN %u] First unseen\r\n",
		    folder_first_unseen(f));
	buf_fmt(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n"
	    "* OK [UIDNEXT %u] Predicted next UID\r\n",
	    folder_uidvalidity(f), folder_uidnext(f));
	buf_fmt(out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
	    (unsigned long long)folder_told_modseq(f));
	s->told_exists = folder_exists(f);
	s->told_recent = folder_recent(f);
}

static void resync_slice(struct session *s);

static void
selected_ok(struct session *s)
{
	struct selecting *r = s->run;

	session_reply(s, "OK", "[%s] %s completed", r->read_only ?
	    "READ-ONLY" : "READ-WRITE", s->command->name);
}

static void
resync_job(struct session *s)
{
	struct selecting *r = s->run;

	s->job_rc = resync_step(s, &r->resync, &s->job_err);
}

/* It is selected; what cannot be said of the past makes it no less so, but a
 * client that asked must not think that nothing happened. */
static void
resync_done(struct session *s)
{
	if (s->job_rc < 0) {
		log_error("%s: resync user=<%s> folder=<%s>: %s", s->id,
		    s->user, folder_name(s->folder), s->job_err.why);
		session_bye(s, "[SERVERBUG] Mailbox cannot be resynchronised");
		return;
	}
	session_send_out(s);
	if (s->job_rc > 0)
		session_slice(s, resync_slice);
	else
		selected_ok(s);
}

static void
resync_slice(struct session *s)
{
	session_job(s, resync_job, resync_done);
}

static void
select_done(struct session *s)
{
	struct selecting *r = s->run;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	s->folder = r->folder;
	r->folder = NULL;
	s->read_only = r->read_only;
	s->stale = false;
	if (r->condstore)
		condstore_enable(s);
	session_state_set(s, SESSION_SELECTED);
	send_selected(s);
	/* what comes between the opening and this is found by a refresh */
	session_watch(s, true);
	s->stale = true;
	/* of another UIDVALIDITY the client knows nothing (RFC 7162 3.2.5) */
	if (r->resync.wanted &&
	    r->resync.uidvalidity == folder_uidvalidity(s->folder))
		resync_slice(s);
	else
		selected_ok(s);
}

static bool
select_warm(struct session *s)
{
	struct selecting *r = s->run;

	if (!r->resync.wanted)
		r->folder = folder_open_warm(s->account, r->name,
		    !r->read_only);
	return r->folder != NULL;
}

static void
select_start(struct session *s)
{
	struct selecting *r = s->run;

	if (r->impossible)
		session_reply(s, "NO", "[NONEXISTENT] No such mailbox");
	else
		session_job_warm(s, select_warm, select_job, select_done);
}

/* What was said before this was about the other mailbox (RFC 7162 3.2.11). */
static void
select_closed(struct session *s)
{
	stream_str(s->stream, "* OK [CLOSED] Previous mailbox closed\r\n");
	select_start(s);
}

/* "(CONDSTORE)", "(QRESYNC (...))"; NULL when fine. */
static const char *
parameters_take(struct session *s, struct selecting *r, struct arg_iter *it)
{
	struct arg_iter members;
	const char *why = NULL;
	struct span word;

	if (arg_at_end(it))
		return NULL;
	if (!arg_take_list(it, &members) || arg_at_end(&members))
		return "List of parameters expected";
	while (why == NULL && !arg_at_end(&members)) {
		if (!arg_take_atom(&members, &word))
			why = "Parameter expected";
		else if (span_is(word, "CONDSTORE"))
			r->condstore = true;
		else if (!span_is(word, "QRESYNC") || r->resync.wanted)
			why = "Unknown parameter";
		else if (!qresync_on(s))
			why = "ENABLE QRESYNC first";
		else
			why = resync_take(&r->resync, &members);
	}
	return why;
}

static void
select_common(struct session *s, struct arg_iter *it, bool read_only)
{
	struct selecting *r = xcalloc(1, sizeof(*r));
	struct span name;
	const char *why;

	r->read_only = read_only;
	session_run_set(s, r, selecting_free);
	if (!arg_take_astring(it, &name)) {
		session_bad(s, "Mailbox name expected");
		return;
	}
	/* a SELECT that fails leaves none selected (RFC 3501 6.3.1) */
	r->impossible = !folder_name_to_disk(name,
	    *s->conf->imap_hierarchy_separator, r->name);
	why = parameters_take(s, r, it);
	if (why != NULL) {
		session_bad(s, why);
		return;
	}
	if (!command_end(s, it))
		return;
	if (s->state == SESSION_SELECTED)
		session_unselect(s, select_closed);
	else
		select_start(s);
}

void
cmd_select(struct session *s, struct arg_iter *it)
{
	select_common(s, it, false);
}

void
cmd_examine(struct session *s, struct arg_iter *it)
{
	select_common(s, it, true);
}

/* --- CLOSE, UNSELECT, CHECK ------------------------------------------------------ */

void
cmd_unselect(struct session *s, struct arg_iter *it)
{
	if (command_end(s, it))
		session_unselect(s, session_ok);
}

static void
close_job(struct session *s)
{
	s->job_rc = folder_expunge(s->folder, NULL, 0, &s->job_err);
}

static void
close_done(struct session *s)
{
	if (s->job_rc < 0)
		log_error("%s: user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
	else if (folder_has_gone(s->folder))
		session_changed_folder(s, folder_name(s->folder));
	session_unselect(s, session_ok);
}

void
cmd_close(struct session *s, struct arg_iter *it)
{
	if (!command_end(s, it))
		return;
	if (s->read_only)
		session_unselect(s, session_ok);
	else
		session_job(s, close_job, close_done);
}

static void
check_job(struct session *s)
{
	bool more = true;

	while (more && s->job_rc == 0)
		s->job_rc = folder_flush(s->folder, 1000, &more, &s->job_err);
}

static void
check_done(struct session *s)
{
	if (s->job_rc < 0)
		session_failed(s, &s->job_err);
	else
		session_ok(s);
}

void
cmd_check(struct session *s, struct arg_iter *it)
{
	if (command_end(s, it))
		session_job(s, check_job, check_done);
}

/* --- EXPUNGE ---------------------------------------------------------------------- */

static void
expunge_job(struct session *s)
{
	struct seqs *r = s->run;
	struct folder_msg m;
	size_t i, n = 0;

	if (r == NULL) {
		s->job_rc = folder_expunge(s->folder, NULL, 0, &s->job_err);
		return;
	}
	/* UID EXPUNGE: of the set, those that have \Deleted (RFC 4315), as
	 * it is now and not as this session was last told */
	s->job_rc = folder_refresh(s->folder, &s->job_err);
	if (s->job_rc < 0)
		return;
	for (i = 0; i < r->n; i++)
		if (folder_msg(s->folder, r->seq[i], &m) &&
		    (m.flags & MSG_DELETED))
			r->seq[n++] = r->seq[i];
	r->n = n;
	if (n > 0)
		s->job_rc = folder_expunge(s->folder, r->seq, n,
		    &s->job_err);
}

static void
expunge_done(struct session *s)
{
	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	if (!folder_has_gone(s->folder)) {
		session_ok(s);
		return;
	}
	session_changed_folder(s, folder_name(s->folder));
	condstore_expunged_ok(s);
}

void
cmd_expunge(struct session *s, struct arg_iter *it)
{
	if (s->uid && !seqs_take(s, it))
		return;
	if (!command_end(s, it))
		return;
	if (s->read_only)
		session_reply(s, "NO", "[CANNOT] Mailbox is read-only");
	else
		session_job(s, expunge_job, expunge_done);
}
