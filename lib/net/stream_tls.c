#include "net/stream_int.h"

#include "base/clock.h"

#define HANDSHAKES_MS	5	/* of one turn */

/*
 * Input that came before the handshake is dropped (S3); output queued before
 * it still leaves in the clear, then OpenSSL takes the socket.
 */
static size_t
stream_tls_begin(struct stream *s, struct tls *tls)
{
	size_t dropped = buf_len(&s->in);

	if (s->state != STREAM_OPEN || s->tls != NULL || s->broken) {
		tls_free(&tls);
		return 0;
	}
	buf_clear(&s->in);
	buf_shrink(&s->in, 0);
	s->offer = false;
	s->state = STREAM_TLS_WAIT;
	s->handshake = tls;
	s->plain_left = outq_len(&s->out);
	defer_call(&s->kick);
	return dropped;
}

size_t
stream_tls_accept(struct stream *s, struct certs *certs)
{
	struct tls *tls = tls_new(certs_ctx(certs), s->io.fd, true, NULL);
	size_t dropped;

	if (s->ccert != NULL)
		tls_ask_ccert(tls, s->ccert);
	dropped = stream_tls_begin(s, tls);
	if (s->certs == NULL)
		s->certs = certs_ref(certs);
	return dropped;
}

void
stream_tls_ask_ccert(struct stream *s, struct ccert_policy *p)
{
	ccert_policy_unref(&s->ccert);
	s->ccert = ccert_policy_ref(p);
}

struct ccert *
stream_ccert(const struct stream *s)
{
	return stream_is_tls(s) ? tls_ccert(s->tls) : NULL;
}

size_t
stream_tls_connect(struct stream *s, struct ssl_ctx_st *ctx, const char *host)
{
	return stream_tls_begin(s, tls_new(ctx, s->io.fd, false, host));
}

/*
 * A handshake costs up to a millisecond. When many come at once (everybody
 * reconnects after a restart) those past the turn's budget wait for the next
 * one, so that others are served in between; one a turn always goes.
 */
static bool
stream_handshake_turn(struct stream *s)
{
	static uint64_t served_ms;
	uint64_t turn_ms = loop_now_ms(s->loop);

	if (served_ms == turn_ms &&
	    clock_mono_ms() > turn_ms + HANDSHAKES_MS) {
		defer_call(&s->kick);
		return false;
	}
	served_ms = turn_ms;
	return true;
}

static void
stream_handshake(struct stream *s)
{
	int ret;

	if (!stream_handshake_turn(s))
		return;
	if ((ret = tls_handshake(s->tls)) == PS_EAGAIN)
		return;
	s->state = STREAM_OPEN;
	if (ret < 0) {
		stream_break(s, STREAM_TLS_FAILED, tls_why(s->tls));
		return;
	}
	defer_call(&s->kick);	/* input may be waiting inside OpenSSL */
	if (s->cbs->secured != NULL)
		s->cbs->secured(s, s->arg);
}

void
stream_tls_step(struct stream *s)
{
	if (s->state == STREAM_TLS_WAIT) {
		stream_flush(s);
		if (s->broken) {
			tls_free(&s->handshake);
			s->state = STREAM_OPEN;
			return;
		}
		if (s->out_want != 0)
			return;
		s->tls = s->handshake;
		s->handshake = NULL;
		s->state = STREAM_HANDSHAKE;
	}
	stream_handshake(s);
}

bool
stream_is_tls(const struct stream *s)
{
	return s->tls != NULL && tls_ready(s->tls);
}

bool
stream_tls_info(const struct stream *s, struct stream_tls *info)
{
	if (!stream_is_tls(s))
		return false;
	tls_describe(s->tls, info);
	return true;
}

size_t
stream_binding(const struct stream *s, const char **type,
    uint8_t out[STREAM_BINDING_MAX])
{
	*type = "";
	return stream_is_tls(s) ? tls_binding(s->tls, type, out) : 0;
}
