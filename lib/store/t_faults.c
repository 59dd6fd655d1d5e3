#include "store/t_util.h"

#include "base/log.h"

/*
 * ENOSPC and EIO in every call: each operation either does all of its work or
 * says so and leaves nothing half done; afterwards, with the disk healthy
 * again, what is asked for again is there exactly once and nothing that was
 * answered is lost.
 */

#define KEYS	3

static const char *const keys[KEYS] = { "3kF9tQ0101Q0", "3kF9tQ0101Q1",
    "3kF9tQ0101Q2" };

struct day {
	bool delivered[KEYS], appended, expunged;
	unsigned failures;
};

static void
day_deliver(int fd, struct day *d, int i)
{
	struct delivery_body body = { .mem = SPAN_LIT(T_TEXT("x")),
	    .fd = -1 };
	struct delivery dl = { .queue_id = span_str(keys[i]),
	    .arrival = 1763640000, .body = &body };
	struct delivery_target *t;
	enum delivered how;
	struct err err = { 0 };
	uint32_t uid;

	t = delivery_open(fd, T_MAILBOX, &err);
	d->delivered[i] = t != NULL &&
	    deliver_one(t, &dl, false, &how, &uid, &err) == 0;
	if (!d->delivered[i]) {
		d->failures++;
		assert_int_equal(err.kind, ERR_TEMP);
	}
	delivery_close(&t);
}

static void
day_reader(struct account *a, struct day *d)
{
	const struct flag_change seen = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .unchanged_since = UINT64_MAX };
	struct folder_new item = { .data = SPAN_LIT(T_TEXT("append")) };
	struct folder_copied c = { 0 };
	struct folder *f;
	uint32_t seq = 1, uidv;
	struct err err;
	bool more;

	if (account_folder_create(a, ".Sent", &err) < 0 &&
	    err.code != PS_EEXIST)
		d->failures++;
	if (!account_folder_exists(a, ".Sent"))
		return;
	d->appended = folder_append(a, ".Sent", &item, 1, &uidv, &err) == 0;
	d->failures += !d->appended;
	f = folder_open(a, "", true, &err);
	if (f == NULL) {
		d->failures++;
		return;
	}
	if (folder_exists(f) > 0 && folder_uid(f, 1) == 1) {
		d->failures += folder_store(f, &seq, 1, &seen, NULL, NULL,
		    &err) < 0;
		d->failures += folder_flush(f, 10, &more, &err) < 0;
		d->failures += folder_copy(f, &seq, 1, ".Sent", true, &c,
		    &err) < 0;
		folder_copied_fini(&c);
		d->failures += folder_flush(f, 10, &more, &err) < 0;
	}
	folder_close(&f);
}

static void
day_run(struct t_store *s, struct day *d)
{
	struct account *a;
	struct err err;
	int fd;

	memset(d, 0, sizeof(*d));
	day_deliver(s->fd, d, 0);
	day_deliver(s->fd, d, 1);
	if (account_home_open(s->fd, T_MAILBOX, true, &fd, &err) < 0) {
		d->failures++;
	} else if ((a = account_open(fd, T_MAILBOX, &err)) == NULL) {
		d->failures++;
	} else {
		day_reader(a, d);
		account_close(&a);
	}
	day_deliver(s->fd, d, 2);
}

/* How many messages with this text (head included) the folder has. */
static unsigned
copies(struct account *a, const char *name, const char *text)
{
	struct folder_msg m;
	struct folder *f;
	struct buf b;
	struct err err;
	unsigned n = 0;
	uint32_t i;

	if (!account_folder_exists(a, name))
		return 0;
	f = t_folder(a, name);
	for (i = 1; i <= folder_exists(f); i++) {
		buf_init(&b, BUF_NO_CAP);
		if (folder_msg_load(f, i, &b, &err) == 0)
			n += strcmp(buf_cstr(&b), text) == 0;
		else {
			/* a fault within a clock tick may leave no trace in the
			 * mtimes: then the refresh after a miss tells */
			assert_int_equal(err.code, PS_ENOTFOUND);
			t_ok(folder_refresh(f, &err));
			assert_true(folder_msg(f, i, &m) && m.gone);
		}
		buf_fini(&b);
	}
	folder_close(&f);
	return n;
}

static void
audit(struct t_store *s, struct day *d, const char *where)
{
	struct delivery_body body = { .mem = SPAN_LIT(T_TEXT("x")),
	    .fd = -1 };
	struct delivery dl = { .arrival = 1763640000, .body = &body,
	    .maybe_done = true };
	struct delivery_target *t;
	struct account *a;
	enum delivered how;
	struct err err;
	uint32_t uid;
	unsigned n;
	int i;

	for (i = 0; i < KEYS; i++) {
		dl.queue_id = span_str(keys[i]);
		t = delivery_open(s->fd, T_MAILBOX, &err);
		if (t == NULL)
			fail_msg("%s: %s", where, err.why);
		if (deliver_one(t, &dl, false, &how, &uid, &err) < 0)
			fail_msg("%s: %s", where, err.why);
		if (d->delivered[i] && how != DELIVERED_BEFORE)
			fail_msg("%s: %s was answered and lost (%d)", where,
			    keys[i], how);
		delivery_close(&t);
	}
	a = t_account_at(s->fd);
	n = copies(a, "", T_TEXT("x")) + copies(a, ".Sent", T_TEXT("x"));
	if (n != KEYS)
		fail_msg("%s: %u messages for %d keys", where, n, KEYS);
	n = copies(a, ".Sent", T_TEXT("append"));
	if (n > 1 || (d->appended && n != 1))
		fail_msg("%s: appended message is there %u times", where, n);
	account_close(&a);
	if (t_count(s->dir, T_HOME "/tmp", NULL) > 4)
		fail_msg("%s: tmp/ fills up", where);
}

