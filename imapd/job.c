/*
 * How a session's work is cut up: jobs in threads, slices on the loop, and the
 * lazy work between commands.
 */
#include "base/log.h"
#include "imapd/session.h"

#define FLUSH_FILES		200	/* per lazy job */
#define LAZY_AGAIN_MS		250

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
		session_teardown(s);
	else
		s->job_done(s);
}

static void
job_begin(struct session *s, void (*done)(struct session *))
{
	ps_assert(!s->busy);
	s->busy = true;
	s->job_done = done;
	s->job_rc = 0;
	err_clear(&s->job_err);
}

void
session_job(struct session *s, void (*job)(struct session *),
    void (*done)(struct session *))
{
	job_begin(s, done);
	s->job = job;
	s->work = (struct work){ .order = s->mailbox_id, .run = job_run,
	    .done = job_done_cb, .arg = s };
	work_give(s->server->pool, &s->work);
}

/* An order to a thread and its answer cost more than opening a folder that the
 * kernel has in memory. */
void
session_job_warm(struct session *s, bool (*warm)(struct session *),
    void (*job)(struct session *), void (*done)(struct session *))
{
	if (!warm(s)) {
		session_job(s, job, done);
		return;
	}
	job_begin(s, done);
	job_done_cb(s);
}

void
session_await(struct session *s, void (*done)(struct session *))
{
	job_begin(s, done);
}

void
session_awaited(struct session *s)
{
	ps_assert(s->busy);
	job_done_cb(s);
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

void
session_next_cb(void *arg)
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
		timer_set_ms(&s->lazy_timer, LAZY_AGAIN_MS);
	else if (s->idling)
		timer_set_ms(&s->lazy_timer, IDLE_LOOK_MS);
	stream_resume(s->stream);
	if (s->idling && s->stale)
		idle_wake(s);
}

void
session_lazy_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (s->closing || s->folder == NULL)
		return;
	if (s->busy || s->slice != NULL ||
	    (s->command != NULL && !s->idling)) {
		timer_set_ms(&s->lazy_timer, LAZY_AGAIN_MS);
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
