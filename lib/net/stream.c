#include "net/stream_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/xmalloc.h"

#define READ_MAX	(64 * 1024)	/* per turn */

/* One read's landing place: idle streams then hold no buffer of their own.
 * A process has one loop, and nothing else runs between fill and append. */
static char scratch[READ_MAX];

static void stream_kick_cb(void *arg);
static void stream_io_cb(int fd, int what, void *arg);

/* --- life --- */

void
stream_listen(int fd, size_t out_bytes)
{
	int one = 1, bytes = (int)MIN(out_bytes, (size_t)INT_MAX);

	/* fails on what is not TCP, which is fine */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes,
		    sizeof(bytes));
}

struct stream *
stream_new(struct loop *l, int fd, const struct stream_cbs *cbs, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->magic = STREAM_MAGIC;
	s->loop = l;
	s->cbs = cbs;
	s->arg = arg;
	s->in_want = IO_READ;
	s->in_limit = STREAM_IN_LIMIT;
	s->low = STREAM_OUT_LOW;
	s->high = STREAM_OUT_HIGH;
	buf_init(&s->in, BUF_NO_CAP);
	outq_init(&s->out);
	defer_init(&s->kick, l, stream_kick_cb, s);
	(void)proc_nonblock(fd);
	io_init(&s->io, l, fd, stream_io_cb, s);
	io_want(&s->io, IO_READ);
	return s;
}

static void
stream_release(struct stream *s)
{
	s->magic = 0;
	free(s->end_text);
	free(s);
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;
	int fd;

	if (s == NULL)
		return;
	*sp = NULL;
	ps_assert(s->magic == STREAM_MAGIC && !s->freed);
	fd = s->io.fd;
	s->freed = true;
	s->state = STREAM_ENDED;
	defer_cancel(&s->kick);
	io_clear(&s->io);
	tls_free(&s->tls);
	tls_free(&s->handshake);
	certs_unref(&s->certs);
	ccert_policy_unref(&s->ccert);
	(void)close(fd);
	stream_finish_forget(s);
	s->busy++;		/* a release callback may look at us */
	outq_clear(&s->out);
	s->busy--;
	buf_fini_secret(&s->in);
	if (s->busy == 0)
		stream_release(s);
}

void
stream_arg_set(struct stream *s, const struct stream_cbs *cbs, void *arg)
{
	s->cbs = cbs;
	s->arg = arg;
}

int
stream_fd(const struct stream *s)
{
	return s->io.fd;
}

/* --- the end --- */

void
stream_break(struct stream *s, enum stream_end end, const char *text)
{
	if (s->broken || (s->eof && end == STREAM_EOF))
		return;
	free(s->end_text);
	s->end = end;
	s->end_text = xstrdup(text);
	if (end == STREAM_EOF)
		s->eof = true;
	else
		s->broken = true;
	defer_call(&s->kick);
}

static void
stream_tell_end(struct stream *s)
{
	s->told = true;
	if (s->broken)
		s->state = STREAM_ENDED;
	s->cbs->ended(s, s->end, s->end_text, s->arg);
}

/* --- input --- */

static bool
stream_wants_input(const struct stream *s)
{
	return s->state == STREAM_OPEN && !s->paused && !s->eof &&
	    !s->broken && buf_len(&s->in) < s->in_limit;
}

