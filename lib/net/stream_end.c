#include "net/stream_int.h"

#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define DRAIN_MAX	(1024 * 1024)	/* dropped while waiting for the end */

static size_t finishing;

size_t
stream_finishing(void)
{
	return finishing;
}

static void
stream_finish_late_cb(void *arg)
{
	struct stream *s = OBJ_CAST(arg, stream, STREAM_MAGIC);

	stream_free(&s);
}

void
stream_finish_forget(struct stream *s)
{
	if (s->finish == NULL)
		return;
	timer_clear(&s->finish->timer);
	free(s->finish);
	s->finish = NULL;
	finishing--;
}

void
stream_finish(struct stream **sp, uint64_t limit_ms)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	if (s->state != STREAM_OPEN || s->broken) {
		stream_free(sp);
		return;
	}
	*sp = NULL;
	s->state = STREAM_FINISH_WRITE;
	buf_fini_secret(&s->in);
	s->finish = xcalloc(1, sizeof(*s->finish));
	timer_init(&s->finish->timer, s->loop, stream_finish_late_cb, s);
	timer_set_ms(&s->finish->timer, limit_ms);
	finishing++;
	defer_call(&s->kick);
}

void
stream_peer_done(struct stream *s)
{
	s->peer_done = true;
}

/* True when the stream has nothing more to wait for. */
static bool
stream_half_close(struct stream *s)
{
	stream_flush(s);
	if (s->broken)
		return true;
	if (s->out_want != 0)
		return false;
	if (s->tls != NULL)
		tls_goodbye(s->tls);
	else if (s->peer_done && s->drained)
		return true;
	s->state = STREAM_FINISH_READ;
	return shutdown(s->io.fd, SHUT_WR) == -1 || s->eof;
}

static bool
stream_drain(struct stream *s)
{
	static char dropped[16384];
	ssize_t n = recv(s->io.fd, dropped, sizeof(dropped), MSG_DONTWAIT);

	if (n == -1)
		return errno != EAGAIN && errno != EWOULDBLOCK &&
		    errno != EINTR;
	s->finish->drained += (size_t)n;
	return n == 0 || s->finish->drained > DRAIN_MAX;
}

void
stream_finish_step(struct stream *s, int what)
{
	bool over = false;

	if (s->state == STREAM_FINISH_WRITE)
		over = stream_half_close(s);
	else if (what & IO_READ)
		over = stream_drain(s);
	if (over)
		stream_free(&s);
}
