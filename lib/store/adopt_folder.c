/*
 * Carries out the plan for one folder: under its lock, from the head file with
 * the UIDVALIDITY to the index. A file gets its final name, UID included, by
 * the rename that brings it here; so what was done before a kill is done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/adopt_int.h"
#include "store/box.h"
#include "store/folder.h"
#include "store/host.h"
#include "store/mfile.h"

#define PROGRESS_EVERY	500
#define FORWARDED	SPAN_LIT("$Forwarded")
/* With a date, sizes, UID and all flags it still fits into FNAME_MAX. */
#define IDENTITY_MAX	130

struct taking {
	const struct adopt *a;
	struct adopt_plan *p;
	struct box *b;
	uint32_t bit[FOREIGN_KEYWORDS];	/* of our flags, 0: none */
	uint32_t next;			/* for those without a UID */
	struct index_rec *known;	/* of our index, by UID, when the
					 * UIDVALIDITY is theirs already */
	size_t n_known;
	struct scan here;		/* copy: what is there already */
	struct span *copied;		/* copy: their names, sorted */
};

/* --- UIDVALIDITY --- */

/* Above whatever mod-sequence the other server told for this UIDVALIDITY: a
 * client that asks what is new since then must be told of everything. */
static uint64_t
modseq_above(const struct head *hd)
{
	return MAX(hd->modseq, (uint64_t)clock_wall_us());
}

static int
head_take(struct taking *t, struct err *err)
{
	const struct adopt_folder *seen = &t->p->seen;
	/* any may turn out to need a new one when the folder is not new */
	uint64_t room = t->n_known > 0 ? seen->messages : seen->without_uid;
	uint32_t want = seen->uidvalidity;
	struct box *b = t->b;
	struct head hd = b->hd;
	bool other = want != 0 && want != hd.uidvalidity;

	if (other)
		hd = (struct head){ .uidvalidity = want,
		    .modseq = modseq_above(&b->hd) };
	t->next = MAX(seen->uidnext, other ? 1 : b->h.uidnext);
	if (t->next + room > UINT32_MAX - HEAD_STEP)
		return err_set(err, ERR_PERM, PS_EFULL, "UIDs are used up");
	hd.ceiling = MAX(hd.ceiling, t->next + (uint32_t)room);
	if (!other && hd.ceiling == b->hd.ceiling)
		return 0;
	if (head_write(b->head, HEAD_FOLDER, &hd, err) < 0)
		return PS_EIO;
	if (disk_fdatasync(b->head) == -1)
		return err_errno(err, "sync %s", STORE_HEAD);
	b->hd = hd;
	return 0;
}

/* What has their UIDVALIDITY from an earlier time may have given a UID to
 * other mail, if their server went on after that. */
static int
known_read(struct taking *t, struct err *err)
{
	uint32_t i, groups = index_groups(t->b->h.n_recs);
	struct index_group g;
	int rc = 0;

	t->known = xcalloc((size_t)groups * INDEX_PER_GROUP + 1,
	    sizeof(*t->known));
	for (i = 0; rc == 0 && i < groups; i++) {
		rc = box_group_read(t->b, i, &g, err);
		if (rc < 0)
			break;
		memcpy(&t->known[t->n_known], g.rec,
		    g.count * sizeof(*g.rec));
		t->n_known += g.count;
	}
	return rc;
}

