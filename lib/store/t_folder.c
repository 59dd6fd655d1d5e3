#include "store/t_util.h"

#include "mail/field_names.h"
#include "store/special.h"

/* The road of a message through the library, and views that agree. */

static void
delivered_mail_is_seen(void **state)
{
	struct t_store *s = *state;
	struct folder_msg m;
	struct msg_texts t;
	struct account *a;
	struct folder *f;
	struct buf text;
	struct err err;

	assert_int_equal(t_deliver(s, "3kF9tQ010100", T_TEXT("one")), 1);
	assert_int_equal(t_deliver(s, "3kF9tQ010101", T_TEXT("two")), 2);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 2);
	assert_int_equal(t_count(s->dir, T_HOME "/tmp", NULL), 0);

	a = t_account_at(s->fd);
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 2);
	assert_int_equal(folder_recent(f), 2);
	assert_int_equal(folder_unseen(f), 2);
	assert_int_equal(folder_first_unseen(f), 1);
	assert_int_equal(folder_uidnext(f), 3);
	assert_true(folder_msg(f, 2, &m));
	assert_int_equal(m.uid, 2);
	assert_int_equal(m.date, 1763640000);
	buf_init(&text, BUF_NO_CAP);
	t_ok(folder_msg_load(f, 2, &text, &err));
	assert_int_equal(m.size, buf_len(&text));
	assert_string_equal(buf_cstr(&text),
	    "Return-Path: <a@b.example>\r\n" T_TEXT("two"));
	buf_fini(&text);
	t_ok(folder_msg_texts(f, 1, &t, &err));
	assert_true(t.envelope.n > 10);
	assert_non_null(memmem(t.envelope.p, t.envelope.n, "\"one\"", 5));
	assert_true(t.bodystructure.n > 10);
	assert_int_equal(t.bodystructure.p[0], 0x28);
	assert_true(t.references.p != NULL && t.references.n == 0);
	/* what deliver put in front of it, too */
	assert_int_equal(field_names_count(t.fields, SPAN_LIT("Return-Path")),
	    1);
	assert_int_equal(field_names_count(t.fields, SPAN_LIT("subject")), 1);
	assert_int_equal(field_names_count(t.fields, SPAN_LIT("To")), 0);
	folder_close(&f);
	f = t_folder(a, "");
	assert_int_equal(folder_recent(f), 0);
	folder_close(&f);
	account_close(&a);
}

static const struct flag_change seen = { .op = FLAG_ADD, .flags = MSG_SEEN,
    .unchanged_since = UINT64_MAX };
static const struct flag_change deleted = { .op = FLAG_ADD,
    .flags = MSG_DELETED, .unchanged_since = UINT64_MAX };

