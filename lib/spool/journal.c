#include "spool/journal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xmalloc.h"

#define GROUP_MAX	512		/* messages */
#define GROUP_BYTES	(16u * 1024 * 1024)
#define IOV_MAX_OURS	1000
#define CHUNK		(256 * 1024)
#define TICK_MS		500
/* How long a group waits for messages that are on their way, and how many of
 * them are enough. A sync costs about what ten messages cost to write. */
#define GATHER_US	4000
#define GATHER_ENOUGH	16

enum { IDLE, PENDING, WRITING };

TAILQ_HEAD(append_list, journal_append);

struct wseg {
	struct segment_ref ref;
	uint64_t end;		/* durable up to here */
	bool have;
};

/* What the thread tells the loop: a group's end, or a segment's. */
struct note {
	STAILQ_ENTRY(note) link;
	struct append_list group;
	bool is_group, ok, hint;
	bool is_return, failed;
	uint32_t segment;
	uint64_t offset;
	struct err err;
};

struct journal_writer {
	struct loop *loop;
	const struct journal_writer_ops *ops;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock */
	struct append_list pending;
	size_t n_pending;
	struct wseg cur, spare;
	size_t expected;	/* messages on their way here */
	uint64_t gap_us;	/* between appends, of late */
	bool busy;		/* the thread is writing into cur */
	bool gathering;		/* the thread waits for company */
	bool drop;		/* cur is lost: close it when not busy */
	bool stop;
	STAILQ_HEAD(, note) notes;
	bool posted;
	struct journal_stats stats;
	/* the loop's own */
	bool asked, connected;
	uint64_t last_append_us;
	size_t announced;
	uint64_t record_max, patience_ms;
	struct defer ask;
	struct timer tick;
};

/* --- notes from the thread to the loop -------------------------------------- */

static void notes_cb(void *arg);

/* Lock held. Takes over *n. */
static void
note_post(struct journal_writer *w, struct note *n)
{
	STAILQ_INSERT_TAIL(&w->notes, n, link);
	if (!w->posted) {
		w->posted = true;
		loop_post(w->loop, notes_cb, w);
	}
}

static struct note *
note_new(const struct wseg *s)
{
	struct note *n = xcalloc(1, sizeof(*n));

	TAILQ_INIT(&n->group);
	n->segment = s->ref.id;
	n->offset = s->end;
	return n;
}

/* Lock held: the segment is done with; its descriptor closes first, because
 * that gives the right to append back. */
static void
seg_end(struct journal_writer *w, struct wseg *s, bool tell, bool failed)
{
	struct note *n;

	if (!s->have)
		return;
	(void)disk_close(s->ref.fd);
	s->have = false;
	if (!tell)
		return;
	n = note_new(s);
	n->is_return = true;
	n->failed = failed;
	note_post(w, n);
}

/* --- writing a group ---------------------------------------------------------- */

static const char zero_page[SPOOL_PAGE];

struct out {
	int fd;
	struct iovec iov[IOV_MAX_OURS];
	int n;
	uint64_t off;		/* where iov[0] goes */
	uint64_t len;
	char *chunk;
};

static int
out_flush(struct out *o)
{
	if (o->n > 0 && disk_pwritev(o->fd, o->iov, o->n,
	    (off_t)o->off) == -1)
		return -1;
	o->off += o->len;
	o->len = 0;
	o->n = 0;
	return 0;
}

static int
out_add(struct out *o, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (o->n == IOV_MAX_OURS && out_flush(o) == -1)
		return -1;
	o->iov[o->n++] = (struct iovec){ (void *)(uintptr_t)p, n };
	o->len += n;
	return 0;
}

/* Reads the next bytes of a temporary body; a short file is EIO. */
static int
chunk_read(char *chunk, const struct journal_append *a, uint64_t at, size_t n)
{
	ssize_t got = disk_pread(a->body_fd, chunk, n, (off_t)at);

	if (got == (ssize_t)n)
		return 0;
	if (got >= 0)
		errno = EIO;
	return -1;
}

