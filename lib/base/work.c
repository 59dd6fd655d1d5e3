#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"

/*
 * Of the jobs with one key the first, which runs or is ready to, is in a bucket
 * by its key; the others wait behind it. No key waits for another: a mailbox
 * with a million messages must not hold up whoever hashes to the same place.
 */
#define BUCKETS	256

LIST_HEAD(work_bucket, work);

struct work_pool {
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t *thread;
	unsigned n_threads;
	bool stop;
	struct work_list ready;			/* may start now */
	struct work_bucket bucket[BUCKETS];	/* first of each key */
	size_t waiting;
	struct work_list finished;		/* `done` not yet called */
	bool posted;
};

static struct work_bucket *
bucket_of(struct work_pool *p, uint64_t order)
{
	return &p->bucket[(order * 0x9e3779b97f4a7c15ULL) >> 56];
}

/* The first job with this key, or NULL. */
static struct work *
first_of(struct work_pool *p, uint64_t order)
{
	struct work *w;

	LIST_FOREACH(w, bucket_of(p, order), key_link)
		if (w->order == order)
			return w;
	return NULL;
}

/* Becomes the first of its key, with those behind it. */
static void
first_make(struct work_pool *p, struct work *w, struct work_list *behind)
{
	TAILQ_INIT(&w->behind);
	if (behind != NULL)
		TAILQ_CONCAT(&w->behind, behind, link);
	LIST_INSERT_HEAD(bucket_of(p, w->order), w, key_link);
}

static void
finished_cb(void *arg)
{
	struct work_pool *p = arg;
	struct work_list mine = TAILQ_HEAD_INITIALIZER(mine);
	struct work *w;

	pthread_mutex_lock(&p->lock);
	TAILQ_CONCAT(&mine, &p->finished, link);
	p->posted = false;
	pthread_mutex_unlock(&p->lock);
	while ((w = TAILQ_FIRST(&mine)) != NULL) {
		TAILQ_REMOVE(&mine, w, link);
		if (w->done != NULL)
			w->done(w->arg);
	}
}

/* Called with the lock held: w has run. */
static void
work_finish(struct work_pool *p, struct work *w)
{
	struct work *next;

	if (w->order != 0) {
		LIST_REMOVE(w, key_link);
		if ((next = TAILQ_FIRST(&w->behind)) != NULL) {
			TAILQ_REMOVE(&w->behind, next, link);
			first_make(p, next, &w->behind);
			TAILQ_INSERT_TAIL(&p->ready, next, link);
		}
	}
	TAILQ_INSERT_TAIL(&p->finished, w, link);
	if (!p->posted) {
		p->posted = true;
		loop_post(p->loop, finished_cb, p);
	}
}

static void *
worker_main(void *arg)
{
	struct work_pool *p = arg;
	struct work *w;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while ((w = TAILQ_FIRST(&p->ready)) == NULL && !p->stop)
			pthread_cond_wait(&p->more, &p->lock);
		if (w == NULL)
			break;
		TAILQ_REMOVE(&p->ready, w, link);
		p->waiting--;
		pthread_mutex_unlock(&p->lock);
		w->run(w->arg);
		pthread_mutex_lock(&p->lock);
		work_finish(p, w);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct work_pool *
work_pool_new(struct loop *l, unsigned threads)
{
	struct work_pool *p = xcalloc(1, sizeof(*p));
	sigset_t all, old;
	unsigned i;

	p->loop = l;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	TAILQ_INIT(&p->ready);
	TAILQ_INIT(&p->finished);
	for (i = 0; i < BUCKETS; i++)
		LIST_INIT(&p->bucket[i]);
	p->n_threads = MAX(threads, 1U);
	p->thread = xcalloc(p->n_threads, sizeof(*p->thread));
	/* signals are the loop's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < p->n_threads; i++)
		if (pthread_create(&p->thread[i], NULL, worker_main, p) != 0)
			log_fatal("cannot start a worker thread");
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p;
}

static void
pool_gone_cb(void *arg)
{
	free(arg);
}

void
work_pool_free(struct work_pool **pp)
{
	struct work_pool *p = *pp;
	unsigned i;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->n_threads; i++)
		(void)pthread_join(p->thread[i], NULL);
	while (!TAILQ_EMPTY(&p->finished))
		finished_cb(p);
	pthread_cond_destroy(&p->more);
	free(p->thread);
	/* a posted finished_cb may still be on its way: it finds empty lists,
	 * so the pool outlives it by one more post */
	loop_post(p->loop, pool_gone_cb, p);
	*pp = NULL;
}

void
work_give(struct work_pool *p, struct work *w)
{
	struct work *first;

	pthread_mutex_lock(&p->lock);
	p->waiting++;
	first = w->order == 0 ? NULL : first_of(p, w->order);
	if (first != NULL) {
		TAILQ_INSERT_TAIL(&first->behind, w, link);
	} else {
		if (w->order != 0)
			first_make(p, w, NULL);
		TAILQ_INSERT_TAIL(&p->ready, w, link);
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
}

size_t
work_waiting(const struct work_pool *p)
{
	return p->waiting;
}
