#include "store/t_util.h"

#include <sys/time.h>

#include "base/log.h"
#include "store/adopt.h"

/*
 * A maildir of another server becomes an account: what its clients knew is
 * what ours tell, also when the work was cut off at any call and done again.
 */

#define SOURCE	"theirs"
#define DATE	1500000000
#define LONG	"a-name-of-a-host-that-is-quite-long.and-goes-on-and-on."

struct mail {
	const char *folder, *file, *text;
};

static const struct mail dovecot_mail[] = {
	{ "", "cur/1276528487.M1P1.kurkku,S=21,W=21:2,FSab",
	    "Subject: one\r\n\r\nbody\r" },
	{ "", "cur/1276528488.M2P1.kurkku,S=18,W=20:2,S",
	    "Subject: two\n\nbody" },
	{ "", "cur/1276528489.M3P1.kurkku:2,RTb", "Subject: three\n\n" },
	{ "", "new/1276528490.M4P1.kurkku", "Subject: four\n\n" },
	{ "", "new/1276528491.M5P1.kurkku", "Subject: five\n\n" },
	{ ".Sent", "cur/1276528500.M6P1.kurkku,S=15,W=17:2,S",
	    "Subject: six\n\nx" },
	{ ".Sent", "cur/1276528501.M7P1." LONG LONG LONG "h:2,",
	    "Subject: seven\n\nx" },
	{ ".Work.2026", "cur/odd-name-without-dots:2,D", "Subject: odd\n\n" },
};

static const char *const dovecot_dirs[] = { "", ".Sent", ".Work.2026",
    ".Empty", ".Broken" };

static const struct {
	const char *path, *text;
} dovecot_files[] = {
	{ "dovecot-uidlist", "3 V1275660208 N57 Gabc\n"
	    "7 :1276528487.M1P1.kurkku,S=21,W=21\n"
	    "20 W20 :1276528488.M2P1.kurkku,S=18,W=20\n"
	    "33 :1276528489.M3P1.kurkku\n40 :1276528400.M0P0.gone\n"
	    "56 :1276528490.M4P1.kurkku\n" },
	{ "dovecot-keywords", "0 $Forwarded\n1 Work\n" },
	{ "subscriptions", "V\t2\n\nINBOX\nSent\nWork\t2026\nGone\n" },
	{ "maildirsize", "10000000S\n100 5\n" },
	{ ".Sent/dovecot-uidlist", "1 1275660209 12\n11 "
	    "1276528500.M6P1.kurkku,S=15,W=17\n" },
	{ ".Empty/dovecot-uidlist", "3 V1275660300 N1000\n" },
};

static void
source_dirs(struct t_store *s, const char *const *names, size_t n)
{
	static const char *const parts[] = { "", "/cur", "/new", "/tmp" };
	char path[512];
	size_t i, k;

	(void)mkdirat(s->fd, SOURCE, 0770);
	for (i = 0; i < n; i++)
		for (k = 0; k < ARRAY_LEN(parts); k++) {
			if (strcmp(names[i], ".Broken") == 0 && k > 0)
				continue;
			(void)snprintf(path, sizeof(path), SOURCE "/%s%s",
			    names[i], parts[k]);
			(void)mkdirat(s->fd, path, 0770);
		}
}

static void
mail_put(struct t_store *s, const struct mail *m)
{
	const struct timespec ts[2] = { { DATE, 0 }, { DATE, 0 } };
	char path[512];

	(void)snprintf(path, sizeof(path), SOURCE "/%s/%s", m->folder,
	    m->file);
	t_write(s, path, m->text);
	assert_int_equal(utimensat(s->fd, path, ts, 0), 0);
}

static void
dovecot_make(struct t_store *s)
{
	char path[512];
	size_t i;

	source_dirs(s, dovecot_dirs, ARRAY_LEN(dovecot_dirs));
	for (i = 0; i < ARRAY_LEN(dovecot_mail); i++)
		mail_put(s, &dovecot_mail[i]);
	for (i = 0; i < ARRAY_LEN(dovecot_files); i++) {
		(void)snprintf(path, sizeof(path), SOURCE "/%s",
		    dovecot_files[i].path);
		t_write(s, path, dovecot_files[i].text);
	}
}

/* --- running it --- */

struct told {
	unsigned looked, done, notes;
	uint64_t messages, quota_bytes, quota_messages;
};

