/*
 * A whole SASL exchange: the first byte picks mechanism and binding, lines
 * behind it are the client's messages. However it goes, exactly one result
 * comes, nothing stays behind, and nobody gets in without the password.
 */
#include <stdlib.h>

#include "authd/exchange.h"
#include "authd/mech.h"
#include "tests/fuzz/fuzz.h"

static const char password[] = "pencil";

static const struct credential credentials[] = {
	{ .id = 1, .secret = "{PLAIN}pencil", .scope = "" },
	{ .id = 2, .kind = CREDENTIAL_APP, .scope = "imap", .secret =
	    "{SCRAM-SHA-256}1,W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
};

static const struct login everybody = {
	.result = LOGIN_FOUND, .mailbox_id = 7, .local = true,
	.address = "kim@a.example", .n_credentials = ARRAY_LEN(credentials),
	.credentials = credentials
};

static struct loop *loop;
static struct exchange_env env;
static const uint8_t key[32];

struct ask {
	struct defer defer;
	credentials_cb *cb;
	void *arg;
};

static void
answer_cb(void *arg)
{
	struct ask *a = arg;

	a->cb(&everybody, a->arg);
	free(a);
}

static void *
fetch(void *src, struct span name, credentials_cb *cb, void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		abort();
	a->cb = cb;
	a->arg = arg;
	defer_init(&a->defer, loop, answer_cb, a);
	defer_call(&a->defer);
	return a;
}

static void
cancel(void *src, void *ask)
{
	struct ask *a = ask;

	defer_cancel(&a->defer);
	free(a);
}

static void
rehash(void *src, uint64_t id, struct span was, struct span now)
{
}

static void
used(void *src, uint64_t id)
{
}

/* Each look a day later, so that the login defence never stays closed. */
static int64_t
now_ms(void *arg)
{
	static int64_t now;

	return now += 86400000;
}

static void
env_start(void)
{
	static const struct defence_events nobody;
	struct buf why;
	struct conf *conf;

	buf_init(&why, 4096);
	conf = conf_parse("fuzz", SPAN_NONE, &why);
	if (conf == NULL || mech_init(NULL, NULL) != 0)
		abort();
	loop = loop_new();
	env = (struct exchange_env){
		.loop = loop, .conf = conf, .key = key,
		.pool = work_pool_new(loop, 1),
		.turnstile = turnstile_new(loop, 1, 10),
		.cache = login_cache_new(loop, 0),
		.defence = defence_new(1000, &nobody), .now_ms = now_ms,
		.source = { fetch, cancel, rehash, used, NULL }
	};
	exchange_env_init(&env);
	defence_configure(env.defence, conf);
}

struct run {
	struct exchange *ex;
	struct span rest;
	int results;
	bool ok;
};

static void
challenge_cb(void *arg, struct span challenge)
{
	struct run *r = arg;
	struct span line;

	if (span_split(&r->rest, '\n', &line))
		exchange_step(r->ex, line);
	else {
		exchange_cancel(&r->ex);
		loop_stop(loop);
	}
}

static void
result_cb(void *arg, const struct exchange_outcome *o)
{
	struct run *r = arg;

	r->ex = NULL;
	r->results++;
	r->ok = o->verdict == AUTH_OK;
	loop_stop(loop);
}

static const struct exchange_cbs cbs = { challenge_cb, result_cb };

static bool
contains(struct span hay, struct span needle)
{
	for (size_t i = 0; i + needle.n <= hay.n; i++)
		if (memcmp(hay.p + i, needle.p, needle.n) == 0)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const mechs[] = {
		"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
	};
	struct msg_auth_start start = { .service = SPAN_LIT("imap"),
	    .client_ip = SPAN_LIT("192.0.2.1") };
	struct run r = { 0 };

	if (size < 1 || size > 8192)
		return 0;
	if (loop == NULL)
		env_start();
	start.mechanism = span_str(mechs[data[0] & 3]);
	r.rest = span_of(data + 1, size - 1);
	if (data[0] & 4) {
		start.binding_type = SPAN_LIT("tls-exporter");
		start.binding = SPAN_LIT("channel");
	}
	if (data[0] & 8)
		start.has_initial = span_split(&r.rest, '\n', &start.initial);
	r.ex = exchange_start(&env, &start, &cbs, &r);
	loop_run(loop);
	if (env.count != 0 || r.results > 1)
		__builtin_trap();
	if (r.ok && !contains(span_of(data, size), span_str(password)))
		__builtin_trap();
	return 0;
}
