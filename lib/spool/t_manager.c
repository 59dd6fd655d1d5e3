/* J2, J4, J5, J6, J7, J9, J11, J12, J14: the spool as qmgr runs it. */
#include "t_manager.h"

#include "spool/cold.h"
#include "spool/incarnation.h"

static struct road r;
static struct t_msg m[ROAD_MAX];

static int
setup(void **state)
{
	road_new(&r, "t_manager");
	return 0;
}

static int
teardown(void **state)
{
	road_free(&r);
	return 0;
}

static struct spool_stats
stats(void)
{
	struct spool_stats st;

	spool_stats(r.spool, &st);
	return st;
}

static bool
answered(unsigned from, unsigned to)
{
	for (; from < to; from++)
		if (m[from].answered == 0)
			return false;
	return true;
}

static void
append(unsigned from, unsigned to)
{
	for (; from < to; from++)
		road_append(&r, &m[from], from, "a short body", 12);
}

/* Closes and opens again; `boot` other than 1: as after a power cut. */
static void
restart(uint8_t boot)
{
	road_close(&r);
	memset(r.seen, 0, sizeof(r.seen));
	memset(r.given, 0, sizeof(r.given));
	memset(r.again, 0, sizeof(r.again));
	memset(r.removed, 0, sizeof(r.removed));
	r.n_seen = r.n_given = r.n_removed = r.n_changed = 0;
	road_boot(&r, boot);
	road_open(&r, r.d.root);
	T_UNTIL(r.loop, r.ready);
	assert_int_equal(r.ready_err.code, 0);
}

static void
j2_what_is_durable_is_found_by_hints(void **state)
{
	unsigned i;

	append(0, 5);
	T_UNTIL(r.loop, r.n_seen == 5);
	assert_true(answered(0, 5));
	for (i = 0; i < 5; i++) {
		assert_int_equal(r.seen[i], 1);
		assert_int_equal(r.again[i], 0);
	}
}

static void
j2_a_lost_hint_costs_nothing(void **state)
{
	r.no_hints = true;
	append(0, 5);
	T_UNTIL(r.loop, answered(0, 5));
	assert_int_equal(r.n_seen, 0);
	/* the worker dies: its descriptor closes, its connection ends */
	journal_writer_lost(r.w);
	spool_owner_gone(r.spool, &r.owner);
	T_UNTIL(r.loop, r.n_seen == 5);
}

static int stolen = -1;

static void
stolen_cb(void *arg, const struct segment_ref *ref, uint64_t start, int fd)
{
	(void)arg;
	(void)start;
	assert_int_equal(ref->id, 1);
	stolen = dup(fd);
}

/* The connection ended, the process has not: what it still appends counts. */
static void
j2_a_dead_workers_segment_is_read_when_nobody_can_append(void **state)
{
	struct journal_writer *w;
	unsigned i;

	spool_borrow(r.spool, &r.owner, stolen_cb, NULL);
	T_UNTIL(r.loop, stolen != -1);
	spool_owner_gone(r.spool, &r.owner);
	for (i = 0; i < 30; i++)
		t_turn(r.loop);
	assert_int_equal(r.n_seen, 0);
	w = r.w = journal_writer_new(r.loop, &road_wops, &r);
	r.no_hints = true;
	{
		struct segment_ref ref;

		assert_int_equal(segment_open(r.d.journal, 1, &ref, NULL), 0);
		(void)close(ref.fd);
		journal_writer_segment(w, 1, span_of(ref.epoch, EPOCH_SIZE),
		    SPOOL_PAGE, ref.size, stolen);
	}
	append(0, 3);
	T_UNTIL(r.loop, answered(0, 3));
	assert_int_equal(r.n_seen, 0);
	journal_writer_lost(w);			/* closes it */
	T_UNTIL(r.loop, r.n_seen == 3);
	stolen = -1;
}

