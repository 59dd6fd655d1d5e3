/*
 * Thousands of sessions that come and go while others walk over them, and
 * the filters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "live/live.h"
#include "proto/proto.h"

#define SESSIONS	5000

struct session {
	struct live_link live;
	char id[16], ip[32], user[32];
	bool there;
};

static struct loop *loop;
static struct live *live;
static struct session sessions[SESSIONS];
static unsigned rows, ends, exit_code, described, kicks;
static char last_row[1024];
static void (*between)(void);	/* when a row has come */

static void
facts(struct live_link *l, struct live_facts *out)
{
	struct session *s = CONTAINER_OF(l, struct session, live);

	described++;
	assert_true(s->there);
	*out = (struct live_facts){ .id = s->id, .service = "imap",
	    .ip = s->ip, .user = s->user, .tls = "TLSv1.3", .state = "IDLE",
	    .mailbox = SPAN_LIT("INBOX \"\x01\xff") };
}

static void
leave(struct session *s)
{
	assert_true(s->there);
	s->there = false;
	live_leave(live, &s->live);
	memset(&s->live, 0xee, sizeof(s->live));
}

static void
kick(struct live_link *l)
{
	kicks++;
	leave(CONTAINER_OF(l, struct session, live));
}

static const struct live_ops ops = { facts, kick };

static void
enter(unsigned i)
{
	struct session *s = &sessions[i];

	snprintf(s->id, sizeof(s->id), "id%u", i);
	snprintf(s->ip, sizeof(s->ip), "10.0.%u.%u", i / 200, i % 200);
	snprintf(s->user, sizeof(s->user), "u%u@%c.example", i % 100,
	    i % 2 ? 'a' : 'b');
	s->there = true;
	live_enter(live, &s->live);
}

static int
row_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_ctl_row in;

	assert_true(msg_ctl_row_unpack(m->body, &in));
	assert_true(json_is_valid(in.json));
	snprintf(last_row, sizeof(last_row), "%.*s", SPAN_ARG(in.json));
	rows++;
	if (between != NULL)
		between();
	return 0;
}

static int
end_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_ctl_end in;

	assert_true(msg_ctl_end_unpack(m->body, &in));
	exit_code = in.exit;
	ends++;
	loop_stop(loop);
	return 0;
}

static void
closed_cb(struct ipc *c, void *arg)
{
	loop_stop(loop);
}

static const struct ipc_handler handlers[] = {
	{ MSG_CTL_ROW, row_cb, IPC_ANY_PHASE },
	{ MSG_CTL_END, end_cb, IPC_ANY_PHASE },
};

static struct ipc *
connected(void)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), 0);
	live_control(live, fd[0]);
	return ipc_new(loop, fd[1], "test", handlers, ARRAY_LEN(handlers),
	    closed_cb, NULL);
}

static void
ask(const char *verb, const char *word)
{
	struct ipc *c = connected();
	struct buf args;

	rows = ends = described = kicks = 0;
	exit_code = 999;
	buf_init(&args, 4096);
	if (word != NULL)
		entry_ctl_arg_pack(&args,
		    &(struct entry_ctl_arg){ .value = span_str(word) });
	PROTO_SEND(c, 7, CTL_REQUEST, ctl_request, .verb = span_str(verb),
	    .args = buf_span(&args));
	buf_fini(&args);
	loop_run(loop);
	ipc_free(&c);
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	live = live_new(loop, "imapd/3", &ops);
	between = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		if (sessions[i].there)
			leave(&sessions[i]);
	live_free(&live);
	loop_free(&loop);
	return 0;
}

static void
test_a_row(void **state)
{
	(void)state;
	enter(5);
	ask("session list", NULL);
	assert_int_equal(rows, 1);
	assert_int_equal(exit_code, EX_OK);
	assert_non_null(strstr(last_row, "{\"id\": \"id5\", \"service\": "
	    "\"imap\", \"process\": \"imapd/3\", \"ip\": \"10.0.0.5\", "
	    "\"user\": \"u5@a.example\", \"since\": \"20"));
	assert_non_null(strstr(last_row, "\"idle_s\": 0, \"tls\": "
	    "\"TLSv1.3\", \"state\": \"IDLE\", \"mailbox\": \"INBOX "));
}

