#include "imapd/session.h"

#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"

#define BYE_LIMIT_MS		5000
#define LAZY_MS			1000	/* folder_flush: within 2 s */
#define FLUSH_FILES		200
#define COMMANDS_PER_TURN	50
/* A refused literal up to this size is read and dropped. */
#define LITERAL_DROP_MAX	(1024 * 1024)
/* Before login; who is logged in may be as wrong as he likes. */
#define UNKNOWN_MAX		10

static void session_input(struct session *s);
static void teardown(struct session *s);

/* --- the clock ------------------------------------------------------------ */

void
session_touch(struct session *s)
{
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

/* --- jobs ------------------------------------------------------------------ */

static void
job_run(void *arg)
{
	struct session *s = arg;

	s->job(s);
}

static void
job_done_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	s->busy = false;
	if (s->closing)
		teardown(s);
	else
		s->job_done(s);
}

void
session_job(struct session *s, void (*job)(struct session *),
    void (*done)(struct session *))
{
	ps_assert(!s->busy);
	s->busy = true;
	s->job = job;
	s->job_done = done;
	s->job_rc = 0;
	err_clear(&s->job_err);
	s->work = (struct work){ .order = s->mailbox_id, .run = job_run,
	    .done = job_done_cb, .arg = s };
	work_give(s->server->pool, &s->work);
}

void
session_send_out(struct session *s)
{
	size_t n = buf_len(&s->out);

	if (n >= 16 * 1024) {
		stream_write_take(s->stream, buf_take(&s->out), n);
	} else {
		stream_write(s->stream, buf_span(&s->out));
		buf_clear(&s->out);
	}
}

static void
next_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);
	void (*slice)(struct session *) = s->slice;

	if (s->closing || s->busy || slice == NULL)
		return;
	if (stream_full(s->stream)) {
		s->want_room = true;
		return;
	}
	s->slice = NULL;
	slice(s);
}

void
session_slice(struct session *s, void (*slice)(struct session *))
{
	s->slice = slice;
	defer_call(&s->next);
}

/* --- lazy work --------------------------------------------------------------- */

static void lazy_job(struct session *s);

/* Only between commands: it must not come between a command's jobs. */
static void
lazy_done(struct session *s)
{
	if (s->folder != NULL && folder_needs_flush(s->folder))
		timer_set_ms(&s->lazy_timer, LAZY_MS / 4);
	else if (s->idling)
		timer_set_ms(&s->lazy_timer, IDLE_LOOK_MS);
	stream_resume(s->stream);
	if (s->idling && s->stale)
		idle_wake(s);
}

static void
lazy_timer_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (s->closing || s->folder == NULL)
		return;
	if (s->busy || s->slice != NULL ||
	    (s->command != NULL && !s->idling)) {
		timer_set_ms(&s->lazy_timer, LAZY_MS / 4);
		return;
	}
	if (folder_needs_flush(s->folder)) {
		session_job(s, lazy_job, lazy_done);
	} else if (s->idling) {
		timer_set_ms(&s->lazy_timer, IDLE_LOOK_MS);
		idle_wake(s);
	}
}

