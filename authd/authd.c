#include "authd/authd.h"

#include <stdlib.h>

#include "authd/client.h"
#include "authd/defence_control.h"
#include "authd/defence_share.h"
#include "authd/exchange.h"
#include "authd/mech.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/credentials.h"

#define AUTHD_MAGIC	0x61757468u
#define CACHE_MAX	100000		/* verified logins remembered */

struct authd {
	uint32_t magic;
	const struct service_env *env;
	struct conf *conf;
	struct credentials *credentials;
	struct exchange_env exchanges;
	struct map *clients;		/* role and index -> struct client */
	struct defence_share *share;
	struct defence_control *control;
	struct defer open;
	char *password;			/* until then */
	uint64_t revoked;		/* for status */
};

/* --- credentials --- */

static void *
source_fetch(void *src, struct span name, credentials_cb *cb, void *arg)
{
	struct authd *a = src;

	return credentials_fetch(a->credentials, name, cb, arg);
}

static void
source_cancel(void *src, void *ask)
{
	struct credentials_ask *handle = ask;

	(void)src;
	credentials_cancel(&handle);
}

static void
source_rehash(void *src, uint64_t id, struct span was, struct span now)
{
	struct authd *a = src;

	credentials_rehash(a->credentials, id, was, now);
}

static void
source_used(void *src, uint64_t id)
{
	struct authd *a = src;

	credentials_used(a->credentials, id);
}

static void
authd_revoked_cb(uint64_t mailbox_id, void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	struct span key;
	size_t pos = 0;
	void *c;

	if (mailbox_id == 0) {
		exchange_forget(&a->exchanges);
		return;
	}
	a->revoked++;
	exchange_revoke(&a->exchanges, mailbox_id);
	while (map_next(a->clients, &pos, &key, &c))
		client_revoke(c, mailbox_id);
}

static void
authd_connect(struct authd *a, const char *password)
{
	a->credentials = credentials_new(a->env->loop, a->conf, password);
	credentials_on_revoked(a->credentials, authd_revoked_cb, a);
}

/* --- login defence --- */

static int64_t
authd_now_ms(void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);

	return defence_share_now_ms(a->share);
}

/* The password of our database role, if there is one, came with the files,
 * right behind init. */
static void
authd_open_cb(void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);

	defence_share_open(a->share, a->password);
	secret_free(&a->password);
}

/* --- life --- */

static void *
authd_init(const struct service_env *env, struct err *err)
{
	struct authd *a;
	size_t threads = (size_t)env->conf->authd_threads;

	if (mech_init(NULL, err) != 0)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->magic = AUTHD_MAGIC;
	a->env = env;
	a->conf = conf_ref(env->conf);
	a->clients = map_new();
	a->exchanges = (struct exchange_env){
		.loop = env->loop, .conf = a->conf, .key = env->key,
		.pool = work_pool_new(env->loop, (unsigned)threads),
		.turnstile = turnstile_new(env->loop, threads,
		    (size_t)env->conf->auth_queue_limit),
		.cache = login_cache_new(env->loop, CACHE_MAX),
		.now_ms = authd_now_ms, .now_arg = a,
		.source = { source_fetch, source_cancel, source_rehash,
		    source_used, a }
	};
	exchange_env_init(&a->exchanges);
	a->share = defence_share_new(env->loop, a->conf,
	    &a->exchanges.defence);
	a->control = defence_control_new(env->loop, a->exchanges.defence,
	    a->share);
	defer_init(&a->open, env->loop, authd_open_cb, a);
	defer_call(&a->open);
	authd_connect(a, NULL);
	return a;
}

static void
authd_free(struct authd *a)
{
	struct span key;
	size_t pos = 0;
	void *v;

	while (map_next(a->clients, &pos, &key, &v)) {
		struct client *c = v;

		client_free(&c);
	}
	map_free(&a->clients);
	/* what runs in threads comes back cancelled and frees itself */
	work_pool_free(&a->exchanges.pool);
	turnstile_free(&a->exchanges.turnstile);
	login_cache_free(&a->exchanges.cache);
	defer_cancel(&a->open);
	secret_free(&a->password);
	defence_control_free(&a->control);
	defence_share_free(&a->share);
	credentials_free(&a->credentials);
	conf_unref(&a->conf);
	mech_fini();
	a->magic = 0;
	free(a);
}

static void
authd_flushed_cb(void *arg)
{
	authd_free(OBJ_CAST(arg, authd, AUTHD_MAGIC));
	service_stopped();
}

static void
authd_stop(void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);

	defence_share_flush(a->share, authd_flushed_cb, a);
}

static void
authd_reload(void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);

	conf_unref(&a->conf);
	a->conf = conf_ref(a->env->conf);
	a->exchanges.conf = a->conf;
	defence_configure(a->exchanges.defence, a->conf);
}

static void
authd_file(void *arg, const char *name, struct span contents)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	char *password;

	if (strcmp(name, "database_password") != 0)
		return;
	password = xmemdup0(contents.p, contents.n);
	exchange_unfetch(&a->exchanges);
	credentials_free(&a->credentials);
	authd_connect(a, password);
	secret_free(&a->password);
	a->password = password;
	defer_call(&a->open);
	exchange_refetch(&a->exchanges);
}

/* --- workers --- */

static uint64_t
client_key(enum service_role role, unsigned index)
{
	return (uint64_t)role << 32 | index;
}

static void
client_gone_cb(struct client *gone, void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	struct span key;
	size_t pos = 0;
	void *c;

	while (map_next(a->clients, &pos, &key, &c))
		if (c == gone) {
			(void)map_del(a->clients, key);
			break;
		}
	client_free(&gone);
}

static void
authd_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	struct client *c, *old;
	char *name;

	if (role == ROLE_CONTROL) {
		defence_control_peer(a->control, fd);
		return;
	}
	name = xasprintf("%s %u", service_role_name(role), index);
	c = client_new(&a->exchanges, fd, name, client_gone_cb, a);
	old = map_put_u64(a->clients, client_key(role, index), c);
	client_free(&old);
	free(name);
}

static void
authd_status(void *arg, struct buf *json)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	const struct exchange_stats *s = &a->exchanges.stats;
	const struct { const char *name; uint64_t value; } rows[] = {
		{ "logins", s->ok }, { "refused", s->bad },
		{ "temporary", s->temp }, { "malformed", s->malformed },
		{ "put_off", s->later }, { "slowed", s->slowed },
		{ "from_cache", s->cached }, { "rehashed", s->rehashed },
		{ "revoked", a->revoked },
		{ "exchanges", a->exchanges.count },
		{ "waiting", turnstile_waiting(a->exchanges.turnstile) },
		{ "remembered", login_cache_count(a->exchanges.cache) },
		{ "guessed_accounts", defence_count(a->exchanges.defence,
		    DEFENCE_ACCOUNT) },
		{ "networks", defence_count(a->exchanges.defence,
		    DEFENCE_NETWORK) },
		{ "known_networks", defence_count(a->exchanges.defence,
		    DEFENCE_KNOWN) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_fmt(json, "%s\"%s\": %llu", i == 0 ? "" : ", ",
		    rows[i].name, (unsigned long long)rows[i].value);
	defence_share_status(a->share, json);
}

const struct service authd_service = {
	.name = "authd",
	.init = authd_init,
	.peer = authd_peer,
	.reload = authd_reload,
	.stop = authd_stop,
	.file = authd_file,
	.status = authd_status,
};
