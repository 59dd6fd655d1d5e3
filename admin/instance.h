/*
 * One instance on disk: run, spool and store directories with their owners
 * and modes, the lock, the log file, the secret that its processes share, the
 * users they run as. Opened once at start.
 */
#ifndef ADMIN_INSTANCE_H
#define ADMIN_INSTANCE_H

#include "base/conf.h"

struct instance {
	int run_dir, spool_dir, store_dir;	/* directories */
	int run_lock, spool_lock;		/* inherited by children */
	int log_fd;				/* -1: syslog or stderr */
	char *log_path;
	char *store_group;			/* "" when not root */
	uint8_t key[32];
};

/* Makes what is missing, takes the locks (waits for an older generation if
 * `wait`), opens the log and logs there from now on. */
int instance_open(struct instance *in, const struct conf *conf, bool wait,
    struct err *err) MUST_CHECK;
/* The log file was moved away: opens the name anew, same descriptor. */
int instance_log_reopen(struct instance *in, struct err *err) MUST_CHECK;
/* Takes the pid file and the socket away, closes. */
void instance_close(struct instance *in);

#endif
