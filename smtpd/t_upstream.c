/*
 * From a connection to a session through a PROXY header: who is believed,
 * who the client then is, and that nothing behind the header is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "smtpd/fake.h"
#include "smtpd/upstream.h"

#define CONF	"myhostname = mx.example\nmynetworks = 203.0.113.0/24\n" \
	"smtpd_upstream_proxy_protocol = haproxy\n" \
	"smtpd_upstream_proxy_hosts = 192.0.2.1\n"
#define PATIENT	CONF "smtpd_upstream_proxy_timeout = 300s\n"
#define V1	"PROXY TCP4 198.51.100.7 198.51.100.2 1234 25\r\n"
#define V2	"\r\n\r\n\0\r\nQUIT\n"

static struct sockaddr_storage
address(const char *ip)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *four = (void *)&ss;

	memset(&ss, 0, sizeof(ss));
	four->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, ip, &four->sin_addr), 1);
	return ss;
}

/* Our end; the other is the server's. */
static int
connect_from(struct fake *f, const char *ip)
{
	struct sockaddr_storage from = address(ip);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	upstream_accept(&f->srv, f->prof, fd[1], &from);
	return fd[0];
}

static void
say(struct fake *f, int fd, struct span text)
{
	int i;

	assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
	for (i = 0; i < 4; i++)
		fake_turn(f);
}

static bool
is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	/* reset: what we said was not read */
	return n == 0 || (n == -1 && errno == ECONNRESET);
}

static const struct {
	const char *name;
	struct span header;
	const char *ip, *port, *own_ip, *own_port;	/* ip NULL: refused */
} cases[] = {
	{ "v1", SPAN_LIT(V1), "198.51.100.7", "1234", "198.51.100.2", "25" },
	{ "v2", SPAN_LIT(V2 "\x21\x11\0\x0c\xc6\x33\x64\x07\xc6\x33\x64\x02"
	  "\x04\xd2\0\x19"), "198.51.100.7", "1234", "198.51.100.2", "25" },
	{ "v6", SPAN_LIT("PROXY TCP6 2001:db8::7 2001:db8::2 1 25\r\n"),
	  "2001:db8::7", "1", "2001:db8::2", "25" },
	{ "mapped", SPAN_LIT("PROXY TCP6 ::ffff:198.51.100.7 ::1 1 25\r\n"),
	  "198.51.100.7", "1", "::1", "25" },
	{ "local", SPAN_LIT(V2 "\x20\0\0\0"), "192.0.2.1", "0", NULL, NULL },
	{ "unknown", SPAN_LIT("PROXY UNKNOWN\r\n"), "unknown", "0", NULL,
	  NULL },
	{ "none", SPAN_LIT("EHLO c.example\r\n"), NULL, NULL, NULL, NULL },
};

static void
check_session(struct fake *f, size_t i)
{
	struct session *s = TAILQ_FIRST(&f->srv.sessions);

	if (cases[i].ip == NULL) {
		assert_null(s);
		return;
	}
	assert_non_null(s);
	assert_string_equal(s->ip, cases[i].ip);
	assert_string_equal(s->port, cases[i].port);
	if (cases[i].own_ip != NULL) {
		assert_string_equal(s->own.ip, cases[i].own_ip);
		assert_string_equal(s->own.port, cases[i].own_port);
	}
	session_kick(s, "421 bye");
}

static void
headers(void **state)
{
	struct fake f;
	size_t i, at, step;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		size_t c = i / 2;

		print_message("%s\n", cases[c].name);
		fake_init(&f, PATIENT);
		fd = connect_from(&f, "192.0.2.1");
		assert_int_equal(f.srv.n_upstreams, 1);
		step = i % 2 == 0 ? cases[c].header.n : 1;
		for (at = 0; at < cases[c].header.n && !is_closed(fd);
		    at += step)
			say(&f, fd, span_sub(cases[c].header, at, step));
		assert_int_equal(f.srv.n_upstreams, 0);
		assert_int_equal(is_closed(fd), cases[c].ip == NULL);
		check_session(&f, c);
		(void)close(fd);
		fake_fini(&f);
	}
}

static void
nothing_behind_the_header_is_taken(void **state)
{
	static const char hello[] = "\x16\x03\x01 client hello";
	struct sockaddr_storage from = address("192.0.2.1");
	char mem[64];
	struct fake f;
	int fd[2];

	(void)state;
	fake_init(&f, PATIENT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	upstream_accept(&f.srv, f.prof, fd[1], &from);
	say(&f, fd[0], SPAN_LIT("PROXY TCP4 198.51.100.7 "));
	say(&f, fd[0], SPAN_LIT("198.51.100.2 1234 25\r\n\x16\x03\x01 "
	    "client hello"));
	/* the fake stream reads nothing: all of it must still be there */
	assert_int_equal(f.srv.n_sessions, 1);
	assert_int_equal(recv(fd[1], mem, sizeof(mem), MSG_DONTWAIT),
	    (ssize_t)sizeof(hello) - 1);
	assert_memory_equal(mem, hello, sizeof(hello) - 1);
	(void)close(fd[0]);
	(void)close(fd[1]);
	fake_fini(&f);
}

static void
who_is_not_listed_is_not_listened_to(void **state)
{
	struct fake f;
	int fd;

	(void)state;
	fake_init(&f, PATIENT);
	fd = connect_from(&f, "192.0.2.2");
	assert_true(is_closed(fd));
	assert_int_equal(f.srv.n_upstreams, 0);
	assert_int_equal(f.srv.n_sessions, 0);
	(void)close(fd);
	fake_fini(&f);
}

static void
who_is_silent_or_leaves_is_forgotten(void **state)
{
	uint64_t until = clock_mono_ms() + 30000;
	struct fake f;
	int fd, other;

	(void)state;
	fake_init(&f, PATIENT);
	fd = connect_from(&f, "192.0.2.1");
	other = connect_from(&f, "192.0.2.1");
	say(&f, other, SPAN_LIT("PROXY "));
	assert_int_equal(f.srv.n_upstreams, 2);
	(void)close(other);
	fake_turn(&f);
	fake_turn(&f);
	assert_int_equal(f.srv.n_upstreams, 1);
	(void)close(fd);
	fake_fini(&f);
	fake_init(&f, CONF "smtpd_upstream_proxy_timeout = 100ms\n");
	fd = connect_from(&f, "192.0.2.1");
	while (!is_closed(fd) && clock_mono_ms() < until)
		fake_turn(&f);
	assert_true(is_closed(fd));
	assert_int_equal(f.srv.n_upstreams, 0);
	(void)close(fd);
	/* one that waits when all ends */
	fd = connect_from(&f, "192.0.2.1");
	fake_fini(&f);
	assert_true(is_closed(fd));
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(nothing_behind_the_header_is_taken),
		cmocka_unit_test(who_is_not_listed_is_not_listened_to),
		cmocka_unit_test(who_is_silent_or_leaves_is_forgotten),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
