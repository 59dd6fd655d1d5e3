/*
 * Whole exchanges against a table of users: who gets in, who does not, what
 * is malformed, and that aborts at every step leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "authd/exchange.h"
#include "authd/mech.h"
#include "authd/testclient.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "scheme/scheme.h"

/* --- the users --- */

struct user {
	const char *name;
	struct login login;
	struct credential credentials[3];
};

static char scram_of_pencil[256];

/* the longest password there may be */
static char long_secret[sizeof("{PLAIN}") + SCHEME_PASSWORD_MAX];

static struct user users[] = {
	{ "kim@a.example", { .result = LOGIN_FOUND, .mailbox_id = 7,
	    .local = true, .address = "kim@a.example",
	    .quota_bytes = 1000, .quota_messages = 10, .n_credentials = 3 },
	    { { .id = 71, .secret = scram_of_pencil, .scope = "" },
	    { .id = 72, .kind = CREDENTIAL_APP, .secret = "{PLAIN}only imap",
	    .scope = "imap" },
	    { .id = 73, .kind = CREDENTIAL_APP, .secret = "{JUNK}x",
	    .scope = "smtp imap" } } },
	/* an alias domain: logs in as the mailbox's own address */
	{ "kim@alias.example", { .result = LOGIN_FOUND, .mailbox_id = 7,
	    .local = true, .address = "kim@a.example", .n_credentials = 1 },
	    { { .id = 71, .secret = scram_of_pencil, .scope = "" } } },
	{ "old@a.example", { .result = LOGIN_FOUND, .mailbox_id = 8,
	    .local = true, .address = "old@a.example", .n_credentials = 1 },
	    { { .id = 81, .secret = "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6"
	    "ee69", .scope = "" } } },
	{ "off@a.example", { .result = LOGIN_FOUND, .mailbox_id = 9,
	    .local = true, .state = MAILBOX_NO_LOGIN,
	    .address = "off@a.example", .n_credentials = 1 },
	    { { .id = 91, .secret = "{PLAIN}pencil", .scope = "" } } },
	{ "far@a.example", { .result = LOGIN_FOUND, .mailbox_id = 10,
	    .local = false, .address = "far@a.example", .n_credentials = 1 },
	    { { .id = 101, .secret = "{PLAIN}pencil", .scope = "" } } },
	{ "down@a.example", { .result = LOGIN_TEMP,
	    .why = "no connection" }, { { 0 } } },
	{ "long@a.example", { .result = LOGIN_FOUND, .mailbox_id = 12,
	    .local = true, .address = "long@a.example", .n_credentials = 1 },
	    { { .id = 121, .secret = long_secret, .scope = "" } } },
	{ "bare@a.example", { .result = LOGIN_FOUND, .mailbox_id = 11,
	    .local = true, .address = "bare@a.example",
	    .n_credentials = 0 }, { { 0 } } },
};

struct ask {
	struct defer defer;
	char name[300];
	credentials_cb *cb;
	void *arg;
};

static struct loop *loop;
static struct conf *conf;
static struct exchange_env env;
static const uint8_t key[32] = { 42 };
static unsigned fetches, asks_open, uses;
static uint64_t rehashed_id;
static char rehashed[256];

static void
answer_cb(void *arg)
{
	struct ask *a = arg;
	struct login unknown = { .result = LOGIN_UNKNOWN };
	const struct login *found = &unknown;

	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		if (strcmp(users[i].name, a->name) == 0) {
			users[i].login.credentials = users[i].credentials;
			found = &users[i].login;
		}
	asks_open--;
	a->cb(found, a->arg);
	free(a);
}

static void *
fake_fetch(void *src, struct span name, credentials_cb *cb, void *arg)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	(void)src;
	fetches++;
	asks_open++;
	(void)snprintf(a->name, sizeof(a->name), "%.*s", SPAN_ARG(name));
	a->cb = cb;
	a->arg = arg;
	defer_init(&a->defer, loop, answer_cb, a);
	defer_call(&a->defer);
	return a;
}

static void
fake_cancel(void *src, void *ask)
{
	struct ask *a = ask;

	(void)src;
	asks_open--;
	defer_cancel(&a->defer);
	free(a);
}

static void
fake_rehash(void *src, uint64_t id, struct span was, struct span now)
{
	(void)src;
	(void)was;
	rehashed_id = id;
	(void)snprintf(rehashed, sizeof(rehashed), "%.*s", SPAN_ARG(now));
}

static void
fake_used(void *src, uint64_t id)
{
	(void)src;
	(void)id;
	uses++;
}

/* --- the driver --- */

struct run {
	struct exchange *ex;
	unsigned challenges, results;
	enum auth_verdict verdict;
	uint64_t mailbox_id, quota_bytes;
	char user[300];
	struct buf challenge, final, ticket;
};

static void
run_challenge(void *arg, struct span challenge)
{
	struct run *r = arg;

	r->challenges++;
	buf_clear(&r->challenge);
	buf_span_add(&r->challenge, challenge);
	loop_stop(loop);
}

