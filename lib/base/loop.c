#include "base/loop.h"

#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define LAG_WARN_MS	50

struct post {
	STAILQ_ENTRY(post) link;
	loop_cb *cb;
	void *arg;
};

struct loop_sig {
	SLIST_ENTRY(loop_sig) link;
	struct event *ev;
	loop_cb *cb;
	void *arg;
};

struct loop {
	struct event_base *base;
	bool stop;
	uint64_t now_ms;		/* 0: not read in this turn */
	uint64_t busy_us;		/* when this turn's work began; 0 idle */
	uint32_t turn;
	uint32_t lag_ms;
	uint64_t lag_warned_ms;
	TAILQ_HEAD(, defer) deferred;
	SLIST_HEAD(, loop_sig) signals;
	/* from other threads */
	pthread_mutex_t lock;
	STAILQ_HEAD(, post) posts;
	bool poked;
	int poke_fd;
	struct event poke_ev;
};

static void
posts_run(struct loop *l)
{
	STAILQ_HEAD(, post) mine = STAILQ_HEAD_INITIALIZER(mine);
	struct post *p;

	pthread_mutex_lock(&l->lock);
	STAILQ_CONCAT(&mine, &l->posts);
	l->poked = false;
	pthread_mutex_unlock(&l->lock);
	while ((p = STAILQ_FIRST(&mine)) != NULL) {
		STAILQ_REMOVE_HEAD(&mine, link);
		p->cb(p->arg);
		free(p);
	}
}

/* Every callback comes through here first: the turn's work begins. */
static void
busy_begin(struct loop *l)
{
	if (l->busy_us == 0)
		l->busy_us = clock_mono_us();
}

