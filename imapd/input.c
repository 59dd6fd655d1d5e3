/*
 * From bytes to commands: what is read when, and who gets it.
 */
#include "base/log.h"
#include "imapd/command.h"

#define COMMANDS_PER_TURN	50
/* A refused literal up to this size is read and dropped. */
#define LITERAL_DROP_MAX	(1024 * 1024)
/* Before login; who is logged in may be as wrong as he likes. */
#define UNKNOWN_MAX		10

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

/* --- the folder's messages, at the first command that is about them --- */

static void
load_job(struct session *s)
{
	s->job_rc = folder_load(s->folder, &s->job_err);
}

static void
load_done(struct session *s)
{
	struct arg_iter it = args_iter(&s->args);
	int words = s->uid ? 3 : 2;	/* tag, UID, name */

	if (s->job_rc < 0) {
		if (s->job_rc == PS_ESTATE)
			session_bye(s, "Mailbox got another UIDVALIDITY");
		else
			session_failed(s, &s->job_err);
		return;
	}
	while (words-- > 0)
		(void)arg_next(&it);
	s->command->start(s, &it);
}

static bool
wants_messages(const struct session *s)
{
	return s->command->states == SESSION_SELECTED &&
	    !(s->command->flags & CMD_NO_MESSAGES) &&
	    !folder_loaded(s->folder);
}

static void
take_command(struct session *s)
{
	struct arg_iter it;
	const struct command *c;
	const char *why;

	why = args_parse(&s->args, reader_text(&s->reader), false);
	it = args_iter(&s->args);
	s->server->stats.commands++;
	c = command_begin(s, &it, why);
	if (c == NULL)
		return;
	if (wants_messages(s))
		session_job(s, load_job, load_done);
	else
		c->start(s, &it);
}

/* A literal is announced. APPEND's messages are its own business. */
static void
take_literal(struct session *s)
{
	struct arg_iter it;
	const char *why;

	why = args_parse(&s->args, reader_text(&s->reader), true);
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

void
session_room(struct session *s)
{
	if (wants_input(s))
		stream_resume(s->stream);
	if (s->idling && s->stale && !s->closing)
		idle_wake(s);
}

void
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
		/* who does not read our answers is not answered */
		if (stream_full(s->stream)) {
			s->want_room = true;
			stream_pause(s->stream);
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
