#include "smtpd/keeper_serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"

/* A worker that leaves so much unread gets no more answers: it goes on with
 * its own counts. */
#define BACKLOG_MAX	(1024 * 1024)
#define ANSWER_MAX	65536

/* A worker. */
struct peer {
	TAILQ_ENTRY(peer) link;
	struct keeper_server *server;
	struct ipc *c;
	struct map *held;	/* key -> connections */
};

struct subject {
	keeper_subject_fn *fn;		/* NULL: nobody */
	void *arg;
};

struct keeper_server {
	struct loop *loop;
	struct keeper *k;
	TAILQ_HEAD(, peer) peers;
	size_t n_peers;
	uint64_t events;
	struct subject subjects[KEEPER_SUBJECTS];
	struct buf answer;		/* the present one */
};

/* --- what a worker holds --- */

static void
peer_hold(struct peer *p, struct span key, uint32_t n)
{
	uintptr_t have = (uintptr_t)map_get(p->held, key);

	(void)map_put(p->held, key, (void *)(have + n));
}

/* False: it held no such connection. */
static bool
peer_release(struct peer *p, struct span key)
{
	uintptr_t have = (uintptr_t)map_get(p->held, key);

	if (have > 1)
		(void)map_put(p->held, key, (void *)(have - 1));
	else if (have == 1)
		(void)map_del(p->held, key);
	return have > 0;
}

static void
peer_free(struct peer *p)
{
	struct keeper_server *s = p->server;
	uint64_t now = loop_now_ms(s->loop);
	struct span key;
	void *n;
	size_t pos = 0;

	while (map_next(p->held, &pos, &key, &n))
		keeper_gone(s->k, key, (uint32_t)MIN((uintptr_t)n,
		    (uintptr_t)UINT32_MAX), now);
	map_free(&p->held);
	TAILQ_REMOVE(&s->peers, p, link);
	s->n_peers--;
	ipc_free(&p->c);
	free(p);
}

/* --- messages --- */

static int
count_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct peer *p = arg;
	struct keeper_server *s = p->server;
	struct msg_keeper_count in;
	struct keeper_counts out;
	bool known;

	if (!msg_keeper_count_unpack(m->body, &in) ||
	    in.event >= KEEPER_EVENTS || !keeper_key_valid(in.key))
		return PS_ESYNTAX;
	s->events++;
	known = keeper_count(s->k, in.key, in.event, in.peek,
	    loop_now_ms(s->loop), &out);
	if (known && in.event == KEEPER_CONNECT && !in.peek)
		peer_hold(p, in.key, 1);
	if (in.ask && ipc_backlog(c) < BACKLOG_MAX)
		PROTO_SEND(c, m->id, KEEPER_COUNTED, keeper_counted,
		    .known = known, .connections = out.connections,
		    .rate = out.rate);
	return 0;
}

static int
gone_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct peer *p = arg;
	struct keeper_server *s = p->server;
	struct msg_keeper_gone in;

	if (!msg_keeper_gone_unpack(m->body, &in) ||
	    !keeper_key_valid(in.key))
		return PS_ESYNTAX;
	s->events++;
	/* There may have been no room for it when it came. */
	if (peer_release(p, in.key))
		keeper_gone(s->k, in.key, 1, loop_now_ms(s->loop));
	return 0;
}

static int
held_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct peer *p = arg;
	struct keeper_server *s = p->server;
	struct msg_keeper_held in;

	if (!msg_keeper_held_unpack(m->body, &in) ||
	    !keeper_key_valid(in.key) || in.connections == 0)
		return PS_ESYNTAX;
	s->events++;
	if (keeper_held(s->k, in.key, in.connections, loop_now_ms(s->loop)))
		peer_hold(p, in.key, in.connections);
	return 0;
}

static int
ask_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct peer *p = arg;
	struct keeper_server *s = p->server;
	struct msg_keeper_ask in;
	const struct subject *is;
	int rc;

	if (!msg_keeper_ask_unpack(m->body, &in) ||
	    in.subject >= KEEPER_SUBJECTS)
		return PS_ESYNTAX;
	s->events++;
	is = &s->subjects[in.subject];
	buf_clear(&s->answer);
	/* without it there is an empty answer: nobody need wait for none */
	if (is->fn != NULL && (rc = is->fn(in.body, &s->answer, is->arg)) != 0)
		return rc;
	if (in.ask && ipc_backlog(c) < BACKLOG_MAX)
		PROTO_SEND(c, m->id, KEEPER_ANSWER, keeper_answer,
		    .body = buf_span(&s->answer));
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_KEEPER_COUNT, count_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_GONE, gone_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_HELD, held_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_ASK, ask_cb, IPC_ANY_PHASE },
};

static void
closed_cb(struct ipc *c, void *arg)
{
	peer_free(arg);
}

/* --- life --- */

struct keeper_server *
keeper_server_new(struct loop *l, struct keeper *k)
{
	struct keeper_server *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->k = k;
	TAILQ_INIT(&s->peers);
	buf_init(&s->answer, ANSWER_MAX);
	return s;
}

void
keeper_server_free(struct keeper_server **sp)
{
	struct keeper_server *s = *sp;
	struct peer *p;

	*sp = NULL;
	if (s == NULL)
		return;
	while ((p = TAILQ_FIRST(&s->peers)) != NULL)
		peer_free(p);
	buf_fini(&s->answer);
	free(s);
}

void
keeper_server_subject(struct keeper_server *s, enum keeper_subject subject,
    keeper_subject_fn *fn, void *arg)
{
	s->subjects[subject] = (struct subject){ fn, arg };
}

void
keeper_server_forget(struct keeper_server *s, enum keeper_subject subject,
    struct span key)
{
	struct peer *p;

	TAILQ_FOREACH(p, &s->peers, link)
		if (ipc_backlog(p->c) < BACKLOG_MAX)
			PROTO_SEND(p->c, 0, KEEPER_FORGET, keeper_forget,
			    .subject = (uint8_t)subject, .key = key);
}

void
keeper_server_peer(struct keeper_server *s, unsigned index, int fd)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	char name[32];

	(void)snprintf(name, sizeof(name), "smtpd %u", index);
	p->server = s;
	p->held = map_new();
	p->c = ipc_new(s->loop, fd, name, handlers, ARRAY_LEN(handlers),
	    closed_cb, p);
	TAILQ_INSERT_TAIL(&s->peers, p, link);
	s->n_peers++;
}

size_t
keeper_server_peers(const struct keeper_server *s)
{
	return s->n_peers;
}

uint64_t
keeper_server_events(const struct keeper_server *s)
{
	return s->events;
}
