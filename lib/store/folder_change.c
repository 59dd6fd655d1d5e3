/*
 * Flags, expunges, and the lazy work behind them.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/disk.h"
#include "store/folder.h"
#include "store/view.h"

#define EXPUNGE_SLICE	5000u	/* messages under one lock */

/* --- changing records --- */

int
view_change(struct folder *f, const uint32_t *seqs, size_t n,
    view_change_fn *fn, void *arg, bool silent, struct err *err)
{
	struct box *b = f->box;
	struct index_group g;
	struct index_rec was, *r;
	struct view_msg *m;
	size_t i = 0;
	int rc;

	while (i < n) {
		uint32_t number;
		bool touched = false;

		m = view_live(f, seqs[i]);
		if (m == NULL) {
			i++;
			continue;
		}
		number = m->slot / INDEX_PER_GROUP;
		rc = box_group_read(b, number, &g, err);
		if (rc < 0)
			return rc;
		for (; i < n; i++) {
			m = view_live(f, seqs[i]);
			if (m == NULL)
				continue;
			if (m->slot / INDEX_PER_GROUP != number)
				break;
			r = &g.rec[m->slot % INDEX_PER_GROUP];
			was = *r;
			if (r->uid != m->r.uid || !fn(f, m, r, arg))
				continue;
			touched = true;
			box_count(&b->h, &was, r);
			if (r->flags != was.flags || r->state != was.state)
				r->modseq = box_modseq(b);
			view_rec_set(f, m, r, silent);
		}
		if (touched && (rc = box_group_write(b, &g, err)) < 0)
			return rc;
	}
	return 0;
}

void
view_taken(struct folder *f, bool whole)
{
	f->changes = f->box->h.changes;
	f->modseq = f->box->h.modseq;
	f->forgotten = f->box->h.forgotten;
	f->n_lazy = f->box->h.n_lazy;
	f->lazy_whole = false;
	if (!whole)
		f->generation = 0;
}

/* The locked part of a change of the messages at seqs. */
static int
change_locked(struct folder *f, const uint32_t *seqs, size_t n,
    view_change_fn *fn, void *arg, bool silent, struct err *err)
{
	int rc;

	rc = box_change_begin(f->box, 0, NULL, err);
	if (rc == 0)
		rc = view_change(f, seqs, n, fn, arg, silent, err);
	if (rc == 0)
		rc = box_change_end(f->box, err);
	view_taken(f, rc == 0);
	return rc;
}

static int
change_run(struct folder *f, const uint32_t *seqs, size_t n,
    view_change_fn *fn, void *arg, bool silent, struct err *err)
{
	int rc = view_lock(f, err);

	if (rc < 0)
		return rc;
	rc = change_locked(f, seqs, n, fn, arg, silent, err);
	box_unlock(f->box);
	return rc;
}

/* --- flags --- */

struct store_arg {
	const struct flag_change *c;
	uint32_t *failed;
	size_t n_failed;
};

static uint32_t
flags_apply(const struct flag_change *c, uint32_t old)
{
	switch (c->op) {
	case FLAG_ADD:
		return old | c->flags;
	case FLAG_REMOVE:
		return old & ~c->flags;
	case FLAG_SET:
	default:
		return c->flags;
	}
}

static bool
store_one(struct folder *f, struct view_msg *m, struct index_rec *r,
    void *arg)
{
	struct store_arg *a = arg;
	uint32_t flags = flags_apply(a->c, r->flags);

	if (r->modseq > a->c->unchanged_since) {
		if (a->failed != NULL)
			a->failed[a->n_failed] = (uint32_t)(m - f->msg) + 1;
		a->n_failed++;
		return false;
	}
	if (flags == r->flags)
		return false;
	r->flags = flags;
	return true;
}

/* Nobody's flags would change: then nothing is written. Locked, as what
 * others changed must be known. */
static bool
store_is_idle(struct folder *f, const uint32_t *seqs, size_t n,
    const struct flag_change *c)
{
	size_t i;

	if (c->unchanged_since != UINT64_MAX)
		return false;
	for (i = 0; i < n; i++) {
		struct view_msg *m = view_live(f, seqs[i]);
		if (m != NULL && flags_apply(c, m->r.flags) != m->r.flags)
			return false;
	}
	return true;
}

/* A client that asked gets its FETCH also for what was so before, but not
 * for those that failed. */
static void
answer_mark(struct folder *f, const uint32_t *seqs, size_t n,
    const struct store_arg *a)
{
	size_t i, failed = 0;

	if (a->c->silent && !a->c->stamp)
		return;
	for (i = 0; i < n; i++) {
		struct view_msg *m = view_live(f, seqs[i]);
		if (a->failed != NULL && failed < a->n_failed &&
		    a->failed[failed] == seqs[i])
			failed++;
		else if (m != NULL)
			view_mark(f, m, !a->c->silent);
	}
}

