/*
 * The text of a message on its way in (J11): in memory up to BODY_MEMORY, or
 * to BODY_MEMORY_TIGHT while all bodies of this worker together hold more
 * than the worker's cap; beyond that in an unnamed temporary file, written by
 * a thread. Errors of the file are remembered and told at the end.
 *
 * The owner adds bytes; when body_full() says so it must call body_flush()
 * and add no more until the callback.
 */
#ifndef SMTPD_BODY_H
#define SMTPD_BODY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/work.h"

#define BODY_MEMORY		(64 * 1024)
#define BODY_MEMORY_TIGHT	(4 * 1024)

struct body_flush;

struct body {
	struct buf mem;		/* all of it, or what is not yet in the file */
	uint64_t size;		/* bytes added */
	int fd;			/* -1: all in memory */
	uint64_t in_file;
	struct body_flush *flush;	/* in flight */
	struct err err;		/* of the file; kind ERR_NONE: fine */
	size_t counted;		/* private: of mem, in the worker's sum */
};

void body_init(struct body *b);
/* Also while a flush is in flight: its callback will not run. */
void body_fini(struct body *b);
void body_add(struct body *b, struct span bytes);
bool body_full(const struct body *b);
/* Writes what is in memory to the file. cb runs from the loop. */
void body_flush(struct body *b, struct work_pool *pool,
    void (*cb)(void *arg), void *arg);

/* The worker's cap on memory of all bodies together, with what is on its way to
 * files. */
void body_cap_set(size_t bytes);
size_t body_memory_used(void);
/* More than that is used: read little of each client. */
bool body_memory_tight(void);

#endif
