/*
 * A real session and a gatekeeper that this test plays: one that answers as
 * it is told, one that says nothing, one that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/proto.h"
#include "smtpd/fake.h"
#include "smtpd/limits.h"

#define BASE	"myhostname = mx.example\nsmtpd_error_sleep_time = 0\n" \
	"smtpd_relay_restrictions = reject_unauth_destination\n"
#define NO_COUNT "smtpd_client_connection_count_limit = 0\n"
#define MAIL	"MAIL FROM:<s@s.example>\r\n"
#define PATIENCE_MS	30000

struct rig {
	struct fake f;
	struct ipc *far;		/* gatekeeper's end */
	bool silent, unknown;
	uint32_t connections, rate;	/* what it answers */
	unsigned counts[KEEPER_EVENTS], peeks, asks, gones;
	uint32_t held;
	uint64_t last_id;
};

static int
count_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_keeper_count in;

	assert_true(msg_keeper_count_unpack(m->body, &in));
	assert_true(in.event < KEEPER_EVENTS && keeper_key_valid(in.key));
	if (in.peek)
		r->peeks++;
	else
		r->counts[in.event]++;
	if (!in.ask)
		return 0;
	r->asks++;
	r->last_id = m->id;
	if (!r->silent)
		PROTO_SEND(c, m->id, KEEPER_COUNTED, keeper_counted,
		    .known = !r->unknown, .connections = r->connections,
		    .rate = r->rate);
	return 0;
}

static int
gone_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_keeper_gone in;

	assert_true(msg_keeper_gone_unpack(m->body, &in));
	r->gones++;
	return 0;
}

static int
held_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_keeper_held in;

	assert_true(msg_keeper_held_unpack(m->body, &in));
	r->held += in.connections;
	return 0;
}

static const struct ipc_handler keeper_side[] = {
	{ MSG_KEEPER_COUNT, count_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_GONE, gone_cb, IPC_ANY_PHASE },
	{ MSG_KEEPER_HELD, held_cb, IPC_ANY_PHASE },
};

/* smtpd's side, as peers.c has it */
static const struct ipc_handler from_keeper[] = {
	{ MSG_KEEPER_COUNTED, limits_counted_cb, IPC_ANY_PHASE },
};

static void
never_closed(struct ipc *c, void *arg)
{
	fail_msg("%s closed", ipc_name(c));
}

static void
keeper_away(struct rig *r)
{
	ipc_free(&r->f.srv.keeper);
	ipc_free(&r->far);
}

static void
keeper_there(struct rig *r)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), 0);
	r->f.srv.keeper = ipc_new(r->f.loop, fd[0], "gatekeeper",
	    from_keeper, ARRAY_LEN(from_keeper), never_closed, &r->f.srv);
	r->far = ipc_new(r->f.loop, fd[1], "far", keeper_side,
	    ARRAY_LEN(keeper_side), never_closed, r);
}

static void
rig_init(struct rig *r, const char *conf)
{
	memset(r, 0, sizeof(*r));
	fake_init(&r->f, conf);
	r->f.srv.keeper_timeout_ms = PATIENCE_MS;
	keeper_there(r);
}

static void
rig_fini(struct rig *r)
{
	fake_hangup(&r->f);
	assert_int_equal(map_count(r->f.srv.keeper_waits), 0);
	assert_int_equal(keeper_connections(r->f.srv.own_counts), 0);
	keeper_away(r);
	fake_fini(&r->f);
}

/* What the session says next begins so. */
static void
says(struct rig *r, const char *text)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (buf_len(&r->f.sent) == 0 && clock_mono_ms() < until)
		fake_settle(&r->f);
	if (!span_starts(buf_span(&r->f.sent), text))
		fail_msg("want \"%s\", got \"%s\"", text,
		    buf_cstr(&r->f.sent));
	buf_clear(&r->f.sent);
}

static void
say(struct rig *r, const char *text)
{
	fake_send(&r->f, span_str(text));
}

/* For what goes on though the session waits for nobody. */
static void
turns(struct rig *r)
{
	int i;

	for (i = 0; i < 8; i++)
		fake_turn(&r->f);
}

static void
without_limits_nobody_is_asked(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT);
	r.silent = true;
	fake_connect(&r.f);
	says(&r, "220 ");
	say(&r, MAIL);
	says(&r, "250 ");
	fake_hangup(&r.f);
	fake_settle(&r.f);
	assert_int_equal(r.counts[KEEPER_CONNECT], 1);
	assert_int_equal(r.counts[KEEPER_MESSAGE], 0);
	assert_int_equal(r.asks, 0);
	assert_int_equal(r.gones, 1);
	rig_fini(&r);
}