int
folder_store(struct folder *f, const uint32_t *seqs, size_t n,
    const struct flag_change *c, uint32_t *failed, size_t *n_failed,
    struct err *err)
{
	struct store_arg a = { .c = c, .failed = failed };
	int rc;

	rc = view_lock(f, err);
	if (rc < 0)
		return rc;
	if (!store_is_idle(f, seqs, n, c))
		rc = change_locked(f, seqs, n, store_one, &a, c->silent, err);
	box_unlock(f->box);
	if (n_failed != NULL)
		*n_failed = a.n_failed;
	if (rc == 0)
		answer_mark(f, seqs, n, &a);
	return rc;
}

/* --- expunge --- */

struct expunge_arg {
	bool deleted_only;
	int64_t now;
};

static bool
expunge_one(struct folder *f, struct view_msg *m, struct index_rec *r,
    void *arg)
{
	struct expunge_arg *a = arg;

	if (a->deleted_only && !(r->flags & MSG_DELETED))
		return false;
	r->state |= REC_GONE;
	r->date = a->now;
	return true;
}

/* A slice of them under each lock: a million take their time. */
static int
expunge_run(struct folder *f, const uint32_t *seqs, size_t n,
    struct expunge_arg *a, struct err *err)
{
	size_t i, part;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i += part) {
		part = MIN(n - i, (size_t)EXPUNGE_SLICE);
		if (i > 0)
			store_lock_rest();
		rc = change_run(f, seqs + i, part, expunge_one, a, true, err);
	}
	return rc;
}

int
folder_expunge(struct folder *f, const uint32_t *seqs, size_t n,
    struct err *err)
{
	struct expunge_arg a = { .deleted_only = seqs == NULL,
	    .now = clock_wall_us() / 1000000 };
	struct buf all;
	uint32_t i;
	int rc;

	if (seqs != NULL)
		return expunge_run(f, seqs, n, &a, err);
	rc = folder_load(f, err);
	if (rc == 0)
		rc = folder_refresh(f, err);
	if (rc < 0)
		return rc;
	buf_init(&all, BUF_NO_CAP);
	for (i = 1; i <= f->n; i++)
		if (f->msg[i - 1].r.flags & MSG_DELETED)
			buf_append(&all, &i, sizeof(i));
	n = buf_len(&all) / sizeof(i);
	if (n > 0) {
		uint32_t *list = (void *)buf_data(&all);
		rc = expunge_run(f, list, n, &a, err);
	}
	buf_fini(&all);
	return rc;
}

/* --- lazy work --- */

bool
folder_needs_flush(const struct folder *f)
{
	return f->n_lazy > 0;
}

static bool
file_rename(struct box *b, const char *base, struct index_rec *r)
{
	char from[FNAME_MAX + 8], to[FNAME_MAX + 8];

	box_path(span_str(base), r->name_flags, (r->state & REC_IN_NEW) != 0,
	    from);
	box_path(span_str(base), r->flags, false, to);
	if (disk_renameat(b->dir, from, b->dir, to, 0) == -1)
		return false;
	r->name_flags = r->flags;
	r->state &= ~(uint32_t)REC_IN_NEW;
	r->state |= REC_RENAMED;
	return true;
}

static bool
file_unlink(struct box *b, const char *base, struct index_rec *r)
{
	char path[FNAME_MAX + 8];

	box_path(span_str(base), r->name_flags, (r->state & REC_IN_NEW) != 0,
	    path);
	if (disk_unlinkat(b->dir, path, 0) == -1 && (errno != ENOENT ||
	    (box_find_uid(b, r->uid, r->key, path) &&
	    disk_unlinkat(b->dir, path, 0) == -1)))
		return false;
	r->state |= REC_UNLINKED;
	return true;
}

struct flush {
	unsigned left;			/* files */
	uint64_t until_us;		/* the lock is to be given up then */
};

static bool
flush_may(const struct flush *x)
{
	return x->left > 0 && clock_mono_us() < x->until_us;
}

/* Does the lazy work of one group. Records whose files will not move are
 * left; reconcile sorts them out. */
static int
group_flush(struct folder *f, uint32_t number, struct flush *x,
    struct err *err)
{
	char base[FNAME_MAX + 1];
	struct box *b = f->box;
	struct index_group g;
	struct index_rec was;
	bool touched = false;
	uint32_t i;
	int rc;

