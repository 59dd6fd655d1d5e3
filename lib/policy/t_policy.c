/*
 * The client against services of every kind, good and hostile, on a unix
 * socket in the same loop.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/testloop.h"
#include "base/xmalloc.h"
#include "net/stream.h"
#include "policy/reply.h"

#define PEERS_MAX	64
#define ASKS_MAX	64

/* --- the service --- */

struct peer {
	struct stream *s;
	unsigned requests;
	struct timer timer;
	size_t sent;
	bool held;
};

/* What it does with a request ("key=N\n\n"), whose N is given. */
typedef void serve_fn(struct peer *p, unsigned key);

static struct loop *loop;
static struct work_pool *names;
static struct policy *client;
static struct conf *conf;
static char path[64];

static struct {
	int fd;
	struct io io;
	serve_fn *serve;
	bool shut_door;		/* closes what it accepts */
	struct peer peer[PEERS_MAX];
	unsigned accepted, open, most_open, requests;
} service;

static void
peer_close(struct peer *p)
{
	if (p->s == NULL)
		return;
	timer_clear(&p->timer);
	stream_free(&p->s);
	service.open--;
}

static void
peer_readable(struct stream *s, void *arg)
{
	struct peer *p = arg;
	struct buf *in = stream_in(s);
	unsigned key;
	char *end;

	while (p->s != NULL && (end = memmem(buf_data(in), buf_len(in),
	    "\n\n", 2)) != NULL) {
		assert_int_equal(sscanf(buf_cstr(in), "key=%u", &key), 1);
		buf_consume(in, (size_t)(end + 2 - buf_data(in)));
		p->requests++;
		service.requests++;
		service.serve(p, key);
	}
}

static void
peer_ended(struct stream *s, enum stream_end end, const char *text, void *arg)
{
	peer_close(arg);
}

static const struct stream_cbs peer_cbs = { peer_readable, NULL, NULL,
	peer_ended };

static void
accept_cb(int fd, int what, void *arg)
{
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p = &service.peer[service.accepted];

	if (c == -1)
		return;
	service.accepted++;
	assert_true(service.accepted < PEERS_MAX);
	if (service.shut_door) {
		(void)close(c);
		return;
	}
	service.open++;
	service.most_open = MAX(service.most_open, service.open);
	*p = (struct peer){ .s = stream_new(loop, c, &peer_cbs, p) };
}

static void
service_listen(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	service.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(service.fd, -1);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(service.fd, (struct sockaddr *)&un,
	    sizeof(un)), 0);
	assert_int_equal(listen(service.fd, 64), 0);
	io_init(&service.io, loop, service.fd, accept_cb, NULL);
	io_want(&service.io, IO_READ);
}

static void
service_unlisten(void)
{
	if (service.fd == -1)
		return;
	io_clear(&service.io);
	(void)close(service.fd);
	(void)unlink(path);
	service.fd = -1;
}

static void
peers_close(void)
{
	unsigned i;

	for (i = 0; i < service.accepted; i++)
		peer_close(&service.peer[i]);
}

/* --- what services do --- */

static void
serve_key(struct peer *p, unsigned key)
{
	stream_fmt(p->s, "action=PREPEND X-Key: %u\n\n", key);
}

static void
serve_nothing(struct peer *p, unsigned key)
{
}

static void
serve_garbage(struct peer *p, unsigned key)
{
	stream_str(p->s, "\x16\x03\x01 what?\n\n");
}

static void
serve_half(struct peer *p, unsigned key)
{
	assert_int_equal(send(stream_fd(p->s), "action=OK\n", 10, 0), 10);
	peer_close(p);
}

static void
serve_close(struct peer *p, unsigned key)
{
	peer_close(p);
}

static void
serve_close_then_key(struct peer *p, unsigned key)
{
	if (service.requests == 1)
		peer_close(p);
	else
		serve_key(p, key);
}

static void
serve_one_then_close(struct peer *p, unsigned key)
{
	if (p->requests > 1)
		peer_close(p);
	else
		serve_key(p, key);
}

