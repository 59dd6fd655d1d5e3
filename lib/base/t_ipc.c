#include "base/ipc.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/testloop.h"

enum { ASK = 1, FILES = 2, LATE = 3, BAD = 4, BIG = 5, BYE = 6 };

static struct loop *l;
static struct ipc *a, *b;
static int raw;			/* the other end of b, when a is not used */

static unsigned asked, big, closed_a, closed_b;
static uint64_t last_id;
static char text[256];
static int got_fd[IPC_FDS_MAX];
static unsigned got_fds;

static int
ask_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	asked++;
	last_id = m->id;
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(m->body));
	return 0;
}

static int
files_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	unsigned i;

	/* Keeps all but the last, which ipc closes. */
	for (i = 0; i + 1 < m->nfds; i++) {
		got_fd[got_fds++] = m->fd[i];
		m->fd[i] = -1;
	}
	return ask_cb(c, m, arg);
}

static int
bad_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	return PS_ESYNTAX;
}

static int
big_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	size_t i;

	assert_int_equal(m->body.n, IPC_BODY_MAX);
	for (i = 0; i < m->body.n; i += 4099)
		assert_int_equal((unsigned char)m->body.p[i], i & 0xff);
	big++;
	return 0;
}

static int
bye_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	ipc_send(c, ASK, m->id, SPAN_LIT("bye"));
	ipc_free(&b);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ ASK, ask_cb, IPC_ANY_PHASE },
	{ FILES, files_cb, IPC_ANY_PHASE },
	{ LATE, ask_cb, 2 },
	{ BAD, bad_cb, IPC_ANY_PHASE },
	{ BIG, big_cb, IPC_ANY_PHASE },
	{ BYE, bye_cb, IPC_ANY_PHASE }
};

static void
closed_cb(struct ipc *c, void *arg)
{
	if (c == a) {
		closed_a++;
		ipc_free(&a);
	} else {
		closed_b++;
		ipc_free(&b);
	}
	loop_stop(l);
}

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static int
setup(void **state)
{
	int fd[2];
	struct err err;

	log_tap(quiet, NULL);
	asked = big = closed_a = closed_b = got_fds = 0;
	last_id = 0;
	text[0] = '\0';
	l = loop_new();
	if (ipc_pair(fd, &err) != 0)
		return -1;
	raw = fd[0];
	a = NULL;
	b = ipc_new(l, fd[1], "b", handlers, ARRAY_LEN(handlers), closed_cb,
	    NULL);
	return 0;
}

static int
setup_both(void **state)
{
	if (setup(state) != 0)
		return -1;
	a = ipc_new(l, raw, "a", handlers, ARRAY_LEN(handlers), closed_cb,
	    NULL);
	return 0;
}

static int
teardown(void **state)
{
	if (a == NULL && raw != -1)
		close(raw);
	ipc_free(&a);
	ipc_free(&b);
	while (got_fds > 0)
		close(got_fd[--got_fds]);
	loop_free(&l);
	log_tap(NULL, NULL);
	return 0;
}

static void
run_ms(uint64_t ms)
{
	testloop_ms(l, ms);
}

static void
frame(struct buf *out, uint16_t type, uint64_t id, unsigned nfds,
    struct span body)
{
	pack_u32(out, (uint32_t)body.n);
	pack_u16(out, type);
	pack_u8(out, (uint8_t)nfds);
	pack_u8(out, 0);
	pack_u64(out, id);
	buf_span_add(out, body);
}