static void
run_result(void *arg, const struct exchange_outcome *o)
{
	struct run *r = arg;

	r->ex = NULL;
	r->results++;
	r->verdict = o->verdict;
	r->mailbox_id = o->mailbox_id;
	r->quota_bytes = o->quota_bytes;
	(void)snprintf(r->user, sizeof(r->user), "%.*s", SPAN_ARG(o->user));
	buf_span_add(&r->final, o->final);
	buf_span_add(&r->ticket, o->ticket);
	loop_stop(loop);
}

static const struct exchange_cbs run_cbs = { run_challenge, run_result };

static void
run_start(struct run *r, struct msg_auth_start *start)
{
	*r = (struct run){ 0 };
	buf_init(&r->challenge, BUF_NO_CAP);
	buf_init(&r->final, BUF_NO_CAP);
	buf_init(&r->ticket, BUF_NO_CAP);
	if (start->service.n == 0)
		start->service = SPAN_LIT("imap");
	if (start->client_ip.n == 0)
		start->client_ip = SPAN_LIT("192.0.2.1");
	r->ex = exchange_start(&env, start, &run_cbs, r);
}

static void
run_begin(struct run *r, struct msg_auth_start *start)
{
	run_start(r, start);
	loop_run(loop);
}

static void
run_step(struct run *r, struct span response)
{
	assert_non_null(r->ex);
	exchange_step(r->ex, response);
	loop_run(loop);
}

static void
run_end(struct run *r)
{
	exchange_cancel(&r->ex);
	buf_fini(&r->challenge);
	buf_fini(&r->final);
	buf_fini(&r->ticket);
}

static enum auth_verdict
plain_as(const char *service, struct span message, struct run *keep)
{
	struct msg_auth_start start = {
		.service = span_str(service), .mechanism = SPAN_LIT("PLAIN"),
		.has_initial = 1, .initial = message, .tls = 1
	};
	struct run r;
	enum auth_verdict v;

	run_begin(&r, &start);
	assert_int_equal(r.results, 1);
	v = r.verdict;
	if (keep != NULL)
		*keep = r;
	else
		run_end(&r);
	return v;
}

