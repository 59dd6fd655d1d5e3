/*
 * tcp: and socketmap: tables against servers that behave, and ones that
 * don't: what they do is told them by the key. Combined tables on top.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/testloop.h"
#include "base/xmalloc.h"
#include "tableask/tableask.h"

/* --- a server, a thread for each connection --- */

struct server {
	int fd;
	pthread_t id;
	unsigned port;
	bool socketmap;
	atomic_uint connects, questions;
};

struct caller {
	struct server *srv;
	int fd;
};

static void
say(const struct caller *c, const char *text, size_t n)
{
	(void)!send(c->fd, text, n, MSG_NOSIGNAL);
}

/* The answer in the server's language. */
static void
answer(const struct caller *c, const char *code, const char *word,
    const char *text)
{
	char all[256];
	int n;

	if (c->srv->socketmap)
		n = snprintf(all, sizeof(all), "%zu:%s %s,",
		    strlen(word) + 1 + strlen(text), word, text);
	else
		n = snprintf(all, sizeof(all), "%s %s\n", code, text);
	say(c, all, (size_t)n);
}

/* Until the caller hangs up. */
static void
silence(const struct caller *c)
{
	char byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		;
}

static void
huge(const struct caller *c)
{
	static const char block[1024] = { [0] = 'x' };
	int i;

	say(c, "200 ", 4);
	for (i = 0; i < 1000; i++)
		say(c, block, sizeof(block));
}

