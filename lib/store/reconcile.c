#include "store/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "store/boot.h"
#include "store/box.h"
#include "store/folder.h"
#include "store/folders.h"
#include "store/mfile.h"
#include "store/scan.h"

#define GONE_KEPT_S	(5 * 86400)	/* as maximal_queue_lifetime */
#define TMP_KEPT_S	(36 * 3600)	/* as the maildir rules say */
#define TMP_FILES	5000		/* of deleted folders, as others wait */
#define BOOT_SKIP	1024		/* UIDs passed over after a power cut */
#define LOOK_TWICE_MAX	16
#define CACHE_BATCH	(1024 * 1024)
#define MTIME_TICK_US	20000		/* a younger mtime may be older than it
					 * looks: clock ticks are 10 ms at most */

struct job {
	struct box *b;
	struct scan scan;
	struct index_rec *old, *out;
	size_t n_old, n_out, out_size;
	struct scan_ent **stray;	/* without a UID of ours */
	size_t n_stray;
	struct cache_window window;
	struct buf names;		/* cache entries not written yet */
	uint64_t names_at;		/* where they will lie */
	bool index_ok;			/* the old index could be read */
	bool boot_changed;
	bool cache_ok;
	bool changed;			/* differs from the old index */
	size_t vanished;
	int64_t now;
	uint64_t began_us;		/* without what was read ahead */
	bool more;			/* strays are left for the next slice */
};

/* --- head file ------------------------------------------------------------ */

int
reconcile_head_new(struct box *b, struct err *err)
{
	uint32_t above = 0, v;
	struct scan s;
	size_t i;
	int rc;

	rc = box_dirs_make(b->dir, err);
	if (rc == 0)
		rc = scan_dirs(b->dir, &s, err);
	if (rc < 0)
		return rc;
	for (i = 0; i < s.n; i++)
		if (s.ent[i].f.has_uid)
			above = MAX(above, s.ent[i].f.uidvalidity);
	scan_fini(&s);
	if (above == UINT32_MAX)
		above = 0;		/* nonsense of somebody else */
	rc = account_uidvalidity_next(b->account, above, b->name[0] != '\0',
	    &v, err);
	if (rc < 0)
		return rc;
	b->hd.uidvalidity = v;
	b->hd.ceiling = 1 + HEAD_STEP;
	b->hd.modseq = HEAD_MODSEQ_STEP;
	b->head_fresh = true;
	return head_write(b->head, HEAD_FOLDER, &b->hd, err);
}

/* --- the old index -------------------------------------------------------- */

static void
old_load(struct job *j)
{
	struct box *b = j->b;
	struct index_group g;
	struct err why;
	uint32_t i, n, groups = index_groups(b->h.n_recs);
	struct stat st;

	j->index_ok = b->index != -1 && b->h.uidvalidity != 0 &&
	    b->h.uidvalidity == b->hd.uidvalidity;
	if (!j->index_ok)
		return;
	/* A header may claim more than the file can hold. */
	if (fstat(b->index, &st) == -1)
		st.st_size = 0;
	groups = (uint32_t)MIN(groups, (uint64_t)st.st_size / INDEX_PAGE);
	j->old = xcalloc((size_t)groups * INDEX_PER_GROUP + 1,
	    sizeof(*j->old));
	for (i = 0; i < groups; i++) {
		if (index_group_read(b->index, i, b->h.generation, &g,
		    &why) < 0) {
			j->changed = true;
			continue;
		}
		/* Records of a change that did not end count: their files
		 * decide. */
		for (n = 0; n < g.count; n++)
			if (j->n_old == 0 || g.rec[n].uid >
			    j->old[j->n_old - 1].uid)
				j->old[j->n_old++] = g.rec[n];
	}
	/* What a change that did not end wrote must be told to those who know
	 * the groups as they were before, and have its modseq to itself. */
	if (j->n_old != b->h.n_recs || (b->h.state & INDEX_DIRTY))
		j->changed = true;
	for (n = 0; n < j->n_old; n++)
		b->h.modseq = MAX(b->h.modseq, j->old[n].modseq);
}

/* An expunge that is remembered no longer: who asks about the time before it
 * is told all UIDs that are not there. */