static void
test_filters(void **state)
{
	static const struct {
		const char *word;
		unsigned rows, exit;
	} t[] = {
		{ "user=u7@a.example", 50, EX_OK },
		{ "user=U7@A.Example", 50, EX_OK },
		{ "user=@b.example", 2500, EX_OK },
		{ "user=@example", 0, EX_OK },
		{ "user=u7", 0, EX_OK },
		{ "user=", 0, EX_OK },
		{ "ip=10.0.1.1", 1, EX_OK },
		{ "ip=10.0.1.0/24", 200, EX_OK },
		{ "ip=10.0.1", 0, EX_USAGE },
		{ "ip=", 0, EX_USAGE },
		{ "service=imap", 5000, EX_OK },
		{ "service=smtp", 0, EX_OK },
		{ "id=id17", 1, EX_OK },
		{ "id=ID17", 0, EX_OK },
		{ "any=id17", 1, EX_OK },
		{ "any=u7@a.example", 50, EX_OK },
		{ "any=10.0.2.0/24", 200, EX_OK },
		{ "any=nobody", 0, EX_OK },
		{ "colour=red", 0, EX_USAGE },
		{ "=", 0, EX_USAGE },
		{ "", 0, EX_USAGE },
		{ "user", 0, EX_USAGE },
	};

	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		enter(i);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ask("session list", t[i].word);
		if (rows != t[i].rows || exit_code != t[i].exit)
			fail_msg("%s: %u rows, %u", t[i].word, rows,
			    exit_code);
	}
}

static unsigned at;

/* Each row takes a session away, the one that is next among them. */
static void
some_leave(void)
{
	unsigned victim = (at += 7) % SESSIONS;

	if (sessions[victim].there)
		leave(&sessions[victim]);
	for (victim = 0; victim < SESSIONS; victim++)
		if (sessions[victim].there) {
			leave(&sessions[victim]);
			return;
		}
}

static void
test_sessions_that_leave_in_the_middle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		enter(i);
	at = 0;
	between = some_leave;
	ask("session list", NULL);
	assert_int_equal(ends, 1);
	assert_in_range(rows, 1000, SESSIONS);
}

static void
test_kicking(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		enter(i);
	ask("session kick", "any=u7@a.example");
	assert_int_equal(kicks, 50);
	assert_string_equal(last_row, "{\"kicked\": 50}");
	ask("session kick", "any=u7@a.example");
	assert_string_equal(last_row, "{\"kicked\": 0}");
	ask("session kick", NULL);
	assert_int_equal(exit_code, EX_USAGE);
	assert_int_equal(kicks, 0);
	ask("session kick", "any=10.0.0.0/8");
	assert_int_equal(kicks, 4950);
}

static void
test_words_that_make_no_sense(void **state)
{
	(void)state;
	enter(1);
	ask("session eat", NULL);
	assert_int_equal(exit_code, EX_USAGE);
	ask("", NULL);
	assert_int_equal(exit_code, EX_USAGE);
}

/* Who goes away in the middle takes his walk along. */
static void
test_a_cli_that_goes_away(void **state)
{
	struct ipc *c;

	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		enter(i);
	for (unsigned i = 0; i < 20; i++) {
		c = connected();
		PROTO_SEND(c, 7, CTL_REQUEST, ctl_request,
		    .verb = SPAN_LIT("session list"));
		between = NULL;
		ipc_free(&c);
	}
	ask("session list", NULL);
	assert_int_equal(rows, SESSIONS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_a_row),
		T(test_filters),
		T(test_sessions_that_leave_in_the_middle),
		T(test_kicking),
		T(test_words_that_make_no_sense),
		T(test_a_cli_that_goes_away),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