static void
folder_cb(const struct adopt_folder *f, bool done, void *arg)
{
	struct told *t = arg;

	if (done)
		t->done++;
	else
		t->looked++, t->messages += f->messages;
}

static void
note_cb(const char *text, void *arg)
{
	struct told *t = arg;

	assert_non_null(text);
	t->notes++;
}

static void
quota_cb(uint64_t bytes, uint64_t messages, void *arg)
{
	struct told *t = arg;

	t->quota_bytes = bytes;
	t->quota_messages = messages;
}

static void
progress_cb(const char *folder, uint64_t n, uint64_t of, void *arg)
{
	(void)folder;
	(void)arg;
	assert_true(n <= of);
}

static int
adopt_try(struct t_store *s, bool check, bool copy, struct told *told,
    struct err *err)
{
	struct adopt_events ev = { folder_cb, note_cb, quota_cb,
	    progress_cb, told };
	struct adopt a = { .mailbox_id = T_MAILBOX, .check = check,
	    .copy = copy, .events = &ev, .home = -1 };
	int rc;

	memset(told, 0, sizeof(*told));
	*err = (struct err){ 0 };
	a.source = openat(s->fd, SOURCE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(a.source, -1);
	rc = account_home_open(s->fd, T_MAILBOX, !check, &a.home, err);
	if (rc == 0 || check)
		rc = adopt_run(&a, err);
	(void)close(a.source);
	if (a.home != -1)
		(void)close(a.home);
	return rc;
}

static void
adopt(struct t_store *s, bool copy)
{
	struct told told;
	struct err err;

	t_ok(adopt_try(s, false, copy, &told, &err));
}

/* --- what must come out --- */

static void
message_is(struct folder *f, uint32_t seq, uint32_t uid, const char *letters,
    uint64_t size)
{
	char flags[64] = "";
	struct folder_msg m;
	unsigned i;

	assert_true(folder_msg(f, seq, &m));
	if (m.flags & MSG_ANSWERED)
		strcat(flags, "R");
	if (m.flags & MSG_FLAGGED)
		strcat(flags, "F");
	if (m.flags & MSG_DELETED)
		strcat(flags, "T");
	if (m.flags & MSG_SEEN)
		strcat(flags, "S");
	if (m.flags & MSG_DRAFT)
		strcat(flags, "D");
	if (m.flags & MSG_PASSED)
		strcat(flags, "P");
	for (i = 0; i < MSG_KEYWORDS; i++)
		if (m.flags & MSG_KEYWORD(i)) {
			assert_non_null(folder_keyword(f, i));
			strcat(flags, " ");
			strcat(flags, folder_keyword(f, i));
		}
	if (m.uid != uid || strcmp(flags, letters) != 0 || m.size != size ||
	    m.date != DATE)
		fail_msg("%s %u: uid %u flags %s size %llu date %lld",
		    folder_name(f), seq, m.uid, flags,
		    (unsigned long long)m.size, (long long)m.date);
}

static void
folder_is(struct folder *f, uint32_t uidvalidity, uint32_t uidnext,
    uint32_t exists)
{
	if (folder_uidvalidity(f) != uidvalidity ||
	    folder_uidnext(f) < uidnext || folder_exists(f) != exists)
		fail_msg("%s: %u %u %u", folder_name(f), folder_uidvalidity(f),
		    folder_uidnext(f), folder_exists(f));
}

static void
text_is(struct folder *f, uint32_t seq, const char *text)
{
	struct buf b;
	struct err err;

	buf_init(&b, BUF_NO_CAP);
	t_ok(folder_msg_load(f, seq, &b, &err));
	assert_string_equal(buf_cstr(&b), text);
	buf_fini(&b);
}

/* `exact`: it was done in one go, so that no UID was passed over. */
static void
dovecot_is(struct t_store *s, bool exact)
{
	struct account *a = t_account_at(s->fd);
	struct name_list subs;
	struct folder *f;
	struct err err;

	f = t_folder(a, "");
	folder_is(f, 1275660208, 58, 5);
	message_is(f, 1, 7, "FSP Work", 21);
	message_is(f, 2, 20, "S", 20);
	message_is(f, 3, 33, "RT Work", 18);
	message_is(f, 4, 56, "", 17);
	message_is(f, 5, exact ? 57 : folder_uid(f, 5), "", 17);
	assert_true(folder_uid(f, 5) >= 57);
	if (exact) {
		assert_int_equal(folder_uidnext(f), 58);
		assert_int_equal(folder_recent(f), 0);
	}
	text_is(f, 2, "Subject: two\r\n\r\nbody");
	folder_close(&f);
	f = t_folder(a, ".Sent");
	folder_is(f, 1275660209, 13, 2);
	message_is(f, 1, 11, "S", 17);
	message_is(f, 2, exact ? 12 : folder_uid(f, 2), "", 19);
	folder_close(&f);
	f = t_folder(a, ".Work.2026");
	assert_int_equal(folder_exists(f), 1);
	message_is(f, 1, folder_uid(f, 1), "D", 16);
	folder_close(&f);
	f = t_folder(a, ".Empty");
	folder_is(f, 1275660300, 1000, 0);
	folder_close(&f);
	assert_false(account_folder_exists(a, ".Broken"));
	t_ok(account_subscriptions(a, &subs, &err));
	assert_true(name_list_has(&subs, "") && name_list_has(&subs, ".Sent")
	    && name_list_has(&subs, ".Work.2026"));
	name_list_fini(&subs);
	/* a folder made later gets none of theirs */
	t_ok(account_folder_create(a, ".New", &err));
	f = t_folder(a, ".New");
	assert_true(folder_uidvalidity(f) > 1275660300);
	folder_close(&f);
	account_close(&a);
}

static void
dovecots(void **state)
{
	struct t_store *s = *state;

	dovecot_make(s);
	adopt(s, false);
	dovecot_is(s, true);
	assert_int_equal(t_count(s->dir, SOURCE "/cur", NULL), 0);
	assert_int_equal(t_count(s->dir, SOURCE "/new", NULL), 0);
}

static void
copied_it_stays(void **state)
{
	struct t_store *s = *state;

	dovecot_make(s);
	adopt(s, true);
	adopt(s, true);
	dovecot_is(s, true);
	assert_int_equal(t_count(s->dir, SOURCE "/cur", NULL), 3);
	assert_int_equal(t_count(s->dir, SOURCE "/new", NULL), 2);
}

static void
a_look_changes_nothing(void **state)
{
	struct t_store *s = *state;
	struct told told;
	struct err err;

	dovecot_make(s);
	t_ok(adopt_try(s, true, false, &told, &err));
	assert_int_equal(told.looked, 4);
	assert_int_equal(told.done, 0);
	assert_int_equal(told.messages, ARRAY_LEN(dovecot_mail));
	assert_true(told.notes >= 1);	/* .Broken */
	assert_int_equal(told.quota_bytes, 10000000);
	assert_int_equal(told.quota_messages, 0);
	assert_int_equal(faccessat(s->fd, T_HOME, F_OK, 0), -1);
	adopt(s, false);
	dovecot_is(s, true);
}

static void
again_when_done_is_nothing_new(void **state)
{
	struct t_store *s = *state;

	dovecot_make(s);
	adopt(s, false);
	adopt(s, false);
	dovecot_is(s, true);
}

static void
couriers(void **state)
{
	static const char *const dirs[] = { "", ".Sent" };
	static const struct mail mail[] = {
		{ "", "cur/1.M1.h,S=15:2,S", "Subject: one\n\n" "x" },
		{ "", "cur/2.M2.h,S=14:2,", "Subject: two\n\n" },
		{ "", "new/3.M3.h", "Subject: three\n\n" },
		{ ".Sent", "cur/4.M4.h:2,S", "Subject: four\n\n" },
	};
	struct t_store *s = *state;
	struct name_list subs;
	struct account *a;
	struct folder *f;
	struct err err;
	size_t i;

	source_dirs(s, dirs, ARRAY_LEN(dirs));
	for (i = 0; i < ARRAY_LEN(mail); i++)
		mail_put(s, &mail[i]);
	t_write(s, SOURCE "/courierimapuiddb", "1 1132000000 12\n"
	    "3 1.M1.h,S=15\n11 2.M2.h,S=14\n");
	assert_int_equal(mkdirat(s->fd, SOURCE "/courierimapkeywords", 0770),
	    0);
	t_write(s, SOURCE "/courierimapkeywords/:list",
	    "$Label1\nWork\n\n1.M1.h,S=15:0\n2.M2.h,S=14:0 1\n");
	t_write(s, SOURCE "/courierimapkeywords/.55.1.M1.h,S=15", "Work\n");
	t_write(s, SOURCE "/courierimapsubscribed", "INBOX\nINBOX.Sent\n");
	adopt(s, false);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	folder_is(f, 1132000000, 13, 3);
	message_is(f, 1, 3, "S Work", 17);
	message_is(f, 2, 11, " $Label1 Work", 16);
	message_is(f, 3, 12, "", 18);
	folder_close(&f);
	t_ok(account_subscriptions(a, &subs, &err));
	assert_int_equal(subs.n, 2);
	assert_true(name_list_has(&subs, ".Sent"));
	name_list_fini(&subs);
	account_close(&a);
}

/* Mail came in before the old maildir was taken over. */
static void
mail_that_was_there_stays(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct buf b;
	struct err err;

	(void)t_deliver(s, "3kF9tQ0101Q0", T_TEXT("early"));
	dovecot_make(s);
	adopt(s, false);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	folder_is(f, 1275660208, 59, 6);
	message_is(f, 1, 7, "FSP Work", 21);
	assert_true(folder_uid(f, 6) >= 58);
	buf_init(&b, BUF_NO_CAP);
	t_ok(folder_msg_load(f, 6, &b, &err));
	assert_non_null(strstr(buf_cstr(&b), "hello early"));
	buf_fini(&b);
	folder_close(&f);
	account_close(&a);
	assert_int_equal(t_deliver(s, "3kF9tQ0101Q1", T_TEXT("late")) >= 59,
	    1);
}

/* Their server was not stopped: it gave a UID that ours gave, too. */
static void
a_uid_is_given_once(void **state)
{
	static const struct mail late = { "", "cur/1276528999.M9P1.kurkku:2,S",
	    "Subject: late\n\n" };
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;

	dovecot_make(s);
	adopt(s, false);
	assert_int_equal(t_deliver(s, "3kF9tQ0101Q0", T_TEXT("ours")), 58);
	mail_put(s, &late);
	t_write(s, SOURCE "/dovecot-uidlist", "3 V1275660208 N59\n"
	    "58 :1276528999.M9P1.kurkku\n");
	adopt(s, false);
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	folder_is(f, 1275660208, 60, 7);
	message_is(f, 7, 59, "S", 17);
	text_is(f, 7, "Subject: late\r\n\r\n");
	folder_close(&f);
	account_close(&a);
}

/* A session that has the folder open sees that it is another one. */
static void
an_open_view_ends(void **state)
{
	struct t_store *s = *state;
	struct account *a;
	struct folder *f;
	struct err err;

	(void)t_deliver(s, "3kF9tQ0101Q0", T_TEXT("early"));
	a = t_account_at(s->fd);
	f = t_folder(a, "");
	dovecot_make(s);
	adopt(s, false);
	assert_int_equal(folder_refresh(f, &err), PS_ESTATE);
	folder_close(&f);
	account_close(&a);
}

static void
what_is_compressed_is_refused(void **state)
{
	static const struct mail m = { ".Sent",
	    "cur/1276528600.M9P1.kurkku,S=500,W=510:2,S",
	    "\x1f\x8b\x08 gzip" };
	struct t_store *s = *state;
	struct told told;
	struct err err;

	dovecot_make(s);
	mail_put(s, &m);
	assert_int_equal(adopt_try(s, false, false, &told, &err), PS_ESTATE);
	assert_non_null(strstr(err.why, "compressed"));
	assert_int_equal(t_count(s->dir, SOURCE "/cur", NULL), 3);
	assert_int_equal(t_count(s->dir, T_HOME "/cur", NULL), 0);
}

static void
what_is_no_maildir_is_refused(void **state)
{
	struct t_store *s = *state;
	struct told told;
	struct err err;

	assert_int_equal(mkdirat(s->fd, SOURCE, 0770), 0);
	assert_int_equal(adopt_try(s, false, false, &told, &err),
	    PS_ENOTFOUND);
	source_dirs(s, dovecot_dirs, 1);
	t_write(s, SOURCE "/dovecot-uidlist", "9 what\n");
	assert_int_equal(adopt_try(s, false, false, &told, &err), PS_ESTATE);
}

/* Their owner may have written any number. */
static void
uids_at_their_end_are_refused(void **state)
{
	static const char *const lists[] = {
		"3 V1275660208 N4294967295 Gabc\n",
		("3 V1275660208 N8 Gabc\n"
		"4294967294 :1276528487.M1P1.kurkku,S=21,W=21\n"),
		"1 1275660208 4294967000\n",
	};
	struct t_store *s = *state;
	struct told told;
	struct err err;
	size_t i;

	dovecot_make(s);
	for (i = 0; i < ARRAY_LEN(lists); i++) {
		t_write(s, SOURCE "/dovecot-uidlist", lists[i]);
		assert_int_equal(adopt_try(s, false, false, &told, &err),
		    PS_EFULL);
		assert_int_equal(t_count(s->dir, SOURCE "/cur", NULL), 3);
		assert_int_equal(faccessat(s->fd, T_HOME "/" STORE_ADOPTING,
		    F_OK, 0), -1);
	}
	t_write(s, SOURCE "/dovecot-uidlist", "3 V1275660208 N4000000000\n");
	adopt(s, false);
	assert_true(t_deliver(s, "3kF9tQ0101Q0", T_TEXT("ours")) >
	    4000000000);
}

/* Its owner has put another folder there behind the back of who gave us all
 * of it, to lead what we move by name elsewhere. */
static void
a_folder_of_somebody_else_is_not_moved(void **state)
{
	struct t_store *s = *state;
	struct told told;
	struct err err;

	if (geteuid() != 0)
		skip();
	dovecot_make(s);
	assert_int_equal(fchownat(s->fd, SOURCE "/.Sent/cur", 65534, 65534,
	    0), 0);
	assert_int_equal(adopt_try(s, false, false, &told, &err), PS_EDENIED);
	assert_int_equal(t_count(s->dir, SOURCE "/.Sent/cur", NULL), 2);
	assert_int_equal(fchownat(s->fd, SOURCE "/.Sent/cur", 0, 0, 0), 0);
	adopt(s, false);
	dovecot_is(s, false);
}

/* --- cut off --- */

/* From the nth call on nothing works: what a kill leaves. */
static bool
cut_try(unsigned nth, bool copy)
{
	struct disk_record *r;
	struct t_store *s;
	struct account *a;
	struct told told;
	void *state;
	struct err err;
	bool hit;
	int fd, rc;

	assert_int_equal(t_setup(&state), 0);
	s = state;
	dovecot_make(s);
	r = disk_record_start(s->dir);
	disk_record_fail(r, DISK_ANY, nth, EIO, true);
	rc = adopt_try(s, false, copy, &told, &err);
	hit = disk_record_failures(r) > 0;
	disk_record_stop(&r);
	if (rc < 0 && faccessat(s->fd, T_HOME "/" STORE_ADOPTING, F_OK,
	    0) == 0) {
		/* nobody else gets in */
		t_ok(account_home_open(s->fd, T_MAILBOX, false, &fd, &err));
		a = account_open(fd, T_MAILBOX, &err);
		assert_null(a);
		assert_int_equal(err.code, PS_EAGAIN);
		assert_int_equal(err.kind, ERR_TEMP);
	}
	adopt(s, copy);
	dovecot_is(s, false);
	assert_int_equal(t_teardown(&state), 0);
	return hit;
}

static void
cut_off_anywhere_and_called_again(void **state)
{
	unsigned nth = 1;

	(void)state;
	while (cut_try(nth, false))
		nth++;
	print_message("%u cuts\n", nth);
	assert_true(nth > 60);
	for (nth = 1; cut_try(nth, true); nth++)
		;
	print_message("%u cuts while copying\n", nth);
	assert_true(nth > 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dovecots, t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(copied_it_stays, t_setup,
		    t_teardown),
		cmocka_unit_test_setup_teardown(a_look_changes_nothing,
		    t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(again_when_done_is_nothing_new,
		    t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(couriers, t_setup,
		    t_teardown),
		cmocka_unit_test_setup_teardown(mail_that_was_there_stays,
		    t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(a_uid_is_given_once, t_setup,
		    t_teardown),
		cmocka_unit_test_setup_teardown(an_open_view_ends, t_setup,
		    t_teardown),
		cmocka_unit_test_setup_teardown(what_is_compressed_is_refused,
		    t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(
		    a_folder_of_somebody_else_is_not_moved, t_setup,
		    t_teardown),
		cmocka_unit_test_setup_teardown(uids_at_their_end_are_refused,
		    t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_maildir_is_refused,
		    t_setup, t_teardown),
		cmocka_unit_test(cut_off_anywhere_and_called_again),
	};

	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
