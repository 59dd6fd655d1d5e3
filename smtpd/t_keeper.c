/*
 * gatekeeper's counters under a fake clock, and its wire: what workers say,
 * good and bad, over real IPC connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pack.h"
#include "smtpd/keeper_serve.h"

#define UNIT		60000
#define PATIENCE_MS	30000

static struct keeper_key
key_of(const char *ip, unsigned v4, unsigned v6)
{
	struct keeper_key key;
	struct net_addr a;

	memset(&key, 0x55, sizeof(key));
	assert_true(net_addr_parse(span_str(ip), &a));
	keeper_key_set(&key, &a, v4, v6, SPAN_LIT("mx"));
	assert_true(keeper_key_valid(keeper_key_span(&key)));
	return key;
}

/* --- keys --- */

static const struct {
	const char *ip;
	unsigned v4, v6;
	const char *text;
} keys[] = {
	{ "192.0.2.7", 32, 64, "mx:192.0.2.7" },
	{ "192.0.2.7", 24, 64, "mx:192.0.2.0/24" },
	{ "192.0.2.255", 25, 64, "mx:192.0.2.128/25" },
	{ "192.0.2.7", 0, 64, "mx:0.0.0.0/0" },
	{ "2001:db8:1:2:3:4:5:6", 32, 128, "mx:2001:db8:1:2:3:4:5:6" },
	{ "2001:db8:1:2:3:4:5:6", 32, 64, "mx:2001:db8:1:2::/64" },
	{ "2001:db8:1:2:ffff:ffff::", 32, 84, "mx:2001:db8:1:2:ffff:f000::/84" },
	{ "2001:db8::1", 24, 0, "mx:::/0" },
};

static void
clients_are_named_by_network(void **state)
{
	struct keeper_key key;
	struct buf text;
	size_t i;

	(void)state;
	buf_init(&text, 200);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		key = key_of(keys[i].ip, keys[i].v4, keys[i].v6);
		keeper_key_text(keeper_key_span(&key), &text);
		assert_string_equal(buf_cstr(&text), keys[i].text);
		buf_clear(&text);
	}
	buf_fini(&text);
}

static void
a_long_service_name_is_cut(void **state)
{
	char name[KEEPER_SERVICE_MAX + 40];
	struct net_addr a;
	struct keeper_key key;

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_true(net_addr_parse(SPAN_LIT("192.0.2.7"), &a));
	keeper_key_set(&key, &a, 32, 64, span_of(name, sizeof(name)));
	assert_int_equal(key.n, KEEPER_KEY_MAX);
	assert_true(keeper_key_valid(keeper_key_span(&key)));
}

/* --- counting; a table of what happens when, and what is known then --- */

enum act { CONNECT, GONE, MAIL, RCPT, PEEK };

static const struct {
	uint64_t at;
	const char *ip;
	enum act act;
	uint32_t connections, rate;
} story[] = {
	{ 0, "192.0.2.1", CONNECT, 1, 1 },
	{ 10, "192.0.2.1", CONNECT, 2, 2 },
	{ 20, "192.0.2.2", CONNECT, 1, 1 },	/* somebody else */
	{ 30, "192.0.2.1", MAIL, 2, 1 },
	{ 40, "192.0.2.1", RCPT, 2, 1 },	/* a rate of its own */
	{ 50, "192.0.2.1", RCPT, 2, 2 },
	{ 60, "192.0.2.1", PEEK, 2, 0 },
	{ 60, "192.0.2.9", PEEK, 0, 0 },	/* never heard of */
	{ 70, "192.0.2.1", GONE, 0, 0 },
	{ 80, "192.0.2.1", MAIL, 1, 2 },
	{ UNIT - 1, "192.0.2.1", MAIL, 1, 3 },
	{ UNIT, "192.0.2.1", MAIL, 1, 1 },	/* a new unit */
	{ UNIT, "192.0.2.1", CONNECT, 2, 1 },
	{ UNIT, "192.0.2.2", MAIL, 1, 1 },
	{ UNIT + 5, "192.0.2.1", GONE, 0, 0 },
	{ UNIT + 5, "192.0.2.1", GONE, 0, 0 },
	{ UNIT + 5, "192.0.2.1", GONE, 0, 0 },	/* once too often */
	{ UNIT + 6, "192.0.2.1", MAIL, 0, 2 },	/* still remembered */
	{ UNIT + 6, "192.0.2.1", CONNECT, 1, 2 },
};