static void
j4_segments_are_recycled_only_when_all_in_them_is_final(void **state)
{
	unsigned i, before;

	/* 15 pages a segment: the third segment begins */
	append(0, 40);
	T_UNTIL(r.loop, r.n_seen == 40);
	for (i = 0; i < 30; i++)
		t_turn(r.loop);
	before = (unsigned)stats().recycled;
	assert_int_equal(before, 0);
	assert_int_equal(r.n_removed, 0);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 40);
	T_UNTIL(r.loop, stats().recycled >= 2);
	/* and round again several times */
	for (i = 40; i < 200; i += 10) {
		append(i, i + 10);
		T_UNTIL(r.loop, r.n_seen == i + 10);
		road_checkpoint(&r);
	}
	T_UNTIL(r.loop, r.n_removed == 200);
	assert_true(stats().recycled >= 10);
	for (i = 0; i < 200; i++)
		assert_int_equal(r.given[i], 1);
}

static void
j6_outcomes_are_provisional_until_a_checkpoint_covers_them(void **state)
{
	unsigned lane, i;

	append(0, 4);
	T_UNTIL(r.loop, r.n_seen == 4);
	for (i = 0; i < 20; i++)
		t_turn(r.loop);
	assert_int_equal(r.n_removed, 0);
	assert_int_equal(road_uncovered(&r), 4);
	/* mailboxes 100..103: two per lane; cover the first of each */
	for (lane = 0; lane < 2; lane++)
		spool_checkpointed(r.spool, lane, true, 1);
	T_UNTIL(r.loop, r.n_removed == 2);
	assert_int_equal(r.removed[0], 1);
	assert_int_equal(r.removed[1], 1);
	assert_int_equal(road_uncovered(&r), 2);
	/* an answer given after the sync was called is not covered by it */
	spool_checkpointed(r.spool, 0, true, 1);
	for (i = 0; i < 20; i++)
		t_turn(r.loop);
	assert_int_equal(r.n_removed, 2);
}

static void
j6_a_successor_covers_what_its_predecessor_answered(void **state)
{
	append(0, 4);
	T_UNTIL(r.loop, r.n_seen == 4);
	spool_lane_down(r.spool, 0);
	spool_lane_down(r.spool, 1);
	spool_lane_up(r.spool, 0);
	spool_lane_up(r.spool, 1);
	append(4, 6);
	T_UNTIL(r.loop, r.n_seen == 6);
	spool_checkpointed(r.spool, 0, true, 0);
	spool_checkpointed(r.spool, 1, true, 0);
	T_UNTIL(r.loop, r.n_removed == 4);
	assert_int_equal(road_uncovered(&r), 2);
}

static void
j7_after_a_process_crash_provisional_outcomes_count(void **state)
{
	unsigned i;

	append(0, 6);
	T_UNTIL(r.loop, r.n_seen == 6);
	r.no_agent = true;
	append(6, 8);
	T_UNTIL(r.loop, r.n_seen == 8);
	restart(1);
	assert_int_equal(r.n_seen, 8);
	assert_int_equal(r.n_given, 0);
	assert_int_equal(road_uncovered(&r), 6);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 6);
	for (i = 0; i < 6; i++)
		assert_int_equal(r.removed[i], 1);
}

static void
j7_after_a_power_cut_uncovered_ones_are_done_again(void **state)
{
	unsigned i;

	append(0, 3);
	T_UNTIL(r.loop, r.n_seen == 3);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 3);
	append(3, 6);
	T_UNTIL(r.loop, r.n_seen == 6);
	restart(2);
	/* final ones never come back, uncovered ones do, marked */
	assert_int_equal(r.n_seen, 3);
	for (i = 3; i < 6; i++) {
		assert_int_equal(r.given[i], 1);
		assert_int_equal(r.again[i], 1);
	}
	/* the old outcomes must not count in the next start of this boot */
	r.no_agent = true;
	restart(2);
	assert_int_equal(r.n_seen, 3);
	assert_int_equal(road_uncovered(&r), 3);
}

/* An outcome of an earlier boot stays forgotten although a later boot wrote
 * to the same log. */
static void
j7_old_outcomes_do_not_count_in_a_later_start(void **state)
{
	r.no_agent = false;
	append(0, 2);
	T_UNTIL(r.loop, r.n_seen == 2);
	r.no_agent = true;
	restart(2);
	assert_int_equal(r.n_given, 0);
	spool_hold(r.spool, r.last, true);	/* writes the log in boot 2 */
	t_turn(r.loop);
	restart(2);
	assert_int_equal(r.n_seen, 2);
	assert_int_equal(road_uncovered(&r), 0);
}

