#include "smtpd/limits.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "smtpd/keeper_ask.h"

/* --- the limits as data --- */

enum limit {
	LIMIT_CONNECTIONS, LIMIT_CONNECT_RATE, LIMIT_MESSAGE, LIMIT_RECIPIENT,
	LIMIT_AUTH, LIMIT_HANDSHAKE, LIMIT_NEWTLS, LIMITS
};

/* What a reply says of the client. */
enum who { WHO_ADDRESS, WHO_PEER };

static const struct {
	enum keeper_event event;
	bool peek;		/* a question, not an event */
	bool ends;		/* the session ends with the reply */
	size_t offset;		/* of the parameter in struct conf */
	const char *warning;	/* before ": N from PEER for service NAME" */
	const char *reply;	/* before "PEER"; "421" names us as well */
	enum who who;
} limits[LIMITS] = {
#define AT(member)	offsetof(struct conf, member)
	[LIMIT_CONNECTIONS] = { KEEPER_CONNECT, false, true,
	    AT(smtpd_client_connection_count_limit),
	    "Connection concurrency limit exceeded",
	    "too many connections", WHO_ADDRESS },
	[LIMIT_CONNECT_RATE] = { KEEPER_CONNECT, false, true,
	    AT(smtpd_client_connection_rate_limit),
	    "Connection rate limit exceeded",
	    "too many connections", WHO_ADDRESS },
	[LIMIT_MESSAGE] = { KEEPER_MESSAGE, false, false,
	    AT(smtpd_client_message_rate_limit),
	    "Message delivery request rate limit exceeded",
	    "450 4.7.1 Error: too much mail", WHO_ADDRESS },
	[LIMIT_RECIPIENT] = { KEEPER_RECIPIENT, false, false,
	    AT(smtpd_client_recipient_rate_limit),
	    "Recipient address rate limit exceeded",
	    "450 4.7.1 Error: too many recipients", WHO_ADDRESS },
	[LIMIT_AUTH] = { KEEPER_AUTH, false, false,
	    AT(smtpd_client_auth_rate_limit),
	    "AUTH command rate limit exceeded",
	    "450 4.7.1 Error: too many AUTH commands", WHO_ADDRESS },
	[LIMIT_HANDSHAKE] = { KEEPER_NEWTLS, true, false,
	    AT(smtpd_client_new_tls_session_rate_limit), NULL,
	    "454 4.7.0 Error: too many new TLS sessions", WHO_PEER },
	[LIMIT_NEWTLS] = { KEEPER_NEWTLS, false, true,
	    AT(smtpd_client_new_tls_session_rate_limit),
	    "New TLS session rate limit exceeded",
	    "too many new TLS sessions", WHO_PEER },
#undef AT
};

/* One question, from asking to its answer. */
struct limit_ask {
	uint64_t id;		/* in srv->keeper_waits; 0: answered */
	enum limit limit;
	unsigned keeper;	/* srv->n_keepers when it was asked */
	bool waiting;		/* the session is parked for it */
	struct keeper_counts counts;
	limits_fn *then;
	char *args;
	size_t n_args;
};

static uint32_t
limit_of(const struct session *s, enum limit l)
{
	int64_t n;

	memcpy(&n, (const char *)session_conf(s) + limits[l].offset,
	    sizeof(n));
	return (uint32_t)n;
}

/* --- the verdict --- */

static bool
exceeded(const struct session *s, enum limit l, uint32_t n)
{
	uint32_t most = limit_of(s, l);

	return most > 0 && n > most;
}

static enum step
refuse(struct session *s, enum limit l, uint32_t n)
{
	const struct conf *conf = session_conf(s);
	const char *peer = session_peer(s);

	if (limits[l].warning != NULL)
		log_warning("%s: %u from %s for service %s",
		    limits[l].warning, n, peer, conf->name);
	else
		log_warning("Refusing %s request from %s for service %s",
		    conf->smtpd_tls_wrappermode ? "TLS service" : "STARTTLS",
		    peer, conf->name);
	/* Nothing in the clear where TLS comes first. */
	if (conf->smtpd_tls_wrappermode && !s->tls)
		return STEP_CLOSE;
	if (limits[l].who == WHO_ADDRESS)
		peer = s->ip;
	if (limits[l].ends)
		session_replyf(s, "421 4.7.0 %s Error: %s from %s",
		    conf->myhostname, limits[l].reply, peer);
	else
		session_replyf(s, "%s from %s", limits[l].reply, peer);
	return limits[l].ends ? STEP_CLOSE : STEP_NEXT;
}