static void
events_are_counted(void **state)
{
	static const enum keeper_event event[] = { KEEPER_CONNECT,
		KEEPER_CONNECT, KEEPER_MESSAGE, KEEPER_RECIPIENT,
		KEEPER_NEWTLS };
	struct keeper *k = keeper_new(100, UNIT);
	struct keeper_counts n;
	struct keeper_key key;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(story); i++) {
		key = key_of(story[i].ip, 32, 64);
		if (story[i].act == GONE) {
			keeper_gone(k, keeper_key_span(&key), 1,
			    story[i].at);
			continue;
		}
		assert_true(keeper_count(k, keeper_key_span(&key),
		    event[story[i].act], story[i].act == PEEK, story[i].at,
		    &n));
		if (n.connections != story[i].connections ||
		    n.rate != story[i].rate)
			fail_msg("row %zu: %u connections, rate %u", i,
			    n.connections, n.rate);
	}
	assert_int_equal(keeper_clients(k), 2);
	assert_int_equal(keeper_connections(k), 2);
	keeper_free(&k);
	assert_null(k);
}

static void
add(struct keeper *k, unsigned number, enum keeper_event event, uint64_t at,
    bool known)
{
	struct keeper_counts n;
	struct keeper_key key;
	char ip[32];

	(void)snprintf(ip, sizeof(ip), "10.0.%u.%u", number / 256,
	    number % 256);
	key = key_of(ip, 32, 64);
	assert_int_equal(keeper_count(k, keeper_key_span(&key), event, false,
	    at, &n), known);
}

static void
silent_clients_are_forgotten(void **state)
{
	struct keeper *k = keeper_new(1000, UNIT);
	unsigned i;

	(void)state;
	for (i = 0; i < 500; i++)
		add(k, i, KEEPER_MESSAGE, i, true);
	add(k, 0, KEEPER_MESSAGE, 1000, true);	/* heard of again */
	add(k, 1, KEEPER_CONNECT, 1000, true);	/* has a connection */
	assert_int_equal(keeper_clients(k), 500);
	/* each new one takes a few old ones along */
	for (i = 500; i < 600; i++)
		add(k, i, KEEPER_MESSAGE, UNIT + 999, true);
	assert_int_equal(keeper_clients(k), 102);
	keeper_free(&k);
}

static void
the_table_has_an_end(void **state)
{
	struct keeper *k = keeper_new(100, UNIT);
	struct keeper_counts n;
	struct keeper_key key = key_of("10.0.0.0", 32, 64);
	unsigned i;

	(void)state;
	/* those without connections make room, the oldest first */
	for (i = 0; i < 100; i++)
		add(k, i, KEEPER_MESSAGE, i, true);
	add(k, 0, KEEPER_MESSAGE, 200, true);
	for (i = 100; i < 199; i++)
		add(k, i, KEEPER_CONNECT, 300, true);
	assert_int_equal(keeper_clients(k), 100);
	assert_true(keeper_count(k, keeper_key_span(&key), KEEPER_MESSAGE,
	    true, 300, &n));
	assert_int_equal(n.rate, 2);
	/* those with connections do not */
	add(k, 199, KEEPER_CONNECT, 301, true);
	add(k, 200, KEEPER_CONNECT, 302, false);
	add(k, 200, KEEPER_MESSAGE, 302, false);
	add(k, 150, KEEPER_CONNECT, 303, true);
	assert_int_equal(keeper_clients(k), 100);
	assert_int_equal(keeper_connections(k), 101);
	/* a smaller table shrinks as room is asked for */
	key = key_of("10.0.0.150", 32, 64);
	keeper_gone(k, keeper_key_span(&key), 5, 304);
	keeper_configure(k, 50, UNIT);
	add(k, 201, KEEPER_CONNECT, 305, false);
	assert_int_equal(keeper_clients(k), 99);
	keeper_free(&k);
}

