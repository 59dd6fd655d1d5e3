/*
 * The envelope: what is known of a message besides its text. smtpd builds it,
 * the journal stores it packed in front of the body, qmgr, deliver and relay
 * read it. Spans are lent in both directions: packing copies, unpacking
 * points into the source. Caps keep what a peer can make us store bounded;
 * an envelope over a cap does not pack and does not unpack.
 */
#ifndef SPOOL_ENVELOPE_H
#define SPOOL_ENVELOPE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "spool/queueid.h"

#define ENVELOPE_ADDRESS_MAX	1024
#define ENVELOPE_TEXT_MAX	1024	/* names, helo, sasl user, ORCPT */
#define ENVELOPE_RCPT_MAX	100000
#define ENVELOPE_PACKED_MAX	(16u * 1024 * 1024)

enum envelope_flags {
	ENVELOPE_8BITMIME = 1,		/* BODY=8BITMIME */
	ENVELOPE_SMTPUTF8 = 2,
	ENVELOPE_TLS = 4,		/* came in over TLS */
	ENVELOPE_INTERNAL = 8,		/* made by us (bounce, notice) */
	ENVELOPE_HOLD = 16		/* an access rule says so; see hold */
};

enum envelope_ret { ENVELOPE_RET_NONE = 0, ENVELOPE_RET_FULL,
	ENVELOPE_RET_HDRS };		/* RFC 3461 4.3 */

enum envelope_rcpt_kind {
	ENVELOPE_MAILBOX = 0,		/* mailbox_id says where */
	ENVELOPE_EXTERNAL = 1		/* `final` says where; route later */
};

/* DSN NOTIFY bits (RFC 3461 4.1); 0 = not given. */
enum envelope_notify {
	ENVELOPE_NOTIFY_NEVER = 1, ENVELOPE_NOTIFY_SUCCESS = 2,
	ENVELOPE_NOTIFY_FAILURE = 4, ENVELOPE_NOTIFY_DELAY = 8
};

/* One final destination (J9). Several addresses that lead to one mailbox are
 * one recipient. */
struct envelope_rcpt {
	enum envelope_rcpt_kind kind;
	uint64_t mailbox_id;		/* MAILBOX only, else 0 */
	struct span orig;		/* as given at RCPT, without <> */
	struct span final;		/* after expansion */
	unsigned notify;
	struct span orcpt;		/* "rfc822;a@b", "" = not given */
	uint64_t quota_bytes;		/* limits when accepted, 0 = none */
	uint64_t quota_messages;
};

struct envelope {
	char queue_id[QUEUE_ID_LEN + 1];
	int64_t arrival_us;		/* wall clock, microseconds */
	unsigned flags;			/* enum envelope_flags */
	enum envelope_ret ret;
	struct span envid;		/* ENVID, "" = not given */
	struct span sender;		/* "" = null sender <> */
	struct span client_name, client_ip, helo;
	struct span proto;		/* "ESMTPS" as in Received */
	struct span sasl_user;		/* "" = not authenticated */
	struct span hold;		/* why it is held; "" without HOLD */
	struct span filter;		/* transport:destination it must pass
					 * first; "" = none */
	uint64_t body_size;		/* bytes as stored, CRLF, with our
					 * Received header */
	struct envelope_rcpt *rcpt;
	uint32_t n_rcpt;
};

/* Is it kept from delivery until somebody releases it? A filter counts too:
 * there are no transports yet, and mail must not get past one unnoticed. */
static inline bool
envelope_is_held(const struct envelope *e)
{
	return (e->flags & ENVELOPE_HOLD) != 0 || e->filter.n > 0;
}

/* Appends the packed form. PS_ETOOBIG when something is over its cap,
 * PS_ESYNTAX when the queue id or a kind is not valid; out then holds what it
 * held. */
int envelope_pack(const struct envelope *e, struct buf *out, struct err *err)
    MUST_CHECK;
/* Fills *e from exactly these bytes; e->rcpt is allocated, free it with
 * envelope_fini. PS_ESYNTAX on anything malformed (e is then empty). */
int envelope_unpack(struct span packed, struct envelope *e, struct err *err)
    MUST_CHECK;
/* Frees the recipient array of an unpacked envelope. */
void envelope_fini(struct envelope *e);

#endif
