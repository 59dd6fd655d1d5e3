#include "smtpd/keeper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define SWEEP_MAX	8	/* forgotten at most per new client */

/* One client. Idle ones (without connections) are in a list, the one that
 * was silent longest in front. */
struct client {
	TAILQ_ENTRY(client) idle;
	uint64_t start_ms;		/* of the present time unit */
	uint64_t last_ms;
	uint32_t connections;
	uint32_t rate[KEEPER_EVENTS];
	struct keeper_key key;
};

struct peak {
	uint32_t value;
	int64_t at_us;
	struct keeper_key key;
};

struct keeper {
	struct map *clients;
	TAILQ_HEAD(, client) idle;
	size_t most;
	uint64_t unit_ms;
	uint64_t connections;
	struct peak rate[KEEPER_EVENTS], held, size;
};

/* --- keys --- */

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

void
keeper_key_set(struct keeper_key *key, const struct net_addr *a, unsigned v4,
    unsigned v6, struct span service)
{
	bool is_v4 = memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
	unsigned bits = MIN(is_v4 ? 96 + v4 : v6, 128u), i;

	for (i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8 ? MIN(bits - i * 8, 8u) : 0;

		key->b[i] = (char)(a->b[i] & (0xff00 >> keep & 0xff));
	}
	key->b[16] = (char)bits;
	service.n = MIN(service.n, (size_t)KEEPER_SERVICE_MAX);
	if (service.n > 0)
		memcpy(key->b + 17, service.p, service.n);
	key->n = (uint8_t)(17 + service.n);
}

bool
keeper_key_valid(struct span key)
{
	return key.n >= 17 && key.n <= KEEPER_KEY_MAX &&
	    (uint8_t)key.p[16] <= 128;
}

void
keeper_key_text(struct span key, struct buf *out)
{
	const uint8_t *a = (const uint8_t *)key.p;
	unsigned bits = a[16];
	char text[INET6_ADDRSTRLEN];

	buf_fmt(out, "%.*s:", (int)(key.n - 17), key.p + 17);
	if (bits >= 96 && memcmp(a, v4_prefix, sizeof(v4_prefix)) == 0) {
		(void)inet_ntop(AF_INET, a + 12, text, sizeof(text));
		buf_str(out, text);
		if (bits < 128)
			buf_fmt(out, "/%u", bits - 96);
		return;
	}
	(void)inet_ntop(AF_INET6, a, text, sizeof(text));
	buf_str(out, text);
	if (bits < 128)
		buf_fmt(out, "/%u", bits);
}

/* --- clients --- */

static void
forget(struct keeper *k, struct client *c)
{
	TAILQ_REMOVE(&k->idle, c, idle);
	(void)map_del(k->clients, keeper_key_span(&c->key));
	free(c);
}

/* Those that nothing is to be known of any more go; a few at a time, so that
 * no single event pays for many. */
static void
sweep(struct keeper *k, uint64_t now)
{
	struct client *c;
	int i;

	for (i = 0; i < SWEEP_MAX; i++) {
		c = TAILQ_FIRST(&k->idle);
		if (c == NULL || c->last_ms + k->unit_ms > now)
			break;
		forget(k, c);
	}
	/* More than one after keeper_configure made the table smaller. */
	for (; i < SWEEP_MAX && map_count(k->clients) >= k->most; i++) {
		c = TAILQ_FIRST(&k->idle);
		if (c == NULL)
			break;
		forget(k, c);
	}
}

static void
peak_raise(struct peak *p, uint32_t value, const struct keeper_key *key)
{
	if (value <= p->value)
		return;
	p->value = value;
	p->at_us = clock_wall_us();
	p->key = *key;
}

/* The client, new if need be; NULL when all room is taken. */
static struct client *
client_of(struct keeper *k, struct span key, uint64_t now)
{
	struct client *c = map_get(k->clients, key);

	if (c != NULL)
		return c;
	sweep(k, now);
	if (map_count(k->clients) >= k->most)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->start_ms = c->last_ms = now;
	c->key.n = (uint8_t)key.n;
	memcpy(c->key.b, key.p, key.n);
	(void)map_put(k->clients, key, c);
	TAILQ_INSERT_TAIL(&k->idle, c, idle);
	peak_raise(&k->size, (uint32_t)map_count(k->clients), &c->key);
	return c;
}

/* Something was heard of it. */
static void
touch(struct keeper *k, struct client *c, uint64_t now)
{
	if (c->connections == 0) {
		TAILQ_REMOVE(&k->idle, c, idle);
		TAILQ_INSERT_TAIL(&k->idle, c, idle);
	}
	c->last_ms = now;
	if (now - c->start_ms >= k->unit_ms) {
		memset(c->rate, 0, sizeof(c->rate));
		c->start_ms = now;
	}
}

