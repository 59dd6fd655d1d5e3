/*
 * Opening connections: places as words, a listener that is there, one that
 * is not, a name, a cancelled one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/testloop.h"
#include "net/dial.h"

struct outcome {
	struct loop *loop;
	int calls, fd;
	char why[256];
};

static void
outcome_cb(int fd, const struct err *err, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->fd = fd;
	(void)snprintf(o->why, sizeof(o->why), "%s", err->why);
	loop_stop(o->loop);
}

static struct outcome
dial_to(const char *text)
{
	struct outcome o = { .loop = loop_new(), .fd = -1 };
	struct work_pool *names = work_pool_new(o.loop, 1);
	struct dial_place place;
	struct err err;

	assert_int_equal(dial_place_parse(span_str(text), &place, &err), 0);
	(void)dial_start(o.loop, names, &place, 60000, outcome_cb, &o);
	dial_place_fini(&place);
	assert_int_equal(o.calls, 0);		/* never inside the call */
	testloop_ms(o.loop, 90000);
	assert_int_equal(o.calls, 1);
	work_pool_free(&names);
	loop_free(&o.loop);
	return o;
}

static int
listener(struct sockaddr *sa, socklen_t n)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, sa, n), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static int
inet_listener(unsigned *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(in);
	int fd = listener((struct sockaddr *)&in, n);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void
places_are_words(void **state)
{
	static const struct {
		const char *text, *path, *host, *port;
	} cases[] = {
		{ "inet:127.0.0.1:80", NULL, "127.0.0.1", "80" },
		{ "mx.example:smtp", NULL, "mx.example", "smtp" },
		{ "inet:[::1]:10023", NULL, "::1", "10023" },
		{ "unix:/run/x", "/run/x", NULL, NULL },
		{ "unix:relative", NULL, NULL, NULL },
		{ "unix:", NULL, NULL, NULL },
		{ "host", NULL, NULL, NULL },
		{ "host:", NULL, NULL, NULL },
		{ ":25", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};
	struct dial_place p;
	struct err err;
	bool good;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		good = cases[i].path != NULL || cases[i].host != NULL;
		assert_int_equal(dial_place_parse(span_str(cases[i].text), &p,
		    &err), good ? 0 : PS_ESYNTAX);
		if (cases[i].path != NULL)
			assert_string_equal(p.path, cases[i].path);
		if (cases[i].host != NULL) {
			assert_string_equal(p.host, cases[i].host);
			assert_string_equal(p.port, cases[i].port);
		}
		dial_place_fini(&p);
	}
}

static void
listeners_are_reached(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[128];
	struct outcome o;
	unsigned port;
	int fd = inet_listener(&port);

	(void)state;
	(void)snprintf(text, sizeof(text), "inet:127.0.0.1:%u", port);
	o = dial_to(text);
	assert_int_not_equal(o.fd, -1);
	(void)close(o.fd);
	/* the first of a name's addresses may be ::1, where nobody is */
	(void)snprintf(text, sizeof(text), "localhost:%u", port);
	o = dial_to(text);
	assert_int_not_equal(o.fd, -1);
	(void)close(o.fd);
	(void)close(fd);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/t_dial.%d",
	    (int)getpid());
	fd = listener((struct sockaddr *)&un, sizeof(un));
	(void)snprintf(text, sizeof(text), "unix:%s", un.sun_path);
	o = dial_to(text);
	assert_int_not_equal(o.fd, -1);
	(void)close(o.fd);
	(void)close(fd);
	(void)unlink(un.sun_path);
}

static void
who_is_not_there_is_told(void **state)
{
	char text[64];
	struct outcome o;
	unsigned port;

	(void)state;
	(void)close(inet_listener(&port));
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	o = dial_to(text);
	assert_int_equal(o.fd, -1);
	assert_non_null(strstr(o.why, "refused"));
	o = dial_to("unix:/nonexistent/socket");
	assert_int_equal(o.fd, -1);
	assert_non_null(strstr(o.why, "No such file"));
	o = dial_to("no-such-host.invalid:25");
	assert_int_equal(o.fd, -1);
	assert_non_null(strstr(o.why, "no-such-host.invalid: "));
}

static void
a_cancelled_one_is_silent(void **state)
{
	static const char *const places[] = { "unix:/nonexistent/socket",
	    "localhost:1", "127.0.0.1:1" };
	struct outcome o = { .loop = loop_new() };
	struct work_pool *names = work_pool_new(o.loop, 1);
	struct dial_place p;
	struct dial *d;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(places); i++) {
		assert_int_equal(dial_place_parse(span_str(places[i]), &p,
		    &err), 0);
		d = dial_start(o.loop, names, &p, 1000, outcome_cb, &o);
		dial_place_fini(&p);
		dial_cancel(&d);
		assert_null(d);
	}
	testloop_ms(o.loop, 50);
	work_pool_free(&names);
	assert_int_equal(o.calls, 0);
	loop_free(&o.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_words),
		cmocka_unit_test(listeners_are_reached),
		cmocka_unit_test(who_is_not_there_is_told),
		cmocka_unit_test(a_cancelled_one_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