/* What is asked, and what follows from the answer. */
static const struct {
	const char *conf;
	uint32_t connections, rate;
	const char *greets, *send, *reply;
} answers[] = {
	{ "smtpd_client_connection_rate_limit = 3\n"
	  NO_COUNT, 99, 3, "220 ", NULL,
	  NULL },
	{ "smtpd_client_connection_rate_limit = 3\n", 1, 4,
	  "421 4.7.0 mx.example Error: too many connections from 192.0.2.7\r",
	  NULL, NULL },
	{ "smtpd_client_connection_count_limit = 3\n", 3, 99, "220 ", NULL,
	  NULL },
	{ "smtpd_client_connection_count_limit = 3\n", 4, 1,
	  "421 4.7.0 mx.example Error: too many connections from 192.0.2.7\r",
	  NULL, NULL },
	{ "smtpd_client_message_rate_limit = 2\n", 9, 2, "220 ", MAIL,
	  "250 " },
	{ "smtpd_client_message_rate_limit = 2\n", 9, 3, "220 ", MAIL,
	  "450 4.7.1 Error: too much mail from 192.0.2.7\r" },
	/* syntax is looked at first, and is no event */
	{ "smtpd_client_message_rate_limit = 2\n", 9, 3, "220 ",
	  "MAIL TO:<x>\r\n", "501 5.5.4" },
	{ "smtpd_client_recipient_rate_limit = 1\n", 9, 1, "220 ",
	  MAIL "RCPT TO:<kim@a.example>\r\n", "250 2.1.0 Ok\r\n250 2.1.5" },
	{ "smtpd_client_recipient_rate_limit = 1\n", 9, 2, "220 ",
	  MAIL "RCPT TO:<kim@a.example>\r\n", "250 2.1.0 Ok\r\n"
	  "450 4.7.1 Error: too many recipients from 192.0.2.7\r" },
	{ "smtpd_client_auth_rate_limit = 1\n", 9, 2, "220 ",
	  "AUTH PLAIN x\r\n",
	  "450 4.7.1 Error: too many AUTH commands from 192.0.2.7\r" },
	{ "smtpd_client_auth_rate_limit = 1\n", 9, 1, "220 ",
	  "AUTH PLAIN x\r\n", "503 5.5.1" },
	/* exceptions: not asked, so whatever the answer were */
	{ "smtpd_client_message_rate_limit = 2\nmynetworks = 192.0.2.0/24\n"
	  "smtpd_client_connection_count_limit = 1\n", 9, 9, "220 ", MAIL,
	  "250 " },
	{ "smtpd_client_connection_count_limit = 1\n"
	  "smtpd_client_event_limit_exceptions = unknown\n", 9, 9, "220 ",
	  NULL, NULL },
};

static void
the_answer_decides(void **state)
{
	struct rig r;
	struct buf conf;
	size_t i;

	(void)state;
	buf_init(&conf, 4096);
	for (i = 0; i < ARRAY_LEN(answers); i++) {
		print_message("row %zu\n", i);
		buf_clear(&conf);
		buf_fmt(&conf, BASE "%s", answers[i].conf);
		rig_init(&r, buf_cstr(&conf));
		r.connections = answers[i].connections;
		r.rate = answers[i].rate;
		fake_connect(&r.f);
		says(&r, answers[i].greets);
		if (answers[i].send != NULL) {
			say(&r, "EHLO c.example\r\n");
			says(&r, "250-");
			say(&r, answers[i].send);
			fake_settle(&r.f);
			says(&r, answers[i].reply);
		}
		fake_hangup(&r.f);
		fake_settle(&r.f);
		/* each that came has gone */
		assert_int_equal(r.gones, r.counts[KEEPER_CONNECT]);
		rig_fini(&r);
	}
	buf_fini(&conf);
}

static void
a_parked_command_keeps_its_arguments(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 9\n"
	    "smtpd_client_recipient_rate_limit = 9\n");
	fake_connect(&r.f);
	says(&r, "220 ");
	say(&r, MAIL);
	says(&r, "250 2.1.0");
	say(&r, "RCPT TO:<kim@a.example> ORCPT=rfc822;k@a.example\r\n");
	says(&r, "250 2.1.5");
	say(&r, "DATA\r\n");
	says(&r, "354");
	say(&r, "x\r\n.\r\n");
	says(&r, "250 2.0.0");
	assert_string_equal(buf_cstr(&r.f.message[0].envelope),
	    "s@s.example|MAILBOX 1 kim@a.example");
	assert_int_equal(r.counts[KEEPER_MESSAGE], 1);
	assert_int_equal(r.counts[KEEPER_RECIPIENT], 1);
	rig_fini(&r);
}

