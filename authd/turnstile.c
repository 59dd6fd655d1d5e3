#include "authd/turnstile.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"

#define NET_KEY_MAX	8

TAILQ_HEAD(turn_list, turn);

struct turn_net {
	TAILQ_ENTRY(turn_net) link;
	struct turn_list waiting;
	size_t n;
	uint8_t key[NET_KEY_MAX];
	size_t key_len;
};

struct turnstile {
	size_t max_running, max_waiting, running, waiting;
	struct map *by_key;
	TAILQ_HEAD(, turn_net) nets;	/* who is next comes first */
	struct turn_list refused;
	struct defer kick;
};

/* Starts as many as may run, one of each network in turn. */
static void
turnstile_kick_cb(void *arg)
{
	struct turnstile *t = arg;
	struct turn_net *net;
	struct turn *turn;

	while ((turn = TAILQ_FIRST(&t->refused)) != NULL) {
		TAILQ_REMOVE(&t->refused, turn, link);
		turn->net = NULL;
		turn->refused(turn->arg);
	}
	while (t->running < t->max_running &&
	    (net = TAILQ_FIRST(&t->nets)) != NULL) {
		turn = TAILQ_FIRST(&net->waiting);
		TAILQ_REMOVE(&t->nets, net, link);
		TAILQ_INSERT_TAIL(&t->nets, net, link);
		turnstile_leave(t, turn);
		t->running++;
		turn->go(turn->arg);
	}
}

struct turnstile *
turnstile_new(struct loop *l, size_t max_running, size_t max_waiting)
{
	struct turnstile *t = xcalloc(1, sizeof(*t));

	t->max_running = max_running;
	t->max_waiting = max_waiting;
	t->by_key = map_new();
	TAILQ_INIT(&t->nets);
	TAILQ_INIT(&t->refused);
	defer_init(&t->kick, l, turnstile_kick_cb, t);
	return t;
}

void
turnstile_free(struct turnstile **tp)
{
	struct turnstile *t = *tp;

	if (t == NULL)
		return;
	ps_assert(t->waiting == 0);
	defer_cancel(&t->kick);
	map_free(&t->by_key);
	free(t);
	*tp = NULL;
}

/* /24 of IPv4, /48 of IPv6; anything else is one network. */
static size_t
net_key(struct span ip, uint8_t key[NET_KEY_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN + 1];
	uint8_t a[16];

	if (ip.n == 0 || ip.n >= sizeof(text))
		return 0;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = '\0';
	if (inet_pton(AF_INET, text, a) == 1) {
		memcpy(key, a, 3);
		return 3;
	}
	if (inet_pton(AF_INET6, text, a) != 1)
		return 0;
	if (memcmp(a, mapped, sizeof(mapped)) == 0) {
		memcpy(key, a + 12, 3);
		return 3;
	}
	memcpy(key, a, 6);
	return 6;
}

static struct turn_net *
net_of(struct turnstile *t, struct span ip)
{
	uint8_t key[NET_KEY_MAX];
	size_t n = net_key(ip, key);
	struct turn_net *net = map_get(t->by_key, span_of(key, n));

	if (net != NULL)
		return net;
	net = xcalloc(1, sizeof(*net));
	TAILQ_INIT(&net->waiting);
	memcpy(net->key, key, n);
	net->key_len = n;
	(void)map_put(t->by_key, span_of(net->key, n), net);
	TAILQ_INSERT_TAIL(&t->nets, net, link);
	return net;
}

static void
net_release(struct turnstile *t, struct turn_net *net)
{
	if (net->n > 0)
		return;
	(void)map_del(t->by_key, span_of(net->key, net->key_len));
	TAILQ_REMOVE(&t->nets, net, link);
	free(net);
}

/* The network with most waiting loses its last one. */
static void
turnstile_push_out(struct turnstile *t)
{
	struct turn_net *net, *longest = TAILQ_FIRST(&t->nets);
	struct turn *last;

	TAILQ_FOREACH(net, &t->nets, link)
		if (net->n > longest->n)
			longest = net;
	last = TAILQ_LAST(&longest->waiting, turn_list);
	turnstile_leave(t, last);
	TAILQ_INSERT_TAIL(&t->refused, last, link);
}

void
turnstile_enter(struct turnstile *t, struct turn *turn, struct span ip)
{
	struct turn_net *net = net_of(t, ip);

	turn->net = net;
	TAILQ_INSERT_TAIL(&net->waiting, turn, link);
	net->n++;
	t->waiting++;
	if (t->waiting > t->max_waiting)
		turnstile_push_out(t);
	defer_call(&t->kick);
}

void
turnstile_leave(struct turnstile *t, struct turn *turn)
{
	struct turn_net *net = turn->net;
	struct turn *r;

	if (net != NULL) {
		turn->net = NULL;
		TAILQ_REMOVE(&net->waiting, turn, link);
		net->n--;
		t->waiting--;
		net_release(t, net);
		return;
	}
	TAILQ_FOREACH(r, &t->refused, link)
		if (r == turn) {
			TAILQ_REMOVE(&t->refused, turn, link);
			return;
		}
}

void
turnstile_done(struct turnstile *t)
{
	ps_assert(t->running > 0);
	t->running--;
	if (t->waiting > 0)
		defer_call(&t->kick);
}

size_t
turnstile_waiting(const struct turnstile *t)
{
	return t->waiting;
}
