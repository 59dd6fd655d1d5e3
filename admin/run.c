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

/* out, log: for its standard output and error; -1: ours. */
static void
run_child(const char *const *argv, const struct run_as *as, int out, int log)
    NORETURN;

static void
run_child(const char *const *argv, const struct run_as *as, int out, int log)
{
	int null = open("/dev/null", O_RDONLY);

	if (null != -1)
		dup2(null, 0);
	if (out != -1)
		dup2(out, 1);
	if (log != -1)
		dup2(log, 2);
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

static int
run_wait(pid_t pid, const char *name, const char *log, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return err_errno(err, "wait for %s", name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_PERM, PS_EIO, "%s was killed by "
		    "signal %d", name, WTERMSIG(status));
	return err_set(err, ERR_PERM, PS_EIO, "%s failed with status %d%s%s",
	    name, WEXITSTATUS(status), log == NULL ? "" : "; see ",
	    log == NULL ? "" : log);
}

int
run_program(const char *const *argv, const struct run_as *as,
    const char *log, struct err *err)
{
	int fd = -1;
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
		run_child(argv, as, fd, fd);
	if (fd != -1)
		close(fd);
	if (pid == -1)
		return err_errno(err, "fork");
	return run_wait(pid, argv[0], log, err);
}

int
run_pipe_open(struct run_pipe *p, const char *const *argv, struct err *err)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return err_errno(err, "pipe");
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0)
		run_child(argv, NULL, fd[1], -1);
	close(fd[1]);
	p->fd = fd[0];
	if (p->pid != -1)
		return 0;
	close(fd[0]);
	return err_errno(err, "fork");
}

int
run_pipe_end(struct run_pipe *p, const char *name, struct err *err)
{
	return run_wait(p->pid, name, NULL, err);
}
