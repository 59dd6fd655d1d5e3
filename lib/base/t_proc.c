#include "base/proc.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs fn in a child; its return value is the exit code. */
static int
in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void
random_bytes_differ(void **state)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	proc_random(a, sizeof(a));
	proc_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
nofile_is_raised_to_the_hard_limit(void **state)
{
	struct rlimit rl;

	proc_raise_nofile();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_true(rl.rlim_cur == rl.rlim_max);
}

static int
no_dumps(void)
{
	proc_no_dumps();
	return prctl(PR_GET_DUMPABLE) != 0;
}

static int
titled(void)
{
	char name[17] = "";

	proc_title_set("postern-smtpd-and-more");
	prctl(PR_GET_NAME, name);
	return strcmp(name, "postern-smtpd-a") != 0;
}

static int
closed_from(void)
{
	int fd = fcntl(0, F_DUPFD, 50);

	proc_close_from(40);
	return fd < 50 || fcntl(fd, F_GETFD) != -1 ||
	    fcntl(0, F_GETFD) == -1;
}

static void
small_things_of_a_process(void **state)
{
	int p[2];

	assert_int_equal(in_child(no_dumps), 0);
	assert_int_equal(in_child(titled), 0);
	assert_int_equal(in_child(closed_from), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(proc_nonblock(p[0]), 0);
	assert_true((fcntl(p[0], F_GETFL) & O_NONBLOCK) != 0);
	close(p[0]);
	close(p[1]);
	assert_int_equal(proc_nonblock(p[0]), -1);
}

/* Each returns 0, or the number of the check that failed. */

static int
dropped(void)
{
	const char *groups[] = { "daemon", NULL };
	const struct passwd *pw = getpwnam("nobody");
	const struct group *gr = getgrnam("daemon");
	struct err err;
	gid_t list[8];
	int n;

	if (pw == NULL || gr == NULL || proc_drop("nobody", groups, &err) != 0)
		return 1;
	if (getuid() != pw->pw_uid || geteuid() != pw->pw_uid ||
	    getgid() != pw->pw_gid || getegid() != pw->pw_gid)
		return 2;
	n = getgroups(8, list);
	if (n != 1 || list[0] != gr->gr_gid)
		return 3;
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 5;
	return 0;
}

static int
refuses_root_and_strangers(void)
{
	const char *groups[] = { "no-such-group-here", NULL };
	struct err err;

	if (proc_drop("root", NULL, &err) == 0)
		return 1;
	if (proc_drop("no-such-user-here", NULL, &err) == 0)
		return 2;
	if (strstr(err.why, "no-such-user-here") == NULL)
		return 3;
	if (proc_drop("nobody", groups, &err) == 0)
		return 4;
	if (geteuid() != 0)
		return 5;
	return 0;
}

static void
root_drops_for_good(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(dropped), 0);
	assert_int_equal(in_child(refuses_root_and_strangers), 0);
}

static int
stays_who_it_is(void)
{
	struct err err;
	uid_t uid;

	if (geteuid() == 0 && setuid(65534) != 0)
		return 1;
	uid = getuid();
	if (proc_drop("root", NULL, &err) != 0)
		return 2;
	if (getuid() != uid || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
	return 0;
}

static void
without_root_only_no_new_privs(void **state)
{
	assert_int_equal(in_child(stays_who_it_is), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(nofile_is_raised_to_the_hard_limit),
		cmocka_unit_test(small_things_of_a_process),
		cmocka_unit_test(root_drops_for_good),
		cmocka_unit_test(without_root_only_no_new_privs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
