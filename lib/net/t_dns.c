/*
 * dns.c and client_name.c against a small name server on loopback.
 */
#include "net/client_name.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pack.h"

/* --- the name server: rdata in wire form, compression by pointer --------- */

enum { SILENT = 100, GARBAGE = 101 };

static const struct zone_row {
	const char *name;
	int type;		/* 0: any */
	int rcode;		/* or SILENT, GARBAGE */
	const char *rdata;
	size_t n;
} zone[] = {
#define ROW(name, type, data)	{ name, type, 0, data, sizeof(data) - 1 }
	ROW("a.example", ns_t_a, "\xc0\x00\x02\x07"),
	ROW("a.example", ns_t_a, "\xc0\x00\x02\x08"),
	ROW("a.example", ns_t_mx, "\x00\x0a\x02mx\xc0\x0c"),
	ROW("a.example", ns_t_txt, "\x06v=spf1\x05 -all"),
	ROW("null.example", ns_t_mx, "\x00\x00\x00"),
	ROW("alias.example", ns_t_cname, "\x01" "a\x07" "example\x00"),
	ROW("loop.example", ns_t_cname, "\xc0\x0c"),
	ROW("short.example", ns_t_a, "\xc0\x00"),
	ROW("7.2.0.192.in-addr.arpa", ns_t_ptr, "\x01" "a\x07" "example\x00"),
	ROW("9.2.0.192.in-addr.arpa", ns_t_ptr, "\x01" "a\x07" "example\x00"),
	ROW("6.2.0.192.in-addr.arpa", ns_t_ptr, "\x03" "a b\x07"
	    "example\x00"),
	{ "servfail.example", 0, 2, NULL, 0 },
	{ "8.2.0.192.in-addr.arpa", 0, 2, NULL, 0 },
	{ "silent.example", 0, SILENT, NULL, 0 },
	{ "garbage.example", 0, GARBAGE, NULL, 0 },
};

static struct conf *conf, *hasty;	/* hasty: for who never answers */
static int server_fd;
static char resolver[64];

static bool
question_read(const unsigned char *q, ssize_t n, char name[256], int *type)
{
	ns_msg msg;
	ns_rr rr;

	if (ns_initparse(q, (int)n, &msg) != 0 ||
	    ns_parserr(&msg, ns_s_qd, 0, &rr) != 0)
		return false;
	(void)snprintf(name, 256, "%.255s", ns_rr_name(rr));
	*type = (int)ns_rr_type(rr);
	return true;
}

/* Appends one RR whose owner is the question's name (pointer to byte 12). */
static size_t
rr_add(unsigned char *p, int type, const char *rdata, size_t n)
{
	p[0] = 0xc0;
	p[1] = 12;
	ns_put16((u_int)type, p + 2);
	ns_put16(1, p + 4);
	ns_put32(300, p + 6);
	ns_put16((u_int)n, p + 10);
	memcpy(p + 12, rdata, n);
	return 12 + n;
}

#define MANY	60	/* addresses of each name below many.example */

static size_t
many_add(unsigned char *p)
{
	char addr[4] = { 10, 0, 0, 0 };
	size_t len = 0;

	for (; addr[3] < MANY; addr[3]++)
		len += rr_add(p + len, ns_t_a, addr, sizeof(addr));
	return len;
}

/* Builds the reply in place; 0 for none. The question's own bytes stay. */
static size_t
reply_make(unsigned char *m, ssize_t n, const char *name, int type)
{
	size_t i, len = 12 + strlen(name) + 2 + 4;
	int answers = 0, rcode = 3;

	if ((size_t)n < len)
		return 0;
	if (strstr(name, ".many.example") != NULL && type == ns_t_a) {
		len += many_add(m + len);
		answers = MANY;
		rcode = 0;
	}
	for (i = 0; i < ARRAY_LEN(zone); i++) {
		const struct zone_row *z = &zone[i];

		if (strcasecmp(z->name, name) != 0)
			continue;
		if (z->rcode == SILENT)
			return 0;
		rcode = z->rcode == GARBAGE ? 0 : z->rcode;
		if (z->rcode == GARBAGE) {
			memset(m + len, 0xff, 30);
			answers = 7;
			len += 30;
		} else if (z->n > 0 && (z->type == type ||
		    z->type == ns_t_cname)) {
			len += rr_add(m + len, z->type, z->rdata, z->n);
			answers++;
			if (z->type == ns_t_cname && type == ns_t_a &&
			    strcmp(name, "alias.example") == 0) {
				memcpy(m + len, "\x01" "a\x07" "example", 10);
				m[len + 9] = 'e';
				m[len + 10] = 0;
				len += 11;
				ns_put16(ns_t_a, m + len);
				ns_put16(1, m + len + 2);
				ns_put32(300, m + len + 4);
				ns_put16(4, m + len + 8);
				memcpy(m + len + 10, "\xc0\x00\x02\x07", 4);
				len += 14;
				answers++;
			}
		}
	}
	m[2] = 0x84 | (m[2] & 1);	/* QR AA, RD as asked */
	m[3] = (unsigned char)(0x80 | rcode);
	ns_put16((u_int)answers, m + 6);
	memset(m + 8, 0, 4);
	return len;
}

