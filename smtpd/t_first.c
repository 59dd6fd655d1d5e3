/*
 * First-contact tests: who waits before the greeting, what early talk, early
 * leave and patience lead to, what the dialogue shows, and what is remembered.
 * Connections are socket pairs, sessions are real on a fake stream.
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
#include "smtpd/first_int.h"

#define SITE	"myhostname = mx.example\nmynetworks = 203.0.113.0/24\n" \
	"smtpd_authorized_xclient_hosts = 192.0.2.99\n" \
	"smtpd_relay_restrictions = reject_unauth_destination\n"
#define TESTED	SITE "smtpd_first_contact = yes\n"
#define CONF	TESTED "postscreen_greet_wait = 60ms\n"
#define CLIENT	"192.0.2.7"
#define PATIENCE_MS	30000

static struct sockaddr_storage
address(const char *ip)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *four = (void *)&ss;

	memset(&ss, 0, sizeof(ss));
	four->sin_family = AF_INET;
	four->sin_port = htons(1234);
	assert_int_equal(inet_pton(AF_INET, ip, &four->sin_addr), 1);
	return ss;
}

/* Our end; the other is the server's. */
static int
connect_from(struct fake *f, const char *ip)
{
	struct sockaddr_storage from = address(ip), to = address("192.0.2.1");
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	first_accept(&f->srv, f->prof, fd[1], &from, &to);
	return fd[0];
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
}

/* What we were told so far, in one static text; "!" when closed. */
static const char *
heard(int fd)
{
	static char text[1024];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, sizeof(text) - 2 - n,
	    MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	if (got == 0 || (got == -1 && errno == ECONNRESET))
		text[n++] = '!';
	text[n] = '\0';
	return text;
}

static void
until_nobody_waits(struct fake *f)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (f->srv.first->n_waiting > 0 && clock_mono_ms() < until)
		fake_turn(f);
	assert_int_equal(f->srv.first->n_waiting, 0);
}

static struct session *
session_of(struct fake *f)
{
	return TAILQ_FIRST(&f->srv.sessions);
}

static void
end_session(struct fake *f)
{
	session_kick(session_of(f), "421 bye");
}

static void
the_patient_pass_and_do_not_wait_again(void **state)
{
	struct fake f;
	int fd;

	(void)state;
	fake_init(&f, CONF);
	fd = connect_from(&f, CLIENT);
	assert_string_equal(heard(fd), "220-mx.example ESMTP Postern\r\n");
	assert_int_equal(f.srv.first->n_waiting, 1);
	assert_null(session_of(&f));
	until_nobody_waits(&f);
	assert_non_null(session_of(&f));
	assert_null(first_refusal(session_of(&f)));
	assert_true(first_withholds_pipelining(session_of(&f)));
	assert_int_equal(f.srv.first->stat.pass_new, 1);
	end_session(&f);
	(void)close(fd);

	fd = connect_from(&f, CLIENT);
	assert_int_equal(f.srv.first->n_waiting, 0);
	assert_non_null(session_of(&f));
	assert_int_equal(f.srv.first->stat.pass_old, 1);
	end_session(&f);
	(void)close(fd);

	fd = connect_from(&f, "192.0.2.8");
	assert_int_equal(f.srv.first->n_waiting, 1);
	(void)close(fd);
	fake_fini(&f);
}

static const struct {
	const char *name, *conf, *says;
	const char *hears;	/* behind the teaser */
	bool session;
	const char *refusal;
} early[] = {
	{ "ignored", "postscreen_greet_action = ignore\n", "EHLO x\r\n", "",
	  true, NULL },
	{ "enforced", "postscreen_greet_action = enforce\n", "EHLO x\r\n", "",
	  true, "550 5.5.1 Protocol error" },
	{ "dropped", "postscreen_greet_action = drop\n", "EHLO x\r\n",
	  "521 5.5.1 Protocol error\r\n!", false, NULL },
	{ "a TLS hello", "postscreen_greet_action = drop\n", "\x16\x03\x01",
	  "521 5.5.1 Protocol error\r\n!", false, NULL },
};

static void
who_talks_early_fails(void **state)
{
	const char *teaser = "220-mx.example ESMTP Postern\r\n";
	char conf[2048];
	struct fake f;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_LEN(early); i++) {
		print_message("%s\n", early[i].name);
		(void)snprintf(conf, sizeof(conf), "%s%s", CONF,
		    early[i].conf);
		fake_init(&f, conf);
		fd = connect_from(&f, CLIENT);
		assert_string_equal(heard(fd), teaser);
		say(fd, early[i].says);
		until_nobody_waits(&f);
		assert_string_equal(heard(fd), early[i].hears);
		assert_int_equal(f.srv.first->stat.pregreet, 1);
		assert_int_equal(f.srv.first->stat.pass_new, 0);
		if (early[i].session) {
			assert_non_null(session_of(&f));
			if (early[i].refusal == NULL)
				assert_null(first_refusal(session_of(&f)));
			else
				assert_string_equal(early[i].refusal,
				    first_refusal(session_of(&f)));
			end_session(&f);
		} else
			assert_null(session_of(&f));
		(void)close(fd);
		/* and must wait again */
		fd = connect_from(&f, CLIENT);
		assert_int_equal(f.srv.first->n_waiting, 1);
		(void)close(fd);
		fake_fini(&f);
	}
}