static void
expunge_forget(struct box *b, const struct index_rec *r)
{
	b->h.forgotten = MAX(b->h.forgotten, r->modseq);
}

static void
cache_check(struct job *j)
{
	struct box *b = j->b;
	struct stat st;

	j->cache_ok = j->index_ok && box_cache_open(b) &&
	    fstat(b->cache, &st) == 0 &&
	    (uint64_t)st.st_size >= b->h.cache_end;
	if (!j->cache_ok)
		b->h.cache_id = 0;	/* a new one is made at need */
}

/* --- files and records ---------------------------------------------------- */

static int
ent_cmp(const void *a, const void *b)
{
	const struct scan_ent *x = a, *y = b;

	if (x->believed != y->believed)
		return x->believed ? -1 : 1;
	if (x->believed && x->f.uid != y->f.uid)
		return x->f.uid < y->f.uid ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int
stray_cmp(const void *a, const void *b)
{
	const struct scan_ent *const *x = a, *const *y = b;
	size_t n = MIN((*x)->name.n, (*y)->name.n);
	int c = memcmp((*x)->name.p, (*y)->name.p, n);

	if ((*x)->f.sec != (*y)->f.sec)
		return (*x)->f.sec < (*y)->f.sec ? -1 : 1;
	return c != 0 ? c : ((*x)->name.n < (*y)->name.n ? -1 :
	    (*x)->name.n > (*y)->name.n);
}

static struct index_rec *
out_add(struct job *j, const struct index_rec *r)
{
	if (j->n_out == j->out_size) {
		j->out_size = MAX(64, j->out_size * 2);
		j->out = xreallocarray(j->out, j->out_size, sizeof(*j->out));
	}
	j->out[j->n_out] = *r;
	return &j->out[j->n_out++];
}

static void
stray_add(struct job *j, struct scan_ent *e)
{
	j->stray[j->n_stray++] = e;
}

static int
names_flush(struct job *j, struct err *err)
{
	uint64_t at;
	int rc;

	rc = box_cache_append(j->b, buf_span(&j->names), &at, err);
	/* the records say where */
	if (rc == 0 && buf_len(&j->names) > 0 && at != j->names_at)
		rc = err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "%s was replaced", STORE_CACHE);
	buf_clear(&j->names);
	j->names_at = j->b->h.cache_end;
	return rc;
}

/* A name entry for the cache; texts follow when they are asked for. They are
 * written many at a time: nobody else appends while the box is locked. */
static int
name_cache(struct job *j, struct index_rec *r, struct span base,
    struct err *err)
{
	struct cache_entry e = { .uid = r->uid, .name = base };
	int rc = 0;

	if (j->names_at == 0 || buf_len(&j->names) >= CACHE_BATCH)
		rc = names_flush(j, err);
	if (rc < 0)
		return rc;
	r->cache = j->names_at + buf_len(&j->names);
	cache_entry_pack(&j->names, &e);
	j->changed = true;
	return 0;
}

static bool
cache_fits(struct job *j, const struct index_rec *r, struct span base)
{
	struct cache_entry e;

	if (r->cache == 0 || !j->cache_ok)
		return false;
	if (!j->boot_changed)
		return true;
	return cache_read(j->b->cache, &j->window, r->cache, r->uid,
	    64 * 1024, &e) && span_eq(e.name, base);
}

/* A live record and its file. The name wins when others changed it. */
static int
match_take(struct job *j, const struct index_rec *old, struct scan_ent *e,
    struct err *err)
{
	struct index_rec r = *old;
	bool in_new = (r.state & REC_IN_NEW) != 0;

	e->taken = true;
	if (e->f.flags != r.name_flags || e->in_new != in_new) {
		if (!j->boot_changed || !(r.state & REC_RENAMED))
			r.flags = e->f.flags;
		r.name_flags = e->f.flags;
		r.state &= ~(uint32_t)REC_IN_NEW;
		r.state |= e->in_new ? REC_IN_NEW : 0;
		r.modseq = box_modseq(j->b);
		j->changed = true;
	}
	/* flags that the cut took back are news again */
	if (j->boot_changed)
		r.modseq = box_modseq(j->b);
	if (!cache_fits(j, &r, e->f.base)) {
		int rc = name_cache(j, &r, e->f.base, err);
		if (rc < 0)
			return rc;
	}
	(void)out_add(j, &r);
	return 0;
}