static void
stop_cb(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
settle(unsigned ms)
{
	struct timer t;

	timer_init(&t, loop, stop_cb, NULL);
	timer_set_ms(&t, ms);
	loop_run(loop);
	timer_clear(&t);
}

static int64_t
fake_now(void *arg)
{
	(void)arg;
	return 1000000000000;
}

static int
setup(void **state)
{
	struct scram_verifier v;
	struct err err;
	struct buf text;

	(void)state;
	if (mech_init(NULL, &err) != 0) {
		fprintf(stderr, "%s\n", err.why);
		return -1;
	}
	buf_init(&text, 4096);
	conf = conf_parse("test", SPAN_LIT("login_defence_delay = 20ms\n"),
	    &text);
	assert_non_null(conf);
	scram_verifier_make(SPAN_LIT("pencil"), (const uint8_t *)"salt", 4,
	    4096, &v);
	scram_verifier_write(&v, &text);
	(void)snprintf(scram_of_pencil, sizeof(scram_of_pencil), "%s",
	    buf_cstr(&text));
	buf_fini(&text);
	memset(long_secret, 'x', sizeof(long_secret) - 1);
	memcpy(long_secret, "{PLAIN}", 7);
	loop = loop_new();
	env = (struct exchange_env){
		.loop = loop, .conf = conf, .key = key,
		.pool = work_pool_new(loop, 2),
		.turnstile = turnstile_new(loop, 2, 100),
		.cache = login_cache_new(loop, 100),
		.now_ms = fake_now,
		.source = { fake_fetch, fake_cancel, fake_rehash, fake_used,
		    NULL }
	};
	exchange_env_init(&env);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(env.count, 0);
	assert_int_equal(asks_open, 0);
	work_pool_free(&env.pool);
	turnstile_free(&env.turnstile);
	login_cache_free(&env.cache);
	defence_free(&env.defence);
	loop_free(&loop);
	conf_unref(&conf);
	mech_fini();
	return 0;
}

static int
fresh(void **state)
{
	static const struct defence_events nobody;

	(void)state;
	login_cache_clear(env.cache);
	defence_free(&env.defence);
	env.defence = defence_new(1000, &nobody);
	defence_configure(env.defence, conf);
	fetches = uses = 0;
	rehashed_id = 0;
	return 0;
}

/* --- PLAIN and LOGIN --- */

#define PLAIN(s) SPAN_LIT(s)

static void
test_plain_table(void **state)
{
	static const struct {
		const char *service;
		struct span message;
		enum auth_verdict verdict;
	} t[] = {
		{ "imap", PLAIN("\0kim@a.example\0pencil"), AUTH_OK },
		{ "smtp", PLAIN("\0kim@a.example\0pencil"), AUTH_OK },
		{ "imap", PLAIN("\0KIM@A.Example\0pencil"), AUTH_OK },
		{ "imap", PLAIN("\0kim@alias.example\0pencil"), AUTH_OK },
		{ "imap", PLAIN("kim@a.example\0kim@a.example\0pencil"),
		    AUTH_OK },
		{ "imap", PLAIN("Kim@A.example\0kim@a.example\0pencil"),
		    AUTH_OK },
		{ "imap", PLAIN("\0kim@a.example\0only imap"), AUTH_OK },
		{ "smtp", PLAIN("\0kim@a.example\0only imap"), AUTH_BAD },
		{ "imap", PLAIN("old@a.example\0kim@a.example\0pencil"),
		    AUTH_BAD },
		{ "imap", PLAIN("nobody\0kim@a.example\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0kim@a.example\0Pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0kim@a.example\0pencil "), AUTH_BAD },
		{ "imap", PLAIN("\0kim@a.example\0\xff\xfe\x01"), AUTH_BAD },
		{ "imap", PLAIN("\0kim@a.example\0"), AUTH_BAD },
		{ "imap", PLAIN("\0nobody@a.example\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0bare@a.example\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0kim\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0kim@@a\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0off@a.example\0pencil"), AUTH_BAD },
		{ "imap", PLAIN("\0far@a.example\0pencil"), AUTH_TEMP },
		{ "imap", PLAIN("\0far@a.example\0wrong"), AUTH_BAD },
		{ "imap", PLAIN("\0down@a.example\0pencil"), AUTH_TEMP },
		{ "imap", PLAIN(""), AUTH_PROTOCOL },
		{ "imap", PLAIN("kim@a.example"), AUTH_PROTOCOL },
		{ "imap", PLAIN("\0kim@a.example"), AUTH_PROTOCOL },
		{ "imap", PLAIN("\0\0pencil"), AUTH_PROTOCOL },
		{ "imap", PLAIN("\0kim@a.example\0pen\0cil"), AUTH_PROTOCOL },
		{ "imap", PLAIN("\0kim@a.example\0pencil\0"), AUTH_PROTOCOL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		enum auth_verdict v = plain_as(t[i].service, t[i].message,
		    NULL);

		if (v != t[i].verdict)
			fail_msg("row %zu: %d", i, v);
		/* the cache must not change a verdict */
		if (plain_as(t[i].service, t[i].message, NULL) !=
		    t[i].verdict)
			fail_msg("row %zu, second time", i);
	}
}

static void
test_what_a_result_holds(void **state)
{
	struct run r;
	uint64_t id;

	(void)state;
	assert_int_equal(plain_as("imap",
	    PLAIN("\0kim@alias.example\0pencil"), &r), AUTH_OK);
	assert_int_equal(r.mailbox_id, 7);
	assert_string_equal(r.user, "kim@a.example");
	assert_int_equal(ticket_check(key, buf_span(&r.ticket),
	    clock_wall_us(), &id, NULL), 0);
	assert_int_equal(id, 7);
	assert_int_equal(uses, 1);
	run_end(&r);
	assert_int_equal(plain_as("smtp", PLAIN("\0kim@a.example\0pencil"),
	    &r), AUTH_OK);
	assert_int_equal(buf_len(&r.ticket), 0);
	assert_int_equal(r.quota_bytes, 1000);
	run_end(&r);
	assert_int_equal(plain_as("imap", PLAIN("\0Nobody@A.example\0x"), &r),
	    AUTH_BAD);
	assert_string_equal(r.user, "nobody@a.example");
	assert_int_equal(r.mailbox_id, 0);
	assert_int_equal(buf_len(&r.ticket), 0);
	run_end(&r);
	/* a password typed as the name does not come back */
	assert_int_equal(plain_as("imap", PLAIN("\0hunter2\0x"), &r),
	    AUTH_BAD);
	assert_string_equal(r.user, "");
	run_end(&r);
}

static void
test_repeated_logins_are_remembered_by_service(void **state)
{
	(void)state;
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 1);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 1);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0wrong"),
	    NULL), AUTH_BAD);
	assert_int_equal(fetches, 2);
	assert_int_equal(plain_as("smtp", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 3);
	exchange_revoke(&env, 8);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 3);
	exchange_revoke(&env, 7);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 4);
	exchange_forget(&env);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(fetches, 5);
}

static void
test_weak_schemes_are_rehashed(void **state)
{
	(void)state;
	assert_int_equal(plain_as("imap", PLAIN("\0old@a.example\0wrong"),
	    NULL), AUTH_BAD);
	assert_int_equal(rehashed_id, 0);
	assert_int_equal(plain_as("imap", PLAIN("\0old@a.example\0secret"),
	    NULL), AUTH_OK);
	assert_int_equal(rehashed_id, 81);
	assert_int_equal(scheme_verify(span_str(rehashed),
	    SPAN_LIT("secret")), SCHEME_MATCH);
	assert_true(scheme_is_current(span_str(rehashed), 4096));
	rehashed_id = 0;
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	assert_int_equal(rehashed_id, 0);
}

