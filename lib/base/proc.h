/*
 * What a process may do to itself: descriptors, limits, privilege.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <sys/types.h>

#include "base/err.h"

/* Cryptographic random bytes; ends the process when there are none. */
void proc_random(void *p, size_t n);

/* Raises the soft descriptor limit to the hard one. */
void proc_raise_nofile(void);
/* Core dumps off, not ptraceable (keys live in memory). */
void proc_no_dumps(void);
void proc_title_set(const char *title);		/* prctl comm, 15 bytes */

/* Becomes `user` for good with exactly the named supplementary groups
 * (NULL-terminated list, may be NULL), sets no_new_privs, checks that there
 * is no way back. Does nothing but no_new_privs when not started as root. */
int proc_drop(const char *user, const char *const *groups, struct err *err)
    MUST_CHECK;

/* As proc_drop, but root may still read every file and pass every directory
 * (CAP_DAC_READ_SEARCH), and change none that `user` may not. */
int proc_drop_reader(const char *user, struct err *err) MUST_CHECK;

int proc_nonblock(int fd);
/* Closes every descriptor >= lowest. */
void proc_close_from(int lowest);

#endif