static void
j5_a_failed_checkpoint_is_done_again(void **state)
{
	append(0, 4);
	T_UNTIL(r.loop, r.n_seen == 4);
	spool_checkpointed(r.spool, 0, false, UINT64_MAX);
	spool_checkpointed(r.spool, 1, false, UINT64_MAX);
	assert_int_equal(r.n_given, 8);
	assert_int_equal(r.again[0], 1);
	assert_int_equal(r.n_removed, 0);
	assert_int_equal(road_uncovered(&r), 4);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 4);
}

static void
j5_an_unsynced_outcome_log_makes_nothing_final(void **state)
{
	struct disk_record *rec;
	unsigned i;

	append(0, 4);
	T_UNTIL(r.loop, r.n_seen == 4);
	for (i = 0; i < 20; i++)
		t_turn(r.loop);
	rec = disk_record_start(r.d.root);
	disk_record_fail(rec, DISK_FDATASYNC, 1, EIO, false);
	road_checkpoint(&r);
	T_UNTIL(r.loop, disk_record_failures(rec) == 1);
	/* the log is written anew: only then they are final */
	for (i = 0; i < 20000 && r.n_removed < 4; i++) {
		t_turn(r.loop);
		assert_true(r.n_removed == 0 ||
		    disk_record_calls(rec, DISK_RENAME) >= 1);
	}
	assert_int_equal(r.n_removed, 4);
	disk_record_stop(&rec);
	restart(2);
	assert_int_equal(r.n_seen, 0);
}

static void
j9_recipients_keep_their_mailbox_ids(void **state)
{
	r.no_agent = true;
	r.w = journal_writer_new(r.loop, &road_wops, &r);
	t_msg_init(&m[0], 0, "x", 1);
	m[0].env.n_rcpt = 3;
	m[0].rcpt[1] = m[0].rcpt[2] = m[0].rcpt[0];
	m[0].rcpt[1].mailbox_id = 4711;
	m[0].rcpt[2].kind = ENVELOPE_EXTERNAL;
	m[0].rcpt[2].mailbox_id = 0;
	assert_int_equal(journal_append(r.w, &m[0].a, &m[0].env, NULL), 0);
	T_UNTIL(r.loop, r.n_seen == 1);
	restart(2);
	assert_int_equal(r.n_seen, 1);
	assert_int_equal(r.last->n_rcpt, 3);
	assert_int_equal(r.last->rcpt[0].mailbox_id, 100);
	assert_int_equal(r.last->rcpt[1].mailbox_id, 4711);
	assert_int_equal(r.last->rcpt[2].kind, ENVELOPE_EXTERNAL);
}

/* Deferred mail does not hold segments: it moves to queue files, lives on
 * there over restarts, and ends there. */
static void
j11_deferred_mail_moves_to_cold_files(void **state)
{
	unsigned i, cold;

	r.defer_every = 3;
	for (i = 0; i < 120; i += 10) {
		append(i, i + 10);
		T_UNTIL(r.loop, r.n_seen == i + 10);
		road_checkpoint(&r);
	}
	T_UNTIL(r.loop, r.n_removed == 80);
	cold = (unsigned)stats().cold;
	assert_true(cold > 0);
	assert_int_equal(stats().messages, 40);
	r.no_agent = true;
	restart(2);
	assert_int_equal(r.n_seen, 40);
	assert_true(stats().cold >= cold);
	for (i = 0; i < 120; i += 3)
		assert_int_equal(r.seen[i], 1);
	r.no_agent = false;
	r.defer_every = 0;
	restart(1);
	assert_int_equal(r.n_given, 40);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 40);
	restart(2);
	assert_int_equal(r.n_seen, 0);
	assert_int_equal(stats().cold, 0);
}

/* Tried again and again: the cold log does not grow without end, and holds
 * the same afterwards. */