static void
test_change_during_a_login(void **state)
{
	struct msg_auth_start start = {
		.service = SPAN_LIT("imap"), .mechanism = SPAN_LIT("LOGIN")
	};
	struct run r;

	(void)state;
	run_begin(&r, &start);
	run_step(&r, SPAN_LIT("kim@a.example"));
	exchange_step(r.ex, SPAN_LIT("pencil"));
	while (r.results == 0) {
		exchange_revoke(&env, 7);	/* again and again */
		settle(0);
	}
	assert_int_equal(r.verdict, AUTH_TEMP);
	assert_int_equal(login_cache_count(env.cache), 0);
	run_end(&r);
}

static void
test_plain_in_two_steps_and_login(void **state)
{
	struct msg_auth_start start = { .mechanism = SPAN_LIT("plain") };
	struct run r;

	(void)state;
	run_begin(&r, &start);
	assert_int_equal(r.challenges, 1);
	assert_int_equal(buf_len(&r.challenge), 0);
	run_step(&r, PLAIN("\0kim@a.example\0pencil"));
	assert_int_equal(r.verdict, AUTH_OK);
	run_end(&r);

	start = (struct msg_auth_start){ .mechanism = SPAN_LIT("LOGIN") };
	run_begin(&r, &start);
	assert_string_equal(buf_cstr(&r.challenge), "Username:");
	run_step(&r, SPAN_LIT("kim@a.example"));
	assert_string_equal(buf_cstr(&r.challenge), "Password:");
	run_step(&r, SPAN_LIT("pencil"));
	assert_int_equal(r.results, 1);
	assert_int_equal(r.verdict, AUTH_OK);
	run_end(&r);

	start = (struct msg_auth_start){ .mechanism = SPAN_LIT("LOGIN"),
	    .has_initial = 1, .initial = SPAN_LIT("kim@a.example") };
	run_begin(&r, &start);
	assert_string_equal(buf_cstr(&r.challenge), "Password:");
	run_step(&r, SPAN_LIT("wrong"));
	assert_int_equal(r.verdict, AUTH_BAD);
	run_end(&r);

	start = (struct msg_auth_start){ .mechanism = SPAN_LIT("LOGIN") };
	run_begin(&r, &start);
	run_step(&r, SPAN_LIT("a\0b"));
	assert_int_equal(r.verdict, AUTH_PROTOCOL);
	run_end(&r);
}

/* --- SCRAM --- */

struct scram_row {
	const char *mech, *gs2, *user, *password;
	const char *type;		/* binding that the server has */
	enum auth_verdict verdict;
};

static void
scram_run(const struct scram_row *t, struct run *r)
{
	static const char data[] = "the channel's own data";
	struct msg_auth_start start = {
		.mechanism = span_str(t->mech), .has_initial = 1,
		.binding_type = span_str(t->type),
		.binding = span_of(data, t->type == NULL ? 0 : sizeof(data))
	};
	struct scram_client c = { 0 };
	struct buf text;

	buf_init(&text, 4096);
	if (strncmp(t->gs2, "p=", 2) == 0)
		c.binding = span_of(data, sizeof(data));
	scram_client_first(&c, t->gs2, t->user, &text);
	start.initial = buf_span(&text);
	run_begin(r, &start);
	if (r->results == 0) {
		struct buf final;

		buf_init(&final, 4096);
		assert_true(scram_client_final(&c, buf_span(&r->challenge),
		    span_str(t->password), &final));
		run_step(r, buf_span(&final));
		buf_fini(&final);
	}
	assert_int_equal(r->results, 1);
	if (r->verdict == AUTH_OK)
		assert_true(scram_client_verify(&c, buf_span(&r->final)));
	else
		assert_int_equal(buf_len(&r->final), 0);
	buf_fini(&text);
}

