/*
 * A connection: plain or TLS bytes over one socket on the loop. Used by every
 * protocol program, server and client side.
 *
 * Input gathers in a buffer up to a watermark; then reading stops until the
 * owner has consumed. Output is queued and written once per turn of the loop
 * (so pipelined replies leave in one send), with a high and a low mark for
 * back-pressure. At end of file what was received is offered before the end
 * is told. A callback runs from the loop, never inside a call made here. The
 * owner may free the stream in any callback. Timeouts are the owner's.
 *
 * An idle plain stream holds no buffers (less than 1 KiB in all); an idle
 * TLS stream holds OpenSSL's connection state but none of its buffers.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

struct ccert;
struct ccert_policy;
struct certs;
struct stream;
struct ssl_ctx_st;

enum stream_end {
	STREAM_EOF,		/* the peer closed; all input was offered */
	STREAM_ERROR,		/* reset, broken pipe, ... */
	STREAM_TLS_FAILED	/* handshake or record failure */
};

struct stream_cbs {
	/* There is input in stream_in(): new bytes, or stream_resume() was
	 * called. Consume what can be used; leave the rest. */
	void (*readable)(struct stream *s, void *arg);
	/* The write queue fell to the low mark after stream_full() had said
	 * true. May be NULL. */
	void (*drained)(struct stream *s, void *arg);
	/* The TLS handshake is complete. May be NULL without TLS. */
	void (*secured)(struct stream *s, void *arg);
	/* No more input or output will happen. Runs at most once; `text` is
	 * for the log ("Connection reset by peer"). The stream is still the
	 * owner's to free or finish. */
	void (*ended)(struct stream *s, enum stream_end end, const char *text,
	    void *arg);
};

/* Defaults; see stream_in_limit and stream_out_marks. */
#define STREAM_IN_LIMIT		(16 * 1024)
#define STREAM_OUT_LOW		(16 * 1024)
#define STREAM_OUT_HIGH		(64 * 1024)

/* What the connections of a listening socket begin with, set once instead of
 * for each (Linux hands it on): no delay, for we send once per turn, and at
 * most out_bytes waiting in the kernel for a peer that does not read, which
 * would let it grow to megabytes; 0: as many as it likes. */
void stream_listen(int fd, size_t out_bytes);
/* Takes over fd (made non-blocking) and starts reading. cbs must outlive the
 * stream. */
struct stream *stream_new(struct loop *l, int fd, const struct stream_cbs *cbs,
    void *arg);
/* Drops what is queued, closes. */
void stream_free(struct stream **s);
/*
 * The polite end: writes what is queued, says goodbye in TLS, half-closes,
 * reads and drops until the peer closes (so that a reset can't eat our last
 * reply), then closes; at the latest after limit_ms. No callback follows and
 * the stream is no longer the owner's.
 */
void stream_finish(struct stream **s, uint64_t limit_ms);
/* The peer has said that it will say no more (QUIT): stream_finish() need not
 * wait for its end where nothing of it is unread. TLS is closed as ever. */
void stream_peer_done(struct stream *s);
/* Streams of this process between stream_finish() and their close. */
size_t stream_finishing(void);

void stream_arg_set(struct stream *s, const struct stream_cbs *cbs, void *arg);
int stream_fd(const struct stream *s);

/* --- input --- */

/* What has been received; consume from the front with buf_consume(). */
struct buf *stream_in(struct stream *s);
/* Most bytes gathered at a time. Raise it before waiting for more than what
 * it allows: a full buffer that the owner does not consume reads no more. */
void stream_in_limit(struct stream *s, size_t bytes);
/* No reading and no readable() until resumed (a parked command). The end of
 * file waits as well; a write error does not. */
void stream_pause(struct stream *s);
/* Reads again; readable() runs on the next turn if there is input. */
void stream_resume(struct stream *s);
bool stream_paused(const struct stream *s);
/* Acknowledges now what has arrived, instead of with our next bytes or 40 ms
 * later: a peer that has not all of its packets on the way yet sends the last,
 * small one only then (Nagle, RFC 9293 3.7.4). For where we have nothing to
 * say before it comes. */
void stream_ack_now(struct stream *s);
/* The peer closed its side; more input than what stream_in() holds will not
 * come. */
bool stream_at_eof(const struct stream *s);

/* --- output --- */

/* Queues a copy. Dropped silently once the stream has ended. */
void stream_write(struct stream *s, struct span bytes);
void stream_str(struct stream *s, const char *text);
void stream_fmt(struct stream *s, const char *fmt, ...) PRINTF(2, 3);
/* The queue's tail, to append to directly; lent until the next call on s. It
 * is sent at the end of the turn. */
struct buf *stream_out(struct stream *s);
/* Queues without copying: the bytes must stay until release(arg), which runs
 * exactly once: when they were sent, or the stream ended or is freed. */
void stream_write_ref(struct stream *s, struct span bytes,
    void (*release)(void *arg), void *arg);
/* As stream_write_ref for malloc'ed memory that the stream then frees. */
void stream_write_take(struct stream *s, char *mem, size_t n);
/* Above the high mark: stop producing, drained() will come. */
bool stream_full(struct stream *s);
size_t stream_queued(const struct stream *s);
void stream_out_marks(struct stream *s, size_t low, size_t high);

/* --- TLS --- */

/*
 * Server side of the handshake: at once on a new stream (implicit TLS), or
 * after the reply to STARTTLS was queued: that is sent first, in the clear.
 * What is queued after this call waits for the handshake and leaves encrypted.
 * Plain bytes already received are dropped (S3: command injection); returns
 * how many, so that the owner can log it and end the session. secured() or
 * ended() follows. certs is referenced.
 */
size_t stream_tls_accept(struct stream *s, struct certs *certs);
/* Before stream_tls_accept: asks the client for a certificate (ccert.h). p is
 * referenced; NULL asks for none. */
void stream_tls_ask_ccert(struct stream *s, struct ccert_policy *p);
/* After the handshake: what the client has shown; yours, NULL without. */
struct ccert *stream_ccert(const struct stream *s);
/* Client side; host is sent as SNI if not NULL. Verification is as set in
 * ctx. */
size_t stream_tls_connect(struct stream *s, struct ssl_ctx_st *ctx,
    const char *host);
bool stream_is_tls(const struct stream *s);	/* handshake complete */

struct stream_tls {
	const char *protocol;		/* "TLSv1.3" */
	const char *cipher;		/* "TLS_AES_256_GCM_SHA384" */
	int bits, alg_bits;		/* "(256/256 bits)" */
	const char *sni;		/* what the client asked for, or "" */
	bool resumed;
};
/* False without TLS. Strings are lent until the stream is freed. */
bool stream_tls_info(const struct stream *s, struct stream_tls *info);
/*
 * Channel binding data for SASL: tls-exporter (RFC 9266) under TLS 1.3,
 * tls-unique (RFC 5929) under 1.2 with extended master secret. Returns its
 * length (at most STREAM_BINDING_MAX) and sets *type to the registered name;
 * 0 and "" when there is none.
 */
#define STREAM_BINDING_MAX	64
size_t stream_binding(const struct stream *s, const char **type,
    uint8_t out[STREAM_BINDING_MAX]);

#endif
