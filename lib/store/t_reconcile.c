#include "store/t_util.h"

#include <dirent.h>

#include "store/index.h"

/* The maildir is the truth: what other programs and crashes do to it. */

/* Removes the files of one directory. */
static void
t_remove_all(struct t_store *s, const char *dir)
{
	int fd = openat(s->fd, dir, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			assert_int_equal(unlinkat(fd, e->d_name, 0), 0);
	(void)closedir(d);
}

static const struct flag_change seen = { .op = FLAG_ADD, .flags = MSG_SEEN,
    .unchanged_since = UINT64_MAX };

static void
three(struct t_store *s)
{
	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("one"));
	(void)t_deliver(s, "3kF9tQ010101", T_TEXT("two"));
	(void)t_deliver(s, "3kF9tQ010102", T_TEXT("three"));
}

static void
rebuild_gives_the_same_uids(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct folder_msg m;
	struct msg_texts t;
	uint32_t uidv, two = 2;
	struct err err;
	bool more;

	three(s);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	uidv = folder_uidvalidity(f);
	t_ok(folder_store(f, &two, 1, &seen, NULL, NULL, &err));
	t_ok(folder_flush(f, 100, &more, &err));
	folder_close(&f);
	t_unlink(s, T_HOME "/postern.index");
	t_unlink(s, T_HOME "/postern.cache");
	f = t_folder(a, "");
	assert_int_equal(folder_uidvalidity(f), uidv);
	assert_int_equal(folder_exists(f), 3);
	assert_int_equal(folder_uid(f, 1), 1);
	assert_int_equal(folder_uid(f, 3), 3);
	assert_true(folder_uidnext(f) > 3);
	assert_true(folder_msg(f, 2, &m));
	assert_int_equal(m.flags, MSG_SEEN);
	assert_int_equal(m.date, 1763640000);
	t_ok(folder_msg_texts(f, 3, &t, &err));
	assert_non_null(memmem(t.envelope.p, t.envelope.n, "\"three\"", 7));
	folder_close(&f);
	account_close(&a);
	/* and a UID given out later is a new one */
	assert_true(t_deliver(s, "3kF9tQ010103", T_TEXT("four")) > 3);
}

static void
foreign_files_are_taken_over(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct folder_msg m;
	struct buf text;
	struct err err;
	char name[256];

	three(s);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	t_write(s, T_HOME "/cur/1000000000.M1P2.other:2,FS",
	    "Subject: lf\n\nbody\n");
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), 4);
	assert_true(folder_msg(f, 4, &m));
	assert_int_equal(m.uid, 4);
	assert_int_equal(m.flags, MSG_FLAGGED | MSG_SEEN);
	assert_int_equal(m.size, strlen("Subject: lf\r\n\r\nbody\r\n"));
	assert_false(folder_msg_is_crlf(f, 4));
	buf_init(&text, BUF_NO_CAP);
	t_ok(folder_msg_load(f, 4, &text, &err));
	assert_string_equal(buf_cstr(&text), "Subject: lf\r\n\r\nbody\r\n");
	buf_fini(&text);
	assert_int_equal(t_count(s->dir, T_HOME "/cur", name), 1);
	assert_non_null(strstr(name, ",S=18,W=21,U="));
	assert_non_null(strstr(name, ".4:2,FS"));
	/* a directory and a dot file do not matter */
	assert_int_equal(mkdirat(s->fd, T_HOME "/cur/dir", 0700), 0);
	t_write(s, T_HOME "/new/.hidden", "x");
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), 4);
	folder_close(&f);
	account_close(&a);
}

static void
foreign_renames_and_removals_count(void **state)
{
	struct t_store *s = *state;
	char name[256], from[600], to[600];
	struct account *a;
	struct folder *f;
	struct folder_msg m;
	uint32_t seq, *seqs;
	struct err err;
	bool flags;
	int fd;

	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("one"));
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	assert_int_equal(t_count(s->dir, T_HOME "/new", name), 1);
	(void)snprintf(from, sizeof(from), T_HOME "/new/%s", name);
	(void)snprintf(to, sizeof(to), T_HOME "/cur/%s:2,R", name);
	assert_int_equal(renameat(s->fd, from, s->fd, to), 0);
	/* before we know, the file is found all the same */
	t_ok(folder_msg_open(f, 1, &fd, &err));
	(void)close(fd);
	t_ok(folder_refresh(f, &err));
	assert_true(folder_changed_next(f, &seq, &flags));
	assert_true(folder_msg(f, 1, &m));
	assert_int_equal(m.flags, MSG_ANSWERED);
	assert_int_equal(m.uid, 1);
	t_unlink(s, to);
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_expunged_take(f, &seqs, NULL), 1);
	free(seqs);
	folder_close(&f);
	account_close(&a);
}

