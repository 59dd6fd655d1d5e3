/*
 * The program itself, as posternd would start it, with a PostgreSQL of our
 * own: logins, rehashing, and that changes end sessions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/testclient.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "db/testpg.h"
#include "proto/proto.h"
#include "proto/service.h"
#include "proto/ticket.h"

static struct testpg pg;
static struct loop *loop;
static struct ipc *control, *worker;
static const uint8_t key[32] = { 9, 9, 9 };
static pid_t pid;
static bool started, worker_gone;
static char status_json[2048];

/* the last answer */
static struct {
	unsigned challenges, results;
	struct buf challenge, final, ticket;
	struct msg_auth_result r;
	char user[300];
} got;

static uint64_t revoked[64];
static size_t n_revoked;

/* --- what the program sends --- */

static int
started_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	(void)m;
	(void)arg;
	started = true;
	return 0;
}

static int
failed_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_failed f;

	(void)c;
	(void)arg;
	if (msg_srv_failed_unpack(m->body, &f))
		fail_msg("authd: %.*s", SPAN_ARG(f.why));
	return 0;
}

static int
status_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_status s;

	(void)c;
	(void)arg;
	if (msg_srv_status_unpack(m->body, &s))
		(void)snprintf(status_json, sizeof(status_json), "%.*s",
		    SPAN_ARG(s.json));
	return 0;
}

static const struct ipc_handler control_handlers[] = {
	{ MSG_SRV_STARTED, started_cb, IPC_ANY_PHASE },
	{ MSG_SRV_FAILED, failed_cb, IPC_ANY_PHASE },
	{ MSG_SRV_STATUS, status_cb, IPC_ANY_PHASE },
};

static int
challenge_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_auth_challenge ch;

	(void)c;
	(void)arg;
	assert_true(msg_auth_challenge_unpack(m->body, &ch));
	buf_clear(&got.challenge);
	buf_span_add(&got.challenge, ch.challenge);
	got.challenges++;
	return 0;
}

static int
result_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	(void)arg;
	assert_true(msg_auth_result_unpack(m->body, &got.r));
	(void)snprintf(got.user, sizeof(got.user), "%.*s",
	    SPAN_ARG(got.r.user));
	buf_clear(&got.final);
	buf_span_add(&got.final, got.r.final);
	buf_clear(&got.ticket);
	buf_span_add(&got.ticket, got.r.ticket);
	got.results++;
	return 0;
}

static int
revoke_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_auth_revoke r;

	(void)c;
	(void)arg;
	assert_true(msg_auth_revoke_unpack(m->body, &r));
	assert_true(n_revoked < ARRAY_LEN(revoked));
	revoked[n_revoked++] = r.mailbox_id;
	return 0;
}

static const struct ipc_handler worker_handlers[] = {
	{ MSG_AUTH_CHALLENGE, challenge_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_RESULT, result_cb, IPC_ANY_PHASE },
	{ MSG_AUTH_REVOKE, revoke_cb, IPC_ANY_PHASE },
};

static void
closed_cb(struct ipc *c, void *arg)
{
	(void)c;
	*(bool *)arg = true;
}

/* --- waiting --- */

static bool
is_true(void *arg)
{
	return *(bool *)arg;
}

static bool
has_more(void *arg)
{
	return *(unsigned *)arg > 0;
}

static bool
was_revoked(void *arg)
{
	for (size_t i = 0; i < n_revoked; i++)
		if (revoked[i] == *(uint64_t *)arg)
			return true;
	return false;
}

/* --- starting it --- */

static void
worker_connect(void)
{
	int fd[2];

	worker_gone = false;
	assert_int_equal(ipc_pair(fd, NULL), 0);
	PROTO_SEND_FDS(control, 0, &fd[1], 1, SRV_PEER, srv_peer,
	    .role = ROLE_IMAPD, .index = 0);
	close(fd[1]);
	worker = ipc_new(loop, fd[0], "authd", worker_handlers,
	    ARRAY_LEN(worker_handlers), closed_cb, &worker_gone);
}

static void
program_exec(int fd)
{
	const char *top = getenv("top_builddir");
	char *path = xasprintf("%s/authd/authd", top == NULL ? "." : top);

	if (dup2(fd, 3) == -1)
		_exit(126);
	for (int i = 4; i < 256; i++)
		(void)close(i);
	execl(path, "authd", (char *)NULL);
	_exit(127);
}