static void *
server_main(void *arg)
{
	unsigned char m[1500];
	struct sockaddr_in from;
	socklen_t fl;
	char name[256];
	ssize_t n;
	size_t len;
	int type;

	(void)arg;
	for (;;) {
		fl = sizeof(from);
		n = recvfrom(server_fd, m, 512, 0, (struct sockaddr *)&from,
		    &fl);
		if (n <= 0)
			return NULL;
		if (!question_read(m, n, name, &type) ||
		    (len = reply_make(m, n, name, type)) == 0)
			continue;
		(void)sendto(server_fd, m, len, 0, (struct sockaddr *)&from,
		    fl);
	}
}

/* --- fixtures --------------------------------------------------------------- */

static struct loop *loop;
static struct dns *dns;
static pthread_t server;

static struct conf *
conf_with(const char *timeout)
{
	struct buf text, complaints;
	struct conf *c;

	buf_init(&text, 4096);
	buf_init(&complaints, 4096);
	buf_fmt(&text, "dns_resolver = %s\ndns_timeout = %s\n"
	    "dns_query_limit = 16\n"
	    "dns_trust_anchor_file =\ndns_plain_zones = 2.0.192.in-addr.arpa\n",
	    resolver, timeout);
	c = conf_parse("test", buf_span(&text), &complaints);
	assert_non_null(c);
	buf_fini(&text);
	buf_fini(&complaints);
	return c;
}

static int
setup(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	struct err err;

	(void)state;
	server_fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(server_fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(server_fd, (struct sockaddr *)&at, &n),
	    0);
	(void)snprintf(resolver, sizeof(resolver), "127.0.0.1@%u",
	    ntohs(at.sin_port));
	assert_int_equal(pthread_create(&server, NULL, server_main, NULL), 0);
	conf = conf_with("60s");
	hasty = conf_with("700ms");
	loop = loop_new();
	dns = dns_new(loop, conf, &err);
	assert_non_null(dns);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dns_free(&dns);
	conf_unref(&conf);
	conf_unref(&hasty);
	loop_free(&loop);
	(void)shutdown(server_fd, SHUT_RDWR);
	(void)close(server_fd);
	(void)pthread_join(server, NULL);
	return 0;
}

/* --- tests -------------------------------------------------------------------- */

struct got {
	int calls;
	enum dns_result result;
	size_t n;
	char name[DNS_NAME_MAX], canonical[DNS_NAME_MAX], text[256];
	uint8_t addr[4];
	unsigned preference;
};

static void
got_cb(const struct dns_answer *a, void *arg)
{
	struct got *g = arg;

	g->calls++;
	g->result = a->result;
	g->n = a->n_records;
	memcpy(g->canonical, a->canonical, sizeof(g->canonical));
	if (a->n_records > 0) {
		memcpy(g->name, a->record[0].name, sizeof(g->name));
		memcpy(g->addr, a->record[0].addr, sizeof(g->addr));
		g->preference = a->record[0].preference;
		(void)snprintf(g->text, sizeof(g->text), "%.*s",
		    SPAN_ARG(a->record[0].data));
	}
	loop_stop(loop);
}

static struct got
ask(const char *name, enum dns_type type)
{
	struct got g = { 0 };

	assert_non_null(dns_lookup(dns, name, type, got_cb, &g));
	assert_int_equal(g.calls, 0);	/* never inside the call */
	loop_run(loop);
	assert_int_equal(g.calls, 1);
	assert_int_equal(dns_waiting(dns), 0);
	return g;
}

