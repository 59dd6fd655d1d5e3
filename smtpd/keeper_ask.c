#include "smtpd/keeper_ask.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/server.h"

/* A gatekeeper that leaves so much unread has stopped working; waiting for
 * it would only fill our memory. */
#define BACKLOG_MAX	(4 * 1024 * 1024)
/* One that did not answer in time is not waited for so long. */
#define KEEPER_MUTE_MS	5000

/* In the order asked, which is that of their deadlines. */
struct keeper_ask {
	TAILQ_ENTRY(keeper_ask) link;
	struct server *srv;
	uint64_t id, deadline_ms;
	unsigned keeper;		/* srv->n_keepers when it was asked */
	keeper_answer_cb *cb;
	void *arg;
};

/* Who waits for it goes on without it soon. */
struct ipc *
keeper_wire(struct server *srv)
{
	if (srv->keeper != NULL && ipc_backlog(srv->keeper) > BACKLOG_MAX) {
		log_warning("gatekeeper does not read: limits are counted "
		    "by this process alone");
		ipc_free(&srv->keeper);
	}
	return srv->keeper;
}

/* A successor is another matter. */
void
keeper_mute(struct server *srv, unsigned keeper)
{
	if (keeper == srv->n_keepers)
		srv->keeper_mute_ms = loop_now_ms(srv->loop) +
		    KEEPER_MUTE_MS;
}

static void
patience_set(struct server *srv)
{
	struct keeper_ask *a = TAILQ_FIRST(&srv->keeper_asks);
	uint64_t now = loop_now_ms(srv->loop);

	if (a != NULL && !srv->keeper_patience.set)
		timer_set_ms(&srv->keeper_patience,
		    a->deadline_ms > now ? a->deadline_ms - now : 0);
}

static void
forget(struct keeper_ask *a)
{
	TAILQ_REMOVE(&a->srv->keeper_asks, a, link);
	(void)map_del_u64(a->srv->keeper_asked, a->id);
	free(a);
}

static void
tell(struct keeper_ask *a, struct span body)
{
	keeper_answer_cb *cb = a->cb;
	void *arg = a->arg;

	forget(a);
	cb(body, arg);
}

static void
patience_cb(void *arg)
{
	struct server *srv = arg;
	uint64_t now = loop_now_ms(srv->loop);
	struct keeper_ask *a;

	while ((a = TAILQ_FIRST(&srv->keeper_asks)) != NULL &&
	    a->deadline_ms <= now) {
		keeper_mute(srv, a->keeper);
		tell(a, SPAN_NONE);
	}
	patience_set(srv);
}

void
keeper_asks_hurry(struct server *srv, uint64_t ms)
{
	uint64_t latest = loop_now_ms(srv->loop) + ms;
	struct keeper_ask *a;

	TAILQ_FOREACH(a, &srv->keeper_asks, link)
		a->deadline_ms = MIN(a->deadline_ms, latest);
	timer_clear(&srv->keeper_patience);
	patience_set(srv);
}

struct keeper_ask *
keeper_ask(struct server *srv, enum keeper_subject subject, struct span body,
    keeper_answer_cb *cb, void *arg)
{
	struct ipc *wire = keeper_wire(srv);
	uint64_t now = loop_now_ms(srv->loop);
	struct keeper_ask *a;

	if (wire == NULL || now < srv->keeper_mute_ms)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	*a = (struct keeper_ask){ .srv = srv, .id = ipc_next_id(),
	    .deadline_ms = now + srv->keeper_timeout_ms,
	    .keeper = srv->n_keepers, .cb = cb, .arg = arg };
	TAILQ_INSERT_TAIL(&srv->keeper_asks, a, link);
	(void)map_put_u64(srv->keeper_asked, a->id, a);
	PROTO_SEND(wire, a->id, KEEPER_ASK, keeper_ask,
	    .subject = (uint8_t)subject, .ask = 1, .body = body);
	patience_set(srv);
	return a;
}

void
keeper_ask_cancel(struct keeper_ask **ap)
{
	struct keeper_ask *a = *ap;

	*ap = NULL;
	if (a != NULL)
		forget(a);
}

void
keeper_tell(struct server *srv, enum keeper_subject subject, struct span body)
{
	struct ipc *wire = keeper_wire(srv);

	if (wire != NULL)
		PROTO_SEND(wire, 0, KEEPER_ASK, keeper_ask,
		    .subject = (uint8_t)subject, .body = body);
}

int
keeper_answer_message_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_keeper_answer in;
	struct keeper_ask *a;

	if (!msg_keeper_answer_unpack(m->body, &in))
		return PS_ESYNTAX;
	a = map_get_u64(srv->keeper_asked, m->id);
	if (a == NULL)
		return 0;		/* late, or of no interest any more */
	srv->keeper_mute_ms = 0;
	tell(a, in.body.p == NULL ? span_of("", 0) : in.body);
	return 0;
}

void
keeper_asks_init(struct server *srv)
{
	TAILQ_INIT(&srv->keeper_asks);
	srv->keeper_asked = map_new();
	timer_init(&srv->keeper_patience, srv->loop, patience_cb, srv);
}

void
keeper_asks_fini(struct server *srv)
{
	struct keeper_ask *a;

	while ((a = TAILQ_FIRST(&srv->keeper_asks)) != NULL)
		forget(a);
	timer_clear(&srv->keeper_patience);
	map_free(&srv->keeper_asked);
}