/* What was asked is known, as well as it will be. */
static enum step
resume(struct session *s)
{
	struct limit_ask *a = s->limit_ask;
	enum step st;

	s->limit_ask = NULL;
	if (a->id != 0)
		(void)map_del_u64(s->srv->keeper_waits, a->id);
	if (a->limit == LIMIT_CONNECTIONS && s->counted &&
	    exceeded(s, LIMIT_CONNECTIONS, a->counts.connections))
		st = refuse(s, LIMIT_CONNECTIONS, a->counts.connections);
	else if (a->limit == LIMIT_CONNECTIONS && s->counted &&
	    exceeded(s, LIMIT_CONNECT_RATE, a->counts.rate))
		st = refuse(s, LIMIT_CONNECT_RATE, a->counts.rate);
	else if (a->limit != LIMIT_CONNECTIONS &&
	    exceeded(s, a->limit, a->counts.rate))
		st = refuse(s, a->limit, a->counts.rate);
	else
		st = a->then(s, span_of(a->args, a->n_args));
	free(a->args);
	free(a);
	return st;
}

/* For a while nobody waits for it again. */
static enum step
no_answer(struct session *s)
{
	keeper_mute(s->srv, s->limit_ask->keeper);
	return resume(s);
}

/* Parks until the answer has come, or is not to be waited for. */
static enum step
wait_for_answer(struct session *s, limits_fn *then)
{
	s->limit_ask->then = then;
	if (s->limit_ask->id == 0)
		return resume(s);
	s->limit_ask->waiting = true;
	return session_nap(s, s->srv->keeper_timeout_ms, no_answer);
}

static void
answered(struct session *s)
{
	s->limit_ask->id = 0;
	if (!s->limit_ask->waiting)
		return;
	timer_clear(&s->nap);
	s->after = NULL;
	session_continue(s, resume(s));
}

/* --- counting --- */

/* A peer that speaks for others by XCLIENT is none of them. */
static bool
is_exempt(const struct session *s, const char *name)
{
	return s->may_xclient || client_list_match(
	    gate_exceptions(s->prof->gate), name, s->ip, &s->addr);
}

/* Counts here and there. `ask` makes s->limit_ask, with our own count until
 * a better one comes. */
static void
count(struct session *s, enum limit l, bool ask)
{
	struct server *srv = s->srv;
	struct span key = keeper_key_span(&s->client);
	struct ipc *keeper = keeper_wire(srv);
	struct keeper_counts own;
	uint64_t now = loop_now_ms(srv->loop);
	uint64_t id = ask && keeper != NULL && now >= srv->keeper_mute_ms ?
	    ipc_next_id() : 0;

	(void)keeper_count(srv->own_counts, key, limits[l].event,
	    limits[l].peek, now, &own);
	if (keeper != NULL && (id != 0 || !limits[l].peek))
		PROTO_SEND(keeper, id, KEEPER_COUNT, keeper_count,
		    .event = (uint8_t)limits[l].event,
		    .peek = limits[l].peek, .ask = id != 0, .key = key);
	if (!ask)
		return;
	ps_assert(s->limit_ask == NULL);
	s->limit_ask = xcalloc(1, sizeof(*s->limit_ask));
	s->limit_ask->limit = l;
	s->limit_ask->counts = own;
	s->limit_ask->id = id;
	s->limit_ask->keeper = srv->n_keepers;
	if (id != 0)
		(void)map_put_u64(srv->keeper_waits, id, s);
}

static enum step
check(struct session *s, enum limit l, struct span args, limits_fn *then)
{
	if (limit_of(s, l) == 0 || is_exempt(s, s->name))
		return then(s, args);
	count(s, l, true);
	if (args.n > 0) {
		s->limit_ask->args = xmemdup0(args.p, args.n);
		s->limit_ask->n_args = args.n;
	}
	return wait_for_answer(s, then);
}