static void
who_leaves_is_forgotten(void **state)
{
	struct fake f;
	int fd;

	(void)state;
	fake_init(&f, CONF);
	fd = connect_from(&f, CLIENT);
	(void)close(fd);
	until_nobody_waits(&f);
	assert_int_equal(f.srv.first->stat.hangups, 1);
	assert_null(session_of(&f));
	fd = connect_from(&f, CLIENT);
	first_stop(&f.srv);
	assert_string_equal(heard(fd), "220-mx.example ESMTP Postern\r\n"
	    "421 4.3.2 Service shutting down\r\n!");
	(void)close(fd);
	fake_fini(&f);
}

static const struct {
	const char *name, *conf, *ip;
	bool waits, session;
	const char *hears, *refusal;
} lists[] = {
	{ "mynetworks", CONF, "203.0.113.1", false, true, "", NULL },
	{ "a peer with XCLIENT", CONF, "192.0.2.99", false, true, "", NULL },
	{ "an allowed network", CONF "postscreen_access_list = "
	  "cidr:{{192.0.2.0/24 permit}}\n", CLIENT, false, true, "", NULL },
	{ "enforced", CONF "postscreen_access_list = static:reject\n", CLIENT,
	  false, true, "", "550 5.3.2 Service currently unavailable" },
	{ "dropped", CONF "postscreen_access_list = static:reject\n"
	  "postscreen_denylist_action = drop\n", CLIENT, false, false,
	  "521 5.3.2 Service currently unavailable\r\n!", NULL },
	{ "ignored", CONF "postscreen_access_list = static:reject\n"
	  "postscreen_denylist_action = ignore\n", CLIENT, true, false,
	  "220-mx.example ESMTP Postern\r\n", NULL },
	{ "mynetworks left out", CONF "postscreen_access_list =\n", "203.0.113.1",
	  true, false, "220-mx.example ESMTP Postern\r\n", NULL },
	{ "no teaser", CONF "postscreen_greet_banner =\n", CLIENT, true, false,
	  "", NULL },
	{ "off", SITE, CLIENT, false, true, "",
	  NULL },
	{ "submission", CONF "protocol = submission\n", CLIENT, false, true, "",
	  NULL },
	{ "no wait", TESTED "postscreen_greet_wait = 0\n", CLIENT, false, true, "",
	  NULL },
};

static void
who_is_tested_at_all(void **state)
{
	struct fake f;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lists); i++) {
		print_message("%s\n", lists[i].name);
		fake_init(&f, lists[i].conf);
		fd = connect_from(&f, lists[i].ip);
		assert_int_equal(f.srv.first->n_waiting, lists[i].waits);
		assert_string_equal(heard(fd), lists[i].hears);
		assert_int_equal(session_of(&f) != NULL, lists[i].session);
		if (lists[i].session && lists[i].refusal == NULL)
			assert_null(first_refusal(session_of(&f)));
		else if (lists[i].session)
			assert_string_equal(lists[i].refusal,
			    first_refusal(session_of(&f)));
		if (lists[i].session)
			end_session(&f);
		(void)close(fd);
		fake_fini(&f);
	}
}

static void
so_many_wait_at_a_time(void **state)
{
	struct fake f;
	int fd[4], i;

	(void)state;
	fake_init(&f, CONF "postscreen_client_connection_count_limit = 2\n"
	    "postscreen_pre_queue_limit = 3\npostscreen_greet_banner =\n");
	fd[0] = connect_from(&f, CLIENT);
	fd[1] = connect_from(&f, CLIENT);
	fd[2] = connect_from(&f, CLIENT);
	assert_string_equal(heard(fd[2]),
	    "421 4.7.0 Error: too many connections\r\n!");
	(void)close(fd[2]);
	fd[2] = connect_from(&f, "192.0.2.8");
	assert_int_equal(f.srv.first->n_waiting, 3);
	fd[3] = connect_from(&f, "192.0.2.9");
	assert_string_equal(heard(fd[3]),
	    "421 4.3.2 All server ports are busy\r\n!");
	for (i = 0; i < 4; i++)
		(void)close(fd[i]);
	until_nobody_waits(&f);
	assert_int_equal(map_count(f.srv.first->per_client), 0);
	fake_fini(&f);
}

/* --- the dialogue --- */

