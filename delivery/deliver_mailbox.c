/*
 * Mailboxes kept open between mails: opening one costs several system calls,
 * a warm one none. The least recently used idle ones are closed.
 */
#include "delivery/deliver.h"

#include <sys/resource.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define FDS_PER_BOX	8
#define IDLE_MOST	8192

void
mboxes_init(struct deliver *d)
{
	struct rlimit rl = { .rlim_cur = 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &rl);
	d->boxes = map_new();
	TAILQ_INIT(&d->idle);
	d->idle_max = MIN((size_t)rl.rlim_cur / FDS_PER_BOX / 2,
	    (size_t)IDLE_MOST);
}

static void
mbox_free(struct mbox *b)
{
	(void)map_del_u64(b->d->boxes, b->id);
	place_drop(b);
	mbox_shut(b);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void
mboxes_fini(struct deliver *d)
{
	struct mbox *b;

	while ((b = TAILQ_FIRST(&d->idle)) != NULL) {
		TAILQ_REMOVE(&d->idle, b, lru);
		mbox_free(b);
	}
	map_free(&d->boxes);
}

struct mbox *
mbox_get(struct deliver *d, uint64_t mailbox_id)
{
	struct mbox *b = map_get_u64(d->boxes, mailbox_id);

	if (b == NULL) {
		b = xcalloc(1, sizeof(*b));
		b->id = mailbox_id;
		b->d = d;
		pthread_mutex_init(&b->lock, NULL);
		TAILQ_INIT(&b->waiting);
		(void)map_put_u64(d->boxes, mailbox_id, b);
	} else if (b->refs == 0) {
		TAILQ_REMOVE(&d->idle, b, lru);
		d->n_idle--;
	}
	b->refs++;
	return b;
}

void
mbox_put(struct mbox *b)
{
	struct deliver *d = b->d;
	struct mbox *oldest;

	if (--b->refs > 0)
		return;
	TAILQ_INSERT_TAIL(&d->idle, b, lru);
	d->n_idle++;
	while (d->n_idle > d->idle_max) {
		oldest = TAILQ_FIRST(&d->idle);
		TAILQ_REMOVE(&d->idle, oldest, lru);
		d->n_idle--;
		mbox_free(oldest);
	}
}

int
mbox_open(struct mbox *b, struct err *err)
{
	char home[STORE_HOME_MAX];
	int fd, rc;

	if (b->target != NULL)
		return 0;
	if ((rc = account_home_open(b->d->store_dir, b->id, true, &fd,
	    err)) < 0) {
		(void)store_home_path(b->id, home);
		if (rc != PS_EFULL)
			err_prefix(err, "check owner and mode of %s in the "
			    "store", home);
		return rc;
	}
	rc = sync_note(b->d, fd, err);
	(void)close(fd);
	if (rc < 0)
		return rc;
	b->target = delivery_open(b->d->store_dir, b->id, err);
	if (b->target == NULL)
		return PS_EIO;
	b->d->n_open++;
	return 0;
}

void
mbox_shut(struct mbox *b)
{
	if (b->target == NULL)
		return;
	delivery_close(&b->target);
	b->d->n_open--;
}

/* One message may go to more mailboxes than there are descriptors, and none
 * of them is idle until its job is over. */
void
mbox_rest(struct mbox *b)
{
	if (b->d->n_open > b->d->idle_max)
		mbox_shut(b);
}

/* --- usage --- */

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void
mbox_grew(struct mbox *b, uint64_t bytes, uint64_t write)
{
	if (b->settled.messages > 0) {
		b->settled.bytes = less(b->settled.bytes, bytes);
		b->settled.messages--;
	} else if (b->early < b->reserved.messages) {
		b->early++;
	}
	if (b->usage_asked)
		b->usage_stale = true;
	if (write > b->usage_writes) {
		b->usage.bytes += bytes;
		b->usage.messages++;
	}
	place_shift(b);
	usage_changed(b->d, b->id);
}

void
mbox_usage_forget(struct deliver *d, uint64_t mailbox_id)
{
	struct mbox *b = map_get_u64(d->boxes, mailbox_id);

	usage_changed(d, mailbox_id);
	if (b == NULL)
		return;
	b->usage_known = false;
	if (b->usage_asked)
		b->usage_stale = true;
	else if (b->place.n_pools > 0)
		mbox_usage_ask(b);	/* others share its room */
}
