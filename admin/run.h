/*
 * Running other programs from the CLI: an argument vector, never a shell.
 * Blocks until they end.
 */
#ifndef ADMIN_RUN_H
#define ADMIN_RUN_H

#include <sys/types.h>

#include "base/err.h"

struct run_as {
	uid_t uid;
	gid_t gid;
	bool drop;		/* false: stay who we are */
};

/* Runs argv[0] (a path, or looked up in PATH) and waits. Its output goes to
 * `log` (appended) or, if that is NULL, where ours goes. 0 when it exited
 * with 0; else err says how it ended. */
int run_program(const char *const *argv, const struct run_as *as,
    const char *log, struct err *err) MUST_CHECK;


/* A program whose output is read. */
struct run_pipe {
	int fd;			/* its standard output; yours to close */
	pid_t pid;
};

/* Starts it. Its errors go where ours go. */
int run_pipe_open(struct run_pipe *p, const char *const *argv,
    struct err *err) MUST_CHECK;
/* When fd is closed: waits; 0 when it exited with 0. */
int run_pipe_end(struct run_pipe *p, const char *name, struct err *err)
    MUST_CHECK;

#endif