static void
counts_stop_at_their_end(void **state)
{
	struct keeper *k = keeper_new(100, UNIT);
	struct keeper_key key = key_of("192.0.2.1", 32, 64);
	struct keeper_counts n;

	(void)state;
	assert_true(keeper_held(k, keeper_key_span(&key), UINT32_MAX, 0));
	assert_true(keeper_count(k, keeper_key_span(&key), KEEPER_CONNECT,
	    false, 0, &n));
	assert_int_equal(n.connections, UINT32_MAX);
	keeper_gone(k, keeper_key_span(&key), UINT32_MAX, 0);
	assert_int_equal(keeper_connections(k), 0);
	keeper_free(&k);
}

/* --- the report --- */

static struct buf report;

static void
report_cb(const char *text)
{
	buf_str(&report, text);
	buf_char(&report, '\n');
}

static void
the_highest_figures_are_reported_once(void **state)
{
	struct keeper *k = keeper_new(100, UNIT);
	unsigned i;

	(void)state;
	buf_init(&report, 4096);
	for (i = 0; i < 3; i++)
		add(k, 7, KEEPER_CONNECT, i, true);
	add(k, 8, KEEPER_AUTH, 5, true);
	keeper_report(k, report_cb);
	assert_true(span_starts(buf_span(&report),
	    "max connection rate 3/60s for (mx:10.0.0.7) at "));
	assert_non_null(strstr(buf_cstr(&report),
	    "\nmax connection count 3 for (mx:10.0.0.7) at "));
	assert_non_null(strstr(buf_cstr(&report),
	    "\nmax auth rate 1/60s for (mx:10.0.0.8) at "));
	assert_non_null(strstr(buf_cstr(&report), "\nmax cache size 2 at "));
	assert_null(strstr(buf_cstr(&report), "message rate"));
	buf_clear(&report);
	keeper_report(k, report_cb);
	assert_int_equal(buf_len(&report), 0);
	buf_fini(&report);
	keeper_free(&k);
}

/* --- the wire --- */

struct worker {
	struct ipc *c;
	bool closed;
	unsigned answers;
	struct msg_keeper_counted last;
	uint64_t last_id;
};

struct rig {
	struct loop *loop;
	struct keeper *k;
	struct keeper_server *server;
	struct worker w[2];
};

static int
counted_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct worker *w = arg;

	assert_true(msg_keeper_counted_unpack(m->body, &w->last));
	w->last_id = m->id;
	w->answers++;
	return 0;
}

static void
closed_cb(struct ipc *c, void *arg)
{
	struct worker *w = arg;

	w->closed = true;
	ipc_free(&w->c);
}

static const struct ipc_handler worker_side[] = {
	{ MSG_KEEPER_COUNTED, counted_cb, IPC_ANY_PHASE },
};

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

static void
turn(struct rig *r)
{
	struct timer t;

	timer_init(&t, r->loop, stop_cb, r->loop);
	timer_set_ms(&t, 2);
	loop_run(r->loop);
	timer_clear(&t);
}

static void
worker_start(struct rig *r, unsigned i)
{
	struct err err;
	int fd[2];

	r->w[i] = (struct worker){ .c = NULL };
	assert_int_equal(ipc_pair(fd, &err), 0);
	r->w[i].c = ipc_new(r->loop, fd[0], "gatekeeper", worker_side,
	    ARRAY_LEN(worker_side), closed_cb, &r->w[i]);
	keeper_server_peer(r->server, i, fd[1]);
}

static void
rig_start(struct rig *r)
{
	r->loop = loop_new();
	r->k = keeper_new(50, UNIT);
	r->server = keeper_server_new(r->loop, r->k);
	worker_start(r, 0);
	worker_start(r, 1);
}