static void
silence_is_waited_for_once(void **state)
{
	uint64_t began, took;
	struct rig r;
	int i;

	(void)state;
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 2\n");
	r.silent = true;
	r.f.srv.keeper_timeout_ms = 250;
	fake_connect(&r.f);
	says(&r, "220 ");
	for (i = 0; i < 3; i++) {
		began = clock_mono_ms();
		say(&r, MAIL);
		/* our own count: the third is one too many */
		says(&r, i < 2 ? "250 " : "450 4.7.1");
		took = clock_mono_ms() - began;
		assert_true(i > 0 || took + 50 >= r.f.srv.keeper_timeout_ms);
		assert_int_equal(r.asks, 1);
		r.f.srv.keeper_mute_ms += 600000;	/* it stays so */
		say(&r, "RSET\r\n");
		says(&r, "250 ");
	}
	/* its late word changes nothing */
	PROTO_SEND(r.far, r.last_id, KEEPER_COUNTED, keeper_counted,
	    .known = 1, .connections = 1, .rate = 1);
	turns(&r);
	say(&r, "NOOP\r\n");
	says(&r, "250 ");
	rig_fini(&r);
}

static void
who_waits_for_one_that_ends_goes_on(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 1\n");
	r.silent = true;
	r.f.srv.keeper_timeout_ms = 600 * 1000;
	fake_connect(&r.f);
	says(&r, "220 ");
	say(&r, MAIL);
	turns(&r);
	assert_int_equal(r.asks, 1);
	keeper_away(&r);
	limits_keeper_lost(&r.f.srv);
	says(&r, "250 ");
	say(&r, "RSET\r\n");
	says(&r, "250 ");
	say(&r, MAIL);
	says(&r, "450 4.7.1");
	rig_fini(&r);
}

static void
our_own_counts_stand_in(void **state)
{
	struct rig r;
	int i;

	(void)state;
	/* a gatekeeper whose table is full */
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 2\n");
	r.unknown = true;
	fake_connect(&r.f);
	says(&r, "220 ");
	for (i = 0; i < 2; i++) {
		say(&r, MAIL "RSET\r\n");
		fake_settle(&r.f);
		says(&r, "250 2.1.0 Ok\r\n250 ");
	}
	/* and none at all */
	keeper_away(&r);
	say(&r, MAIL);
	says(&r, "450 4.7.1");
	rig_fini(&r);
}

static void
a_client_that_leaves_meanwhile_leaves_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 2\n"
	    "smtpd_client_connection_rate_limit = 9\n");
	r.silent = true;
	fake_connect(&r.f);		/* parked before its greeting */
	assert_int_equal(map_count(r.f.srv.keeper_waits), 1);
	fake_hangup(&r.f);
	assert_int_equal(map_count(r.f.srv.keeper_waits), 0);
	r.f.srv.keeper_timeout_ms = 50;
	fake_connect(&r.f);
	says(&r, "220 ");
	r.f.srv.keeper_timeout_ms = PATIENCE_MS;
	r.f.srv.keeper_mute_ms = 0;	/* it is asked again */
	say(&r, MAIL);
	assert_int_equal(map_count(r.f.srv.keeper_waits), 1);
	fake_hangup(&r.f);
	assert_int_equal(map_count(r.f.srv.keeper_waits), 0);
	fake_settle(&r.f);
	assert_int_equal(r.gones, 2);
	PROTO_SEND(r.far, r.last_id, KEEPER_COUNTED, keeper_counted,
	    .known = 1, .connections = 1, .rate = 1);
	turns(&r);
	rig_fini(&r);
}

static void
a_new_gatekeeper_is_told(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT);
	fake_connect(&r.f);
	says(&r, "220 ");
	keeper_away(&r);
	keeper_there(&r);
	limits_keeper_came(&r.f.srv);
	turns(&r);
	assert_int_equal(r.held, 1);
	fake_hangup(&r.f);
	fake_settle(&r.f);
	assert_int_equal(r.gones, 1);
	rig_fini(&r);
}

static void
a_new_gatekeeper_is_asked_whatever_the_old_one_did(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE NO_COUNT "smtpd_client_message_rate_limit = 2\n");
	r.silent = true;
	fake_connect(&r.f);
	says(&r, "220 ");
	say(&r, MAIL);			/* parked for the old one */
	keeper_away(&r);
	limits_keeper_lost(&r.f.srv);
	keeper_there(&r);
	limits_keeper_came(&r.f.srv);
	r.silent = false;
	r.rate = 3;
	says(&r, "250 ");
	say(&r, "RSET\r\n");
	says(&r, "250 ");
	say(&r, MAIL);
	says(&r, "450 4.7.1");
	assert_int_equal(r.asks, 2);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_nobody_is_asked),
		cmocka_unit_test(the_answer_decides),
		cmocka_unit_test(a_parked_command_keeps_its_arguments),
		cmocka_unit_test(silence_is_waited_for_once),
		cmocka_unit_test(who_waits_for_one_that_ends_goes_on),
		cmocka_unit_test(our_own_counts_stand_in),
		cmocka_unit_test(
		    a_client_that_leaves_meanwhile_leaves_nothing),
		cmocka_unit_test(a_new_gatekeeper_is_told),
		cmocka_unit_test(
		    a_new_gatekeeper_is_asked_whatever_the_old_one_did),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