static void
test_scram_table(void **state)
{
	static const char s[] = "SCRAM-SHA-256", p[] = "SCRAM-SHA-256-PLUS";
	static const struct scram_row t[] = {
		{ s, "n,,", "kim@a.example", "pencil", NULL, AUTH_OK },
		{ s, "n,,", "KIM@a.example", "pencil", NULL, AUTH_OK },
		{ s, "n,,", "kim@alias.example", "pencil", NULL, AUTH_OK },
		{ s, "n,a=kim@a.example,", "kim@a.example", "pencil", NULL,
		    AUTH_OK },
		{ s, "n,a=Kim@A.example,", "kim@a.example", "pencil", NULL,
		    AUTH_OK },
		{ s, "n,a=old@a.example,", "kim@a.example", "pencil", NULL,
		    AUTH_BAD },
		{ s, "n,,", "kim@a.example", "wrong", NULL, AUTH_BAD },
		{ s, "n,,", "kim@a.example", "only imap", NULL, AUTH_BAD },
		{ s, "n,,", "old@a.example", "secret", NULL, AUTH_BAD },
		{ s, "n,,", "nobody@a.example", "pencil", NULL, AUTH_BAD },
		{ s, "n,,", "bare@a.example", "pencil", NULL, AUTH_BAD },
		{ s, "n,,", "no address", "pencil", NULL, AUTH_BAD },
		{ s, "n,,", "down@a.example", "pencil", NULL, AUTH_TEMP },
		{ s, "n,,", "k=2Cm@a.example", "pencil", NULL, AUTH_BAD },
		{ s, "n,,", "k=41m@a.example", "pencil", NULL,
		    AUTH_PROTOCOL },
		{ s, "y,,", "kim@a.example", "pencil", NULL, AUTH_OK },
		/* the client was told that there is no -PLUS */
		{ s, "y,,", "kim@a.example", "pencil", "tls-exporter",
		    AUTH_BAD },
		{ s, "n,,", "kim@a.example", "pencil", "tls-exporter",
		    AUTH_OK },
		{ s, "p=tls-exporter,,", "kim@a.example", "pencil",
		    "tls-exporter", AUTH_BAD },
		{ p, "p=tls-exporter,,", "kim@a.example", "pencil",
		    "tls-exporter", AUTH_OK },
		{ p, "p=tls-unique,,", "kim@a.example", "pencil",
		    "tls-unique", AUTH_OK },
		{ p, "p=tls-unique,,", "kim@a.example", "pencil",
		    "tls-exporter", AUTH_BAD },
		{ p, "n,,", "kim@a.example", "pencil", "tls-exporter",
		    AUTH_BAD },
		{ p, "y,,", "kim@a.example", "pencil", "tls-exporter",
		    AUTH_BAD },
		{ p, "p=tls-exporter,,", "kim@a.example", "wrong",
		    "tls-exporter", AUTH_BAD },
		{ p, "p=tls-exporter,,", "kim@a.example", "pencil", NULL,
		    AUTH_NO_MECH },
		{ s, "x,,", "kim@a.example", "pencil", NULL, AUTH_PROTOCOL },
		{ s, "n,b=x,", "kim@a.example", "pencil", NULL,
		    AUTH_PROTOCOL },
		{ s, "n,,m=ext,", "kim@a.example", "pencil", NULL,
		    AUTH_PROTOCOL },
		{ s, "n,", "kim@a.example", "pencil", NULL, AUTH_PROTOCOL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct run r;

		scram_run(&t[i], &r);
		if (r.verdict != t[i].verdict)
			fail_msg("row %zu: %d", i, r.verdict);
		run_end(&r);
	}
	assert_int_equal(login_cache_count(env.cache), 0);
}

/* S19: asking for a name twice gives the same salt whether it exists or not,
 * and the same iterations. */
static void
test_unknown_names_look_like_known_ones(void **state)
{
	static const char *const names[] = {
		"kim@a.example", "nobody@a.example", "bare@a.example",
		"old@a.example", "off@a.example"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char salt[2][200];

		for (int j = 0; j < 2; j++) {
			struct msg_auth_start start = { .has_initial = 1,
			    .mechanism = SPAN_LIT("SCRAM-SHA-256") };
			struct scram_client c = { 0 };
			struct buf text;
			struct run r;

			buf_init(&text, 4096);
			scram_client_first(&c, "n,,", names[i], &text);
			start.initial = buf_span(&text);
			run_begin(&r, &start);
			assert_int_equal(r.challenges, 1);
			(void)snprintf(salt[j], sizeof(salt[j]), "%s",
			    strstr(buf_cstr(&r.challenge), ",s="));
			assert_non_null(strstr(salt[j], ",i=4096"));
			run_end(&r);
			buf_fini(&text);
		}
		assert_string_equal(salt[0], salt[1]);
	}
}

static void
test_malformed_finals(void **state)
{
	static const char *const finals[] = {
		"", "x", "c=biws", "c=biws,r=", "c=biws,r=x,p=", "p=AAAA",
		"r=x,c=biws,p=AAAA", "n,,n=kim@a.example,r=x"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		struct msg_auth_start start = { .has_initial = 1,
		    .mechanism = SPAN_LIT("SCRAM-SHA-256"), .initial =
		    SPAN_LIT("n,,n=kim@a.example,r=abcdefghijkl") };
		struct run r;

		run_begin(&r, &start);
		assert_int_equal(r.challenges, 1);
		run_step(&r, span_str(finals[i]));
		if (r.verdict != AUTH_PROTOCOL)
			fail_msg("%s: %d", finals[i], r.verdict);
		run_end(&r);
	}
}

/* --- the login defence --- */

static void
test_a_refused_network_is_not_told_what_is_right(void **state)
{
	char text[64];
	unsigned i;
	int n;

	(void)state;
	/* remembered, and so known there */
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	defence_free(&env.defence);
	env.defence = defence_new(1000, &(struct defence_events){ 0 });
	defence_configure(env.defence, conf);
	for (i = 0; i < 20; i++) {
		n = snprintf(text, sizeof(text), "%ckim@a.example%cno %u", 0,
		    0, i);
		assert_int_equal(plain_as("imap", span_of(text, (size_t)n),
		    NULL), AUTH_BAD);
	}
	fetches = 0;
	uses = 0;
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0no 99"),
	    NULL), AUTH_LATER);
	/* neither when it is remembered, nor when it would be checked, nor by
	 * another name or service */
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_LATER);
	assert_int_equal(plain_as("smtp", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_LATER);
	assert_int_equal(plain_as("imap",
	    PLAIN("\0kim@alias.example\0pencil"), NULL), AUTH_LATER);
	assert_int_equal(uses, 0);
	assert_int_equal(plain_as("imap", PLAIN("\0old@a.example\0secret"),
	    NULL), AUTH_OK);
	assert_true(defence_forgive(env.defence, fake_now(NULL),
	    SPAN_LIT("kim@a.example")));
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
	/* known now: others' guesses are no matter of its */
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
}