static int
rec_cmp(const void *a, const void *b)
{
	const struct index_rec *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static bool
is_taken(const struct taking *t, uint32_t uid, struct span is)
{
	const struct index_rec want = { .uid = uid }, *r;
	char unique[FNAME_MAX + 8];
	int n;

	r = uid == 0 || t->n_known == 0 ? NULL : bsearch(&want, t->known, t->n_known,
	    sizeof(*t->known), rec_cmp);
	if (r == NULL)
		return false;
	n = snprintf(unique, sizeof(unique), "0.%.*s", SPAN_ARG(is));
	return r->key != fname_key_crc(span_of(unique, (size_t)n));
}

/* --- keywords --- */

static int
keywords_take(struct taking *t, struct err *err)
{
	const struct foreign_keywords *k = &t->p->keywords;
	struct keywords ours;
	unsigned i;
	int rc;

	for (i = 0; i < k->n; i++) {
		if (k->name[i].n == 0)
			continue;
		/* maildir has a flag for it, which only Dovecot does not use:
		 * as a keyword nobody could take it away or find it */
		if (span_ieq(k->name[i], FORWARDED)) {
			t->bit[i] = MSG_PASSED;
			continue;
		}
		rc = keywords_add(t->b->dir, &ours, k->name[i], err);
		if (rc >= 0)
			t->bit[i] = MSG_KEYWORD(rc);
		else if (rc != PS_EFULL)
			return rc;
	}
	return 0;
}

static uint32_t
flags_of(const struct taking *t, const struct adopt_file *f)
{
	uint32_t flags = f->flags;
	unsigned i;

	for (i = 0; i < t->p->keywords.n; i++)
		if (f->keywords & (UINT64_C(1) << i))
			flags |= t->bit[i];
	return flags;
}

/* --- names --- */

/* What identifies the file within its name: without the time in front. */
static struct span
identity(const struct fname *f)
{
	ptrdiff_t dot = f->sec < 0 ? -1 : span_chr(f->unique, '.');

	return dot < 0 ? f->unique :
	    span_sub(f->unique, (size_t)dot + 1, f->unique.n);
}

/* That of the name it will have here. One that is too long to take sizes and
 * a UID gets another, always the same. */
static struct span
identity_here(const struct taking *t, const struct adopt_file *f,
    char mem[FNAME_MAX + 1])
{
	struct span is = identity(&f->ent->f);
	int n;

	if (is.n <= IDENTITY_MAX)
		return is;
	n = snprintf(mem, FNAME_MAX + 1, "A%08x%08xM%llu.%s",
	    crc32c(0, is.p, is.n), crc32c(~0u, is.p, is.n),
	    (unsigned long long)t->a->mailbox_id, store_host());
	return span_of(mem, (size_t)n);
}

/* The date goes into the name; the rest of what it was stays. */
static void
name_make(const struct taking *t, const struct adopt_file *f,
    struct span is, uint32_t flags, char path[FNAME_MAX + 8])
{
	char base[FNAME_MAX + 1];
	size_t n;

	n = (size_t)snprintf(base, sizeof(base), "%lld.%.*s",
	    (long long)f->date, SPAN_ARG(is));
	n = fname_base_finish(base, n, f->size, f->vsize,
	    t->b->hd.uidvalidity, f->uid);
	ps_assert(n > 0);
	box_path(span_of(base, n), flags, f->ent->in_new && flags == 0, path);
}

/* --- files --- */

static void
source_path(const struct adopt_file *f, char path[FNAME_MAX + 8])
{
	(void)snprintf(path, FNAME_MAX + 8, "%s/%.*s",
	    f->ent->in_new ? "new" : "cur", SPAN_ARG(f->ent->name));
}

static int
vsize_read(struct taking *t, struct adopt_file *f, const char *path,
    struct err *err)
{
	int fd, rc;

	fd = disk_openat(t->p->dir, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(err, "open %s", path);
	rc = mfile_vsize(fd, &f->vsize, err);
	(void)disk_close(fd);
	return rc;
}

static int
file_move(struct taking *t, const char *from, const char *to, struct err *err)
{
	if (disk_renameat(t->p->dir, from, t->b->dir, to,
	    RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EXDEV)
		return err_set(err, ERR_PERM, PS_ESTATE, "the maildir is on "
		    "another file system than the store; copy it");
	return err_errno(err, "rename %s", from);
}

static int
file_copy(struct taking *t, const struct adopt_file *f, const char *from,
    const char *to, struct err *err)
{
	struct mfile_source src = { .len = f->size };
	char tmp[64];
	uint64_t r;
	int rc;

	proc_random(&r, sizeof(r));
	(void)snprintf(tmp, sizeof(tmp), "tmp/adopt.%016llx",
	    (unsigned long long)r);
	src.fd = disk_openat(t->p->dir, from, O_RDONLY | O_NONBLOCK, 0);
	if (src.fd == -1)
		return err_errno(err, "open %s", from);
	rc = mfile_write(t->b->dir, tmp, &src, false, err);
	(void)disk_close(src.fd);
	if (rc == 0 && disk_renameat(t->b->dir, tmp, t->b->dir, to,
	    RENAME_NOREPLACE) == -1) {
		rc = err_errno(err, "rename %s", tmp);
		(void)disk_unlinkat(t->b->dir, tmp, 0);
	}
	return rc;
}

static int
span_ptr_cmp(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int c = memcmp(x->p, y->p, MIN(x->n, y->n));

	return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

/* What an earlier try copied is not copied again. */
static int
copied_read(struct taking *t, struct err *err)
{
	size_t i;
	int rc;

	rc = scan_dirs(t->b->dir, &t->here, err);
	if (rc < 0)
		return rc;
	t->copied = xcalloc(t->here.n + 1, sizeof(*t->copied));
	for (i = 0; i < t->here.n; i++)
		t->copied[i] = identity(&t->here.ent[i].f);
	if (t->here.n > 0)
		qsort(t->copied, t->here.n, sizeof(*t->copied), span_ptr_cmp);
	return 0;
}

static bool
is_copied(const struct taking *t, struct span is)
{
	return t->here.n > 0 && bsearch(&is, t->copied, t->here.n,
	    sizeof(*t->copied), span_ptr_cmp) != NULL;
}

static int
file_take(struct taking *t, struct adopt_file *f, struct err *err)
{
	char from[FNAME_MAX + 8], to[FNAME_MAX + 8], mem[FNAME_MAX + 1];
	struct span is = identity_here(t, f, mem);
	int rc = 0;

	if (t->a->copy && is_copied(t, is))
		return 0;
	source_path(f, from);
	if (f->vsize == 0 && f->size > 0)
		rc = vsize_read(t, f, from, err);
	if (rc < 0)
		return rc;
	if (f->uid == 0 || is_taken(t, f->uid, is))
		f->uid = t->next++;
	name_make(t, f, is, flags_of(t, f), to);
	return t->a->copy ? file_copy(t, f, from, to, err) :
	    file_move(t, from, to, err);
}

static int
files_take(struct taking *t, struct err *err)
{
	const struct adopt_events *ev = t->a->events;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < t->p->n; i++) {
		rc = file_take(t, &t->p->file[i], err);
		if (i % PROGRESS_EVERY == 0 || i + 1 == t->p->n)
			ev->progress(t->p->seen.name, i + 1, t->p->n,
			    ev->arg);
	}
	return rc;
}

/* --- all of it --- */

/* What is moved is moved by name, and whoever may change these directories
 * could lead the name elsewhere, into another mailbox too. They were given to
 * us (admin/owner.h); one that still is another's was put there since. */
static int
source_is_ours(const struct taking *t, struct err *err)
{
	static const char *const dirs[] = { ".", "cur", "new" };
	struct stat st;
	size_t i;

	for (i = 0; !t->a->copy && i < ARRAY_LEN(dirs); i++) {
		if (fstatat(t->p->dir, dirs[i], &st, AT_SYMLINK_NOFOLLOW) ==
		    -1)
			return err_errno(err, "stat %s", dirs[i]);
		if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
			return err_set(err, ERR_PERM, PS_EDENIED, "the maildir "
			    "is not, or no longer, the store's user's own");
	}
	return 0;
}

static int
take_locked(struct taking *t, struct err *err)
{
	int rc = 0;

	if (t->b->hd.uidvalidity == t->p->seen.uidvalidity)
		rc = known_read(t, err);
	if (rc == 0)
		rc = head_take(t, err);
	if (rc == 0)
		rc = keywords_take(t, err);
	if (rc == 0 && t->a->copy)
		rc = copied_read(t, err);
	if (rc == 0)
		rc = files_take(t, err);
	return rc == 0 ? box_reconcile(t->b, err) : rc;
}

int
adopt_folder_take(const struct adopt *a, struct adopt_plan *p,
    struct err *err)
{
	struct taking t = { .a = a, .p = p };
	int rc = source_is_ours(&t, err);

	if (rc < 0)
		return rc;
	t.b = box_open(a->home, p->seen.name, a->mailbox_id, BOX_ADOPT, err);
	if (t.b == NULL)
		return err == NULL ? PS_EIO : err->code;
	rc = box_lock(t.b, err);
	if (rc == 0) {
		rc = take_locked(&t, err);
		box_unlock(t.b);
	}
	if (rc == 0) {
		p->seen.uidvalidity = t.b->h.uidvalidity;
		p->seen.uidnext = t.b->h.uidnext;
	}
	box_close(&t.b);
	free(t.copied);
	free(t.known);
	scan_fini(&t.here);
	return rc;
}
