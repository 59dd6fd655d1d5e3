#include "store/t_util.h"

#include "base/disk.h"
#include "base/log.h"

/*
 * J6, J7 and §9 under every state that a power cut may leave: what happened
 * is recorded, each state is built, the next boot asks again for each
 * delivery that no checkpoint covered, and then the account is audited:
 * every key once, whole; nothing lost that was promised; no UID twice; no
 * modseq that a reader was told of stands for anything else.
 */

static unsigned states_max = 8;		/* $POSTERN_STATES: more */
#define KEYS		6
#define APPENDS		2
#define TELLS		8

static const char *const keys[KEYS] = {
	"3kF9tQ0101Q0", "3kF9tQ0101Q1", "3kF9tQ0101Q2", "3kF9tQ0101Q3",
	"3kF9tQ0101Q4", "3kF9tQ0101Q5",
};
static const char *const texts[KEYS] = {
	T_TEXT("q0"), T_TEXT("q1"), T_TEXT("q2"), T_TEXT("q3"), T_TEXT("q4"),
	T_TEXT("q5"),
};

/* What was promised at which step. */
struct promise {
	size_t covered[KEYS];		/* checkpoint returned; 0: never */
	size_t begun[KEYS], answered[KEYS];
	size_t expunge_begun[KEYS];	/* 0: never */
	size_t expunge_sure[KEYS];
	uint32_t uid[KEYS];
	size_t appended[APPENDS];
	uint32_t append_uid[APPENDS];
	uint32_t uidv;
	size_t n_told, told_at[TELLS];	/* HIGHESTMODSEQ of INBOX */
	uint64_t told[TELLS];
};

static struct promise p;

static void
deliver_nth(int fd, struct disk_record *r, int i)
{
	p.begun[i] = disk_record_steps(r) + 1;
	p.uid[i] = t_deliver_full(fd, keys[i], texts[i], false, NULL);
	p.answered[i] = disk_record_steps(r);
}

static void
checkpoint(int fd, struct disk_record *r, int from, int to)
{
	assert_int_equal(disk_syncfs(fd), 0);
	for (; from < to; from++)
		p.covered[from] = disk_record_steps(r);
}

static void
append_nth(struct account *a, struct disk_record *r, int i)
{
	struct folder_new item = { .data = SPAN_LIT(T_TEXT("append")),
	    .date = 5 };
	struct err err;
	uint32_t uidv;

	t_ok(folder_append(a, ".Sent", &item, 1, &uidv, &err));
	p.appended[i] = disk_record_steps(r);
	p.append_uid[i] = item.uid;
}

static void
expunge_nth(struct folder *f, struct disk_record *r, int i)
{
	uint32_t seq;
	struct err err;
	bool more;

	t_ok(folder_refresh(f, &err));
	seq = folder_seq(f, p.uid[i]);
	assert_int_not_equal(seq, 0);
	p.expunge_begun[i] = disk_record_steps(r) + 1;
	t_ok(folder_expunge(f, &seq, 1, &err));
	t_ok(folder_flush(f, 100, &more, &err));
	p.expunge_sure[i] = disk_record_steps(r);
}

/* A reader is told how far it knows INBOX. */
static void
tell(struct folder *f, struct disk_record *r)
{
	struct err err;

	t_ok(folder_refresh(f, &err));
	assert_true(p.n_told < TELLS);
	p.told[p.n_told] = folder_highest_modseq(f);
	p.told_at[p.n_told++] = disk_record_steps(r);
}

