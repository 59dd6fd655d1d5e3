/*
 * Views: opening, merging what the index says, telling it. The rest of
 * folder.h is in folder_msg.c, folder_change.c, folder_append.c, folder_copy.c,
 * folder_outline.c and folder_vanished.c.
 */
#include "store/folder.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/view.h"

#define READ_TRIES	3
#define SCAN_AFTER_S	3600
#define READ_RUN	64U		/* groups in one read */

/* --- records into the view --- */

static struct view_msg *
view_find(struct folder *f, uint32_t uid, size_t hint)
{
	size_t lo = 0, hi = f->n, mid;

	if (hint < f->n && f->msg[hint].r.uid == uid)
		return &f->msg[hint];
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (f->msg[mid].r.uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->n && f->msg[lo].r.uid == uid ? &f->msg[lo] : NULL;
}

static void
gone_mark(struct folder *f, struct view_msg *m)
{
	if (m->gone)
		return;
	m->gone = true;
	f->n_gone++;
}

void
view_mark(struct folder *f, struct view_msg *m, bool flags)
{
	if (!m->changed && !m->stamped)
		f->n_changed++;
	if (flags)
		m->changed = true;
	else
		m->stamped = true;
	f->changed_at = MIN(f->changed_at, (size_t)(m - f->msg));
}

void
view_rec_set(struct folder *f, struct view_msg *m, const struct index_rec *r,
    bool silent)
{
	bool differs = m->r.flags != r->flags;
	bool stamped = m->r.modseq != r->modseq;

	if (r->state & REC_GONE) {
		m->r.state = r->state;
		m->r.modseq = r->modseq;
		gone_mark(f, m);
		return;
	}
	f->n_unseen -= !(m->r.flags & MSG_SEEN);
	f->n_unseen += !(r->flags & MSG_SEEN);
	m->r = *r;
	f->flags_seen |= r->flags;
	/* set and unset again is a change, too, as is a repair */
	if ((differs || stamped) && !silent)
		view_mark(f, m, differs);
}

static struct view_msg *
view_add(struct folder *f, const struct index_rec *r)
{
	struct view_msg *m;

	if (f->n == f->size) {
		f->size = MAX(32, f->size + f->size / 2);
		f->msg = xreallocarray(f->msg, f->size, sizeof(*f->msg));
	}
	m = &f->msg[f->n++];
	memset(m, 0, sizeof(*m));
	m->r = *r;
	f->flags_seen |= r->flags;
	m->recent = r->uid >= f->box->h.recent_uid;
	f->n_recent += m->recent;
	f->n_unseen += !(r->flags & MSG_SEEN);
	return m;
}

/* A record that is not in the view. To those who know the outline it may have
 * been there, and then is news. */
static struct view_msg *
rec_add(struct folder *f, const struct index_rec *r)
{
	bool had = outline_had(f, r), gone = (r->state & REC_GONE) != 0;
	struct view_msg *m;

	if (gone && !had)
		return NULL;
	m = view_add(f, r);
	if (gone)
		gone_mark(f, m);
	else if (had)
		view_mark(f, m, true);
	return m;
}

static void
group_merge(struct folder *f, const struct index_group *g)
{
	uint32_t i, slot;
	struct view_msg *m = NULL;
	size_t hint = 0;

	for (i = 0; i < g->count; i++) {
		const struct index_rec *r = &g->rec[i];
		slot = g->number * INDEX_PER_GROUP + i;
		if (f->n > 0 && r->uid <= f->msg[f->n - 1].r.uid) {
			m = view_find(f, r->uid, hint);
			if (m != NULL) {
				view_rec_set(f, m, r, false);
				hint = (size_t)(m - f->msg) + 1;
			}
		} else {
			m = rec_add(f, r);
		}
		if (m != NULL) {
			m->slot = slot;
			m->seen = true;
		}
		m = NULL;
	}
}

/* A group that a writer is at may fail its checks for a moment. */
int
view_group(struct folder *f, uint32_t number, struct index_group *g,
    struct err *err)
{
	struct box *b = f->box;
	int rc, tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		rc = index_group_read(b->index, number, b->h.generation, g,
		    err);
		if (rc != PS_ECORRUPT)
			return rc;
	}
	if (b->locked)
		return rc;
	rc = box_lock(b, err);
	if (rc < 0)
		return rc;
	rc = index_group_read(b->index, number, b->h.generation, g, err);
	if (rc == PS_ECORRUPT)
		rc = box_reconcile(b, err) < 0 ? rc : PS_EAGAIN;
	box_unlock(b);
	return rc;
}