static void
poke_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	busy_begin(arg);
	while (read((int)fd, &n, sizeof(n)) == -1 && errno == EINTR)
		;
	posts_run(arg);
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	struct event_config *cfg = event_config_new();

	TAILQ_INIT(&l->deferred);
	SLIST_INIT(&l->signals);
	STAILQ_INIT(&l->posts);
	pthread_mutex_init(&l->lock, NULL);
	if (cfg == NULL)
		log_fatal("event_config_new failed");
	/* one thread per loop: no locks; no epoll changelist (it is unsafe
	 * with descriptors that were dup'ed and we pass many) */
	(void)event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	if ((l->base = event_base_new_with_config(cfg)) == NULL)
		log_fatal("event_base_new failed");
	event_config_free(cfg);
	if ((l->poke_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1)
		log_fatal("eventfd: %s", strerrordesc_np(errno));
	(void)event_assign(&l->poke_ev, l->base, l->poke_fd,
	    EV_READ | EV_PERSIST, poke_cb, l);
	(void)event_add(&l->poke_ev, NULL);
	return l;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	struct loop_sig *s;

	if (l == NULL)
		return;
	while ((s = SLIST_FIRST(&l->signals)) != NULL) {
		SLIST_REMOVE_HEAD(&l->signals, link);
		event_free(s->ev);
		free(s);
	}
	/* never dropped: who posted may have handed memory over with it */
	while (!STAILQ_EMPTY(&l->posts))
		posts_run(l);
	(void)event_del(&l->poke_ev);
	(void)close(l->poke_fd);
	event_base_free(l->base);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*lp = NULL;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

uint64_t
loop_now_ms(struct loop *l)
{
	if (l->now_ms == 0)
		l->now_ms = clock_mono_ms();
	return l->now_ms;
}

uint32_t
loop_lag_ms_take(struct loop *l)
{
	uint32_t lag = l->lag_ms;

	l->lag_ms = 0;
	return lag;
}

/* Runs what was deferred before now; what is deferred meanwhile waits. */
static void
deferred_run(struct loop *l)
{
	uint32_t turn = l->turn++;
	struct defer *d;

	while ((d = TAILQ_FIRST(&l->deferred)) != NULL && d->turn == turn) {
		TAILQ_REMOVE(&l->deferred, d, link);
		d->pending = false;
		d->cb(d->arg);
	}
}

static void
busy_end(struct loop *l)
{
	uint64_t ms;

	if (l->busy_us == 0)
		return;
	ms = (clock_mono_us() - l->busy_us) / 1000;
	l->busy_us = 0;
	if (ms > l->lag_ms)
		l->lag_ms = (uint32_t)MIN(ms, (uint64_t)UINT32_MAX);
	if (ms > LAG_WARN_MS && loop_now_ms(l) > l->lag_warned_ms + 1000) {
		l->lag_warned_ms = loop_now_ms(l);
		log_warning("event loop was busy for %u ms", (unsigned)ms);
	}
}

void
loop_run(struct loop *l)
{
	int flags;

	l->stop = false;
	while (!l->stop) {
		log_flush();
		l->now_ms = 0;
		flags = EVLOOP_ONCE;
		if (!TAILQ_EMPTY(&l->deferred))
			flags |= EVLOOP_NONBLOCK;
		if (event_base_loop(l->base, flags) == -1)
			log_fatal("event loop failed: %s",
			    strerrordesc_np(errno));
		l->now_ms = 0;
		if (!TAILQ_EMPTY(&l->deferred)) {
			busy_begin(l);
			deferred_run(l);
		}
		busy_end(l);
	}
	log_flush();
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

/* --- deferred calls --- */

void
defer_init(struct defer *d, struct loop *l, loop_cb *cb, void *arg)
{
	*d = (struct defer){ .loop = l, .cb = cb, .arg = arg };
}

void
defer_call(struct defer *d)
{
	if (d->pending)
		return;
	d->pending = true;
	d->turn = d->loop->turn;
	TAILQ_INSERT_TAIL(&d->loop->deferred, d, link);
}

void
defer_cancel(struct defer *d)
{
	if (!d->pending)
		return;
	d->pending = false;
	TAILQ_REMOVE(&d->loop->deferred, d, link);
}

void
loop_post(struct loop *l, loop_cb *cb, void *arg)
{
	struct post *p = xmalloc(sizeof(*p));
	uint64_t one = 1;
	bool poke;

	*p = (struct post){ .cb = cb, .arg = arg };
	pthread_mutex_lock(&l->lock);
	STAILQ_INSERT_TAIL(&l->posts, p, link);
	poke = !l->poked;
	l->poked = true;
	pthread_mutex_unlock(&l->lock);
	while (poke && write(l->poke_fd, &one, sizeof(one)) == -1 &&
	    errno == EINTR)
		;
}

/* --- timers --- */

static void
timer_fired_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	busy_begin(t->loop);
	t->set = false;
	t->cb(t->arg);
}

void
timer_init(struct timer *t, struct loop *l, loop_cb *cb, void *arg)
{
	*t = (struct timer){ .loop = l, .cb = cb, .arg = arg };
	(void)evtimer_assign(&t->ev, l->base, timer_fired_cb, t);
}

void
timer_set_ms(struct timer *t, uint64_t ms)
{
	struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	(void)evtimer_add(&t->ev, &tv);
	t->set = true;
}

void
timer_clear(struct timer *t)
{
	if (!t->set)
		return;
	(void)evtimer_del(&t->ev);
	t->set = false;
}

/* --- descriptors --- */

static void
io_ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;
	int ready = 0;

	busy_begin(io->loop);
	if (what & EV_READ)
		ready |= IO_READ;
	if (what & EV_WRITE)
		ready |= IO_WRITE;
	io->cb((int)fd, ready, io->arg);
}

void
io_init(struct io *io, struct loop *l, int fd, io_cb *cb, void *arg)
{
	*io = (struct io){ .loop = l, .fd = fd, .cb = cb, .arg = arg };
}

void
io_want(struct io *io, int what)
{
	short events = EV_PERSIST;

	if (what == io->want)
		return;
	if (io->want != 0)
		(void)event_del(&io->ev);
	io->want = what;
	if (what == 0)
		return;
	if (what & IO_READ)
		events |= EV_READ;
	if (what & IO_WRITE)
		events |= EV_WRITE;
	(void)event_assign(&io->ev, io->loop->base, io->fd, events,
	    io_ready_cb, io);
	if (event_add(&io->ev, NULL) == -1)
		log_error("cannot watch descriptor %d", io->fd);
}

void
io_clear(struct io *io)
{
	if (io->loop == NULL)
		return;
	io_want(io, 0);
	io->fd = -1;
}

/* --- signals --- */

static void
signal_cb(evutil_socket_t signo, short what, void *arg)
{
	struct loop_sig *s = arg;

	(void)signo;
	(void)what;
	s->cb(s->arg);
}

void
loop_signal(struct loop *l, int signo, loop_cb *cb, void *arg)
{
	struct loop_sig *s = xcalloc(1, sizeof(*s));

	s->cb = cb;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, signal_cb, s);
	if (s->ev == NULL || event_add(s->ev, NULL) == -1)
		log_fatal("cannot watch signal %d", signo);
	SLIST_INSERT_HEAD(&l->signals, s, link);
}
