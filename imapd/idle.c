/*
 * IDLE (RFC 2177) and NOOP. While idle a session holds no buffers; it wakes
 * when deliver says that its folder changed, when a file there comes or goes
 * (watch.h: other programs change maildirs without a word), and now and then by
 * itself, as neither need be heard.
 */
#include "base/clock.h"
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
	if (s->folder == NULL || s->busy || s->slice != NULL)
		return;
	/* who does not read what we tell is told the rest when it does */
	if (stream_full(s->stream)) {
		s->stale = s->want_room = true;
		return;
	}
	update_refresh(s, true, woken);
}

/* --- what other programs do --- */

#define LOOK_MS		200	/* what we do ourselves is announced before */
#define LOOK_SHARE	4	/* at most a fifth of the time is for looking */
#define LOOK_MS_MAX	5000

/* Called with the watcher's lock held: only notes it. */
static void
heard(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	s->heard = true;
	if (!s->look_timer.set)
		timer_set_ms(&s->look_timer, MIN(MAX(LOOK_MS,
		    LOOK_SHARE * s->refresh_ms), LOOK_MS_MAX));
}

void
idle_listen(struct session *s)
{
	if (s->idling && !watch_is_on(&s->watch))
		(void)watch_begin(&s->watch, s->server->watcher,
		    folder_dirfd(s->folder), heard, s);
}

void
idle_look_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (!s->heard || !s->idling || s->closing)
		return;
	s->stale = true;
	if (!s->busy)
		idle_wake(s);
}

/* --- the commands --- */

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