/* False: the connection ends. */
static bool
behave(const struct caller *c, const char *key)
{
	static const char slow[] = "200 s-l-o-w\n";
	size_t i;

	if (strcmp(key, "no") == 0)
		answer(c, "500", "NOTFOUND", "not there");
	else if (strcmp(key, "temp") == 0)
		answer(c, "400", "TEMP", "come again");
	else if (strcmp(key, "slowly") == 0)
		for (i = 0; i < sizeof(slow) - 1; i++) {
			say(c, slow + i, 1);
			(void)usleep(2000);
		}
	else if (strcmp(key, "silence") == 0)
		silence(c);
	else if (strcmp(key, "garbage") == 0)
		say(c, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	else if (strcmp(key, "nul") == 0)
		say(c, "200 \0\0\0\n", 8);
	else if (strcmp(key, "huge") == 0)
		huge(c);
	else if (strcmp(key, "two") == 0)
		say(c, "200 one\n200 two\n", 16);
	else if (strcmp(key, "half") == 0)
		say(c, "200 ha", 6);
	else
		answer(c, "200", "OK", key);
	return strcmp(key, "half") != 0 && strcmp(key, "bye") != 0 &&
	    strcmp(key, "silence") != 0;
}

/* The key of the next request; false: the caller has gone. */
static bool
hear(FILE *f, bool socketmap, char key[256])
{
	char line[200], *at;
	size_t n;

	if (!socketmap) {
		if (fgets(line, sizeof(line), f) == NULL)
			return false;
		line[strcspn(line, "\n")] = '\0';
		(void)snprintf(key, 256, "%s", line + 4);
		return true;
	}
	for (n = 0; n < 10 && (line[n] = (char)fgetc(f)) != ':'; n++)
		if (feof(f))
			return false;
	line[n] = '\0';
	n = (size_t)strtoul(line, NULL, 10) + 1;
	if (n > sizeof(line) - 1 || fread(line, 1, n, f) != n)
		return false;
	line[n - 1] = '\0';		/* the comma */
	at = strchr(line, ' ');
	(void)snprintf(key, 256, "%s", at == NULL ? "" : at + 1);
	return true;
}

static void *
caller_run(void *arg)
{
	struct caller *c = arg;
	FILE *f = fdopen(c->fd, "r");
	char key[256];

	while (hear(f, c->srv->socketmap, key)) {
		c->srv->questions++;
		if (!behave(c, key))
			break;
	}
	(void)fclose(f);
	free(c);
	return NULL;
}

static void *
server_run(void *arg)
{
	struct server *srv = arg;
	struct caller *c;
	pthread_t id;
	int fd;

	while ((fd = accept(srv->fd, NULL, NULL)) != -1) {
		srv->connects++;
		c = xcalloc(1, sizeof(*c));
		*c = (struct caller){ srv, fd };
		if (pthread_create(&id, NULL, caller_run, c) != 0)
			abort();
		(void)pthread_detach(id);
	}
	return NULL;
}

/* Never freed: its callers' threads end with their connections. */
static struct server *
server_new(bool socketmap, bool serves)
{
	static struct server servers[4];
	static size_t n_servers;
	struct server *srv = &servers[n_servers++];
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(in);

	assert_true(n_servers <= ARRAY_LEN(servers));
	srv->socketmap = socketmap;
	srv->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(srv->fd, -1);
	assert_int_equal(bind(srv->fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(getsockname(srv->fd, (struct sockaddr *)&in, &n), 0);
	srv->port = ntohs(in.sin_port);
	if (!serves)
		return srv;
	assert_int_equal(listen(srv->fd, 50), 0);
	assert_int_equal(pthread_create(&srv->id, NULL, server_run, srv), 0);
	return srv;
}

static void
server_end(struct server *srv, bool serves)
{
	if (serves) {
		(void)shutdown(srv->fd, SHUT_RDWR);
		(void)pthread_join(srv->id, NULL);
	}
	(void)close(srv->fd);
}

/* --- asking --- */

struct answer {
	struct loop *loop;
	unsigned *left;
	int calls;
	enum table_result r;
	char text[300];
};

static struct loop *loop;
static struct table_env *env;
static struct server *tcp, *map, *nobody;

static void
answer_cb(enum table_result r, struct span value, const struct err *err,
    void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->r = r;
	(void)snprintf(a->text, sizeof(a->text), "%s%.*s",
	    r == TABLE_TEMPFAIL ? "!" : r == TABLE_NOTFOUND ? "-" : "",
	    r == TABLE_TEMPFAIL ? (int)strlen(err->why) : (int)value.n,
	    r == TABLE_TEMPFAIL ? err->why : value.p);
	if (--*a->left == 0)
		loop_stop(a->loop);
}

static void
run_ms(uint64_t ms)
{
	testloop_ms(loop, ms);
}

/* Opens a spec in which %T and %S stand for the servers, %N for nobody. */
static struct table *
open_spec(const char *spec)
{
	struct table *t;
	struct buf text;
	struct err err;

	buf_init(&text, 1024);
	for (; *spec != '\0'; spec++)
		if (*spec != '%')
			buf_char(&text, *spec);
		else if (*++spec == 'T')
			buf_fmt(&text, "tcp:127.0.0.1:%u", tcp->port);
		else if (*spec == 'S')
			buf_fmt(&text, "socketmap:inet:127.0.0.1:%u:m",
			    map->port);
		else
			buf_fmt(&text, "tcp:127.0.0.1:%u", nobody->port);
	t = table_open(buf_span(&text), &err);
	if (t == NULL)
		fail_msg("%s", err.why);
	buf_fini(&text);
	return t;
}

/* "value", "-" or "!why"; lent until the next. */
static const char *
ask(const char *spec, const char *key)
{
	static struct answer a;
	struct table *t = open_spec(spec);
	unsigned left = 1;

	a = (struct answer){ .loop = loop, .left = &left };
	(void)table_ask(env, t, span_str(key), answer_cb, &a);
	table_unref(&t);
	assert_int_equal(a.calls, 0);
	run_ms(90000);
	assert_int_equal(a.calls, 1);
	return a.text;
}

static void
expect(const char *spec, const char *key, const char *want)
{
	const char *got = ask(spec, key);

	if (want[0] == '!' ? got[0] != '!' || strstr(got, want + 1) == NULL :
	    strcmp(got, want) != 0)
		fail_msg("%s, %s: got %s instead of %s", spec, key, got,
		    want);
}

/* --- tests --- */

static void
answers_come(void **state)
{
	static const struct { const char *spec, *key, *want; } cases[] = {
		{ "%T", "found", "found" },
		{ "%T", "no", "-" },
		{ "%T", "temp", "!the server says \"400 come again\"" },
		{ "%T", "slowly", "s-l-o-w" },
		{ "%T", "Case", "Case" },
		{ "proxy:%T", "found", "found" },
		{ "%S", "found it", "found it" },
		{ "%S", "no", "-" },
		{ "%S", "temp", "!the server says \"TEMP come again\"" },
		{ "static:sync", "x", "sync" },
		{ "fail:sync", "x", "!always fails" },
		{ "unionmap:{%T, static:b, %S}", "k", "k,b,k" },
		{ "unionmap:{%T, static:b, %S}", "no", "b" },
		{ "unionmap:{%T, static:b, %S}", "temp", "!come again" },
		{ "unionmap:{%T, fail:x}", "k", "!always fails" },
		{ "pipemap:{static:k, %T, inline:{k=no}, %S}", "x", "-" },
		{ "pipemap:{inline:{a=b}, %T, %S}", "a", "b" },
		{ "pipemap:{inline:{a=b}, %T, %S}", "c", "-" },
		{ "pipemap:{%T, unionmap:{%S, inline:{k=l}}, inline:{k,l=m}}",
		    "k", NULL },
		{ "pipemap:{randmap:{a, b, c, d}, unionmap:{%T, %T}}", "x",
		    NULL },
	};
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases) - 2; i++)
		expect(cases[i].spec, cases[i].key, cases[i].want);
	expect("pipemap:{%T, unionmap:{%S, inline:{k=l}}, "
	    "inline:{ {k,l = m} }}", "k", "m");
	/* the throw of a look-up is one, however often it is made again */
	got = ask("pipemap:{randmap:{a, b, c, d}, unionmap:{%T, %T}}", "x");
	assert_int_equal(strlen(got), 3);
	assert_int_equal(got[0], got[2]);
}

static void
bad_servers_are_temporary_failures(void **state)
{
	static const struct { const char *key, *want; } cases[] = {
		{ "garbage", "!a reply that makes no sense" },
		{ "nul", "!a reply with NUL" },
		{ "huge", "!a reply of more than 4096 bytes" },
		{ "half", "!connection closed by peer" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		expect("%T", cases[i].key, cases[i].want);
		expect("%T", "after", "after");
	}
	expect("%T", "two", "one");
	expect("%T", "after", "after");
	expect("%N", "x", "!refused");
	expect("%N", "x", "!refused");	/* at once, it rests */
	expect("unionmap:{static:a, %N}", "x", "!refused");
}

static struct table_env *
env_with(const char *settings)
{
	struct buf complaints;
	struct table_env *made;
	struct conf *conf;

	buf_init(&complaints, 4096);
	conf = conf_parse("t_link", span_str(settings), &complaints);
	if (conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	made = table_env_new(loop, conf, "", NULL);
	conf_unref(&conf);
	return made;
}

static void
silence_is_a_temporary_failure(void **state)
{
	struct table_env *patient = env;

	(void)state;
	env = env_with("table_timeout = 500ms\n");
	expect("%T", "silence", "!no answer in time");
	table_env_free(&env);
	env = patient;
	expect("%T", "after", "after");
}

static void
connections_are_reused_and_made_again(void **state)
{
	struct server *others = tcp;
	unsigned before;
	size_t i;

	(void)state;
	/* one that has no other connections yet */
	tcp = server_new(false, true);
	expect("%T", "first", "first");
	before = tcp->connects;
	for (i = 0; i < 5; i++)
		expect("%T", "again", "again");
	assert_int_equal(tcp->connects, before);
	/* It answers and hangs up: the next question finds that out. */
	expect("%T", "bye", "bye");
	expect("%T", "again", "again");
	assert_int_equal(tcp->connects, before + 1);
	server_end(tcp, true);
	tcp = others;
}

#define MANY	300

static void
many_wait_their_turn(void **state)
{
	struct answer a[MANY];
	struct table *t = open_spec("%T");
	unsigned left = MANY, before = tcp->connects;
	char key[16];
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		a[i] = (struct answer){ .loop = loop, .left = &left };
		(void)snprintf(key, sizeof(key), "k%zu", i);
		(void)table_ask(env, t, span_str(key), answer_cb, &a[i]);
	}
	run_ms(90000);
	assert_int_equal(left, 0);
	for (i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		assert_string_equal(a[i].text, key);
	}
	assert_true(tcp->connects - before <= 8);
	table_unref(&t);
}

static void
the_queue_is_bounded(void **state)
{
	enum { ALL = 1050 };
	struct answer *a = xcalloc(ALL, sizeof(*a));
	struct table *t = open_spec("%T");
	unsigned left = ALL, refused = 0, served = 0;
	size_t i;

	(void)state;
	for (i = 0; i < ALL; i++) {
		a[i] = (struct answer){ .loop = loop, .left = &left };
		(void)table_ask(env, t, SPAN_LIT("k"), answer_cb, &a[i]);
	}
	run_ms(90000);
	assert_int_equal(left, 0);
	for (i = 0; i < ALL; i++) {
		refused += strstr(a[i].text, "too many look-ups") != NULL;
		served += strcmp(a[i].text, "k") == 0;
	}
	assert_int_equal(served + refused, ALL);
	assert_true(served >= 1000 && refused > 0);
	table_unref(&t);
	free(a);
}

static void
cancelled_ones_are_silent(void **state)
{
	struct table *t = open_spec("unionmap:{%T, %S}");
	unsigned left = 100;
	struct answer a[20];
	struct table_ask *ask_now, *later[20];
	bool answered[20];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(a); i++)
		a[i] = (struct answer){ .loop = loop, .left = &left };
	ask_now = table_ask(env, t, SPAN_LIT("slowly"), answer_cb, &a[0]);
	table_ask_cancel(&ask_now);
	assert_null(ask_now);
	for (i = 0; i < ARRAY_LEN(later); i++)
		later[i] = table_ask(env, t, SPAN_LIT("slowly"), answer_cb,
		    &a[i]);
	run_ms(5);			/* some are under way */
	for (i = 0; i < ARRAY_LEN(later); i++) {
		/* on a busy machine some may be there already */
		answered[i] = a[i].calls > 0;
		if (!answered[i])
			table_ask_cancel(&later[i]);
	}
	run_ms(100);
	for (i = 0; i < ARRAY_LEN(later); i++)
		assert_int_equal(a[i].calls, answered[i]);
	/* none of their answers is taken for another's */
	expect("%T", "mine", "mine");
	table_unref(&t);
}

static void
peeking_asks_no_one(void **state)
{
	static const struct {
		const char *spec;
		enum table_result r;
	} cases[] = {
		{ "static:x", TABLE_FOUND }, { "inline:{k=l}", TABLE_FOUND },
		{ "inline:{a=b}", TABLE_NOTFOUND }, { "%T", TABLE_PARKED },
		{ "unionmap:{static:a, %T}", TABLE_PARKED },
		{ "unionmap:{%T, fail:x}", TABLE_TEMPFAIL },
		{ "pipemap:{inline:{a=b}, %T}", TABLE_NOTFOUND },
		{ "pg:list", TABLE_PARKED },
	};
	unsigned before = tcp->questions;
	struct table *t;
	struct buf out;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		t = open_spec(cases[i].spec);
		buf_clear(&out);
		assert_int_equal(table_peek(env, t, SPAN_LIT("k"), &out,
		    &err), cases[i].r);
		if (cases[i].r != TABLE_FOUND)
			assert_int_equal(buf_len(&out), 0);
		table_unref(&t);
	}
	run_ms(20);
	assert_int_equal(tcp->questions, before);
	buf_fini(&out);
}

