/*
 * deliver driven by hand: the test is qmgr, smtpd and imapd at the other
 * ends. Records lie in a file that plays the segment.
 */
#include "delivery/deliver.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk_record.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "proto/ticket.h"
#include "spool/record.h"

#define BOX_A	UINT64_C(1)
#define BOX_B	UINT64_C(2)
#define SEGMENT	7
#define PATIENCE_MS	60000

static struct {
	char *root;
	struct loop *loop;
	struct conf *conf;
	struct service_env env;
	void *d;
	struct timer patience;
	bool stopped;
	/* qmgr's end */
	struct ipc *qmgr;
	int segment;
	struct segment_ref ref;
	uint64_t at;			/* end of the segment file */
	unsigned done;
	uint8_t result[64];
	char text[300], dsn[16];
	unsigned checkpoints;
	uint64_t covered;
	bool checkpoint_ok;
	/* smtpd's end */
	struct ipc *smtpd;
	unsigned answers;
	uint8_t verdict;
	uint64_t used_bytes, used_messages;
	/* imapd's end */
	struct ipc *imapd;
	unsigned opened, changed;
	bool open_ok, too_many;
	int box_fd;
	char log[16384];
} t;

static void
tap(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(t.log);

	(void)level;
	(void)arg;
	(void)snprintf(t.log + n, sizeof(t.log) - n, "%s\n", line);
}

static void
gone_cb(struct ipc *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
too_late_cb(void *arg)
{
	(void)arg;
	loop_stop(t.loop);
}

/* Runs until *counter reaches want. */
static void
wait_for(const unsigned *counter, unsigned want)
{
	timer_set_ms(&t.patience, PATIENCE_MS);
	while (*counter < want && t.patience.set)
		loop_run(t.loop);
	timer_clear(&t.patience);
	if (*counter < want)
		fail_msg("waited in vain; log:\n%s", t.log);
}

/* --- the ends ----------------------------------------------------------------- */

static int
done_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_job_done in;
	struct entry_job_result r;

	(void)c;
	(void)arg;
	assert_true(msg_job_done_unpack(m->body, &in));
	while (entry_job_result_next(&in.results, &r)) {
		t.result[r.rcpt] = r.result;
		(void)snprintf(t.text, sizeof(t.text), "%.*s",
		    SPAN_ARG(r.text));
		(void)snprintf(t.dsn, sizeof(t.dsn), "%.*s",
		    SPAN_ARG(r.dsn));
	}
	t.done++;
	loop_stop(t.loop);
	return 0;
}

static int
checkpointed_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_job_checkpointed in;

	(void)c;
	(void)arg;
	assert_true(msg_job_checkpointed_unpack(m->body, &in));
	t.covered = in.covered;
	t.checkpoint_ok = in.ok;
	t.checkpoints++;
	loop_stop(t.loop);
	return 0;
}

static int
answer_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_quota_answer in;

	(void)c;
	(void)arg;
	assert_true(msg_quota_answer_unpack(m->body, &in));
	t.verdict = in.verdict;
	t.used_bytes = in.used_bytes;
	t.used_messages = in.used_messages;
	t.answers++;
	loop_stop(t.loop);
	return 0;
}

static int
opened_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_mbox_opened in;

	(void)c;
	(void)arg;
	assert_true(msg_mbox_opened_unpack(m->body, &in));
	t.open_ok = in.ok;
	t.too_many = in.too_many;
	t.opened++;
	if (in.ok) {
		t.box_fd = m->fd[0];
		m->fd[0] = -1;
	}
	loop_stop(t.loop);
	return 0;
}

static int
changed_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_mbox_changed in;

	(void)c;
	(void)arg;
	assert_true(msg_mbox_changed_unpack(m->body, &in));
	assert_int_equal(in.mailbox_id, BOX_A);
	t.changed++;
	loop_stop(t.loop);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_JOB_DONE, done_cb, IPC_ANY_PHASE },
	{ MSG_JOB_CHECKPOINTED, checkpointed_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_ANSWER, answer_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_OPENED, opened_cb, IPC_ANY_PHASE },
	{ MSG_MBOX_CHANGED, changed_cb, IPC_ANY_PHASE },
};