static void
vanished_take(struct job *j, const struct index_rec *old)
{
	char path[FNAME_MAX + 8];
	struct index_rec r = *old;

	/* Of a change that did not end: never was a message. */
	if (old >= j->old + j->b->h.n_recs) {
		j->changed = true;
		return;
	}
	/* Somebody may have renamed it while we read the directory. */
	if (!j->boot_changed && j->vanished < LOOK_TWICE_MAX &&
	    box_find_uid(j->b, r.uid, r.key, path)) {
		(void)out_add(j, &r);
		return;
	}
	r.state |= REC_GONE | REC_UNLINKED;
	r.date = j->now;
	r.modseq = box_modseq(j->b);
	/* After a power cut a missing file was lost, not expunged: nobody may
	 * take it for delivered (J7). */
	if (j->boot_changed)
		r.key = 0;
	j->changed = true;
	j->vanished++;
	(void)out_add(j, &r);
}

static void
ent_unlink(struct job *j, const struct scan_ent *e)
{
	char path[FNAME_MAX + 8];

	(void)snprintf(path, sizeof(path), "%s/%.*s", e->in_new ? "new" :
	    "cur", SPAN_ARG(e->name));
	if (disk_unlinkat(j->b->dir, path, 0) == -1 && errno != ENOENT)
		log_warning("mailbox %llu: cannot remove %s: %s",
		    (unsigned long long)j->b->mailbox_id, path,
		    strerror(errno));
}

/* The power cut undid the rename: the message is here as before. */
static int
move_undone(struct job *j, const struct index_rec *old, struct scan_ent *e,
    struct err *err)
{
	struct index_rec r = *old;

	r.state &= ~(uint32_t)(REC_GONE | REC_UNLINKED | REC_MOVED);
	r.date = MAX(e->f.sec, 0);
	r.modseq = box_modseq(j->b);
	j->changed = true;
	return match_take(j, &r, e, err);
}

static int
gone_take(struct job *j, const struct index_rec *old, struct scan_ent *e,
    struct err *err)
{
	struct index_rec r = *old;

	if (e != NULL && (r.state & REC_MOVED) && j->boot_changed)
		return move_undone(j, old, e, err);
	/* Nor can it be told from here whether it arrived there: the folder it
	 * was moved to knows, or nobody does (J7). */
	if (j->boot_changed && (r.state & REC_MOVED) && r.key != 0) {
		r.key = 0;
		j->changed = true;
	}
	if (e != NULL && (!(r.state & REC_UNLINKED) || j->boot_changed)) {
		ent_unlink(j, e);
		e->taken = true;
	}
	if (!(r.state & REC_UNLINKED)) {
		r.state |= REC_UNLINKED;
		j->changed = true;
	}
	if (r.date + GONE_KEPT_S >= j->now) {
		(void)out_add(j, &r);
		return 0;
	}
	expunge_forget(j->b, &r);
	j->changed = true;
	return 0;
}

/* A file whose UID we believe though the index does not know it. */
static int
believed_take(struct job *j, struct scan_ent *e, struct err *err)
{
	struct index_rec r = {
		.uid = e->f.uid, .flags = e->f.flags,
		.name_flags = e->f.flags, .modseq = box_modseq(j->b),
		.size = e->f.size, .vsize = e->f.vsize,
		.date = MAX(e->f.sec, 0), .key = e->key,
		.state = e->in_new ? REC_IN_NEW : 0,
	};

	if (r.vsize != r.size)
		r.state |= REC_LF;
	/* In the same boot a name of ours is only given to whole files. */
	if (!j->boot_changed && j->index_ok)
		r.boot = store_boot_tag();
	e->taken = true;
	if (name_cache(j, &r, e->f.base, err) < 0)
		return PS_EIO;
	(void)out_add(j, &r);
	return 0;
}

/* Sorts files into believed UIDs and strays; of two with one UID the one
 * that the index knows, else the first, keeps it. */
