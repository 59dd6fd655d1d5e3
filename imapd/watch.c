#include "imapd/watch.h"

#include <sys/inotify.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"

#define EVENTS		(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | \
			IN_DELETE_SELF | IN_MOVE_SELF)
#define READS_PER_TURN	8
#define READ_SIZE	16384

/* A directory that the kernel watches for us. */
struct watched {
	LIST_HEAD(, watch_ear) ears;
};

/* The lock guards the table, never a session: threads add, the loop removes
 * and hears. The kernel is asked under it, so that a number cannot be freed
 * between its coming back and its being noted. */
struct watcher {
	int fd;				/* -1: there is no inotify */
	struct io io;
	pthread_mutex_t lock;
	struct map *by_wd;		/* -> struct watched */
	size_t max;
	bool full_logged;
};

static void
ears_call(struct watched *d)
{
	struct watch_ear *e;

	/* `heard` only notes it: nobody is removed by it */
	LIST_FOREACH(e, &d->ears, link)
		e->watch->heard(e->watch->arg);
}

/* Too much happened for the kernel to remember it: anybody may be meant. */
static void
all_call(struct watcher *w)
{
	size_t pos = 0;
	void *d;

	while (map_next(w->by_wd, &pos, NULL, &d))
		ears_call(d);
}

static void
event_take(struct watcher *w, const struct inotify_event *e)
{
	struct watched *d;

	if (e->mask & IN_Q_OVERFLOW) {
		all_call(w);
		return;
	}
	d = map_get_u64(w->by_wd, (uint64_t)e->wd);
	if (d != NULL)
		ears_call(d);
}

static void
readable_cb(int fd, int what, void *arg)
{
	char mem[READ_SIZE] __attribute__((aligned(8)));
	const struct inotify_event *e;
	struct watcher *w = arg;
	ssize_t n, at;
	int turns;

	(void)what;
	pthread_mutex_lock(&w->lock);
	for (turns = 0; turns < READS_PER_TURN; turns++) {
		n = read(fd, mem, sizeof(mem));
		if (n <= 0)
			break;
		for (at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const void *)(mem + at);
			event_take(w, e);
		}
	}
	pthread_mutex_unlock(&w->lock);
}

struct watcher *
watcher_new(struct loop *l, size_t max)
{
	struct watcher *w = xcalloc(1, sizeof(*w));

	w->max = max;
	w->by_wd = map_new();
	pthread_mutex_init(&w->lock, NULL);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd == -1) {
		log_warning("no inotify (%s): what other programs change in "
		    "maildirs is seen later", strerrordesc_np(errno));
		return w;
	}
	io_init(&w->io, l, w->fd, readable_cb, w);
	io_want(&w->io, IO_READ);
	return w;
}

void
watcher_free(struct watcher **wp)
{
	struct watcher *w = *wp;
	size_t pos = 0;
	void *d;

	if (w == NULL)
		return;
	*wp = NULL;
	if (w->fd != -1) {
		io_clear(&w->io);
		(void)close(w->fd);
	}
	while (map_next(w->by_wd, &pos, NULL, &d))
		free(d);
	map_free(&w->by_wd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
watcher_max_set(struct watcher *w, size_t max)
{
	pthread_mutex_lock(&w->lock);
	w->max = max;
	pthread_mutex_unlock(&w->lock);
}

size_t
watcher_count(struct watcher *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = map_count(w->by_wd);
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* --- ears --- */

static void
full_log(struct watcher *w, int errnum)
{
	if (w->full_logged)
		return;
	w->full_logged = true;
	if (errnum == 0)
		log_info("imap_watch_limit is reached: more idle sessions see "
		    "what other programs do in maildirs later");
	else
		log_warning("inotify: %s (fs.inotify.max_user_watches?): more "
		    "idle sessions see what other programs do in maildirs "
		    "later", strerrordesc_np(errnum));
}

/* Only a directory's own descriptor reaches it here: the account was handed
 * over, its path is not ours to walk. */
static bool
ear_open(struct watcher *w, struct watch_ear *e, int dir, const char *sub)
{
	struct watched *d;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, sub);
	e->wd = inotify_add_watch(w->fd, path,
	    EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (e->wd == -1) {
		if (errno == ENOSPC)
			full_log(w, errno);
		return false;
	}
	d = map_get_u64(w->by_wd, (uint64_t)e->wd);
	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		LIST_INIT(&d->ears);
		map_put_u64(w->by_wd, (uint64_t)e->wd, d);
	}
	LIST_INSERT_HEAD(&d->ears, e, link);
	return true;
}

static void
ear_close(struct watcher *w, struct watch_ear *e)
{
	struct watched *d;

	if (e->wd == -1)
		return;
	LIST_REMOVE(e, link);
	d = map_get_u64(w->by_wd, (uint64_t)e->wd);
	if (d != NULL && LIST_EMPTY(&d->ears)) {
		map_del_u64(w->by_wd, (uint64_t)e->wd);
		free(d);
		(void)inotify_rm_watch(w->fd, e->wd);
	}
	e->wd = -1;
}

bool
watch_begin(struct watch *x, struct watcher *w, int dir,
    void (*heard)(void *), void *arg)
{
	static const char *const subs[WATCH_DIRS] = { "new", "cur" };
	bool fine = w->fd != -1;
	int i;

	x->heard = heard;
	x->arg = arg;
	for (i = 0; i < WATCH_DIRS; i++)
		x->ear[i] = (struct watch_ear){ .watch = x, .wd = -1 };
	pthread_mutex_lock(&w->lock);
	if (fine && map_count(w->by_wd) + WATCH_DIRS > w->max) {
		full_log(w, 0);
		fine = false;
	}
	for (i = 0; fine && i < WATCH_DIRS; i++)
		fine = ear_open(w, &x->ear[i], dir, subs[i]);
	for (i = 0; !fine && i < WATCH_DIRS; i++)
		ear_close(w, &x->ear[i]);
	pthread_mutex_unlock(&w->lock);
	x->watcher = fine ? w : NULL;
	return fine;
}

void
watch_end(struct watch *x)
{
	struct watcher *w = x->watcher;
	int i;

	if (w == NULL)
		return;
	x->watcher = NULL;
	pthread_mutex_lock(&w->lock);
	for (i = 0; i < WATCH_DIRS; i++)
		ear_close(w, &x->ear[i]);
	pthread_mutex_unlock(&w->lock);
}
