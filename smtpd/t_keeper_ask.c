/*
 * Questions to gatekeeper over a real wire with the real gatekeeper's end:
 * answered, told, cancelled; and what comes of silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/keeper_serve.h"
#include "smtpd/server.h"

#define PATIENCE_MS	30000

struct rig {
	struct server srv;
	struct loop *l;
	struct keeper *k;
	struct keeper_server *far;
	int silent_fd;			/* the far end of a gatekeeper that
					 * sleeps; -1: none */
	bool closed;
	unsigned heard;
	char body[32];			/* the last that gatekeeper heard */
	unsigned answers, none;
	char answer[32];
};

static const struct ipc_handler from_keeper[] = {
	{ MSG_KEEPER_ANSWER, keeper_answer_message_cb, IPC_ANY_PHASE },
};

static int
subject(struct span body, struct buf *answer, void *arg)
{
	struct rig *r = arg;

	r->heard++;
	(void)snprintf(r->body, sizeof(r->body), "%.*s", SPAN_ARG(body));
	if (span_is(body, "nonsense"))
		return PS_ESYNTAX;
	buf_fmt(answer, "re: %.*s", SPAN_ARG(body));
	return 0;
}

static void
answer_cb(struct span body, void *arg)
{
	struct rig *r = arg;

	r->answers++;
	if (body.p == NULL)
		r->none++;
	else
		(void)snprintf(r->answer, sizeof(r->answer), "%.*s",
		    SPAN_ARG(body));
}

static void
closed_cb(struct ipc *c, void *arg)
{
	struct rig *r = arg;

	r->closed = true;
	ipc_free(&r->srv.keeper);
}

static void
rig_init(struct rig *r, bool silent)
{
	struct err err;
	int fd[2];

	memset(r, 0, sizeof(*r));
	r->silent_fd = -1;
	r->l = loop_new();
	server_init(&r->srv, r->l);
	r->srv.keeper_timeout_ms = silent ? 250 : PATIENCE_MS;
	r->k = keeper_new(10, 1000);
	r->far = keeper_server_new(r->l, r->k);
	keeper_server_subject(r->far, KEEPER_GREYLIST, subject, r);
	assert_int_equal(ipc_pair(fd, &err), 0);
	r->srv.keeper = ipc_new(r->l, fd[0], "gatekeeper", from_keeper,
	    ARRAY_LEN(from_keeper), closed_cb, r);
	if (silent)
		r->silent_fd = fd[1];
	else
		keeper_server_peer(r->far, 0, fd[1]);
}

static void
rig_fini(struct rig *r)
{
	ipc_free(&r->srv.keeper);
	keeper_server_free(&r->far);
	keeper_free(&r->k);
	server_fini(&r->srv);
	if (r->silent_fd != -1)
		(void)close(r->silent_fd);
	loop_free(&r->l);
}

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

static void
turn(struct rig *r)
{
	struct timer t;

	timer_init(&t, r->l, stop_cb, r->l);
	timer_set_ms(&t, 2);
	loop_run(r->l);
	timer_clear(&t);
}

static bool
wait_for(struct rig *r, const unsigned *what, unsigned n)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (*what < n && clock_mono_ms() < until)
		turn(r);
	return *what >= n;
}

static struct keeper_ask *
ask(struct rig *r, const char *text)
{
	return keeper_ask(&r->srv, KEEPER_GREYLIST, span_str(text),
	    answer_cb, r);
}

static void
a_question_has_its_answer(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, false);
	assert_non_null(ask(&r, "one"));
	assert_int_equal(r.answers, 0);		/* never from inside */
	assert_true(wait_for(&r, &r.answers, 1));
	assert_string_equal(r.answer, "re: one");
	assert_non_null(ask(&r, ""));		/* empty, but an answer */
	assert_true(wait_for(&r, &r.answers, 2));
	assert_string_equal(r.answer, "re: ");
	assert_int_equal(r.none, 0);
	rig_fini(&r);
}

static void
what_is_told_has_none(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, false);
	keeper_tell(&r.srv, KEEPER_GREYLIST, SPAN_LIT("news"));
	assert_true(wait_for(&r, &r.heard, 1));
	assert_string_equal(r.body, "news");
	assert_non_null(ask(&r, "two"));
	assert_true(wait_for(&r, &r.answers, 1));
	assert_string_equal(r.answer, "re: two");
	assert_int_equal(r.heard, 2);
	rig_fini(&r);
}

