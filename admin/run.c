#include "admin/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"

static void
run_child(const char *const *argv, const struct run_as *as, int log) NORETURN;

static void
run_child(const char *const *argv, const struct run_as *as, int log)
{
	int null = open("/dev/null", O_RDONLY);

	if (null != -1)
		dup2(null, 0);
	if (log != -1) {
		dup2(log, 1);
		dup2(log, 2);
	}
	if (as != NULL && as->drop && (setgroups(0, NULL) != 0 ||
	    setresgid(as->gid, as->gid, as->gid) != 0 ||
	    setresuid(as->uid, as->uid, as->uid) != 0 ||
	    chdir("/") != 0 || setenv("HOME", "/", 1) != 0))
		_exit(126);
	proc_close_from(3);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerrordesc_np(errno));
	_exit(127);
}

int
run_program(const char *const *argv, const struct run_as *as,
    const char *log, struct err *err)
{
	int status, fd = -1;
	pid_t pid;

	if (log != NULL) {
		fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0644);
		if (fd == -1)
			return err_errno(err, "%s", log);
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(argv, as, fd);
	if (fd != -1)
		close(fd);
	if (pid == -1)
		return err_errno(err, "fork");
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return err_errno(err, "wait for %s", argv[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_PERM, PS_EIO, "%s was killed by "
		    "signal %d", argv[0], WTERMSIG(status));
	return err_set(err, ERR_PERM, PS_EIO, "%s failed with status %d%s%s",
	    argv[0], WEXITSTATUS(status), log == NULL ? "" : "; see ",
	    log == NULL ? "" : log);
}
