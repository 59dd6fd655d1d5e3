/* The forms of a listen address, and what happens to the sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/listen.h"
#include "base/xmalloc.h"

static void
test_address_forms(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "127.0.0.1:25", true }, { "0.0.0.0:65535", true },
		{ "[::1]:25", true }, { "[::]:993", true }, { "*:25", true },
		{ "", false }, { ":25", false }, { "25", false },
		{ "127.0.0.1", false }, { "127.0.0.1:", false },
		{ "127.0.0.1:0", false }, { "127.0.0.1:65536", false },
		{ "127.0.0.1:25x", false }, { "127.0.0.1:-1", false },
		{ "::1:25", false }, { "[::1:25", false },
		{ "[]:25", false }, { "[::g]:25", false },
		{ "localhost:25", false }, { "mx.example.org:25", false },
		{ "127.0.0.256:25", false }, { "**:25", false },
		{ "[127.0.0.1%eth0 and a very long text behind it, longer "
		    "than any address may be]:25", false },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (listen_address_ok(span_str(cases[i].text), &err) !=
		    cases[i].ok)
			fail_msg("%s", cases[i].text);
}

static struct conf *
conf_of(const char *text)
{
	struct buf complaints;
	struct conf *conf;

	buf_init(&complaints, 65536);
	conf = conf_parse("test", span_str(text), &complaints);
	if (conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	return conf;
}

/* A port that was free a moment ago. */
static unsigned
port_free(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void
test_sockets_by_role(void **state)
{
	char *text = xasprintf("[service a]\nprotocol = submission\n"
	    "listen = 127.0.0.1:%u\n[service b]\nprotocol = imap\n"
	    "listen = 127.0.0.1:%u\n", port_free(), port_free());
	struct conf *conf = conf_of(text);
	struct listen_set set, again;
	struct err err;

	(void)state;
	assert_int_equal(listen_open_all(&set, conf, &err), 0);
	assert_int_equal(set.n, 2);
	assert_string_equal(set.v[0].section, "a");
	assert_int_equal(set.v[0].role, ROLE_SMTPD);
	assert_int_equal(set.v[1].role, ROLE_IMAPD);
	assert_true(listen_has_role(&set, ROLE_IMAPD));
	assert_false(listen_has_role(&set, ROLE_QMGR));
	/* taken: none is opened, and the reason has the service's name */
	assert_int_not_equal(listen_open_all(&again, conf, &err), 0);
	assert_int_equal(again.n, 0);
	assert_non_null(strstr(err.why, "[service a] listen on 127.0.0.1:"));
	listen_close_all(&set);
	assert_int_equal(listen_open_all(&again, conf, &err), 0);
	listen_close_all(&again);
	conf_unref(&conf);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_forms),
		cmocka_unit_test(test_sockets_by_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
