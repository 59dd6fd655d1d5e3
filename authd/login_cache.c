#include "authd/login_cache.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pack.h"
#include "base/proc.h"
#include "base/xmalloc.h"

#define DIGEST_LEN	32

struct entry {
	TAILQ_ENTRY(entry) age;		/* oldest first */
	TAILQ_ENTRY(entry) sibling;	/* of the same mailbox */
	uint8_t digest[DIGEST_LEN];
	uint64_t until_ms;
	struct cached_login login;
	char *address;
};

TAILQ_HEAD(entry_list, entry);

struct login_cache {
	struct loop *loop;
	size_t max;
	uint8_t secret[32];
	struct map *by_digest;
	struct map *by_mailbox;		/* id -> struct entry_list */
	struct entry_list ages;
};

struct login_cache *
login_cache_new(struct loop *l, size_t max)
{
	struct login_cache *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->max = max;
	c->by_digest = map_new();
	c->by_mailbox = map_new();
	TAILQ_INIT(&c->ages);
	proc_random(c->secret, sizeof(c->secret));
	return c;
}

/* Lengths are part of what is hashed: no two keys run into each other. */
static void
login_digest(const struct login_cache *c, const struct login_key *key,
    uint8_t digest[DIGEST_LEN])
{
	struct buf text;

	buf_init(&text, BUF_NO_CAP);
	/* whole at once: growing would leave copies behind */
	(void)buf_reserve(&text, 12 + key->service.n + key->name.n +
	    key->password.n);
	pack_span(&text, key->service);
	pack_span(&text, key->name);
	pack_span(&text, key->password);
	if (HMAC(EVP_sha256(), c->secret, sizeof(c->secret),
	    (const uint8_t *)buf_data(&text), buf_len(&text), digest,
	    NULL) == NULL)
		log_fatal("HMAC-SHA256 failed");
	buf_fini_secret(&text);
}

static void
entry_drop(struct login_cache *c, struct entry *e)
{
	struct entry_list *own = map_get_u64(c->by_mailbox,
	    e->login.mailbox_id);

	(void)map_del(c->by_digest, span_of(e->digest, DIGEST_LEN));
	TAILQ_REMOVE(&c->ages, e, age);
	TAILQ_REMOVE(own, e, sibling);
	if (TAILQ_EMPTY(own))
		free(map_del_u64(c->by_mailbox, e->login.mailbox_id));
	free(e->address);
	free(e);
}

void
login_cache_clear(struct login_cache *c)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&c->ages)) != NULL)
		entry_drop(c, e);
}

void
login_cache_free(struct login_cache **cp)
{
	struct login_cache *c = *cp;

	if (c == NULL)
		return;
	login_cache_clear(c);
	map_free(&c->by_digest);
	map_free(&c->by_mailbox);
	secure_wipe(c->secret, sizeof(c->secret));
	free(c);
	*cp = NULL;
}

static struct entry *
entry_find(struct login_cache *c, const uint8_t digest[DIGEST_LEN])
{
	struct entry *e = map_get(c->by_digest, span_of(digest, DIGEST_LEN));

	if (e == NULL || loop_now_ms(c->loop) < e->until_ms)
		return e;
	entry_drop(c, e);
	return NULL;
}

const struct cached_login *
login_cache_get(struct login_cache *c, const struct login_key *key)
{
	uint8_t digest[DIGEST_LEN];
	struct entry *e;

	if (TAILQ_EMPTY(&c->ages))
		return NULL;
	login_digest(c, key, digest);
	e = entry_find(c, digest);
	return e == NULL ? NULL : &e->login;
}

static struct entry_list *
siblings_of(struct login_cache *c, uint64_t mailbox_id)
{
	struct entry_list *l = map_get_u64(c->by_mailbox, mailbox_id);

	if (l == NULL) {
		l = xmalloc(sizeof(*l));
		TAILQ_INIT(l);
		(void)map_put_u64(c->by_mailbox, mailbox_id, l);
	}
	return l;
}

void
login_cache_put(struct login_cache *c, const struct login_key *key,
    const struct cached_login *login, uint64_t life_ms)
{
	uint8_t digest[DIGEST_LEN];
	struct entry *e;

	if (life_ms == 0 || c->max == 0)
		return;
	login_digest(c, key, digest);
	if ((e = entry_find(c, digest)) != NULL)
		entry_drop(c, e);
	if (map_count(c->by_digest) >= c->max)
		entry_drop(c, TAILQ_FIRST(&c->ages));
	e = xcalloc(1, sizeof(*e));
	memcpy(e->digest, digest, DIGEST_LEN);
	e->login = *login;
	e->login.address = e->address = xstrdup(login->address);
	e->until_ms = loop_now_ms(c->loop) + life_ms;
	TAILQ_INSERT_TAIL(&c->ages, e, age);
	TAILQ_INSERT_TAIL(siblings_of(c, login->mailbox_id), e, sibling);
	(void)map_put(c->by_digest, span_of(e->digest, DIGEST_LEN), e);
}

void
login_cache_drop(struct login_cache *c, uint64_t mailbox_id)
{
	struct entry_list *l;

	while ((l = map_get_u64(c->by_mailbox, mailbox_id)) != NULL)
		entry_drop(c, TAILQ_FIRST(l));
}

size_t
login_cache_count(const struct login_cache *c)
{
	return map_count(c->by_digest);
}