static void
rig_stop(struct rig *r)
{
	ipc_free(&r->w[0].c);
	ipc_free(&r->w[1].c);
	keeper_server_free(&r->server);
	keeper_free(&r->k);
	loop_free(&r->loop);
}

static void
say(struct rig *r, unsigned i, enum keeper_event event, const char *ip,
    bool ask)
{
	struct keeper_key key = key_of(ip, 32, 64);

	PROTO_SEND(r->w[i].c, 77 + i, KEEPER_COUNT, keeper_count,
	    .event = (uint8_t)event, .ask = ask, .key =
	    keeper_key_span(&key));
}

static void
wait_answers(struct rig *r, unsigned i, unsigned n)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (r->w[i].answers < n && clock_mono_ms() < until)
		turn(r);
	assert_int_equal(r->w[i].answers, n);
	assert_int_equal(r->w[i].last_id, 77 + i);
}

static void
wait_connections(struct rig *r, uint64_t n)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (keeper_connections(r->k) != n && clock_mono_ms() < until)
		turn(r);
	assert_int_equal(keeper_connections(r->k), n);
}

static void
workers_share_the_counts(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	say(&r, 0, KEEPER_CONNECT, "192.0.2.1", true);
	say(&r, 0, KEEPER_MESSAGE, "192.0.2.1", false);	/* no answer */
	wait_answers(&r, 0, 1);
	assert_true(r.w[0].last.known);
	assert_int_equal(r.w[0].last.connections, 1);
	turn(&r);
	say(&r, 1, KEEPER_CONNECT, "192.0.2.1", true);
	wait_answers(&r, 1, 1);
	assert_int_equal(r.w[1].last.connections, 2);
	assert_int_equal(r.w[1].last.rate, 2);
	say(&r, 1, KEEPER_MESSAGE, "192.0.2.1", true);
	wait_answers(&r, 1, 2);
	assert_int_equal(r.w[1].last.rate, 2);
	assert_int_equal(r.w[0].answers, 1);
	rig_stop(&r);
}

static void
a_dead_worker_holds_nothing(void **state)
{
	struct keeper_key key = key_of("192.0.2.2", 32, 64);
	struct rig r;
	unsigned i;

	(void)state;
	rig_start(&r);
	for (i = 0; i < 3; i++)
		say(&r, 0, KEEPER_CONNECT, "192.0.2.1", false);
	PROTO_SEND(r.w[0].c, 0, KEEPER_HELD, keeper_held, .connections = 5,
	    .key = keeper_key_span(&key));
	say(&r, 1, KEEPER_CONNECT, "192.0.2.1", false);
	wait_connections(&r, 9);
	ipc_free(&r.w[0].c);
	wait_connections(&r, 1);
	assert_int_equal(keeper_server_peers(r.server), 1);
	/* its successor begins with nothing */
	worker_start(&r, 0);
	say(&r, 0, KEEPER_CONNECT, "192.0.2.1", true);
	wait_answers(&r, 0, 1);
	assert_int_equal(r.w[0].last.connections, 2);
	rig_stop(&r);
}

static void
a_worker_gives_back_only_its_own(void **state)
{
	struct keeper_key key = key_of("192.0.2.1", 32, 64);
	struct rig r;

	(void)state;
	rig_start(&r);
	say(&r, 0, KEEPER_CONNECT, "192.0.2.1", false);
	wait_connections(&r, 1);
	PROTO_SEND(r.w[1].c, 0, KEEPER_GONE, keeper_gone,
	    .key = keeper_key_span(&key));
	say(&r, 1, KEEPER_AUTH, "192.0.2.1", true);
	wait_answers(&r, 1, 1);
	assert_int_equal(keeper_connections(r.k), 1);
	PROTO_SEND(r.w[0].c, 0, KEEPER_GONE, keeper_gone,
	    .key = keeper_key_span(&key));
	wait_connections(&r, 0);
	rig_stop(&r);
}

