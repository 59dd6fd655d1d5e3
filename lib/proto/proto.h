/*
 * The messages of messages.def as C: for each X an enum value MSG_X, a
 * struct msg_x, and the pair
 *
 *	void msg_x_pack(struct buf *out, const struct msg_x *m);
 *	bool msg_x_unpack(struct span body, struct msg_x *m);
 *
 * unpack wants exactly the body's bytes and returns false otherwise; its
 * spans point into `body`. For list entries (ENTRY in the list):
 *
 *	void entry_x_pack(struct buf *out, const struct entry_x *e);
 *	bool entry_x_next(struct span *rest, struct entry_x *e);
 *
 * where next cuts one entry off the front and returns false at the end
 * (rest->n == 0) or on a malformed rest (rest->n != 0).
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include "base/buf.h"
#include "base/ipc.h"
#include "base/span.h"

enum msg_type {
	MSG_NONE = 0,
#define BEGIN(X, x)	MSG_##X,
#define ENTRY(x)
#define U8(f)
#define U32(f)
#define U64(f)
#define BYTES(f)
#define END
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END
	MSG_COUNT
};

#define BEGIN(X, x)	struct msg_##x { char unused_;
#define ENTRY(x)	struct entry_##x { char unused_;
#define U8(f)		uint8_t f;
#define U32(f)		uint32_t f;
#define U64(f)		uint64_t f;
#define BYTES(f)	struct span f;
#define END		};
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END

#define BEGIN(X, x) \
	void msg_##x##_pack(struct buf *out, const struct msg_##x *m); \
	bool msg_##x##_unpack(struct span body, struct msg_##x *m) MUST_CHECK;
#define ENTRY(x) \
	void entry_##x##_pack(struct buf *out, const struct entry_##x *m); \
	bool entry_##x##_next(struct span *rest, struct entry_##x *m) \
	    MUST_CHECK;
#define U8(f)
#define U32(f)
#define U64(f)
#define BYTES(f)
#define END
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END

/* "JOB_DELIVER", for the log. */
const char *msg_name(uint16_t type);

/* Packs and sends in one go; `x` is the lower-case message name. Extra
 * arguments are the struct's initialisers:
 *	PROTO_SEND(c, id, QUEUE_DURABLE, queue_durable,
 *	    .segment = 3, .offset = 8192);
 */
#define PROTO_SEND(c, id, X, x, ...)					\
	PROTO_SEND_FDS(c, id, NULL, 0, X, x, __VA_ARGS__)
#define PROTO_SEND_FDS(c, id, fds, nfds, X, x, ...) do {		\
	struct buf ps_out_;						\
	buf_init(&ps_out_, IPC_BODY_MAX);				\
	msg_##x##_pack(&ps_out_,					\
	    &(struct msg_##x){ .unused_ = 0, __VA_ARGS__ });		\
	ps_assert(!buf_failed(&ps_out_));				\
	ipc_send_fds((c), MSG_##X, (id), buf_span(&ps_out_),		\
	    (fds), (nfds));						\
	buf_fini(&ps_out_);						\
} while (0)

enum job_outcome {
	JOB_SENT = 0,
	JOB_DEFERRED = 1,
	JOB_FAILED = 2		/* for good: a bounce */
};

enum quota_verdict {
	QUOTA_OK = 0,
	QUOTA_FULL = 1
};
/* Whose limit it is. */
enum quota_kind {
	QUOTA_MAILBOX = 0,
	QUOTA_DOMAIN = 1,
	QUOTA_ORGANISATION = 2
};

/* What gatekeeper counts. */
enum keeper_event {
	KEEPER_CONNECT = 0,	/* rate; the count goes up as well */
	KEEPER_MESSAGE = 1,	/* MAIL */
	KEEPER_RECIPIENT = 2,	/* RCPT */
	KEEPER_NEWTLS = 3,	/* a handshake without resumption */
	KEEPER_AUTH = 4,
	KEEPER_EVENTS
};

/* What gatekeeper is asked about. */
enum keeper_subject {
	KEEPER_GREYLIST = 0,	/* may this sender pass? */
	KEEPER_PASS,		/* which tests a client has passed */
	KEEPER_VERDICTS,	/* how often a rule said what */
	KEEPER_SUBJECTS
};

enum auth_verdict {
	AUTH_OK = 0,
	AUTH_BAD = 1,		/* 535 5.7.8 */
	AUTH_TEMP = 2,		/* 454 4.7.0, NO [UNAVAILABLE] */
	AUTH_PROTOCOL = 3,	/* malformed exchange: 501 5.5.2, BAD */
	AUTH_NO_MECH = 4,	/* 504 5.5.4 */
	AUTH_LATER = 5		/* too many wrong passwords, of whomever: as
				 * AUTH_TEMP, in other words */
};

#endif