/* Fails the nth call of op; false when the day has fewer. */
static bool
fault_try(enum disk_op op, unsigned nth, int errnum)
{
	struct disk_record *r;
	struct t_store *s;
	struct day d;
	char where[100];
	void *state;
	bool hit;

	(void)snprintf(where, sizeof(where), "op %d call %u %s", op, nth,
	    strerrorname_np(errnum));
	assert_int_equal(t_setup(&state), 0);
	s = state;
	r = disk_record_start(s->dir);
	disk_record_fail(r, op, nth, errnum, false);
	day_run(s, &d);
	hit = disk_record_failures(r) > 0;
	disk_record_stop(&r);
	audit(s, &d, where);
	assert_int_equal(t_teardown(&state), 0);
	return hit;
}

static void
faults(const enum disk_op *ops, size_t n, int errnum)
{
	unsigned nth, all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		for (nth = 1; fault_try(ops[i], nth, errnum); nth++)
			all++;
	print_message("%u faults\n", all);
	assert_true(all > 20);
}

static void
a_full_disk_anywhere(void **state)
{
	static const enum disk_op ops[] = { DISK_OPEN, DISK_PWRITE,
	    DISK_FALLOCATE, DISK_RENAME, DISK_LINK, DISK_MKDIR };

	(void)state;
	faults(ops, ARRAY_LEN(ops), ENOSPC);
}

static void
an_io_error_anywhere(void **state)
{
	static const enum disk_op ops[] = { DISK_OPEN, DISK_PWRITE,
	    DISK_FALLOCATE, DISK_FDATASYNC, DISK_FSYNC, DISK_SYNCFS,
	    DISK_RENAME, DISK_LINK, DISK_UNLINK, DISK_MKDIR };

	(void)state;
	faults(ops, ARRAY_LEN(ops), EIO);
}

/* The whole disk is full from some call on; later it is not. */
static void
a_disk_that_stays_full(void **state)
{
	struct disk_record *r;
	struct t_store *s;
	struct day d;
	unsigned nth;
	bool hit = true;
	void *st;

	(void)state;
	for (nth = 1; hit; nth += 3) {
		assert_int_equal(t_setup(&st), 0);
		s = st;
		r = disk_record_start(s->dir);
		disk_record_fail(r, DISK_PWRITE, nth, ENOSPC, true);
		day_run(s, &d);
		hit = disk_record_failures(r) > 0;
		disk_record_stop(&r);
		audit(s, &d, "full for long");
		assert_int_equal(t_teardown(&st), 0);
	}
}

/* --- whole or not at all --- */

#define MANY	5

static void
many_append(struct account *a, const char *name)
{
	struct folder_new item[MANY];
	struct err err;
	uint32_t uidv;
	int i;

	memset(item, 0, sizeof(item));
	for (i = 0; i < MANY; i++)
		item[i].data = SPAN_LIT(T_TEXT("many"));
	(void)!folder_append(a, name, item, MANY, &uidv, &err);
}

static uint32_t
exists(struct account *a, const char *name)
{
	struct folder *f = t_folder(a, name);
	uint32_t n = folder_exists(f);

	folder_close(&f);
	return n;
}

/* From the nth call on nothing works, and then the process is gone. */
static bool
cut_try(unsigned nth, unsigned *halves)
{
	const uint32_t seqs[MANY] = { 1, 2, 3, 4, 5 };
	struct folder_copied c = { 0 };
	struct disk_record *r;
	struct account *a;
	struct t_store *s;
	struct folder *f;
	struct err err;
	uint32_t n;
	void *st;
	bool hit;

	assert_int_equal(t_setup(&st), 0);
	s = st;
	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Sent", &err));
	t_ok(account_folder_create(a, ".Drafts", &err));
	many_append(a, "");
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), MANY);

	r = disk_record_start(s->dir);
	disk_record_fail(r, DISK_ANY, nth, EIO, true);
	(void)!folder_copy(f, seqs, MANY, ".Sent", false, &c, &err);
	many_append(a, ".Drafts");
	hit = disk_record_failures(r) > 0;
	disk_record_stop(&r);
	folder_copied_fini(&c);
	folder_close(&f);
	account_close(&a);

	n = t_count(s->dir, T_HOME "/.Sent/cur", NULL) +
	    t_count(s->dir, T_HOME "/.Drafts/cur", NULL);
	*halves += n % MANY != 0;
	a = t_account_at(s->fd);
	assert_true(exists(a, ".Sent") % MANY == 0);
	assert_true(exists(a, ".Drafts") % MANY == 0);
	assert_int_equal(copies(a, ".Sent", T_TEXT("many")),
	    exists(a, ".Sent"));
	assert_int_equal(copies(a, "", T_TEXT("many")), MANY);
	account_close(&a);
	assert_int_equal(t_teardown(&st), 0);
	return hit;
}

static void
copies_are_all_there_or_none(void **state)
{
	unsigned nth = 1, halves = 0;

	(void)state;
	while (cut_try(nth, &halves))
		nth++;
	print_message("%u cuts, %u left a part\n", nth, halves);
	assert_true(halves >= 2 * (MANY - 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_anywhere),
		cmocka_unit_test(an_io_error_anywhere),
		cmocka_unit_test(a_disk_that_stays_full),
		cmocka_unit_test(copies_are_all_there_or_none),
	};

	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
