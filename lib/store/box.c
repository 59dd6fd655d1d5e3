#include "store/box.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/boot.h"
#include "store/folder.h"
#include "store/reconcile.h"

#define FIRST_PAGES	4u		/* header and 3 groups */
#define MORE_PAGES_MAX	64u

/* --- open and close --- */

int
box_dirs_make(int dir, struct err *err)
{
	static const char *const names[] = { "cur", "new", "tmp" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (disk_mkdirat(dir, names[i], STORE_DIR_MODE) == -1 &&
		    errno != EEXIST)
			return err_errno(err, "make %s", names[i]);
	return 0;
}

/* Half of its messages would be a picture of it that clients remember. */
static int
adopting_check(const struct box *b, struct err *err)
{
	struct stat st;

	if (disk_statat(b->account, STORE_ADOPTING, &st) == -1)
		return errno == EAGAIN ? err_errno(err, "stat %s",
		    STORE_ADOPTING) : 0;
	return err_set(err, ERR_TEMP, PS_EAGAIN, "mailbox %llu is being "
	    "taken over; if no `postern mailbox adopt' runs, call it again",
	    (unsigned long long)b->mailbox_id);
}

static int
head_open(const struct box *b, int *fd, struct err *err)
{
	*fd = disk_openat(b->dir, STORE_HEAD, O_RDWR, 0);
	if (*fd != -1)
		return 0;
	if (errno != ENOENT)
		return err_errno(err, "open %s of folder %s", STORE_HEAD,
		    b->name[0] == '\0' ? "." : b->name);
	*fd = disk_openat(b->dir, STORE_HEAD, O_RDWR | O_CREAT,
	    STORE_FILE_MODE);
	if (*fd == -1)
		return err_errno(err, "make %s", STORE_HEAD);
	return 0;
}

static int
files_open(struct box *b, enum box_open_how how, struct err *err)
{
	const char *path = b->name[0] == '\0' ? "." : b->name;
	bool create = how != BOX_EXISTING;
	int rc;

	if (how != BOX_ADOPT && (rc = adopting_check(b, err)) < 0)
		return rc;
	if (create && b->name[0] != '\0' &&
	    disk_mkdirat(b->account, b->name, STORE_DIR_MODE) == -1 &&
	    errno != EEXIST)
		return err_errno(err, "make folder %s", b->name);
	b->dir = disk_openat(b->account, path, O_RDONLY | O_DIRECTORY, 0);
	if (b->dir == -1)
		return err_errno(err, "open folder %s", path);
	/* A power cut may have left some of them only. */
	if (create && (rc = box_dirs_make(b->dir, err)) < 0)
		return rc;
	return head_open(b, &b->head, err);
}

struct box *
box_open(int account_dir, const char *name, uint64_t mailbox_id,
    enum box_open_how how, struct err *err)
{
	struct box *b;

	if (!folder_name_valid(span_str(name))) {
		(void)err_set(err, ERR_PERM, PS_ESYNTAX, "bad folder name");
		return NULL;
	}
	b = xcalloc(1, sizeof(*b));
	b->mailbox_id = mailbox_id;
	memcpy(b->name, name, strlen(name) + 1);
	b->account = account_dir;
	b->dir = b->head = b->index = b->cache = -1;
	if (files_open(b, how, err) < 0)
		box_close(&b);
	return b;
}

static void
fd_drop(int *fd)
{
	if (*fd != -1)
		(void)disk_close(*fd);
	*fd = -1;
}

void
box_close(struct box **bp)
{
	struct box *b = *bp;

	if (b == NULL)
		return;
	fd_drop(&b->cache);
	fd_drop(&b->index);
	fd_drop(&b->head);
	fd_drop(&b->dir);
	reconcile_ahead_drop(b);
	free(b->tail);
	free(b);
	*bp = NULL;
}

/* --- the header --- */

static int
index_reopen(struct box *b, struct err *err)
{
	fd_drop(&b->index);
	b->tail_ok = false;
	b->index = disk_openat(b->dir, STORE_INDEX, O_RDWR, 0);
	if (b->index == -1)
		return err_errno(err, "open %s", STORE_INDEX);
	return 0;
}

/* Somebody deleted the file, or has put another in its place. */
static bool
index_is_unlinked(const struct box *b)
{
	struct stat st;

	return fstat(b->index, &st) == 0 && st.st_nlink == 0;
}

/* Reads the header of the file that is current; tail_ok stays true only when
 * nothing was written since our own last write. */
static int
header_load(struct box *b, struct err *err)
{
	uint32_t crc = b->h.crc;
	int rc, tries;

	for (tries = 0; tries < 3; tries++) {
		if ((b->index == -1 || index_is_unlinked(b)) &&
		    (rc = index_reopen(b, err)) < 0)
			return rc;
		rc = index_header_read(b->index, &b->h, err);
		if (rc < 0) {
			b->tail_ok = false;
			return rc;
		}
		if (b->h.crc != crc)
			b->tail_ok = false;
		if (!(b->h.state & INDEX_REPLACED))
			return 0;
		fd_drop(&b->index);
	}
	return err_set(err, ERR_TEMP, PS_ECORRUPT, "index is replaced again "
	    "and again");
}

static int
header_write(struct box *b, struct err *err)
{
	index_header_seal(&b->h);
	if (disk_pwrite(b->index, &b->h, sizeof(b->h), 0) == -1) {
		b->tail_ok = false;
		return err_errno(err, "write %s", STORE_INDEX);
	}
	return 0;
}

int
box_peek(struct box *b, struct err *err)
{
	return header_load(b, err);
}

/* Is the header all there is to know, or must the directory be asked? */
static bool
header_stands(struct box *b)
{
	return !(b->h.state & INDEX_DIRTY) && store_boot_is_now(b->h.boot) &&
	    (b->h.cache_id == 0 || box_cache_open(b));
}

/* --- the lock --- */

/* Is the head file that we have open still the folder's? */
static bool
head_is_named(const struct box *b)
{
	struct stat ours, named;

	return fstat(b->head, &ours) == 0 &&
	    disk_statat(b->dir, STORE_HEAD, &named) == 0 &&
	    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Who goes on with one that was removed or replaced would have a lock and a
 * UIDVALIDITY of his own, and put them into the index again and again. */
static int
head_lock(struct box *b, struct err *err)
{
	int rc, fd, tries;

	for (tries = 0; tries < 3; tries++) {
		rc = store_lock(b->head, "folder", err);
		if (rc < 0 || head_is_named(b))
			return rc;
		store_unlock(b->head);
		rc = head_open(b, &fd, err);
		if (rc < 0)
			return rc;
		fd_drop(&b->head);
		b->head = fd;
		memset(&b->hd, 0, sizeof(b->hd));
	}
	return err_set(err, ERR_TEMP, PS_EAGAIN, "%s is replaced again and "
	    "again", STORE_HEAD);
}

/* Head file: read it, or make it when it is new or damaged. */
static int
head_load(struct box *b, struct err *err)
{
	struct err why;
	struct stat st;
	int rc;

	rc = head_read(b->head, HEAD_FOLDER, &b->hd, &why);
	if (rc == 0)
		return 0;
	if (rc != PS_ECORRUPT)
		return err_set(err, ERR_TEMP, rc, "%s", why.why);
	if (fstat(b->head, &st) == -1)
		return err_errno(err, "stat %s", STORE_HEAD);
	if (st.st_size != 0)
		log_warning("mailbox %llu folder \"%s\": %s; it gets a new "
		    "UIDVALIDITY", (unsigned long long)b->mailbox_id, b->name,
		    why.why);
	return reconcile_head_new(b, err);
}

int
box_lock(struct box *b, struct err *err)
{
	struct err why;
	int rc;

	rc = head_lock(b, err);
	if (rc < 0)
		return rc;
	b->locked = true;
	rc = header_load(b, &why);
	if (rc < 0 && rc != PS_ECORRUPT && rc != PS_ENOTFOUND) {
		rc = err_set(err, ERR_TEMP, rc, "%s", why.why);
		goto fail;
	}
	if (rc == 0 && (b->hd.uidvalidity == 0 ||
	    b->hd.uidvalidity != b->h.uidvalidity)) {
		if ((rc = head_load(b, err)) < 0)
			goto fail;
		if (b->hd.uidvalidity != b->h.uidvalidity)
			rc = PS_ECORRUPT;
	} else if (rc < 0) {
		if (head_load(b, err) < 0) {
			rc = PS_EIO;
			goto fail;
		}
	}
	if (rc < 0 || !header_stands(b)) {
		if (rc < 0)
			memset(&b->h, 0, sizeof(b->h));
		rc = box_reconcile(b, err);
		if (rc < 0)
			goto fail;
	}
	return 0;
fail:
	box_unlock(b);
	return rc;
}

void
box_unlock(struct box *b)
{
	if (!b->locked)
		return;
	b->locked = false;
	store_unlock(b->head);
}

/* --- what the directories say --- */

static bool
mtime_is(const struct stat *st, int64_t sec, uint32_t nsec)
{
	return st->st_mtim.tv_sec == sec &&
	    (uint32_t)st->st_mtim.tv_nsec == nsec;
}

bool
box_dirs_changed(struct box *b)
{
	struct stat n, c;

	if (disk_statat(b->dir, "new", &n) == -1 ||
	    disk_statat(b->dir, "cur", &c) == -1)
		return true;
	return !mtime_is(&n, b->h.new_sec, b->h.new_nsec) ||
	    !mtime_is(&c, b->h.cur_sec, b->h.cur_nsec);
}

static void
mtimes_take(struct box *b)
{
	struct stat n, c;

	if (disk_statat(b->dir, "new", &n) == -1 ||
	    disk_statat(b->dir, "cur", &c) == -1)
		return;
	b->h.new_sec = n.st_mtim.tv_sec;
	b->h.new_nsec = (uint32_t)n.st_mtim.tv_nsec;
	b->h.cur_sec = c.st_mtim.tv_sec;
	b->h.cur_nsec = (uint32_t)c.st_mtim.tv_nsec;
}

/* --- changes --- */

static bool
ceilings_hold(const struct box *b, uint32_t uid_end)
{
	return uid_end <= b->hd.ceiling && b->h.modseq + 1 < b->hd.modseq;
}

/* Both are raised together, so that they cost one sync. */
int
box_ceilings(struct box *b, uint32_t uid_end, struct err *err)
{
	struct head h;
	int rc;

	ps_assert(b->locked);
	if (ceilings_hold(b, uid_end))
		return 0;
	/* others may have raised them since we looked */
	rc = head_read(b->head, HEAD_FOLDER, &h, err);
	if (rc < 0)
		return rc;
	b->hd = h;
	if (ceilings_hold(b, uid_end))
		return 0;
	if (uid_end > UINT32_MAX - HEAD_STEP)
		return err_set(err, ERR_PERM, PS_EFULL, "UIDs are used up");
	h.ceiling = MAX(h.ceiling, uid_end + HEAD_STEP);
	h.modseq = MAX(h.modseq, b->h.modseq + 1 + HEAD_MODSEQ_STEP);
	rc = head_write(b->head, HEAD_FOLDER, &h, err);
	if (rc < 0)
		return rc;
	if (disk_fdatasync(b->head) == -1)
		return err_errno(err, "sync %s", STORE_HEAD);
	b->hd = h;
	return 0;
}

int
box_change_begin(struct box *b, uint32_t n, uint32_t *first, struct err *err)
{
	int rc;

	ps_assert(b->locked);
	if ((uint64_t)b->h.uidnext + n > UINT32_MAX - HEAD_STEP)
		return err_set(err, ERR_PERM, PS_EFULL, "UIDs are used up");
	rc = box_ceilings(b, b->h.uidnext + n, err);
	if (rc < 0)
		return rc;
	b->modseq_taken = false;
	b->dirs_clean = !box_dirs_changed(b);
	if (first != NULL)
		*first = b->h.uidnext;
	b->h.uidnext += n;
	b->h.state |= INDEX_DIRTY;
	return header_write(b, err);
}

int
box_copies_begin(struct box *b, uint32_t n, uint32_t *first, struct err *err)
{
	b->h.whole_first = b->h.uidnext;
	b->h.whole_end = b->h.uidnext + MIN(n, UINT32_MAX - b->h.uidnext);
	return box_change_begin(b, n, first, err);
}

int
box_change_end(struct box *b, struct err *err)
{
	b->h.whole_first = b->h.whole_end = 0;
	b->h.modseq += b->modseq_taken;
	b->h.state &= ~(uint32_t)INDEX_DIRTY;
	if (b->dirs_clean)
		mtimes_take(b);
	return header_write(b, err);
}

/* A foreign file's name may say anything. */
static uint64_t
lf_bytes(const struct index_rec *r)
{
	return r->vsize > r->size ? r->vsize - r->size : 0;
}

void
box_count(struct index_header *h, const struct index_rec *was,
    const struct index_rec *is)
{
	if (was != NULL && !(was->state & REC_GONE)) {
		h->n_live--;
		h->n_unseen -= !(was->flags & MSG_SEEN);
		h->n_deleted -= !!(was->flags & MSG_DELETED);
		h->bytes -= was->size;
		/* an index made before the field existed has 0 there */
		h->lf_bytes -= MIN(h->lf_bytes, lf_bytes(was));
	}
	if (was != NULL)
		h->n_lazy -= rec_is_lazy(was);
	if (is != NULL)
		h->n_lazy += rec_is_lazy(is);
	if (is != NULL && !(is->state & REC_GONE)) {
		h->n_live++;
		h->n_unseen += !(is->flags & MSG_SEEN);
		h->n_deleted += !!(is->flags & MSG_DELETED);
		h->bytes += is->size;
		h->lf_bytes += lf_bytes(is);
	}
}

bool
rec_is_lazy(const struct index_rec *r)
{
	if (r->state & REC_GONE)
		return !(r->state & REC_UNLINKED);
	return r->flags != r->name_flags;
}

int
box_group_read(struct box *b, uint32_t number, struct index_group *g,
    struct err *err)
{
	if (b->tail_ok && b->tail->number == number) {
		*g = *b->tail;
		return 0;
	}
	return index_group_read(b->index, number, b->h.generation, g, err);
}

/* Allocates ahead, so that a full disk is met here and not half way. */
static int
pages_want(struct box *b, uint32_t pages, struct err *err)
{
	uint32_t want;

	if (pages <= b->h.pages)
		return 0;
	want = MAX(pages, b->h.pages + MIN(MAX(b->h.pages, FIRST_PAGES),
	    MORE_PAGES_MAX));
	if (disk_fallocate(b->index, 0, 0, (off_t)want * INDEX_PAGE) == -1) {
		if (errno != EOPNOTSUPP && errno != ENOSYS)
			return err_errno(err, "allocate %s", STORE_INDEX);
		want = pages;
	}
	b->h.pages = want;
	return 0;
}

static void
change_note(struct index_header *h, uint32_t group)
{
	h->ring[h->changes % INDEX_RING] = group;
	h->changes++;
}

int
box_group_write(struct box *b, struct index_group *g, struct err *err)
{
	g->modseq = b->h.modseq + 1;
	index_group_seal(g);
	if (disk_pwrite(b->index, g, sizeof(*g),
	    (off_t)index_group_offset(g->number)) == -1) {
		b->tail_ok = false;
		return err_errno(err, "write %s", STORE_INDEX);
	}
	if (b->tail_ok && b->tail->number == g->number && b->tail != g)
		*b->tail = *g;
	change_note(&b->h, g->number);
	return 0;
}

/* The group that the next record goes to, in b->tail. */
static int
tail_load(struct box *b, struct err *err)
{
	uint32_t number = b->h.n_recs / INDEX_PER_GROUP;
	uint32_t count = b->h.n_recs % INDEX_PER_GROUP;
	int rc;

	if (b->tail == NULL)
		b->tail = xmalloc(sizeof(*b->tail));
	if (count > 0) {
		if (b->tail_ok && b->tail->number == number)
			return 0;
		rc = index_group_read(b->index, number, b->h.generation,
		    b->tail, err);
		b->tail_ok = rc == 0;
		if (rc == 0 && b->tail->count < count)
			rc = err_set(err, ERR_TEMP, PS_ECORRUPT,
			    "index group %u is short", number);
		b->tail->count = count;
		return rc;
	}
	rc = pages_want(b, number + 2, err);
	if (rc < 0)
		return rc;
	memset(b->tail, 0, sizeof(*b->tail));
	b->tail->number = number;
	b->tail->generation = b->h.generation;
	b->tail_ok = true;
	return 0;
}

int
box_recs_add(struct box *b, struct index_rec *recs, size_t n, struct err *err)
{
	size_t i = 0;
	int rc;

	if (n > INDEX_RECS_MAX - b->h.n_recs)
		return err_set(err, ERR_PERM, PS_EFULL,
		    "too many messages in a folder");
	while (i < n) {
		rc = tail_load(b, err);
		if (rc < 0)
			return rc;
		while (i < n && b->tail->count < INDEX_PER_GROUP) {
			recs[i].modseq = box_modseq(b);
			b->tail->rec[b->tail->count++] = recs[i];
			box_count(&b->h, NULL, &recs[i]);
			b->h.n_recs++;
			i++;
		}
		rc = box_group_write(b, b->tail, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Young GONE records stay: without the factor a folder full of them would be
 * gone through for each delivery. */
bool
box_wants_compaction(const struct box *b)
{
	uint32_t gone = b->h.n_recs - b->h.n_live;

	return gone > 128 && gone > b->h.n_live &&
	    gone / 2 > b->h.compact_gone;
}

int
box_header_write(struct box *b, struct err *err)
{
	ps_assert(b->locked);
	return header_write(b, err);
}

int
box_current(struct box *b, struct err *err)
{
	struct err why;
	int rc;

	rc = box_peek(b, &why);
	if (rc == 0 && b->hd.uidvalidity == 0)
		rc = head_read(b->head, HEAD_FOLDER, &b->hd, &why);
	if (rc == 0 && b->hd.uidvalidity == b->h.uidvalidity &&
	    header_stands(b) && !box_dirs_changed(b))
		return 0;
	return box_follow(b, false, err);
}

/* Seen without the lock, a change of ours under way looks like one of others:
 * to read a million names for that would be a pity. */
static int
is_behind(struct box *b, bool *behind, struct err *err)
{
	int rc = head_lock(b, err);

	if (rc < 0)
		return rc;
	b->locked = true;
	*behind = header_load(b, NULL) < 0 ||
	    b->hd.uidvalidity != b->h.uidvalidity || !header_stands(b) ||
	    box_dirs_changed(b);
	box_unlock(b);
	return 0;
}

static int
follow_slice(struct box *b, bool always, struct err *err)
{
	bool behind = always;
	int rc = always ? 0 : is_behind(b, &behind, err);

	b->more = false;
	if (rc < 0 || !behind)
		return rc;
	reconcile_ahead(b);
	rc = box_lock(b, err);
	if (rc == 0 && (always || box_dirs_changed(b)))
		rc = box_reconcile(b, err);
	box_unlock(b);
	reconcile_ahead_drop(b);
	return rc;
}

int
box_follow(struct box *b, bool always, struct err *err)
{
	int rc;

	/* reading directories waits, however warm they are */
	if (disk_is_nowait())
		return err_set(err, ERR_TEMP, PS_EAGAIN, "directories would "
		    "have to be read");
	b->in_slices = true;
	rc = follow_slice(b, always, err);
	while (rc == 0 && b->more) {
		store_lock_rest();
		rc = follow_slice(b, false, err);
	}
	b->in_slices = false;
	return rc;
}
