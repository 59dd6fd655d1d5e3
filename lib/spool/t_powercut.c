/*
 * J1, J4, J6, J7, J11 together: a recorded run of the whole road (appends,
 * outcomes, checkpoints, recycling, moves to cold files), and recovery from
 * the states that a power cut, or a kill, leaves after each of its steps.
 *
 * What must hold in every state: a message that was answered with ok is due in
 * the queue or its copy is whole in the store; a message that a completed
 * checkpoint covered never comes back (a reader may have expunged it); after
 * a kill no outcome that reached its log is due again; mail that an access
 * rule holds is held; recovery never fails.
 *
 * SPOOL_POWERCUT_STATES=n looks at n states of every step instead of a few.
 */
#include "t_manager.h"

#include "base/log.h"

#define MESSAGES	72
#define HOLD_EVERY	20	/* these are born held, and nobody releases them */

static struct road r;
static struct t_msg m[ROAD_MAX];
static size_t promised[ROAD_MAX], final[ROAD_MAX], outcome[ROAD_MAX];
static struct disk_record *rec;

/* Notes at which step each promise came to hold. */
static void
note(void)
{
	size_t step = disk_record_steps(rec);
	unsigned i;

	for (i = 0; i < MESSAGES; i++) {
		if (promised[i] == SIZE_MAX && m[i].answered && m[i].ok)
			promised[i] = step;
		if (final[i] == SIZE_MAX && r.removed[i])
			final[i] = step;
	}
}

static void
turn(void)
{
	t_turn(r.loop);
	note();
}

#define UNTIL(cond) do {					\
	unsigned left_ = 20000;					\
	while (!(cond) && left_-- > 0)				\
		turn();						\
	assert_true(cond);					\
} while (0)

static struct spool_stats
stats(void)
{
	struct spool_stats st;

	spool_stats(r.spool, &st);
	return st;
}

/* Outcomes given are in their logs: a kill from here on loses none. */
static void
settle(void)
{
	unsigned i;

	UNTIL(stats().unwritten == 0);
	for (i = 0; i < MESSAGES; i++)
		if (outcome[i] == SIZE_MAX && r.sent[i] > 0)
			outcome[i] = disk_record_steps(rec);
}

static void
run_the_road(void)
{
	unsigned i, k;

	for (i = 0; i < MESSAGES; i += 9) {
		/* some stay deferred, which later moves them */
		r.defer_every = i < 36 ? 2 : 0;
		for (k = i; k < i + 9; k++)
			road_append(&r, &m[k], k, "a short body", 12);
		UNTIL(r.n_seen == i + 9);
		settle();
		if (i % 2 == 0)
			road_checkpoint(&r);
		turn();
	}
	UNTIL(stats().moved > 4 && stats().recycled > 4);
	for (i = 0; i < 10; i++)
		turn();
}

/* --- the other side of the cut -------------------------------------------- */

static int
sync_nothing(int fd)
{
	(void)fd;
	return 0;
}

static void
check_state(size_t step, unsigned state, unsigned max)
{
	static struct road back;
	struct disk_ops quick = disk_real;
	char *image = disk_record_tmpdir("t_powercut-image");
	char what[200];
	bool kill = state == 1;
	unsigned i;

	disk_record_build(rec, step, state, max, image);
	quick.fdatasync = quick.fsync = quick.syncfs = sync_nothing;
	disk_ops_set(&quick);
	memset(&back, 0, sizeof(back));
	back.cfg = r.cfg;
	back.no_agent = true;
	road_boot(&back, kill ? 1 : 2);
	road_open(&back, image);
	T_UNTIL(back.loop, back.ready);
	(void)disk_record_describe(rec, step, what, sizeof(what));
	for (i = 0; i < MESSAGES; i++) {
		bool whole, queued = back.seen[i] > 0, due = back.due[i] > 0;
		bool loose = queued && i % HOLD_EVERY == 0 && !back.held[i];

		whole = road_whole(&back, i);
		if (back.ready_err.code != 0 || back.seen[i] > 1 || loose ||
		    (promised[i] <= step && !due && !whole) ||
		    (kill && outcome[i] <= step && due) ||
		    (final[i] <= step && queued))
			fail_msg("step %zu state %u before %s: message %u: "
			    "queued %u, due %u, copy %d, held %d, promised "
			    "%zd, outcome %zd, final %zd %s", step, state,
			    what, i, back.seen[i], back.due[i], whole,
			    back.held[i],
			    (ssize_t)promised[i], (ssize_t)outcome[i],
			    (ssize_t)final[i], back.ready_err.why);
	}
	road_close(&back);
	loop_free(&back.loop);
	disk_ops_set(NULL);
	disk_record_rmdir(image);
	free(image);
}

/* Moves are rare and have the most orders that matter. */
static bool
near_a_link(size_t step)
{
	size_t i;

	for (i = step > 5 ? step - 5 : 0; i < step; i++)
		if (disk_record_op(rec, i) == DISK_LINK)
			return true;
	return false;
}

static void
every_promise_survives_a_power_cut_at_every_step(void **state)
{
	const char *env = getenv("SPOOL_POWERCUT_STATES");
	unsigned max = env != NULL ? (unsigned)atoi(env) : 0, s, n, per;
	size_t step, last, done = 0;

	memset(&r, 0, sizeof(r));
	memset(promised, 0xff, sizeof(promised));
	memset(final, 0xff, sizeof(final));
	memset(outcome, 0xff, sizeof(outcome));
	r.hold_every = HOLD_EVERY;
	r.d.root = disk_record_tmpdir("t_powercut");
	road_boot(&r, 1);
	{
		/* made before the recording: its zeroes are dull to replay */
		road_open(&r, r.d.root);
		T_UNTIL(r.loop, r.ready);
		road_close(&r);
	}
	rec = disk_record_start(r.d.root);
	road_open(&r, r.d.root);
	UNTIL(r.ready);
	run_the_road();
	note();
	last = disk_record_steps(rec);
	disk_record_pause(rec);
	road_close(&r);
	for (step = 0; step <= last; step++) {
		n = disk_record_states(rec, step, 40);
		per = max > 0 ? max : near_a_link(step) ? 4 : 1;
		for (s = 0; s < MIN(per, n); s++, done++)
			/* 0 and 1 always would hide the odd ones: rotate */
			check_state(step, max > 0 ? s :
			    (unsigned)(step * 7 + s) % n, 40);
	}
	print_message("%zu steps, %zu states recovered\n", last, done);
	disk_record_stop(&rec);
	road_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_promise_survives_a_power_cut_at_every_step),
	};

	log_level_set(LOG_L_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
