/* J1, J3, J5, J11: the group-commit writer. */
#include "t_spool.h"

#include "base/disk.h"

#define SIZE	(40 * SPOOL_PAGE)
#define MANY	60

struct bench {
	struct t_dirs d;
	struct loop *loop;
	struct journal_writer *w;
	struct segment_ref seg[20];	/* as qmgr knows them; id = index + 1 */
	unsigned n_seg, limit;
	uint64_t durable[20];
	int returned[20];		/* 1 returned, 2 failed */
	uint64_t end[20];
};

static struct bench b;

static void
need_cb(void *arg)
{
	struct segment_ref *s = &b.seg[b.n_seg];

	if (b.n_seg == b.limit)
		return;
	assert_int_equal(segment_create(b.d.journal, b.n_seg + 1, SIZE, s,
	    NULL), 0);
	b.n_seg++;
	journal_writer_segment(b.w, s->id, span_of(s->epoch, EPOCH_SIZE),
	    SPOOL_PAGE, s->size, segment_lend(b.d.journal, s, NULL));
}

static void
durable_cb(void *arg, uint32_t segment, uint64_t offset)
{
	assert_true(offset > b.durable[segment - 1]);
	b.durable[segment - 1] = offset;
}

static void
returned_cb(void *arg, uint32_t segment, uint64_t offset, bool failed)
{
	assert_int_equal(b.returned[segment - 1], 0);
	b.returned[segment - 1] = failed ? 2 : 1;
	b.end[segment - 1] = offset;
	/* its descriptor is closed: the right to append is back */
	assert_int_equal(segment_right_take(b.seg[segment - 1].fd), 0);
}

static const struct journal_writer_ops wops = {
	need_cb, durable_cb, returned_cb };

static int
setup(void **state)
{
	memset(&b, 0, sizeof(b));
	t_dirs_new(&b.d, "t_journal");
	b.loop = loop_new();
	b.limit = ARRAY_LEN(b.seg);
	b.w = journal_writer_new(b.loop, &wops, &b);
	return 0;
}

static int
teardown(void **state)
{
	unsigned i;

	journal_writer_free(&b.w);
	t_turn(b.loop);
	loop_free(&b.loop);
	for (i = 0; i < b.n_seg; i++)
		(void)close(b.seg[i].fd);
	t_dirs_free(&b.d);
	return 0;
}

static unsigned
answered(const struct t_msg *m, unsigned n, bool ok)
{
	unsigned i, k = 0;

	for (i = 0; i < n; i++) {
		assert_true(m[i].answered <= 1);
		k += m[i].answered == 1 && m[i].ok == ok;
	}
	return k;
}

/* Which of n messages a journal directory holds, by a full walk. */
static void
holds(int journal, bool *have, unsigned n)
{
	struct segment_ref ref;
	struct record_walk w;
	struct record r;
	unsigned i, id;
	int rc;

	memset(have, 0, n * sizeof(*have));
	for (i = 0; i < ARRAY_LEN(b.seg); i++) {
		if (segment_open(journal, i + 1, &ref, NULL) != 0)
			continue;
		record_walk_init(&w, &ref, 0, ref.size, true);
		while ((rc = record_walk_next(&w, &r, NULL)) == 1) {
			id = (unsigned)atoi(r.env.queue_id + 4);
			assert_true(id < n);
			have[id] = true;
			record_close(&r);
		}
		assert_int_equal(rc, 0);
		record_walk_fini(&w);
		(void)close(ref.fd);
	}
}

static char body[3 * SPOOL_PAGE];

/* At the moment of each answer the message is in every state a power cut
 * after it allows. */
static void
j1_an_answer_comes_only_when_a_power_cut_keeps_the_message(void **state)
{
	static struct t_msg m[MANY];
	size_t at[MANY], last;
	bool have[MANY];
	struct disk_record *r = disk_record_start(b.d.root);
	unsigned i, k, s, n, sent = 0;
	char *image;
	int dir, journal;

	memset(body, 'b', sizeof(body));
	while (answered(m, MANY, true) < MANY) {
		for (k = 0; k < 7 && sent < MANY; k++, sent++) {
			t_msg_init(&m[sent], sent, body, 100 + 90 * sent);
			assert_int_equal(journal_append(b.w, &m[sent].a,
			    &m[sent].env, NULL), 0);
			assert_int_equal(m[sent].answered, 0);
			at[sent] = SIZE_MAX;
		}
		t_turn(b.loop);
		for (i = 0; i < sent; i++)
			if (m[i].answered && at[i] == SIZE_MAX)
				at[i] = disk_record_steps(r);
	}
	disk_record_pause(r);
	last = disk_record_steps(r);
	for (i = 0; i <= last; i++) {
		n = MIN(disk_record_states(r, i, 12), 12u);
		for (s = 0; s < n; s++) {
			image = disk_record_tmpdir("t_journal-image");
			disk_record_build(r, i, s, 12, image);
			dir = t_dir(AT_FDCWD, image);
			if ((journal = openat(dir, "journal", O_RDONLY |
			    O_DIRECTORY)) != -1) {
				holds(journal, have, MANY);
				(void)close(journal);
			}
			for (k = 0; k < MANY; k++)
				assert_true(at[k] > i || have[k]);
			(void)close(dir);
			disk_record_rmdir(image);
			free(image);
		}
	}
	disk_record_stop(&r);
}