/* U= is believed only when it fits, is below the ceiling and unique. */
static void
false_uids_are_not_believed(void **state)
{
	struct t_store *s = *state;
	char name[256], path[600];
	struct account *a;
	struct folder *f;
	uint32_t uidv;
	struct err err;

	three(s);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	uidv = folder_uidvalidity(f);
	/* beyond the ceiling */
	(void)snprintf(path, sizeof(path), T_HOME
	    "/cur/5.x.h,S=1,W=1,U=%u.4000000000:2,", uidv);
	t_write(s, path, "a");
	/* another UIDVALIDITY */
	(void)snprintf(path, sizeof(path), T_HOME
	    "/cur/6.y.h,S=1,W=1,U=%u.500:2,", uidv + 1);
	t_write(s, path, "b");
	/* one that is taken */
	(void)snprintf(path, sizeof(path), T_HOME
	    "/cur/7.z.h,S=1,W=1,U=%u.2:2,", uidv);
	t_write(s, path, "c");
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), 6);
	assert_int_equal(folder_uid(f, 2), 2);
	assert_int_equal(folder_uid(f, 4), 4);
	assert_int_equal(folder_uid(f, 6), 6);
	assert_int_equal(t_count(s->dir, T_HOME "/cur", name), 3);
	folder_close(&f);
	account_close(&a);
}

static void
damaged_index_is_rebuilt(void **state)
{
	struct t_store *s = *state;
	static const off_t at[] = { 0, 20, 60, 100, 4096, 4200, 4500, 8190 };
	struct account *a;
	struct folder *f;
	struct usage u;
	struct err err;
	char junk[64];
	size_t i;
	int fd;

	three(s);
	a = t_account_at(s->fd);
	memset(junk, 0xa5, sizeof(junk));
	for (i = 0; i < ARRAY_LEN(at); i++) {
		fd = openat(s->fd, T_HOME "/postern.index", O_RDWR);
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at[i]),
		    sizeof(junk));
		(void)close(fd);
		f = t_folder(a, "");
		assert_int_equal(folder_exists(f), 3);
		assert_int_equal(folder_uid(f, 1), 1);
		assert_int_equal(folder_uid(f, 3), 3);
		folder_close(&f);
	}
	fd = openat(s->fd, T_HOME "/postern.index", O_RDWR | O_TRUNC);
	(void)close(fd);
	t_ok(account_usage(a, &u, &err));
	assert_int_equal(u.messages, 3);
	/* the cache, too */
	fd = openat(s->fd, T_HOME "/postern.cache", O_RDWR);
	for (i = 0; i < 40; i++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk),
		    (off_t)(16 + i * 64)), sizeof(junk));
	(void)close(fd);
	f = t_folder(a, "");
	for (i = 1; i <= 3; i++) {
		struct msg_texts t;
		t_ok(folder_msg_texts(f, (uint32_t)i, &t, &err));
		assert_true(t.envelope.n > 0);
	}
	folder_close(&f);
	account_close(&a);
}

static void
damaged_head_gets_a_new_uidvalidity(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	uint32_t uidv;
	int fd;

	three(s);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	uidv = folder_uidvalidity(f);
	folder_close(&f);
	fd = openat(s->fd, T_HOME "/postern.head", O_RDWR);
	assert_int_equal(pwrite(fd, "XXXX", 4, 14), 4);
	(void)close(fd);
	t_unlink(s, T_HOME "/postern.index");
	f = t_folder(a, "");
	assert_true(folder_uidvalidity(f) > uidv);
	assert_int_equal(folder_exists(f), 3);
	folder_close(&f);
	account_close(&a);
}

/* Deliveries, index losses, power cuts: a UID names one message for ever. */
static void
uid_is_never_given_twice(void **state)
{
	struct t_store *s = *state;
	uint32_t last = 0, uid;
	char key[16];
	int i;

	for (i = 0; i < 2100; i++) {
		(void)snprintf(key, sizeof(key), "3kF9tQ%06d", i);
		uid = t_deliver(s, key, T_TEXT("x"));
		assert_true(uid > last);
		last = uid;
		if (i % 500 == 100)
			t_unlink(s, T_HOME "/postern.index");
		if (i % 700 == 300)
			store_boot_pretend((uint8_t)(i / 700 + 1));
	}
}

static void
unreadable_folder_is_an_error_of_its_own(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct usage u;
	struct err err;

	three(s);
	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Bad", &err));
	/* a file where a directory should be */
	assert_int_equal(unlinkat(s->fd, T_HOME "/.Bad/new", AT_REMOVEDIR),
	    0);
	t_write(s, T_HOME "/.Bad/new", "no directory");
	t_unlink(s, T_HOME "/.Bad/postern.index");
	f = folder_open(a, ".Bad", true, &err);
	assert_null(f);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_true(account_usage(a, &u, &err) < 0);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 3);
	folder_close(&f);
	account_close(&a);
	assert_int_equal(t_deliver(s, "3kF9tQ010103", T_TEXT("four")), 4);
}

