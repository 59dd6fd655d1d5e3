/*
 * One SMTP session: what every command file shares.
 *
 * Always true:
 *  1. A handler returns what should happen next; only session.c closes and
 *     frees a session.
 *  2. A parked session reads nothing; it goes on by session_continue(), which
 *     is called from the loop, never from inside a handler.
 *  3. What is asked of others holds a request that session_forget() cancels,
 *     so that a late answer finds nobody.
 *  4. An idle session holds no buffer: the stream gives its own back, and
 *     transaction and judge are taken from the server's spares when needed.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "base/loop.h"
#include "live/live.h"
#include "net/ccert.h"
#include "net/client_name.h"
#include "net/line.h"
#include "net/stream.h"
#include "smtpd/first.h"
#include "smtpd/judge.h"
#include "smtpd/keeper.h"
#include "smtpd/server.h"
#include "smtpd/txn.h"

#define SESSION_MAGIC	0x73657373u
#define HELO_MAX	255
#define COMMANDS_MAX	20

enum session_state {
	SESSION_CONNECT,	/* before the greeting */
	SESSION_COMMAND,	/* the next line is a command */
	SESSION_AUTH,		/* the next line is a SASL response */
	SESSION_DATA,		/* text until the dot */
	SESSION_CHUNK,		/* bytes of a BDAT chunk */
	SESSION_TLS,		/* a handshake is under way */
	SESSION_STATES
};

enum step { STEP_NEXT, STEP_MORE_INPUT, STEP_PARKED, STEP_CLOSE };

struct command;
struct limit_ask;
struct sasl;
struct session;
/* Goes on when a nap is over or a judge has its verdict. */
typedef enum step step_fn(struct session *s);

struct endpoint {
	char ip[48], port[6];
};

/* What XFORWARD has said about the next message; "" is nothing. */
struct forward {
	char name[256], ip[48], ident[256];
};

struct session {
	uint32_t magic;
	struct server *srv;
	struct profile *prof;	/* the settings it began with; referenced */
	struct stream *stream;
	TAILQ_ENTRY(session) link;
	struct live_link live;
	enum session_state state;
	bool parked;
	bool stuck;		/* parked: the client does not read */
	bool running;		/* session_run is on the stack */
	bool esmtp, tls, shut;
	bool lacks_ccert;	/* that we require; told at its next command */
	bool tls_dropped;	/* plain bytes came behind STARTTLS (S3) */
	bool refused;		/* by the client list: QUIT only */
	bool talked_ahead;	/* did not wait for a reply, once */
	uint8_t tls_fails;
	uint16_t errors, junk;
	uint16_t n_messages;	/* queue ids given out */
	const struct command *cmd;	/* the one being carried out */
	bool failed;			/* it got a 4xx or 5xx */
	size_t reply_at;		/* where its reply begins in out */
	const char *where;		/* for the log: "RCPT" */
	struct line_reader line;
	uint32_t in_limit;		/* stream_in_limit */
	char id[SESSION_ID_LEN + 1];
	char ip[48], port[6];	/* the client's */
	struct net_addr addr;
	struct endpoint own;	/* where it reached us */
	char *name;		/* "unknown" or the confirmed host name */
	char *reverse_name;	/* unconfirmed; NULL: as name */
	enum client_name_state name_state, reverse_state;
	char *helo;		/* NULL before HELO */
	uint64_t deadline_ms, ends_ms;
	struct timer timer;	/* deadline_ms and ends_ms */
	uint64_t timer_at_ms;	/* when it fires: then or before */
	struct timer nap;
	step_fn *after;		/* when the nap is over */
	char *held;		/* a reply the nap holds back */
	size_t held_n;
	struct client_name_ask *name_ask;
	/* limits.c */
	struct limit_ask *limit_ask;	/* what gatekeeper was asked */
	struct keeper_key client;	/* as whom it is counted */
	bool counted;			/* its connection is */
	/* stress.c */
	bool trusted;			/* in mynetworks */
	bool idling;			/* in srv->idlers */
	TAILQ_ENTRY(session) idle_link;
	uint64_t idle_ms;		/* since when it waits for its client */
	struct judge *judge;
	char *carry[CARRY_STAGES];	/* judge_forget */
	struct txn *txn;
	struct sasl *sasl;	/* AUTH in progress */
	char *sasl_user, *sasl_method;
	struct ccert *ccert;	/* the client's certificate; NULL: none */
	uint64_t mailbox_id;	/* of who is logged in; 0 nobody */
	struct directory_ask *login_ask;	/* XCLIENT's: who that is */
	bool may_xclient, may_xforward;		/* it is a listed peer */
	struct forward *forward;
	char *asked;		/* of VRFY or ETRN, while it is judged */
	struct first_verdict first;	/* of its first contact */
	unsigned ehlo_discard;	/* what this client is not told; ehlo.h */
	/* BDAT: bytes of the chunk to come, how many it had in all. */
	uint64_t chunk_left, chunk_size;
	bool chunk_last;	/* BDAT n LAST */
	bool chunk_skip;	/* refused: its bytes are read and dropped */
	struct { uint16_t ok, all; } counts[COMMANDS_MAX];
};

