/*
 * What clients send in SASL exchanges, read only as far as authd must know
 * before it can start: who wants in, and as whom. PLAIN (RFC 4616) is read
 * whole, of SCRAM (RFC 5802) the client-first-message's head. Owns nothing:
 * spans point into the message, names into the caller's buf.
 */
#ifndef AUTHD_MESSAGE_H
#define AUTHD_MESSAGE_H

#include "base/buf.h"
#include "base/span.h"

#define MESSAGE_MAX		4096	/* longest client message we take */

struct plain_message {
	struct span authzid;	/* may be empty */
	struct span authcid;
	struct span password;	/* any bytes but NUL */
};

/* authzid NUL authcid NUL password; false when it is not that. */
bool message_plain(struct span in, struct plain_message *m) MUST_CHECK;

enum scram_binding {
	SCRAM_UNBOUND,		/* n: the client does not bind */
	SCRAM_COULD,		/* y: it would, but believes we do not */
	SCRAM_BOUND		/* p=NAME */
};

struct scram_first {
	enum scram_binding binding;
	struct span binding_type;	/* of SCRAM_BOUND */
	struct span authzid;		/* decoded; may be empty */
	struct span authcid;		/* decoded */
};

/* Decoded names are put into `names` (emptied first). */
bool message_scram_first(struct span in, struct buf *names,
    struct scram_first *m) MUST_CHECK;
/* Is it formed like a client-final-message (c=...,r=...,[...,]p=...)? */
bool message_scram_final(struct span in) MUST_CHECK;

#endif