static void
raw_write(const void *p, size_t n)
{
	assert_int_equal(send(raw, p, n, MSG_NOSIGNAL), n);
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

/* --- messages --- */

static void
messages_arrive_with_type_id_and_body(void **state)
{
	ipc_send(a, ASK, 42, SPAN_LIT("hello"));
	assert_int_equal(asked, 0);
	assert_int_not_equal(ipc_backlog(a), 0);
	run_ms(50);
	assert_int_equal(asked, 1);
	assert_true(last_id == 42);
	assert_string_equal(text, "hello");
	assert_int_equal(ipc_backlog(a), 0);
	ipc_send(b, ASK, UINT64_MAX, SPAN_NONE);
	ipc_send(b, ASK, UINT64_MAX, SPAN_NONE);
	run_ms(50);
	assert_int_equal(asked, 3);
	assert_true(last_id == UINT64_MAX);
	assert_string_equal(text, "");
	assert_string_equal(ipc_name(a), "a");
}

static void
whole_and_byte_by_byte_are_the_same(void **state)
{
	struct buf out;
	size_t i;

	buf_init(&out, 1000);
	frame(&out, ASK, 7, 0, SPAN_LIT("first"));
	frame(&out, ASK, 8, 0, SPAN_LIT(""));
	frame(&out, ASK, 9, 0, SPAN_LIT("third"));
	raw_write(buf_data(&out), buf_len(&out));
	run_ms(20);
	assert_int_equal(asked, 3);
	for (i = 0; i < buf_len(&out); i++) {
		raw_write(buf_data(&out) + i, 1);
		run_ms(1);
	}
	run_ms(20);
	assert_int_equal(asked, 6);
	assert_true(last_id == 9);
	assert_string_equal(text, "third");
	buf_fini(&out);
}

static void
the_largest_message_fits(void **state)
{
	char *body = malloc(IPC_BODY_MAX);
	unsigned i;

	for (i = 0; i < IPC_BODY_MAX; i++)
		body[i] = (char)(i & 0xff);
	for (i = 0; i < 5; i++)
		ipc_send(a, BIG, i, span_of(body, IPC_BODY_MAX));
	for (i = 0; i < 100 && big < 5; i++)
		run_ms(20);
	assert_int_equal(big, 5);
	free(body);
}

/* --- descriptors --- */

static void
assert_same_file(int fd, int want)
{
	struct stat x, y;

	assert_int_equal(fstat(fd, &x), 0);
	assert_int_equal(fstat(want, &y), 0);
	assert_true(x.st_ino == y.st_ino && x.st_dev == y.st_dev);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
descriptors_go_with_their_own_message(void **state)
{
	int p[2], q[2];
	unsigned before;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	before = open_descriptors();
	ipc_send(a, ASK, 1, SPAN_LIT("none"));
	ipc_send_fds(a, FILES, 2, SPAN_LIT("two"), (int[]){ p[0], q[0] }, 2);
	ipc_send(a, ASK, 3, SPAN_LIT("none"));
	ipc_send_fds(a, FILES, 4, SPAN_LIT("3"),
	    (int[]){ q[1], p[1], p[0] }, 3);
	run_ms(50);
	assert_int_equal(asked, 4);
	assert_int_equal(got_fds, 3);
	assert_same_file(got_fd[0], p[0]);
	assert_same_file(got_fd[1], q[1]);
	assert_same_file(got_fd[2], p[1]);
	/* Those not kept were closed, as were the duplicates for sending. */
	assert_int_equal(open_descriptors(), before + 3);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

static void
send_fd_with(const void *p, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char mem[CMSG_SPACE(sizeof(int))];
	} control = { .mem = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control.mem,
	    .msg_controllen = sizeof(control.mem) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	assert_int_equal(sendmsg(raw, &mh, 0), n);
}

static void
descriptors_arrive_byte_by_byte_too(void **state)
{
	struct buf out;
	int p[2];
	size_t i;

	assert_int_equal(pipe(p), 0);
	buf_init(&out, 1000);
	frame(&out, FILES, 5, 2, SPAN_LIT("x"));
	send_fd_with(buf_data(&out), 1, p[0]);
	run_ms(2);
	send_fd_with(buf_data(&out) + 1, 1, p[1]);
	for (i = 2; i < buf_len(&out); i++) {
		run_ms(1);
		raw_write(buf_data(&out) + i, 1);
	}
	run_ms(20);
	assert_int_equal(got_fds, 1);
	assert_same_file(got_fd[0], p[0]);
	buf_fini(&out);
	close(p[0]);
	close(p[1]);
}

static void
missing_descriptors_end_the_connection(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	frame(&out, FILES, 5, 2, SPAN_LIT("x"));
	raw_write(buf_data(&out), buf_len(&out));
	run_ms(1000);
	assert_int_equal(closed_b, 1);
	assert_int_equal(asked, 0);
	buf_fini(&out);
}

static void
a_flood_of_descriptors_ends_the_connection(void **state)
{
	unsigned i, before = open_descriptors();

	/* Frames that claim none, each with one: they must not pile up. */
	for (i = 0; i < 1000 && closed_b == 0; i++) {
		struct buf out;
		struct iovec iov;

		buf_init(&out, 100);
		frame(&out, ASK, i, 0, SPAN_NONE);
		iov.iov_base = buf_data(&out);
		iov.iov_len = buf_len(&out);
		send_fd_with(iov.iov_base, iov.iov_len, 0);
		buf_fini(&out);
		run_ms(1);
	}
	run_ms(10);
	assert_int_equal(closed_b, 1);
	assert_in_range(open_descriptors(), before - 2, before);
}

/* --- misbehaviour --- */

static const struct {
	const char *name;
	uint32_t length;
	uint16_t type;
	uint8_t nfds, pad;
} malformed[] = {
	{ "a body over the cap", IPC_BODY_MAX + 1, ASK, 0, 0 },
	{ "a length of all ones", UINT32_MAX, ASK, 0, 0 },
	{ "too many descriptors", 0, ASK, IPC_FDS_MAX + 1, 0 },
	{ "a byte that must be zero", 0, ASK, 0, 1 },
	{ "a type that is not in the table", 0, 999, 0, 0 },
	{ "a type that is not for now", 0, LATE, 0, 0 },
	{ "a message that its handler refuses", 0, BAD, 0, 0 }
};

static void
misbehaviour_ends_the_connection(void **state)
{
	struct buf out;
	size_t i;

	for (i = 0; i < ARRAY_LEN(malformed); i++) {
		if (i > 0)
			assert_int_equal(setup(state), 0);
		buf_init(&out, 1000);
		pack_u32(&out, malformed[i].length);
		pack_u16(&out, malformed[i].type);
		pack_u8(&out, malformed[i].nfds);
		pack_u8(&out, malformed[i].pad);
		pack_u64(&out, 1);
		frame(&out, ASK, 2, 0, SPAN_LIT("after"));
		raw_write(buf_data(&out), buf_len(&out));
		run_ms(2000);
		if (closed_b != 1 || asked != 0)
			fail_msg("%s: closed %u, handled %u",
			    malformed[i].name, closed_b, asked);
		buf_fini(&out);
		if (i + 1 < ARRAY_LEN(malformed))
			(void)teardown(state);
	}
}

static void
the_phase_decides_what_is_allowed(void **state)
{
	ipc_phase_set(b, 2);
	ipc_send(a, LATE, 1, SPAN_LIT("now"));
	run_ms(50);
	assert_int_equal(asked, 1);
	ipc_phase_set(b, 1);
	ipc_send(a, LATE, 1, SPAN_LIT("too late"));
	run_ms(1000);
	assert_int_equal(asked, 1);
	assert_int_equal(closed_b, 1);
}

static void
the_end_is_told_once_and_after_what_came_before(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	frame(&out, ASK, 1, 0, SPAN_LIT("last words"));
	raw_write(buf_data(&out), buf_len(&out));
	raw_write("half", 4);
	close(raw);
	raw = -1;
	run_ms(1000);
	assert_string_equal(text, "last words");
	assert_int_equal(closed_b, 1);
	run_ms(10);
	assert_int_equal(closed_b, 1);
	buf_fini(&out);
}

static void
sending_to_a_dead_peer_is_told_from_the_loop(void **state)
{
	close(raw);
	raw = -1;
	ipc_send(b, ASK, 1, SPAN_LIT("anybody?"));
	ipc_send(b, ASK, 1, SPAN_LIT("anybody?"));
	assert_int_equal(closed_b, 0);
	run_ms(1000);
	assert_int_equal(closed_b, 1);
}

static void
freeing_inside_a_handler_still_sends(void **state)
{
	ipc_send(a, BYE, 3, SPAN_NONE);
	ipc_send(a, ASK, 4, SPAN_LIT("not heard"));
	run_ms(1000);
	assert_null(b);
	assert_int_equal(asked, 1);
	assert_true(last_id == 3);
	assert_string_equal(text, "bye");
	assert_int_equal(closed_a, 1);
	assert_int_equal(closed_b, 0);
}

static void
request_ids_are_unique(void **state)
{
	uint64_t x = ipc_next_id();

	assert_true(x != 0);
	assert_true(ipc_next_id() != x);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define T2(fn)	cmocka_unit_test_setup_teardown(fn, setup_both, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T2(messages_arrive_with_type_id_and_body),
		T(whole_and_byte_by_byte_are_the_same),
		T2(the_largest_message_fits),
		T2(descriptors_go_with_their_own_message),
		T(descriptors_arrive_byte_by_byte_too),
		T(missing_descriptors_end_the_connection),
		T(a_flood_of_descriptors_ends_the_connection),
		T(misbehaviour_ends_the_connection),
		T2(the_phase_decides_what_is_allowed),
		T(the_end_is_told_once_and_after_what_came_before),
		T(sending_to_a_dead_peer_is_told_from_the_loop),
		T2(freeing_inside_a_handler_still_sends),
		cmocka_unit_test(request_ids_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
