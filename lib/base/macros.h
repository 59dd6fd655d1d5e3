/*
 * Small compile-time helpers that every file may use.
 */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define MUST_CHECK	__attribute__((warn_unused_result))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define NORETURN	__attribute__((noreturn))
#define UNUSED		__attribute__((unused))

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/*
 * Objects that travel as `void *arg` begin with `uint32_t magic`; the receiver
 * takes them back with OBJ_CAST, which ends the process on a stale or wrong
 * pointer. Clear the magic before freeing.
 */
#define OBJ_CAST(arg, type, want) \
	((struct type *)obj_check((arg), (want), #type, __FILE__, __LINE__))

void *obj_check(void *arg, uint32_t want, const char *type, const char *file,
    int line);

/* An assertion about our own logic; stays on in every build. Never about
 * anything that a peer, a file or a row contains. */
#define ps_assert(e) \
	((e) ? (void)0 : ps_assert_failed(#e, __FILE__, __LINE__))

void ps_assert_failed(const char *expr, const char *file, int line) NORETURN;

#endif