static void
two_views_see_each_other(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f, *g;
	struct folder_msg m;
	uint32_t one[] = { 2 }, seq, *seqs, *uids;
	bool more, flags;
	struct err err;
	char name[256];

	(void)t_deliver(s, "3kF9tQ010100", T_TEXT("one"));
	(void)t_deliver(s, "3kF9tQ010101", T_TEXT("two"));
	(void)t_deliver(s, "3kF9tQ010102", T_TEXT("three"));
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	g = t_folder(a, "");
	t_ok(folder_store(f, one, 1, &seen, NULL, NULL, &err));
	assert_true(folder_changed_next(f, &seq, &flags));
	assert_int_equal(seq, 2);
	assert_false(folder_changed_next(f, &seq, &flags));
	assert_true(folder_msg(g, 2, &m));
	assert_int_equal(m.flags, 0);
	t_ok(folder_refresh(g, &err));
	assert_true(folder_changed_next(g, &seq, &flags));
	assert_int_equal(seq, 2);
	assert_false(folder_changed_next(g, &seq, &flags));
	assert_true(folder_msg(g, 2, &m));
	assert_int_equal(m.flags, MSG_SEEN);
	assert_int_equal(folder_unseen(g), 2);

	/* names follow when flushed */
	assert_true(folder_needs_flush(f));
	t_ok(folder_flush(f, 100, &more, &err));
	assert_false(more);
	assert_false(folder_needs_flush(f));
	assert_int_equal(t_count(s->dir, T_HOME "/cur", name), 1);
	assert_string_equal(strchr(name, ':'), ":2,S");

	/* expunge: gone in both, numbers stay until taken */
	t_ok(folder_store(f, one, 1, &deleted, NULL, NULL, &err));
	t_ok(folder_expunge(f, NULL, 0, &err));
	assert_int_equal(folder_exists(f), 3);
	assert_int_equal(folder_expunged_take(f, &seqs, &uids), 1);
	assert_int_equal(seqs[0], 2);
	assert_int_equal(uids[0], 2);
	free(seqs);
	free(uids);
	assert_int_equal(folder_exists(f), 2);
	assert_int_equal(folder_uid(f, 2), 3);
	(void)t_deliver(s, "3kF9tQ010103", T_TEXT("four"));
	t_ok(folder_refresh(g, &err));
	assert_int_equal(folder_exists(g), 4);
	assert_true(folder_has_gone(g));
	assert_int_equal(folder_expunged_take(g, &seqs, NULL), 1);
	assert_int_equal(seqs[0], 2);
	free(seqs);
	assert_int_equal(folder_seq(g, 4), 3);
	t_ok(folder_flush(g, 100, &more, &err));
	assert_int_equal(t_count(s->dir, T_HOME "/cur", NULL), 0);
	assert_int_equal(t_count(s->dir, T_HOME "/new", NULL), 3);
	folder_close(&f);
	folder_close(&g);
	account_close(&a);
}

static void
expunge_numbers_count_down(void **state)
{
	struct t_store *s = *state;
	uint32_t which[] = { 1, 3, 4 }, *seqs;
	struct account *a;
	struct folder *f;
	struct err err;
	char key[16];
	int i;

	for (i = 0; i < 5; i++) {
		(void)snprintf(key, sizeof(key), "3kF9tQ01010%d", i);
		(void)t_deliver(s, key, T_TEXT("x"));
	}
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	t_ok(folder_expunge(f, which, 3, &err));
	assert_int_equal(folder_expunged_take(f, &seqs, NULL), 3);
	assert_int_equal(seqs[0], 1);
	assert_int_equal(seqs[1], 2);
	assert_int_equal(seqs[2], 2);
	free(seqs);
	assert_int_equal(folder_uid(f, 1), 2);
	assert_int_equal(folder_uid(f, 2), 5);
	folder_close(&f);
	account_close(&a);
}