static void
j11_the_cold_log_is_compacted(void **state)
{
	struct spool_msg *one;
	unsigned i;

	T_UNTIL(r.loop, r.ready);
	road_close(&r);
	r.cfg.cold_log_size = 3 * SPOOL_PAGE;
	road_open(&r, r.d.root);
	r.defer_every = 3;
	for (i = 0; i < 60; i += 10) {
		append(i, i + 10);
		T_UNTIL(r.loop, r.n_seen == i + 10);
		road_checkpoint(&r);
	}
	T_UNTIL(r.loop, r.n_removed == 40 && stats().cold > 0);
	one = spool_msg_find(r.spool, span_str("Tmsg00000003"));
	assert_non_null(one);
	for (i = 0; stats().compacted < 2 && i < 20000; i++) {
		one->attempts = 7;
		spool_tried(r.spool, one);
		if (i % 50 == 0)
			t_turn(r.loop);
	}
	assert_true(stats().compacted >= 2);
	r.no_agent = true;
	restart(2);
	assert_int_equal(r.n_seen, 20);
	assert_int_equal(spool_msg_find(r.spool,
	    span_str("Tmsg00000003"))->attempts, 7);
}

static int cold_fd = -1;
static int linked = -1;

static void
cold_cb(void *arg, int fd)
{
	(void)arg;
	assert_true(fd >= 0);
	cold_fd = dup(fd);
}

static void
linked_cb(void *arg, bool ok)
{
	(void)arg;
	linked = ok;
}

static void
cold_big(unsigned n, bool record)
{
	char tmp[] = "/tmp/t_manager-XXXXXX";
	int body = mkstemp(tmp);

	(void)unlink(tmp);
	assert_int_equal(ftruncate(body, 300000), 0);
	cold_fd = linked = -1;
	spool_cold_ask(r.spool, &r.owner, cold_cb, NULL);
	T_UNTIL(r.loop, cold_fd != -1);
	t_msg_init(&m[n], n, "", 0);
	m[n].env.body_size = 300000;
	assert_int_equal(cold_write(cold_fd, &m[n].env, body, 0, 300000,
	    &m[n].a.body_crc, NULL), 0);
	spool_cold_link(r.spool, &r.owner, dup(cold_fd),
	    span_str(m[n].env.queue_id), linked_cb, NULL);
	T_UNTIL(r.loop, linked != -1);
	assert_int_equal(linked, 1);
	if (r.w == NULL)
		r.w = journal_writer_new(r.loop, &road_wops, &r);
	m[n].a.cold = true;
	if (record)
		assert_int_equal(journal_append(r.w, &m[n].a, &m[n].env,
		    NULL), 0);
	(void)close(body);
}

static void
open_cb(void *arg, struct spool_msg *msg, int fd, const struct err *err)
{
	struct segment_ref ref;
	struct record rec;

	assert_null(err);
	assert_int_equal(cold_ref(fd, &ref, NULL), 0);
	assert_int_equal(record_open(&ref, msg->offset, msg->length,
	    msg->queue_id, 1000, &rec, NULL), 0);
	assert_int_equal(rec.h.body_len, 300000);
	record_close(&rec);
	(void)close(fd);
	*(bool *)arg = true;
}

static void
j11_big_messages_have_files_of_their_own(void **state)
{
	bool opened = false;

	r.no_agent = true;
	cold_big(7, true);
	T_UNTIL(r.loop, r.n_seen == 1 && m[7].answered);
	assert_true(m[7].ok);
	assert_true(r.last->cold);
	spool_open_cold(r.spool, r.last, open_cb, &opened);
	T_UNTIL(r.loop, opened);
	(void)close(cold_fd);
	r.no_agent = false;
	restart(2);
	assert_int_equal(r.n_seen, 1);
	assert_int_equal(r.given[7], 1);
	road_checkpoint(&r);
	T_UNTIL(r.loop, r.n_removed == 1);
	restart(2);
	assert_int_equal(r.n_seen, 0);
	assert_int_equal(faccessat(r.d.queue, "Tmsg00000007", F_OK, 0), -1);
}

static void
j11_a_cold_file_without_a_record_is_removed(void **state)
{
	cold_big(8, false);
	assert_int_equal(faccessat(r.d.queue, "Tmsg00000008", F_OK, 0), 0);
	/* its maker lives and may still make the record: it stays */
	restart(1);
	assert_int_equal(faccessat(r.d.queue, "Tmsg00000008", F_OK, 0), 0);
	(void)close(cold_fd);
	restart(1);
	assert_int_equal(r.n_seen, 0);
	assert_int_equal(faccessat(r.d.queue, "Tmsg00000008", F_OK, 0), -1);
}

