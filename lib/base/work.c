#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"

/*
 * Ordered jobs hash to a lane; a lane runs one job at a time. Two keys that
 * share a lane wait for each other now and then, which is harmless.
 */
#define LANES	64

TAILQ_HEAD(work_list, work);

struct work_pool {
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t *thread;
	unsigned n_threads;
	bool stop;
	struct work_list ready;			/* may start now */
	struct work_list lane[LANES];		/* wait for their lane */
	bool lane_busy[LANES];
	size_t waiting;
	struct work_list finished;		/* `done` not yet called */
	bool posted;
};

static bool
has_lane(const struct work *w)
{
	return w->order != 0;
}

static unsigned
lane_of(const struct work *w)
{
	return (unsigned)((w->order * 0x9e3779b97f4a7c15ULL) >> 58);
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
	unsigned lane;

	if (has_lane(w)) {
		lane = lane_of(w);
		if ((next = TAILQ_FIRST(&p->lane[lane])) != NULL) {
			TAILQ_REMOVE(&p->lane[lane], next, link);
			TAILQ_INSERT_TAIL(&p->ready, next, link);
		} else
			p->lane_busy[lane] = false;
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
	for (i = 0; i < LANES; i++)
		TAILQ_INIT(&p->lane[i]);
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
	unsigned lane;

	pthread_mutex_lock(&p->lock);
	p->waiting++;
	if (has_lane(w) && p->lane_busy[lane = lane_of(w)])
		TAILQ_INSERT_TAIL(&p->lane[lane], w, link);
	else {
		if (has_lane(w))
			p->lane_busy[lane_of(w)] = true;
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
