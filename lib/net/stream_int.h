/*
 * The inside of struct stream, for the files that together are stream.h:
 * stream.c (life, input, turns), stream_out.c (output), stream_tls.c
 * (handshakes), stream_end.c (the polite end).
 */
#ifndef NET_STREAM_INT_H
#define NET_STREAM_INT_H

#include "net/ccert.h"
#include "net/certs.h"
#include "net/outq.h"
#include "net/stream.h"
#include "net/tls.h"

#define STREAM_MAGIC	0x5354524du

enum stream_state {
	STREAM_OPEN,
	STREAM_TLS_WAIT,	/* plain output leaves, then the handshake */
	STREAM_HANDSHAKE,
	STREAM_FINISH_WRITE,	/* stream_finish: output leaves */
	STREAM_FINISH_READ,	/* half-closed, waiting for the peer */
	STREAM_ENDED		/* nothing more will be read or written */
};

struct finish {			/* only while finishing */
	struct timer timer;
	size_t drained;
};

struct stream {
	uint32_t magic;
	enum stream_state state;
	struct loop *loop;
	const struct stream_cbs *cbs;
	void *arg;
	struct io io;
	struct defer kick;	/* end of turn: offer, tell, flush */
	struct buf in;
	size_t in_limit;
	struct outq out;
	size_t low, high;
	struct tls *tls;	/* NULL: plain */
	struct tls *handshake;	/* until the plain output has left */
	size_t plain_left;	/* of the queue, before the handshake */
	struct certs *certs;
	struct ccert_policy *ccert;	/* NULL: none is asked for */
	struct finish *finish;
	char *end_text;
	enum stream_end end;
	unsigned busy;		/* inside our own callback: keep the struct */
	uint8_t in_want;	/* what reading waits for: IO_* */
	uint8_t out_want;	/* what the queue waits for; 0: it may go */
	bool freed;
	bool paused;
	bool deaf;		/* paused, and the peer said something: not
				 * watched for input */
	bool offer;		/* readable() is due */
	bool eof;		/* the peer's side is closed */
	bool drained;		/* the last read left nothing in the kernel */
	bool peer_done;		/* the peer has said its last */
	bool broken;		/* ended() is due without waiting for input */
	bool told;		/* ended() has run */
	bool was_full;
};

/* stream.c */
/* Remembers why it ended; ended() is told from the loop. */
void stream_break(struct stream *s, enum stream_end end, const char *text);

/* stream_out.c */
/* Writes what the socket takes now; drained() may run. */
void stream_flush(struct stream *s);

/* stream_tls.c: the next step of STREAM_TLS_WAIT and STREAM_HANDSHAKE. */
void stream_tls_step(struct stream *s);

/* stream_end.c: the next step of STREAM_FINISH_*. */
void stream_finish_step(struct stream *s, int what);
/* Forgets the finish part of a stream that is being freed. */
void stream_finish_forget(struct stream *s);

#endif
