/*
 * A real session with a deliver and an authd at the other end of real IPC
 * connections, played by this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/proto.h"
#include "smtpd/fake.h"
#include "smtpd/quota.h"
#include "smtpd/sasl.h"

#define PATIENCE_MS	30000
#define BASE	"smtpd_relay_restrictions = permit_sasl_authenticated " \
	"reject_unauth_destination\nsmtpd_error_sleep_time = 0\n" \
	"smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
#define CONF	BASE "quota_timeout = 30s\n"

struct rig {
	struct fake f;
	struct ipc *deliver, *authd;	/* the far ends */
	bool deliver_silent, authd_silent;
	uint64_t asked_bytes, settled_id, settled_bytes;
	unsigned asks, settles, cancels;
	struct buf got;			/* decoded responses, '|' behind each */
};

/* --- deliver --- */

static int
ask_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_quota_ask in;

	assert_true(msg_quota_ask_unpack(m->body, &in));
	r->asks++;
	r->asked_bytes = in.bytes;
	if (!r->deliver_silent)
		PROTO_SEND(c, m->id, QUOTA_ANSWER, quota_answer,
		    .verdict = in.bytes >= in.limit_bytes ? QUOTA_FULL :
		    QUOTA_OK);
	return 0;
}

static int
settle_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_quota_settle in;

	assert_true(msg_quota_settle_unpack(m->body, &in));
	r->settles++;
	r->settled_id = m->id;
	r->settled_bytes = in.bytes;
	return 0;
}

static const struct ipc_handler deliver_side[] = {
	{ MSG_QUOTA_ASK, ask_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_SETTLE, settle_cb, IPC_ANY_PHASE },
};

/* --- authd: PLAIN kim/pw, LOGIN with two questions, SCRAM in one step --- */

static void
result(struct ipc *c, uint64_t id, enum auth_verdict v, const char *final)
{
	PROTO_SEND(c, id, AUTH_RESULT, auth_result, .result = (uint8_t)v,
	    .mailbox_id = 1, .user = SPAN_LIT("kim@a.example"),
	    .final = span_str(final));
}

static int
start_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_auth_start in;

	assert_true(msg_auth_start_unpack(m->body, &in));
	if (r->authd_silent)
		return 0;
	if (span_is(in.mechanism, "PLAIN") && in.has_initial)
		result(c, m->id, span_eq(in.initial,
		    SPAN_LIT("\0kim\0pw")) ? AUTH_OK : AUTH_BAD, "");
	else
		PROTO_SEND(c, m->id, AUTH_CHALLENGE, auth_challenge,
		    .challenge = SPAN_LIT("Username:"));
	return 0;
}

static int
step_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;
	struct msg_auth_step in;

	assert_true(msg_auth_step_unpack(m->body, &in));
	buf_span_add(&r->got, in.response);
	buf_char(&r->got, '|');
	if (span_is(in.response, "kim"))
		PROTO_SEND(c, m->id, AUTH_CHALLENGE, auth_challenge,
		    .challenge = SPAN_LIT("Password:"));
	else
		result(c, m->id, span_is(in.response, "pw") ||
		    span_is(in.response, "scram") ? AUTH_OK : AUTH_BAD,
		    span_is(in.response, "scram") ? "v=x" : "");
	return 0;
}

static int
cancel_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct rig *r = arg;

	r->cancels++;
	return 0;
}

static const struct ipc_handler authd_side[] = {
	{ MSG_AUTH_START, start_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_STEP, step_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_CANCEL, cancel_cb, IPC_ANY_PHASE },
};

/* --- smtpd's side of the wires, as main.c has it --- */

static const struct ipc_handler from_deliver[] = {
	{ MSG_QUOTA_ANSWER, quota_answer_cb, IPC_ANY_PHASE },
};
static const struct ipc_handler from_authd[] = {
	{ MSG_AUTH_CHALLENGE, sasl_challenge_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_RESULT, sasl_result_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_REVOKE, sasl_revoke_cb, IPC_ANY_PHASE },
};

static void
authd_closed(struct ipc *c, void *arg)
{
	struct server *srv = arg;

	ipc_free(&srv->authd);
	sasl_authd_lost(srv);
}

static void
deliver_closed(struct ipc *c, void *arg)
{
	struct server *srv = arg;

	ipc_free(&srv->deliver[0]);
	quota_deliver_lost(srv, 0);
}

static void
never_closed(struct ipc *c, void *arg)
{
	fail_msg("%s closed", ipc_name(c));
}