static unsigned
wrong_for(const char *account)
{
	struct defence_row row;

	return defence_find(env.defence, fake_now(NULL), DEFENCE_ACCOUNT,
	    span_str(account), &row) ? row.level : 0;
}

/* At some turn of the loop the check runs when its client goes. */
static void
test_who_hangs_up_has_guessed_all_the_same(void **state)
{
	struct msg_auth_start start = { .service = SPAN_LIT("imap"),
	    .mechanism = SPAN_LIT("PLAIN"), .has_initial = 1 };
	bool counted = false;
	char text[64];
	struct run r;
	int n;

	(void)state;
	for (unsigned i = 0; i < 2000 && !counted; i++) {
		n = snprintf(text, sizeof(text), "%ckim@a.example%cno %u", 0,
		    0, i);
		start.initial = span_of(text, (size_t)n);
		run_start(&r, &start);
		for (unsigned turns = i % 12; turns > 0; turns--)
			settle(0);
		counted = r.results == 0;
		run_end(&r);
		for (unsigned k = 0; k < 500 && env.count > 0; k++)
			settle(1);
		assert_int_equal(env.count, 0);
		counted = counted && wrong_for("kim@a.example") > 0;
		(void)defence_forgive(env.defence, fake_now(NULL),
		    SPAN_LIT("kim@a.example"));
	}
	assert_true(counted);
}

/* While a login is delayed its client may go, and what was remembered may
 * become void. False: a delay was over before we had come to that. */
static bool
happens_during_a_delay(void)
{
	struct msg_auth_start start = { .service = SPAN_LIT("imap"),
	    .mechanism = SPAN_LIT("PLAIN"), .has_initial = true,
	    .initial = PLAIN("\0kim@a.example\0pencil"),
	    .client_ip = SPAN_LIT("192.0.2.1") };
	char text[64];
	struct run r;
	bool missed;
	int n;

	for (unsigned i = 0; i < 19; i++) {
		n = snprintf(text, sizeof(text), "%ckim@a.example%cno %u", 0,
		    0, i);
		assert_int_equal(plain_as("imap", span_of(text, (size_t)n),
		    NULL), AUTH_BAD);
	}
	run_start(&r, &start);
	settle(5);
	run_end(&r);
	for (unsigned i = 0; i < 500 && env.count > 0; i++)
		settle(40);
	assert_int_equal(env.count, 0);
	/* known from here on; guessed at from here, too */
	assert_int_equal(plain_as("imap", start.initial, NULL), AUTH_OK);
	for (unsigned i = 0; i < 29; i++) {
		n = snprintf(text, sizeof(text), "%ckim@a.example%cmy %u", 0,
		    0, i);
		assert_int_equal(plain_as("imap", span_of(text, (size_t)n),
		    NULL), AUTH_BAD);
	}
	fetches = 0;
	run_start(&r, &start);
	settle(5);
	assert_int_equal(fetches, 0);		/* remembered */
	missed = r.results > 0;
	exchange_revoke(&env, 7);
	while (r.results == 0)
		loop_run(loop);
	assert_int_equal(r.verdict, AUTH_OK);
	run_end(&r);
	if (missed)
		return false;
	assert_int_equal(fetches, 1);
	run_start(&r, &start);
	settle(5);
	missed = r.results > 0;
	exchange_forget(&env);
	while (r.results == 0)
		loop_run(loop);
	run_end(&r);
	if (missed)
		return false;
	assert_int_equal(fetches, 2);
	return true;
}

static void
test_what_happens_during_a_delay(void **state)
{
	int64_t delay = conf->login_defence_delay;
	bool missed;

	/* with longer delays where those were too short for a busy machine */
	while ((missed = !happens_during_a_delay()) &&
	    conf->login_defence_delay < 5000) {
		conf->login_defence_delay *= 3;
		(void)fresh(state);
	}
	conf->login_defence_delay = delay;
	assert_false(missed);
}