static int
out_body_file(struct out *o, const struct journal_append *a)
{
	uint64_t at;
	size_t n;

	if (o->chunk == NULL)
		o->chunk = xmalloc(CHUNK);
	for (at = 0; at < a->body_len; at += n) {
		n = (size_t)MIN(a->body_len - at, (uint64_t)CHUNK);
		if (out_flush(o) == -1 || chunk_read(o->chunk, a, at, n) == -1
		    || out_add(o, o->chunk, n) == -1 || out_flush(o) == -1)
			return -1;
	}
	return 0;
}

static int
body_crc(struct journal_append *a, char *chunk, uint32_t *crc)
{
	uint64_t at;
	size_t n;
	unsigned i;

	*crc = 0;
	for (i = 0; i < a->n_body; i++)
		*crc = crc32c(*crc, a->body[i].iov_base, a->body[i].iov_len);
	for (at = 0; a->body_fd != -1 && at < a->body_len; at += n) {
		n = (size_t)MIN(a->body_len - at, (uint64_t)CHUNK);
		if (chunk_read(chunk, a, at, n) == -1)
			return -1;
		*crc = crc32c(*crc, chunk, n);
	}
	return 0;
}

static int
head_make(struct journal_append *a, const struct segment_ref *ref,
    struct out *o)
{
	char *head = buf_data(&a->head);
	struct record_header h = {
		.offset = a->offset, .length = a->length,
		.flags = a->cold ? RECORD_COLD : 0,
		.envelope_len =
		    (uint32_t)(buf_len(&a->head) - RECORD_HEADER_SIZE),
		.body_crc = a->body_crc,
	};

	h.body_len = h.length - buf_len(&a->head);
	h.envelope_crc = crc32c(0, head + RECORD_HEADER_SIZE, h.envelope_len);
	if (!a->cold) {
		if (a->body_fd != -1 && o->chunk == NULL)
			o->chunk = xmalloc(CHUNK);
		if (body_crc(a, o->chunk, &h.body_crc) == -1)
			return -1;
	}
	record_header_make(&h, ref, head);
	return 0;
}

static int
out_append(struct out *o, struct journal_append *a,
    const struct segment_ref *ref)
{
	unsigned i;

	if (head_make(a, ref, o) == -1 ||
	    out_add(o, buf_data(&a->head), buf_len(&a->head)) == -1)
		return -1;
	for (i = 0; i < a->n_body && !a->cold; i++)
		if (out_add(o, a->body[i].iov_base,
		    a->body[i].iov_len) == -1)
			return -1;
	if (!a->cold && a->body_fd != -1 && out_body_file(o, a) == -1)
		return -1;
	/* whole pages: the kernel need not read what it overwrites */
	return out_add(o, zero_page,
	    (size_t)(spool_page_up(a->length) - a->length));
}

/* One write, one sync. Returns 0, or -1 with *err set; *dead when the
 * segment must not be used again. */
static int
group_write(struct append_list *group, const struct wseg *s, bool *dead,
    struct err *err)
{
	struct journal_append *a;
	struct out o = { .fd = s->ref.fd, .off = s->end };
	int rc = 0;

	*dead = false;
	TAILQ_FOREACH(a, group, link)
		if ((rc = out_append(&o, a, &s->ref)) == -1)
			break;
	if (rc == 0)
		rc = out_flush(&o);
	if (rc == -1) {
		*dead = errno != ENOSPC && errno != EDQUOT;
		(void)err_errno(err, "write journal segment %u", s->ref.id);
	} else if ((rc = disk_fdatasync(s->ref.fd)) == -1) {
		*dead = true;
		(void)err_errno(err, "sync journal segment %u", s->ref.id);
	}
	free(o.chunk);
	return rc;
}

/* --- the commit thread -------------------------------------------------------- */

/* Lock held: makes cur a segment that takes `need` bytes, if there is one. */
static bool
seg_ready(struct journal_writer *w, uint64_t need)
{
	if (w->cur.have && w->cur.end + need <= w->cur.ref.size)
		return true;
	if (!w->spare.have)
		return false;
	seg_end(w, &w->cur, true, false);
	w->cur = w->spare;
	w->spare.have = false;
	return w->cur.end + need <= w->cur.ref.size;
}

