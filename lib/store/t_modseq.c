#include "store/t_util.h"

#include "store/head.h"

/* Modification sequences and the memory of expunges (RFC 7162), also over
 * crashes, power cuts and the loss of the index. */

static struct flag_change
change(enum flag_op op, uint32_t flags)
{
	return (struct flag_change){ .op = op, .flags = flags,
	    .unchanged_since = UINT64_MAX };
}

/* A folder with `n` messages. */
static struct folder *
filled(struct t_store *s, struct account **a, unsigned n)
{
	char key[16];
	unsigned i;

	for (i = 0; i < n; i++) {
		(void)snprintf(key, sizeof(key), "3kF9tQ01%04u", i);
		(void)t_deliver(s, key, T_TEXT("m"));
	}
	*a = t_account_at(s->fd);
	return t_folder(*a, "");
}

static uint64_t
modseq_at(struct folder *f, uint32_t seq)
{
	struct folder_msg m;

	assert_true(folder_msg(f, seq, &m));
	return m.modseq;
}

static void
expunge(struct folder *f, uint32_t seq)
{
	struct err err;
	uint32_t *seqs;

	t_ok(folder_expunge(f, &seq, 1, &err));
	(void)folder_expunged_take(f, &seqs, NULL);
	free(seqs);
}

static void
flush(struct folder *f)
{
	struct err err;
	bool more = true;

	while (more)
		t_ok(folder_flush(f, 100, &more, &err));
}

/* What vanished since, as text: "known 2,3". */
static void
assert_vanished(struct folder *f, uint64_t since, const char *want)
{
	char text[256];
	uint32_t *uids;
	struct err err;
	size_t n, i, at;
	bool known;

	t_ok(folder_vanished(f, since, &uids, &n, &known, &err));
	at = (size_t)snprintf(text, sizeof(text), known ? "known" : "unknown");
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %u",
		    uids[i]);
	assert_string_equal(text, want);
	free(uids);
}

static void
only_changes_take_a_modseq(void **state)
{
	struct flag_change c = change(FLAG_ADD, MSG_SEEN);
	struct t_store *s = *state;
	struct account *a;
	struct msg_texts t;
	uint32_t seqs[] = { 1, 2 };
	struct folder *f;
	struct err err;
	uint64_t high;

	f = filled(s, &a, 3);
	high = folder_highest_modseq(f);
	assert_int_equal(modseq_at(f, 3), high);
	assert_true(modseq_at(f, 2) < high);
	t_ok(folder_store(f, seqs, 2, &c, NULL, NULL, &err));
	assert_int_equal(folder_highest_modseq(f), high + 1);
	assert_int_equal(modseq_at(f, 1), high + 1);
	assert_int_equal(modseq_at(f, 2), high + 1);
	/* the same again, names, texts: nothing that a reader could see */
	t_ok(folder_store(f, seqs, 2, &c, NULL, NULL, &err));
	flush(f);
	t_ok(folder_msg_texts(f, 1, &t, &err));
	assert_int_equal(folder_highest_modseq(f), high + 1);
	assert_int_equal(modseq_at(f, 1), high + 1);
	folder_close(&f);
	account_close(&a);
}