static ssize_t
stream_recv_plain(struct stream *s, size_t room)
{
	ssize_t n;

	do
		n = recv(s->io.fd, scratch, room, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	s->drained = n < (ssize_t)room;
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
		stream_break(s, STREAM_ERROR, strerrordesc_np(errno));
	return n;
}

static ssize_t
stream_recv_tls(struct stream *s, size_t room)
{
	ssize_t n = tls_read(s->tls, scratch, room);

	s->in_want = IO_READ;
	if (n == PS_EAGAIN)
		s->in_want = (uint8_t)tls_want(s->tls);
	else if (n < 0)
		stream_break(s, STREAM_TLS_FAILED, tls_why(s->tls));
	return n;
}

/* One read; bounded, so that one peer's flood leaves others their turn. */
static void
stream_fill(struct stream *s)
{
	size_t room = MIN(s->in_limit - buf_len(&s->in), sizeof(scratch));
	ssize_t n = s->tls != NULL ? stream_recv_tls(s, room) :
	    stream_recv_plain(s, room);

	if (n < 0)
		return;
	if (n == 0)
		stream_break(s, STREAM_EOF, "connection closed by peer");
	buf_append(&s->in, scratch, (size_t)n);
	s->offer = true;
}

/* Hands input over, then the end when its time has come. */
static void
stream_offer(struct stream *s)
{
	if (s->state != STREAM_OPEN || s->told)
		return;
	if (s->offer && !s->paused && buf_len(&s->in) > 0) {
		s->offer = false;
		s->cbs->readable(s, s->arg);
		if (s->freed || s->state != STREAM_OPEN)
			return;
		if (buf_len(&s->in) == 0)
			buf_shrink(&s->in, 0);
		else if (s->offer)
			return;		/* resumed itself: once more */
	}
	if (s->broken || (s->eof && !s->paused))
		stream_tell_end(s);
}

/* Bytes inside OpenSSL don't make the socket readable. */
static bool
stream_has_hidden_input(const struct stream *s)
{
	return s->tls != NULL && stream_wants_input(s) && tls_pending(s->tls);
}

struct buf *
stream_in(struct stream *s)
{
	return &s->in;
}

void
stream_in_limit(struct stream *s, size_t bytes)
{
	s->in_limit = bytes;
	defer_call(&s->kick);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
	defer_call(&s->kick);
}

void
stream_resume(struct stream *s)
{
	s->paused = s->deaf = false;
	s->offer = true;
	defer_call(&s->kick);
}

bool
stream_paused(const struct stream *s)
{
	return s->paused;
}

void
stream_ack_now(struct stream *s)
{
	int on = 1;

	(void)setsockopt(s->io.fd, IPPROTO_TCP, TCP_QUICKACK, &on,
	    sizeof(on));
}

bool
stream_at_eof(const struct stream *s)
{
	return s->eof || s->broken;
}

/* --- turns --- */

static void
stream_watch(struct stream *s)
{
	int want = 0;

	switch (s->state) {
	case STREAM_OPEN:
		want = s->out_want | (stream_wants_input(s) ? s->in_want : 0);
		/* A pause is mostly over before the peer says more: the
		 * interest stays until it does, which saves two system
		 * calls for every parked command. */
		if (s->paused && !s->deaf && !s->eof && !s->broken)
			want |= s->io.want & IO_READ;
		break;
	case STREAM_TLS_WAIT:
		want = s->out_want;
		break;
	case STREAM_FINISH_WRITE:
		/* Before the last words are tried there is nothing to wait
		 * for: the interest stays, as in a pause. */
		want = s->out_want != 0 ? s->out_want :
		    s->io.want & IO_READ;
		break;
	case STREAM_HANDSHAKE:
		want = tls_want(s->tls);
		break;
	case STREAM_FINISH_READ:
		want = IO_READ;
		break;
	case STREAM_ENDED:
		break;
	}
	io_want(&s->io, want);
}

static void
stream_turn(struct stream *s, int what)
{
	switch (s->state) {
	case STREAM_OPEN:
		if (what & s->out_want)
			stream_flush(s);
		if (!s->freed && stream_wants_input(s) &&
		    ((what & s->in_want) || stream_has_hidden_input(s)))
			stream_fill(s);
		if (!s->freed)
			stream_offer(s);
		break;
	case STREAM_TLS_WAIT:
	case STREAM_HANDSHAKE:
		stream_tls_step(s);
		break;
	case STREAM_FINISH_WRITE:
	case STREAM_FINISH_READ:
		stream_finish_step(s, what);
		break;
	case STREAM_ENDED:
		break;
	}
}

/* Runs the turn with the struct kept, whatever callbacks do. */
static void
stream_run(struct stream *s, int what, bool flush)
{
	s->busy++;
	stream_turn(s, what);
	if (flush && s->state == STREAM_OPEN && s->out_want == 0)
		stream_flush(s);
	if (!s->freed) {
		if (stream_has_hidden_input(s))
			defer_call(&s->kick);
		stream_watch(s);
	}
	if (--s->busy == 0 && s->freed)
		stream_release(s);
}

static void
stream_io_cb(int fd, int what, void *arg)
{
	struct stream *s = OBJ_CAST(arg, stream, STREAM_MAGIC);

	(void)fd;
	if (s->paused && (what & IO_READ))
		s->deaf = true;
	stream_run(s, what, false);
}

static void
stream_kick_cb(void *arg)
{
	struct stream *s = OBJ_CAST(arg, stream, STREAM_MAGIC);

	stream_run(s, 0, true);
}