static void
j12_a_full_disk_refuses_new_mail(void **state)
{
	T_UNTIL(r.loop, r.ready);
	road_close(&r);
	r.cfg.minfree = UINT64_MAX;
	road_open(&r, r.d.root);
	T_UNTIL(r.loop, r.pressure == 2);
}

static void
keep_cb(void *arg, const struct segment_ref *ref, uint64_t start, int fd)
{
	(void)ref;
	(void)start;
	(void)fd;
	++*(unsigned *)arg;
}

static void
pressure_when_segments_run_out(void **state)
{
	unsigned got = 0, i;

	for (i = 0; i < 4; i++)
		spool_borrow(r.spool, &r.owner, keep_cb, &got);
	T_UNTIL(r.loop, got == 3 && r.pressure == 1);
	/* its end frees all: pressure goes */
	spool_owner_gone(r.spool, &r.owner);
	T_UNTIL(r.loop, r.pressure == 0);
	assert_int_equal(got, 3);
}

static void
j13_a_clock_that_jumped_parks_no_message(void **state)
{
	struct spool_msg *one;

	r.answer = JOB_DEFERRED;
	append(0, 1);
	T_UNTIL(r.loop, r.n_seen == 1);
	one = r.last;
	one->attempts = 3;
	/* as if the wall clock had stood ten years ahead when it was tried */
	one->next_ms = loop_now_ms(r.loop) + 315360000000ULL;
	spool_tried(r.spool, one);
	r.no_agent = true;
	restart(1);
	assert_int_equal(r.last->attempts, 3);
	assert_true(r.last->next_ms <= loop_now_ms(r.loop) + 86400ULL * 1000);
}

static void
j14_an_accepted_spool_holds_all_its_mail(void **state)
{
	uint32_t first;
	unsigned i;

	r.no_agent = true;
	append(0, 5);
	T_UNTIL(r.loop, r.n_seen == 5);
	road_close(&r);
	t_dirs_open(&r.d, r.d.root);
	assert_int_equal(renameat(r.d.journal, "0001.seg", r.d.spool, "aside"),
	    0);
	assert_int_equal(incarnation_raise(r.d.spool, 1, &first, NULL), 0);
	assert_int_equal(renameat(r.d.spool, "aside", r.d.journal, "0001.seg"),
	    0);
	assert_int_equal(incarnation_check(r.d.spool, 50, false, NULL),
	    PS_EDENIED);
	assert_int_equal(incarnation_check(r.d.spool, 50, true, NULL), 0);
	t_dirs_close(&r.d);
	r.no_agent = false;
	road_open(&r, r.d.root);
	T_UNTIL(r.loop, r.ready);
	assert_int_equal(r.n_given, 0);
	for (i = 0; i < 5; i++)
		assert_true(r.held[i]);
	T_UNTIL(r.loop, !incarnation_hold_wanted(r.d.spool));
	/* held they stay over the next start, and new mail flows */
	restart(2);
	assert_int_equal(r.n_given, 0);
	append(10, 11);
	T_UNTIL(r.loop, r.given[10] == 1);
	spool_hold(r.spool, spool_msg_find(r.spool,
	    span_str("Tmsg00000003")), false);
	restart(2);
	assert_int_equal(r.given[3], 1);
}

static void
deleted_messages_stay_deleted(void **state)
{
	r.no_agent = true;
	append(0, 3);
	T_UNTIL(r.loop, r.n_seen == 3);
	assert_int_equal(spool_delete(r.spool, spool_msg_find(r.spool,
	    span_str("Tmsg00000001"))), 0);
	T_UNTIL(r.loop, r.n_removed == 1);
	restart(2);
	assert_int_equal(r.n_seen, 2);
	assert_int_equal(r.seen[1], 0);
}