/* Lock held: moves what goes into the next group; returns its end. */
static uint64_t
group_gather(struct journal_writer *w, struct append_list *group)
{
	struct journal_append *a;
	uint64_t end = w->cur.end, need;
	unsigned n = 0;

	while ((a = TAILQ_FIRST(&w->pending)) != NULL && n < GROUP_MAX) {
		need = spool_page_up(a->length);
		if (end + need > w->cur.ref.size ||
		    (n > 0 && end + need - w->cur.end > GROUP_BYTES))
			break;
		TAILQ_REMOVE(&w->pending, a, link);
		TAILQ_INSERT_TAIL(group, a, link);
		a->state = WRITING;
		a->segment = w->cur.ref.id;
		a->offset = end;
		end += need;
		n++;
	}
	w->n_pending -= n;
	return end;
}

/* Lock held: books the outcome and tells the loop. */
static void
group_end(struct journal_writer *w, struct note *n, uint64_t end, bool dead)
{
	struct journal_append *a;
	bool lost = w->drop;

	TAILQ_FOREACH(a, &n->group, link) {
		w->stats.appended += n->ok;
		w->stats.failed += !n->ok;
		w->stats.bytes += n->ok ? a->length : 0;
	}
	w->stats.groups++;
	if (n->ok)
		w->cur.end = end;
	n->offset = w->cur.end;
	n->hint = n->ok && !lost;
	note_post(w, n);
	if (lost || dead)
		seg_end(w, &w->cur, !lost, dead);
	w->drop = false;
}

static void
commit_one(struct journal_writer *w)
{
	struct wseg s = w->cur;
	struct note *n = note_new(&s);
	uint64_t end;
	bool dead;

	end = group_gather(w, &n->group);
	n->is_group = true;
	w->busy = true;
	pthread_mutex_unlock(&w->lock);
	n->ok = group_write(&n->group, &s, &dead, &n->err) == 0;
	pthread_mutex_lock(&w->lock);
	w->busy = false;
	group_end(w, n, end, dead);
}

/* Lock held: is it worth waiting for more? Only when more is on its way and
 * has come fast enough of late; a lone sender never waits. */
static bool
company_comes(const struct journal_writer *w)
{
	return !w->stop && w->expected > 0 && w->n_pending < GATHER_ENOUGH &&
	    w->gap_us < GATHER_US;
}

/* Lock held. */
static void
company_wait(struct journal_writer *w)
{
	struct timespec until;

	if (!company_comes(w))
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_US * 1000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	w->gathering = true;
	while (company_comes(w) && pthread_cond_timedwait(&w->more, &w->lock,
	    &until) == 0)
		;
	w->gathering = false;
}