/* As many at once as the queue holds are no more than one by one. */
static void
test_guesses_at_once_are_counted_one_by_one(void **state)
{
	struct run runs[60];
	struct msg_auth_start start;
	char text[60][64];
	unsigned i, bad = 0, later = 0;
	int n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(runs); i++) {
		n = snprintf(text[i], sizeof(text[i]),
		    "%ckim@a.example%cno %u", 0, 0, i);
		start = (struct msg_auth_start){ .service = SPAN_LIT("imap"),
		    .mechanism = SPAN_LIT("PLAIN"), .has_initial = true,
		    .initial = span_of(text[i], (size_t)n),
		    .client_ip = SPAN_LIT("192.0.2.77") };
		run_start(&runs[i], &start);
	}
	for (i = 0; i < 500 && env.count > 0; i++)
		settle(10);
	for (i = 0; i < ARRAY_LEN(runs); i++) {
		bad += runs[i].verdict == AUTH_BAD;
		later += runs[i].verdict == AUTH_LATER;
		run_end(&runs[i]);
	}
	/* two threads: one more may have been on its way */
	assert_in_range(bad, 20, 21);
	assert_int_equal(bad + later, ARRAY_LEN(runs));
}

/* --- mechanisms, bounds, aborts --- */

static void
test_mechanisms_by_name(void **state)
{
	static const char *const none[] = {
		"", "ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL",
		"SCRAM-SHA-1", "PLAIN ", "PLAIN LOGIN", "OAUTHBEARER"
	};
	struct conf *all = conf, *few;
	struct buf why;
	struct run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct msg_auth_start start = { .has_initial = 1,
		    .mechanism = span_str(none[i]),
		    .initial = PLAIN("\0kim@a.example\0pencil") };

		run_begin(&r, &start);
		if (r.verdict != AUTH_NO_MECH)
			fail_msg("%s", none[i]);
		run_end(&r);
	}
	buf_init(&why, 4096);
	few = conf_parse("test", SPAN_LIT("sasl_mechanisms = "
	    "SCRAM-SHA-256, ANONYMOUS\n"), &why);
	assert_non_null(few);
	env.conf = few;
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_NO_MECH);
	{
		/* "y" is true where -PLUS is not offered */
		static const struct scram_row y = { "SCRAM-SHA-256", "y,,",
		    "kim@a.example", "pencil", "tls-exporter", AUTH_OK };

		scram_run(&y, &r);
		assert_int_equal(r.verdict, AUTH_OK);
		run_end(&r);
	}
	{
		struct msg_auth_start start = { .has_initial = 1,
		    .mechanism = SPAN_LIT("ANONYMOUS"),
		    .initial = SPAN_LIT("x") };

		run_begin(&r, &start);
		assert_int_equal(r.verdict, AUTH_NO_MECH);
		run_end(&r);
	}
	env.conf = all;
	conf_unref(&few);
	buf_fini(&why);
}

static void
test_over_long_messages(void **state)
{
	static char big[100000] = "\0kim@a.example\0";
	static const char *const mechs[] = {
		"PLAIN", "LOGIN", "SCRAM-SHA-256"
	};

	(void)state;
	memset(big + 15, 'x', sizeof(big) - 15);
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++) {
		struct msg_auth_start start = { .has_initial = 1,
		    .mechanism = span_str(mechs[i]),
		    .initial = span_of(big, sizeof(big)) };
		struct run r;

		run_begin(&r, &start);
		assert_int_equal(r.verdict, AUTH_PROTOCOL);
		run_end(&r);
		start = (struct msg_auth_start){
		    .mechanism = span_str(mechs[i]) };
		run_begin(&r, &start);
		run_step(&r, span_of(big, sizeof(big)));
		assert_int_equal(r.verdict, AUTH_PROTOCOL);
		run_end(&r);
	}
	memcpy(big, "\0long@a.example\0", 16);
	assert_int_equal(plain_as("imap", span_of(big,
	    16 + SCHEME_PASSWORD_MAX), NULL), AUTH_OK);
	assert_int_equal(plain_as("imap", span_of(big,
	    15 + SCHEME_PASSWORD_MAX), NULL), AUTH_BAD);
	/* past what a password may be, within what a message may be */
	assert_int_equal(plain_as("imap", span_of(big, 3000), NULL),
	    AUTH_BAD);
}

/* S5: abandoned after any number of loop turns, nothing stays behind and
 * others are not disturbed. */