static void
rig_init(struct rig *r, const char *conf)
{
	struct server *srv = &r->f.srv;
	int fd[2];

	memset(r, 0, sizeof(*r));
	buf_init(&r->got, 4096);
	fake_init(&r->f, conf);
	srv->n_deliver = 1;
	srv->deliver = calloc(1, sizeof(*srv->deliver));
	assert_non_null(srv->deliver);
	assert_int_equal(ipc_pair(fd, NULL), 0);
	srv->deliver[0] = ipc_new(r->f.loop, fd[0], "deliver", from_deliver,
	    ARRAY_LEN(from_deliver), deliver_closed, srv);
	r->deliver = ipc_new(r->f.loop, fd[1], "deliver far", deliver_side,
	    ARRAY_LEN(deliver_side), never_closed, r);
	assert_int_equal(ipc_pair(fd, NULL), 0);
	srv->authd = ipc_new(r->f.loop, fd[0], "authd", from_authd,
	    ARRAY_LEN(from_authd), authd_closed, srv);
	r->authd = ipc_new(r->f.loop, fd[1], "authd far", authd_side,
	    ARRAY_LEN(authd_side), never_closed, r);
	fake_connect(&r->f);
	buf_clear(&r->f.sent);
}

static void
rig_fini(struct rig *r)
{
	struct server *srv = &r->f.srv;

	fake_hangup(&r->f);
	ipc_free(&srv->deliver[0]);
	ipc_free(&srv->authd);
	ipc_free(&r->deliver);
	ipc_free(&r->authd);
	free(srv->deliver);
	srv->deliver = NULL;
	srv->n_deliver = 0;
	fake_fini(&r->f);
	buf_fini(&r->got);
}

/* Sends, and waits for one reply that begins as said. */
static void
say(struct rig *r, const char *send, const char *want)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	fake_send(&r->f, span_str(send));
	while (buf_len(&r->f.sent) == 0 && clock_mono_ms() < until)
		fake_settle(&r->f);
	if (!span_starts(buf_span(&r->f.sent), want))
		fail_msg("want %s, got %s", want, buf_cstr(&r->f.sent));
	buf_clear(&r->f.sent);
}

/* Turns until *n is at least `want`. */
static void
turn_until(struct rig *r, const unsigned *n, unsigned want)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (*n < want && clock_mono_ms() < until)
		fake_turn(&r->f);
	assert_int_equal(*n, want);
}

/* --- quota --- */

static void
a_full_mailbox_is_refused_at_rcpt(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "RCPT TO:<full@a.example>\r\n", "452 4.2.2 <full@a.example>:"
	    " Sorry, the user's maildir has overdrawn");
	say(&r, "RCPT TO:<kim@a.example>\r\n", "250");
	say(&r, "RCPT TO:<lee@a.example>\r\n", "250");
	assert_int_equal(r.asks, 2);	/* kim has no limit: not asked */
	rig_fini(&r);
	rig_init(&r, CONF "virtual_overquota_bounce = yes\n");
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "RCPT TO:<full@a.example>\r\n", "552 5.2.2");
	rig_fini(&r);
}

static void
the_declared_size_is_asked_for(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "MAIL FROM:<s@s.example> SIZE=999\r\n", "250");
	say(&r, "RCPT TO:<lee@a.example>\r\n", "250");
	assert_int_equal(r.asked_bytes, 999);
	say(&r, "RSET\r\n", "250");
	turn_until(&r, &r.settles, 1);
	assert_int_equal(r.settled_bytes, 0);
	say(&r, "MAIL FROM:<s@s.example> SIZE=1000\r\n", "250");
	say(&r, "RCPT TO:<lee@a.example>\r\n", "452 4.2.2");
	rig_fini(&r);
}

static void
the_true_size_is_settled(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "RCPT TO:<lee@a.example>\r\n", "250");
	say(&r, "DATA\r\n", "354");
	say(&r, "x\r\n.\r\n", "250");
	turn_until(&r, &r.settles, 1);
	assert_int_equal(r.settled_bytes,
	    buf_len(&r.f.message[0].body));
	rig_fini(&r);
}

static void
a_silent_deliver_holds_nobody_up(void **state)
{
	struct rig r;
	uint64_t began;

	(void)state;
	rig_init(&r, BASE);
	r.deliver_silent = true;
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	began = clock_mono_ms();
	say(&r, "RCPT TO:<full@a.example>\r\n", "250");
	assert_true(clock_mono_ms() - began >= 45);
	rig_fini(&r);
}

static void
a_deliver_that_dies_holds_nobody_up(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, BASE "quota_timeout = 60s\n");
	r.deliver_silent = true;
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	fake_send(&r.f, SPAN_LIT("RCPT TO:<full@a.example>\r\n"));
	turn_until(&r, &r.asks, 1);
	assert_int_equal(buf_len(&r.f.sent), 0);
	ipc_free(&r.deliver);
	say(&r, "", "250");
	assert_int_equal(map_count(r.f.srv.quota_waits), 0);
	say(&r, "RSET\r\n", "250");
	rig_fini(&r);
}

/* --- AUTH --- */

