/*
 * ENOSPC and EIO in every durable call of the whole road, one at a time: no
 * crash, no message that got its ok is lost, whatever failed; and when the
 * disk is well again everything flows.
 */
#include "t_manager.h"

#include "base/log.h"

#define MESSAGES	40

static struct road r;
static struct t_msg m[ROAD_MAX];

static bool
all_answered(void)
{
	unsigned i;

	for (i = 0; i < MESSAGES; i++)
		if (m[i].answered == 0)
			return false;
	return true;
}

static void
run_faulty(void)
{
	unsigned i;

	journal_writer_free(&r.w);
	for (i = 0; i < MESSAGES; i++) {
		r.defer_every = i < 20 ? 3 : 0;
		road_append(&r, &m[i], i, "a short body", 12);
		journal_writer_patience_ms(r.w, 100);
		if (i % 5 == 4) {
			t_turn(r.loop);
			t_turn(r.loop);
			if (r.ready)
				road_checkpoint(&r);
		}
	}
	T_UNTIL(r.loop, all_answered());
	for (i = 0; i < 5; i++)
		t_turn(r.loop);
}

/* Returns how many calls failed. */
static unsigned
one_fault(enum disk_op op, unsigned nth, int error)
{
	struct disk_record *rec;
	unsigned failures, i;
	bool promised[MESSAGES];

	memset(&r, 0, sizeof(r));
	memset(m, 0, sizeof(m));
	r.d.root = disk_record_tmpdir("t_faults");
	road_boot(&r, 1);
	/* from the very first call on */
	rec = disk_record_start(r.d.root);
	t_dirs_open(&r.d, r.d.root);
	t_dirs_close(&r.d);
	disk_record_fail(rec, op, nth, error, false);
	r.tolerant = true;
	road_open(&r, r.d.root);
	if (r.spool != NULL) {
		T_UNTIL(r.loop, r.ready);
		if (r.ready_err.code == 0)
			run_faulty();
	}
	for (i = 0; i < MESSAGES; i++)
		promised[i] = m[i].answered && m[i].ok;
	failures = disk_record_failures(rec);
	if (r.spool != NULL)
		road_close(&r);
	disk_record_stop(&rec);
	/* the disk is well again; nothing in memory is left */
	memset(r.seen, 0, sizeof(r.seen));
	memset(r.due, 0, sizeof(r.due));
	memset(&r.ready_err, 0, sizeof(r.ready_err));
	r.ready = r.tolerant = false;
	r.no_agent = true;
	road_open(&r, r.d.root);
	T_UNTIL(r.loop, r.ready);
	assert_int_equal(r.ready_err.code, 0);
	for (i = 0; i < MESSAGES; i++)
		if (promised[i] && r.due[i] == 0 && !road_whole(&r, i))
			fail_msg("call %u of kind %d failed with %d: message "
			    "%u is lost", nth, op, error, i);
	road_free(&r);
	return failures;
}

static void
every_kind(int error)
{
	static const enum disk_op ops[] = { DISK_OPEN, DISK_PWRITE,
	    DISK_TRUNCATE, DISK_FDATASYNC, DISK_FSYNC, DISK_SYNCFS,
	    DISK_RENAME, DISK_LINK, DISK_UNLINK, DISK_MKDIR };
	unsigned i, nth, hits = 0;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		for (nth = 1; nth < 60; nth += 1 + nth / 2) {
			if (one_fault(ops[i], nth, error) == 0)
				break;
			hits++;
		}
	print_message("%u faults\n", hits);
	assert_true(hits > 20);
}

static void
no_call_that_finds_no_space_loses_mail(void **state)
{
	every_kind(ENOSPC);
}

static void
no_call_that_fails_loses_mail(void **state)
{
	every_kind(EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_that_finds_no_space_loses_mail),
		cmocka_unit_test(no_call_that_fails_loses_mail),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