static void
test_answers(void **state)
{
	struct got g;

	(void)state;
	g = ask("a.example", DNS_A);
	assert_int_equal(g.result, DNS_OK);
	assert_int_equal(g.n, 2);
	assert_true(g.addr[0] == 192 && g.addr[1] == 0 && g.addr[2] == 2);
	g = ask("a.example.", DNS_MX);
	assert_int_equal(g.result, DNS_OK);
	assert_string_equal(g.name, "mx.a.example");
	assert_int_equal(g.preference, 10);
	g = ask("a.example", DNS_TXT);
	assert_string_equal(g.text, "v=spf1 -all");
	g = ask("null.example", DNS_MX);
	assert_int_equal(g.result, DNS_OK);
	assert_string_equal(g.name, "");
	g = ask("a.example", DNS_AAAA);
	assert_int_equal(g.result, DNS_NODATA);
	g = ask("nobody.example", DNS_A);
	assert_int_equal(g.result, DNS_NXDOMAIN);
}

static void
test_cached_answer_comes_from_the_loop(void **state)
{
	(void)state;
	assert_int_equal(ask("a.example", DNS_A).result, DNS_OK);
	assert_int_equal(ask("a.example", DNS_A).result, DNS_OK);
	/* built into libunbound */
	assert_int_equal(ask("localhost", DNS_A).result, DNS_OK);
}

static void
test_alias_is_followed(void **state)
{
	struct got g = ask("alias.example", DNS_A);

	(void)state;
	assert_int_equal(g.result, DNS_OK);
	assert_string_equal(g.canonical, "a.example");
}

static void
test_faults_are_temporary(void **state)
{
	(void)state;
	assert_int_equal(ask("servfail.example", DNS_A).result,
	    DNS_TEMPFAIL);
	/* libunbound has it in its cache now, and hands out the packet */
	assert_int_equal(ask("servfail.example", DNS_A).result,
	    DNS_TEMPFAIL);
	assert_int_equal(ask("garbage.example", DNS_A).result, DNS_TEMPFAIL);
	assert_int_not_equal(ask("loop.example", DNS_A).result, DNS_OK);
}

static void
test_silence_is_temporary(void **state)
{
	struct dns *patient = dns;
	struct err err;

	(void)state;
	dns = dns_new(loop, hasty, &err);
	assert_non_null(dns);
	assert_int_equal(ask("silent.example", DNS_A).result, DNS_TEMPFAIL);
	dns_free(&dns);
	dns = patient;
}

static void
test_invalid_names_do_not_exist(void **state)
{
	char label[70], name[300];

	(void)state;
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_int_equal(ask("", DNS_A).result, DNS_NXDOMAIN);
	assert_int_equal(ask("a..example", DNS_A).result, DNS_NXDOMAIN);
	assert_int_equal(ask(label, DNS_A).result, DNS_NXDOMAIN);
	memset(name, 'a', sizeof(name));
	name[299] = '\0';
	assert_int_equal(ask(name, DNS_A).result, DNS_NXDOMAIN);
}

static void
test_cancelled_look_up_is_silent(void **state)
{
	struct got g = { 0 };
	struct dns_query *q;

	(void)state;
	q = dns_lookup(dns, "silent.example", DNS_A, got_cb, &g);
	dns_cancel(&q);
	assert_null(q);
	q = dns_lookup(dns, "a.example", DNS_A, got_cb, &g);
	dns_cancel(&q);
	assert_int_equal(ask("a.example", DNS_A).result, DNS_OK);
	assert_int_equal(g.calls, 0);
}

static void
test_no_more_than_so_many_at_a_time(void **state)
{
	struct dns_query *q[16];
	struct got g = { 0 }, more = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(q); i++)
		q[i] = dns_lookup(dns, "silent.example", DNS_A, got_cb, &g);
	assert_non_null(dns_lookup(dns, "a.example", DNS_A, got_cb, &more));
	loop_run(loop);
	assert_int_equal(more.calls, 1);
	assert_int_equal(more.result, DNS_TEMPFAIL);
	assert_int_equal(g.calls, 0);
	for (i = 0; i < ARRAY_LEN(q); i++)
		dns_cancel(&q[i]);
	assert_int_equal(ask("a.example", DNS_A).result, DNS_OK);
}