/* --- merging --- */

static int
merge_changed(struct folder *f, uint64_t from, uint64_t to, struct err *err)
{
	struct index_group g;
	uint32_t number, last = UINT32_MAX;
	uint64_t c;
	int rc;

	for (c = from; c < to; c++) {
		number = f->box->h.ring[c % INDEX_RING];
		if (number == last)
			continue;
		last = number;
		rc = view_group(f, number, &g, err);
		if (rc < 0)
			return rc;
		group_merge(f, &g);
	}
	return 0;
}

/* Merges groups [from, from + n) with one read; those that fail their checks
 * are fetched by themselves. */
static int
merge_run(struct folder *f, uint32_t from, uint32_t n,
    struct index_group *mem, struct err *err)
{
	struct index_group one;
	uint32_t i, whole;
	ssize_t got;
	int rc;

	got = disk_pread(f->box->index, mem, n * sizeof(*mem),
	    (off_t)index_group_offset(from));
	if (got == -1)
		return err_errno(err, "read index");
	whole = (uint32_t)((size_t)got / sizeof(*mem));
	for (i = 0; i < n; i++) {
		if (i < whole && index_group_ok(&mem[i], from + i,
		    f->box->h.generation)) {
			group_merge(f, &mem[i]);
			continue;
		}
		rc = view_group(f, from + i, &one, err);
		if (rc < 0)
			return rc;
		group_merge(f, &one);
	}
	return 0;
}

static int
merge_all(struct folder *f, struct err *err)
{
	uint32_t i, groups = index_groups(f->box->h.n_recs);
	uint32_t run = MIN(MAX(groups, 1U), READ_RUN);
	struct index_group *mem;
	size_t k;
	int rc = 0;

	for (k = 0; k < f->n; k++)
		f->msg[k].seen = false;
	if (f->size == 0 && f->box->h.n_live > 0) {
		f->size = f->box->h.n_live + 16;
		f->msg = xreallocarray(NULL, f->size, sizeof(*f->msg));
	}
	mem = xcalloc(run, sizeof(*mem));
	for (i = 0; rc == 0 && i < groups; i += run)
		rc = merge_run(f, i, MIN(run, groups - i), mem, err);
	free(mem);
	if (rc < 0)
		return rc;
	for (k = 0; k < f->n; k++)
		if (!f->msg[k].seen)
			gone_mark(f, &f->msg[k]);
	return 0;
}

static int
merge_once(struct folder *f, struct err *err)
{
	struct index_header *h = &f->box->h;
	uint64_t changes = h->changes, generation = h->generation;
	uint64_t modseq = h->modseq;
	int rc;

	if ((f->loaded || f->outline) && f->uidvalidity != h->uidvalidity)
		return err_set(err, ERR_TEMP, PS_ESTATE,
		    "the folder got a new UIDVALIDITY");
	if (f->loaded && f->generation == generation &&
	    changes - f->changes <= INDEX_RING)
		rc = merge_changed(f, f->changes, changes, err);
	else
		rc = merge_all(f, err);
	if (rc < 0)
		return rc;
	if (h->generation != generation)
		return PS_EAGAIN;	/* reconciled meanwhile */
	if (!outline_mend(f))
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "the index had more messages than UIDs");
	f->loaded = true;
	f->outline = false;
	view_header_take(f, h);
	/* a group that was locked for may have brought a newer header */
	f->changes = changes;
	f->modseq = modseq;
	return 0;
}

void
view_header_take(struct folder *f, const struct index_header *h)
{
	f->generation = h->generation;
	f->changes = h->changes;
	f->uidvalidity = h->uidvalidity;
	f->uidnext = h->uidnext;
	f->modseq = h->modseq;
	f->forgotten = h->forgotten;
	f->n_lazy = h->n_lazy;
}

int
view_merge(struct folder *f, struct err *err)
{
	int rc = PS_EAGAIN, tries;

	for (tries = 0; tries < READ_TRIES && rc == PS_EAGAIN; tries++)
		rc = merge_once(f, err);
	if (rc == PS_EAGAIN)
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "index does not hold still");
	return rc;
}

int
view_lock(struct folder *f, struct err *err)
{
	int rc = box_lock(f->box, err);

	if (rc == 0 && box_dirs_changed(f->box))
		rc = box_reconcile(f->box, err);
	if (rc == 0)
		rc = view_merge(f, err);
	if (rc < 0)
		box_unlock(f->box);
	return rc;
}

static bool
recent_unclaimed(const struct folder *f)
{
	return f->claim_recent && f->box->h.recent_uid < f->box->h.uidnext;
}

