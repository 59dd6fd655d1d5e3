#include "base/disk_record.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define PAGE		4096u
#define SECTOR		512u
#define NAME_LEN	256

/* --- what is known of the files ------------------------------------------ */

struct name {
	char name[NAME_LEN];
	size_t node;
};

/* A file or directory by identity, not by name; its base state is what was
 * durable when the recording began. */
struct node {
	dev_t dev;
	ino_t ino;
	bool dir;
	char *data;
	size_t len;
	struct name *names;
	size_t n_names;
};

#define NO_NODE		SIZE_MAX

enum kind { K_DATA, K_SIZE, K_ADD, K_REMOVE, K_MOVE, K_SYNC, K_NONE };

struct op {
	enum disk_op op;
	enum kind kind;
	size_t node;		/* the file */
	size_t dir, dir2;	/* names are in dir; K_MOVE: to dir2 */
	char name[NAME_LEN], name2[NAME_LEN];
	uint64_t off;
	char *data;
	size_t len;
	size_t sealed;		/* durable once this step was done */
	bool doomed;		/* a sync that should have covered it failed */
	bool failed;
};

struct disk_record {
	pthread_mutex_t lock;
	struct node *node;
	size_t n_nodes;
	struct op *op;
	size_t n_ops;
	unsigned calls[DISK_OP_COUNT];
	enum disk_op fail_op;
	unsigned fail_nth, failures;
	int fail_errno;
	bool fail_forever;
};

static struct disk_record *rec;

static size_t
node_add(struct disk_record *r, const struct stat *st)
{
	struct node *n;

	r->node = xreallocarray(r->node, r->n_nodes + 1, sizeof(*r->node));
	n = &r->node[r->n_nodes];
	memset(n, 0, sizeof(*n));
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	n->dir = S_ISDIR(st->st_mode);
	return r->n_nodes++;
}

/* The newest with that identity: inode numbers are used again. */
static size_t
node_find(const struct disk_record *r, const struct stat *st)
{
	size_t i;

	for (i = r->n_nodes; i-- > 0;)
		if (r->node[i].ino == st->st_ino &&
		    r->node[i].dev == st->st_dev)
			return i;
	return NO_NODE;
}

static size_t
node_of_fd(const struct disk_record *r, int fd)
{
	struct stat st;

	return fstat(fd, &st) == -1 ? NO_NODE : node_find(r, &st);
}

static size_t
node_at(const struct disk_record *r, int fd, const char *path, int flags)
{
	struct stat st;

	return fstatat(fd, path, &st, flags) == -1 ? NO_NODE :
	    node_find(r, &st);
}

/* The directory that holds the last part of path, which is copied out. */
static size_t
node_parent(const struct disk_record *r, int dirfd, const char *path,
    char name[NAME_LEN])
{
	const char *slash = strrchr(path, '/');
	char *dir;
	size_t found;

	(void)snprintf(name, NAME_LEN, "%s", slash == NULL ? path : slash + 1);
	if (slash == NULL)
		return node_at(r, dirfd, ".", 0);
	dir = xmemdup0(path, slash == path ? 1 : (size_t)(slash - path));
	found = node_at(r, dirfd, dir, AT_SYMLINK_NOFOLLOW);
	free(dir);
	return found;
}

static void
snapshot_file(struct node *n, int fd, size_t size)
{
	n->data = xmalloc(size + 1);
	n->len = size;
	if (disk_pread(fd, n->data, size, 0) != (ssize_t)size)
		log_fatal("disk_record: short read of a file");
}

