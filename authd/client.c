#include "authd/client.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"

#define CLIENT_MAGIC	0x636c6965u

struct client {
	uint32_t magic;
	struct exchange_env *env;
	struct ipc *ipc;
	struct map *waiters;		/* request id -> struct waiter */
	void (*gone)(struct client *c, void *arg);
	void *arg;
};

struct waiter {
	struct client *client;
	uint64_t id;
	struct exchange *ex;
};

static void
waiter_drop(struct waiter *w)
{
	(void)map_del_u64(w->client->waiters, w->id);
	free(w);
}

static void
challenge_cb(void *arg, struct span challenge)
{
	struct waiter *w = arg;

	PROTO_SEND(w->client->ipc, w->id, AUTH_CHALLENGE, auth_challenge,
	    .challenge = challenge);
}

static void
result_cb(void *arg, const struct exchange_outcome *o)
{
	struct waiter *w = arg;

	PROTO_SEND(w->client->ipc, w->id, AUTH_RESULT, auth_result,
	    .result = (uint8_t)o->verdict, .mailbox_id = o->mailbox_id,
	    .user = o->user, .final = o->final, .ticket = o->ticket,
	    .quota_bytes = o->quota_bytes,
	    .quota_messages = o->quota_messages);
	waiter_drop(w);		/* the exchange frees itself */
}

static const struct exchange_cbs exchange_cbs = { challenge_cb, result_cb };

/* --- what workers ask --- */

static int
start_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);
	struct msg_auth_start start;
	struct waiter *w;

	if (!msg_auth_start_unpack(m->body, &start) ||
	    map_get_u64(c->waiters, m->id) != NULL)
		return PS_ESYNTAX;
	if (map_count(c->waiters) >= CLIENT_EXCHANGES_MAX) {
		PROTO_SEND(ipc, m->id, AUTH_RESULT, auth_result,
		    .result = AUTH_TEMP);
		return 0;
	}
	w = xcalloc(1, sizeof(*w));
	w->client = c;
	w->id = m->id;
	(void)map_put_u64(c->waiters, w->id, w);
	w->ex = exchange_start(c->env, &start, &exchange_cbs, w);
	return 0;
}

static int
step_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);
	struct msg_auth_step step;
	struct waiter *w = map_get_u64(c->waiters, m->id);

	(void)ipc;
	if (!msg_auth_step_unpack(m->body, &step))
		return PS_ESYNTAX;
	if (w != NULL)		/* else its result has crossed the step */
		exchange_step(w->ex, step.response);
	return 0;
}

static int
cancel_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);
	struct msg_auth_cancel cancel;
	struct waiter *w = map_get_u64(c->waiters, m->id);

	(void)ipc;
	if (!msg_auth_cancel_unpack(m->body, &cancel))
		return PS_ESYNTAX;
	if (w != NULL) {
		exchange_cancel(&w->ex);
		waiter_drop(w);
	}
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_AUTH_START, start_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_STEP, step_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_CANCEL, cancel_cb, IPC_ANY_PHASE },
};

/* --- life --- */

static void
closed_cb(struct ipc *ipc, void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);

	(void)ipc;
	c->gone(c, c->arg);
}

struct client *
client_new(struct exchange_env *env, int fd, const char *name,
    void (*gone)(struct client *c, void *arg), void *arg)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->magic = CLIENT_MAGIC;
	c->env = env;
	c->gone = gone;
	c->arg = arg;
	c->waiters = map_new();
	c->ipc = ipc_new(env->loop, fd, name, handlers, ARRAY_LEN(handlers),
	    closed_cb, c);
	return c;
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;
	struct span key;
	size_t pos = 0;
	void *v;

	if (c == NULL)
		return;
	*cp = NULL;
	while (map_next(c->waiters, &pos, &key, &v)) {
		struct waiter *w = v;

		exchange_cancel(&w->ex);
		free(w);
	}
	map_free(&c->waiters);
	ipc_free(&c->ipc);
	c->magic = 0;
	free(c);
}

void
client_revoke(struct client *c, uint64_t mailbox_id)
{
	PROTO_SEND(c->ipc, 0, AUTH_REVOKE, auth_revoke,
	    .mailbox_id = mailbox_id);
}
