#include "store/t_util.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>

#include "base/log.h"

/*
 * Processes at one mailbox at the same time, killed at any moment: one
 * delivers, one sets flags and flushes, one moves to another folder. After
 * each round every key is there exactly once, and totals are what is there.
 */

#define ROUNDS		40
#define PER_ROUND	400

struct shared {
	unsigned begun, answered;	/* keys so far */
	uint32_t uid[ROUNDS * PER_ROUND];
};

static struct shared *shared;

static void
key_of(unsigned i, char key[16])
{
	(void)snprintf(key, 16, "3kF9tQ%06u", i % 1000000);
}

static void
delivering(struct t_store *s)
{
	struct delivery_body body = { .mem = SPAN_LIT(T_TEXT("x")),
	    .fd = -1 };
	struct delivery d = { .arrival = 1763640000, .body = &body,
	    .head = SPAN_LIT("Return-Path: <a@b.example>\r\n") };
	struct delivery_target *t;
	enum delivered how;
	struct err err;
	uint32_t uid;
	char key[16];
	unsigned i;

	t = delivery_open(s->fd, T_MAILBOX, &err);
	for (i = 0; t != NULL && i < PER_ROUND; i++) {
		key_of(shared->begun, key);
		shared->begun++;
		d.queue_id = span_str(key);
		if (deliver_one(t, &d, false, &how, &uid, &err) < 0)
			break;
		shared->uid[shared->answered] = uid;
		shared->answered = shared->begun;
	}
}

static void
flagging(struct t_store *s)
{
	struct flag_change c = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .unchanged_since = UINT64_MAX };
	struct account *a = t_account_at(s->fd);
	struct folder *f;
	struct err err;
	uint32_t seq;
	bool more;

	f = folder_open(a, "", false, &err);
	while (f != NULL) {
		uint32_t *gone;
		if (folder_refresh(f, &err) < 0)
			break;
		(void)folder_expunged_take(f, &gone, NULL);
		free(gone);
		c.op = c.op == FLAG_ADD ? FLAG_REMOVE : FLAG_ADD;
		for (seq = 1; seq <= folder_exists(f); seq += 3)
			if (folder_store(f, &seq, 1, &c, NULL, NULL,
			    &err) < 0)
				return;
		if (folder_flush(f, 50, &more, &err) < 0)
			return;
	}
}

static void
moving(struct t_store *s)
{
	struct account *a = t_account_at(s->fd);
	struct folder_copied c;
	struct folder *f;
	uint32_t seqs[2] = { 1, 2 }, *gone;
	struct err err;

	f = folder_open(a, "", false, &err);
	while (f != NULL && folder_refresh(f, &err) == 0) {
		(void)folder_expunged_take(f, &gone, NULL);
		free(gone);
		if (folder_exists(f) < 2)
			continue;
		if (folder_copy(f, seqs, 2, ".Keep", true, &c, &err) < 0)
			break;
		folder_copied_fini(&c);
	}
}

static pid_t
child(struct t_store *s, void (*work)(struct t_store *))
{
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid != 0)
		return pid;
	work(s);
	_exit(0);
}

static unsigned
count_in(struct account *a, const char *name)
{
	struct folder *f = t_folder(a, name);
	unsigned n = folder_exists(f);
	uint32_t i;

	for (i = 1; i <= n; i++) {
		int fd;
		struct err err;
		t_ok(folder_msg_open(f, i, &fd, &err));
		(void)close(fd);
		if (i > 1)
			assert_true(folder_uid(f, i) > folder_uid(f, i - 1));
	}
	folder_close(&f);
	return n;
}

static void
audit(struct t_store *s, int round)
{
	enum delivered how;
	struct account *a;
	struct usage u;
	struct err err;
	unsigned n, files;
	uint32_t uid;
	char key[16];

	/* The one that was under way; what was answered needs no asking. */
	if (shared->answered < shared->begun) {
		key_of(shared->begun - 1, key);
		uid = t_deliver_full(s->fd, key, T_TEXT("x"), true, &how);
		/* else it may have been found elsewhere */
		if (how == DELIVERED_NEW)
			shared->uid[shared->begun - 1] = uid;
		shared->answered = shared->begun;
	}
	a = t_account_at(s->fd);
	n = count_in(a, "") + count_in(a, ".Keep");
	files = t_count(s->dir, T_HOME "/new", NULL) +
	    t_count(s->dir, T_HOME "/cur", NULL) +
	    t_count(s->dir, T_HOME "/.Keep/new", NULL) +
	    t_count(s->dir, T_HOME "/.Keep/cur", NULL);
	if (n != shared->begun || files != n)
		fail_msg("round %d: %u messages in %u files for %u keys",
		    round, n, files, shared->begun);
	t_ok(account_usage(a, &u, &err));
	assert_int_equal(u.messages, n);
	account_close(&a);
}

/* UIDs of INBOX never repeat, over all rounds and kills. */
static void
uids_ascend(void)
{
	uint32_t last = 0;
	unsigned i;

	for (i = 0; i < shared->begun; i++) {
		if (shared->uid[i] == 0)
			continue;
		if (shared->uid[i] <= last)
			fail_msg("key %u: UID %u after %u", i,
			    shared->uid[i], last);
		last = shared->uid[i];
	}
}

static void
killed_at_any_moment(void **state)
{
	static void (*const works[])(struct t_store *) = { delivering,
	    flagging, moving };
	struct t_store *s = *state;
	struct account *a;
	struct err err;
	pid_t pid[3];
	unsigned begun;
	int round;
	size_t i;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Keep", &err));
	account_close(&a);
	for (round = 0; round < ROUNDS; round++) {
		struct timespec ts = { 0, 1000000 + round * 777777L };
		for (i = 0; i < ARRAY_LEN(works); i++)
			pid[i] = child(s, works[i]);
		/* at any moment: now and then not before they work */
		begun = shared->begun;
		for (i = 0; round % 2 == 0 && i < 60000 &&
		    *(volatile unsigned *)&shared->begun < begun + 3; i++)
			(void)usleep(1000);
		(void)nanosleep(&ts, NULL);
		for (i = 0; i < ARRAY_LEN(works); i++)
			assert_int_equal(kill(pid[i], SIGKILL), 0);
		for (i = 0; i < ARRAY_LEN(works); i++)
			assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
		audit(s, round);
	}
	uids_ascend();
	print_message("%u messages\n", shared->begun);
	assert_true(shared->begun > ROUNDS);
	(void)munmap(shared, sizeof(*shared));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_any_moment, t_setup,
		    t_teardown),
	};

	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	log_level_set(LOG_L_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