static void
lazy_job(struct session *s)
{
	bool more;

	s->job_rc = folder_flush(s->folder, FLUSH_FILES, &more, &s->job_err);
	if (s->job_rc < 0)
		log_warning("%s: flush user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
}

/* --- life ------------------------------------------------------------------ */

static void
flush_all(struct session *s)
{
	bool more = true;

	while (s->folder != NULL && more && folder_needs_flush(s->folder)) {
		if (folder_flush(s->folder, FLUSH_FILES, &more,
		    &s->job_err) < 0) {
			log_warning("%s: flush user=<%s>: %s", s->id,
			    s->user, s->job_err.why);
			return;
		}
	}
}

void
session_watch(struct session *s, bool on)
{
	if (s->watching == on)
		return;
	s->watching = on;
	server_watch(s->server, s->mailbox_id, on);
}

static void
unselect_job(struct session *s)
{
	flush_all(s);
	folder_close(&s->folder);
}

void
session_unselect(struct session *s, void (*done)(struct session *))
{
	timer_clear(&s->lazy_timer);
	session_watch(s, false);
	s->stale = false;
	s->read_only = false;
	session_state_set(s, SESSION_AUTHENTICATED);
	session_job(s, unselect_job, done);
}

static void
goodbye_job(struct session *s)
{
	if (s->abandon != NULL)
		s->abandon(s);
	flush_all(s);
	folder_close(&s->folder);
	account_close(&s->account);
}

static void
session_free(struct session *s)
{
	struct server *v = s->server;

	if (s->run != NULL)
		s->run_free(s->run);
	timer_clear(&s->idle_timer);
	timer_clear(&s->lazy_timer);
	defer_cancel(&s->next);
	reader_fini(&s->reader);
	args_fini(&s->args);
	buf_fini(&s->reply);
	buf_fini(&s->out);
	stream_free(&s->stream);
	conf_unref(&s->conf);
	free(s->user);
	secret_free(&s->ticket);
	if (s->counted)
		server_account_closed(v, s->mailbox_id);
	s->magic = 0;
	server_leave(v, s);
	free(s);
}

/* Not busy, closing: gives the account back in a thread, then frees. */
static void
teardown(struct session *s)
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
		teardown(s);
}

void
session_close(struct session *s)
{
	if (s->closing)
		return;
	s->closing = true;
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
	reader_limit(&s->reader, state == SESSION_GREETED ?
	    SESSION_LINE_BEFORE_LOGIN : (size_t)s->conf->imap_line_limit);
}

/* --- replies --------------------------------------------------------------- */

void
session_run_set(struct session *s, void *run, void (*run_free)(void *))
{
	s->run = run;
	s->run_free = run_free;
}

/* The tagged line goes out; the next command may come. */
static void
command_finish(struct session *s)
{
	stream_write(s->stream, buf_span(&s->reply));
	buf_fini(&s->reply);
	if (s->run != NULL)
		s->run_free(s->run);
	s->run = NULL;
	s->abandon = NULL;
	s->command = NULL;
	s->idling = false;
	s->line = NULL;
	args_fini(&s->args);
	reader_plain(&s->reader, false);
	reader_reset(&s->reader);
	buf_shrink(&s->out, 0);
	session_touch(s);
	if (s->folder != NULL && folder_needs_flush(s->folder) &&
	    !s->lazy_timer.set)
		timer_set_ms(&s->lazy_timer, LAZY_MS);
	stream_resume(s->stream);
}

void
session_reply(struct session *s, const char *word, const char *fmt, ...)
{
	const struct command *c = s->command;
	unsigned flags = c == NULL ? CMD_NO_UPDATES : c->flags;
	va_list ap;

	buf_clear(&s->reply);
	buf_fmt(&s->reply, "%s %s ", s->tag, word);
	va_start(ap, fmt);
	buf_vfmt(&s->reply, fmt, ap);
	va_end(ap);
	buf_str(&s->reply, "\r\n");
	if (s->state != SESSION_SELECTED || (flags & CMD_NO_UPDATES))
		command_finish(s);
	else if (s->stale || (flags & CMD_REFRESH))
		update_refresh(s, !(flags & CMD_NO_EXPUNGE) || s->uid,
		    command_finish);
	else
		update_send(s, !(flags & CMD_NO_EXPUNGE) || s->uid,
		    command_finish);
}

void
session_ok(struct session *s)
{
	session_reply(s, "OK", "%s%s completed", s->uid ? "UID " : "",
	    s->command->name);
}

void
session_bad(struct session *s, const char *why)
{
	session_reply(s, "BAD", "%s", why);
}