/* Nothing but the record itself says so: no log entry could be missing. */
static void
mail_that_is_born_held_stays_so_through_crash_and_cut(void **state)
{
	r.hold_every = 2;
	append(0, 4);
	T_UNTIL(r.loop, r.n_seen == 4 && r.n_given == 2);
	assert_true(r.held[0] && r.held[2] && !r.held[1]);
	restart(1);
	assert_true(r.held[0] && r.held[2]);
	restart(2);
	assert_true(r.held[0] && r.held[2]);
	assert_string_equal(spool_msg_find(r.spool,
	    span_str("Tmsg00000000"))->reason,
	    "held by an access rule: look at it");
	assert_int_equal(r.given[0] + r.given[2], 0);
	/* released it is delivered, now or after a crash */
	r.no_agent = true;
	spool_hold(r.spool, spool_msg_find(r.spool,
	    span_str("Tmsg00000002")), false);
	T_UNTIL(r.loop, stats().unwritten == 0);
	r.no_agent = false;
	restart(3);
	assert_true(r.held[0]);
	assert_false(r.held[2]);
	assert_int_equal(r.given[2], 1);
}

/* In queue files as in segments: what is held, and what was released. */
static void
born_held_and_released_go_along_to_a_queue_file(void **state)
{
	struct spool_msg *one;

	r.hold_every = 1;
	append(0, 2);
	T_UNTIL(r.loop, r.n_seen == 2);
	r.no_agent = true;
	one = spool_msg_find(r.spool, span_str("Tmsg00000001"));
	spool_hold(r.spool, one, false);
	one->attempts = 1;
	r.hold_every = 0;
	append(2, 60);
	T_UNTIL(r.loop, stats().cold >= 2);
	restart(2);
	assert_true(spool_msg_find(r.spool, span_str("Tmsg00000000"))->cold);
	assert_true(spool_msg_find(r.spool, span_str("Tmsg00000001"))->cold);
	assert_true(r.held[0]);
	assert_false(r.held[1]);
}

static void
failed_recipients_hold_the_message(void **state)
{
	r.answer = JOB_FAILED;
	append(0, 1);
	T_UNTIL(r.loop, r.n_seen == 1);
	assert_true(r.last->held);
	r.answer = JOB_SENT;
	restart(2);
	assert_true(r.held[0]);
	assert_int_equal(r.n_given, 0);
	spool_hold(r.spool, r.last, false);
	assert_int_equal(r.last->rcpt[0].state, SPOOL_DUE);
}

static void
j8_two_messages_of_one_id_are_both_kept(void **state)
{
	r.no_agent = true;
	append(0, 1);
	T_UNTIL(r.loop, r.n_seen == 1);
	road_append(&r, &m[1], 0, "another body", 12);
	T_UNTIL(r.loop, r.n_seen == 2);
	assert_int_equal(stats().alarms, 1);
	r.no_agent = false;
	restart(2);
	assert_int_equal(r.seen[0], 2);
	assert_int_equal(r.given[0], 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(j2_what_is_durable_is_found_by_hints),
		T(j2_a_lost_hint_costs_nothing),
		T(j2_a_dead_workers_segment_is_read_when_nobody_can_append),
		T(j4_segments_are_recycled_only_when_all_in_them_is_final),
		T(j5_a_failed_checkpoint_is_done_again),
		T(j5_an_unsynced_outcome_log_makes_nothing_final),
		T(j6_outcomes_are_provisional_until_a_checkpoint_covers_them),
		T(j6_a_successor_covers_what_its_predecessor_answered),
		T(j7_after_a_process_crash_provisional_outcomes_count),
		T(j7_after_a_power_cut_uncovered_ones_are_done_again),
		T(j7_old_outcomes_do_not_count_in_a_later_start),
		T(j8_two_messages_of_one_id_are_both_kept),
		T(j9_recipients_keep_their_mailbox_ids),
		T(j11_deferred_mail_moves_to_cold_files),
		T(j11_the_cold_log_is_compacted),
		T(j11_big_messages_have_files_of_their_own),
		T(j11_a_cold_file_without_a_record_is_removed),
		T(j12_a_full_disk_refuses_new_mail),
		T(pressure_when_segments_run_out),
		T(j13_a_clock_that_jumped_parks_no_message),
		T(j14_an_accepted_spool_holds_all_its_mail),
		T(deleted_messages_stay_deleted),
		T(mail_that_is_born_held_stays_so_through_crash_and_cut),
		T(born_held_and_released_go_along_to_a_queue_file),
		T(failed_recipients_hold_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