/* Takes over fd. */
static size_t
snapshot(struct disk_record *r, int fd)
{
	struct stat st;
	struct dirent *d;
	DIR *dir;
	size_t self, child;
	struct node *n;
	int cfd;

	if (fd == -1 || fstat(fd, &st) == -1)
		log_fatal("disk_record: cannot read the tree");
	if ((self = node_find(r, &st)) != NO_NODE ||
	    !S_ISDIR((self = node_add(r, &st), st.st_mode))) {
		if (r->node[self].data == NULL && !r->node[self].dir)
			snapshot_file(&r->node[self], fd,
			    (size_t)st.st_size);
		(void)close(fd);
		return self;
	}
	if ((dir = fdopendir(fd)) == NULL)
		log_fatal("disk_record: cannot read a directory");
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0)
			continue;
		cfd = openat(dirfd(dir), d->d_name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		child = snapshot(r, cfd);
		n = &r->node[self];
		n->names = xreallocarray(n->names, n->n_names + 1,
		    sizeof(*n->names));
		(void)snprintf(n->names[n->n_names].name, NAME_LEN, "%s",
		    d->d_name);
		n->names[n->n_names++].node = child;
	}
	(void)closedir(dir);
	return self;
}

/* --- recording ------------------------------------------------------------ */

static struct op *
op_add(struct disk_record *r, enum disk_op op, enum kind kind, size_t node)
{
	struct op *o;

	r->op = xreallocarray(r->op, r->n_ops + 1, sizeof(*r->op));
	o = &r->op[r->n_ops++];
	memset(o, 0, sizeof(*o));
	o->op = op;
	o->kind = kind;
	o->node = node;
	o->dir = o->dir2 = NO_NODE;
	o->sealed = SIZE_MAX;
	return o;
}

static bool
op_covered(const struct op *o, size_t node)
{
	if (node == NO_NODE)		/* syncfs */
		return true;
	switch (o->kind) {
	case K_DATA:
	case K_SIZE:
		return o->node == node;
	case K_ADD:
	case K_REMOVE:
		return o->dir == node;
	case K_MOVE:
		return o->dir2 == node;
	default:
		return false;
	}
}

/* A sync of `node` (NO_NODE: of all) was step `at`. */
static void
seal(struct disk_record *r, size_t node, size_t at, bool failed)
{
	size_t i;
	struct op *o;

	for (i = 0; i < at; i++) {
		o = &r->op[i];
		if (o->sealed != SIZE_MAX || o->doomed ||
		    !op_covered(o, node))
			continue;
		if (failed)
			o->doomed = true;
		else
			o->sealed = at;
	}
}

/* Begins a call: true when it is to fail (errno set). Locks. */
static bool
call_begin(enum disk_op op)
{
	bool hit;

	pthread_mutex_lock(&rec->lock);
	rec->calls[op]++;
	rec->calls[DISK_ANY]++;
	if (rec->fail_nth == 0 ||
	    (rec->fail_op != DISK_ANY && rec->fail_op != op))
		return false;
	hit = rec->fail_nth == 1;
	if (rec->fail_nth > 1 || !rec->fail_forever)
		rec->fail_nth--;
	if (hit) {
		rec->failures++;
		errno = rec->fail_errno;
	}
	return hit;
}

static void
call_end(void)
{
	pthread_mutex_unlock(&rec->lock);
}

static int
call_fail(void)
{
	call_end();
	errno = rec->fail_errno;
	return -1;
}

static void
name_op(enum disk_op op, enum kind kind, size_t node, size_t dir,
    const char *name)
{
	struct op *o;

	if (dir == NO_NODE || node == NO_NODE)
		return;
	o = op_add(rec, op, kind, node);
	o->dir = dir;
	(void)snprintf(o->name, NAME_LEN, "%s", name);
}

static void
open_note(int dirfd, const char *path, int flags, bool existed, int fd)
{
	char name[NAME_LEN];
	struct stat st;
	size_t dir, node;

	if (fstat(fd, &st) == -1)
		return;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		if (node_at(rec, dirfd, path, 0) != NO_NODE)
			(void)node_add(rec, &st);
		return;
	}
	dir = node_parent(rec, dirfd, path, name);
	if (!existed && dir != NO_NODE) {
		node = node_add(rec, &st);
		name_op(DISK_OPEN, K_ADD, node, dir, name);
	} else if ((flags & O_TRUNC) &&
	    (node = node_find(rec, &st)) != NO_NODE)
		(void)op_add(rec, DISK_TRUNCATE, K_SIZE, node);
}

