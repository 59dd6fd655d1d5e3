#include "imapd/quota.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "mail/imap_text.h"

/* An account with limits has one quota root; RFC 9208 4.2.2 lets its name be
 * anything, and "" is what needs no guess. */
#define ROOT		""
#define STORAGE_UNIT	1024		/* RFC 9208 5.1 */

static bool
fits(uint64_t used, uint64_t more, uint64_t limit)
{
	return limit == 0 || (used <= limit && more <= limit - used);
}

bool
quota_has_room(struct session *s, uint64_t messages, uint64_t bytes)
{
	struct err err = { 0 };
	struct usage u;

	if (s->quota_bytes == 0 && s->quota_messages == 0)
		return true;
	if (account_usage(s->account, &u, &err) < 0) {
		log_warning("%s: usage of user=<%s>: %s", s->id, s->user,
		    err.why);
		return true;
	}
	return fits(u.bytes, bytes, s->quota_bytes) &&
	    fits(u.messages, messages, s->quota_messages);
}

/* --- GETQUOTA, GETQUOTAROOT, SETQUOTA --------------------------------------- */

struct quota_run {
	char name[FOLDER_NAME_MAX + 1];
	bool of_folder;			/* GETQUOTAROOT */
	struct usage usage;
};

static bool
has_root(const struct session *s)
{
	return s->quota_bytes > 0 || s->quota_messages > 0;
}

static void
quota_job(struct session *s)
{
	struct quota_run *r = s->run;

	if (r->of_folder && !account_folder_exists(s->account, r->name))
		s->job_rc = err_set(&s->job_err, ERR_PERM, PS_ENOTFOUND,
		    "no folder <%s>", r->name);
	else if (has_root(s))
		s->job_rc = account_usage(s->account, &r->usage,
		    &s->job_err);
}

/* "* QUOTA "" (STORAGE 10 512 MESSAGE 3 100)"; only what has a limit. A part
 * of a unit counts as used, and does not count as allowed. */
static void
put_quota(struct buf *out, const struct session *s, const struct usage *u)
{
	buf_str(out, "* QUOTA \"" ROOT "\" (");
	if (s->quota_bytes > 0)
		buf_fmt(out, "STORAGE %llu %llu",
		    (unsigned long long)(u->bytes / STORAGE_UNIT +
		    (u->bytes % STORAGE_UNIT != 0)),
		    (unsigned long long)(s->quota_bytes / STORAGE_UNIT));
	if (s->quota_messages > 0)
		buf_fmt(out, "%sMESSAGE %llu %llu",
		    s->quota_bytes > 0 ? " " : "",
		    (unsigned long long)u->messages,
		    (unsigned long long)s->quota_messages);
	buf_str(out, ")\r\n");
}

static void
quota_done(struct session *s)
{
	struct quota_run *r = s->run;
	struct buf *out, wire;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	out = session_out(s);
	if (r->of_folder) {
		buf_init(&wire, 4096);
		folder_name_to_wire(r->name,
		    *s->conf->imap_hierarchy_separator, &wire);
		buf_str(out, "* QUOTAROOT ");
		imap_text_astring(out, buf_span(&wire));
		buf_str(out, has_root(s) ? " \"" ROOT "\"\r\n" : "\r\n");
		buf_fini(&wire);
	}
	if (has_root(s))
		put_quota(out, s, &r->usage);
	session_ok(s);
}

static bool
take_root(struct session *s, struct arg_iter *it)
{
	struct span root;

	if (!arg_take_astring(it, &root)) {
		session_bad(s, "Quota root expected");
		return false;
	}
	if (has_root(s) && span_is(root, ROOT))
		return true;
	session_reply(s, "NO", "[NONEXISTENT] No such quota root");
	return false;
}

void
cmd_getquota(struct session *s, struct arg_iter *it)
{
	struct quota_run *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, free);
	if (take_root(s, it) && command_end(s, it))
		session_job(s, quota_job, quota_done);
}

void
cmd_getquotaroot(struct session *s, struct arg_iter *it)
{
	struct quota_run *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, free);
	r->of_folder = true;
	if (command_folder(s, it, r->name) && command_end(s, it))
		session_job(s, quota_job, quota_done);
}

/* Limits are the administrator's. */
void
cmd_setquota(struct session *s, struct arg_iter *it)
{
	struct arg_iter limits;
	struct span root;

	if (!arg_take_astring(it, &root) || !arg_take_list(it, &limits))
		session_bad(s, "Quota root and a list of limits expected");
	else if (command_end(s, it))
		session_reply(s, "NO", "[NOPERM] Limits are set by the "
		    "administrator");
}