static void
believe(struct job *j)
{
	struct box *b = j->b;
	size_t i;

	for (i = 0; i < j->scan.n; i++) {
		struct scan_ent *e = &j->scan.ent[i];
		e->believed = e->f.has_uid && e->f.has_size &&
		    e->f.has_vsize && e->f.uidvalidity == b->hd.uidvalidity &&
		    e->f.uid < b->hd.ceiling;
	}
	if (j->scan.n > 0)
		qsort(j->scan.ent, j->scan.n, sizeof(*j->scan.ent), ent_cmp);
}

static bool
is_unfinished(const struct index_header *h, uint32_t uid)
{
	return uid >= h->whole_first && uid < h->whole_end;
}

/* A process ended while it made copies: those that are there go, and as
 * nobody was ever told of them, without a trace. (After a power cut the header
 * may be older than copies that were promised.) */
static void
unfinished_drop(struct job *j)
{
	struct index_header *h = &j->b->h;
	size_t i, n = 0;

	if (j->index_ok && !j->boot_changed && (h->state & INDEX_DIRTY)) {
		for (i = 0; i < j->scan.n; i++) {
			struct scan_ent *e = &j->scan.ent[i];
			if (e->believed && is_unfinished(h, e->f.uid))
				ent_unlink(j, e);
			else
				j->scan.ent[n++] = *e;
		}
		j->scan.n = n;
		for (i = n = 0; i < j->n_old; i++)
			if (!is_unfinished(h, j->old[i].uid))
				j->old[n++] = j->old[i];
		j->n_old = n;
	}
	h->whole_first = h->whole_end = 0;
}

/* Picks, among the run of files that claim `uid` from *at, the one with the
 * right key (or any when key is 0); the others are strays. */
static struct scan_ent *
claim_pick(struct job *j, size_t *at, uint32_t uid, uint32_t key)
{
	struct scan_ent *best = NULL, *e;
	size_t i;

	for (i = *at; i < j->scan.n; i++) {
		e = &j->scan.ent[i];
		if (!e->believed || e->f.uid != uid)
			break;
		if (best == NULL && (key == 0 || e->key == key))
			best = e;
		else
			stray_add(j, e);
	}
	*at = i;
	return best;
}

static int
old_take(struct job *j, const struct index_rec *old, struct scan_ent *e,
    struct err *err)
{
	int rc;

	if (old->state & REC_GONE) {
		rc = gone_take(j, old, e, err);
		if (e != NULL && !e->taken)
			stray_add(j, e);
		return rc;
	}
	if (e != NULL)
		return match_take(j, old, e, err);
	vanished_take(j, old);
	return 0;
}

/* Both lists ascend by UID: one walk. */
static int
merge(struct job *j, struct err *err)
{
	struct scan_ent *e;
	size_t at = 0, i = 0;
	uint32_t uid;
	int rc = 0;

	while (rc == 0 && (i < j->n_old || (at < j->scan.n &&
	    j->scan.ent[at].believed))) {
		bool has_ent = at < j->scan.n && j->scan.ent[at].believed;
		uid = has_ent ? j->scan.ent[at].f.uid : UINT32_MAX;
		if (i < j->n_old && j->old[i].uid <= uid) {
			e = has_ent && j->old[i].uid == uid ?
			    claim_pick(j, &at, uid, j->old[i].key) : NULL;
			rc = old_take(j, &j->old[i], e, err);
			i++;
		} else {
			e = claim_pick(j, &at, uid, 0);
			rc = believed_take(j, e, err);
		}
	}
	for (; rc == 0 && at < j->scan.n; at++)
		stray_add(j, &j->scan.ent[at]);
	return rc;
}

/* --- reading ahead --------------------------------------------------------- */

struct box_ahead {
	struct stat dir[2];		/* new/ and cur/, before it */
	struct scan scan;
	uint64_t took_us;
};