static int
rec_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	struct stat st;
	bool existed;
	int fd, keep;

	/* only opens that may change something are calls that can fail */
	if ((flags & (O_CREAT | O_TRUNC)) == 0 &&
	    (flags & O_TMPFILE) != O_TMPFILE)
		return disk_real.openat(dirfd, path, flags, mode);
	if (call_begin(DISK_OPEN))
		return call_fail();
	existed = (flags & O_TMPFILE) != O_TMPFILE &&
	    fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	fd = disk_real.openat(dirfd, path, flags, mode);
	keep = errno;
	if (fd != -1)
		open_note(dirfd, path, flags, existed, fd);
	call_end();
	errno = keep;
	return fd;
}

static ssize_t
rec_pwritev(int fd, const struct iovec *iov, int cnt, off_t off)
{
	size_t total = 0, done = 0, n, node;
	bool fail = call_begin(DISK_PWRITE);
	struct op *o;
	char *data;
	int i;

	if (fail && rec->fail_errno != ENOSPC)
		return call_fail();
	for (i = 0; i < cnt; i++)
		total += iov[i].iov_len;
	data = xmalloc(total + 1);
	for (i = 0; i < cnt; i++) {
		memcpy(data + done, iov[i].iov_base, iov[i].iov_len);
		done += iov[i].iov_len;
	}
	n = fail ? total / 2 : total;
	if (n > 0 && pwrite(fd, data, n, off) != (ssize_t)n)
		log_fatal("disk_record: cannot write the real file");
	node = node_of_fd(rec, fd);
	if (node != NO_NODE && n > 0) {
		o = op_add(rec, DISK_PWRITE, K_DATA, node);
		o->data = data;
		o->len = n;
		o->off = (uint64_t)off;
	} else
		free(data);
	if (fail)
		return call_fail();
	call_end();
	return (ssize_t)total;
}

static ssize_t
rec_pwrite(int fd, const void *p, size_t n, off_t off)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };

	return rec_pwritev(fd, &iov, 1, off);
}

static int
rec_fallocate(int fd, int mode, off_t off, off_t len)
{
	struct stat st;
	size_t node;
	int rc;

	if (call_begin(DISK_FALLOCATE))
		return call_fail();
	rc = disk_real.fallocate(fd, mode, off, len);
	if (rc == 0 && (node = node_of_fd(rec, fd)) != NO_NODE &&
	    fstat(fd, &st) == 0)
		op_add(rec, DISK_FALLOCATE, K_SIZE, node)->off =
		    (uint64_t)st.st_size;
	call_end();
	return rc;
}

static int
rec_ftruncate(int fd, off_t len)
{
	size_t node;
	int rc;

	if (call_begin(DISK_TRUNCATE))
		return call_fail();
	rc = ftruncate(fd, len);
	if (rc == 0 && (node = node_of_fd(rec, fd)) != NO_NODE)
		op_add(rec, DISK_TRUNCATE, K_SIZE, node)->off = (uint64_t)len;
	call_end();
	return rc;
}

static int
rec_sync(enum disk_op op, int fd)
{
	bool fail = call_begin(op);
	size_t node = op == DISK_SYNCFS ? NO_NODE : node_of_fd(rec, fd);

	if (op == DISK_SYNCFS || node != NO_NODE) {
		op_add(rec, op, K_SYNC, node)->failed = fail;
		seal(rec, node, rec->n_ops - 1, fail);
	}
	if (fail)
		return call_fail();
	call_end();
	return 0;
}

static int
rec_fdatasync(int fd)
{
	return rec_sync(DISK_FDATASYNC, fd);
}