struct sockaddr_storage;
/* "unknown" and "0" for what has no IP address. */
void endpoint_set(struct endpoint *e, const struct sockaddr_storage *ss);
/* Our end of a socket. */
void endpoint_own(struct endpoint *e, int fd);

/* A new connection: takes fd. `to` is where the client reached us; NULL: the
 * socket's own address. Takes what its first contact has shown, if not NULL. */
void session_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from, const struct sockaddr_storage *to,
    struct first_verdict *first);
/* As above with the peer's address known; for tests. */
struct session *session_new(struct server *srv, struct profile *prof,
    struct stream *stream, const char *ip);
/* Names the client, greets. */
void session_start(struct session *s);
/* Its name is known, or will not be. */
void session_named(struct session *s);
/* The client is named and, where that comes first, in TLS. */
enum step session_greeting(struct session *s) MUST_CHECK;
extern const struct stream_cbs session_stream_cbs;

/* starttls.c: may TLS be offered now; begins the handshake; it is done. */
bool session_may_tls(const struct session *s);
void session_tls_begin(struct session *s);
void session_secured(struct session *s);
/* 421: there is no certificate, or none that we trust. */
enum step session_want_ccert(struct session *s) MUST_CHECK;

/* What a handler returns to begin the conversation (anew). */
enum step session_greeting(struct session *s) MUST_CHECK;
/* cmd_xclient.c: what this peer's word counts for; who sent the message to a
 * peer that is listed, for the log (", orig_client=..."). */
void session_trust(struct session *s);
void forward_describe(const struct session *s, struct buf *out);

/* Goes on after STEP_PARKED with what the handler would have returned. */
void session_continue(struct session *s, enum step st);
/* From the loop, not from a handler of s: says 421 and ends. */
void session_kick(struct session *s, const char *reply);
/* The server is stopping: ends now if idle, else after the transaction. */
void session_shut(struct session *s);

/* The one place where the state changes. */
void session_enter(struct session *s, enum session_state next);

/* --- replies; text begins with the code ("250 2.1.0 Ok") --- */
void session_reply(struct session *s, const char *text);
void session_replyf(struct session *s, const char *fmt, ...) PRINTF(2, 3);
/* Other code puts a reply into the output, from here on. */
void session_reply_begins(struct session *s);
/* The reply just given is no error of the client's, whatever its code. */
void session_forgive(struct session *s);

/* Parks for ms, then goes on with `after`. Return its value. */
enum step session_nap(struct session *s, uint64_t ms, step_fn *after)
    MUST_CHECK;

/* --- what others may ask --- */
static inline const struct conf *
session_conf(const struct session *s)
{
	return s->prof->conf;
}
bool session_authenticated(const struct session *s);
/* "mx.example.net[192.0.2.7]", lent from a static buffer. */
const char *session_peer(const struct session *s);
/* The queue id, or "NOQUEUE". */
const char *session_queue_id(const struct session *s);
/* Drops MAIL, recipients and text, releases reservations. */
void session_reset(struct session *s);
/* "NOQUEUE: reject: RCPT from ...: REPLY; from=<..> to=<..> proto= helo=" */
void session_log_reject(struct session *s, const char *stage,
    const char *reply, struct span to);
/* The same with another word than "reject". */
void session_log_note(struct session *s, const char *what, const char *stage,
    const char *text, struct span to);
/* How long the next line may take. */
void session_clock(struct session *s);
/* The same for a text of which n bytes have come: each byte buys time. */
void session_clock_text(struct session *s, size_t n);
/* It may not take longer than that. */
void session_clock_limit(struct session *s, uint64_t at_ms);
void session_clock_tls(struct session *s);	/* the handshake */

#endif
