/*
 * The lock that keeps two generations of Postern apart. It is a flock on an
 * empty file; every child inherits the descriptor (which lets it do nothing
 * else), so the lock ends with the last process of the old generation, not
 * with its posternd (DESIGN §4).
 */
#ifndef ADMIN_LOCK_H
#define ADMIN_LOCK_H

#include "base/err.h"

/* Locks the file `lock` of the directory open as dirfd, whose `name` is for
 * messages. Held by another instance: PS_EAGAIN when `wait` is false, else
 * says so and waits. Returns the descriptor or a negative PS_E*. */
int lock_take(int dirfd, const char *name, bool wait, struct err *err)
    MUST_CHECK;

#endif