static void
test_reverse_names(void **state)
{
	char out[DNS_NAME_MAX];

	(void)state;
	assert_true(dns_reverse_name("192.0.2.7", NULL, out));
	assert_string_equal(out, "7.2.0.192.in-addr.arpa");
	assert_true(dns_reverse_name("192.0.2.7", "zen.example", out));
	assert_string_equal(out, "7.2.0.192.zen.example");
	assert_true(dns_reverse_name("2001:db8::1", NULL, out));
	assert_string_equal(out, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_false(dns_reverse_name("not an address", NULL, out));
}

static void
name_cb(const struct client_name *n, void *arg)
{
	*(struct client_name *)arg = *n;
	loop_stop(loop);
}

static void
test_client_names(void **state)
{
	static const struct {
		const char *ip, *name, *reverse;
		enum client_name_state state;
		bool kept;	/* known at once the second time */
	} cases[] = {
		{ "192.0.2.7", "a.example", "a.example", CLIENT_NAME_OK,
		    true },
		{ "192.0.2.9", "unknown", "a.example", CLIENT_NAME_FORGED,
		    true },
		{ "192.0.2.6", "unknown", "unknown", CLIENT_NAME_NONE,
		    true },
		{ "192.0.2.5", "unknown", "unknown", CLIENT_NAME_NONE,
		    false },	/* its "no" has no SOA */
		{ "192.0.2.8", "unknown", "unknown", CLIENT_NAME_TEMP,
		    false },
	};
	struct dnscache *cache = dnscache_new(loop, dns, conf);
	struct client_name_ask *a;
	struct client_name n;
	size_t i;
	int round;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (round = 0; round < 2; round++) {
			memset(&n, 0, sizeof(n));
			a = client_name_find(cache, cases[i].ip, &n, name_cb,
			    &n);
			assert_int_equal(a == NULL,
			    round == 1 && cases[i].kept);
			if (a != NULL)
				loop_run(loop);
			assert_string_equal(n.name, cases[i].name);
			assert_string_equal(n.reverse_name, cases[i].reverse);
			assert_int_equal(n.name_state, cases[i].state);
		}
	a = client_name_find(cache, "192.0.2.5", &n, name_cb, &n);
	client_name_cancel(&a);
	assert_int_equal(dns_waiting(dns), 0);
	assert_null(client_name_find(cache, "unknown", &n, name_cb, &n));
	assert_int_equal(n.name_state, CLIENT_NAME_NONE);
	dnscache_free(&cache);
}

static void
kept_cb(struct dns_kept *k, void *arg)
{
	*(size_t *)arg = k->answer.n_records;
	loop_stop(loop);
}

static size_t
ask_kept(struct dnscache *cache, const char *name)
{
	size_t n = 0;

	assert_non_null(dnscache_ask(cache, name, DNS_A, kept_cb, &n));
	loop_run(loop);
	return n;
}

static bool
is_kept(struct dnscache *cache, const char *name)
{
	struct dns_kept *k = dnscache_peek(cache, name, DNS_A);
	bool is = k != NULL;

	dns_kept_unref(&k);
	return is;
}

/* Whose name is asked for chooses how long the answer is. */
static void
test_long_answers_do_not_fill_memory(void **state)
{
	struct conf small = *conf;
	struct dnscache *cache;
	char name[64];
	int i;

	(void)state;
	small.dns_cache_entries = 100;
	cache = dnscache_new(loop, dns, &small);
	for (i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "n%d.many.example", i);
		assert_int_equal(ask_kept(cache, name), MANY);
		assert_true(is_kept(cache, name));
	}
	/* of 18 KiB each there are no more than five */
	assert_false(is_kept(cache, "n24.many.example"));
	assert_true(is_kept(cache, "n28.many.example"));
	assert_int_equal(ask_kept(cache, "a.example"), 2);
	assert_true(is_kept(cache, "a.example"));
	dnscache_free(&cache);
	/* what is more than all room is not kept */
	small.dns_cache_entries = 10;
	cache = dnscache_new(loop, dns, &small);
	assert_int_equal(ask_kept(cache, "a.example"), 2);
	assert_int_equal(ask_kept(cache, "n1.many.example"), MANY);
	assert_false(is_kept(cache, "n1.many.example"));
	assert_true(is_kept(cache, "a.example"));
	dnscache_free(&cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cached_answer_comes_from_the_loop),
		cmocka_unit_test(test_alias_is_followed),
		cmocka_unit_test(test_faults_are_temporary),
		cmocka_unit_test(test_silence_is_temporary),
		cmocka_unit_test(test_invalid_names_do_not_exist),
		cmocka_unit_test(test_cancelled_look_up_is_silent),
		cmocka_unit_test(test_no_more_than_so_many_at_a_time),
		cmocka_unit_test(test_reverse_names),
		cmocka_unit_test(test_client_names),
		cmocka_unit_test(test_long_answers_do_not_fill_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