static void
a_full_table_says_so(void **state)
{
	struct rig r;
	char ip[32];
	unsigned i;

	(void)state;
	rig_start(&r);
	for (i = 0; i < 60; i++) {
		(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i);
		say(&r, 0, KEEPER_CONNECT, ip, i == 59);
	}
	wait_answers(&r, 0, 1);
	assert_false(r.w[0].last.known);
	assert_int_equal(keeper_connections(r.k), 50);
	rig_stop(&r);
}

/* Bodies that no worker of ours sends; each ends its wire, and no other. */
static const struct {
	const char *name;
	uint16_t type;
	uint8_t event;
	size_t key_n;
	uint8_t bits;
	uint32_t connections;
	bool cut;
} hostile[] = {
	{ "an event that is none", MSG_KEEPER_COUNT, KEEPER_EVENTS, 19, 128,
	  0, false },
	{ "a short key", MSG_KEEPER_COUNT, 0, 16, 128, 0, false },
	{ "no key", MSG_KEEPER_COUNT, 0, 0, 0, 0, false },
	{ "a long key", MSG_KEEPER_COUNT, 0, KEEPER_KEY_MAX + 1, 128, 0,
	  false },
	{ "129 bits", MSG_KEEPER_COUNT, 0, 19, 129, 0, false },
	{ "half a message", MSG_KEEPER_COUNT, 0, 19, 128, 0, true },
	{ "a bad key gone", MSG_KEEPER_GONE, 0, 3, 0, 0, false },
	{ "a bad key held", MSG_KEEPER_HELD, 0, 3, 0, 1, false },
	{ "nothing held", MSG_KEEPER_HELD, 0, 19, 128, 0, false },
	{ "another's message", MSG_KEEPER_COUNTED, 0, 19, 128, 0, false },
};

static void
hostile_workers_are_cut_off(void **state)
{
	char key[KEEPER_KEY_MAX + 1];
	struct buf body;
	struct rig r;
	size_t i;
	uint64_t until;

	(void)state;
	buf_init(&body, 1024);
	for (i = 0; i < ARRAY_LEN(hostile); i++) {
		print_message("%s\n", hostile[i].name);
		rig_start(&r);
		say(&r, 1, KEEPER_CONNECT, "192.0.2.1", false);
		memset(key, 'k', sizeof(key));
		key[16] = (char)hostile[i].bits;
		buf_clear(&body);
		if (hostile[i].type == MSG_KEEPER_COUNT) {
			pack_u8(&body, hostile[i].event);
			pack_u8(&body, 0);
			pack_u8(&body, 1);
		} else if (hostile[i].type == MSG_KEEPER_HELD)
			pack_u32(&body, hostile[i].connections);
		pack_span(&body, span_of(key, hostile[i].key_n));
		if (hostile[i].cut)
			buf_truncate(&body, buf_len(&body) - 3);
		ipc_send(r.w[0].c, hostile[i].type, 1, buf_span(&body));
		until = clock_mono_ms() + PATIENCE_MS;
		while (!r.w[0].closed && clock_mono_ms() < until)
			turn(&r);
		assert_true(r.w[0].closed);
		assert_int_equal(r.w[0].answers, 0);
		assert_int_equal(keeper_connections(r.k), 1);
		say(&r, 1, KEEPER_CONNECT, "192.0.2.1", true);
		wait_answers(&r, 1, 1);
		rig_stop(&r);
	}
	buf_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_named_by_network),
		cmocka_unit_test(a_long_service_name_is_cut),
		cmocka_unit_test(events_are_counted),
		cmocka_unit_test(silent_clients_are_forgotten),
		cmocka_unit_test(the_table_has_an_end),
		cmocka_unit_test(counts_stop_at_their_end),
		cmocka_unit_test(the_highest_figures_are_reported_once),
		cmocka_unit_test(workers_share_the_counts),
		cmocka_unit_test(a_dead_worker_holds_nothing),
		cmocka_unit_test(a_worker_gives_back_only_its_own),
		cmocka_unit_test(a_full_table_says_so),
		cmocka_unit_test(hostile_workers_are_cut_off),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
