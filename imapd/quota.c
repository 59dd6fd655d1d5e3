#include "imapd/quota.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/quota.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "mail/imap_text.h"
#include "proto/proto.h"

/* RFC 9208 4.2.2 lets the name of a quota root be anything: the mailbox's is
 * "", which needs no guess; those of pools say whose they are. */
static const char *const root_prefix[] = {
	[QUOTA_MAILBOX] = "",
	[QUOTA_DOMAIN] = "domain:",
	[QUOTA_ORGANISATION] = "organisation:",
};
#define ROOTS_MAX	3
#define ROOT_NAME_MAX	1024
#define STORAGE_UNIT	1024		/* RFC 9208 5.1 */

/* --- asking deliver --------------------------------------------------------- */

static void room_late_cb(void *arg);

void
quota_init(struct session *s)
{
	timer_init(&s->room.timer, s->server->loop, room_late_cb, s);
}

static uint64_t
login_limit_bytes(const struct session *s)
{
	return quota_limit_bytes(s->conf, s->quota_bytes);
}

/* In a thread, when deliver cannot be asked. */
static void
room_job(struct session *s)
{
	struct room *r = &s->room;
	struct err err = { 0 };
	struct usage u;

	r->fits = true;
	if (account_usage(s->account, &u, &err) < 0)
		log_warning("%s: usage of user=<%s>: %s", s->id, s->user,
		    err.why);
	else
		r->fits = !quota_over(login_limit_bytes(s), u.bytes,
		    r->bytes) &&
		    !quota_over(s->quota_messages, u.messages, r->messages);
}

static void roots_job(struct session *s);

static void
ask_ourselves(struct session *s)
{
	session_job(s, s->room.roots ? roots_job : room_job, s->room.done);
}

/* Begins to wait; false: there is nobody to ask. */
static bool
ask_begin(struct session *s, struct ipc **c)
{
	struct room *r = &s->room;

	*c = server_account_deliver(s->server, s->mailbox_id);
	if (*c == NULL) {
		ask_ourselves(s);
		return false;
	}
	r->asked = ipc_next_id();
	server_await(s->server, r->asked, s);
	timer_set_ms(&r->timer, 10 * (uint64_t)s->conf->quota_timeout);
	session_await(s, r->done);
	return true;
}

void
quota_ask_room(struct session *s, uint64_t messages, uint64_t bytes,
    void (*done)(struct session *s))
{
	struct room *r = &s->room;
	struct ipc *c;

	quota_release(s);
	r->messages = messages;
	r->bytes = bytes;
	r->done = done;
	r->roots = false;
	if (ask_begin(s, &c))
		PROTO_SEND(c, r->asked, QUOTA_ASK, quota_ask,
		    .mailbox_id = s->mailbox_id, .bytes = bytes,
		    .messages = messages, .limit_bytes = s->quota_bytes,
		    .limit_messages = s->quota_messages, .pooled = 1);
}

/* Also of what is not answered yet: deliver then drops the question. */
static void
settle(struct session *s, uint64_t id)
{
	struct ipc *c = server_account_deliver(s->server, s->mailbox_id);

	if (c != NULL)
		PROTO_SEND(c, id, QUOTA_SETTLE, quota_settle, .bytes = 0);
}

void
quota_release(struct session *s)
{
	if (s->room.held != 0)
		settle(s, s->room.held);
	s->room.held = 0;
}

void
quota_answered(struct session *s, bool fits)
{
	struct room *r = &s->room;

	timer_clear(&r->timer);
	r->fits = fits;
	r->held = fits ? r->asked : 0;
	r->asked = 0;
	session_awaited(s);
}

void
quota_deliver_lost(struct session *s)
{
	timer_clear(&s->room.timer);
	if (s->room.asked == 0)
		return;
	server_forget(s->server, s->room.asked);
	settle(s, s->room.asked);
	s->room.asked = 0;
	log_warning("%s: deliver does not say how full user=<%s> is", s->id,
	    s->user);
	s->job_done = ask_ourselves;
	session_awaited(s);
}

static void
room_late_cb(void *arg)
{
	quota_deliver_lost(OBJ_CAST(arg, session, SESSION_MAGIC));
}

/* --- GETQUOTA, GETQUOTAROOT, SETQUOTA --------------------------------------- */

struct root {
	char name[ROOT_NAME_MAX];
	struct usage limit, used;
};

struct quota_run {
	char folder[FOLDER_NAME_MAX + 1];
	bool of_folder;			/* GETQUOTAROOT */
	char *wanted;			/* GETQUOTA */
	struct root root[ROOTS_MAX];
	size_t n;
};

static void
run_free(void *arg)
{
	struct quota_run *r = arg;

	free(r->wanted);
	free(r);
}

