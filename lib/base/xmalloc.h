/*
 * Allocation that cannot fail: out of memory ends the process with a fatal
 * log line. Sizes that a peer chooses are capped before they get here.
 */
#ifndef BASE_XMALLOC_H
#define BASE_XMALLOC_H

#include <stddef.h>

#include "base/macros.h"

void *xmalloc(size_t n) MUST_CHECK;
void *xcalloc(size_t count, size_t size) MUST_CHECK;
/* Overflow-checked realloc to count * size bytes. */
void *xreallocarray(void *p, size_t count, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xmemdup0(const void *p, size_t n) MUST_CHECK;	/* NUL-terminated */
char *xasprintf(const char *fmt, ...) PRINTF(1, 2) MUST_CHECK;

/* Wipes n bytes in a way the compiler keeps. */
void secure_wipe(void *p, size_t n);
/* Wipes and frees a NUL-terminated secret, sets *p to NULL. */
void secret_free(char **p);

#endif