#define ALL	(PASS_BIT(PASS_PIPELINING) | PASS_BIT(PASS_NON_SMTP) | \
	PASS_BIT(PASS_BARE_NEWLINE))
#define HELLO	"EHLO c\r\n"
#define HELLOED	"250-|250-SIZE|250-VRFY|250-ETRN|250-ENHANCED|250-8BITMIME|" \
	"250-DSN|250-SMTPUTF8|250 CHUNKING|"
#define MAIL	"MAIL FROM:<a@b.example>\r\n"
#define RCPT	"RCPT TO:<kim@a.example>\r\n"

static const struct {
	const char *name, *conf;
	const char *send[6];
	const char *says;
	unsigned passed;	/* afterwards */
} talks[] = {
	{ "all is well", "", { HELLO, MAIL, RCPT, "DATA\r\n",
	  "x: y\r\n\r\nz\r\n.\r\n" }, HELLOED "250|250|354|250|", ALL },
	{ "not as far as DATA", "", { HELLO, MAIL, RCPT, "QUIT\r\n" },
	  HELLOED "250|250|221|!", PASS_BIT(PASS_PIPELINING) |
	  PASS_BIT(PASS_NON_SMTP) },
	{ "not as far as RCPT", "", { HELLO, MAIL, "QUIT\r\n" },
	  HELLOED "250|221|!", 0 },
	{ "pipelines", "", { HELLO, MAIL RCPT, "QUIT\r\n" },
	  HELLOED "250|550 5.5.1 Protocol error|221|!", 0 },
	{ "pipelines, dropped", "postscreen_pipelining_action = drop\n",
	  { HELLO, MAIL RCPT }, HELLOED "521 5.5.1 Protocol error|!", 0 },
	{ "pipelines, ignored", "postscreen_pipelining_action = ignore\n",
	  { HELLO, MAIL RCPT, "QUIT\r\n" }, HELLOED "250|250|221|!",
	  PASS_BIT(PASS_NON_SMTP) },
	{ "pipelines behind EHLO: the general rule", "", { HELLO MAIL },
	  "554 5.5.0 Error: SMTP protocol synchronization|!", 0 },
	{ "speaks HTTP", "", { "GET / HTTP/1.0\r\n" },
	  "521 5.5.1 Protocol error|!", 0 },
	{ "speaks HTTP: the general rule",
	  "postscreen_non_smtp_command_action = ignore\n",
	  { "GET / HTTP/1.0\r\n" }, "221 2.7.0|!", 0 },
	{ "a bare newline in a command: the general rule", "",
	  { "EHLO c\n" }, "521 5.5.2|!", 0 },
	{ "a bare newline in a text: the general rule", "",
	  { HELLO, MAIL, RCPT, "DATA\r\n", "x\ny\r\n.\r\n" },
	  HELLOED "250|250|354|521 5.5.2|!", PASS_BIT(PASS_PIPELINING) |
	  PASS_BIT(PASS_NON_SMTP) },
};

static void
what_the_dialogue_shows(void **state)
{
	char conf[2048];
	struct pass_left left;
	struct fake f;
	struct session *s;
	struct buf why;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(talks); i++) {
		struct first_verdict v = { .todo = ALL, .watched = true };

		buf_init(&why, 65536);
		(void)snprintf(conf, sizeof(conf), "%s%s", CONF,
		    talks[i].conf);
		fake_init(&f, conf);
		f.stream = stream_new(f.loop, -1, &session_stream_cbs, NULL);
		s = session_new(&f.srv, f.prof, f.stream, CLIENT);
		pass_key_set(&v.key, &s->addr);
		first_take(s, &v);
		stream_arg_set(f.stream, &session_stream_cbs, s);
		session_start(s);
		fake_settle(&f);
		buf_clear(&f.sent);
		for (k = 0; talks[i].send[k] != NULL; k++)
			fake_send(&f, span_str(talks[i].send[k]));
		if (!fake_said(&f, talks[i].says, &why))
			fail_msg("%s: %s", talks[i].name, buf_cstr(&why));
		(void)passes_get(f.srv.first->own, pass_key_span(
		    &(struct pass_key){ "\0\0\0\0\0\0\0\0\0\0\xff\xff"
		    "\xc0\0\x02\x07" }), first_now_s(&f.srv), &left);
		if ((~pass_missing(&left) & ALL) != talks[i].passed)
			fail_msg("%s: passed %x", talks[i].name,
			    ~pass_missing(&left) & ALL);
		fake_fini(&f);
		buf_fini(&why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_patient_pass_and_do_not_wait_again),
		cmocka_unit_test(who_talks_early_fails),
		cmocka_unit_test(who_leaves_is_forgotten),
		cmocka_unit_test(who_is_tested_at_all),
		cmocka_unit_test(so_many_wait_at_a_time),
		cmocka_unit_test(what_the_dialogue_shows),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