static void
serve_twice(struct peer *p, unsigned key)
{
	serve_key(p, key);
	stream_str(p->s, "action=OK\n\n");
}

static void
flood_cb(void *arg)
{
	static const char line[] = "x=0123456789012345678901234567890123\n";
	struct peer *p = arg;
	unsigned i;

	for (i = 0; i < 100 && !stream_full(p->s); i++)
		stream_str(p->s, line);
	timer_set_ms(&p->timer, 1);
}

static void
serve_flood(struct peer *p, unsigned key)
{
	timer_init(&p->timer, loop, flood_cb, p);
	flood_cb(p);
}

static void
trickle_cb(void *arg)
{
	static const char text[] = "action=OK\n\n";
	struct peer *p = arg;

	stream_write(p->s, span_of(text + p->sent++, 1));
	if (p->sent < sizeof(text) - 1)
		timer_set_ms(&p->timer, 1);
}

static void
serve_trickle(struct peer *p, unsigned key)
{
	timer_init(&p->timer, loop, trickle_cb, p);
	p->sent = 0;
	trickle_cb(p);
}

/* Never an end, never a silence. */
static void
drip_cb(void *arg)
{
	struct peer *p = arg;

	stream_str(p->s, "x=y\n");
	timer_set_ms(&p->timer, 20);
}

static void
serve_drip(struct peer *p, unsigned key)
{
	timer_init(&p->timer, loop, drip_cb, p);
	drip_cb(p);
}

/* Answered by whoever has patience, see release(). */
static void
serve_hold(struct peer *p, unsigned key)
{
	p->sent = key;
	p->held = true;
}

static void
late_cb(void *arg)
{
	struct peer *p = arg;

	serve_key(p, (unsigned)p->sent);
}

static void
serve_key_late(struct peer *p, unsigned key)
{
	p->sent = key;
	timer_init(&p->timer, loop, late_cb, p);
	timer_set_ms(&p->timer, 30);
}

/* --- the asker --- */

struct asker {
	unsigned key;
	struct policy_ask *ask;
	unsigned calls;
	bool failed;
	char action[256];
};

static struct asker asker[ASKS_MAX];
static unsigned n_asked, n_answered;
static bool free_client;	/* in the callback */

static void
answer_cb(const struct policy_answer *a, void *arg)
{
	struct asker *k = arg;

	k->calls++;
	k->ask = NULL;
	k->failed = a->failed;
	(void)snprintf(k->action, sizeof(k->action), "%s", a->action);
	n_answered++;
	if (free_client)
		policy_free(&client);
	if (n_answered == n_asked)
		loop_stop(loop);
}

static struct asker *
ask(struct policy_spec *spec)
{
	struct asker *k = &asker[n_asked];
	char request[32];

	assert_true(n_asked < ASKS_MAX);
	*k = (struct asker){ .key = n_asked + 1 };
	n_asked++;
	(void)snprintf(request, sizeof(request), "key=%u\n\n", k->key);
	k->ask = policy_ask(client, spec, span_str(request), answer_cb, k);
	assert_int_equal(k->calls, 0);
	return k;
}

static void
run_ms(uint64_t ms)
{
	testloop_ms(loop, ms);
}

/* Until all is answered. */
static void
settle(void)
{
	unsigned i;

	run_ms(90000);
	assert_int_equal(n_answered, n_asked);
	for (i = 0; i < n_asked; i++)
		assert_int_equal(asker[i].calls, 1);
}

static void
has_own_answer(const struct asker *k)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "PREPEND X-Key: %u", k->key);
	assert_false(k->failed);
	assert_string_equal(k->action, want);
}

static struct policy_spec *
spec(const char *settings)
{
	char word[512];
	struct policy_spec *s;
	struct err err;

	(void)snprintf(word, sizeof(word), "{ unix:%s, retry_delay=0, "
	    "default_action=DUNNO, %s }", path, settings);
	s = policy_spec_new(span_str(word), conf, &err);
	if (s == NULL)
		fail_msg("%s", err.why);
	return s;
}

