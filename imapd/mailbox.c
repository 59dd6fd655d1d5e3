/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "mail/utf7.h"
#include "store/special.h"

#define LEVELS_MAX	64

struct mailbox_run {
	char name[FOLDER_NAME_MAX + 1];
	char to[FOLDER_NAME_MAX + 1];
	bool on;
	unsigned uses;			/* special uses asked for (CREATE) */
	bool use_taken;
};

static struct mailbox_run *
run_new(struct session *s)
{
	struct mailbox_run *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, free);
	return r;
}

static void
plain_done(struct session *s)
{
	if (s->job_rc < 0)
		session_failed(s, &s->job_err);
	else
		session_ok(s);
}

/* --- CREATE ------------------------------------------------------------------------ */

/* With the folders above it, as RFC 3501 6.3.3 asks. */
static int
create_with_parents(struct account *a, const char *name, struct err *err)
{
	char above[LEVELS_MAX][FOLDER_NAME_MAX + 1];
	const char *at = name;
	int n = 0, rc;

	while (n < LEVELS_MAX && folder_name_parent(at, above[n]) &&
	    !account_folder_exists(a, above[n])) {
		at = above[n];
		n++;
	}
	while (n-- > 0) {
		rc = account_folder_create(a, above[n], err);
		if (rc < 0 && rc != PS_EEXIST)
			return rc;
	}
	return account_folder_create(a, name, err);
}

/* The use is given first: when that fails there must be no folder (RFC 6154
 * 3), and a use of a folder that is not there counts for nothing. */
static void
create_job(struct session *s)
{
	struct mailbox_run *r = s->run;

	if (r->uses != 0 && !account_folder_exists(s->account, r->name)) {
		s->job_rc = account_special_set(s->account, r->name, r->uses,
		    &s->job_err);
		if (s->job_rc == PS_EEXIST) {
			r->use_taken = true;
			return;
		}
	}
	if (s->job_rc == 0)
		s->job_rc = create_with_parents(s->account, r->name,
		    &s->job_err);
}

static void
create_done(struct session *s)
{
	struct mailbox_run *r = s->run;

	if (r->use_taken)
		session_reply(s, "NO", "[USEATTR] Another mailbox has that "
		    "use");
	else
		plain_done(s);
}

/* "(USE (\Sent \Drafts))" or nothing. False: answered. */
static bool
take_uses(struct session *s, struct arg_iter *it, unsigned *uses)
{
	struct arg_iter params, names;
	enum special_use use;
	struct span word;

	if (arg_at_end(it))
		return true;
	if (!arg_take_list(it, &params) || !arg_take_atom(&params, &word) ||
	    !span_is(word, "USE") || !arg_take_list(&params, &names) ||
	    !arg_at_end(&params)) {
		session_bad(s, "CREATE takes a name and (USE (...))");
		return false;
	}
	while (arg_take_atom(&names, &word)) {
		if (!special_use_find(word, &use)) {
			session_reply(s, "NO", "[USEATTR] No mailbox can "
			    "have that use");
			return false;
		}
		*uses |= 1u << use;
	}
	if (!arg_at_end(&names)) {
		session_bad(s, "Special uses expected");
		return false;
	}
	return true;
}

/* New names are modified UTF-7 in its one form (RFC 3501 5.1.3): two names that
 * look alike are the same. Others may be there from elsewhere. */
static bool
name_is_utf7(struct span name)
{
	struct buf utf8;
	bool ok;

	buf_init(&utf8, BUF_NO_CAP);
	ok = utf7_to_utf8(&utf8, name);
	buf_fini(&utf8);
	return ok;
}

/* "name/" announces that children will come: the name without the slash. */
static bool
take_name_to_make(struct session *s, struct arg_iter *it,
    char out[FOLDER_NAME_MAX + 1])
{
	char sep = *s->conf->imap_hierarchy_separator;
	struct span name;

	if (!arg_take_astring(it, &name)) {
		session_bad(s, "Mailbox name expected");
		return false;
	}
	if (name.n > 1 && name.p[name.n - 1] == sep)
		name.n--;
	if (!name_is_utf7(name)) {
		session_reply(s, "NO", "[CANNOT] The name is not in modified "
		    "UTF-7");
		return false;
	}
	if (!folder_name_to_disk(name, sep, out)) {
		session_reply(s, "NO", "[CANNOT] No mailbox can have that "
		    "name");
		return false;
	}
	if (*out == '\0') {
		session_reply(s, "NO", "[ALREADYEXISTS] INBOX exists");
		return false;
	}
	return true;
}

void
cmd_create(struct session *s, struct arg_iter *it)
{
	struct mailbox_run *r = run_new(s);

	if (take_name_to_make(s, it, r->name) &&
	    take_uses(s, it, &r->uses) && command_end(s, it))
		session_job(s, create_job, create_done);
}

