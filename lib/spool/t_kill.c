/*
 * SIGKILL of the process that runs the whole road, at any moment, again and
 * again over the same spool: what it had answered with ok is due afterwards,
 * or its copy is there.
 */
#include "t_manager.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"

#define KILLS	12

static struct road r;
static struct t_msg m[ROAD_MAX];

/* The child: appends from `from` on and reports each ok as a byte pair. */
static void
child(const char *root, unsigned from, int report)
{
	uint16_t n;
	unsigned next = from, told = from, i;

	memset(&r, 0, sizeof(r));
	r.cfg.incarnation = from;
	road_boot(&r, 1);
	road_open(&r, root);
	while (!r.ready)
		t_turn(r.loop);
	for (;;) {
		r.defer_every = next % 20 < 10 ? 3 : 0;
		if (next < ROAD_MAX && next < told + 5) {
			road_append(&r, &m[next], next, "a short body", 12);
			next++;
		}
		t_turn(r.loop);
		for (i = told; i < next && m[i].answered; i++, told++) {
			n = (uint16_t)i;
			if (m[i].ok && write(report, &n, 2) != 2)
				_exit(1);
		}
		if (next % 4 == 0)
			road_checkpoint(&r);
	}
}

static void
a_killed_process_loses_nothing_it_promised(void **state)
{
	char *root = disk_record_tmpdir("t_kill");
	bool promised[ROAD_MAX] = { false };
	unsigned k, from = 0, i, n_promised = 0;
	uint16_t n;
	int fd[2], status;
	pid_t pid;

	for (k = 0; k < KILLS; k++) {
		assert_int_equal(pipe(fd), 0);
		if ((pid = fork()) == 0) {
			(void)close(fd[0]);
			child(root, from, fd[1]);
		}
		(void)close(fd[1]);
		/* at any moment: now and then not before it works */
		if (k % 3 == 0)
			assert_int_equal(poll(&(struct pollfd){ .fd = fd[0],
			    .events = POLLIN }, 1, 60000), 1);
		(void)usleep(20000 + k * 7919 % 60000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(fd[0], &n, 2) == 2) {
			promised[n] = true;
			n_promised++;
			from = MAX(from, (unsigned)n + 1);
		}
		from += 5;	/* sent, perhaps without an answer */
		(void)close(fd[0]);
		memset(&r, 0, sizeof(r));
		r.no_agent = true;
		r.cfg.incarnation = from;
		r.d.root = root;
		road_boot(&r, 1);
		road_open(&r, root);
		T_UNTIL(r.loop, r.ready);
		assert_int_equal(r.ready_err.code, 0);
		for (i = 0; i < ROAD_MAX; i++)
			if (promised[i] && !r.due[i] && !road_whole(&r, i))
				fail_msg("kill %u: message %u is lost", k, i);
		road_close(&r);
		loop_free(&r.loop);
		if (from + 10 >= ROAD_MAX)
			break;
	}
	print_message("%u messages promised\n", n_promised);
	assert_true(n_promised > 0);
	disk_record_rmdir(root);
	free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_process_loses_nothing_it_promised),
	};

	log_level_set(LOG_L_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