/* A file that came in the tick of our own change is found an hour later. */
static void
what_left_no_trace_is_found_later(void **state)
{
	struct t_store *s = *state;
	struct index_header h;
	struct account *a;
	struct folder *f;
	struct stat st;
	struct err err;
	int fd;

	three(s);
	t_write(s, T_HOME "/cur/1000000000.M1P2.other:2,S", "Subject: x\n\n");
	/* as if our own change had hidden it */
	fd = openat(s->fd, T_HOME "/postern.index", O_RDWR);
	t_ok(index_header_read(fd, &h, &err));
	assert_int_equal(fstatat(s->fd, T_HOME "/cur", &st, 0), 0);
	h.cur_sec = st.st_mtim.tv_sec;
	h.cur_nsec = (uint32_t)st.st_mtim.tv_nsec;
	index_header_seal(&h);
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 3);
	folder_close(&f);
	t_ok(index_header_read(fd, &h, &err));
	h.scanned -= 4000;
	index_header_seal(&h);
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	(void)close(fd);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 4);
	folder_close(&f);
	account_close(&a);
}

/* A session has the old head file open, and its lock. */
static void
a_lost_head_is_lost_for_all(void **state)
{
	struct folder_new item = { .data = SPAN_LIT(T_TEXT("a")) };
	struct t_store *s = *state;
	uint32_t was, uidv;
	struct account *a;
	struct folder *f;
	struct err err;

	three(s);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	was = folder_uidvalidity(f);
	t_unlink(s, T_HOME "/postern.head");
	t_ok(folder_append(a, "", &item, 1, &uidv, &err));
	assert_true(uidv > was);
	assert_int_equal(item.uid, 4);
	assert_int_equal(folder_refresh(f, &err), PS_ESTATE);
	folder_close(&f);
	f = t_folder(a, "");
	assert_int_equal(folder_uidvalidity(f), uidv);
	assert_int_equal(folder_exists(f), 4);
	assert_int_equal(folder_uid(f, 4), item.uid);
	folder_close(&f);
	account_close(&a);
}

static void
a_missed_file_is_told_at_the_next_refresh(void **state)
{
	struct t_store *s = *state;
	struct timespec was[2];
	struct account *a;
	struct folder *f;
	struct folder_msg m;
	struct stat st;
	struct err err;
	int fd;

	three(s);
	t_write(s, T_HOME "/cur/1000000000.M1P2.other:2,S", "Subject: x\n\n");
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 4);
	/* removed without a trace in the directory's mtime */
	assert_int_equal(fstatat(s->fd, T_HOME "/cur", &st, 0), 0);
	was[0] = st.st_atim;
	was[1] = st.st_mtim;
	assert_int_equal(folder_msg_open(f, 4, &fd, &err), 0);
	(void)close(fd);
	assert_int_equal(t_count(s->dir, T_HOME "/cur", NULL), 1);
	t_remove_all(s, T_HOME "/cur");
	assert_int_equal(utimensat(s->fd, T_HOME "/cur", was, 0), 0);
	t_ok(folder_refresh(f, &err));
	assert_false(folder_has_gone(f));
	assert_int_equal(folder_msg_open(f, 4, &fd, &err), PS_ENOTFOUND);
	t_ok(folder_refresh(f, &err));
	assert_true(folder_msg(f, 4, &m) && m.gone);
	assert_true(folder_msg(f, 3, &m) && !m.gone);
	folder_close(&f);
	account_close(&a);
}

/* More than a slice takes, with some that cannot be taken in front. */
static void
many_foreign_files_come_in_order(void **state)
{
	struct t_store *s = *state;
	const unsigned n = 3000;
	struct account *a = t_account_at(s->fd);
	struct folder *f = t_folder(a, "");
	struct err err;
	char path[128];
	unsigned i;

	for (i = 0; i < 50; i++) {
		(void)snprintf(path, sizeof(path), T_HOME "/cur/%u.M0.h:2,S",
		    1000 + i);
		assert_int_equal(mkfifoat(s->fd, path, 0600), 0);
	}
	for (i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), T_HOME "/cur/%u.M%u.h:2,S",
		    2000 + i, i);
		t_write(s, path, "Subject: x\n\nbody\n");
	}
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), n);
	for (i = 1; i <= n; i++)
		assert_int_equal(folder_uid(f, i), i);
	for (i = 1; i <= n; i += 500) {
		struct buf b;

		buf_init(&b, BUF_NO_CAP);
		t_ok(folder_msg_load(f, i, &b, &err));
		buf_fini(&b);
	}
	(void)t_deliver(s, "3kF9tQ0101Q0", T_TEXT("last"));
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), n + 1);
	assert_int_equal(folder_uid(f, n + 1), n + 1);
	folder_close(&f);
	account_close(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(rebuild_gives_the_same_uids),
		T(foreign_files_are_taken_over),
		T(foreign_renames_and_removals_count),
		T(false_uids_are_not_believed),
		T(damaged_index_is_rebuilt),
		T(damaged_head_gets_a_new_uidvalidity),
		T(uid_is_never_given_twice),
		T(what_left_no_trace_is_found_later),
		T(a_lost_head_is_lost_for_all),
		T(a_missed_file_is_told_at_the_next_refresh),
		T(many_foreign_files_come_in_order),
		T(unreadable_folder_is_an_error_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