static void
quiet_cb(enum log_level level, const char *line, void *arg)
{
}

static void
begin(const char *settings)
{
	struct buf complaints;

	buf_init(&complaints, BUF_NO_CAP);
	conf = conf_parse("t", span_str(settings), &complaints);
	if (conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	log_tap(quiet_cb, NULL);
	loop = loop_new();
	names = work_pool_new(loop, 1);
	client = policy_new(loop, names);
	memset(&service, 0, sizeof(service));
	service.serve = serve_key;
	n_asked = n_answered = 0;
	free_client = false;
	(void)snprintf(path, sizeof(path), "/tmp/t_policy.%d", getpid());
	service_listen();
}

static void
finish(void)
{
	policy_free(&client);
	peers_close();
	service_unlisten();
	work_pool_free(&names);
	loop_free(&loop);
	conf_unref(&conf);
}

/* One ask of a service of this kind. */
static struct asker *
one(serve_fn *serve, const char *settings)
{
	struct policy_spec *s;
	struct asker *k;

	begin("");
	service.serve = serve;
	s = spec(settings);
	k = ask(s);
	policy_spec_unref(&s);
	settle();
	return k;
}

/* --- good services --- */

static void
one_answer(void **state)
{
	has_own_answer(one(serve_key, ""));
	assert_int_equal(service.accepted, 1);
	finish();
}

static void
byte_by_byte(void **state)
{
	assert_string_equal(one(serve_trickle, "")->action, "OK");
	finish();
}

static void
connection_is_reused(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("");
	s = spec("");
	for (i = 0; i < 10; i++) {
		has_own_answer((ask(s), settle(), &asker[i]));
	}
	assert_int_equal(service.accepted, 1);
	policy_spec_unref(&s);
	finish();
}

static void
request_limit(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("");
	s = spec("request_limit=2");
	for (i = 0; i < 5; i++) {
		ask(s);
		settle();
		has_own_answer(&asker[i]);
	}
	assert_int_equal(service.accepted, 3);
	policy_spec_unref(&s);
	finish();
}

static void
idle_connection_is_closed(void **state)
{
	struct policy_spec *s;

	begin("");
	s = spec("max_idle=100ms");
	ask(s);
	settle();
	assert_int_equal(service.open, 1);
	run_ms(300);
	assert_int_equal(service.open, 0);
	ask(s);
	settle();
	assert_int_equal(service.accepted, 2);
	policy_spec_unref(&s);
	finish();
}

static void
old_connection_is_closed(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("");
	s = spec("max_ttl=150ms");
	for (i = 0; i < ASKS_MAX && service.accepted < 2; i++) {
		ask(s);
		settle();
		run_ms(20);
	}
	assert_true(service.accepted >= 2);
	policy_spec_unref(&s);
	finish();
}

static void
many_at_once(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("smtpd_policy_service_connection_limit = 4");
	service.serve = serve_key_late;
	s = spec("");
	for (i = 0; i < 20; i++)
		ask(s);
	settle();
	for (i = 0; i < 20; i++)
		has_own_answer(&asker[i]);
	assert_int_equal(service.most_open, 4);
	assert_int_equal(service.accepted, 4);
	policy_spec_unref(&s);
	finish();
}

static void
queue_is_bounded(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("smtpd_policy_service_connection_limit = 1\n"
	    "smtpd_policy_service_queue_limit = 2");
	service.serve = serve_key_late;
	s = spec("");
	for (i = 0; i < 5; i++)
		ask(s);
	settle();
	for (i = 0; i < 3; i++)
		has_own_answer(&asker[i]);
	for (; i < 5; i++) {
		assert_true(asker[i].failed);
		assert_string_equal(asker[i].action, "DUNNO");
	}
	policy_spec_unref(&s);
	finish();
}

/* Those in the queue wait no longer than those with a connection. */
static void
queue_is_no_endless_wait(void **state)
{
	struct policy_spec *s;
	uint64_t from = clock_mono_ms();
	unsigned i;

	begin("smtpd_policy_service_connection_limit = 1");
	service.serve = serve_nothing;
	s = spec("timeout=1s, try_limit=1");
	for (i = 0; i < 60; i++)
		ask(s);
	settle();
	assert_true(clock_mono_ms() - from < 60 * 1000 / 2);
	for (i = 0; i < 60; i++)
		assert_true(asker[i].failed);
	policy_spec_unref(&s);
	finish();
}

/* --- those that fail --- */

/* Each kind gets as many tries as it may, then the default action counts. */
static void
hostile(void **state)
{
	static const struct {
		const char *name;
		serve_fn *serve;
		const char *settings;
	} kinds[] = {
#define SOON	"timeout=300ms, try_limit=3"
#define NEVER	"timeout=300s, try_limit=3"
		{ "garbage", serve_garbage, NEVER },
		{ "half an answer", serve_half, NEVER },
		{ "close", serve_close, NEVER },
		{ "flood", serve_flood, NEVER },
		{ "silence", serve_nothing, SOON },
		{ "drip", serve_drip, SOON },
#undef SOON
#undef NEVER
	};
	struct asker *k;
	uint64_t from;
	size_t i;
	int again;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		from = clock_mono_ms();
		k = one(kinds[i].serve, kinds[i].settings);
		/* on a busy machine a try may be over before it is heard */
		for (again = 0; again < 5 && service.requests < 3; again++) {
			finish();
			k = one(kinds[i].serve, kinds[i].settings);
		}
		if (!k->failed || service.requests != 3)
			fail_msg("%s: \"%s\" after %u tries", kinds[i].name,
			    k->action, service.requests);
		assert_string_equal(k->action, "DUNNO");
		assert_true(clock_mono_ms() - from < 90000);
		finish();
	}
}