static void
append_copy_move(void **state)
{
	struct t_store *s = *state;
	struct folder_copied c;
	struct folder_new items[2] = {
		{ .data = SPAN_LIT(T_TEXT("a")), .flags = MSG_SEEN,
		    .date = 1000000000 },
		{ .date = 1000000001 },
	};
	struct store_tmp tmp;
	struct account *a;
	struct folder *f, *g;
	struct folder_msg m;
	struct usage u;
	struct err err;
	uint32_t uidv, bit, all[] = { 1, 2 }, *seqs;
	struct flag_change kw = { .op = FLAG_ADD,
	    .unchanged_since = UINT64_MAX };

	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Sent", &err));
	assert_int_equal(account_folder_create(a, ".Sent", &err), PS_EEXIST);
	t_ok(account_tmp_new(a, &tmp, &err));
	assert_int_equal(pwrite(tmp.fd, T_TEXT("b"), strlen(T_TEXT("b")), 0),
	    strlen(T_TEXT("b")));
	items[1].tmp = &tmp;
	t_ok(folder_append(a, ".Sent", items, 2, &uidv, &err));
	assert_int_equal(items[0].uid, 1);
	assert_int_equal(items[1].uid, 2);
	assert_int_equal(tmp.fd, -1);
	assert_int_equal(t_count(s->dir, T_HOME "/tmp", NULL), 0);

	f = t_folder(a, ".Sent");
	assert_int_equal(folder_exists(f), 2);
	assert_int_equal(folder_uidvalidity(f), uidv);
	assert_true(folder_msg(f, 1, &m));
	assert_int_equal(m.flags, MSG_SEEN);
	assert_int_equal(m.date, 1000000000);
	t_ok(folder_keyword_bit(f, SPAN_LIT("$Label1"), true, &bit, &err));
	assert_int_equal(bit, MSG_KEYWORD(0));
	kw.flags = bit;
	t_ok(folder_store(f, all, 2, &kw, NULL, NULL, &err));

	/* copies keep flags; keywords go by name */
	g = t_folder(a, "");
	t_ok(folder_keyword_bit(g, SPAN_LIT("Other"), true, &bit, &err));
	t_ok(folder_copy(f, all, 2, "", false, &c, &err));
	assert_int_equal(c.n, 2);
	assert_int_equal(c.from[1], 2);
	assert_int_equal(c.to[1], 2);
	folder_copied_fini(&c);
	t_ok(folder_refresh(g, &err));
	assert_int_equal(folder_exists(g), 2);
	assert_true(folder_msg(g, 1, &m));
	assert_int_equal(m.flags, MSG_SEEN | MSG_KEYWORD(1));
	assert_string_equal(folder_keyword(g, 1), "$Label1");
	assert_int_equal(folder_copy(f, all, 2, ".None", false, &c, &err),
	    PS_ENOTFOUND);
	t_ok(account_usage(a, &u, &err));
	assert_int_equal(u.messages, 4);
	assert_int_equal(u.bytes, 4 * strlen(T_TEXT("a")));

	/* a move takes them away here */
	t_ok(folder_copy(f, all, 2, "", true, &c, &err));
	assert_int_equal(c.to[0], 3);
	folder_copied_fini(&c);
	assert_int_equal(folder_expunged_take(f, &seqs, NULL), 2);
	free(seqs);
	assert_int_equal(folder_exists(f), 0);
	t_ok(folder_refresh(g, &err));
	assert_int_equal(folder_exists(g), 4);
	t_ok(account_usage(a, &u, &err));
	assert_int_equal(u.messages, 4);
	folder_close(&f);
	folder_close(&g);
	account_close(&a);
}

static void
many_messages_many_groups(void **state)
{
	struct t_store *s = *state;
	enum { N = 500 };
	struct folder_new *items = calloc(N, sizeof(*items));
	uint32_t uidv, seqs[N], i, seq, n = 0;
	struct account *a;
	struct folder *f, *g;
	struct folder_status st;
	struct err err;
	bool flags;

	for (i = 0; i < N; i++) {
		items[i].data = SPAN_LIT(T_TEXT("m"));
		items[i].date = 1700000000 + i;
		seqs[i] = i + 1;
	}
	a = t_account_at(s->fd);
	t_ok(folder_append(a, "", items, N, &uidv, &err));
	f = t_folder(a, "");
	g = t_folder(a, "");
	assert_int_equal(folder_exists(f), N);
	assert_int_equal(folder_uid(f, N), N);
	t_ok(folder_store(f, seqs, N, &seen, NULL, NULL, &err));
	assert_int_equal(folder_unseen(f), 0);
	t_ok(folder_refresh(g, &err));
	while (folder_changed_next(g, &seq, &flags))
		n++;
	assert_int_equal(n, N);
	assert_int_equal(folder_unseen(g), 0);
	t_ok(account_folder_status(a, "", &st, &err));
	assert_int_equal(st.messages, N);
	assert_int_equal(st.unseen, 0);
	assert_int_equal(st.uidnext, N + 1);

	/* most go: compaction, and a view that lived through it */
	t_ok(folder_expunge(f, seqs, N - 3, &err));
	{
		bool more = true;
		while (more)
			t_ok(folder_flush(f, 100, &more, &err));
	}
	t_ok(folder_refresh(g, &err));
	free(items);
	{
		uint32_t *list;
		assert_int_equal(folder_expunged_take(g, &list, NULL), N - 3);
		free(list);
	}
	assert_int_equal(folder_exists(g), 3);
	assert_int_equal(folder_uid(g, 1), N - 2);
	assert_int_equal(t_count(s->dir, T_HOME "/cur", NULL), 3);
	folder_close(&f);
	folder_close(&g);
	account_close(&a);
}