static struct ipc *
connect_as_nth(enum service_role role, unsigned index)
{
	struct err err;
	int fd[2];

	assert_int_equal(ipc_pair(fd, &err), 0);
	deliver_service.peer(t.d, role, index, fd[1]);
	return ipc_new(t.loop, fd[0], service_role_name(role), handlers,
	    ARRAY_LEN(handlers), gone_cb, NULL);
}

static struct ipc *
connect_as(enum service_role role)
{
	return connect_as_nth(role, 0);
}

/* --- records -------------------------------------------------------------------- */

/* Returns the record's offset, its length in *length. */
static uint64_t
record_put_to(const char *queue_id, const char *body,
    struct envelope_rcpt *rcpt, uint32_t n, uint32_t *length)
{
	struct envelope env = { .arrival_us = clock_wall_us(),
	    .sender = SPAN_LIT("from@b.example"), .body_size = strlen(body),
	    .rcpt = rcpt, .n_rcpt = n };
	struct record_header h = { .body_len = strlen(body) };
	char head[RECORD_HEADER_SIZE];
	struct buf b;
	uint64_t at = t.at;

	(void)snprintf(env.queue_id, sizeof(env.queue_id), "%s", queue_id);
	buf_init(&b, 65536);
	assert_int_equal(envelope_pack(&env, &b, NULL), 0);
	h.offset = at;
	h.envelope_len = (uint32_t)buf_len(&b);
	h.envelope_crc = crc32c(0, buf_data(&b), buf_len(&b));
	h.body_crc = crc32c(0, body, strlen(body));
	h.length = RECORD_HEADER_SIZE + h.envelope_len + h.body_len;
	record_header_make(&h, &t.ref, head);
	buf_str(&b, body);
	assert_int_equal(pwrite(t.segment, head, sizeof(head), (off_t)at),
	    sizeof(head));
	assert_int_equal(pwrite(t.segment, buf_data(&b), buf_len(&b),
	    (off_t)(at + sizeof(head))), buf_len(&b));
	buf_fini(&b);
	*length = (uint32_t)h.length;
	t.at = spool_page_up(at + h.length);
	return at;
}

/* A message to A and B. */
static uint64_t
record_put(const char *queue_id, const char *body, uint32_t *length)
{
	struct envelope_rcpt rcpt[2] = {
		{ .mailbox_id = BOX_A, .orig = SPAN_LIT("Alias@a.example"),
		    .final = SPAN_LIT("ann@a.example") },
		{ .mailbox_id = BOX_B, .orig = SPAN_LIT("bob@a.example"),
		    .final = SPAN_LIT("bob@a.example") },
	};

	return record_put_to(queue_id, body, rcpt, 2, length);
}

static void
job_send_to(const char *queue_id, uint64_t at, uint32_t length, bool maybe,
    const uint64_t *boxes, unsigned n)
{
	struct buf list;
	unsigned i;

	buf_init(&list, 1000);
	for (i = 0; i < n; i++)
		if (boxes[i] != 0)
			entry_job_rcpt_pack(&list, &(struct entry_job_rcpt){
			    .rcpt = i, .mailbox_id = boxes[i] });
	memset(t.result, 0xff, sizeof(t.result));
	PROTO_SEND(t.qmgr, ipc_next_id(), JOB_DELIVER, job_deliver,
	    .queue_id = span_str(queue_id), .segment = SEGMENT, .offset = at,
	    .length = length, .maybe_done = maybe,
	    .rcpts = buf_span(&list));
	buf_fini(&list);
}

static void
job_send(const char *queue_id, uint64_t at, uint32_t length, bool maybe,
    const uint64_t boxes[2])
{
	job_send_to(queue_id, at, length, maybe, boxes, 2);
}