static void
closed_door(void **state)
{
	struct policy_spec *s;

	begin("");
	service.shut_door = true;
	s = spec("try_limit=2");
	assert_true((ask(s), settle(), asker[0].failed));
	assert_int_equal(service.accepted, 2);
	policy_spec_unref(&s);
	finish();
}

static void
nobody_there(void **state)
{
	struct policy_spec *s;

	begin("");
	service_unlisten();
	s = spec("{ default_action = 450 4.7.1 Later }");
	assert_true((ask(s), settle(), asker[0].failed));
	assert_string_equal(asker[0].action, "450 4.7.1 Later");
	policy_spec_unref(&s);
	finish();
}

static void
second_try_helps(void **state)
{
	has_own_answer(one(serve_close_then_key, ""));
	assert_int_equal(service.accepted, 2);
	finish();
}

static void
rest_between_tries(void **state)
{
	uint64_t from = clock_mono_ms();

	has_own_answer(one(serve_close_then_key, "retry_delay=200ms"));
	assert_true(clock_mono_ms() - from >= 190);
	finish();
}

/* Even with a single try: the service closes a connection that it has had
 * enough of, just when we use it. */
static void
stale_connection_is_no_try(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("");
	service.serve = serve_one_then_close;
	s = spec("try_limit=1");
	for (i = 0; i < 4; i++) {
		ask(s);
		settle();
		has_own_answer(&asker[i]);
	}
	policy_spec_unref(&s);
	finish();
}

static void
restarted_service(void **state)
{
	struct policy_spec *s;

	begin("");
	s = spec("try_limit=1");
	ask(s);
	settle();
	peers_close();
	run_ms(20);
	ask(s);
	settle();
	has_own_answer(&asker[1]);
	assert_int_equal(service.accepted, 2);
	policy_spec_unref(&s);
	finish();
}

/* A second answer to one request is not the answer to the next. */
static void
stray_answer(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("");
	service.serve = serve_twice;
	s = spec("");
	for (i = 0; i < 5; i++) {
		ask(s);
		settle();
		has_own_answer(&asker[i]);
	}
	policy_spec_unref(&s);
	finish();
}

