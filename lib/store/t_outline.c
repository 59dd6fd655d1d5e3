#include "store/index.h"
#include "store/t_util.h"

/* A folder that was opened as an outline: what it tells without its messages,
 * and that these, read later, are as they were. */

#define MANY	2000u			/* more than either end's look */

static const struct flag_change add_seen = { .op = FLAG_ADD,
    .flags = MSG_SEEN, .unchanged_since = UINT64_MAX };
static const struct flag_change no_seen = { .op = FLAG_REMOVE,
    .flags = MSG_SEEN, .unchanged_since = UINT64_MAX };

/* A folder with n seen messages that are recent to nobody. */
static struct folder *
filled(struct t_store *s, struct account **a, uint32_t n)
{
	struct folder_new *items = calloc(n, sizeof(*items));
	struct folder *f;
	struct err err;
	uint32_t i, uidv;

	for (i = 0; i < n; i++)
		items[i] = (struct folder_new){ .flags = MSG_SEEN,
		    .data = SPAN_LIT(T_TEXT("m")) };
	*a = t_account_at(s->fd);
	t_ok(folder_append(*a, "", items, n, &uidv, &err));
	free(items);
	f = t_folder(*a, "");
	return f;
}

static struct folder *
outline(struct account *a)
{
	struct err err = { 0 };
	struct folder *f = folder_open_outline(a, "", true, &err);

	if (f == NULL)
		fail_msg("%s", err.why);
	return f;
}

static void
set(struct folder *f, uint32_t seq, const struct flag_change *c)
{
	struct err err;

	t_ok(folder_store(f, &seq, 1, c, NULL, NULL, &err));
}

static void
tells_what_select_tells(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;
	uint32_t i;
	struct {
		uint32_t unseen[2];	/* seqs, 0: none */
		bool loaded;
	} cases[] = {
		{ { 0, 0 }, false },
		{ { 1, 0 }, false },
		{ { 5, 900 }, false },
		{ { MANY, 0 }, false },
		{ { MANY - 100, MANY - 2 }, false },
		{ { 1000, MANY - 2 }, true },	/* in neither end */
	};

	f = filled(s, &a, MANY);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		const uint32_t *u = cases[i].unseen;
		int k;

		for (k = 0; k < 2 && u[k] > 0; k++)
			set(f, u[k], &no_seen);
		g = outline(a);
		assert_int_equal(folder_loaded(g), cases[i].loaded);
		assert_int_equal(folder_exists(g), MANY);
		assert_int_equal(folder_recent(g), 0);
		assert_int_equal(folder_unseen(g), folder_unseen(f));
		assert_int_equal(folder_first_unseen(g),
		    folder_first_unseen(f));
		assert_int_equal(folder_first_unseen(g), u[0]);
		assert_int_equal(folder_uidnext(g), folder_uidnext(f));
		assert_int_equal(folder_told_modseq(g),
		    folder_told_modseq(f));
		folder_close(&g);
		for (k = 0; k < 2 && u[k] > 0; k++)
			set(f, u[k], &add_seen);
	}
	folder_close(&f);
	account_close(&a);
}

static void
recent_messages_are_read_at_once(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;

	f = filled(s, &a, 3);
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("one"));
	g = outline(a);
	assert_true(folder_loaded(g));
	assert_int_equal(folder_recent(g), 1);
	folder_close(&g);
	g = outline(a);
	assert_false(folder_loaded(g));
	assert_int_equal(folder_recent(g), 0);
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

static void
messages_are_as_they_were(void **state)
{
	struct t_store *s = *state;
	uint32_t two[] = { 2, 3 }, seq, *seqs, *uids;
	struct account *a;
	struct folder *f, *g;
	struct folder_msg m;
	struct err err;
	bool flags;

	f = filled(s, &a, 6);
	t_ok(folder_expunge(f, two, 1, &err));	/* UID 2 went before */
	(void)folder_expunged_take(f, &seqs, NULL);
	free(seqs);
	g = outline(a);
	assert_false(folder_loaded(g));
	assert_int_equal(folder_exists(g), 5);
	/* nothing happened: nothing is read */
	t_ok(folder_refresh(g, &err));
	assert_false(folder_loaded(g));
	/* UIDs 3 and 4 go, 5 gets a flag, one comes and goes, one comes */
	t_ok(folder_expunge(f, two, 2, &err));
	(void)folder_expunged_take(f, &seqs, NULL);
	free(seqs);
	assert_int_equal(folder_uid(f, 2), 5);
	set(f, 2, &no_seen);
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("gone"));
	t_ok(folder_refresh(f, &err));
	seq = folder_exists(f);
	t_ok(folder_expunge(f, &seq, 1, &err));
	(void)t_deliver(s, "3kF9tQ010101", T_TEXT("stays"));

	t_ok(folder_load(g, &err));
	assert_true(folder_loaded(g));
	assert_int_equal(folder_exists(g), 6);
	assert_int_equal(folder_uid(g, 2), 3);
	assert_int_equal(folder_uid(g, 6), 8);
	assert_true(folder_msg(g, 2, &m) && m.gone);
	assert_true(folder_msg(g, 3, &m) && m.gone);
	assert_true(folder_msg(g, 5, &m) && !m.gone);
	assert_true(folder_changed_next(g, &seq, &flags));
	assert_int_equal(seq, 4);
	assert_true(flags);
	assert_false(folder_changed_next(g, &seq, &flags));
	assert_int_equal(folder_expunged_take(g, &seqs, &uids), 2);
	assert_int_equal(uids[0], 3);
	assert_int_equal(uids[1], 4);
	free(seqs);
	free(uids);
	assert_int_equal(folder_exists(g), 4);
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