/* What is new now is recent here and in no later session. */
static int
recent_claim(struct folder *f, struct err *err)
{
	struct box *b = f->box;
	int rc;

	if (!recent_unclaimed(f))
		return 0;
	rc = view_lock(f, err);
	if (rc < 0)
		return rc;
	rc = box_change_begin(b, 0, NULL, err);
	if (rc == 0) {
		b->h.recent_uid = b->h.uidnext;
		rc = box_change_end(b, err);
	}
	box_unlock(b);
	return rc;
}

/* Goes through the directories, whatever their mtimes say. */
static int
box_look(struct box *b, struct err *err)
{
	int rc = box_follow(b, true, err);

	if (rc == 0)
		b->look = false;
	return rc;
}

int
folder_refresh(struct folder *f, struct err *err)
{
	int rc = f->box->look ? box_look(f->box, err) :
	    box_current(f->box, err);

	if (rc == 0 && !outline_is_current(f))
		rc = view_merge(f, err);
	if (rc == 0)
		rc = view_keywords(f, err);
	return rc == 0 ? recent_claim(f, err) : rc;
}

bool
folder_is_fresh(struct folder *f)
{
	struct box *b = f->box;
	bool fresh;

	disk_nowait(true);
	fresh = !b->look && box_current(b, NULL) == 0 &&
	    (f->loaded || f->outline) && f->generation == b->h.generation &&
	    f->changes == b->h.changes && view_keywords_known(f) &&
	    !recent_unclaimed(f);
	disk_nowait(false);
	return fresh;
}

/* --- life --- */

/* A foreign change in the same clock tick as one of ours leaves no trace in
 * the mtimes: a folder that changes is gone through now and then. */
static int
scan_if_due(struct box *b, struct err *err)
{
	int64_t now = clock_wall_us() / 1000000;
	int rc;

	rc = box_current(b, err);
	if (rc < 0 || now - b->h.scanned < SCAN_AFTER_S ||
	    MAX(b->h.new_sec, b->h.cur_sec) < b->h.scanned)
		return rc;
	return box_look(b, err);
}

/* All but the messages. */
static struct folder *
folder_begin(struct account *a, const char *name, bool claim_recent,
    struct err *err)
{
	struct folder *f = xcalloc(1, sizeof(*f));

	f->account = a;
	f->claim_recent = claim_recent;
	if (!account_folder_exists(a, name))
		(void)err_set(err, ERR_PERM, PS_ENOTFOUND, "no such folder");
	else
		f->box = box_open(account_dirfd(a), name, account_id(a),
		    BOX_EXISTING, err);
	if (f->box == NULL || scan_if_due(f->box, err) < 0 ||
	    keywords_read(f->box->dir, &f->keywords, err) < 0)
		folder_close(&f);
	return f;
}

struct folder *
folder_open(struct account *a, const char *name, bool claim_recent,
    struct err *err)
{
	struct folder *f = folder_begin(a, name, claim_recent, err);

	if (f != NULL && folder_refresh(f, err) < 0)
		folder_close(&f);
	return f;
}

struct folder *
folder_open_outline(struct account *a, const char *name, bool claim_recent,
    struct err *err)
{
	struct folder *f = folder_begin(a, name, claim_recent, err);

	if (f != NULL && !outline_take(f) && folder_refresh(f, err) < 0)
		folder_close(&f);
	return f;
}

struct folder *
folder_open_warm(struct account *a, const char *name, bool claim_recent)
{
	struct folder *f;

	disk_nowait(true);
	f = folder_begin(a, name, claim_recent, NULL);
	if (f != NULL && !outline_take(f))
		folder_close(&f);
	disk_nowait(false);
	return f;
}

void
folder_close(struct folder **fp)
{
	struct folder *f = *fp;

	if (f == NULL)
		return;
	box_close(&f->box);
	cache_window_fini(&f->window);
	if (f->texts_ready)
		texts_fini(&f->texts);
	free(f->msg);
	free(f);
	*fp = NULL;
}

const char *
folder_name(const struct folder *f)
{
	return f->box->name;
}

int
folder_dirfd(const struct folder *f)
{
	return f->box->dir;
}

/* --- looking --- */

uint32_t
folder_exists(const struct folder *f)
{
	return f->outline ? f->outline_exists : (uint32_t)f->n;
}

uint32_t
folder_recent(const struct folder *f)
{
	return f->n_recent;
}

uint32_t
folder_unseen(const struct folder *f)
{
	return f->outline ? f->outline_unseen : f->n_unseen;
}