/* All of a tree or nothing; a name that is only above others is free. */
static void
a_tree_is_renamed_whole(void **state)
{
	struct t_store *s = *state;
	struct account *a = t_account_at(s->fd);
	char name[FOLDER_NAME_MAX + 1];
	struct err err;

	memset(name, 'x', sizeof(name));
	memcpy(name, ".A.", 3);
	name[FOLDER_NAME_MAX] = '\0';
	t_ok(account_folder_create(a, ".A", &err));
	t_ok(account_folder_create(a, ".A.B", &err));
	t_ok(account_folder_create(a, name, &err));
	assert_int_equal(account_folder_rename(a, ".A", ".Long", &err),
	    PS_ESYNTAX);
	assert_true(account_folder_exists(a, ".A"));
	assert_true(account_folder_exists(a, ".A.B"));
	assert_false(account_folder_exists(a, ".Long"));
	t_ok(account_folder_delete(a, name, &err));
	t_ok(account_folder_create(a, ".C.D", &err));
	t_ok(account_folder_create(a, ".E.B", &err));
	t_ok(account_folder_create(a, ".F", &err));
	assert_int_equal(account_folder_rename(a, ".A", ".E", &err),
	    PS_EEXIST);
	assert_int_equal(account_folder_rename(a, ".A", ".F", &err),
	    PS_EEXIST);
	assert_true(account_folder_exists(a, ".A"));
	t_ok(account_folder_rename(a, ".A", ".C", &err));
	assert_true(account_folder_exists(a, ".C"));
	assert_true(account_folder_exists(a, ".C.B"));
	assert_true(account_folder_exists(a, ".C.D"));
	account_close(&a);
}

/* A DELETE that is killed leaves a folder that no name leads to. */
static void
what_a_delete_left_is_removed(void **state)
{
	struct t_store *s = *state;
	struct account *a = t_account_at(s->fd);
	struct folder_new item = { .data = SPAN_LIT(T_TEXT("a")) };
	struct folder *f;
	struct err err;
	uint32_t uidv;

	t_ok(account_folder_create(a, ".A", &err));
	t_ok(folder_append(a, ".A", &item, 1, &uidv, &err));
	assert_int_equal(renameat(account_dirfd(a), ".A", account_dirfd(a),
	    "tmp/deleted.0123456789abcdef"), 0);
	t_write(s, T_HOME "/cur/1000000000.M1P2.other:2,S", "Subject: x\n\n");
	f = t_folder(a, "");
	assert_int_equal(folder_exists(f), 1);
	assert_int_equal(t_count(s->dir, T_HOME "/tmp", NULL), 0);
	folder_close(&f);
	account_close(&a);
}