/* The memory of expunges was lost with the index: the number of messages that
 * was told holds, and some that are not there went. */
static void
a_lost_memory_is_made_up_for(void **state)
{
	struct t_store *s = *state;
	uint32_t two[] = { 2, 4 }, *seqs, *uids, i;
	struct folder_msg m;
	struct account *a;
	struct folder *f, *g;
	struct err err;
	bool more;

	f = filled(s, &a, 5);
	g = outline(a);
	t_ok(folder_expunge(f, two, 2, &err));
	t_ok(folder_flush(f, 100, &more, &err));
	folder_close(&f);
	t_unlink(s, T_HOME "/postern.index");
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("new"));
	f = t_folder(a, "");
	t_ok(folder_load(g, &err));
	assert_int_equal(folder_exists(g), 6);
	for (i = 1; i <= 5; i++) {
		assert_int_equal(folder_uid(g, i), i);
		assert_true(folder_msg(g, i, &m));
		assert_int_equal(m.gone, i == 2 || i == 4);
	}
	assert_int_equal(folder_expunged_take(g, &seqs, &uids), 2);
	assert_int_equal(seqs[0], 2);
	assert_int_equal(seqs[1], 3);
	assert_int_equal(uids[0], 2);
	assert_int_equal(uids[1], 4);
	free(seqs);
	free(uids);
	assert_int_equal(folder_exists(g), folder_exists(f));
	assert_int_equal(folder_unseen(g), folder_unseen(f));
	for (i = 1; i <= folder_exists(f); i++)
		assert_int_equal(folder_uid(g, i), folder_uid(f, i));
	t_ok(folder_refresh(g, &err));
	assert_false(folder_has_gone(g));
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

