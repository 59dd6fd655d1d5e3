#include "imapd/session.h"

#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/guests.h"
#include "imapd/quota.h"

#define BYE_LIMIT_MS		5000
#define FLUSH_FILES		1000	/* at a time, when a folder is left */

/* --- the clock ------------------------------------------------------------ */

void
session_touch(struct session *s)
{
	live_touch(s->server->live, &s->live);
	timer_set_ms(&s->idle_timer, (uint64_t)(s->state == SESSION_GREETED ?
	    s->conf->imap_login_timeout : s->conf->imap_idle_timeout));
}

static void
idle_timer_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	session_bye(s, s->state == SESSION_GREETED ?
	    "Too slow to log in" : "Autologout; idle for too long");
}

/* --- life ------------------------------------------------------------------ */

/* Does some of the lazy work of a folder that is left, and closes it when that
 * was all: other sessions of the mailbox may come in between. */
static void
folder_leave(struct session *s)
{
	bool more = false;

	if (s->folder != NULL && folder_needs_flush(s->folder) &&
	    folder_flush(s->folder, FLUSH_FILES, &more, &s->job_err) < 0) {
		log_warning("%s: flush user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
		more = false;
	}
	if (!more)
		folder_close(&s->folder);
}

void
session_watch(struct session *s, bool on)
{
	if (s->watching == on)
		return;
	s->watching = on;
	server_watch(s->server, s->mailbox_id, on);
}

static bool
leave_warm(struct session *s)
{
	if (folder_needs_flush(s->folder))
		return false;
	folder_close(&s->folder);
	return true;
}

static void
unselect_done(struct session *s)
{
	if (s->folder != NULL)
		session_job(s, folder_leave, unselect_done);
	else
		s->unselected(s);
}

void
session_unselect(struct session *s, void (*done)(struct session *))
{
	timer_clear(&s->lazy_timer);
	session_watch(s, false);
	s->stale = false;
	s->read_only = false;
	s->modseq_lowered = false;
	s->n_unreadable = 0;
	seqset_fini(&s->saved);
	session_state_set(s, SESSION_AUTHENTICATED);
	s->unselected = done;
	session_job_warm(s, leave_warm, folder_leave, unselect_done);
}

static void
goodbye_job(struct session *s)
{
	if (s->abandon != NULL)
		s->abandon(s);
	s->abandon = NULL;
	folder_leave(s);
	/* else session_teardown comes again */
	if (s->folder == NULL)
		account_close(&s->account);
}

static void
session_free(struct session *s)
{
	struct server *v = s->server;

	if (s->run != NULL)
		s->run_free(s->run);
	quota_release(s);
	timer_clear(&s->room.timer);
	timer_clear(&s->idle_timer);
	timer_clear(&s->lazy_timer);
	timer_clear(&s->look_timer);
	watch_end(&s->watch);
	defer_cancel(&s->next);
	reader_fini(&s->reader);
	args_fini(&s->args);
	seqset_fini(&s->saved);
	buf_fini(&s->reply);
	buf_fini(&s->out);
	stream_free(&s->stream);
	conf_unref(&s->conf);
	free(s->user);
	free(s->appended);
	secret_free(&s->ticket);
	server_left(v, s);
	if (s->counted)
		server_account_closed(v, s->mailbox_id);
	s->magic = 0;
	server_leave(v, s);
	free(s);
}

void
session_teardown(struct session *s)
{
	if (s->account != NULL) {
		session_job(s, goodbye_job, NULL);
		return;
	}
	session_free(s);
}

static void
teardown_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (!s->busy)
		session_teardown(s);
}

void
session_close(struct session *s)
{
	if (s->closing)
		return;
	s->closing = true;
	guests_leave(s->server->guests, s);
	session_watch(s, false);
	login_abandon(s);
	timer_clear(&s->idle_timer);
	timer_clear(&s->lazy_timer);
	if (s->user != NULL)
		log_info("%s logout user=<%s>", s->id, s->user);
	if (s->bye)
		stream_finish(&s->stream, BYE_LIMIT_MS);
	else
		stream_free(&s->stream);
	/* the caller may still look at the session */
	defer_cancel(&s->next);
	defer_init(&s->next, s->server->loop, teardown_cb, s);
	if (!s->busy)
		defer_call(&s->next);
}

void
session_bye(struct session *s, const char *text)
{
	if (s->closing)
		return;
	if (s->greeted)
		stream_fmt(s->stream, "* BYE %s\r\n", text);
	s->bye = true;
	session_close(s);
}

void
session_state_set(struct session *s, enum session_state state)
{
	log_debug("%s: state %d -> %d", s->id, s->state, state);
	s->state = state;
	if (state != SESSION_GREETED)
		guests_leave(s->server->guests, s);
	reader_limit(&s->reader, state == SESSION_GREETED ?
	    SESSION_LINE_BEFORE_LOGIN : (size_t)s->conf->imap_line_limit);
}