static void *
commit_main(void *arg)
{
	struct journal_writer *w = arg;
	struct journal_append *a;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (TAILQ_EMPTY(&w->pending)) {
			pthread_cond_wait(&w->more, &w->lock);
			continue;
		}
		company_wait(w);
		a = TAILQ_FIRST(&w->pending);
		if (a == NULL || w->stop)
			continue;
		if (seg_ready(w, spool_page_up(a->length)))
			commit_one(w);
		else
			pthread_cond_wait(&w->more, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- the loop's side ----------------------------------------------------------- */

static bool
segment_wanted(struct journal_writer *w)
{
	const struct wseg *c = &w->cur;
	const struct journal_append *a;
	bool wanted;

	pthread_mutex_lock(&w->lock);
	a = TAILQ_FIRST(&w->pending);
	if (w->spare.have)
		wanted = false;
	else if (!c->have)
		wanted = a != NULL || w->stats.appended > 0;
	else
		wanted = c->ref.size - c->end < c->ref.size / 4 ||
		    (a != NULL && a->length > c->ref.size - c->end);
	pthread_mutex_unlock(&w->lock);
	return wanted;
}

static void
ask_cb(void *arg)
{
	struct journal_writer *w = arg;

	if (!w->asked && w->connected && segment_wanted(w)) {
		w->asked = true;
		w->ops->need_segment(w->arg);
	}
}

static void
append_end(struct journal_append *a, bool ok, const struct err *err)
{
	a->state = IDLE;
	buf_fini(&a->head);
	a->cb(a, ok, err, a->arg);
}

static void
note_run(struct journal_writer *w, struct note *n)
{
	struct journal_append *a;

	if (n->hint)
		w->ops->durable(w->arg, n->segment, n->offset);
	while ((a = TAILQ_FIRST(&n->group)) != NULL) {
		TAILQ_REMOVE(&n->group, a, link);
		append_end(a, n->ok, &n->err);
	}
	if (n->is_group && !n->ok)
		log_error("journal: %s: the whole group is refused",
		    n->err.why);
	if (n->is_return)
		w->ops->returned(w->arg, n->segment, n->offset, n->failed);
	free(n);
}

static void
notes_cb(void *arg)
{
	struct journal_writer *w = arg;
	STAILQ_HEAD(, note) mine = STAILQ_HEAD_INITIALIZER(mine);
	struct note *n;

	pthread_mutex_lock(&w->lock);
	STAILQ_CONCAT(&mine, &w->notes);
	w->posted = false;
	pthread_mutex_unlock(&w->lock);
	while ((n = STAILQ_FIRST(&mine)) != NULL) {
		STAILQ_REMOVE_HEAD(&mine, link);
		note_run(w, n);
	}
	if (!w->stop)
		defer_call(&w->ask);
}

/* Fails what waited too long, or is longer than `longest`. */
static void
pending_fail(struct journal_writer *w, uint64_t before_ms, uint64_t longest,
    const char *why)
{
	struct append_list late = TAILQ_HEAD_INITIALIZER(late);
	struct journal_append *a, *next;
	struct err err;

	pthread_mutex_lock(&w->lock);
	TAILQ_FOREACH_SAFE(a, &w->pending, link, next) {
		if (a->queued_ms > before_ms && a->length <= longest)
			continue;
		TAILQ_REMOVE(&w->pending, a, link);
		TAILQ_INSERT_TAIL(&late, a, link);
		w->n_pending--;
		w->stats.failed++;
	}
	/* what stood behind them may fit now */
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	(void)err_set(&err, ERR_TEMP, PS_EAGAIN, "%s", why);
	while ((a = TAILQ_FIRST(&late)) != NULL) {
		TAILQ_REMOVE(&late, a, link);
		append_end(a, false, &err);
	}
}

static void
tick_cb(void *arg)
{
	struct journal_writer *w = arg;
	uint64_t now = loop_now_ms(w->loop);
	bool waiting, stalled;

	pthread_mutex_lock(&w->lock);
	waiting = w->n_pending > 0;
	stalled = waiting && !w->busy;
	pthread_mutex_unlock(&w->lock);
	if (stalled && now > w->patience_ms)
		pending_fail(w, now - w->patience_ms, UINT64_MAX,
		    "no journal segment came in time");
	ask_cb(w);
	if (waiting)
		timer_set_ms(&w->tick, TICK_MS);
}

struct journal_writer *
journal_writer_new(struct loop *l, const struct journal_writer_ops *ops,
    void *arg)
{
	struct journal_writer *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;
	sigset_t all, old;

	w->loop = l;
	w->ops = ops;
	w->arg = arg;
	w->connected = true;
	w->patience_ms = 30 * 1000;
	TAILQ_INIT(&w->pending);
	STAILQ_INIT(&w->notes);
	pthread_mutex_init(&w->lock, NULL);
	w->gap_us = GATHER_US;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->more, &attr);
	(void)pthread_condattr_destroy(&attr);
	defer_init(&w->ask, l, ask_cb, w);
	timer_init(&w->tick, l, tick_cb, w);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&w->thread, NULL, commit_main, w) != 0)
		log_fatal("cannot start the commit thread");
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return w;
}

static void
writer_gone_cb(void *arg)
{
	free(arg);
}

