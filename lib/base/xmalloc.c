#include "base/xmalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *
checked(void *p, size_t n)
{
	if (p == NULL)
		log_fatal("out of memory (%zu bytes)", n);
	return p;
}

void *
xmalloc(size_t n)
{
	return checked(malloc(n == 0 ? 1 : n), n);
}

void *
xcalloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return checked(calloc(count, size), count * size);
}

void *
xreallocarray(void *p, size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return checked(reallocarray(p, count, size), count * size);
}

char *
xstrdup(const char *s)
{
	return xmemdup0(s, strlen(s));
}

char *
xmemdup0(const void *p, size_t n)
{
	char *copy;

	ps_assert(n < SIZE_MAX);
	copy = xmalloc(n + 1);
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *
xasprintf(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		log_fatal("out of memory (formatting)");
	return s;
}

void
secure_wipe(void *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
}

void
secret_free(char **p)
{
	if (*p == NULL)
		return;
	secure_wipe(*p, strlen(*p));
	free(*p);
	*p = NULL;
}

void
ps_assert_failed(const char *expr, const char *file, int line)
{
	log_at(LOG_L_FATAL, "panic: assertion failed: %s (%s:%d)", expr, file,
	    line);
	log_flush();
	abort();
}

void *
obj_check(void *arg, uint32_t want, const char *type, const char *file,
    int line)
{
	uint32_t magic = 0;

	if (arg != NULL)
		memcpy(&magic, arg, sizeof(magic));
	if (magic != want) {
		log_at(LOG_L_FATAL, "panic: not a struct %s (%s:%d)", type,
		    file, line);
		log_flush();
		abort();
	}
	return arg;
}
