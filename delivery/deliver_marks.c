/*
 * Which mailboxes' figures in the database may be out of date. What the loop
 * remembers dies with the process, so each such mailbox is also named in a
 * file of the store's root, "usage.marks.N" for process N: 8 bytes each, only
 * appended to, by the thread that is about to change the mailbox. A successor
 * reports all of them. A mailbox that is named once too often costs one report.
 *
 * Not synced by itself: page cache outlives a process, and a checkpoint syncs
 * it with the mail it stands for.
 */
#include "delivery/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define TIDY_MIN	4096	/* marks; fewer are not worth it */
#define PROCESSES_MAX	256
#define NAME_SIZE	32

struct marks {
	pthread_mutex_t lock;	/* of the rest */
	struct map *named;	/* ids in the file */
	int fd;
	bool warned;
};

static const char *
marks_name(unsigned number, const char *end, char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "usage.marks.%u%s", number, end);
	return name;
}

/* Writes what the map has to the end of the file; with the lock. */
static void
put(struct marks *m, const uint64_t *ids, size_t n)
{
	const char *p = (const char *)ids;
	size_t left = n * sizeof(*ids);
	ssize_t done;

	while (left > 0) {
		done = write(m->fd, p, left);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (!m->warned)
				log_warning("usage marks: %s: after a crash "
				    "figures may wait for the next change",
				    strerror(errno));
			m->warned = true;
			return;
		}
		p += done;
		left -= (size_t)done;
	}
	m->warned = false;
}

void
marks_note(struct deliver *d, uint64_t mailbox_id)
{
	struct marks *m = d->marks;

	pthread_mutex_lock(&m->lock);
	if (m->fd != -1 && map_get_u64(m->named, mailbox_id) == NULL) {
		(void)map_put_u64(m->named, mailbox_id, m);
		put(m, &mailbox_id, 1);
	}
	pthread_mutex_unlock(&m->lock);
}

/* --- tidying ------------------------------------------------------------------ */

/* Still needed: what changed and was not told, what is being worked on, and
 * what an imapd has open, which may change it before it says so. */
static struct map *
live_map(struct deliver *d)
{
	struct map *live = map_new();
	struct span key;
	struct conn *c;
	size_t pos = 0;
	void *v;

	reporter_live(d->reporter, live);
	while (map_next(d->boxes, &pos, &key, &v))
		if (((struct mbox *)v)->refs > 0)
			(void)map_put(live, key, v);
	TAILQ_FOREACH(c, &d->conns, link)
		for (pos = 0; map_next(c->opened, &pos, &key, &v);)
			(void)map_put(live, key, v);
	return live;
}

/* A new file takes the old one's place. With the lock. */
static int
rewrite(struct deliver *d, struct marks *m, struct map *live)
{
	char tmp[NAME_SIZE], name[NAME_SIZE];
	uint64_t id;
	struct span key;
	size_t pos = 0;
	int old = m->fd, fd;
	void *v;

	(void)marks_name(d->env->index, ".new", tmp);
	fd = openat(d->store_dir, tmp, O_RDWR | O_CREAT | O_TRUNC | O_APPEND |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	m->fd = fd;
	m->warned = false;
	while (map_next(live, &pos, &key, &v)) {
		memcpy(&id, key.p, sizeof(id));
		put(m, &id, 1);
	}
	if (m->warned || renameat(d->store_dir, tmp, d->store_dir,
	    marks_name(d->env->index, "", name)) == -1) {
		m->fd = old;
		(void)close(fd);
		return -1;
	}
	if (old != -1)
		(void)close(old);
	return 0;
}

/* On the loop, though it writes: buffered, and rare. */
void
marks_tidy(struct deliver *d)
{
	struct marks *m = d->marks;
	struct map *live;
	size_t n;

	pthread_mutex_lock(&m->lock);
	n = map_count(m->named);
	if (m->fd != -1 && n >= TIDY_MIN) {
		live = live_map(d);
		if (map_count(live) < n / 2 && rewrite(d, m, live) == 0) {
			map_free(&m->named);
			m->named = live;
			live = NULL;
		}
		map_free(&live);
	}
	pthread_mutex_unlock(&m->lock);
}

/* --- what a predecessor left ------------------------------------------------------ */

static void
read_all(struct deliver *d, int fd)
{
	uint64_t ids[512];
	ssize_t n;
	size_t i;

	while ((n = read(fd, ids, sizeof(ids))) > 0)
		for (i = 0; i < (size_t)n / sizeof(ids[0]); i++) {
			(void)map_put_u64(d->marks->named, ids[i], d);
			usage_changed(d, ids[i]);
		}
}

/* There were more processes once: the first one takes what they left. */
static void
adopt(struct deliver *d)
{
	char name[NAME_SIZE];
	unsigned i;
	int fd;

	for (i = d->env->count[ROLE_DELIVER]; i < PROCESSES_MAX; i++) {
		fd = openat(d->store_dir, marks_name(i, "", name),
		    O_RDONLY | O_CLOEXEC);
		if (fd == -1)
			continue;
		read_all(d, fd);
		(void)close(fd);
	}
}

static void
adopted_remove(struct deliver *d)
{
	char name[NAME_SIZE];
	unsigned i;

	for (i = d->env->count[ROLE_DELIVER]; i < PROCESSES_MAX; i++)
		(void)unlinkat(d->store_dir, marks_name(i, "", name), 0);
}

/* What is kept is written anew, so that a piece of a mark at the end, which
 * a full disk may leave, spoils none behind it. */
void
marks_init(struct deliver *d)
{
	struct marks *m = xcalloc(1, sizeof(*m));
	char name[NAME_SIZE];

	pthread_mutex_init(&m->lock, NULL);
	m->named = map_new();
	d->marks = m;
	m->fd = openat(d->store_dir, marks_name(d->env->index, "", name),
	    O_RDONLY | O_CLOEXEC);
	if (m->fd != -1)
		read_all(d, m->fd);
	if (d->env->index == 0)
		adopt(d);
	if (rewrite(d, m, m->named) < 0) {
		log_warning("usage marks: %s: %s", name, strerror(errno));
		if (m->fd != -1)
			(void)close(m->fd);
		m->fd = -1;
	} else if (d->env->index == 0) {
		adopted_remove(d);
	}
}

void
marks_fini(struct deliver *d)
{
	struct marks *m = d->marks;

	if (m->fd != -1)
		(void)close(m->fd);
	map_free(&m->named);
	pthread_mutex_destroy(&m->lock);
	free(m);
	d->marks = NULL;
}