static void
without_any_expunge_the_numbers_stand(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;
	struct err err;

	f = filled(s, &a, 3);
	g = outline(a);
	t_unlink(s, T_HOME "/postern.index");
	t_ok(folder_load(g, &err));
	assert_int_equal(folder_exists(g), 3);
	assert_false(folder_has_gone(g));
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

/* Somebody puts a file back whose UID the folder gave out. */
static void
one_that_came_back_is_one_more(void **state)
{
	struct t_store *s = *state;
	char name[256], path[300], away[300];
	struct account *a;
	struct folder *f, *g;
	struct err err;

	f = filled(s, &a, 3);
	(void)t_count(s->dir, T_HOME "/cur", name);
	(void)snprintf(path, sizeof(path), T_HOME "/cur/%s", name);
	(void)snprintf(away, sizeof(away), "away");
	assert_int_equal(renameat(s->fd, path, s->fd, away), 0);
	t_unlink(s, T_HOME "/postern.index");
	t_ok(folder_refresh(f, &err));
	g = outline(a);
	assert_int_equal(folder_exists(g), 2);
	assert_int_equal(renameat(s->fd, away, s->fd, path), 0);
	t_unlink(s, T_HOME "/postern.index");
	t_ok(folder_load(g, &err));
	assert_int_equal(folder_exists(g), 3);
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

/* --- without waiting --- */

static bool
kernel_can(const struct account *a)
{
	int fd;

	disk_nowait(true);
	fd = disk_openat(account_dirfd(a), ".", O_PATH, 0);
	disk_nowait(false);
	return fd != -1 && disk_close(fd) == 0;
}

static void
a_warm_folder_tells_the_same(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;

	f = filled(s, &a, MANY);
	if (!kernel_can(a)) {
		folder_close(&f);
		account_close(&a);
		skip();
	}
	set(f, 7, &no_seen);
	folder_close(&f);
	f = outline(a);
	g = folder_open_warm(a, "", true);
	assert_non_null(g);
	assert_false(disk_is_nowait());
	assert_false(folder_loaded(g));
	assert_int_equal(folder_exists(g), MANY);
	assert_int_equal(folder_first_unseen(g), 7);
	assert_int_equal(folder_uidnext(g), folder_uidnext(f));
	assert_int_equal(folder_told_modseq(g), folder_told_modseq(f));
	folder_close(&g);
	assert_null(folder_open_warm(a, ".absent", true));
	folder_close(&f);
	account_close(&a);
}

/* What needs the lock, the whole index or the directories is left alone. */
static void
what_takes_long_is_not_begun_warm(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;

	f = filled(s, &a, 2000);
	set(f, 1000, &no_seen);			/* in neither end */
	set(f, 1990, &no_seen);
	assert_null(folder_open_warm(a, "", true));
	set(f, 1000, &add_seen);
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("recent"));
	assert_null(folder_open_warm(a, "", true));
	g = outline(a);				/* claims it */
	folder_close(&g);
	t_unlink(s, T_HOME "/postern.index");
	assert_null(folder_open_warm(a, "", true));
	folder_close(&f);
	account_close(&a);
}

static unsigned dirs_read;

static int
dirs_counted(int dirfd, const char *path, int flags, mode_t mode)
{
	dirs_read += (flags & O_DIRECTORY) != 0 &&
	    (strcmp(path, "new") == 0 || strcmp(path, "cur") == 0);
	return disk_real.openat(dirfd, path, flags, mode);
}

/* A folder that changed is gone through now and then: in a thread. */
static void
directories_are_not_read_warm(void **state)
{
	struct timespec ts[2] = { { .tv_nsec = 0 }, { .tv_nsec = 0 } };
	struct disk_ops ops = disk_real;
	struct t_store *s = *state;
	struct index_header h;
	struct account *a;
	struct folder *f, *g;
	struct err err;
	unsigned warm;
	int fd;

	f = filled(s, &a, 5);
	folder_close(&f);
	fd = openat(s->fd, T_HOME "/postern.index", O_RDWR);
	t_ok(index_header_read(fd, &h, &err));
	h.new_sec = h.cur_sec = h.scanned - 4000;
	h.new_nsec = h.cur_nsec = 0;
	h.scanned -= 5000;
	index_header_seal(&h);
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	ts[0].tv_sec = ts[1].tv_sec = h.cur_sec;
	assert_int_equal(utimensat(s->fd, T_HOME "/new", ts, 0), 0);
	assert_int_equal(utimensat(s->fd, T_HOME "/cur", ts, 0), 0);
	ops.openat = dirs_counted;
	dirs_read = 0;
	disk_ops_set(&ops);
	f = folder_open_warm(a, "", true);
	warm = dirs_read;
	g = outline(a);
	disk_ops_set(NULL);
	assert_null(f);
	assert_int_equal(warm, 0);
	assert_true(dirs_read > 0);
	folder_close(&g);
	(void)close(fd);
	account_close(&a);
}

static void
a_fresh_folder_is_known_without_waiting(void **state)
{
	struct t_store *s = *state;
	char name[256], path[300];
	struct account *a;
	struct folder *f, *g;
	struct err err;

	f = filled(s, &a, 5);
	g = outline(a);
	if (!kernel_can(a)) {
		assert_false(folder_is_fresh(g));
		folder_close(&g);
		folder_close(&f);
		account_close(&a);
		skip();
	}
	assert_true(folder_is_fresh(f));
	assert_true(folder_is_fresh(g));
	t_ok(folder_load(g, &err));
	assert_true(folder_is_fresh(g));
	/* another session's change */
	set(f, 2, &no_seen);
	assert_false(folder_is_fresh(g));
	t_ok(folder_refresh(g, &err));
	assert_true(folder_is_fresh(g));
	/* new mail, recent here */
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("new"));
	assert_false(folder_is_fresh(g));
	t_ok(folder_refresh(g, &err));
	assert_true(folder_is_fresh(g));
	/* another program's doing */
	(void)t_count(s->dir, T_HOME "/cur", name);
	(void)snprintf(path, sizeof(path), T_HOME "/cur/%s", name);
	t_unlink(s, path);
	assert_false(folder_is_fresh(g));
	t_ok(folder_refresh(g, &err));
	assert_true(folder_is_fresh(g));
	assert_true(folder_has_gone(g));
	folder_close(&g);
	folder_close(&f);
	account_close(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(tells_what_select_tells),
		T(recent_messages_are_read_at_once),
		T(messages_are_as_they_were),
		T(a_lost_memory_is_made_up_for),
		T(without_any_expunge_the_numbers_stand),
		T(one_that_came_back_is_one_more),
		T(a_warm_folder_tells_the_same),
		T(what_takes_long_is_not_begun_warm),
		T(directories_are_not_read_warm),
		T(a_fresh_folder_is_known_without_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