static void
j1_one_sync_serves_all_that_gathered(void **state)
{
	static struct t_msg m[MANY];
	struct journal_stats st;
	unsigned i;

	/* no segment yet: all of them gather */
	for (i = 0; i < 20; i++) {
		t_msg_init(&m[i], i, "short", 5);
		assert_int_equal(journal_append(b.w, &m[i].a, &m[i].env,
		    NULL), 0);
	}
	T_UNTIL(b.loop, answered(m, 20, true) == 20);
	journal_writer_stats(b.w, &st);
	assert_int_equal(st.appended, 20);
	assert_int_equal(st.groups, 1);
	assert_int_equal(b.durable[0], 21 * SPOOL_PAGE);
}

static void
segments_follow_each_other_without_an_append_waiting(void **state)
{
	static struct t_msg m[MANY];
	bool have[MANY];
	unsigned i;

	for (i = 0; i < MANY; i++) {
		t_msg_init(&m[i], i, body, sizeof(body) - 500);
		assert_int_equal(journal_append(b.w, &m[i].a, &m[i].env,
		    NULL), 0);
		if (i % 3 == 0)
			t_turn(b.loop);
	}
	T_UNTIL(b.loop, answered(m, MANY, true) == MANY);
	holds(b.d.journal, have, MANY);
	for (i = 0; i < MANY; i++)
		assert_true(have[i]);
	/* 13 of 3 pages fit in 39 pages */
	assert_int_equal(b.returned[0], 1);
	assert_int_equal(b.end[0], SIZE);
	assert_true(b.n_seg <= MANY / 13 + 2);
}

static void
j5_a_failed_sync_refuses_the_group_and_abandons_the_segment(void **state)
{
	static struct t_msg m[30];
	struct disk_record *r;
	unsigned i;

	t_msg_init(&m[0], 0, "x", 1);
	assert_int_equal(journal_append(b.w, &m[0].a, &m[0].env, NULL), 0);
	T_UNTIL(b.loop, m[0].answered);
	r = disk_record_start(b.d.root);
	disk_record_fail(r, DISK_FDATASYNC, 1, EIO, false);
	for (i = 1; i < 10; i++) {
		t_msg_init(&m[i], i, "x", 1);
		assert_int_equal(journal_append(b.w, &m[i].a, &m[i].env,
		    NULL), 0);
	}
	T_UNTIL(b.loop, answered(m, 10, true) + answered(m, 10, false) == 10);
	assert_int_equal(disk_record_failures(r), 1);
	assert_true(answered(m, 10, false) > 0);
	assert_true(m[0].ok);
	T_UNTIL(b.loop, b.returned[0] != 0);
	assert_int_equal(b.returned[0], 2);
	/* what was promised before lies below the offset told */
	assert_true(b.end[0] >= 2 * SPOOL_PAGE);
	assert_int_equal(b.end[0], b.durable[0]);
	disk_record_stop(&r);
	/* and the next message goes into another segment */
	t_msg_init(&m[10], 10, "x", 1);
	assert_int_equal(journal_append(b.w, &m[10].a, &m[10].env, NULL), 0);
	T_UNTIL(b.loop, m[10].answered);
	assert_true(m[10].ok);
	assert_int_not_equal(m[10].a.segment, 1);
}

static void
j5_a_failed_write_refuses_the_group(void **state)
{
	static struct t_msg m[2];
	struct disk_record *r;
	bool have[2];

	t_msg_init(&m[0], 0, "x", 1);
	assert_int_equal(journal_append(b.w, &m[0].a, &m[0].env, NULL), 0);
	T_UNTIL(b.loop, m[0].answered);
	r = disk_record_start(b.d.root);
	disk_record_fail(r, DISK_PWRITE, 1, ENOSPC, false);
	t_msg_init(&m[1], 1, body, sizeof(body));
	assert_int_equal(journal_append(b.w, &m[1].a, &m[1].env, NULL), 0);
	T_UNTIL(b.loop, m[1].answered);
	assert_false(m[1].ok);
	/* no space is no reason to burn a segment: it may be tried again */
	t_msg_init(&m[1], 1, body, sizeof(body));
	assert_int_equal(journal_append(b.w, &m[1].a, &m[1].env, NULL), 0);
	T_UNTIL(b.loop, m[1].answered);
	assert_true(m[1].ok);
	assert_int_equal(m[1].a.segment, 1);
	disk_record_stop(&r);
	holds(b.d.journal, have, 2);
	assert_true(have[0] && have[1]);
}