static void
folders_and_subscriptions(void **state)
{
	struct t_store *s = *state;
	struct account *a = t_account_at(s->fd);
	struct name_list l;
	struct err err;

	t_ok(account_folder_create(a, ".A", &err));
	t_ok(account_folder_create(a, ".A.B", &err));
	/* no name can mean these */
	assert_int_equal(mkdirat(account_dirfd(a), ".Inbox", 0700), 0);
	assert_int_equal(mkdirat(account_dirfd(a), ".INBOX", 0700), 0);
	assert_int_equal(mkdirat(account_dirfd(a), ".inbox.x", 0700), 0);
	assert_int_equal(mkdirat(account_dirfd(a), ".INBOX.x", 0700), 0);
	t_ok(account_folder_rename(a, ".A", ".C.D", &err));
	assert_int_equal(account_folder_rename(a, ".A", ".X", &err),
	    PS_ENOTFOUND);
	assert_int_equal(account_folder_rename(a, ".C.D", ".C.D.E", &err),
	    PS_ESYNTAX);
	t_ok(account_folders(a, &l, &err));
	assert_int_equal(l.n, 4);
	assert_string_equal(l.name[0], "");
	assert_string_equal(l.name[1], ".C.D");
	assert_string_equal(l.name[2], ".C.D.B");
	assert_string_equal(l.name[3], ".INBOX.x");
	name_list_fini(&l);
	t_ok(account_subscribe(a, ".C.D", true, &err));
	t_ok(account_subscribe(a, "", true, &err));
	t_ok(account_subscribe(a, ".C.D", true, &err));
	t_ok(account_subscriptions(a, &l, &err));
	assert_int_equal(l.n, 2);
	name_list_fini(&l);
	t_ok(account_subscribe(a, ".C.D", false, &err));
	t_ok(account_subscriptions(a, &l, &err));
	assert_int_equal(l.n, 1);
	assert_string_equal(l.name[0], "");
	name_list_fini(&l);
	t_ok(account_folder_delete(a, ".C.D", &err));
	assert_false(account_folder_exists(a, ".C.D"));
	assert_true(account_folder_exists(a, ".C.D.B"));
	assert_int_equal(t_count(s->dir, T_HOME "/tmp", NULL), 0);
	account_close(&a);
}

/* What the special uses are, in their order, as a handle of its own sees it. */
static void
expect_uses(struct t_store *s, const char *archive, const char *drafts,
    const char *sent)
{
	struct account *a = t_account_at(s->fd);
	struct specials now;
	struct err err;

	t_ok(account_specials(a, &now, &err));
	assert_string_equal(now.folder[SPECIAL_ARCHIVE], archive);
	assert_string_equal(now.folder[SPECIAL_DRAFTS], drafts);
	assert_string_equal(now.folder[SPECIAL_SENT], sent);
	account_close(&a);
}

static void
special_uses_follow_their_folder(void **state)
{
	struct t_store *s = *state;
	struct account *a = t_account_at(s->fd);
	struct err err;

	expect_uses(s, "", "", "");
	t_ok(account_folder_create(a, ".A", &err));
	t_ok(account_folder_create(a, ".A.B c", &err));
	t_ok(account_folder_create(a, ".AB", &err));
	t_ok(account_special_set(a, ".A.B c", 1u << SPECIAL_SENT |
	    1u << SPECIAL_DRAFTS, &err));
	t_ok(account_special_set(a, ".AB", 1u << SPECIAL_ARCHIVE, &err));
	expect_uses(s, ".AB", ".A.B c", ".A.B c");
	/* one folder per use, and nothing done when one is taken */
	assert_int_equal(account_special_set(a, ".A", 1u << SPECIAL_TRASH |
	    1u << SPECIAL_SENT, &err), PS_EEXIST);
	expect_uses(s, ".AB", ".A.B c", ".A.B c");
	t_ok(account_folder_rename(a, ".A", ".X", &err));
	expect_uses(s, ".AB", ".X.B c", ".X.B c");
	t_ok(account_folder_delete(a, ".AB", &err));
	t_ok(account_folder_delete(a, ".X", &err));
	expect_uses(s, "", ".X.B c", ".X.B c");
	/* who has gone without a word has no use any more */
	assert_int_equal(renameat(account_dirfd(a), ".X.B c",
	    account_dirfd(a), ".Y"), 0);
	t_ok(account_special_set(a, ".Y", 1u << SPECIAL_SENT, &err));
	expect_uses(s, "", ".X.B c", ".Y");
	account_close(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(delivered_mail_is_seen),
		T(two_views_see_each_other),
		T(expunge_numbers_count_down),
		T(append_copy_move),
		T(many_messages_many_groups),
		T(a_tree_is_renamed_whole),
		T(what_a_delete_left_is_removed),
		T(folders_and_subscriptions),
		T(special_uses_follow_their_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