void
session_failed(struct session *s, const struct err *err)
{
	switch (err->code) {
	case PS_ENOTFOUND:
		session_reply(s, "NO", "[NONEXISTENT] No such mailbox");
		return;
	case PS_EEXIST:
		session_reply(s, "NO", "[ALREADYEXISTS] Mailbox exists");
		return;
	case PS_ESYNTAX:
		session_reply(s, "NO", "[CANNOT] No mailbox can have that "
		    "name");
		return;
	case PS_EFULL:
		log_error("%s: user=<%s>: %s", s->id, s->user, err->why);
		session_reply(s, "NO", "[UNAVAILABLE] No space left");
		return;
	}
	log_error("%s: user=<%s>: %s", s->id, s->user, err->why);
	session_reply(s, "NO", "[SERVERBUG] Internal error, see the log "
	    "under %s", s->id);
}

/* --- commands ---------------------------------------------------------------- */

static bool
tag_ok(struct span tag)
{
	size_t i;

	if (tag.n == 0 || tag.n > TAG_MAX)
		return false;
	for (i = 0; i < tag.n; i++)
		if (strchr("+%*\\", tag.p[i]) != NULL ||
		    (unsigned char)tag.p[i] >= 0x80)
			return false;
	return true;
}

bool
session_take_tag(struct session *s, struct arg_iter *it)
{
	struct span tag;

	memcpy(s->tag, "*", 2);
	if (!arg_take_atom(it, &tag) || !tag_ok(tag))
		return false;
	memcpy(s->tag, tag.p, tag.n);
	s->tag[tag.n] = '\0';
	return true;
}

/* S30: a browser made to speak to us by somebody else's page. */
static bool
is_http(struct span tag, struct span name)
{
	static const char *const verbs[] = { "GET", "POST", "PUT", "HEAD",
	    "CONNECT", "OPTIONS" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_is(tag, verbs[i]))
			return span_chr(name, '/') >= 0 ||
			    span_chr(name, ':') >= 0;
	return false;
}

static const struct command no_command = { "command", SESSION_ANY,
    CMD_NO_UPDATES, NULL };

/* Reads tag and name off the front of the arguments. What is wrong is
 * answered here; NULL then. */
static const struct command *
command_begin(struct session *s, struct arg_iter *it, const char *why)
{
	const struct command *c;
	struct span name;

	s->uid = false;
	s->command = &no_command;
	if (!session_take_tag(s, it)) {
		session_bad(s, why != NULL ? why : "Bad tag");
		return NULL;
	}
	if (why != NULL || !arg_take_atom(it, &name)) {
		session_bad(s, why != NULL ? why : "Command expected");
		return NULL;
	}
	if (span_is(name, "UID")) {
		s->uid = true;
		if (!arg_take_atom(it, &name))
			name = SPAN_LIT("");
	}
	if (is_http(span_str(s->tag), name)) {
		log_warning("%s: HTTP from [%s]", s->id, s->ip);
		session_bye(s, "This is no web server");
		return NULL;
	}
	c = command_find(name);
	if (c == NULL || (s->uid && !(c->flags & CMD_UID))) {
		session_bad(s, "Unknown command");
		if (s->state == SESSION_GREETED &&
		    ++s->unknown_commands == UNKNOWN_MAX)
			session_bye(s, "Too many unknown commands");
		return NULL;
	}
	if (!(c->states & s->state)) {
		session_bad(s, s->state == SESSION_GREETED ?
		    "Log in first" : c->states == SESSION_GREETED ?
		    "Already logged in" : "No mailbox selected");
		return NULL;
	}
	s->command = c;
	return c;
}

static void
take_command(struct session *s)
{
	struct arg_iter it;
	const struct command *c;
	const char *why;

	why = args_parse(&s->args, reader_text(&s->reader));
	it = args_iter(&s->args);
	s->server->stats.commands++;
	c = command_begin(s, &it, why);
	if (c != NULL)
		c->start(s, &it);
}

/* A literal is announced. APPEND's messages are its own business. */
static void
take_literal(struct session *s)
{
	struct arg_iter it;
	const char *why;

	why = args_parse(&s->args, reader_text(&s->reader));
	if (why == NULL && append_literal(s))
		return;
	if (why == NULL && reader_literal_collect(&s->reader)) {
		if (reader_literal_sync(&s->reader))
			stream_str(s->stream, "+ OK\r\n");
		return;
	}
	if (!reader_literal_sync(&s->reader) &&
	    reader_literal_size(&s->reader) > LITERAL_DROP_MAX) {
		session_bye(s, "[TOOBIG] Literal too large");
		return;
	}
	it = args_iter(&s->args);
	session_take_tag(s, &it);
	stream_fmt(s->stream, "%s BAD %s\r\n", s->tag,
	    why != NULL ? why : "[TOOBIG] Literal too large");
	reader_literal_skip(&s->reader);
}