static void
plain_logs_in(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "503");	/* EHLO first */
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "503 5.5.1 Error: MAIL tr");
	say(&r, "RCPT TO:<x@b.example>\r\n", "554 5.7.1");
	say(&r, "RSET\r\n", "250");
	say(&r, "AUTH PLAIN AGtpbQBubw==\r\n", "535 5.7.8");
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "235 2.7.0");
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "503 5.5.1 Error: already");
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "RCPT TO:<x@b.example>\r\n", "250");	/* may relay now */
	rig_fini(&r);
}

static void
login_is_questioned(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH login\r\n", "334 VXNlcm5hbWU6\r\n");
	say(&r, "a2lt\r\n", "334 UGFzc3dvcmQ6\r\n");
	say(&r, "cHc=\r\n", "235 2.7.0");
	assert_string_equal(buf_cstr(&r.got), "kim|pw|");
	rig_fini(&r);
}

static void
the_servers_last_word_comes_before_235(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH SCRAM-SHA-256\r\n", "334 ");
	say(&r, "c2NyYW0=\r\n", "334 dj14\r\n");
	say(&r, "\r\n", "235 2.7.0");
	rig_fini(&r);
}

static void
an_unconfirmed_login_is_none(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH SCRAM-SHA-256\r\n", "334 ");
	say(&r, "c2NyYW0=\r\n", "334 dj14\r\n");
	say(&r, "*\r\n", "501 5.7.0");
	say(&r, "MAIL FROM:<s@s.example>\r\n", "250");
	say(&r, "RCPT TO:<x@b.example>\r\n", "554 5.7.1");
	rig_fini(&r);
}

static void
an_exchange_can_be_given_up(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH LOGIN\r\n", "334 ");
	say(&r, "*\r\n", "501 5.7.0 Authentication aborted");
	turn_until(&r, &r.cancels, 1);
	say(&r, "AUTH LOGIN\r\n", "334 ");
	say(&r, "not base64!\r\n", "501 5.5.2");
	turn_until(&r, &r.cancels, 2);
	say(&r, "NOOP\r\n", "250");
	rig_fini(&r);
}

static void
an_authd_that_dies_is_454(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, CONF);
	r.authd_silent = true;
	say(&r, "EHLO c.example\r\n", "250-");
	fake_send(&r.f, SPAN_LIT("AUTH PLAIN AGtpbQBwdw==\r\n"));
	assert_int_equal(buf_len(&r.f.sent), 0);
	ipc_free(&r.authd);
	say(&r, "", "454 4.7.0");
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "454 4.7.0");
	say(&r, "NOOP\r\n", "250");
	rig_fini(&r);
}

static void
a_withdrawn_login_ends_the_session(void **state)
{
	struct rig r;
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH PLAIN AGtpbQBwdw==\r\n", "235");
	PROTO_SEND(r.authd, 0, AUTH_REVOKE, auth_revoke, .mailbox_id = 1);
	while (r.f.srv.n_sessions > 0 && clock_mono_ms() < until)
		fake_turn(&r.f);
	fake_settle(&r.f);
	assert_true(r.f.closed);
	assert_true(span_starts(buf_span(&r.f.sent), "421 4.7.0"));
	rig_fini(&r);
}

/* authd said yes, the client's last line is still to come: authd will not be
 * asked again, so this is the moment. */
static void
a_login_withdrawn_before_its_last_line_is_none(void **state)
{
	struct rig r;
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	(void)state;
	rig_init(&r, CONF);
	say(&r, "EHLO c.example\r\n", "250-");
	say(&r, "AUTH SCRAM-SHA-256\r\n", "334 ");
	say(&r, "c2NyYW0=\r\n", "334 dj14\r\n");
	PROTO_SEND(r.authd, 0, AUTH_REVOKE, auth_revoke, .mailbox_id = 1);
	while (r.f.srv.n_sessions > 0 && clock_mono_ms() < until)
		fake_turn(&r.f);
	fake_settle(&r.f);
	assert_true(r.f.closed);
	assert_true(span_starts(buf_span(&r.f.sent), "421 4.7.0"));
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_mailbox_is_refused_at_rcpt),
		cmocka_unit_test(the_declared_size_is_asked_for),
		cmocka_unit_test(the_true_size_is_settled),
		cmocka_unit_test(a_silent_deliver_holds_nobody_up),
		cmocka_unit_test(a_deliver_that_dies_holds_nobody_up),
		cmocka_unit_test(plain_logs_in),
		cmocka_unit_test(login_is_questioned),
		cmocka_unit_test(the_servers_last_word_comes_before_235),
		cmocka_unit_test(an_unconfirmed_login_is_none),
		cmocka_unit_test(an_exchange_can_be_given_up),
		cmocka_unit_test(an_authd_that_dies_is_454),
		cmocka_unit_test(a_withdrawn_login_ends_the_session),
		cmocka_unit_test(
		    a_login_withdrawn_before_its_last_line_is_none),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