static void
store_fails_for_what_changed_since(void **state)
{
	struct flag_change c = change(FLAG_ADD, MSG_SEEN);
	struct t_store *s = *state;
	uint32_t seqs[] = { 1, 2, 3 }, failed[3], seq;
	struct account *a;
	struct folder *f;
	struct err err;
	size_t n;
	bool flags;

	f = filled(s, &a, 3);
	c.unchanged_since = folder_highest_modseq(f);
	t_ok(folder_store(f, seqs + 1, 1, &c, NULL, NULL, &err));
	while (folder_changed_next(f, &seq, &flags))
		;
	c.flags = MSG_FLAGGED;
	c.silent = c.stamp = true;
	t_ok(folder_store(f, seqs, 3, &c, failed, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(failed[0], 2);
	assert_true(folder_changed_next(f, &seq, &flags));
	assert_int_equal(seq, 1);
	assert_false(flags);
	assert_true(folder_changed_next(f, &seq, &flags));
	assert_int_equal(seq, 3);
	assert_false(folder_changed_next(f, &seq, &flags));
	folder_close(&f);
	account_close(&a);
}

static void
expunges_are_remembered(void **state)
{
	struct t_store *s = *state;
	uint32_t *seqs, two = 2;
	struct account *a;
	struct folder *f, *g;
	uint64_t before;
	struct err err;

	f = filled(s, &a, 5);
	g = t_folder(a, "");
	before = folder_highest_modseq(f);
	assert_vanished(f, before, "known");
	expunge(f, 2);
	assert_vanished(f, before, "known 2");
	expunge(f, 3);			/* UID 4 */
	assert_vanished(f, before, "known 2 4");
	assert_vanished(f, before + 1, "known 4");
	assert_vanished(f, before + 2, "known");
	assert_vanished(f, before + 3, "unknown");
	/* who was not told yet will be: and no modseq may say otherwise */
	t_ok(folder_refresh(g, &err));
	assert_vanished(g, before, "known");
	assert_int_equal(folder_highest_modseq(g), before + 2);
	assert_int_equal(folder_told_modseq(g), before);
	assert_int_equal(folder_expunged_take(g, &seqs, NULL), 2);
	free(seqs);
	assert_int_equal(folder_told_modseq(g), before + 2);
	/* MOVE is an expunge, too; the lazy unlink forgets nothing */
	t_ok(account_folder_create(a, ".To", &err));
	{
		struct folder_copied copied;

		t_ok(folder_copy(g, &two, 1, ".To", true, &copied, &err));
		folder_copied_fini(&copied);
	}
	assert_int_equal(folder_expunged_take(g, &seqs, NULL), 1);
	free(seqs);
	flush(g);
	assert_vanished(g, before, "known 2 3 4");
	folder_close(&f);
	folder_close(&g);
	account_close(&a);
}

static void
modseq_survives_the_loss_of_the_index(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	uint64_t before;

	f = filled(s, &a, 3);
	expunge(f, 2);
	flush(f);
	before = folder_highest_modseq(f);
	folder_close(&f);
	t_unlink(s, T_HOME "/postern.index");
	f = t_folder(a, "");
	assert_true(folder_highest_modseq(f) > before);
	assert_true(modseq_at(f, 1) > before);
	assert_true(modseq_at(f, 2) > before);
	assert_vanished(f, before, "unknown");
	assert_vanished(f, folder_highest_modseq(f), "known");
	/* and again, at once: higher still */
	before = folder_highest_modseq(f);
	folder_close(&f);
	t_unlink(s, T_HOME "/postern.index");
	f = t_folder(a, "");
	assert_true(folder_highest_modseq(f) > before);
	folder_close(&f);
	account_close(&a);
}

/* The index as it was before flags and expunges that a reader was told of. */
static void
modseq_survives_a_power_cut(void **state)
{
	struct flag_change c = change(FLAG_ADD, MSG_FLAGGED);
	struct t_store *s = *state;
	char command[1024];
	struct account *a;
	struct folder *f;
	uint32_t one = 1;
	uint64_t told;
	struct err err;

	f = filled(s, &a, 3);
	folder_close(&f);
	(void)snprintf(command, sizeof(command), "cp %s/" T_HOME
	    "/postern.index %s/old", s->dir, s->dir);
	assert_int_equal(system(command), 0);
	f = t_folder(a, "");
	t_ok(folder_store(f, &one, 1, &c, NULL, NULL, &err));
	expunge(f, 3);
	told = folder_highest_modseq(f);
	folder_close(&f);
	(void)snprintf(command, sizeof(command), "mv %s/old %s/" T_HOME
	    "/postern.index", s->dir, s->dir);
	assert_int_equal(system(command), 0);
	store_boot_pretend(1);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 3);
	assert_true(modseq_at(f, 1) > told);
	assert_true(modseq_at(f, 3) > told);
	assert_vanished(f, told, "unknown");
	folder_close(&f);
	account_close(&a);
}

/* A head file that has no ceiling of modseqs, as 0.1 wrote it. */
static void
old_head_gets_a_ceiling(void **state)
{
	struct flag_change c = change(FLAG_ADD, MSG_SEEN);
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct head h;
	uint32_t one = 1;
	uint64_t before;
	struct err err;
	int fd;

	f = filled(s, &a, 2);
	folder_close(&f);
	fd = openat(s->fd, T_HOME "/postern.head", O_RDWR);
	assert_true(fd >= 0);
	t_ok(head_read(fd, HEAD_FOLDER, &h, &err));
	assert_true(h.modseq > 0);
	h.modseq = 0;
	t_ok(head_write(fd, HEAD_FOLDER, &h, &err));
	f = t_folder(a, "");
	t_ok(folder_store(f, &one, 1, &c, NULL, NULL, &err));
	before = folder_highest_modseq(f);
	t_ok(head_read(fd, HEAD_FOLDER, &h, &err));
	assert_true(h.modseq > before);
	(void)close(fd);
	folder_close(&f);
	account_close(&a);
}

/* What a long-lived handle knows of the head file may be old. */
/* Somebody deletes the index; one session makes it anew, another goes on. */
static void
deleted_index_is_noticed(void **state)
{
	struct flag_change c = change(FLAG_ADD, MSG_SEEN);
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;
	struct folder_msg m;
	uint32_t two = 2;
	struct err err;

	f = filled(s, &a, 3);
	t_unlink(s, T_HOME "/postern.index");
	g = t_folder(a, "");
	t_ok(folder_store(g, &two, 1, &c, NULL, NULL, &err));
	t_ok(folder_refresh(f, &err));
	assert_true(folder_msg(f, 2, &m));
	assert_int_equal(m.uid, 2);
	assert_int_equal(m.flags, MSG_SEEN);
	assert_int_equal(folder_exists(f), 3);
	folder_close(&f);
	folder_close(&g);
	account_close(&a);
}

static void
raised_ceiling_is_believed(void **state)
{
	struct t_store *s = *state;
	struct folder_new item = { .data = SPAN_LIT(T_TEXT("m")) };
	struct account *a, *b;
	struct folder *f;
	uint32_t uidv, i;
	struct err err;

	f = filled(s, &a, 1);
	b = t_account_at(s->fd);
	for (i = 0; i < HEAD_STEP + 10; i++)
		t_ok(folder_append(b, "", &item, 1, &uidv, &err));
	account_close(&b);
	/* a foreign file has the directory read */
	t_write(s, T_HOME "/cur/1000000000.M1P2.other:2,", "S: x\n\nx\n");
	t_ok(folder_refresh(f, &err));
	assert_int_equal(folder_exists(f), HEAD_STEP + 12);
	assert_false(folder_has_gone(f));
	assert_int_equal(folder_uid(f, HEAD_STEP + 11), HEAD_STEP + 11);
	folder_close(&f);
	account_close(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_changes_take_a_modseq),
		T(store_fails_for_what_changed_since),
		T(expunges_are_remembered),
		T(modseq_survives_the_loss_of_the_index),
		T(modseq_survives_a_power_cut),
		T(old_head_gets_a_ceiling),
		T(deleted_index_is_noticed),
		T(raised_ceiling_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
