/*
 * The live sessions of one process, for `postern session list|kick`.
 * The process embeds a link in each session, and owns the session.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "base/loop.h"
#include "base/span.h"

struct live;

struct live_link {
	TAILQ_ENTRY(live_link) link;	/* private */
	uint64_t since_ms, touched_ms;	/* private; monotonic */
};

/* What is told of a session; NULL or "" is not told. Lent for the call. */
struct live_facts {
	const char *id;			/* as in the log */
	const char *service;		/* "smtp" or "imap" */
	const char *ip;
	const char *user;		/* logged in as */
	const char *tls;		/* "TLSv1.3" */
	const char *state;		/* "idle", "data" */
	struct span mailbox;		/* selected folder; the last sender */
};

struct live_ops {
	void (*facts)(struct live_link *l, struct live_facts *out);
	/* Ends it politely, now or as soon as it can be ended. It may be gone
	 * when this returns. */
	void (*kick)(struct live_link *l);
};

/* `process`: "imapd/1", for rows. */
struct live *live_new(struct loop *l, const char *process,
    const struct live_ops *ops);
/* All sessions have left. */
void live_free(struct live **live);
void live_name(struct live *live, const char *process);	/* a better one */

void live_enter(struct live *live, struct live_link *l);
void live_leave(struct live *live, struct live_link *l);
/* Its client did something. */
void live_touch(struct live *live, struct live_link *l);

/* A CLI's connection (ROLE_CONTROL); takes fd. */
void live_control(struct live *live, int fd);

/* --- filters, for the test --- */

/*
 * Words KEY=VALUE, all of which must hold: id, user (an address, or @DOMAIN),
 * ip (an address or ADDRESS/BITS), service, and any: an id, user or ip.
 */
struct live_filter;
struct live_filter *live_filter_new(struct span args, const char **why);
void live_filter_free(struct live_filter **f);
bool live_filter_match(const struct live_filter *f,
    const struct live_facts *facts);

#endif
