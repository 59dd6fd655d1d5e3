/*
 * Changes that other programs make in maildirs, heard at once (inotify): what
 * processes of ours do is announced by deliver, but who drops, renames or
 * removes a file tells nobody. Bounded: a folder for which there is no room is
 * not heard, and whoever waits must look by himself now and then.
 *
 * A watch is held by one session while it idles. Several on one folder share
 * the kernel's. What is heard is only that something happened; it may have
 * been our own doing.
 */
#ifndef IMAPD_WATCH_H
#define IMAPD_WATCH_H

#include "base/loop.h"
#include "base/queue.h"

struct watcher;
struct watch;

enum { WATCH_DIRS = 2 };		/* new/ and cur/ */

/* One session's ear at one directory. */
struct watch_ear {
	struct watch *watch;
	LIST_ENTRY(watch_ear) link;
	int wd;				/* -1: none */
};

struct watch {
	struct watcher *watcher;	/* NULL: nothing is watched */
	struct watch_ear ear[WATCH_DIRS];
	void (*heard)(void *arg);
	void *arg;
};

/* At most `max` directories. Never fails: without inotify nothing is heard. */
struct watcher *watcher_new(struct loop *l, size_t max);
void watcher_free(struct watcher **w);
void watcher_max_set(struct watcher *w, size_t max);
size_t watcher_count(struct watcher *w);

/* Listens to the folder whose directory is `dir`: `heard` is called from the
 * loop, soon after something happened there. False: no room. Touches files: call
 * it from a thread; the loop may call the others meanwhile. */
bool watch_begin(struct watch *x, struct watcher *w, int dir,
    void (*heard)(void *), void *arg);
void watch_end(struct watch *x);
static inline bool
watch_is_on(const struct watch *x)
{
	return x->watcher != NULL;
}

#endif