static void
test_aborts_at_every_moment(void **state)
{
	static const struct { const char *mech; struct span first; } t[] = {
		{ "PLAIN", PLAIN("\0kim@a.example\0pencil") },
		{ "PLAIN", PLAIN("\0nobody@a.example\0pencil") },
		{ "LOGIN", SPAN_LIT("kim@a.example") },
		{ "SCRAM-SHA-256",
		    SPAN_LIT("n,,n=kim@a.example,r=abcdefghijkl") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		for (unsigned turns = 0; turns < 12; turns++) {
			struct msg_auth_start start = { .has_initial = 1,
			    .service = SPAN_LIT("imap"),
			    .mechanism = span_str(t[i].mech),
			    .initial = t[i].first };
			struct run r = { 0 };

			login_cache_clear(env.cache);
			buf_init(&r.challenge, BUF_NO_CAP);
			buf_init(&r.final, BUF_NO_CAP);
			buf_init(&r.ticket, BUF_NO_CAP);
			r.ex = exchange_start(&env, &start, &run_cbs, &r);
			for (unsigned n = 0; n < turns; n++)
				settle(0);
			run_end(&r);
		}
	}
	for (unsigned n = 0; n < 500 && env.count > 0; n++)
		settle(1);
	assert_int_equal(env.count, 0);
	assert_int_equal(asks_open, 0);
	assert_int_equal(plain_as("imap", PLAIN("\0kim@a.example\0pencil"),
	    NULL), AUTH_OK);
}

static void
test_answers_out_of_place_change_nothing(void **state)
{
	struct msg_auth_start start = { .has_initial = 1,
	    .service = SPAN_LIT("imap"), .mechanism = SPAN_LIT("PLAIN"),
	    .initial = PLAIN("\0kim@a.example\0pencil") };
	struct run r = { 0 };

	(void)state;
	buf_init(&r.final, BUF_NO_CAP);
	buf_init(&r.ticket, BUF_NO_CAP);
	buf_init(&r.challenge, BUF_NO_CAP);
	r.ex = exchange_start(&env, &start, &run_cbs, &r);
	while (r.results == 0) {
		exchange_step(r.ex, PLAIN("\0old@a.example\0secret"));
		settle(0);
	}
	assert_int_equal(r.verdict, AUTH_OK);
	assert_int_equal(r.mailbox_id, 7);
	run_end(&r);
}

/* Past the bound the busiest network is told to come later; others pass. */
static void
test_full_queue(void **state)
{
	enum { N = 150 };
	struct run flood[N] = { 0 };
	unsigned temp = 0, bad = 0;
	struct run r;

	(void)state;
	for (int i = 0; i < N; i++) {
		struct msg_auth_start start = { .has_initial = 1,
		    .service = SPAN_LIT("imap"),
		    .mechanism = SPAN_LIT("PLAIN"),
		    .client_ip = i % 2 ? SPAN_LIT("198.51.100.1") :
		    SPAN_LIT("::ffff:198.51.100.99"),
		    .initial = PLAIN("\0nobody@a.example\0guess") };

		buf_init(&flood[i].challenge, BUF_NO_CAP);
		buf_init(&flood[i].final, BUF_NO_CAP);
		buf_init(&flood[i].ticket, BUF_NO_CAP);
		flood[i].ex = exchange_start(&env, &start, &run_cbs,
		    &flood[i]);
	}
	{
		struct msg_auth_start start = { .has_initial = 1,
		    .mechanism = SPAN_LIT("PLAIN"),
		    .initial = PLAIN("\0kim@a.example\0pencil") };

		run_begin(&r, &start);
		while (r.results == 0)
			loop_run(loop);
		assert_int_equal(r.verdict, AUTH_OK);
		for (int i = 0; i < N; i++)
			bad += flood[i].results > 0 &&
			    flood[i].verdict == AUTH_BAD;
		assert_true(bad < 20);	/* did not wait for the flood */
		run_end(&r);
	}
	while (env.count > 0)
		loop_run(loop);
	for (int i = 0; i < N; i++) {
		assert_int_equal(flood[i].results, 1);
		temp += flood[i].verdict == AUTH_TEMP;
		run_end(&flood[i]);
	}
	assert_true(temp >= N - 105 && temp <= N - 95);
}

/* --- S37 --- */

static bool leaked;

static void
tap_cb(enum log_level level, const char *line, void *arg)
{
	static const char *const secrets[] = {
		"pencil", "only imap", "secret", "hunter2", "guess",
		"5ebe2294", "SCRAM-SHA-256}", "r=abcdefghijkl"
	};

	(void)level;
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (strstr(line, secrets[i]) != NULL) {
			leaked = true;
			fprintf(stderr, "leak: %s\n", line);
		}
}

static void
test_no_secret_is_logged_at_any_level(void **state)
{
	static void (*const tests[])(void **) = {
		test_plain_table, test_scram_table, test_malformed_finals,
		test_weak_schemes_are_rehashed, test_what_a_result_holds
	};

	log_level_set(LOG_L_DEBUG);
	log_tap(tap_cb, NULL);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		(void)fresh(state);
		tests[i](state);
	}
	log_tap(NULL, NULL);
	log_level_set(LOG_L_INFO);
	assert_false(leaked);
}

#define T(f)	cmocka_unit_test_setup(f, fresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_plain_table),
		T(test_what_a_result_holds),
		T(test_repeated_logins_are_remembered_by_service),
		T(test_weak_schemes_are_rehashed),
		T(test_change_during_a_login),
		T(test_plain_in_two_steps_and_login),
		T(test_scram_table),
		T(test_unknown_names_look_like_known_ones),
		T(test_malformed_finals),
		T(test_mechanisms_by_name),
		T(test_over_long_messages),
		T(test_aborts_at_every_moment),
		T(test_answers_out_of_place_change_nothing),
		T(test_full_queue),
		T(test_a_refused_network_is_not_told_what_is_right),
		T(test_who_hangs_up_has_guessed_all_the_same),
		T(test_what_happens_during_a_delay),
		T(test_guesses_at_once_are_counted_one_by_one),
		T(test_no_secret_is_logged_at_any_level),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