static const uint64_t both[2] = { BOX_A, BOX_B };
static const uint64_t only_a[2] = { BOX_A, 0 };

#define ID	"3kF9tQ010100"
#define TEXT	"Subject: hello\r\n\r\nbody\r\n"

static void
deliver_once(const char *id, bool maybe, const uint64_t boxes[2])
{
	static uint64_t at;
	static uint32_t length;

	if (!maybe)
		at = record_put(id, TEXT, &length);
	job_send(id, at, length, maybe, boxes);
	wait_for(&t.done, t.done + 1);
}

/* Files in new/ of a mailbox; the last one's text. */
static unsigned
inbox_count(uint64_t id, char *text, size_t size)
{
	char path[600];
	struct dirent *de;
	unsigned n = 0;
	ssize_t got;
	DIR *dir;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%02x/%llu/new", t.root,
	    (unsigned)id, (unsigned long long)id);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		if (text == NULL)
			continue;
		fd = openat(dirfd(dir), de->d_name, O_RDONLY | O_CLOEXEC);
		got = read(fd, text, size - 1);
		text[got > 0 ? got : 0] = '\0';
		(void)close(fd);
	}
	(void)closedir(dir);
	return n;
}

/* --- set-up ----------------------------------------------------------------------- */

static int
setup(void **state)
{
	struct buf complaints;
	struct err err = { 0 };

	(void)state;
	memset(&t, 0, sizeof(t));
	(void)umask(0007);
	t.root = disk_record_tmpdir("deliver");
	t.loop = loop_new();
	buf_init(&complaints, 65536);
	t.conf = conf_parse("test", SPAN_LIT("myhostname = mx.a.example\n"
	    "maildir_sync = checkpoint\ndatabase =\n"), &complaints);
	assert_non_null(t.conf);
	buf_fini(&complaints);
	t.env = (struct service_env){ .loop = t.loop, .conf = t.conf,
	    .role = ROLE_DELIVER, .spool_dir = -1 };
	t.env.count[ROLE_DELIVER] = 1;
	memset(t.env.key, 5, sizeof(t.env.key));
	t.env.store_dir = open(t.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	timer_init(&t.patience, t.loop, too_late_cb, NULL);
	log_tap(tap, NULL);
	t.d = deliver_service.init(&t.env, &err);
	assert_non_null(t.d);
	t.qmgr = connect_as(ROLE_QMGR);
	t.smtpd = connect_as(ROLE_SMTPD);
	t.imapd = connect_as(ROLE_IMAPD);
	t.box_fd = -1;
	t.segment = open(t.root, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	t.ref = (struct segment_ref){ .fd = t.segment, .id = SEGMENT,
	    .size = 1 << 20 };
	assert_int_equal(ftruncate(t.segment, 1 << 20), 0);
	t.at = SPOOL_PAGE;
	PROTO_SEND_FDS(t.qmgr, 1, &t.segment, 1, JOB_SEGMENT, job_segment,
	    .segment = SEGMENT, .epoch = span_of(t.ref.epoch, EPOCH_SIZE));
	return 0;
}

static void
stopped(void)
{
	t.stopped = true;
	loop_stop(t.loop);
}

static int
teardown(void **state)
{
	(void)state;
	deliver_stopped = stopped;
	deliver_service.stop(t.d);
	while (!t.stopped)
		loop_run(t.loop);
	free(t.d);
	ipc_free(&t.qmgr);
	ipc_free(&t.smtpd);
	ipc_free(&t.imapd);
	timer_clear(&t.patience);
	log_tap(NULL, NULL);
	loop_free(&t.loop);
	conf_unref(&t.conf);
	(void)close(t.segment);
	(void)close(t.env.store_dir);
	if (t.box_fd != -1)
		(void)close(t.box_fd);
	disk_record_rmdir(t.root);
	free(t.root);
	return 0;
}

/* --- tests -------------------------------------------------------------------------- */

static void
a_job_lands_in_each_mailbox(void **state)
{
	char text[1000];

	(void)state;
	deliver_once(ID, false, both);
	assert_int_equal(t.result[0], JOB_SENT);
	assert_int_equal(t.result[1], JOB_SENT);
	assert_string_equal(t.dsn, "2.0.0");
	assert_int_equal(inbox_count(BOX_A, text, sizeof(text)), 1);
	assert_string_equal(text, "Return-Path: <from@b.example>\r\n"
	    "X-Original-To: Alias@a.example\r\n"
	    "Delivered-To: ann@a.example\r\n" TEXT);
	assert_int_equal(inbox_count(BOX_B, text, sizeof(text)), 1);
	assert_string_equal(text, "Return-Path: <from@b.example>\r\n"
	    "Delivered-To: bob@a.example\r\n" TEXT);
	assert_non_null(strstr(t.log, ID ": to=<ann@a.example>, "
	    "orig_to=<Alias@a.example>, relay=maildir, delay="));
	assert_non_null(strstr(t.log, "dsn=2.0.0, status=sent "
	    "(delivered to maildir)"));
}

/* J7, J9: asked again, also by another qmgr. */
static void
asked_again_it_stays_one(void **state)
{
	(void)state;
	deliver_once(ID, false, only_a);
	deliver_once(ID, true, both);
	assert_int_equal(t.result[0], JOB_SENT);
	assert_int_equal(inbox_count(BOX_A, NULL, 0), 1);
	assert_int_equal(inbox_count(BOX_B, NULL, 0), 1);
}

/* J10: nothing of a record that fails its checks gets out. */
static void
a_damaged_record_is_deferred(void **state)
{
	uint32_t length;
	uint64_t at = record_put(ID, TEXT, &length);
	char x = '!';

	(void)state;
	assert_int_equal(pwrite(t.segment, &x, 1, (off_t)(at + length - 3)),
	    1);
	job_send(ID, at, length, false, both);
	wait_for(&t.done, 1);
	assert_int_equal(t.result[0], JOB_DEFERRED);
	assert_int_equal(inbox_count(BOX_A, NULL, 0), 0);
	/* another message's id */
	at = record_put("3kF9tQ010101", TEXT, &length);
	job_send(ID, at, length, false, both);
	wait_for(&t.done, 2);
	assert_int_equal(t.result[0], JOB_DEFERRED);
	/* a mailbox the record does not name */
	job_send("3kF9tQ010101", at, length, false,
	    (const uint64_t[2]){ BOX_B, 0 });
	wait_for(&t.done, 3);
	assert_int_equal(t.result[0], JOB_DEFERRED);
	assert_int_equal(inbox_count(BOX_B, NULL, 0), 0);
}

/* J6: covered are the answers sent before the sync was called. */
static void
a_checkpoint_covers_what_was_answered(void **state)
{
	(void)state;
	PROTO_SEND(t.qmgr, 90, JOB_CHECKPOINT, job_checkpoint);
	wait_for(&t.checkpoints, 1);
	assert_int_equal(t.covered, 0);
	assert_true(t.checkpoint_ok);
	deliver_once(ID, false, both);
	deliver_once("3kF9tQ010101", false, only_a);
	PROTO_SEND(t.qmgr, 91, JOB_CHECKPOINT, job_checkpoint);
	wait_for(&t.checkpoints, 2);
	assert_int_equal(t.covered, 2);
}

/* J5: told as not ok once; afterwards nothing found is believed. */
static void
a_failed_sync_is_final(void **state)
{
	struct disk_record *r = disk_record_start(t.root);

	(void)state;
	deliver_once(ID, false, only_a);
	disk_record_fail(r, DISK_SYNCFS, 1, EIO, false);
	PROTO_SEND(t.qmgr, 90, JOB_CHECKPOINT, job_checkpoint);
	wait_for(&t.checkpoints, 1);
	assert_false(t.checkpoint_ok);
	disk_record_stop(&r);
	deliver_once(ID, true, only_a);
	assert_int_equal(t.result[0], JOB_SENT);
	assert_non_null(strstr(t.log, "copy repaired"));
	assert_int_equal(inbox_count(BOX_A, NULL, 0), 1);
}

/* J12: after 250 a full disk defers. */
static void
a_full_disk_defers(void **state)
{
	struct disk_record *r = disk_record_start(t.root);

	(void)state;
	disk_record_fail(r, DISK_PWRITE, 1, ENOSPC, true);
	deliver_once(ID, false, only_a);
	assert_int_equal(t.result[0], JOB_DEFERRED);
	assert_string_equal(t.dsn, "4.3.1");
	disk_record_stop(&r);
	deliver_once(ID, true, only_a);
	assert_int_equal(t.result[0], JOB_SENT);
	assert_int_equal(inbox_count(BOX_A, NULL, 0), 1);
}

/* A home that was removed under its open handle is made anew. */
static void
a_removed_home_is_made_again(void **state)
{
	char cmd[700];

	(void)state;
	deliver_once(ID, false, only_a);
	(void)snprintf(cmd, sizeof(cmd), "rm -r '%s/01/1'", t.root);
	assert_int_equal(system(cmd), 0);
	deliver_once("3kF9tQ010101", false, only_a);
	assert_int_equal(t.result[0], JOB_SENT);
	assert_int_equal(inbox_count(BOX_A, NULL, 0), 1);
}

static void
ask(uint64_t id, uint64_t bytes, uint64_t limit)
{
	unsigned before = t.answers;

	PROTO_SEND(t.smtpd, id, QUOTA_ASK, quota_ask, .mailbox_id = BOX_A,
	    .bytes = bytes, .limit_bytes = limit);
	wait_for(&t.answers, before + 1);
}

static void
quota_counts_what_is_there_and_reserved(void **state)
{
	(void)state;
	deliver_once(ID, false, only_a);
	ask(100, 1, 1000);
	assert_int_equal(t.verdict, QUOTA_OK);
	assert_int_equal(t.used_messages, 1);
	assert_true(t.used_bytes > strlen(TEXT));
	ask(101, 500, t.used_bytes + 600);
	assert_int_equal(t.verdict, QUOTA_OK);
	ask(102, 500, t.used_bytes + 600);
	assert_int_equal(t.verdict, QUOTA_FULL);
	/* released, there is room again */
	PROTO_SEND(t.smtpd, 101, QUOTA_SETTLE, quota_settle, .bytes = 0);
	ask(103, 500, t.used_bytes + 600);
	assert_int_equal(t.verdict, QUOTA_OK);
	/* and an ending connection gives back what it holds */
	ipc_free(&t.smtpd);
	t.smtpd = connect_as(ROLE_SMTPD);
	ask(104, 500, t.used_bytes + 600);
	assert_int_equal(t.verdict, QUOTA_OK);
}

static void
a_ticket_opens_its_mailbox_only(void **state)
{
	uint8_t ticket[TICKET_LEN];
	struct stat st;

	(void)state;
	ticket_make(t.env.key, BOX_A, clock_wall_us() + TICKET_LIFE_US,
	    ticket);
	PROTO_SEND(t.imapd, 1, MBOX_OPEN, mbox_open,
	    .ticket = span_of(ticket, sizeof(ticket)));
	wait_for(&t.opened, 1);
	assert_true(t.open_ok);
	assert_int_equal(fstat(t.box_fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 02770);
	/* forged */
	ticket[10] ^= 1;
	PROTO_SEND(t.imapd, 2, MBOX_OPEN, mbox_open,
	    .ticket = span_of(ticket, sizeof(ticket)));
	wait_for(&t.opened, 2);
	assert_false(t.open_ok);
	/* and who watches is told */
	PROTO_SEND(t.imapd, 3, MBOX_WATCH, mbox_watch,
	    .mailbox_id = BOX_A);
	ask(100, 1, 0);		/* both have been read by now, or soon are */
	deliver_once(ID, false, both);
	wait_for(&t.changed, 1);
}

/* May a session of A's user begin that comes from this network? */
static bool
seat(struct ipc *imapd, const char *client, uint32_t limit)
{
	uint8_t ticket[TICKET_LEN];
	unsigned before = t.opened;

	ticket_make(t.env.key, BOX_A, clock_wall_us() + TICKET_LIFE_US,
	    ticket);
	PROTO_SEND(imapd, 1, MBOX_OPEN, mbox_open,
	    .ticket = span_of(ticket, sizeof(ticket)),
	    .client = span_str(client), .client_limit = limit);
	wait_for(&t.opened, before + 1);
	assert_true(t.open_ok != t.too_many);
	if (t.open_ok)
		assert_int_equal(close(t.box_fd), 0);
	return t.open_ok;
}

static void
a_user_has_so_many_sessions_from_a_network(void **state)
{
	struct ipc *other = connect_as_nth(ROLE_IMAPD, 1), *again;

	(void)state;
	assert_true(seat(t.imapd, "net1", 2));
	assert_true(seat(other, "net1", 2));
	assert_false(seat(t.imapd, "net1", 2));
	assert_false(seat(other, "net1", 2));
	assert_true(seat(t.imapd, "net2", 2));
	assert_true(seat(t.imapd, "net1", 0));
	assert_true(seat(t.imapd, "", 1));
	assert_true(seat(t.imapd, "", 1));
	/* three are there; one too many gave nothing to leave */
	PROTO_SEND(t.imapd, 0, MBOX_LEFT, mbox_left, .mailbox_id = BOX_A,
	    .client = SPAN_LIT("net1"));
	assert_false(seat(t.imapd, "net1", 2));
	PROTO_SEND(t.imapd, 0, MBOX_LEFT, mbox_left, .mailbox_id = BOX_A,
	    .client = SPAN_LIT("net1"));
	assert_true(seat(t.imapd, "net1", 2));
	assert_false(seat(t.imapd, "net1", 2));
	/* those of a process that has gone went with it */
	again = connect_as_nth(ROLE_IMAPD, 1);
	assert_true(seat(again, "net1", 2));
	ipc_free(&other);
	ipc_free(&again);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* All mailboxes of a job are in use at once, but need not be open at once. */
static void
a_job_may_have_more_mailboxes_than_descriptors(void **state)
{
	struct envelope_rcpt rcpt[60];
	uint64_t boxes[60], at;
	struct rlimit old, few = { .rlim_cur = 100 };
	uint32_t length;
	unsigned i;

	(void)state;
	for (i = 0; i < 60; i++) {
		boxes[i] = 1000 + i;
		rcpt[i] = (struct envelope_rcpt){ .mailbox_id = boxes[i],
		    .orig = SPAN_LIT("x@a.example"),
		    .final = SPAN_LIT("x@a.example") };
	}
	at = record_put_to(ID, TEXT, rcpt, 60, &length);
	((struct deliver *)t.d)->idle_max = 4;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	job_send_to(ID, at, length, false, boxes, 60);
	wait_for(&t.done, t.done + 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (i = 0; i < 60; i++)
		assert_int_equal(t.result[i], JOB_SENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_job_lands_in_each_mailbox),
		T(asked_again_it_stays_one),
		T(a_job_may_have_more_mailboxes_than_descriptors),
		T(a_damaged_record_is_deferred),
		T(a_checkpoint_covers_what_was_answered),
		T(a_failed_sync_is_final),
		T(a_full_disk_defers),
		T(a_removed_home_is_made_again),
		T(quota_counts_what_is_there_and_reserved),
		T(a_ticket_opens_its_mailbox_only),
		T(a_user_has_so_many_sessions_from_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