static void
an_end_with_questions_under_way_is_clean(void **state)
{
	struct table *t = open_spec("unionmap:{%T, %S, pg:x}");
	struct table *none = open_spec("%N");
	unsigned left = 100;
	struct answer a = { .loop = loop, .left = &left };

	(void)state;
	(void)table_ask(env, t, SPAN_LIT("silence"), answer_cb, &a);
	(void)table_ask(env, t, SPAN_LIT("k"), answer_cb, &a);
	run_ms(5);
	(void)table_ask(env, t, SPAN_LIT("k"), answer_cb, &a);
	(void)table_ask(env, none, SPAN_LIT("k"), answer_cb, &a);
	table_unref(&none);
	table_unref(&t);
	table_env_free(&env);
	run_ms(5);
	assert_int_equal(a.calls, 0);
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	env = env_with("table_timeout = 60s\n"
	    "database = host=/nonexistent dbname=none\n");
	tcp = server_new(false, true);
	map = server_new(true, true);
	nobody = server_new(false, false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	server_end(tcp, true);
	server_end(map, true);
	server_end(nobody, false);
	table_env_free(&env);
	loop_free(&loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come),
		cmocka_unit_test(bad_servers_are_temporary_failures),
		cmocka_unit_test(silence_is_a_temporary_failure),
		cmocka_unit_test(connections_are_reused_and_made_again),
		cmocka_unit_test(many_wait_their_turn),
		cmocka_unit_test(the_queue_is_bounded),
		cmocka_unit_test(cancelled_ones_are_silent),
		cmocka_unit_test(peeking_asks_no_one),
		cmocka_unit_test(an_end_with_questions_under_way_is_clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
