/*
 * Errors with their nature decided where they happen: temporary failures
 * become 4xx, permanent ones 5xx, bugs are ours. Functions return 0 or a
 * negative PS_E* code; what the caller must explain travels in a trailing
 * `struct err *err` (NULL is allowed and means "not interested").
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/macros.h"

enum err_kind {
	ERR_NONE = 0,
	ERR_TEMP,		/* may heal: deferral, 4xx */
	ERR_PERM,		/* will not heal: refusal, 5xx */
	ERR_BUG			/* our own mistake: log loudly, treat as TEMP */
};

enum {
	PS_ESYNTAX = -1,	/* malformed input */
	PS_ETOOBIG = -2,	/* over a cap */
	PS_ENOTFOUND = -3,
	PS_EEXIST = -4,
	PS_EIO = -5,		/* a system call failed; errno text in why */
	PS_EAGAIN = -6,		/* try again, nothing is wrong */
	PS_EDENIED = -7,
	PS_ECORRUPT = -8,	/* stored data fails its checks */
	PS_EFULL = -9,		/* no space, or over quota */
	PS_ECLOSED = -10,	/* the other side went away */
	PS_ESTATE = -11,	/* not possible now */
	PS_ENOSYS = -12
};

struct err {
	enum err_kind kind;
	int code;		/* PS_E* */
	char why[256];		/* for the log, never for the peer */
};

/* Fills *err (if not NULL) and returns code, so `return err_set(...)`. */
int err_set(struct err *err, enum err_kind kind, int code, const char *fmt,
    ...) PRINTF(4, 5);
/* As err_set, appends ": strerror(errno)"; ENOSPC and EDQUOT become PS_EFULL,
 * ENOENT PS_ENOTFOUND, EEXIST PS_EEXIST, all else PS_EIO. Kind is ERR_TEMP. */
int err_errno(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Puts "text: " in front of err->why. Returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF(2, 3);
void err_clear(struct err *err);

#endif
