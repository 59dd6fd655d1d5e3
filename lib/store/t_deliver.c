#include "store/t_util.h"

#include <fcntl.h>

#include "store/index.h"

/* J6, J7, J8, J9: one copy for a key, whatever happened before. */

#define KEY	"3kF9tQ010100"

static void
asked_again_finds_it(void **state)
{
	struct t_store *s = *state;
	enum delivered how;
	uint32_t uid = t_deliver(s, KEY, T_TEXT("one"));

	assert_int_equal(t_deliver_full(s->fd, KEY, T_TEXT("one"), true,
	    &how), uid);
	assert_int_equal(how, DELIVERED_BEFORE);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 1);
	(void)t_deliver_full(s->fd, "3kF9tQ010199", T_TEXT("one"), true,
	    &how);
	assert_int_equal(how, DELIVERED_NEW);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 2);
}

static void
expunged_is_not_brought_back(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	uint32_t one = 1;
	enum delivered how;
	struct err err;
	bool more;

	(void)t_deliver(s, KEY, T_TEXT("one"));
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	t_ok(folder_expunge(f, &one, 1, &err));
	(void)t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	t_ok(folder_flush(f, 100, &more, &err));
	(void)t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 0);
	folder_close(&f);
	account_close(&a);
}

static void
moved_is_found_where_it_went(void **state)
{
	struct t_store *s = *state;
	struct folder_copied c;
	struct account *a;
	struct folder *f;
	uint32_t one = 1;
	enum delivered how;
	struct err err;
	bool more;

	(void)t_deliver(s, KEY, T_TEXT("one"));
	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Keep", &err));
	f = t_folder(a, "");
	t_ok(folder_copy(f, &one, 1, ".Keep", true, &c, &err));
	folder_copied_fini(&c);
	t_ok(folder_flush(f, 100, &more, &err));
	folder_close(&f);
	(void)t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	/* also when INBOX forgot: the name in the other folder tells */
	t_unlink(s, T_HOME "/postern.index");
	t_unlink(s, T_HOME "/postern.cache");
	(void)t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 0);
	assert_int_equal(t_count(s->dir, T_HOME "/.Keep/cur", NULL), 1);
	account_close(&a);
}

static void
other_content_is_a_second_file(void **state)
{
	struct t_store *s = *state;
	enum delivered how;

	(void)t_deliver(s, KEY, T_TEXT("one"));
	(void)t_deliver_full(s->fd, KEY, T_TEXT("two"), true, &how);
	assert_int_equal(how, DELIVERED_SECOND);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 2);
}

static void
damaged_by_power_cut_is_repaired_in_place(void **state)
{
	struct t_store *s = *state;
	char name[256], again[256], path[1024];
	enum delivered how;
	uint32_t uid = t_deliver(s, KEY, T_TEXT("one"));
	struct stat st;

	assert_int_equal(t_count(s->dir, T_HOME "/new", name), 1);
	(void)snprintf(path, sizeof(path), "%s/" T_HOME "/new/%s", s->dir,
	    name);
	assert_int_equal(truncate(path, 0), 0);
	store_boot_pretend(1);
	assert_int_equal(t_deliver_full(s->fd, KEY, T_TEXT("one"), true,
	    &how), uid);
	assert_int_equal(how, DELIVERED_REPAIRED);
	assert_int_equal(t_count(s->dir, T_HOME "/new", again), 1);
	assert_string_equal(name, again);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 50);
	(void)t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how);
	assert_int_equal(how, DELIVERED_BEFORE);
}

static void
lost_by_power_cut_is_made_anew(void **state)
{
	struct t_store *s = *state;
	char name[256], path[512];
	enum delivered how;
	uint32_t uid = t_deliver(s, KEY, T_TEXT("one"));

	assert_int_equal(t_count(s->dir, T_HOME "/new", name), 1);
	(void)snprintf(path, sizeof(path), T_HOME "/new/%s", name);
	t_unlink(s, path);
	store_boot_pretend(1);
	assert_true(t_deliver_full(s->fd, KEY, T_TEXT("one"), true, &how) >
	    uid);
	assert_int_equal(how, DELIVERED_NEW);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 1);
}

static void
after_a_failed_sync_equal_files_are_rewritten(void **state)
{
	struct t_store *s = *state;
	struct delivery_body body = { .mem = span_str(T_TEXT("one")),
	    .fd = -1 };
	struct delivery d = { .queue_id = SPAN_LIT(KEY),
	    .arrival = 1763640000, .head =
	    SPAN_LIT("Return-Path: <a@b.example>\r\n"), .body = &body,
	    .maybe_done = true, .rewrite = true };
	struct delivery_target *t;
	enum delivered how;
	struct err err;
	uint32_t uid;

	(void)t_deliver(s, KEY, T_TEXT("one"));
	t = delivery_open(s->fd, T_MAILBOX, &err);
	assert_non_null(t);
	t_ok(deliver_one(t, &d, false, &how, &uid, &err));
	assert_int_equal(how, DELIVERED_REPAIRED);
	assert_int_equal(uid, 1);
	delivery_close(&t);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 1);
}

