#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void PRINTF(4, 0)
err_fill(struct err *err, enum err_kind kind, int code, const char *fmt,
    va_list ap)
{
	if (err == NULL)
		return;
	err->kind = kind;
	err->code = code;
	(void)vsnprintf(err->why, sizeof(err->why), fmt, ap);
}

int
err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fill(err, kind, code, fmt, ap);
	va_end(ap);
	return code;
}

static int
code_of_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
		return PS_EFULL;
	case ENOENT:
		return PS_ENOTFOUND;
	case EEXIST:
		return PS_EEXIST;
	default:
		return PS_EIO;
	}
}

int
err_errno(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	int code = code_of_errno(saved);
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	err_fill(err, ERR_TEMP, code, fmt, ap);
	va_end(ap);
	if (err != NULL) {
		n = strlen(err->why);
		(void)snprintf(err->why + n, sizeof(err->why) - n, ": %s",
		    strerrordesc_np(saved));
	}
	errno = saved;
	return code;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char head[sizeof(err->why) / 2], tail[sizeof(err->why)];
	va_list ap;
	size_t n;

	if (err == NULL)
		return PS_EIO;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, err->why, sizeof(tail));
	n = strlen(head);
	memcpy(err->why, head, n + 1);
	(void)snprintf(err->why + n, sizeof(err->why) - n, ": %.*s",
	    (int)(sizeof(err->why) - n - 3), tail);
	return err->code;
}

void
err_clear(struct err *err)
{
	if (err == NULL)
		return;
	err->kind = ERR_NONE;
	err->code = 0;
	err->why[0] = '\0';
}