static void
hold(struct keeper *k, struct client *c, uint32_t n)
{
	n = MIN(n, UINT32_MAX - c->connections);
	if (n == 0)
		return;
	if (c->connections == 0)
		TAILQ_REMOVE(&k->idle, c, idle);
	c->connections += n;
	k->connections += n;
	peak_raise(&k->held, c->connections, &c->key);
}

/* --- the table --- */

struct keeper *
keeper_new(size_t most, uint64_t unit_ms)
{
	struct keeper *k = xcalloc(1, sizeof(*k));

	k->clients = map_new();
	TAILQ_INIT(&k->idle);
	keeper_configure(k, most, unit_ms);
	return k;
}

void
keeper_free(struct keeper **kp)
{
	struct keeper *k = *kp;
	struct span key;
	void *c;
	size_t pos = 0;

	*kp = NULL;
	if (k == NULL)
		return;
	while (map_next(k->clients, &pos, &key, &c))
		free(c);
	map_free(&k->clients);
	free(k);
}

void
keeper_configure(struct keeper *k, size_t most, uint64_t unit_ms)
{
	k->most = most;
	k->unit_ms = unit_ms;
}

bool
keeper_count(struct keeper *k, struct span key, enum keeper_event event,
    bool peek, uint64_t now_ms, struct keeper_counts *out)
{
	struct client *c;

	*out = (struct keeper_counts){ 0, 0 };
	if (peek && map_get(k->clients, key) == NULL)
		return true;
	if ((c = client_of(k, key, now_ms)) == NULL)
		return false;
	touch(k, c, now_ms);
	if (!peek) {
		if (c->rate[event] < UINT32_MAX)
			c->rate[event]++;
		peak_raise(&k->rate[event], c->rate[event], &c->key);
		if (event == KEEPER_CONNECT)
			hold(k, c, 1);
	}
	out->connections = c->connections;
	out->rate = c->rate[event];
	return true;
}

bool
keeper_held(struct keeper *k, struct span key, uint32_t n, uint64_t now_ms)
{
	struct client *c = client_of(k, key, now_ms);

	if (c == NULL)
		return false;
	touch(k, c, now_ms);
	hold(k, c, n);
	return true;
}

void
keeper_gone(struct keeper *k, struct span key, uint32_t n, uint64_t now_ms)
{
	struct client *c = map_get(k->clients, key);

	if (c == NULL || c->connections == 0)
		return;
	n = MIN(n, c->connections);
	c->connections -= n;
	k->connections -= n;
	c->last_ms = now_ms;
	if (c->connections == 0)
		TAILQ_INSERT_TAIL(&k->idle, c, idle);
}

size_t
keeper_clients(const struct keeper *k)
{
	return map_count(k->clients);
}

uint64_t
keeper_connections(const struct keeper *k)
{
	return k->connections;
}

bool
keeper_next(const struct keeper *k, size_t *pos, struct span *key,
    uint32_t *connections)
{
	void *p;

	while (map_next(k->clients, pos, key, &p)) {
		*connections = ((struct client *)p)->connections;
		if (*connections > 0)
			return true;
	}
	return false;
}

/* --- the report --- */

static void
peak_line(struct peak *p, const char *what, uint64_t unit_ms,
    bool with_client, void (*line)(const char *text))
{
	time_t at = (time_t)(p->at_us / 1000000);
	struct tm tm;
	char when[32];
	struct buf out;

	if (p->value == 0)
		return;
	buf_init(&out, 512);
	buf_fmt(&out, "max %s %u", what, p->value);
	if (unit_ms > 0)
		buf_fmt(&out, "/%llus", (unsigned long long)unit_ms / 1000);
	if (with_client) {
		buf_str(&out, " for (");
		keeper_key_text(keeper_key_span(&p->key), &out);
		buf_char(&out, ')');
	}
	(void)localtime_r(&at, &tm);
	if (strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm) > 0)
		buf_fmt(&out, " at %s", when);
	line(buf_cstr(&out));
	buf_fini(&out);
	p->value = 0;
}

void
keeper_report(struct keeper *k, void (*line)(const char *text))
{
	static const char *const names[KEEPER_EVENTS] = {
		[KEEPER_CONNECT] = "connection rate",
		[KEEPER_MESSAGE] = "message rate",
		[KEEPER_RECIPIENT] = "recipient rate",
		[KEEPER_NEWTLS] = "newtls rate",
		[KEEPER_AUTH] = "auth rate",
	};
	int i;

	for (i = 0; i < KEEPER_EVENTS; i++) {
		peak_line(&k->rate[i], names[i], k->unit_ms, true, line);
		if (i == KEEPER_CONNECT)
			peak_line(&k->held, "connection count", 0, true,
			    line);
	}
	peak_line(&k->size, "cache size", 0, false, line);
}