static void
what_is_cancelled_is_not_told(void **state)
{
	struct keeper_ask *a;
	struct rig r;

	(void)state;
	rig_init(&r, false);
	a = ask(&r, "one");
	keeper_ask_cancel(&a);
	assert_null(a);
	keeper_ask_cancel(&a);
	assert_non_null(ask(&r, "two"));
	assert_true(wait_for(&r, &r.answers, 1));
	assert_string_equal(r.answer, "re: two");
	assert_int_equal(r.heard, 2);
	rig_fini(&r);
}

/* Once; then nobody waits again, and a successor is asked at once. */
static void
silence_is_waited_for_once(void **state)
{
	uint64_t before = clock_mono_ms();
	struct err err;
	struct rig r;
	int fd[2];

	(void)state;
	rig_init(&r, true);
	assert_non_null(ask(&r, "one"));
	assert_non_null(ask(&r, "two"));
	assert_true(wait_for(&r, &r.answers, 2));
	assert_int_equal(r.none, 2);
	assert_true(clock_mono_ms() - before >= r.srv.keeper_timeout_ms);
	r.srv.keeper_mute_ms += 600000;		/* it stays so */
	assert_null(ask(&r, "three"));

	ipc_free(&r.srv.keeper);
	assert_int_equal(ipc_pair(fd, &err), 0);
	r.srv.n_keepers++;
	r.srv.keeper_mute_ms = 0;
	r.srv.keeper_timeout_ms = PATIENCE_MS;
	r.srv.keeper = ipc_new(r.l, fd[0], "gatekeeper", from_keeper,
	    ARRAY_LEN(from_keeper), closed_cb, &r);
	keeper_server_peer(r.far, 0, fd[1]);
	assert_non_null(ask(&r, "four"));
	assert_true(wait_for(&r, &r.answers, 3));
	assert_string_equal(r.answer, "re: four");
	rig_fini(&r);
}

/* Neither a shorter gatekeeper_timeout nor the end of gatekeeper finds anybody
 * waiting as long as was meant when he asked. */
static void
who_waits_can_be_hurried(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, true);
	r.srv.keeper_timeout_ms = 600 * 1000;
	assert_non_null(ask(&r, "one"));
	keeper_asks_hurry(&r.srv, 50);
	assert_true(wait_for(&r, &r.none, 1));

	r.srv.keeper_mute_ms = 0;
	assert_non_null(ask(&r, "two"));
	assert_non_null(ask(&r, "three"));
	keeper_asks_hurry(&r.srv, 0);
	assert_int_equal(r.none, 1);		/* not inside the call */
	assert_true(wait_for(&r, &r.none, 3));

	/* the timer of those that were answered holds up nobody */
	r.srv.keeper_mute_ms = 0;
	keeper_asks_hurry(&r.srv, r.srv.keeper_timeout_ms = 50);
	assert_non_null(ask(&r, "four"));
	assert_true(wait_for(&r, &r.none, 4));
	rig_fini(&r);
}

static void
without_gatekeeper_nobody_is_asked(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, false);
	assert_non_null(ask(&r, "one"));
	ipc_free(&r.srv.keeper);
	assert_null(ask(&r, "two"));
	keeper_tell(&r.srv, KEEPER_GREYLIST, SPAN_LIT("news"));
	keeper_asks_hurry(&r.srv, 0);		/* as peers.c does */
	assert_true(wait_for(&r, &r.none, 1));	/* "one" went with it */
	rig_fini(&r);
}

static void
hostile_questions_end_the_wire(void **state)
{
	static const struct {
		const char *name;
		uint8_t subject;
		const char *body;
	} rows[] = {
		{ "no such subject", KEEPER_SUBJECTS, "one" },
		{ "a body that its subject calls wrong", KEEPER_GREYLIST,
		  "nonsense" },
	};
	struct rig r;
	size_t i;
	uint64_t until;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].name);
		rig_init(&r, false);
		PROTO_SEND(r.srv.keeper, 1, KEEPER_ASK, keeper_ask,
		    .subject = rows[i].subject, .ask = 1,
		    .body = span_str(rows[i].body));
		until = clock_mono_ms() + PATIENCE_MS;
		while (!r.closed && clock_mono_ms() < until)
			turn(&r);
		assert_true(r.closed);
		assert_int_equal(keeper_server_peers(r.far), 0);
		rig_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_has_its_answer),
		cmocka_unit_test(what_is_told_has_none),
		cmocka_unit_test(what_is_cancelled_is_not_told),
		cmocka_unit_test(silence_is_waited_for_once),
		cmocka_unit_test(who_waits_can_be_hurried),
		cmocka_unit_test(without_gatekeeper_nobody_is_asked),
		cmocka_unit_test(hostile_questions_end_the_wire),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