/* The default action is that of who asks, not of who asked first. */
static void
own_default_action(void **state)
{
	struct policy_spec *a, *b;

	begin("");
	service_unlisten();
	a = spec("default_action=REJECT");
	b = spec("default_action=OK");
	ask(a);
	ask(b);
	settle();
	assert_string_equal(asker[0].action, "REJECT");
	assert_string_equal(asker[1].action, "OK");
	policy_spec_unref(&a);
	policy_spec_unref(&b);
	finish();
}

/* --- ends --- */

static void
release(void)
{
	unsigned i;

	service.serve = serve_key;
	for (i = 0; i < service.accepted; i++)
		if (service.peer[i].held && service.peer[i].s != NULL)
			serve_key(&service.peer[i],
			    (unsigned)service.peer[i].sent);
}

static void
cancelled(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("smtpd_policy_service_connection_limit = 2");
	service.serve = serve_hold;
	s = spec("");
	for (i = 0; i < 6; i++)
		ask(s);
	policy_cancel(&asker[0].ask);	/* is being connected */
	policy_cancel(&asker[4].ask);	/* waits */
	run_ms(10);
	assert_int_equal(service.peer[0].held + service.peer[1].held, 2);
	policy_cancel(&asker[1].ask);	/* has been sent */
	n_answered += 3;
	release();
	run_ms(90000);
	for (i = 0; i < 6; i++)
		assert_int_equal(asker[i].calls, i == 2 || i == 3 || i == 5);
	has_own_answer(&asker[2]);
	has_own_answer(&asker[3]);
	has_own_answer(&asker[5]);
	policy_spec_unref(&s);
	finish();
}

static void
cancelled_while_resting(void **state)
{
	struct policy_spec *s;

	begin("");
	service_unlisten();
	s = spec("retry_delay=10s");
	ask(s);
	run_ms(50);
	policy_cancel(&asker[0].ask);
	run_ms(50);
	assert_int_equal(asker[0].calls, 0);
	policy_spec_unref(&s);
	finish();
}

static void
freed_in_the_callback(void **state)
{
	struct policy_spec *s;

	begin("");
	s = spec("");
	free_client = true;
	ask(s);
	settle();
	assert_null(client);
	policy_spec_unref(&s);
	finish();
}

static void
freed_while_asking(void **state)
{
	struct policy_spec *s;
	unsigned i;

	begin("smtpd_policy_service_connection_limit = 2");
	service.serve = serve_nothing;
	s = spec("");
	for (i = 0; i < 5; i++)
		ask(s);
	run_ms(30);
	policy_spec_unref(&s);
	finish();
	for (i = 0; i < 5; i++)
		assert_int_equal(asker[i].calls, 0);
}

/* --- the probe --- */

static void
probe_cb(const char *why, void *arg)
{
	(void)snprintf(arg, 256, "%s", why == NULL ? "fine" : why);
	loop_stop(loop);
}

static void
probe(void **state)
{
	struct policy_spec *s;
	char outcome[256] = "none";

	begin("");
	s = spec("");
	(void)policy_probe_start(loop, names, s, 60000, probe_cb, outcome);
	run_ms(90000);
	assert_string_equal(outcome, "fine");
	service_unlisten();
	(void)policy_probe_start(loop, names, s, 60000, probe_cb, outcome);
	run_ms(90000);
	assert_non_null(strstr(outcome, "No such file"));
	policy_spec_unref(&s);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_answer),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(connection_is_reused),
		cmocka_unit_test(request_limit),
		cmocka_unit_test(idle_connection_is_closed),
		cmocka_unit_test(old_connection_is_closed),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(queue_is_no_endless_wait),
		cmocka_unit_test(hostile),
		cmocka_unit_test(closed_door),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(second_try_helps),
		cmocka_unit_test(rest_between_tries),
		cmocka_unit_test(stale_connection_is_no_try),
		cmocka_unit_test(restarted_service),
		cmocka_unit_test(stray_answer),
		cmocka_unit_test(own_default_action),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(cancelled_while_resting),
		cmocka_unit_test(freed_in_the_callback),
		cmocka_unit_test(freed_while_asking),
		cmocka_unit_test(probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