static bool
dirs_stat(const struct box *b, struct stat st[2])
{
	return fstatat(b->dir, "new", &st[0], AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(b->dir, "cur", &st[1], AT_SYMLINK_NOFOLLOW) == 0;
}

static int64_t
mtime_us(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000 +
	    st->st_mtim.tv_nsec / 1000;
}

static bool
same_times(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void
reconcile_ahead_drop(struct box *b)
{
	if (b->ahead == NULL)
		return;
	scan_fini(&b->ahead->scan);
	free(b->ahead);
	b->ahead = NULL;
}

void
reconcile_ahead(struct box *b)
{
	int64_t settled = clock_wall_us() - MTIME_TICK_US;
	struct box_ahead *a = xcalloc(1, sizeof(*a));
	uint64_t began = clock_mono_us();

	reconcile_ahead_drop(b);
	/* another change in this tick would not be seen by the times */
	if (!dirs_stat(b, a->dir) || mtime_us(&a->dir[0]) > settled ||
	    mtime_us(&a->dir[1]) > settled ||
	    scan_dirs(b->dir, &a->scan, NULL) < 0) {
		free(a);
		return;
	}
	a->took_us = clock_mono_us() - began;
	b->ahead = a;
}

/* What lies in the directories now. */
static int
scan_now(struct job *j, struct err *err)
{
	struct box_ahead *a = j->b->ahead;
	struct stat now[2];
	bool good = a != NULL && dirs_stat(j->b, now) &&
	    same_times(&now[0], &a->dir[0]) && same_times(&now[1], &a->dir[1]);

	if (!good)
		return scan_dirs(j->b->dir, &j->scan, err);
	j->scan = a->scan;
	j->began_us -= a->took_us;
	memset(&a->scan, 0, sizeof(a->scan));
	reconcile_ahead_drop(j->b);
	return 0;
}

/* --- strays: files of other programs -------------------------------------- */

static int
stray_measure(struct job *j, const char *path, struct index_rec *r,
    struct err *err)
{
	struct stat st;
	int fd, rc = 0;

	fd = disk_openat(j->b->dir, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(err, "open %s", path);
	if (fstat(fd, &st) == -1)
		rc = err_errno(err, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_PERM, PS_ESTATE, "%s is no file", path);
	if (rc == 0) {
		r->size = (uint64_t)st.st_size;
		r->date = st.st_mtim.tv_sec;
		rc = mfile_vsize(fd, &r->vsize, err);
	}
	(void)disk_close(fd);
	return rc;
}

/* Gives the file a name with S, W and U; keeps the old one when that cannot
 * be. The base it has now is in `base`. */
static void
stray_rename(struct job *j, const struct scan_ent *e, const char *path,
    struct index_rec *r, char base[FNAME_MAX + 1])
{
	char to[FNAME_MAX + 8];
	size_t n = e->f.unique.n;

	memcpy(base, e->f.unique.p, n);
	n = fname_base_finish(base, n, r->size, r->vsize,
	    j->b->hd.uidvalidity, r->uid);
	base[n] = '\0';
	if (n > 0) {
		box_path(span_of(base, n), r->flags, e->in_new, to);
		if (disk_renameat(j->b->dir, path, j->b->dir, to,
		    RENAME_NOREPLACE) == 0)
			return;
	}
	memcpy(base, e->f.base.p, e->f.base.n);
	base[e->f.base.n] = '\0';
}

static int
stray_take(struct job *j, struct scan_ent *e, uint32_t uid, struct err *err)
{
	char path[FNAME_MAX + 8], base[FNAME_MAX + 1];
	struct index_rec r = {
		.uid = uid, .modseq = box_modseq(j->b), .key = e->key,
		.flags = e->in_new ? 0 : e->f.flags,
		.state = e->in_new ? REC_IN_NEW : 0,
	};
	struct err why;

	(void)snprintf(path, sizeof(path), "%s/%.*s", e->in_new ? "new" :
	    "cur", SPAN_ARG(e->name));
	if (stray_measure(j, path, &r, &why) < 0) {
		if (!j->b->warned)
			log_warning("mailbox %llu folder \"%s\": left out: %s "
			    "(further ones are not logged)",
			    (unsigned long long)j->b->mailbox_id, j->b->name,
			    why.why);
		j->b->warned = true;
		return PS_ENOTFOUND;
	}
	r.name_flags = r.flags;
	if (r.vsize != r.size)
		r.state |= REC_LF;
	stray_rename(j, e, path, &r, base);
	if (name_cache(j, &r, span_str(base), err) < 0)
		return PS_EIO;
	(void)out_add(j, &r);
	return 0;
}

static int
uid_room(struct job *j, uint32_t next, size_t n, struct err *err)
{
	struct box *b = j->b;

	if (n > INDEX_RECS_MAX || next + n > UINT32_MAX - HEAD_STEP)
		return err_set(err, ERR_PERM, PS_EFULL, "UIDs are used up");
	return box_ceilings(b, next + (uint32_t)n, err);
}

/* A slice costs a look at all files: it is worth as much time again. Without an
 * index none is cut short: mail of ours may be among what is taken over, and a
 * delivery that is tried again must find it. 0: no end. */
static uint64_t
slice_end(const struct job *j)
{
	uint64_t now = clock_mono_us();

	if (!j->b->in_slices || !j->index_ok || j->boot_changed)
		return 0;
	return now + MAX(now - j->began_us, (uint64_t)STORE_SLICE_US);
}

static int
strays_take(struct job *j, uint32_t *next, struct err *err)
{
	uint64_t until_us = 0;
	size_t i;
	int rc;

	rc = uid_room(j, *next, j->n_stray, err);
	if (rc < 0)
		return rc;
	if (j->n_stray > 0)
		qsort(j->stray, j->n_stray, sizeof(*j->stray), stray_cmp);
	for (i = 0; i < j->n_stray; i++) {
		if (until_us != 0 && clock_mono_us() > until_us) {
			j->more = true;
			break;
		}
		rc = stray_take(j, j->stray[i], *next, err);
		if (rc != 0 && rc != PS_ENOTFOUND)
			return rc;
		if (rc != 0)
			continue;
		(*next)++;
		if (until_us == 0)
			until_us = slice_end(j);
	}
	return 0;
}

/* --- the new index -------------------------------------------------------- */

static void
header_totals(struct index_header *h, const struct index_rec *recs, size_t n)
{
	size_t i;

	h->n_recs = h->n_live = h->n_unseen = h->n_deleted = h->n_lazy = 0;
	h->bytes = h->lf_bytes = 0;
	for (i = 0; i < n; i++)
		box_count(h, NULL, &recs[i]);
	h->n_recs = (uint32_t)n;
}

static int
groups_write(int fd, uint64_t generation, uint64_t modseq,
    const struct index_rec *recs, size_t n, struct err *err)
{
	struct index_group g;
	size_t i;

	for (i = 0; i < n; i += INDEX_PER_GROUP) {
		memset(&g, 0, sizeof(g));
		g.number = (uint32_t)(i / INDEX_PER_GROUP);
		g.count = (uint32_t)MIN(n - i, INDEX_PER_GROUP);
		g.generation = generation;
		g.modseq = modseq;
		memcpy(g.rec, recs + i, g.count * sizeof(*recs));
		index_group_seal(&g);
		if (disk_pwrite(fd, &g, sizeof(g),
		    (off_t)index_group_offset(g.number)) == -1)
			return err_errno(err, "write %s", STORE_INDEX);
	}
	return 0;
}

/* Tells those who hold the old file. */
static void
old_mark(struct box *b)
{
	struct index_header h;
	struct err why;

	if (b->index == -1 || index_header_read(b->index, &h, &why) < 0)
		return;
	h.state |= INDEX_REPLACED;
	index_header_seal(&h);
	(void)disk_pwrite(b->index, &h, sizeof(h), 0);
}

int
reconcile_index_write(struct box *b, const struct index_rec *recs, size_t n,
    struct err *err)
{
	struct index_header *h = &b->h;
	int fd, rc;

	h->generation++;
	h->state = 0;
	h->changes = 0;
	store_boot_id(h->boot);
	header_totals(h, recs, n);
	h->pages = index_groups(h->n_recs) + 4;
	b->tail_ok = false;
	fd = disk_openat(b->dir, STORE_INDEX ".new",
	    O_RDWR | O_CREAT | O_TRUNC, STORE_FILE_MODE);
	if (fd == -1)
		return err_errno(err, "make %s", STORE_INDEX);
	rc = 0;
	if (disk_fallocate(fd, 0, 0, (off_t)h->pages * INDEX_PAGE) == -1 &&
	    errno != EOPNOTSUPP && errno != ENOSYS)
		rc = err_errno(err, "allocate %s", STORE_INDEX);
	if (rc == 0)
		rc = groups_write(fd, h->generation, h->modseq, recs, n, err);
	index_header_seal(h);
	if (rc == 0 && disk_pwrite(fd, h, sizeof(*h), 0) == -1)
		rc = err_errno(err, "write %s", STORE_INDEX);
	if (rc == 0 && disk_renameat(b->dir, STORE_INDEX ".new", b->dir,
	    STORE_INDEX, 0) == -1)
		rc = err_errno(err, "put %s in place", STORE_INDEX);
	if (rc < 0) {
		(void)disk_close(fd);
		return rc;
	}
	old_mark(b);
	if (b->index != -1)
		(void)disk_close(b->index);
	b->index = fd;
	return 0;
}

/* --- left-overs ----------------------------------------------------------- */

/* Removes what nobody can be writing any more, and folders whose DELETE was
 * cut short, or goes on: two may do that at once. */
static void
tmp_clean(struct job *j)
{
	size_t left = TMP_FILES, i;
	struct name_list l;
	struct stat st;
	int fd;

	fd = disk_openat(j->b->dir, "tmp", O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return;
	if (dir_names(fd, &l, NULL) == 0) {
		for (i = 0; i < l.n; i++) {
			if (fstatat(fd, l.name[i], &st,
			    AT_SYMLINK_NOFOLLOW) == -1)
				continue;
			if (S_ISREG(st.st_mode) &&
			    st.st_mtim.tv_sec + TMP_KEPT_S < j->now)
				(void)disk_unlinkat(fd, l.name[i], 0);
			else if (S_ISDIR(st.st_mode) &&
			    span_starts(span_str(l.name[i]), STORE_DELETED))
				dir_remove(fd, l.name[i], &left);
		}
		name_list_fini(&l);
	}
	(void)disk_close(fd);
}

/* --- all of it ------------------------------------------------------------ */

static void
job_fini(struct job *j)
{
	scan_fini(&j->scan);
	cache_window_fini(&j->window);
	free(j->old);
	free(j->out);
	free(j->stray);
	buf_fini(&j->names);
}

static void
header_start(struct job *j)
{
	struct box *b = j->b;
	uint64_t generation;

	if (j->index_ok && !j->boot_changed)
		return;
	j->changed = true;
	/* Flags and expunges that readers were told of may be undone: none of
	 * their modseqs can be trusted, and no new one may be below. A head
	 * file of 0.1 knows no ceiling. */
	generation = (uint64_t)clock_wall_us();
	if (!b->head_fresh)
		b->h.modseq = MAX(b->h.modseq, b->hd.modseq != 0 ?
		    b->hd.modseq : generation);
	b->h.forgotten = b->h.modseq;
	if (j->index_ok)
		return;
	b->h = (struct index_header){ .modseq = b->h.modseq,
	    .forgotten = b->h.forgotten };
	b->h.uidvalidity = b->hd.uidvalidity;
	b->h.generation = generation;
	b->h.uidnext = b->head_fresh ? 1 : b->hd.ceiling;
}

/* The first UID that may be given out now (doc/store-format.md, 4). */
static uint32_t
uid_first(const struct job *j)
{
	const struct box *b = j->b;
	uint32_t next = b->h.uidnext;

	if (j->n_out > 0)
		next = MAX(next, j->out[j->n_out - 1].uid + 1);
	if (j->boot_changed)
		next = MAX(next, b->hd.ceiling) + BOOT_SKIP;
	return next;
}

static void
mtimes_read(struct box *b, struct stat *n, struct stat *c)
{
	memset(n, 0, sizeof(*n));
	memset(c, 0, sizeof(*c));
	(void)fstatat(b->dir, "new", n, AT_SYMLINK_NOFOLLOW);
	(void)fstatat(b->dir, "cur", c, AT_SYMLINK_NOFOLLOW);
}

static int
header_finish(struct job *j, uint32_t next, struct err *err)
{
	struct box *b = j->b;
	struct stat n, c;

	mtimes_read(b, &n, &c);
	b->h.new_sec = n.st_mtim.tv_sec;
	b->h.new_nsec = (uint32_t)n.st_mtim.tv_nsec;
	b->h.cur_sec = c.st_mtim.tv_sec;
	b->h.cur_nsec = (uint32_t)c.st_mtim.tv_nsec;
	if (j->more)
		b->h.new_sec = b->h.cur_sec = 0;	/* not all was seen */
	b->h.scanned = j->now;
	b->h.uidnext = next;
	if (b->h.recent_uid == 0)
		b->h.recent_uid = b->head_fresh ? 1 : next;
	if (j->changed) {
		b->h.modseq++;
		return reconcile_index_write(b, j->out, j->n_out, err);
	}
	b->h.state &= ~(uint32_t)INDEX_DIRTY;
	header_totals(&b->h, j->out, j->n_out);
	store_boot_id(b->h.boot);
	return box_header_write(b, err);
}

static int
job_run(struct job *j, struct err *err)
{
	struct box *b = j->b;
	struct head hd;
	uint32_t next;
	int rc;

	/* another process may have raised the ceilings */
	if (head_read(b->head, HEAD_FOLDER, &hd, NULL) == 0 &&
	    hd.uidvalidity == b->hd.uidvalidity)
		b->hd = hd;
	old_load(j);
	cache_check(j);
	j->boot_changed = !b->head_fresh && (!store_boot_is_now(b->hd.boot) ||
	    (j->index_ok && !store_boot_is_now(b->h.boot)));
	header_start(j);
	rc = box_dirs_make(b->dir, err);
	if (rc == 0)
		rc = scan_now(j, err);
	if (rc < 0)
		return rc;
	j->stray = xcalloc(j->scan.n + 1, sizeof(struct scan_ent *));
	believe(j);
	unfinished_drop(j);
	rc = merge(j, err);
	if (rc < 0)
		return rc;
	next = uid_first(j);
	rc = strays_take(j, &next, err);
	if (rc == 0 && buf_len(&j->names) > 0)
		rc = names_flush(j, err);
	if (rc == 0 && j->boot_changed) {
		rc = uid_room(j, next, 1, err);
		if (rc == 0)
			rc = head_write(b->head, HEAD_FOLDER, &b->hd, err);
	}
	return rc == 0 ? header_finish(j, next, err) : rc;
}

int
box_reconcile(struct box *b, struct err *err)
{
	struct job j;
	int rc;

	ps_assert(b->locked);
	memset(&j, 0, sizeof(j));
	buf_init(&j.names, BUF_NO_CAP);
	j.b = b;
	j.now = clock_wall_us() / 1000000;
	j.began_us = clock_mono_us();
	rc = job_run(&j, err);
	b->more = rc == 0 && j.more;
	if (rc == 0) {
		tmp_clean(&j);
		b->head_fresh = false;
		log_debug("mailbox %llu folder \"%s\": reconciled, %zu "
		    "records, %zu vanished, %zu taken over",
		    (unsigned long long)b->mailbox_id, b->name, j.n_out,
		    j.vanished, j.n_stray);
	}
	b->tail_ok = false;
	job_fini(&j);
	return rc;
}

static bool
rec_is_needed(const struct index_rec *r, int64_t now)
{
	return !(r->state & REC_UNLINKED) || r->date + GONE_KEPT_S >= now;
}

/* Leaves out GONE records that nobody needs any more. The cache starts anew
 * with the entries of the living. */
int
box_compact(struct box *b, struct err *err)
{
	struct job j;
	size_t i;
	int rc;

	ps_assert(b->locked);
	memset(&j, 0, sizeof(j));
	buf_init(&j.names, BUF_NO_CAP);
	j.b = b;
	j.now = clock_wall_us() / 1000000;
	old_load(&j);
	for (i = 0; i < j.n_old; i++)
		if (rec_is_needed(&j.old[i], j.now))
			(void)out_add(&j, &j.old[i]);
	if (j.n_out < j.n_old && j.n_old == b->h.n_recs) {
		for (i = 0; i < j.n_old; i++)
			if (!rec_is_needed(&j.old[i], j.now))
				expunge_forget(b, &j.old[i]);
		b->h.compact_gone = (uint32_t)j.n_out - b->h.n_live;
		rc = box_cache_renew(b, j.out, j.n_out, err);
		if (rc == 0)
			rc = reconcile_index_write(b, j.out, j.n_out, err);
	} else {
		b->h.compact_gone = b->h.n_recs - b->h.n_live;
		rc = box_header_write(b, err);
	}
	job_fini(&j);
	return rc;
}