static void
take_event(struct session *s, enum reader_event e)
{
	switch (e) {
	case READER_MORE:
	case READER_SKIPPED:
		break;
	case READER_COMMAND:
		if (s->line != NULL) {
			struct span line = reader_text(&s->reader);

			s->line(s, line);
			if (s->command != NULL && !s->closing)
				reader_reset(&s->reader);
		} else {
			take_command(s);
		}
		break;
	case READER_LITERAL:
		take_literal(s);
		break;
	case READER_BARE_LF:
		stream_str(s->stream, "* BAD Lines end in CR LF\r\n");
		break;
	case READER_TOO_LONG:
		session_bye(s, "[TOOBIG] Command line too long");
		break;
	}
}

/* May the next bytes be read as commands (or lines) now? */
static bool
wants_input(const struct session *s)
{
	return !s->closing && !s->busy && s->input == NULL &&
	    s->slice == NULL && (s->command == NULL || s->line != NULL);
}

static void
session_input(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	enum reader_event e;
	size_t used;
	int turns = 0;

	while (wants_input(s) && (buf_len(in) > 0 ||
	    s->reader.state == READER_DROP)) {
		if (turns++ == COMMANDS_PER_TURN) {
			stream_resume(s->stream);
			return;
		}
		e = reader_feed(&s->reader, buf_span(in), &used);
		buf_consume(in, used);
		take_event(s, e);
		if (s->closing)
			return;
		in = stream_in(s->stream);
	}
	/* a command works: what else comes waits in the socket */
	if (!wants_input(s) && s->input == NULL && !s->closing)
		stream_pause(s->stream);
}

void
session_read_lines(struct session *s,
    void (*line)(struct session *, struct span))
{
	s->line = line;
	args_fini(&s->args);
	reader_reset(&s->reader);
	reader_plain(&s->reader, true);
	stream_resume(s->stream);
}

void
session_line_end(struct session *s)
{
	s->line = NULL;
	reader_plain(&s->reader, false);
}

void
session_take_input(struct session *s, void (*input)(struct session *))
{
	s->input = input;
	stream_resume(s->stream);
}

void
session_input_end(struct session *s)
{
	s->input = NULL;
	reader_literal_taken(&s->reader);
	stream_resume(s->stream);
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

static void
peer_text(int fd, char *out, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const void *addr;

	memcpy(out, "unknown", 8);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
		return;
	if (ss.ss_family == AF_INET)
		addr = &((struct sockaddr_in *)&ss)->sin_addr;
	else if (ss.ss_family == AF_INET6)
		addr = &((struct sockaddr_in6 *)&ss)->sin6_addr;
	else
		return;
	if (inet_ntop(ss.ss_family, addr, out, (socklen_t)n) == NULL)
		memcpy(out, "unknown", 8);
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
	peer_text(fd, s->ip, sizeof(s->ip));
	s->state = SESSION_GREETED;
	reader_init(&s->reader, SESSION_LINE_BEFORE_LOGIN);
	args_init(&s->args);
	buf_init(&s->reply, 8192);
	buf_init(&s->out, BUF_NO_CAP);
	timer_init(&s->idle_timer, v->loop, idle_timer_cb, s);
	timer_init(&s->lazy_timer, v->loop, lazy_timer_cb, s);
	defer_init(&s->next, v->loop, next_cb, s);
	server_enter(v, s);
	s->stream = stream_new(v->loop, fd, &stream_cbs, s);
	session_touch(s);
	log_debug("%s: connect from [%s]", s->id, s->ip);
	if (s->listener->imap_tls_wrappermode)
		stream_tls_accept(s->stream, v->certs);
	else
		greet(s);
}