/* --- DELETE ------------------------------------------------------------------------ */

static void
delete_job(struct session *s)
{
	struct mailbox_run *r = s->run;

	s->job_rc = account_folder_delete(s->account, r->name, &s->job_err);
}

static void
delete_done(struct session *s)
{
	struct mailbox_run *r = s->run;

	if (s->job_rc == 0)
		session_changed_folder(s, r->name);
	plain_done(s);
}

static void
delete_start(struct session *s)
{
	session_job(s, delete_job, delete_done);
}

static void
delete_closed(struct session *s)
{
	stream_str(s->stream, "* OK [CLOSED] Selected mailbox closed\r\n");
	delete_start(s);
}

void
cmd_delete(struct session *s, struct arg_iter *it)
{
	struct mailbox_run *r = run_new(s);

	if (!command_folder(s, it, r->name) || !command_end(s, it))
		return;
	if (*r->name == '\0')
		session_reply(s, "NO", "[CANNOT] INBOX stays");
	else if (s->folder != NULL &&
	    strcmp(folder_name(s->folder), r->name) == 0)
		session_unselect(s, delete_closed);
	else
		delete_start(s);
}

/* --- RENAME ------------------------------------------------------------------------ */

static int
move_all(struct folder *f, const char *to, struct err *err)
{
	struct folder_copied copied;
	uint32_t *seqs, n = folder_exists(f), i;
	int rc;

	if (n == 0)
		return 0;
	seqs = xreallocarray(NULL, n, sizeof(*seqs));
	for (i = 0; i < n; i++)
		seqs[i] = i + 1;
	rc = folder_copy(f, seqs, n, to, true, &copied, err);
	if (rc == 0)
		folder_copied_fini(&copied);
	free(seqs);
	return rc;
}

/* INBOX stays and its messages go (RFC 3501 6.3.5). */
static int
rename_inbox(struct account *a, const char *to, struct err *err)
{
	struct folder *f;
	bool more = true;
	int rc;

	rc = create_with_parents(a, to, err);
	if (rc < 0)
		return rc;
	f = folder_open(a, "", false, err);
	if (f == NULL)
		return MIN(err->code, -1);
	rc = move_all(f, to, err);
	while (rc == 0 && more && folder_needs_flush(f))
		rc = folder_flush(f, 1000, &more, err);
	folder_close(&f);
	return rc;
}

static void
rename_job(struct session *s)
{
	struct mailbox_run *r = s->run;
	char parent[FOLDER_NAME_MAX + 1];

	if (*r->name == '\0') {
		s->job_rc = rename_inbox(s->account, r->to, &s->job_err);
		return;
	}
	if (account_folder_exists(s->account, r->name) &&
	    folder_name_parent(r->to, parent) &&
	    !account_folder_exists(s->account, parent)) {
		s->job_rc = create_with_parents(s->account, parent,
		    &s->job_err);
		if (s->job_rc < 0)
			return;
	}
	s->job_rc = account_folder_rename(s->account, r->name, r->to,
	    &s->job_err);
}

static void
rename_done(struct session *s)
{
	struct mailbox_run *r = s->run;

	if (s->job_rc == 0) {
		session_changed_folder(s, r->name);
		session_changed_folder(s, r->to);
		if (s->folder != NULL &&
		    strcmp(folder_name(s->folder), r->name) == 0)
			s->stale = true;
	}
	plain_done(s);
}

void
cmd_rename(struct session *s, struct arg_iter *it)
{
	struct mailbox_run *r = run_new(s);

	if (command_folder(s, it, r->name) &&
	    take_name_to_make(s, it, r->to) && command_end(s, it))
		session_job(s, rename_job, rename_done);
}

/* --- subscriptions ------------------------------------------------------------------- */

static void
subscribe_job(struct session *s)
{
	struct mailbox_run *r = s->run;

	if (r->on && !account_folder_exists(s->account, r->name))
		s->job_rc = err_set(&s->job_err, ERR_PERM, PS_ENOTFOUND,
		    "no folder <%s>", r->name);
	else
		s->job_rc = account_subscribe(s->account, r->name, r->on,
		    &s->job_err);
}

static void
subscribe_common(struct session *s, struct arg_iter *it, bool on)
{
	struct mailbox_run *r = run_new(s);

	r->on = on;
	if (command_folder(s, it, r->name) && command_end(s, it))
		session_job(s, subscribe_job, plain_done);
}

void
cmd_subscribe(struct session *s, struct arg_iter *it)
{
	subscribe_common(s, it, true);
}

void
cmd_unsubscribe(struct session *s, struct arg_iter *it)
{
	subscribe_common(s, it, false);
}
