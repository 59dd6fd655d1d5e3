/*
 * IDLE (RFC 2177) and NOOP. While idle a session holds no buffers; it wakes
 * when deliver says that its folder changed, and now and then by itself, as
 * other programs change maildirs without a word.
 */
#include "imapd/command.h"

void
cmd_noop(struct session *s, struct arg_iter *it)
{
	if (command_end(s, it))
		session_ok(s);
}

static void
woken(struct session *s)
{
	stream_resume(s->stream);
	/* DONE may have come, or more news, while we looked */
	if (s->idling && s->stale)
		idle_wake(s);
}

void
idle_wake(struct session *s)
{
	if (s->folder != NULL && !s->busy && s->slice == NULL)
		update_refresh(s, true, woken);
}

static void
idle_line(struct session *s, struct span line)
{
	session_line_end(s);
	s->idling = false;
	if (span_is(line, "DONE"))
		session_ok(s);
	else
		session_bad(s, "DONE expected");
}

void
cmd_idle(struct session *s, struct arg_iter *it)
{
	if (!command_end(s, it))
		return;
	stream_str(s->stream, "+ idling\r\n");
	s->idling = true;
	session_read_lines(s, idle_line);
	if (!s->lazy_timer.set)
		timer_set_ms(&s->lazy_timer, IDLE_LOOK_MS);
	if (s->state == SESSION_SELECTED)
		idle_wake(s);
}