static void
j11_a_body_may_come_from_a_temporary_file(void **state)
{
	static struct t_msg m;
	FILE *f = tmpfile();
	struct record r;
	uint64_t len = 70000;
	char *text = xmalloc(len);

	memset(text, 't', len);
	text[len - 1] = '!';
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	t_msg_init(&m, 3, NULL, 0);
	m.a.n_body = 0;
	m.a.body_fd = fileno(f);
	m.a.body_len = len;
	assert_int_equal(journal_append(b.w, &m.a, &m.env, NULL), 0);
	T_UNTIL(b.loop, m.answered);
	assert_true(m.ok);
	assert_int_equal(record_open(&b.seg[0], m.a.offset, m.a.length,
	    m.env.queue_id, 1 << 20, &r, NULL), 0);
	assert_int_equal(r.body.n, len);
	assert_memory_equal(r.body.p, text, len);
	record_close(&r);
	(void)fclose(f);
	free(text);
}

static void
without_a_segment_appends_wait_and_then_fail(void **state)
{
	static struct t_msg m[2];

	unsigned i;

	b.limit = 0;
	/* the second is for who missed the first's wait on a busy machine */
	journal_writer_patience_ms(b.w, 300000);
	t_msg_init(&m[0], 0, "x", 1);
	assert_int_equal(journal_append(b.w, &m[0].a, &m[0].env, NULL), 0);
	for (i = 0; i < 5; i++)
		t_turn(b.loop);
	assert_int_equal(m[0].answered, 0);
	journal_writer_patience_ms(b.w, 5);
	t_msg_init(&m[1], 1, "x", 1);
	assert_int_equal(journal_append(b.w, &m[1].a, &m[1].env, NULL), 0);
	T_UNTIL(b.loop, m[1].answered);
	assert_false(m[1].ok);
}

static void
a_message_larger_than_a_segment_is_refused(void **state)
{
	static struct t_msg m[3];
	char *big = xcalloc(1, SIZE);

	/* also when it was queued before the size was known */
	t_msg_init(&m[0], 0, big, SIZE);
	assert_int_equal(journal_append(b.w, &m[0].a, &m[0].env, NULL), 0);
	t_msg_init(&m[1], 1, "x", 1);
	assert_int_equal(journal_append(b.w, &m[1].a, &m[1].env, NULL), 0);
	T_UNTIL(b.loop, m[0].answered && m[1].answered);
	assert_false(m[0].ok);
	assert_true(m[1].ok);
	t_msg_init(&m[2], 2, big, SIZE);
	assert_int_equal(journal_append(b.w, &m[2].a, &m[2].env, NULL),
	    PS_ETOOBIG);
	free(big);
}

static void
a_lost_connection_gives_the_right_back_and_goes_on(void **state)
{
	static struct t_msg m[2];

	t_msg_init(&m[0], 0, "x", 1);
	assert_int_equal(journal_append(b.w, &m[0].a, &m[0].env, NULL), 0);
	T_UNTIL(b.loop, m[0].answered);
	journal_writer_lost(b.w);
	assert_int_equal(segment_right_take(b.seg[0].fd), 0);
	t_msg_init(&m[1], 1, "x", 1);
	assert_int_equal(journal_append(b.w, &m[1].a, &m[1].env, NULL), 0);
	t_turn(b.loop);
	assert_int_equal(m[1].answered, 0);
	journal_writer_resume(b.w);
	T_UNTIL(b.loop, m[1].answered);
	assert_true(m[1].ok);
	assert_int_equal(m[1].a.segment, 2);
	assert_int_equal(b.returned[0], 0);
}

/* An smtpd that was started while qmgr was away: what it asked for then went
 * nowhere, and is asked again when there is a connection. */
static void
a_first_connection_that_comes_late_is_asked(void **state)
{
	static struct t_msg m;

	b.limit = 0;		/* nobody hears need_segment */
	t_msg_init(&m, 0, "x", 1);
	assert_int_equal(journal_append(b.w, &m.a, &m.env, NULL), 0);
	t_turn(b.loop);
	assert_int_equal(m.answered, 0);
	b.limit = ARRAY_LEN(b.seg);
	journal_writer_resume(b.w);
	T_UNTIL(b.loop, m.answered);
	assert_true(m.ok);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(j1_an_answer_comes_only_when_a_power_cut_keeps_the_message),
		T(j1_one_sync_serves_all_that_gathered),
		T(segments_follow_each_other_without_an_append_waiting),
		T(j5_a_failed_sync_refuses_the_group_and_abandons_the_segment),
		T(j5_a_failed_write_refuses_the_group),
		T(j11_a_body_may_come_from_a_temporary_file),
		T(without_a_segment_appends_wait_and_then_fail),
		T(a_message_larger_than_a_segment_is_refused),
		T(a_lost_connection_gives_the_right_back_and_goes_on),
		T(a_first_connection_that_comes_late_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
