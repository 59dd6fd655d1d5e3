/*
 * SELECT, EXAMINE and what ends them; CHECK, EXPUNGE.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/seqs.h"
#include "imapd/seqset.h"

/* --- SELECT, EXAMINE ------------------------------------------------------------ */

struct selecting {
	char name[FOLDER_NAME_MAX + 1];
	bool read_only;
	struct folder *folder;
};

static void
selecting_free(void *arg)
{
	struct selecting *r = arg;

	folder_close(&r->folder);
	free(r);
}

static void
select_job(struct session *s)
{
	struct selecting *r = s->run;

	r->folder = folder_open(s->account, r->name, !r->read_only,
	    &s->job_err);
	if (r->folder == NULL)
		s->job_rc = MIN(s->job_err.code, -1);
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
	s->told_exists = folder_exists(f);
	s->told_recent = folder_recent(f);
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
	session_state_set(s, SESSION_SELECTED);
	send_selected(s);
	/* what comes between the opening and this is found by a refresh */
	session_watch(s, true);
	s->stale = true;
	session_reply(s, "OK", "[%s] %s completed", r->read_only ?
	    "READ-ONLY" : "READ-WRITE", s->command->name);
}

static void
select_start(struct session *s)
{
	session_job(s, select_job, select_done);
}

static void
select_common(struct session *s, struct arg_iter *it, bool read_only)
{
	struct selecting *r = xcalloc(1, sizeof(*r));

	r->read_only = read_only;
	session_run_set(s, r, selecting_free);
	if (!command_folder(s, it, r->name) || !command_end(s, it))
		return;
	if (s->state == SESSION_SELECTED)
		session_unselect(s, select_start);
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
	if (folder_has_gone(s->folder))
		session_changed_folder(s, folder_name(s->folder));
	session_ok(s);
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