/* The day that is recorded. */
static void
live(struct t_store *s, struct disk_record *r)
{
	const struct flag_change seen = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .unchanged_since = UINT64_MAX };
	struct folder_copied c;
	struct account *a;
	struct folder *f;
	struct err err;
	uint32_t seq;
	bool more;

	memset(&p, 0, sizeof(p));
	deliver_nth(s->fd, r, 0);
	deliver_nth(s->fd, r, 1);
	checkpoint(s->fd, r, 0, 2);
	a = t_account_at(s->fd);
	t_ok(account_folder_create(a, ".Sent", &err));
	f = t_folder(a, "");
	p.uidv = folder_uidvalidity(f);
	tell(f, r);
	append_nth(a, r, 0);
	deliver_nth(s->fd, r, 2);
	tell(f, r);
	seq = 1;
	t_ok(folder_store(f, &seq, 1, &seen, NULL, NULL, &err));
	tell(f, r);
	t_ok(folder_flush(f, 100, &more, &err));
	deliver_nth(s->fd, r, 3);
	checkpoint(s->fd, r, 2, 4);
	tell(f, r);
	expunge_nth(f, r, 1);
	tell(f, r);
	/* a message moved before its checkpoint is synced by the move */
	deliver_nth(s->fd, r, 4);
	t_ok(folder_refresh(f, &err));
	seq = folder_seq(f, p.uid[4]);
	t_ok(folder_copy(f, &seq, 1, ".Sent", true, &c, &err));
	folder_copied_fini(&c);
	tell(f, r);
	t_ok(folder_flush(f, 100, &more, &err));
	append_nth(a, r, 1);
	deliver_nth(s->fd, r, 5);
	folder_close(&f);
	account_close(&a);
}

/* --- the audit --- */

struct audit {
	unsigned of_key[KEYS];		/* whole copies */
	unsigned appends;
	uint32_t uid_of_key[KEYS];
};

static void
audit_one(struct folder *f, uint32_t seq, struct audit *au, const char *where)
{
	struct buf text;
	struct err err;
	int i;

	buf_init(&text, BUF_NO_CAP);
	t_ok(folder_msg_load(f, seq, &text, &err));
	for (i = 0; i < KEYS; i++) {
		char want[512];
		(void)snprintf(want, sizeof(want), "Return-Path: "
		    "<a@b.example>\r\n%s", texts[i]);
		if (strcmp(buf_cstr(&text), want) == 0) {
			au->of_key[i]++;
			au->uid_of_key[i] = folder_uid(f, seq);
			break;
		}
	}
	if (i == KEYS && strcmp(buf_cstr(&text), T_TEXT("append")) == 0)
		au->appends++;
	else if (i == KEYS && strcmp(folder_name(f), "") == 0)
		fail_msg("%s: UID %u of INBOX is damaged (%zu bytes)", where,
		    folder_uid(f, seq), buf_len(&text));
	buf_fini(&text);
}

static void
audit_folder(struct account *a, const char *name, struct audit *au,
    const char *where)
{
	struct folder *f;
	uint32_t i;

	if (!account_folder_exists(a, name))
		return;
	f = t_folder(a, name);
	for (i = 1; i <= folder_exists(f); i++)
		audit_one(f, i, au, where);
	folder_close(&f);
}

/* The next boot: qmgr asks again for all that no checkpoint covered. After a
 * killed process answers count, too (J7). */
static void
recover(int fd, size_t step, bool power_cut)
{
	const size_t *known = power_cut ? p.covered : p.answered;
	int i;

	for (i = 0; i < KEYS; i++)
		if (p.begun[i] != 0 && p.begun[i] <= step &&
		    (known[i] == 0 || known[i] > step))
			(void)t_deliver_full(fd, keys[i], texts[i], true,
			    NULL);
}

static void
judge(const struct audit *au, size_t step, const char *where)
{
	unsigned due = 0;
	int i;

	for (i = 0; i < KEYS; i++) {
		bool begun = p.begun[i] != 0 && p.begun[i] <= step;
		bool maybe_gone = p.expunge_begun[i] != 0 &&
		    p.expunge_begun[i] <= step;
		bool gone = p.expunge_sure[i] != 0 &&
		    p.expunge_sure[i] <= step;
		if (au->of_key[i] > 1)
			fail_msg("%s: %s is there %u times", where, keys[i],
			    au->of_key[i]);
		if (begun && !maybe_gone && au->of_key[i] != 1)
			fail_msg("%s: %s is lost", where, keys[i]);
		/* durable expunges stay; the file may not come back */
		if (gone && au->of_key[i] != 0)
			fail_msg("%s: %s was expunged and is back", where,
			    keys[i]);
		if (p.covered[i] != 0 && p.covered[i] <= step &&
		    au->of_key[i] == 1 && au->uid_of_key[i] != p.uid[i])
			fail_msg("%s: %s changed its UID", where, keys[i]);
	}
	for (i = 0; i < APPENDS; i++)
		due += p.appended[i] != 0 && p.appended[i] <= step;
	if (au->appends < due)
		fail_msg("%s: an APPEND that was answered is lost", where);
}