/* --- connections --- */

void
limits_connect(struct session *s)
{
	const struct conf *conf = session_conf(s);

	keeper_key_set(&s->client, &s->addr,
	    (unsigned)conf->smtpd_client_ipv4_prefix_length,
	    (unsigned)conf->smtpd_client_ipv6_prefix_length,
	    span_str(conf->name));
	if (is_exempt(s, NULL))
		return;
	s->counted = true;
	count(s, LIMIT_CONNECTIONS, limit_of(s, LIMIT_CONNECTIONS) > 0 ||
	    limit_of(s, LIMIT_CONNECT_RATE) > 0);
}

enum step
limits_connected(struct session *s, limits_fn *then)
{
	/* Exempt by its name: as if it had never been counted. */
	if (s->counted && is_exempt(s, s->name))
		limits_gone(s);
	if (s->limit_ask == NULL)
		return then(s, SPAN_NONE);
	return wait_for_answer(s, then);
}

void
limits_gone(struct session *s)
{
	struct server *srv = s->srv;
	struct span key = keeper_key_span(&s->client);

	if (!s->counted)
		return;
	s->counted = false;
	keeper_gone(srv->own_counts, key, 1, loop_now_ms(srv->loop));
	if (keeper_wire(srv) != NULL)
		PROTO_SEND(srv->keeper, 0, KEEPER_GONE, keeper_gone,
		    .key = key);
}

/* --- commands --- */

enum step
limits_check(struct session *s, enum keeper_event event, struct span args,
    limits_fn *then)
{
	enum limit l;

	for (l = LIMIT_MESSAGE; l < LIMIT_HANDSHAKE; l++)
		if (limits[l].event == event)
			return check(s, l, args, then);
	ps_assert(!"an event of a command");
	return STEP_CLOSE;
}

enum step
limits_handshake(struct session *s, struct span args, limits_fn *then)
{
	return check(s, LIMIT_HANDSHAKE, args, then);
}

enum step
limits_new_tls(struct session *s, limits_fn *then)
{
	return check(s, LIMIT_NEWTLS, SPAN_NONE, then);
}

void
limits_failed_tls(struct session *s)
{
	if (limit_of(s, LIMIT_NEWTLS) > 0 && !is_exempt(s, s->name))
		count(s, LIMIT_NEWTLS, false);
}

void
limits_forget(struct session *s)
{
	struct limit_ask *a = s->limit_ask;

	s->limit_ask = NULL;
	if (a == NULL)
		return;
	if (a->id != 0)
		(void)map_del_u64(s->srv->keeper_waits, a->id);
	free(a->args);
	free(a);
}

/* --- gatekeeper --- */

int
limits_counted_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_keeper_counted in;
	struct session *s;

	if (!msg_keeper_counted_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(srv->keeper_waits, m->id);
	if (s == NULL)
		return 0;		/* late, or its session has gone */
	srv->keeper_mute_ms = 0;
	if (in.known)
		s->limit_ask->counts = (struct keeper_counts){
			.connections = in.connections, .rate = in.rate };
	answered(s);
	return 0;
}

void
limits_keeper_lost(struct server *srv)
{
	struct span key;
	void *s;
	size_t pos;

	while (pos = 0, map_next(srv->keeper_waits, &pos, &key, &s)) {
		(void)map_del(srv->keeper_waits, key);
		answered(s);
	}
}

void
limits_keeper_came(struct server *srv)
{
	struct span key;
	uint32_t n;
	size_t pos = 0;

	srv->n_keepers++;
	srv->keeper_mute_ms = 0;
	while (keeper_next(srv->own_counts, &pos, &key, &n))
		PROTO_SEND(srv->keeper, 0, KEEPER_HELD, keeper_held,
		    .connections = n, .key = key);
}

void
limits_configure(struct server *srv, const struct conf *conf)
{
	keeper_configure(srv->own_counts,
	    (size_t)conf->gatekeeper_cache_entries,
	    (uint64_t)conf->anvil_rate_time_unit);
	srv->keeper_timeout_ms = (uint64_t)conf->gatekeeper_timeout;
	keeper_asks_hurry(srv, srv->keeper_timeout_ms);
}
