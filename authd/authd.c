#include "authd/authd.h"

#include <stdlib.h>

#include "authd/client.h"
#include "authd/exchange.h"
#include "authd/mech.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/credentials.h"

#define AUTHD_MAGIC	0x61757468u
#define CACHE_MAX	100000		/* verified logins remembered */
#define SWEEP_MS	10000		/* expired guesses are dropped ... */
#define SWEEP_MOST	20000		/* ... so many at a time */

struct authd {
	uint32_t magic;
	const struct service_env *env;
	struct conf *conf;
	struct credentials *credentials;
	struct exchange_env exchanges;
	struct map *clients;		/* role and index -> struct client */
	struct timer sweep;
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
	(void)arg;
	return clock_wall_us() / 1000;
}

static void
authd_closed_cb(enum defence_kind kind, struct span subject, unsigned level,
    int64_t until_ms, void *arg)
{
	static const char *const what[DEFENCE_KINDS] = {
		"account", "network", "account and network"
	};
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);
	int64_t left_ms = until_ms - authd_now_ms(a);

	log_warning("login defence: %s %.*s: %u different wrong passwords "
	    "lately, refused for %lld min", what[kind], SPAN_ARG(subject),
	    level, (long long)left_ms / 60000 + 1);
}

static void
authd_sweep_cb(void *arg)
{
	struct authd *a = OBJ_CAST(arg, authd, AUTHD_MAGIC);

	defence_sweep(a->exchanges.defence, authd_now_ms(a), SWEEP_MOST);
	timer_set_ms(&a->sweep, SWEEP_MS);
}

static struct defence *
authd_defence(struct authd *a)
{
	const struct defence_events events = {
		.closed = authd_closed_cb, .arg = a
	};
	struct defence *d = defence_new(
	    (size_t)a->conf->login_defence_entries, &events);

	defence_configure(d, a->conf);
	timer_init(&a->sweep, a->env->loop, authd_sweep_cb, a);
	timer_set_ms(&a->sweep, SWEEP_MS);
	return d;
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
		.defence = authd_defence(a),
		.now_ms = authd_now_ms, .now_arg = a,
		.source = { source_fetch, source_cancel, source_rehash,
		    source_used, a }
	};
	exchange_env_init(&a->exchanges);
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
	timer_clear(&a->sweep);
	defence_free(&a->exchanges.defence);
	credentials_free(&a->credentials);
	conf_unref(&a->conf);
	mech_fini();
	a->magic = 0;
	free(a);
}

static void
authd_stop(void *arg)
{
	authd_free(OBJ_CAST(arg, authd, AUTHD_MAGIC));
	service_stopped();
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
	secret_free(&password);
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
	char *name = xasprintf("%s %u", service_role_name(role), index);
	struct client *c = client_new(&a->exchanges, fd, name,
	    client_gone_cb, a);
	struct client *old = map_put_u64(a->clients,
	    client_key(role, index), c);

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