/* --- changes by others ------------------------------------------------------- */

void
session_folder_changed(struct session *s, struct span folder)
{
	/* the name is constant while a job runs, but the folder may not be
	 * there yet: then SELECT reads what is new anyway */
	if (s->closing || s->state != SESSION_SELECTED || s->folder == NULL)
		return;
	if (!span_eq(folder, span_str(folder_name(s->folder))))
		return;
	s->stale = true;
	if (s->idling && !s->busy)
		idle_wake(s);
}

void
session_changed_folder(struct session *s, const char *folder)
{
	server_changed(s->server, s, s->mailbox_id, folder);
}

/* --- the stream's callbacks --------------------------------------------------- */

static void
readable_cb(struct stream *st, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (s->command == NULL || s->input != NULL)
		session_touch(s);
	if (s->input != NULL && !s->busy)
		s->input(s);
	else
		session_input(s);
}

static void
drained_cb(struct stream *st, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	session_touch(s);
	if (!s->want_room)
		return;
	s->want_room = false;
	defer_call(&s->next);
	session_room(s);
}

static void
greet(struct session *s)
{
	struct buf *out = session_out(s);

	s->greeted = true;
	buf_str(out, "* OK [CAPABILITY ");
	capability_put(s, out);
	buf_fmt(out, "] %s %s ready\r\n", s->conf->myhostname,
	    s->conf->mail_name);
}

static void
secured_cb(struct stream *st, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (!s->greeted)
		greet(s);
}

static void
ended_cb(struct stream *st, enum stream_end end, const char *text, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (end != STREAM_EOF)
		log_info("%s: lost connection from [%s]: %s", s->id, s->ip,
		    text);
	session_close(s);
}

static const struct stream_cbs stream_cbs = {
	readable_cb, drained_cb, secured_cb, ended_cb
};

/* The peer's address, and its network as deliver counts sessions: an IPv4
 * address, or the /64 that an IPv6 host has all of. */
static void
peer_take(struct session *s, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const char *addr;

	memcpy(s->ip, "unknown", 8);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
		return;
	if (ss.ss_family == AF_INET) {
		addr = (char *)&((struct sockaddr_in *)&ss)->sin_addr;
		s->client_n = 4;
		memcpy(s->client, addr, 4);
	} else if (ss.ss_family == AF_INET6) {
		const struct in6_addr *a6 =
		    &((struct sockaddr_in6 *)&ss)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(a6);

		addr = (const char *)a6;
		s->client_n = mapped ? 4 : 8;
		memcpy(s->client, mapped ? addr + 12 : addr, s->client_n);
	} else {
		return;
	}
	if (inet_ntop(ss.ss_family, addr, s->ip, sizeof(s->ip)) == NULL)
		memcpy(s->ip, "unknown", 8);
}

void
session_new(struct server *v, int fd, const char *section)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->magic = SESSION_MAGIC;
	s->server = v;
	s->conf = conf_ref(v->conf);
	s->listener = conf_section(s->conf, "service", section);
	if (s->listener == NULL)
		s->listener = s->conf;
	if (!queueid_session(&v->ids, s->id)) {
		log_error("session ids are used up: restart imapd");
		memcpy(s->id, "0000000000", SESSION_ID_LEN + 1);
	}
	peer_take(s, fd);
	s->state = SESSION_GREETED;
	reader_init(&s->reader, SESSION_LINE_BEFORE_LOGIN);
	args_init(&s->args);
	buf_init(&s->reply, 8192);
	buf_init(&s->out, BUF_NO_CAP);
	timer_init(&s->idle_timer, v->loop, idle_timer_cb, s);
	timer_init(&s->lazy_timer, v->loop, session_lazy_cb, s);
	timer_init(&s->look_timer, v->loop, idle_look_cb, s);
	quota_init(s);
	defer_init(&s->next, v->loop, session_next_cb, s);
	server_enter(v, s);
	s->stream = stream_new(v->loop, fd, &stream_cbs, s);
	session_touch(s);
	log_debug("%s: connect from [%s]", s->id, s->ip);
	if (!guests_enter(v->guests, s)) {
		log_info("%s: ip=%s: its network has imap_guest_limit (%d) "
		    "sessions that have not logged in", s->id, s->ip,
		    (int)s->conf->imap_guest_limit);
		s->greeted = !s->listener->imap_tls_wrappermode;
		session_bye(s, "[LIMIT] Too many connections from your "
		    "network");
		return;
	}
	if (s->listener->imap_tls_wrappermode)
		stream_tls_accept(s->stream, v->certs);
	else
		greet(s);
}
