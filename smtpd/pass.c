#include "smtpd/pass.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/pack.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define SWEEP_MAX	8	/* forgotten at most per new client */
#define V6_BITS		64
#define DAYS_MAX	3650	/* no pass is good for longer */

struct client {
	TAILQ_ENTRY(client) link;	/* heard of longest ago in front */
	struct pass_key key;
	uint64_t until[PASS_TESTS];
};

struct passes {
	struct map *clients;
	TAILQ_HEAD(, client) order;
	size_t most;
	uint64_t keep_s;
};

const char *const pass_names[PASS_TESTS] = {
	[PASS_GREET] = "greet", [PASS_DNSBL] = "dnsbl",
	[PASS_PIPELINING] = "pipelining",
	[PASS_NON_SMTP] = "non_smtp_command",
	[PASS_BARE_NEWLINE] = "bare_newline",
};

/* --- clients and their times --- */

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

void
pass_key_set(struct pass_key *key, const struct net_addr *a)
{
	memcpy(key->b, a->b, sizeof(key->b));
	if (memcmp(a->b, v4_prefix, sizeof(v4_prefix)) != 0)
		memset(key->b + V6_BITS / 8, 0, sizeof(key->b) - V6_BITS / 8);
}

void
pass_key_text(struct span key, struct buf *out)
{
	bool v4 = memcmp(key.p, v4_prefix, sizeof(v4_prefix)) == 0;
	char text[INET6_ADDRSTRLEN];

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, key.p + (v4 ? 12 : 0), text,
	    sizeof(text));
	buf_fmt(out, v4 ? "%s" : "%s/64", text);
}

unsigned
pass_missing(const struct pass_left *left)
{
	unsigned bits = 0;
	int t;

	for (t = 0; t < PASS_TESTS; t++)
		if (left->s[t] == 0)
			bits |= PASS_BIT(t);
	return bits;
}

void
pass_left_pack(struct buf *out, const struct pass_left *left)
{
	int t;

	for (t = 0; t < PASS_TESTS; t++)
		pack_u32(out, left->s[t]);
}

bool
pass_left_unpack(struct span in, struct pass_left *left)
{
	struct unpack u = unpack_from(in);
	int t;

	for (t = 0; t < PASS_TESTS; t++) {
		left->s[t] = unpack_u32(&u);
		if (left->s[t] > DAYS_MAX * 86400u)
			return false;
	}
	return unpack_done(&u);
}

/* --- the table --- */

static void
forget(struct passes *p, struct client *c)
{
	TAILQ_REMOVE(&p->order, c, link);
	(void)map_del(p->clients, pass_key_span(&c->key));
	free(c);
}

static uint64_t
last_end(const struct client *c)
{
	uint64_t last = 0;
	int t;

	for (t = 0; t < PASS_TESTS; t++)
		last = MAX(last, c->until[t]);
	return last;
}

static bool
is_over(const struct passes *p, const struct client *c, uint64_t now)
{
	return last_end(c) + p->keep_s <= now;
}

/* A few at a time, so that no single client pays for many. */
static void
sweep(struct passes *p, uint64_t now)
{
	struct client *c;
	int i;

	for (i = 0; i < SWEEP_MAX; i++) {
		c = TAILQ_FIRST(&p->order);
		if (c == NULL || (map_count(p->clients) < p->most &&
		    !is_over(p, c, now)))
			break;
		forget(p, c);
	}
}

struct passes *
passes_new(size_t most, uint64_t keep_s)
{
	struct passes *p = xcalloc(1, sizeof(*p));

	p->clients = map_new();
	TAILQ_INIT(&p->order);
	passes_configure(p, most, keep_s);
	return p;
}

void
passes_free(struct passes **pp)
{
	struct passes *p = *pp;
	struct client *c;

	*pp = NULL;
	if (p == NULL)
		return;
	while ((c = TAILQ_FIRST(&p->order)) != NULL)
		forget(p, c);
	map_free(&p->clients);
	free(p);
}

void
passes_configure(struct passes *p, size_t most, uint64_t keep_s)
{
	p->most = most;
	p->keep_s = keep_s;
}

/* The client if it is still worth knowing; it has been heard of now. */
static struct client *
find(struct passes *p, struct span key, uint64_t now)
{
	struct client *c = map_get(p->clients, key);

	if (c == NULL)
		return NULL;
	if (is_over(p, c, now)) {
		forget(p, c);
		return NULL;
	}
	TAILQ_REMOVE(&p->order, c, link);
	TAILQ_INSERT_TAIL(&p->order, c, link);
	return c;
}

bool
passes_get(struct passes *p, struct span key, uint64_t now_s,
    struct pass_left *left)
{
	struct client *c = find(p, key, now_s);
	int t;

	*left = (struct pass_left){ { 0 } };
	for (t = 0; c != NULL && t < PASS_TESTS; t++)
		if (c->until[t] > now_s)
			left->s[t] = (uint32_t)(c->until[t] - now_s);
	return c != NULL;
}

static struct client *
client_new(struct passes *p, struct span key, uint64_t now)
{
	struct client *c;

	sweep(p, now);
	c = xcalloc(1, sizeof(*c));
	memcpy(c->key.b, key.p, sizeof(c->key.b));
	(void)map_put(p->clients, key, c);
	TAILQ_INSERT_TAIL(&p->order, c, link);
	return c;
}

bool
passes_learn(struct passes *p, struct span key,
    const uint64_t until_s[PASS_TESTS], uint64_t now_s)
{
	struct client *c = find(p, key, now_s);
	uint64_t last = 0;
	bool changed = false;
	int t;

	for (t = 0; t < PASS_TESTS; t++)
		last = MAX(last, until_s[t]);
	if (last + p->keep_s <= now_s)
		return false;
	if (c == NULL)
		c = client_new(p, key, now_s);
	for (t = 0; t < PASS_TESTS; t++)
		if (until_s[t] > c->until[t]) {
			c->until[t] = until_s[t];
			changed = true;
		}
	return changed;
}

bool
passes_add(struct passes *p, struct span key, const struct pass_left *left,
    uint64_t now_s)
{
	uint64_t until[PASS_TESTS];
	int t;

	if (pass_missing(left) == PASS_BIT(PASS_TESTS) - 1)
		return false;
	for (t = 0; t < PASS_TESTS; t++)
		until[t] = left->s[t] > 0 ? now_s + left->s[t] : 0;
	return passes_learn(p, key, until, now_s);
}

bool
passes_forget(struct passes *p, struct span key)
{
	struct client *c = map_get(p->clients, key);

	if (c != NULL)
		forget(p, c);
	return c != NULL;
}

size_t
passes_count(const struct passes *p)
{
	return map_count(p->clients);
}