static void
program_start(void)
{
	static bool control_gone;
	uint8_t counts[ROLE_COUNT * 4] = { 0 };
	char *config = xasprintf("database = %s\nmaillog_file = -\n"
	    "host_name_in_database = mx.example\n"
	    "scram_iterations = 4096\n", pg.url);
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), 0);
	if ((pid = fork()) == 0)
		program_exec(fd[1]);
	close(fd[1]);
	control = ipc_new(loop, fd[0], "control", control_handlers,
	    ARRAY_LEN(control_handlers), closed_cb, &control_gone);
	PROTO_SEND(control, 0, SRV_HELLO, srv_hello, .role = ROLE_AUTHD,
	    .incarnation = 1, .counts = span_of(counts, sizeof(counts)),
	    .key = span_of(key, sizeof(key)), .user = SPAN_LIT("nobody"));
	PROTO_SEND(control, 0, SRV_CONFIG, srv_config,
	    .file = SPAN_LIT("test"), .text = span_str(config));
	worker_connect();
	PROTO_SEND(control, 0, SRV_START, srv_start);
	assert_true(testpg_wait(loop, is_true, &started, TESTPG_PATIENCE));
	free(config);
}

static int
setup(void **state)
{
	(void)state;
	testpg_start(&pg);
	testpg_migrate(&pg);
	testpg_run(&pg, "SELECT host_add('mx.example');"
	    "SELECT domain_add('a.example', 'mailbox', NULL, NULL);"
	    "SELECT mailbox_add('kim@a.example', 'mx.example',"
	    " '{PLAIN}first', NULL, 7);"
	    "SELECT mailbox_add('old@a.example', 'mx.example',"
	    " '{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69', NULL, NULL)");
	loop = loop_new();
	buf_init(&got.challenge, BUF_NO_CAP);
	buf_init(&got.final, BUF_NO_CAP);
	buf_init(&got.ticket, BUF_NO_CAP);
	program_start();
	return 0;
}

static bool
has_ended(void *st)
{
	return waitpid(pid, st, WNOHANG) == pid;
}

static int
teardown(void **state)
{
	int st = 0;

	(void)state;
	PROTO_SEND(control, 0, SRV_STOP, srv_stop);
	assert_true(testpg_wait(loop, has_ended, &st, TESTPG_PATIENCE));
	ipc_free(&worker);
	ipc_free(&control);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	buf_fini(&got.challenge);
	buf_fini(&got.final);
	buf_fini(&got.ticket);
	loop_free(&loop);
	testpg_stop(&pg);
	return 0;
}

/* --- asking --- */

static uint64_t
mailbox_id(const char *local)
{
	char *sql = xasprintf("SELECT id FROM mailbox WHERE local_part = "
	    "'%s'", local);
	char *text = testpg_sql(&pg, sql);
	uint64_t id = 0;

	assert_true(span_u64(span_str(text), 1, UINT64_MAX, &id));
	free(text);
	free(sql);
	return id;
}

static enum auth_verdict
login_plain(const char *name, const char *password)
{
	struct buf m;

	buf_init(&m, 4096);
	buf_char(&m, '\0');
	buf_str(&m, name);
	buf_char(&m, '\0');
	buf_str(&m, password);
	got.results = 0;
	PROTO_SEND(worker, ipc_next_id(), AUTH_START, auth_start,
	    .service = SPAN_LIT("imap"), .mechanism = SPAN_LIT("PLAIN"),
	    .has_initial = 1, .initial = buf_span(&m),
	    .client_ip = SPAN_LIT("192.0.2.1"), .tls = 1);
	buf_fini(&m);
	assert_true(testpg_wait(loop, has_more, &got.results, TESTPG_PATIENCE));
	return (enum auth_verdict)got.r.result;
}

/* For when the database comes back. */
static void
login_until(const char *name, const char *password, enum auth_verdict want)
{
	int i;

	for (i = 0; i < 100 && login_plain(name, password) != want; i++)
		testpg_sleep(loop, 100);
	assert_int_equal(got.r.result, want);
}

static void
assert_revoked(uint64_t id)
{
	assert_true(testpg_wait(loop, was_revoked, &id, TESTPG_PATIENCE));
}

/* --- tests --- */

