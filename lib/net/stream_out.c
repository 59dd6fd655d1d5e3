#include "net/stream_int.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_MAX	(512 * 1024)	/* per turn */

/* A failed write: input that came before may wait no longer. */
static void
stream_break_write(struct stream *s, const char *text)
{
	stream_break(s, STREAM_ERROR, text);
	outq_clear(&s->out);
}

/* How much may leave in the clear: all, or what was queued before TLS was
 * asked for. */
static size_t
stream_plain_left(const struct stream *s)
{
	return s->state == STREAM_TLS_WAIT ? s->plain_left :
	    outq_len(&s->out);
}

/* The front of the queue, at most `most` bytes of it. */
static size_t
stream_iov(const struct stream *s, struct iovec *iov, int max, size_t most)
{
	int n = outq_iov(&s->out, iov, max), i;

	for (i = 0; i < n && most > 0; i++) {
		iov[i].iov_len = MIN(iov[i].iov_len, most);
		most -= iov[i].iov_len;
	}
	return (size_t)i;
}

/* Both return what the rest waits for, 0 when nothing is left. */
static int
stream_flush_plain(struct stream *s)
{
	/* the last words and the end of the stream make one packet */
	int more = s->state == STREAM_FINISH_WRITE ? MSG_MORE : 0;
	struct iovec iov[64];
	size_t total = 0;

	while (stream_plain_left(s) > 0 && total < WRITE_MAX) {
		struct msghdr msg = { .msg_iov = iov };
		ssize_t n;

		msg.msg_iovlen = stream_iov(s, iov, ARRAY_LEN(iov),
		    stream_plain_left(s));
		n = sendmsg(s->io.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT |
		    more);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				stream_break_write(s, strerrordesc_np(errno));
			break;
		}
		if (s->state == STREAM_TLS_WAIT)
			s->plain_left -= (size_t)n;
		outq_consume(&s->out, (size_t)n);
		total += (size_t)n;
	}
	return !s->broken && stream_plain_left(s) > 0 ? IO_WRITE : 0;
}

static int
stream_flush_tls(struct stream *s)
{
	static char record[TLS_RECORD];
	size_t total = 0;

	while (outq_len(&s->out) > 0 && total < WRITE_MAX) {
		struct span piece = outq_piece(&s->out, record,
		    sizeof(record));
		ssize_t n = tls_write(s->tls, piece.p, piece.n);

		if (n == PS_EAGAIN)
			return tls_want(s->tls);
		if (n <= 0) {
			stream_break_write(s, tls_why(s->tls));
			break;
		}
		outq_consume(&s->out, (size_t)n);
		total += (size_t)n;
	}
	return outq_len(&s->out) > 0 ? IO_WRITE : 0;
}

void
stream_flush(struct stream *s)
{
	if (s->freed || s->broken)
		return;
	s->out_want = (uint8_t)(s->tls != NULL ? stream_flush_tls(s) :
	    stream_flush_plain(s));
	if (s->was_full && !s->broken && s->state == STREAM_OPEN &&
	    outq_len(&s->out) <= s->low) {
		s->was_full = false;
		if (s->cbs->drained != NULL)
			s->cbs->drained(s, s->arg);
	}
}

/* May output still be queued? Also arranges for it to be sent. */
static bool
stream_out_open(struct stream *s)
{
	if (s->broken || s->freed || s->state == STREAM_ENDED)
		return false;
	defer_call(&s->kick);
	return true;
}

void
stream_write(struct stream *s, struct span bytes)
{
	if (stream_out_open(s))
		buf_span_add(outq_tail(&s->out), bytes);
}

void
stream_str(struct stream *s, const char *text)
{
	stream_write(s, span_str(text));
}

void
stream_fmt(struct stream *s, const char *fmt, ...)
{
	va_list ap;

	if (!stream_out_open(s))
		return;
	va_start(ap, fmt);
	buf_vfmt(outq_tail(&s->out), fmt, ap);
	va_end(ap);
}

struct buf *
stream_out(struct stream *s)
{
	/* after the end this only gathers what is then dropped */
	if (!stream_out_open(s))
		buf_clear(outq_tail(&s->out));
	return outq_tail(&s->out);
}

void
stream_write_ref(struct stream *s, struct span bytes,
    void (*release)(void *arg), void *arg)
{
	if (bytes.n > 0 && stream_out_open(s))
		outq_lend(&s->out, bytes, release, arg);
	else if (release != NULL)
		release(arg);
}

void
stream_write_take(struct stream *s, char *mem, size_t n)
{
	stream_write_ref(s, span_of(mem, n), free, mem);
}

bool
stream_full(struct stream *s)
{
	if (s->broken || outq_len(&s->out) <= s->high)
		return false;
	s->was_full = true;
	return true;
}

size_t
stream_queued(const struct stream *s)
{
	return outq_len(&s->out);
}

void
stream_out_marks(struct stream *s, size_t low, size_t high)
{
	s->low = low;
	s->high = high;
}