	rc = box_group_read(b, number, &g, err);
	if (rc < 0)
		return rc;
	for (i = 0; i < g.count && flush_may(x); i++) {
		struct index_rec *r = &g.rec[i];
		if (!rec_is_lazy(r))
			continue;
		x->left--;
		was = *r;
		if (!box_base(b, &f->window, r, base)) {
			if (r->state & REC_GONE)
				r->state |= REC_UNLINKED;
			else
				continue;
		} else if (!(r->state & REC_GONE ? file_unlink(b, base, r) :
		    file_rename(b, base, r))) {
			continue;
		}
		box_count(&b->h, &was, r);
		touched = true;
	}
	return touched ? box_group_write(b, &g, err) : 0;
}

static int
groups_flush(struct folder *f, struct flush *x, bool *more, struct err *err)
{
	uint32_t i, groups = index_groups(f->box->h.n_recs);
	int rc;

	if (f->lazy_group >= groups)
		f->lazy_group = 0;
	for (i = f->lazy_group; i < groups && f->box->h.n_lazy > 0; i++) {
		rc = group_flush(f, i, x, err);
		if (rc < 0)
			return rc;
		if (!flush_may(x))
			break;
	}
	*more = i < groups && f->box->h.n_lazy > 0;
	f->lazy_group = *more ? i : 0;
	if (*more)
		return 0;
	/* At the end: what came behind us meanwhile wants another round. What
	 * is left after a whole one will not move. */
	*more = f->box->h.n_lazy > 0 && !f->lazy_whole;
	f->lazy_whole = *more;
	return 0;
}

/* As much as may be done under one lock. */
static int
flush_slice(struct folder *f, struct flush *x, bool *more, struct err *err)
{
	int rc;

	*more = false;
	rc = view_lock(f, err);
	if (rc < 0)
		return rc;
	x->until_us = clock_mono_us() + STORE_SLICE_US;
	if (f->box->h.n_lazy > 0) {
		rc = box_change_begin(f->box, 0, NULL, err);
		if (rc == 0)
			rc = groups_flush(f, x, more, err);
		if (rc == 0)
			rc = box_change_end(f->box, err);
	}
	if (rc == 0 && !*more && box_wants_compaction(f->box))
		rc = box_compact(f->box, err);
	if (rc == 0)
		rc = view_merge(f, err);
	f->n_lazy = f->box->h.n_lazy;
	box_unlock(f->box);
	return rc;
}

/* The log is durable first, names follow (doc/store-format.md 5). What lazy
 * work itself notes there needs no sync: a huge EXPUNGE has one, not one for
 * each of its many calls. */
static int
flush_sync(struct folder *f, struct err *err)
{
	uint64_t modseq = f->modseq, generation = f->generation;

	if (f->synced_modseq == modseq && f->synced_generation == generation)
		return 0;
	if (disk_fdatasync(f->box->index) == -1)
		return err_errno(err, "sync %s", STORE_INDEX);
	f->synced_modseq = modseq;
	f->synced_generation = generation;
	return 0;
}

int
folder_flush(struct folder *f, unsigned max, bool *more, struct err *err)
{
	struct flush x = { .left = max };
	int rc;

	*more = false;
	rc = flush_sync(f, err);
	if (rc < 0)
		return rc;
	rc = flush_slice(f, &x, more, err);
	while (rc == 0 && *more && x.left > 0) {
		store_lock_rest();
		rc = flush_slice(f, &x, more, err);
	}
	return rc;
}

/* --- keywords --- */

const char *
folder_keyword(const struct folder *f, unsigned i)
{
	return i < f->keywords.n && f->keywords.name[i][0] != '\0' ?
	    f->keywords.name[i] : NULL;
}

bool
view_keywords_known(const struct folder *f)
{
	uint32_t letters = f->flags_seen >> MSG_KEYWORD_SHIFT;

	return f->keywords.n >= MSG_KEYWORDS ||
	    letters >> f->keywords.n == 0;
}

int
view_keywords(struct folder *f, struct err *err)
{
	if (view_keywords_known(f))
		return 0;
	f->flags_seen = 0;
	return keywords_read(f->box->dir, &f->keywords, err);
}

int
folder_keyword_bit(struct folder *f, struct span name, bool create,
    uint32_t *bit, struct err *err)
{
	int i = keywords_find(&f->keywords, name);
	int rc;

	*bit = 0;
	if (i < 0 && create) {
		rc = box_lock(f->box, err);
		if (rc < 0)
			return rc;
		i = keywords_add(f->box->dir, &f->keywords, name, err);
		box_unlock(f->box);
		if (i < 0 && i != PS_EFULL)
			return i;
	}
	if (i >= 0)
		*bit = MSG_KEYWORD(i);
	return 0;
}