static void
test_plain_and_ticket(void **state)
{
	uint64_t id;

	(void)state;
	assert_int_equal(login_plain("Kim@A.example", "first"), AUTH_OK);
	assert_string_equal(got.user, "kim@a.example");
	assert_int_equal(got.r.mailbox_id, mailbox_id("kim"));
	assert_int_equal(ticket_check(key, buf_span(&got.ticket),
	    clock_wall_us(), &id, NULL), 0);
	assert_int_equal(id, mailbox_id("kim"));
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_BAD);
	assert_int_equal(login_plain("who@a.example", "first"), AUTH_BAD);
}

static bool
is_rehashed(void *arg)
{
	char *secret = testpg_sql(&pg, arg);
	bool yes = strncmp(secret, "{SCRAM-SHA-256}4096,", 20) == 0;

	free(secret);
	return yes;
}

static void
test_rehash_is_stored_and_revokes_nobody(void **state)
{
	static char sql[] = "SELECT c.secret FROM credential c JOIN mailbox m "
	    "ON m.id = c.mailbox_id WHERE m.local_part = 'old'";

	(void)state;
	n_revoked = 0;
	assert_int_equal(login_plain("old@a.example", "secret"), AUTH_OK);
	assert_true(testpg_wait(loop, is_rehashed, sql, TESTPG_PATIENCE));
	testpg_sleep(loop, 200);
	assert_int_equal(n_revoked, 0);
	assert_int_equal(login_plain("old@a.example", "secret"), AUTH_OK);
}

static void
test_scram_over_the_wire(void **state)
{
	struct scram_client c = { 0 };
	uint64_t id = ipc_next_id();
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	scram_client_first(&c, "n,,", "old@a.example", &text);
	got.challenges = got.results = 0;
	PROTO_SEND(worker, id, AUTH_START, auth_start,
	    .service = SPAN_LIT("smtp"),
	    .mechanism = SPAN_LIT("SCRAM-SHA-256"), .has_initial = 1,
	    .initial = buf_span(&text), .client_ip = SPAN_LIT("192.0.2.1"));
	assert_true(testpg_wait(loop, has_more, &got.challenges, TESTPG_PATIENCE));
	buf_clear(&text);
	assert_true(scram_client_final(&c, buf_span(&got.challenge),
	    SPAN_LIT("secret"), &text));
	PROTO_SEND(worker, id, AUTH_STEP, auth_step,
	    .response = buf_span(&text));
	assert_true(testpg_wait(loop, has_more, &got.results, TESTPG_PATIENCE));
	assert_int_equal(got.r.result, AUTH_OK);
	assert_true(scram_client_verify(&c, buf_span(&got.final)));
	assert_int_equal(buf_len(&got.ticket), 0);
	buf_fini(&text);
}

static void
test_a_new_password_ends_sessions(void **state)
{
	(void)state;
	assert_int_equal(login_plain("kim@a.example", "first"), AUTH_OK);
	n_revoked = 0;
	testpg_run(&pg, "SELECT mailbox_passwd('kim@a.example', "
	    "'{PLAIN}second')");
	assert_revoked(mailbox_id("kim"));
	assert_int_equal(n_revoked, 1);
	assert_int_equal(login_plain("kim@a.example", "first"), AUTH_BAD);
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_OK);
}

static void
test_disabling_ends_sessions(void **state)
{
	static const char *const statements[][2] = {
		{ "UPDATE mailbox SET state = 'disabled' WHERE local_part = "
		    "'kim'", "UPDATE mailbox SET state = 'active' WHERE "
		    "local_part = 'kim'" },
		{ "UPDATE domain SET active = false",
		    "UPDATE domain SET active = true" },
		{ "UPDATE organisation SET active = false",
		    "UPDATE organisation SET active = true" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		assert_int_equal(login_plain("kim@a.example", "second"),
		    AUTH_OK);
		n_revoked = 0;
		testpg_run(&pg, statements[i][0]);
		assert_revoked(mailbox_id("kim"));
		assert_int_equal(login_plain("kim@a.example", "second"),
		    AUTH_BAD);
		n_revoked = 0;
		testpg_run(&pg, statements[i][1]);
		assert_revoked(mailbox_id("kim"));
	}
}

static void
test_other_changes_end_nothing(void **state)
{
	(void)state;
	n_revoked = 0;
	testpg_run(&pg, "UPDATE mailbox SET quota_bytes = 5, full_name = 'K'");
	testpg_run(&pg, "SELECT credential_add('kim@a.example', 'phone', "
	    "'{PLAIN}phone', '{imap}')");
	testpg_sleep(loop, 300);
	assert_int_equal(n_revoked, 0);
	assert_int_equal(login_plain("kim@a.example", "phone"), AUTH_OK);
	testpg_run(&pg, "SELECT credential_del('kim@a.example', 'phone')");
	assert_revoked(mailbox_id("kim"));
	assert_int_equal(login_plain("kim@a.example", "phone"), AUTH_BAD);
}

static void
test_remembered_logins_survive_a_database_restart(void **state)
{
	(void)state;
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_OK);
	testpg_do(&pg, "stop immediate");
	testpg_sleep(loop, 100);
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_OK);
	testpg_do(&pg, "start");
	login_until("old@a.example", "wrong", AUTH_BAD);
	login_until("old@a.example", "secret", AUTH_OK);
}

