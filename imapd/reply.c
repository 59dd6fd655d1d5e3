/*
 * The tagged line that ends a command, and what must happen before it.
 */
#include "base/log.h"
#include "imapd/command.h"
#include "imapd/quota.h"

#define LAZY_MS		1000		/* folder_flush: within 2 s */

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
	quota_release(s);
	if (s->run != NULL)
		s->run_free(s->run);
	s->run = NULL;
	s->abandon = NULL;
	s->command = NULL;
	s->hold_expunges = false;
	s->idling = false;
	watch_end(&s->watch);
	timer_clear(&s->look_timer);
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
	bool expunges = (!(flags & CMD_NO_EXPUNGE) || s->uid) &&
	    !s->hold_expunges;
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
		update_refresh(s, expunges, command_finish);
	else
		update_send(s, expunges, command_finish);
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
	case PS_EAGAIN:
		log_warning("%s: user=<%s>: %s", s->id, s->user, err->why);
		session_reply(s, "NO", "[INUSE] Mailbox is locked; try "
		    "again");
		return;
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