static void
root_add(struct quota_run *r, unsigned kind, struct span name,
    const struct usage *limit, const struct usage *used)
{
	struct root *root = &r->root[r->n];

	if (r->n == ROOTS_MAX || kind >= ARRAY_LEN(root_prefix) ||
	    (limit->bytes == 0 && limit->messages == 0))
		return;
	(void)snprintf(root->name, sizeof(root->name), "%s%.*s",
	    root_prefix[kind], SPAN_ARG(name));
	root->limit = *limit;
	root->used = *used;
	r->n++;
}

static void
roots_job(struct session *s)
{
	struct usage limit = { login_limit_bytes(s), s->quota_messages };
	struct usage used = { 0, 0 };

	s->job_rc = account_usage(s->account, &used, &s->job_err);
	root_add(s->run, QUOTA_MAILBOX, SPAN_LIT(""), &limit, &used);
}

void
quota_told(struct session *s, struct span roots)
{
	struct entry_quota_root e;

	timer_clear(&s->room.timer);
	s->room.asked = 0;
	while (entry_quota_root_next(&roots, &e))
		root_add(s->run, e.kind, e.name,
		    &(struct usage){ e.limit_bytes, e.limit_messages },
		    &(struct usage){ e.bytes, e.messages });
	session_awaited(s);
}

/* "* QUOTA "" (STORAGE 10 512 MESSAGE 3 100)"; only what has a limit. A part
 * of a unit counts as used, and does not count as allowed. */
static void
put_quota(struct buf *out, const struct root *r)
{
	buf_str(out, "* QUOTA ");
	imap_text_astring(out, span_str(r->name));
	buf_str(out, " (");
	if (r->limit.bytes > 0)
		buf_fmt(out, "STORAGE %llu %llu",
		    (unsigned long long)(r->used.bytes / STORAGE_UNIT +
		    (r->used.bytes % STORAGE_UNIT != 0)),
		    (unsigned long long)(r->limit.bytes / STORAGE_UNIT));
	if (r->limit.messages > 0)
		buf_fmt(out, "%sMESSAGE %llu %llu",
		    r->limit.bytes > 0 ? " " : "",
		    (unsigned long long)r->used.messages,
		    (unsigned long long)r->limit.messages);
	buf_str(out, ")\r\n");
}

/* "* QUOTAROOT INBOX "" domain:a.example" */
static void
put_roots(struct buf *out, const struct session *s,
    const struct quota_run *r)
{
	struct buf wire;
	size_t i;

	buf_init(&wire, 4096);
	folder_name_to_wire(r->folder, *s->conf->imap_hierarchy_separator,
	    &wire);
	buf_str(out, "* QUOTAROOT ");
	imap_text_astring(out, buf_span(&wire));
	buf_fini(&wire);
	for (i = 0; i < r->n; i++) {
		buf_char(out, ' ');
		imap_text_astring(out, span_str(r->root[i].name));
	}
	buf_str(out, "\r\n");
}

static void
quota_done(struct session *s)
{
	struct quota_run *r = s->run;
	struct buf *out = session_out(s);
	size_t i, n = 0;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	if (r->of_folder)
		put_roots(out, s, r);
	for (i = 0; i < r->n; i++)
		if (r->wanted == NULL ||
		    strcmp(r->wanted, r->root[i].name) == 0) {
			put_quota(out, &r->root[i]);
			n++;
		}
	if (r->wanted != NULL && n == 0)
		session_reply(s, "NO", "[NONEXISTENT] No such quota root");
	else
		session_ok(s);
}

static void
ask_roots(struct session *s)
{
	struct ipc *c;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	s->room.done = quota_done;
	s->room.roots = true;
	if (ask_begin(s, &c))
		PROTO_SEND(c, s->room.asked, QUOTA_ROOTS_ASK,
		    quota_roots_ask, .mailbox_id = s->mailbox_id,
		    .limit_bytes = s->quota_bytes,
		    .limit_messages = s->quota_messages);
}

static void
exists_job(struct session *s)
{
	const struct quota_run *r = s->run;

	if (!account_folder_exists(s->account, r->folder))
		s->job_rc = err_set(&s->job_err, ERR_PERM, PS_ENOTFOUND,
		    "no folder <%s>", r->folder);
}

void
cmd_getquota(struct session *s, struct arg_iter *it)
{
	struct quota_run *r = xcalloc(1, sizeof(*r));
	struct span root;

	session_run_set(s, r, run_free);
	if (!arg_take_astring(it, &root)) {
		session_bad(s, "Quota root expected");
		return;
	}
	r->wanted = xmemdup0(root.p, root.n);
	if (command_end(s, it)) {
		s->job_rc = 0;
		ask_roots(s);
	}
}

void
cmd_getquotaroot(struct session *s, struct arg_iter *it)
{
	struct quota_run *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, run_free);
	r->of_folder = true;
	if (command_folder(s, it, r->folder) && command_end(s, it))
		session_job(s, exists_job, ask_roots);
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