/* Who comes back with what it was told must not miss anything: after a power
 * cut, which may have undone it, all is newer. */
static void
modseq_judge(struct folder *f, size_t step, bool power_cut, const char *where)
{
	uint64_t told = 0;
	struct folder_msg m;
	uint32_t seq, *uids;
	struct err err;
	bool known;
	size_t i;

	for (i = 0; i < p.n_told; i++)
		if (p.told_at[i] <= step)
			told = p.told[i];
	if (told == 0 || folder_uidvalidity(f) != p.uidv)
		return;
	if (folder_highest_modseq(f) < told)
		fail_msg("%s: HIGHESTMODSEQ went back", where);
	for (seq = 1; power_cut && folder_msg(f, seq, &m); seq++)
		if (m.modseq <= told)
			fail_msg("%s: UID %u passes for known", where, m.uid);
	t_ok(folder_vanished(f, told, &uids, &i, &known, &err));
	free(uids);
	if (known == power_cut)
		fail_msg("%s: the past is %sknown", where, known ? "" : "un");
}

/* The highest UID of INBOX that anybody may have seen. */
static uint32_t
uid_seen(size_t step)
{
	uint32_t top = 0;
	int i;

	for (i = 0; i < KEYS; i++)
		if (p.answered[i] <= step)
			top = MAX(top, p.uid[i]);
	return top;
}

static void
state_check(struct disk_record *r, size_t step, unsigned state,
    bool power_cut)
{
	char *dir = disk_record_tmpdir("cut"), where[300], what[200];
	struct audit au = { .appends = 0 };
	struct account *a;
	struct folder *f;
	uint32_t uid;
	int fd;

	(void)snprintf(where, sizeof(where), "step %zu state %u after %s",
	    step, state, step == 0 ? "nothing" :
	    disk_record_describe(r, step - 1, what, sizeof(what)));
	disk_record_build(r, step, state, states_max, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_boot_pretend(power_cut);
	recover(fd, step, power_cut);
	a = t_account_at(fd);
	audit_folder(a, "", &au, where);
	audit_folder(a, ".Sent", &au, where);
	judge(&au, step, where);
	f = t_folder(a, "");
	modseq_judge(f, step, power_cut, where);
	folder_close(&f);
	/* a UID that somebody may have seen names no other message now */
	uid = t_deliver_full(fd, "3kF9tQ0101Z9", T_TEXT("new"), false, NULL);
	f = t_folder(a, "");
	if (folder_uidvalidity(f) == p.uidv && uid <= uid_seen(step))
		fail_msg("%s: UID %u was given before", where, uid);
	folder_close(&f);
	account_close(&a);
	store_boot_pretend(0);
	(void)close(fd);
	disk_record_rmdir(dir);
	free(dir);
}

static void
every_state_of_a_power_cut_recovers(void **state)
{
	struct t_store *s = *state;
	struct disk_record *r = disk_record_start(s->dir);
	size_t step, steps;
	unsigned i, n;

	live(s, r);
	steps = disk_record_steps(r);
	disk_record_pause(r);
	for (step = 0; step <= steps; step++) {
		n = disk_record_states(r, step, states_max);
		for (i = 0; i < n; i++)
			state_check(r, step, i, true);
	}
	print_message("%zu steps\n", steps);
	disk_record_stop(&r);
}

/* State 1 is what a process killed behind that step leaves. */
static void
every_kill_recovers(void **state)
{
	struct t_store *s = *state;
	struct disk_record *r = disk_record_start(s->dir);
	size_t step, steps;

	live(s, r);
	steps = disk_record_steps(r);
	disk_record_pause(r);
	for (step = 0; step <= steps; step++)
		state_check(r, step, 1, false);
	disk_record_stop(&r);
}

int
main(void)
{
	const char *more = getenv("POSTERN_STATES");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    every_state_of_a_power_cut_recovers, t_setup, t_teardown),
		cmocka_unit_test_setup_teardown(every_kill_recovers, t_setup,
		    t_teardown),
	};

	if (more != NULL)
		states_max = (unsigned)strtoul(more, NULL, 10);
	/* The model keeps the books; no real disk need be waited for. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	log_level_set(LOG_L_ERROR);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
