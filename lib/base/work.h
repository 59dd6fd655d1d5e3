/*
 * A pool of threads for what may block: file operations, hashing, syncs.
 * Jobs with the same `order` key (not 0) run one after another in the order
 * they were given and wait for nobody else; others in any order. `run` is called in a thread and must
 * touch only what the job owns; `done` is called afterwards on the loop.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include "base/loop.h"

struct work_pool;

/* The job is embedded in the caller's struct; leave it alone until done. */
TAILQ_HEAD(work_list, work);
struct work {
	TAILQ_ENTRY(work) link;		/* private */
	LIST_ENTRY(work) key_link;	/* private */
	struct work_list behind;	/* private */
	uint64_t order;
	void (*run)(void *arg);
	void (*done)(void *arg);	/* may be NULL */
	void *arg;
};

struct work_pool *work_pool_new(struct loop *l, unsigned threads);
/* Waits for running jobs and runs all that were given; `done` of each is
 * called before this returns. */
void work_pool_free(struct work_pool **p);
void work_give(struct work_pool *p, struct work *w);
size_t work_waiting(const struct work_pool *p);

#endif