static int
rec_fsync(int fd)
{
	return rec_sync(DISK_FSYNC, fd);
}

static int
rec_syncfs(int fd)
{
	return rec_sync(DISK_SYNCFS, fd);
}

static int
rec_renameat(int ofd, const char *o, int nfd, const char *n, unsigned flags)
{
	char name[NAME_LEN], name2[NAME_LEN];
	size_t node, dir, dir2;
	struct op *op;
	int rc, keep;

	if (call_begin(DISK_RENAME))
		return call_fail();
	node = node_at(rec, ofd, o, AT_SYMLINK_NOFOLLOW);
	dir = node_parent(rec, ofd, o, name);
	dir2 = node_parent(rec, nfd, n, name2);
	rc = disk_real.renameat(ofd, o, nfd, n, flags);
	keep = errno;
	if (rc == 0 && node != NO_NODE && dir != NO_NODE && dir2 != NO_NODE) {
		op = op_add(rec, DISK_RENAME, K_MOVE, node);
		op->dir = dir;
		op->dir2 = dir2;
		memcpy(op->name, name, NAME_LEN);
		memcpy(op->name2, name2, NAME_LEN);
	}
	call_end();
	errno = keep;
	return rc;
}

static int
rec_linkat(int ofd, const char *o, int nfd, const char *n, int flags)
{
	char name[NAME_LEN];
	size_t node;
	int rc, keep;

	if (call_begin(DISK_LINK))
		return call_fail();
	node = flags & AT_EMPTY_PATH ? node_of_fd(rec, ofd) :
	    node_at(rec, ofd, o,
	    flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
	rc = disk_real.linkat(ofd, o, nfd, n, flags);
	keep = errno;
	if (rc == 0)
		name_op(DISK_LINK, K_ADD, node,
		    node_parent(rec, nfd, n, name), name);
	call_end();
	errno = keep;
	return rc;
}

static int
rec_unlinkat(int dirfd, const char *path, int flags)
{
	char name[NAME_LEN];
	size_t node;
	int rc, keep;

	if (call_begin(DISK_UNLINK))
		return call_fail();
	node = node_at(rec, dirfd, path, AT_SYMLINK_NOFOLLOW);
	rc = disk_real.unlinkat(dirfd, path, flags);
	keep = errno;
	if (rc == 0)
		name_op(DISK_UNLINK, K_REMOVE, node,
		    node_parent(rec, dirfd, path, name), name);
	call_end();
	errno = keep;
	return rc;
}

static int
rec_mkdirat(int dirfd, const char *path, mode_t mode)
{
	char name[NAME_LEN];
	struct stat st;
	size_t dir;
	int rc, keep;

	if (call_begin(DISK_MKDIR))
		return call_fail();
	rc = disk_real.mkdirat(dirfd, path, mode);
	keep = errno;
	dir = node_parent(rec, dirfd, path, name);
	if (rc == 0 && dir != NO_NODE &&
	    fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		name_op(DISK_MKDIR, K_ADD, node_add(rec, &st), dir, name);
	call_end();
	errno = keep;
	return rc;
}

static int
rec_utimens(int fd, const struct timespec ts[2])
{
	int rc;

	if (call_begin(DISK_UTIMENS))
		return call_fail();
	rc = disk_real.utimens(fd, ts);
	call_end();
	return rc;
}

static const struct disk_ops rec_ops = {
	.openat = rec_openat,
	.close = close,
	.pwrite = rec_pwrite,
	.pwritev = rec_pwritev,
	.fallocate = rec_fallocate,
	.ftruncate = rec_ftruncate,
	.fdatasync = rec_fdatasync,
	.fsync = rec_fsync,
	.syncfs = rec_syncfs,
	.renameat = rec_renameat,
	.linkat = rec_linkat,
	.unlinkat = rec_unlinkat,
	.mkdirat = rec_mkdirat,
	.utimens = rec_utimens,
};

struct disk_record *
disk_record_start(const char *root)
{
	struct disk_record *r = xcalloc(1, sizeof(*r));

	ps_assert(rec == NULL);
	pthread_mutex_init(&r->lock, NULL);
	(void)snapshot(r, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	rec = r;
	disk_ops_set(&rec_ops);
	return r;
}

void
disk_record_pause(struct disk_record *r)
{
	if (rec == r) {
		disk_ops_set(NULL);
		rec = NULL;
	}
}

void
disk_record_stop(struct disk_record **rp)
{
	struct disk_record *r = *rp;
	size_t i;

	if (r == NULL)
		return;
	disk_record_pause(r);
	for (i = 0; i < r->n_nodes; i++) {
		free(r->node[i].data);
		free(r->node[i].names);
	}
	for (i = 0; i < r->n_ops; i++)
		free(r->op[i].data);
	free(r->node);
	free(r->op);
	pthread_mutex_destroy(&r->lock);
	free(r);
	*rp = NULL;
}

size_t
disk_record_steps(struct disk_record *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n_ops;
	pthread_mutex_unlock(&r->lock);
	return n;
}

enum disk_op
disk_record_op(struct disk_record *r, size_t step)
{
	return step < r->n_ops ? r->op[step].op : DISK_ANY;
}

const char *
disk_record_describe(struct disk_record *r, size_t step, char *out, size_t n)
{
	static const char *const names[] = { "-", "open", "pwrite",
	    "fallocate", "truncate", "fdatasync", "fsync", "syncfs",
	    "rename", "link", "unlink", "mkdir", "utimens" };
	const struct op *o;

	if (step >= r->n_ops) {
		(void)snprintf(out, n, "end");
		return out;
	}
	o = &r->op[step];
	(void)snprintf(out, n, "%s node %zd %s%s%s %llu+%zu%s",
	    names[o->op], (ssize_t)o->node, o->name,
	    o->kind == K_MOVE ? " -> " : "", o->name2,
	    (unsigned long long)o->off, o->len, o->failed ? " FAILED" : "");
	return out;
}

void
disk_record_fail(struct disk_record *r, enum disk_op op, unsigned nth,
    int err, bool forever)
{
	pthread_mutex_lock(&r->lock);
	r->fail_op = op;
	r->fail_nth = nth;
	r->fail_errno = err;
	r->fail_forever = forever;
	pthread_mutex_unlock(&r->lock);
}

unsigned
disk_record_failures(struct disk_record *r)
{
	return r->failures;
}

unsigned
disk_record_calls(struct disk_record *r, enum disk_op op)
{
	return r->calls[op];
}

/* --- states after a power cut --------------------------------------------- */

enum fate { LOST, DONE, TORN };

struct cut {
	struct disk_record *r;
	size_t step;
	unsigned state, max;
	unsigned bits;			/* choices there are */
	unsigned next;			/* choice points met so far */
};

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static bool
op_changes(const struct op *o)
{
	return o->kind != K_SYNC && o->kind != K_NONE;
}

static size_t
op_pages(const struct op *o)
{
	if (o->kind != K_DATA)
		return 1;
	return (size_t)((o->off + o->len - 1) / PAGE - o->off / PAGE + 1);
}

/* How many yes/no choices the cut has, at most 64. */
static unsigned
cut_bits(struct disk_record *r, size_t step)
{
	size_t i, n = 0;

	for (i = 0; i < step && n < 64; i++)
		if (op_changes(&r->op[i]) && r->op[i].sealed >= step)
			n += op_pages(&r->op[i]);
	return (unsigned)MIN(n, (size_t)64);
}

/* All combinations fit below max? */
static bool
cut_exhaustive(unsigned bits, unsigned max)
{
	return bits < 31 && max > 4 && (1u << bits) <= max - 4;
}

unsigned
disk_record_states(struct disk_record *r, size_t step, unsigned max)
{
	unsigned bits = cut_bits(r, step), n;

	if (bits == 0)
		return 1;
	n = MAX(max, 4u);
	/* the few torn ones come on top of every combination */
	if (cut_exhaustive(bits, max))
		n = MIN(n, 4 + (1u << bits) + 2 * bits);
	return n;
}

static enum fate
cut_choose(struct cut *c, bool is_data)
{
	unsigned k = c->next++, pick;
	uint64_t v;

	if (c->state < 2)
		return c->state == 0 ? LOST : DONE;
	if (c->state < 4)
		return is_data == (c->state == 3) ? DONE : LOST;
	if (cut_exhaustive(c->bits, c->max) &&
	    c->state - 4 < 1u << c->bits)
		return (c->state - 4) >> k & 1 ? DONE : LOST;
	v = mix(mix(((uint64_t)c->step << 32) | c->state) + k);
	/* states differ in how much got through */
	pick = 1 + c->state % 7;
	if (v % 8 >= pick)
		return LOST;
	return is_data && (v >> 8) % 5 == 0 ? TORN : DONE;
}

struct file {
	char *data;
	size_t len, size;
};

static void
file_resize(struct file *f, size_t len)
{
	if (len > f->size) {
		f->size = MAX(len, f->size * 2);
		f->data = xreallocarray(f->data, f->size, 1);
	}
	if (len > f->len)
		memset(f->data + f->len, 0, len - f->len);
	f->len = len;
}

static void
file_put(struct file *f, uint64_t off, const char *p, size_t n)
{
	if (off + n > f->len)
		file_resize(f, (size_t)off + n);
	memcpy(f->data + off, p, n);
}

static void
file_write(struct cut *c, struct file *f, const struct op *o, bool durable)
{
	uint64_t at = o->off, end = o->off + o->len, stop;
	enum fate fate;
	size_t n;

	for (; at < end; at = stop) {
		stop = MIN((at / PAGE + 1) * PAGE, end);
		fate = durable ? DONE : cut_choose(c, true);
		n = (size_t)(stop - at);
		if (fate == TORN)
			n = MIN(n, ((at / SECTOR + 1) * SECTOR - at) +
			    SECTOR * (c->state % 7));
		if (fate != LOST)
			file_put(f, at, o->data + (at - o->off), n);
		else if (c->state > 3 && c->state % 3 == 0 && stop > f->len)
			file_resize(f, (size_t)stop);	/* size came alone */
	}
}

struct cut_image {
	struct file *file;	/* per node */
	struct name **names;
	size_t *n_names;
	char **built;		/* path, once it has one */
};

static void
name_set(struct cut_image *im, size_t dir, const char *name, size_t node)
{
	struct name *n;
	size_t i;

	for (i = 0; i < im->n_names[dir]; i++)
		if (strcmp(im->names[dir][i].name, name) == 0) {
			if (node != NO_NODE)
				im->names[dir][i].node = node;
			else
				im->names[dir][i] =
				    im->names[dir][--im->n_names[dir]];
			return;
		}
	if (node == NO_NODE)
		return;
	im->names[dir] = xreallocarray(im->names[dir], im->n_names[dir] + 1,
	    sizeof(struct name));
	n = &im->names[dir][im->n_names[dir]++];
	(void)snprintf(n->name, NAME_LEN, "%s", name);
	n->node = node;
}

static void
op_apply(struct cut *c, struct cut_image *im, const struct op *o)
{
	bool durable = o->sealed < c->step;

	if (o->kind == K_DATA) {
		file_write(c, &im->file[o->node], o, durable);
		return;
	}
	if (!durable && cut_choose(c, o->kind == K_SIZE) == LOST)
		return;
	switch (o->kind) {
	case K_SIZE:
		file_resize(&im->file[o->node], (size_t)o->off);
		break;
	case K_ADD:
		name_set(im, o->dir, o->name, o->node);
		break;
	case K_REMOVE:
		name_set(im, o->dir, o->name, NO_NODE);
		break;
	case K_MOVE:
		name_set(im, o->dir, o->name, NO_NODE);
		name_set(im, o->dir2, o->name2, o->node);
		break;
	default:
		break;
	}
}

static void
image_write(struct disk_record *r, struct cut_image *im, size_t node,
    const char *path)
{
	size_t i;
	char *sub;
	int fd;

	if (!r->node[node].dir) {
		if (im->built[node] != NULL) {
			if (link(im->built[node], path) == -1)
				log_fatal("disk_record: link %s", path);
			return;
		}
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1 || pwrite(fd, im->file[node].data,
		    im->file[node].len, 0) != (ssize_t)im->file[node].len)
			log_fatal("disk_record: write %s", path);
		(void)close(fd);
		im->built[node] = xstrdup(path);
		return;
	}
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		log_fatal("disk_record: mkdir %s", path);
	for (i = 0; i < im->n_names[node]; i++) {
		sub = xasprintf("%s/%s", path, im->names[node][i].name);
		image_write(r, im, im->names[node][i].node, sub);
		free(sub);
	}
}

static void
image_init(struct disk_record *r, struct cut_image *im)
{
	size_t i, n = r->n_nodes;

	im->file = xcalloc(n, sizeof(*im->file));
	im->names = xcalloc(n, sizeof(*im->names));
	im->n_names = xcalloc(n, sizeof(*im->n_names));
	im->built = xcalloc(n, sizeof(*im->built));
	for (i = 0; i < n; i++) {
		if (r->node[i].len > 0)
			file_put(&im->file[i], 0, r->node[i].data,
			    r->node[i].len);
		im->n_names[i] = r->node[i].n_names;
		im->names[i] = xcalloc(r->node[i].n_names + 1,
		    sizeof(struct name));
		if (r->node[i].n_names > 0)
			memcpy(im->names[i], r->node[i].names,
			    r->node[i].n_names * sizeof(struct name));
	}
}

static void
image_fini(struct disk_record *r, struct cut_image *im)
{
	size_t i;

	for (i = 0; i < r->n_nodes; i++) {
		free(im->file[i].data);
		free(im->names[i]);
		free(im->built[i]);
	}
	free(im->file);
	free(im->names);
	free(im->n_names);
	free(im->built);
}

void
disk_record_build(struct disk_record *r, size_t step, unsigned state,
    unsigned max, const char *dir)
{
	struct cut c = { .r = r, .step = MIN(step, r->n_ops),
	    .state = state, .max = max };
	struct cut_image im;
	size_t i;

	pthread_mutex_lock(&r->lock);
	c.bits = cut_bits(r, c.step);
	image_init(r, &im);
	for (i = 0; i < c.step; i++)
		if (op_changes(&r->op[i]))
			op_apply(&c, &im, &r->op[i]);
	image_write(r, &im, 0, dir);
	image_fini(r, &im);
	pthread_mutex_unlock(&r->lock);
}

/* --- helpers for tests ---------------------------------------------------- */

char *
disk_record_tmpdir(const char *name)
{
	const char *base = getenv("TMPDIR");
	char *path = xasprintf("%s/%s-XXXXXX", base == NULL ? "/tmp" : base,
	    name);

	if (mkdtemp(path) == NULL)
		log_fatal("cannot make %s", path);
	return path;
}

void
disk_record_rmdir(const char *path)
{
	struct dirent *d;
	struct stat st;
	DIR *dir = opendir(path);
	char *sub;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0)
			continue;
		sub = xasprintf("%s/%s", path, d->d_name);
		if (lstat(sub, &st) == 0 && S_ISDIR(st.st_mode))
			disk_record_rmdir(sub);
		else
			(void)unlink(sub);
		free(sub);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}
