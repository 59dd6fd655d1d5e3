#include "imapd/t_imapd.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/testloop.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define WAIT_MS	60000
#define BYTEWISE_MAX 4096

static struct {
	struct service_env env;
	struct server *server;
	struct ipc *authd, *deliver;
	char dir[64];
	int store_dir;
	struct timer timer;
	bool late, bytewise;
	uint64_t quota_bytes, quota_messages, pool_messages;
	bool deliver_silent;
	unsigned room_asks, room_settles;
} t;

/* --- fakes ----------------------------------------------------------------------- */

static void
peer_gone(struct ipc *c, void *arg)
{
}

static int
auth_start(struct ipc *c, struct ipc_msg *m, void *arg)
{
	static const char right[] = "\0kim@a.example\0secret";
	struct msg_auth_start in;
	bool ok;

	if (!msg_auth_start_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (!in.has_initial) {
		PROTO_SEND(c, m->id, AUTH_CHALLENGE, auth_challenge,
		    .challenge = SPAN_LIT(""));
		return 0;
	}
	ok = span_eq(in.initial, span_of(right, sizeof(right) - 1));
	PROTO_SEND(c, m->id, AUTH_RESULT, auth_result,
	    .result = ok ? AUTH_OK : AUTH_BAD,
	    .mailbox_id = ok ? T_MAILBOX : 0,
	    .quota_bytes = t.quota_bytes, .quota_messages = t.quota_messages,
	    .user = SPAN_LIT("kim@a.example"), .ticket = SPAN_LIT("ticket"));
	return 0;
}

static int
auth_step(struct ipc *c, struct ipc_msg *m, void *arg)
{
	static const char right[] = "\0kim@a.example\0secret";
	struct msg_auth_step in;
	bool ok;

	if (!msg_auth_step_unpack(m->body, &in))
		return PS_ESYNTAX;
	ok = span_eq(in.response, span_of(right, sizeof(right) - 1));
	PROTO_SEND(c, m->id, AUTH_RESULT, auth_result,
	    .result = ok ? AUTH_OK : AUTH_BAD,
	    .mailbox_id = ok ? T_MAILBOX : 0,
	    .quota_bytes = t.quota_bytes, .quota_messages = t.quota_messages,
	    .user = SPAN_LIT("kim@a.example"), .final = SPAN_LIT("v=x"),
	    .ticket = SPAN_LIT("ticket"));
	return 0;
}

static int
auth_cancel(struct ipc *c, struct ipc_msg *m, void *arg)
{
	return 0;
}

static int
mbox_open(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_mbox_open in;
	struct err err;
	int fd;

	if (!msg_mbox_open_unpack(m->body, &in) ||
	    !span_is(in.ticket, "ticket"))
		return PS_ESYNTAX;
	if (account_home_open(t.store_dir, T_MAILBOX, true, &fd, &err) < 0)
		fail_msg("%s", err.why);
	PROTO_SEND_FDS(c, m->id, &fd, 1, MBOX_OPENED, mbox_opened,
	    .ok = 1, .mailbox_id = T_MAILBOX);
	close(fd);
	return 0;
}

static int
mbox_any(struct ipc *c, struct ipc_msg *m, void *arg)
{
	return 0;
}

/* deliver knows what the index says, as we do. */
static struct usage
usage_now(void)
{
	struct account *a;
	struct usage u = { 0 };
	struct err err;
	int fd;

	if (account_home_open(t.store_dir, T_MAILBOX, true, &fd, &err) < 0 ||
	    (a = account_open(fd, T_MAILBOX, &err)) == NULL ||
	    account_usage(a, &u, &err) < 0)
		fail_msg("%s", err.why);
	account_close(&a);
	return u;
}

static int
room_ask(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_quota_ask in;
	struct usage u = usage_now();

	if (!msg_quota_ask_unpack(m->body, &in) || !in.pooled)
		return PS_ESYNTAX;
	t.room_asks++;
	if (t.deliver_silent)
		return 0;
	PROTO_SEND(c, m->id, QUOTA_ANSWER, quota_answer,
	    .verdict = (in.limit_bytes > 0 &&
	    u.bytes + in.bytes > in.limit_bytes) || (in.limit_messages > 0 &&
	    u.messages + in.messages > in.limit_messages) ||
	    (t.pool_messages > 0 && u.messages + in.messages >
	    t.pool_messages) ? QUOTA_FULL : QUOTA_OK);
	return 0;
}

static int
room_settle(struct ipc *c, struct ipc_msg *m, void *arg)
{
	t.room_settles++;
	return 0;
}

static int
roots_ask(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_quota_roots_ask in;
	struct usage u = usage_now();
	struct buf out;

	if (!msg_quota_roots_ask_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (t.deliver_silent)
		return 0;
	buf_init(&out, 4096);
	entry_quota_root_pack(&out, &(struct entry_quota_root){
	    .kind = QUOTA_MAILBOX, .limit_bytes = in.limit_bytes,
	    .limit_messages = in.limit_messages, .bytes = u.bytes,
	    .messages = u.messages });
	if (t.pool_messages > 0)
		entry_quota_root_pack(&out, &(struct entry_quota_root){
		    .kind = QUOTA_ORGANISATION,
		    .name = SPAN_LIT("A & B"),
		    .limit_messages = t.pool_messages,
		    .messages = u.messages });
	PROTO_SEND(c, m->id, QUOTA_ROOTS, quota_roots,
	    .roots = buf_span(&out));
	buf_fini(&out);
	return 0;
}

static const struct ipc_handler authd_fake[] = {
	{ MSG_AUTH_START, auth_start, IPC_ANY_PHASE },
	{ MSG_AUTH_STEP, auth_step, IPC_ANY_PHASE },
	{ MSG_AUTH_CANCEL, auth_cancel, IPC_ANY_PHASE },
};
static const struct ipc_handler deliver_fake[] = {
	{ MSG_MBOX_OPEN, mbox_open, IPC_ANY_PHASE },
	{ MSG_MBOX_LEFT, mbox_any, IPC_ANY_PHASE },
	{ MSG_MBOX_WATCH, mbox_any, IPC_ANY_PHASE },
	{ MSG_MBOX_UNWATCH, mbox_any, IPC_ANY_PHASE },
	{ MSG_MBOX_CHANGED, mbox_any, IPC_ANY_PHASE },
	{ MSG_QUOTA_ASK, room_ask, IPC_ANY_PHASE },
	{ MSG_QUOTA_SETTLE, room_settle, IPC_ANY_PHASE },
	{ MSG_QUOTA_ROOTS_ASK, roots_ask, IPC_ANY_PHASE },
};

/* --- set-up ------------------------------------------------------------------------- */

static void
late_cb(void *arg)
{
	t.late = true;
	loop_stop(t.env.loop);
}

static const char conf_text[] =
    "myhostname = mail.a.example\n"
    "[service imap]\n"
    "protocol = imap\n"
    "listen = 127.0.0.1:143\n"
    "imap_plaintext_auth = yes\n"
    "quota_timeout = 3s\n";	/* imapd waits ten times that */

int
t_setup(void **state)
{
	struct buf complaints;
	struct err err;
	int pair[2];

	snprintf(t.dir, sizeof(t.dir), "t_imapd.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	t.store_dir = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.store_dir >= 0);
	t.env = (struct service_env){ .loop = loop_new(), .incarnation = 1 };
	t.env.count[ROLE_DELIVER] = t.env.count[ROLE_AUTHD] = 1;
	buf_init(&complaints, 4096);
	t.env.conf = conf_parse("t.conf", span_str(conf_text), &complaints);
	if (t.env.conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	t.server = server_new(&t.env, &err);
	assert_non_null(t.server);
	assert_int_equal(ipc_pair(pair, &err), 0);
	t.authd = ipc_new(t.env.loop, pair[0], "imapd", authd_fake,
	    ARRAY_LEN(authd_fake), peer_gone, NULL);
	server_peer(t.server, ROLE_AUTHD, 0, pair[1]);
	assert_int_equal(ipc_pair(pair, &err), 0);
	t.deliver = ipc_new(t.env.loop, pair[0], "imapd", deliver_fake,
	    ARRAY_LEN(deliver_fake), peer_gone, NULL);
	server_peer(t.server, ROLE_DELIVER, 0, pair[1]);
	timer_init(&t.timer, t.env.loop, late_cb, NULL);
	return 0;
}

int
t_setup_bytewise(void **state)
{
	t.bytewise = true;
	return t_setup(state);
}

static int
remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *where)
{
	return remove(path);
}

int
t_teardown(void **state)
{
	int i;

	for (i = 0; i < 2000 && (t.server->n_sessions > 0 ||
	    stream_finishing() > 0); i++)
		t_run_ms(5);
	assert_int_equal(t.server->n_sessions, 0);
	server_free(&t.server);
	ipc_free(&t.authd);
	ipc_free(&t.deliver);
	timer_clear(&t.timer);
	conf_unref(&t.env.conf);
	loop_free(&t.env.loop);
	close(t.store_dir);
	nftw(t.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	t.bytewise = false;
	return 0;
}

struct server *
t_server(void)
{
	return t.server;
}

void
t_run_ms(unsigned ms)
{
	timer_set_ms(&t.timer, ms);
	loop_run(t.env.loop);
}

/* --- clients --------------------------------------------------------------------------- */

struct client {
	int fd;
	struct io io;
	struct buf in, given;
	const char *prefix;
	bool ended;
	unsigned tag;
};

/* Is there a whole line that begins with the prefix? */
static bool
line_is_there(struct client *c)
{
	struct span rest = buf_span(&c->in), line;
	ptrdiff_t nl;

	while ((nl = span_chr(rest, '\n')) >= 0) {
		line = span_sub(rest, 0, (size_t)nl);
		if (span_starts(line, c->prefix))
			return true;
		rest = span_sub(rest, (size_t)nl + 1, rest.n);
	}
	return false;
}

static void
client_cb(int fd, int what, void *arg)
{
	struct client *c = arg;
	char chunk[65536];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		c->ended = true;
		io_want(&c->io, 0);
		loop_stop(t.env.loop);
		return;
	}
	buf_append(&c->in, chunk, (size_t)n);
	if (c->prefix != NULL && line_is_there(c))
		loop_stop(t.env.loop);
}

const char *
client_wait(struct client *c, const char *prefix)
{
	c->prefix = prefix;
	t.late = false;
	timer_set_ms(&t.timer, WAIT_MS);
	while (!line_is_there(c) && !c->ended && !t.late)
		loop_run(t.env.loop);
	timer_clear(&t.timer);
	c->prefix = NULL;
	if (t.late || c->ended)
		fail_msg("waiting for \"%s\": %s; got\n%s", prefix,
		    t.late ? "nothing came" : "closed", buf_cstr(&c->in));
	buf_clear(&c->given);
	buf_span_add(&c->given, buf_span(&c->in));
	buf_clear(&c->in);
	return buf_cstr(&c->given);
}

struct span
client_wait_span(struct client *c, const char *prefix)
{
	client_wait(c, prefix);
	return buf_span(&c->given);
}

const char *
client_wait_end(struct client *c)
{
	t.late = false;
	timer_set_ms(&t.timer, WAIT_MS);
	while (!c->ended && !t.late)
		loop_run(t.env.loop);
	timer_clear(&t.timer);
	assert_true(c->ended);
	return buf_cstr(&c->in);
}

struct client *
client_new(void)
{
	struct client *c = xcalloc(1, sizeof(*c));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, pair), 0);
	c->fd = pair[0];
	buf_init(&c->in, BUF_NO_CAP);
	buf_init(&c->given, BUF_NO_CAP);
	io_init(&c->io, t.env.loop, c->fd, client_cb, c);
	io_want(&c->io, IO_READ);
	session_new(t.server, pair[1], "imap");
	client_wait(c, "* OK ");
	return c;
}

struct client *
client_login(void)
{
	struct client *c = client_new();

	client_do(c, "LOGIN kim@a.example secret", "OK", "");
	return c;
}

void
client_free(struct client **c)
{
	io_clear(&(*c)->io);
	close((*c)->fd);
	buf_fini(&(*c)->in);
	buf_fini(&(*c)->given);
	free(*c);
	*c = NULL;
}

void
t_quota(uint64_t bytes, uint64_t messages)
{
	t.quota_bytes = bytes;
	t.quota_messages = messages;
}

void
t_pool(uint64_t messages)
{
	t.pool_messages = messages;
}

void
t_deliver_silent(bool on)
{
	t.deliver_silent = on;
}

void
t_deliver_dies(void)
{
	ipc_free(&t.deliver);
}

unsigned
t_reservations(void)
{
	testloop_ms(t.env.loop, 0);
	return t.room_asks - t.room_settles;
}

void
client_send_span(struct client *c, struct span text)
{
	ssize_t n;

	while (text.n > 0) {
		/* what is long is a literal: its bytes are all alike */
		bool slow = t.bytewise && text.n < BYTEWISE_MAX;

		n = write(c->fd, text.p, slow ? 1 : text.n);
		if (slow)
			t_run_ms(0);
		if (n < 0 && errno == EAGAIN) {
			t_run_ms(1);
			continue;
		}
		assert_true(n > 0);
		text = span_sub(text, (size_t)n, text.n);
	}
}

void
client_send(struct client *c, const char *text)
{
	client_send_span(c, span_str(text));
}

const char *
client_do(struct client *c, const char *command, const char *result,
    const char *want)
{
	char tag[16];
	char *line = xasprintf("t%u %s\r\n", ++c->tag, command);
	const char *all, *tagged;

	client_send(c, line);
	free(line);
	snprintf(tag, sizeof(tag), "t%u ", c->tag);
	all = client_wait(c, tag);
	tagged = strncmp(all, tag, strlen(tag)) == 0 ? all : NULL;
	if (tagged == NULL) {
		char *at = xasprintf("\r\n%s", tag);

		tagged = strstr(all, at);
		free(at);
		assert_non_null(tagged);
		tagged += 2;
	}
	if (want != NULL && (strlen(want) != (size_t)(tagged - all) ||
	    strncmp(all, want, strlen(want)) != 0))
		fail_msg("%s:\n%s\nwant\n%s", command, all, want);
	tagged += strlen(tag);
	if (strncmp(tagged, result, strlen(result)) != 0)
		fail_msg("%s:\n%s\nwant %s", command, all, result);
	return tagged;
}

void
client_append(struct client *c, const char *args, const char *message)
{
	struct buf text, line;
	const char *p;

	buf_init(&text, BUF_NO_CAP);
	buf_init(&line, BUF_NO_CAP);
	for (p = message; *p != '\0'; p++) {
		if (*p == '\n')
			buf_char(&text, '\r');
		buf_char(&text, *p);
	}
	buf_fmt(&line, "APPEND INBOX %s{%zu+}\r\n", args, buf_len(&text));
	buf_span_add(&line, buf_span(&text));
	client_do(c, buf_cstr(&line), "OK [APPENDUID ", NULL);
	buf_fini(&text);
	buf_fini(&line);
}