/* Makes every GONE record older than the store remembers. */
static void
gone_grow_old(struct t_store *s)
{
	struct index_header h;
	struct index_group g;
	struct err err;
	uint32_t n, i;
	int fd = openat(s->fd, T_HOME "/postern.index", O_RDWR);

	t_ok(index_header_read(fd, &h, &err));
	for (n = 0; n < index_groups(h.n_recs); n++) {
		t_ok(index_group_read(fd, n, h.generation, &g, &err));
		for (i = 0; i < g.count; i++)
			if (g.rec[i].state & REC_GONE)
				g.rec[i].date -= 7 * 86400;
		index_group_seal(&g);
		assert_int_equal(pwrite(fd, &g, sizeof(g),
		    (off_t)index_group_offset(n)), sizeof(g));
	}
	h.compact_gone = 0;
	index_header_seal(&h);
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	(void)close(fd);
}

static void
body_from_a_file(void **state)
{
	struct t_store *s = *state;
	enum { N = 3 * 1024 * 1024 };
	struct delivery_body body = { .off = 100, .len = N };
	struct delivery d = { .queue_id = SPAN_LIT(KEY),
	    .arrival = 1763640000, .head = SPAN_LIT("X: y\r\n"),
	    .body = &body };
	char *text = malloc(N + 100), name[256], path[512];
	struct delivery_target *t;
	enum delivered how;
	struct err err;
	struct stat st;
	uint32_t uid;
	size_t i;

	for (i = 0; i < N + 100; i++)
		text[i] = i % 70 == 69 ? '\n' : (char)('a' + i % 26);
	body.fd = open(s->dir, O_RDWR | O_TMPFILE, 0600);
	assert_int_equal(pwrite(body.fd, text, N + 100, 0), N + 100);
	t = delivery_open(s->fd, T_MAILBOX, &err);
	t_ok(deliver_one(t, &d, true, &how, &uid, &err));
	assert_int_equal(how, DELIVERED_NEW);
	d.maybe_done = true;
	t_ok(deliver_one(t, &d, true, &how, &uid, &err));
	assert_int_equal(how, DELIVERED_BEFORE);
	delivery_close(&t);
	assert_int_equal(t_count(s->dir, T_HOME "/new", name), 1);
	(void)snprintf(path, sizeof(path), T_HOME "/new/%s", name);
	assert_int_equal(fstatat(s->fd, path, &st, 0), 0);
	assert_int_equal(st.st_size, N + 6);
	(void)close(body.fd);
	free(text);
}

/* Many come and go: young memory stays, old goes, names and texts of those
 * that stay move with it. */
static void
compaction_keeps_what_counts(void **state)
{
	enum { N = 300 };
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct msg_texts t;
	enum delivered how;
	struct stat before, after;
	uint32_t seqs[N], i;
	struct err err;
	bool more = true;
	char key[16];

	for (i = 0; i < N; i++) {
		(void)snprintf(key, sizeof(key), "3kF9tQ01%04u", i);
		(void)t_deliver(s, key, T_TEXT("one"));
		seqs[i] = i + 1;
	}
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	t_ok(folder_expunge(f, seqs, N - 1, &err));
	while (more)
		t_ok(folder_flush(f, 100, &more, &err));
	folder_close(&f);
	(void)t_deliver_full(s->fd, "3kF9tQ010007", T_TEXT("one"), true,
	    &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	assert_int_equal(fstatat(s->fd, T_HOME "/postern.cache", &before, 0),
	    0);
	/* a week later */
	gone_grow_old(s);
	f = t_folder(a, "");
	t_ok(folder_expunge(f, NULL, 0, &err));
	t_ok(folder_flush(f, 100, &more, &err));
	assert_int_equal(fstatat(s->fd, T_HOME "/postern.cache", &after, 0),
	    0);
	assert_true(after.st_size < before.st_size / 10);
	assert_int_equal(folder_exists(f), 1);
	t_ok(folder_msg_texts(f, 1, &t, &err));
	assert_non_null(memmem(t.envelope.p, t.envelope.n, "\"one\"", 5));
	folder_close(&f);
	(void)t_deliver_full(s->fd, "3kF9tQ010299", T_TEXT("one"), true,
	    &how);
	assert_int_equal(how, DELIVERED_BEFORE);
	account_close(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(asked_again_finds_it),
		T(expunged_is_not_brought_back),
		T(moved_is_found_where_it_went),
		T(other_content_is_a_second_file),
		T(damaged_by_power_cut_is_repaired_in_place),
		T(lost_by_power_cut_is_made_anew),
		T(after_a_failed_sync_equal_files_are_rewritten),
		T(body_from_a_file),
		T(compaction_keeps_what_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