uint32_t
folder_first_unseen(const struct folder *f)
{
	size_t i;

	if (f->outline)
		return f->outline_first_unseen;
	if (f->n_unseen == 0)
		return 0;
	for (i = 0; i < f->n; i++)
		if (!(f->msg[i].r.flags & MSG_SEEN))
			return (uint32_t)i + 1;
	return 0;
}

uint32_t
folder_uidvalidity(const struct folder *f)
{
	return f->uidvalidity;
}

uint32_t
folder_uidnext(const struct folder *f)
{
	return f->n == 0 ? f->uidnext :
	    MAX(f->uidnext, f->msg[f->n - 1].r.uid + 1);
}

uint64_t
folder_highest_modseq(const struct folder *f)
{
	return MAX(f->modseq, 1);
}

uint64_t
folder_told_modseq(const struct folder *f)
{
	uint64_t least = folder_highest_modseq(f);
	size_t i;

	for (i = 0; f->n_gone > 0 && i < f->n; i++)
		if (f->msg[i].gone)
			least = MIN(least, f->msg[i].r.modseq - 1);
	return MAX(least, 1);
}

bool
folder_msg(const struct folder *f, uint32_t seq, struct folder_msg *m)
{
	const struct view_msg *v;

	if (seq == 0 || seq > f->n)
		return false;
	v = &f->msg[seq - 1];
	*m = (struct folder_msg){ .uid = v->r.uid, .flags = v->r.flags,
	    .modseq = v->r.modseq, .size = v->r.vsize, .date = v->r.date,
	    .recent = v->recent, .gone = v->gone };
	return true;
}

uint32_t
folder_uid(const struct folder *f, uint32_t seq)
{
	return seq == 0 || seq > f->n ? 0 : f->msg[seq - 1].r.uid;
}

uint32_t
folder_seq_from(const struct folder *f, uint32_t uid)
{
	size_t lo = 0, hi = f->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (f->msg[mid].r.uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo + 1;
}

uint32_t
folder_seq(const struct folder *f, uint32_t uid)
{
	uint32_t seq = folder_seq_from(f, uid);

	return folder_uid(f, seq) == uid && uid != 0 ? seq : 0;
}

struct view_msg *
view_live(struct folder *f, uint32_t seq)
{
	if (seq == 0 || seq > f->n || f->msg[seq - 1].gone)
		return NULL;
	return &f->msg[seq - 1];
}

/* --- telling --- */

void
folder_told(struct folder *f, uint32_t seq)
{
	struct view_msg *m = &f->msg[seq - 1];

	f->n_changed -= m->changed || m->stamped;
	m->changed = m->stamped = false;
}

bool
folder_changed_next(struct folder *f, uint32_t *seq, bool *flags)
{
	size_t i;

	if (f->n_changed == 0)
		return false;
	for (i = f->changed_at; i < f->n; i++) {
		struct view_msg *m = &f->msg[i];
		if (!m->changed && !m->stamped)
			continue;
		*flags = m->changed;
		folder_told(f, (uint32_t)i + 1);
		f->changed_at = i + 1;
		if (m->gone)
			continue;
		*seq = (uint32_t)i + 1;
		return true;
	}
	f->changed_at = f->n;
	f->n_changed = 0;
	return false;
}

bool
folder_has_gone(const struct folder *f)
{
	return f->n_gone > 0;
}

static void
gone_forget(struct folder *f, const struct view_msg *m)
{
	f->n_recent -= m->recent;
	f->n_changed -= m->changed || m->stamped;
	f->n_unseen -= !(m->r.flags & MSG_SEEN);
}

size_t
folder_expunged_take(struct folder *f, uint32_t **seqs, uint32_t **uids)
{
	size_t i, kept = 0, n = 0, want = f->n_gone;

	*seqs = want == 0 ? NULL : xcalloc(want, sizeof(**seqs));
	if (uids != NULL)
		*uids = want == 0 ? NULL : xcalloc(want, sizeof(**uids));
	if (want == 0)
		return 0;
	for (i = 0; i < f->n; i++) {
		if (!f->msg[i].gone) {
			f->msg[kept++] = f->msg[i];
			continue;
		}
		if (uids != NULL)
			(*uids)[n] = f->msg[i].r.uid;
		/* What was told before has gone from in front of it. */
		(*seqs)[n++] = (uint32_t)kept + 1;
		gone_forget(f, &f->msg[i]);
	}
	f->n = kept;
	f->n_gone = 0;
	f->changed_at = 0;
	return n;
}