static bool
is_away(void *arg)
{
	char *n = testpg_sql(&pg, "SELECT count(*) FROM pg_stat_activity "
	    "WHERE usename = 'postern_auth'");
	bool yes = strcmp(n, "0") == 0;

	(void)arg;
	free(n);
	return yes;
}

/* authd can't connect while the password is changed. */
static void
test_a_change_while_the_database_was_away_ends_sessions(void **state)
{
	(void)state;
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_OK);
	testpg_run(&pg, "ALTER ROLE postern_auth NOLOGIN");
	testpg_run(&pg, "SELECT pg_terminate_backend(pid) FROM "
	    "pg_stat_activity WHERE usename = 'postern_auth'");
	assert_true(testpg_wait(loop, is_away, NULL, TESTPG_PATIENCE));
	testpg_sleep(loop, 300);
	n_revoked = 0;
	testpg_run(&pg, "SELECT mailbox_passwd('kim@a.example', "
	    "'{PLAIN}third')");
	testpg_sleep(loop, 300);
	assert_int_equal(n_revoked, 0);
	testpg_run(&pg, "ALTER ROLE postern_auth LOGIN");
	testpg_sleep(loop, 1);
	{
		uint64_t id = mailbox_id("kim");

		assert_true(testpg_wait(loop, was_revoked, &id, TESTPG_PATIENCE));
	}
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_BAD);
	testpg_run(&pg, "SELECT mailbox_passwd('kim@a.example', "
	    "'{PLAIN}second')");
	assert_revoked(mailbox_id("kim"));
}

/* Asks anew with each answer that does not say so. */
static bool
has_no_exchanges(void *arg)
{
	bool yes = strstr(status_json, "\"exchanges\": 0") != NULL;

	(void)arg;
	if (!yes && status_json[0] != '\0') {
		status_json[0] = '\0';
		PROTO_SEND(control, 5, SRV_STATUS_ASK, srv_status_ask);
	}
	return yes;
}

static void
test_a_worker_that_dies_takes_its_exchanges_along(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		PROTO_SEND(worker, ipc_next_id(), AUTH_START, auth_start,
		    .service = SPAN_LIT("imap"),
		    .mechanism = i % 2 ? SPAN_LIT("LOGIN") :
		    SPAN_LIT("PLAIN"), .has_initial = (uint8_t)(i % 3 == 0),
		    .initial = SPAN_LIT("\0kim@a.example\0guess"),
		    .client_ip = SPAN_LIT("192.0.2.1"));
	testpg_sleep(loop, 1);
	ipc_free(&worker);
	worker_connect();
	assert_int_equal(login_plain("kim@a.example", "second"), AUTH_OK);
	PROTO_SEND(control, 5, SRV_STATUS_ASK, srv_status_ask);
	assert_true(testpg_wait(loop, has_no_exchanges, NULL,
	    TESTPG_PATIENCE));
	assert_non_null(strstr(status_json, "\"from_cache\": "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_and_ticket),
		cmocka_unit_test(test_rehash_is_stored_and_revokes_nobody),
		cmocka_unit_test(test_scram_over_the_wire),
		cmocka_unit_test(test_a_new_password_ends_sessions),
		cmocka_unit_test(test_disabling_ends_sessions),
		cmocka_unit_test(test_other_changes_end_nothing),
		cmocka_unit_test(
		    test_remembered_logins_survive_a_database_restart),
		cmocka_unit_test(
		    test_a_change_while_the_database_was_away_ends_sessions),
		cmocka_unit_test(
		    test_a_worker_that_dies_takes_its_exchanges_along),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