void
journal_writer_free(struct journal_writer **wp)
{
	struct journal_writer *w = *wp;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	pthread_mutex_lock(&w->lock);
	seg_end(w, &w->cur, true, false);
	seg_end(w, &w->spare, true, false);
	pthread_mutex_unlock(&w->lock);
	notes_cb(w);
	pending_fail(w, UINT64_MAX, UINT64_MAX, "shutting down");
	defer_cancel(&w->ask);
	timer_clear(&w->tick);
	pthread_cond_destroy(&w->more);
	/* a posted notes_cb may still come: it finds nothing */
	loop_post(w->loop, writer_gone_cb, w);
	*wp = NULL;
}

void
journal_writer_segment(struct journal_writer *w, uint32_t segment,
    struct span epoch, uint64_t start, uint64_t size, int fd)
{
	struct wseg s = { .end = spool_page_up(start), .have = true };

	w->asked = false;
	if (fd == -1)
		return;
	s.ref = (struct segment_ref){ .fd = fd, .id = segment, .size = size };
	ps_assert(epoch.n == EPOCH_SIZE);
	memcpy(s.ref.epoch, epoch.p, EPOCH_SIZE);
	pthread_mutex_lock(&w->lock);
	w->record_max = size - SPOOL_PAGE - RECORD_HEADER_SIZE;
	if (!w->cur.have && !w->busy)
		w->cur = s;
	else if (!w->spare.have)
		w->spare = s;
	else
		seg_end(w, &s, true, false);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	/* queued before the first segment told how long a record may be */
	pending_fail(w, 0, w->record_max, "message does not fit a segment");
}

void
journal_writer_lost(struct journal_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->connected = w->asked = false;
	seg_end(w, &w->spare, false, false);
	if (w->busy)
		w->drop = true;
	else
		seg_end(w, &w->cur, false, false);
	pthread_mutex_unlock(&w->lock);
}

void
journal_writer_resume(struct journal_writer *w)
{
	/* Nothing was asked on this connection yet: what need_segment() was
	 * told while there was none came to nothing. */
	w->connected = true;
	w->asked = false;
	defer_call(&w->ask);
}

void
journal_writer_patience_ms(struct journal_writer *w, uint64_t ms)
{
	w->patience_ms = ms;
}

static uint64_t
append_body_len(const struct journal_append *a)
{
	uint64_t n = a->body_fd != -1 ? a->body_len : 0;
	unsigned i;

	for (i = 0; i < a->n_body; i++)
		n += a->body[i].iov_len;
	return a->cold ? 0 : n;
}

void
journal_writer_expect(struct journal_writer *w, size_t n)
{
	w->announced = n;
}

int
journal_append(struct journal_writer *w, struct journal_append *a,
    const struct envelope *env, struct err *err)
{
	static const char blank[RECORD_HEADER_SIZE];
	uint64_t now_us;
	int rc;

	buf_init(&a->head, ENVELOPE_PACKED_MAX + RECORD_HEADER_SIZE + 1);
	buf_append(&a->head, blank, sizeof(blank));
	if ((rc = envelope_pack(env, &a->head, err)) != 0) {
		buf_fini(&a->head);
		return rc;
	}
	a->length = buf_len(&a->head) + append_body_len(a);
	if (w->record_max != 0 && a->length > w->record_max) {
		buf_fini(&a->head);
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "message does not fit a journal segment");
	}
	a->queued_ms = loop_now_ms(w->loop);
	a->state = PENDING;
	now_us = clock_mono_us();
	pthread_mutex_lock(&w->lock);
	TAILQ_INSERT_TAIL(&w->pending, a, link);
	w->n_pending++;
	w->expected = w->announced;
	w->gap_us = (w->gap_us * 7 + MIN(now_us - w->last_append_us,
	    (uint64_t)GATHER_US * 8)) / 8;
	w->last_append_us = now_us;
	/* one that gathers is woken when it is enough, not by each */
	if (!w->busy && (!w->gathering || !company_comes(w)))
		pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	defer_call(&w->ask);
	if (!w->tick.set)
		timer_set_ms(&w->tick, TICK_MS);
	return 0;
}

uint64_t
journal_writer_record_max(const struct journal_writer *w)
{
	return w->record_max;
}

size_t
journal_writer_pending(struct journal_writer *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->n_pending;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void
journal_writer_stats(struct journal_writer *w, struct journal_stats *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->stats;
	pthread_mutex_unlock(&w->lock);
}
