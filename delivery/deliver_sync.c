/*
 * Checkpoints (DESIGN J6, J12). The store may lie on several file systems; of
 * each one descriptor is opened when it is first seen and kept, so that
 * syncfs reports every error since then. A checkpoint syncs them all: also
 * what a predecessor wrote is durable then.
 */
#include "delivery/deliver.h"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define FS_MAX		64
#define HASH_DIRS	256

struct file_systems {
	pthread_mutex_t lock;
	struct {
		dev_t dev;
		int fd;
	} fs[FS_MAX];
	size_t n;
	atomic_bool failed;	/* read by the writers */
};

/* File systems on which rename and syncfs were tested to keep J6. */
static const struct { long type; const char *name; } tested[] = {
	{ 0xEF53, "ext4" },
	{ 0x58465342, "xfs" },
	{ 0x01021994, "tmpfs" },	/* nothing survives, nothing to lose */
};

static bool
is_tested(int fd)
{
	struct statfs sf;
	size_t i;

	if (fstatfs(fd, &sf) == -1)
		return false;
	for (i = 0; i < ARRAY_LEN(tested); i++)
		if ((long)sf.f_type == tested[i].type)
			return true;
	return false;
}

int
sync_note(struct deliver *d, int dirfd, struct err *err)
{
	struct file_systems *all = d->fs;
	struct stat st;
	int rc = 0, fd = -1;
	size_t i;

	if (fstat(dirfd, &st) == -1)
		return err_errno(err, "fstat of a home");
	pthread_mutex_lock(&all->lock);
	for (i = 0; i < all->n; i++)
		if (all->fs[i].dev == st.st_dev)
			break;
	if (i == all->n) {
		if (i == FS_MAX)
			rc = err_set(err, ERR_TEMP, PS_ETOOBIG,
			    "the store lies on more than %d file systems",
			    FS_MAX);
		else if ((fd = disk_openat(dirfd, ".", O_RDONLY | O_DIRECTORY,
		    0)) == -1)
			rc = err_errno(err, "open a file system to sync");
		else {
			all->fs[i].dev = st.st_dev;
			all->fs[i].fd = fd;
			all->n++;
		}
	}
	pthread_mutex_unlock(&all->lock);
	return rc;
}

/* What lies below the hash directories, for the first checkpoint. */
static int
hash_dirs_note(struct deliver *d, struct err *err)
{
	char name[4];
	int i, fd, rc = 0;

	for (i = 0; i < HASH_DIRS && rc == 0; i++) {
		(void)snprintf(name, sizeof(name), "%02x", (unsigned)i);
		fd = disk_openat(d->store_dir, name, O_RDONLY | O_DIRECTORY,
		    0);
		if (fd == -1)
			continue;	/* made with its first mailbox */
		rc = sync_note(d, fd, err);
		(void)disk_close(fd);
	}
	return rc;
}

int
sync_init(struct deliver *d, struct err *err)
{
	const char *mode = d->env->conf->maildir_sync;
	int rc;

	d->fs = xcalloc(1, sizeof(*d->fs));
	pthread_mutex_init(&d->fs->lock, NULL);
	if ((rc = sync_note(d, d->store_dir, err)) < 0 ||
	    (rc = hash_dirs_note(d, err)) < 0)
		return rc;
	d->sync_file = strcmp(mode, "file") == 0 ||
	    (strcmp(mode, "auto") == 0 && !is_tested(d->store_dir));
	if (d->sync_file && strcmp(mode, "auto") == 0)
		log_info("maildir_sync=file: the store's file system is not "
		    "on the tested list");
	return 0;
}

void
sync_fini(struct deliver *d)
{
	size_t i;

	for (i = 0; i < d->fs->n; i++)
		(void)disk_close(d->fs->fs[i].fd);
	pthread_mutex_destroy(&d->fs->lock);
	free(d->fs);
	d->fs = NULL;
}

bool
sync_has_failed(const struct deliver *d)
{
	return d->fs->failed;
}

/* --- a checkpoint --- */

struct checkpoint {
	struct work work;
	struct conn *c;
	uint64_t id, covered;
	bool ok;
};

static void
checkpoint_run(void *arg)
{
	struct checkpoint *cp = arg;
	struct file_systems *all = cp->c->d->fs;
	size_t i, n;

	/* entries are only ever added: those below n stay as they are */
	pthread_mutex_lock(&all->lock);
	n = all->n;
	pthread_mutex_unlock(&all->lock);
	cp->ok = true;
	for (i = 0; i < n; i++)
		if (disk_syncfs(all->fs[i].fd) == -1) {
			log_error("syncfs of the mail store failed: %s; "
			    "mail since the last checkpoint will be written "
			    "again", strerrordesc_np(errno));
			cp->ok = false;
		}
}

static void
checkpoint_done(void *arg)
{
	struct checkpoint *cp = arg;
	struct deliver *d = cp->c->d;

	if (!cp->ok)
		d->fs->failed = true;
	d->checkpoints++;
	if (!cp->c->closed)
		PROTO_SEND(cp->c->ipc, cp->id, JOB_CHECKPOINTED,
		    job_checkpointed, .ok = cp->ok, .covered = cp->covered);
	conn_unref(cp->c);
	free(cp);
	d->jobs--;
	deliver_maybe_stop(d);
}

int
sync_checkpoint_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct checkpoint *cp;

	(void)ipc;
	if (m->body.n != 0)
		return PS_ESYNTAX;
	cp = xcalloc(1, sizeof(*cp));
	conn_ref(c);
	c->d->jobs++;
	cp->c = c;
	cp->id = m->id;
	/* the renames of these returned before the sync is called (J6) */
	cp->covered = c->done_sent;
	cp->work = (struct work){ .run = checkpoint_run,
	    .done = checkpoint_done, .arg = cp };
	work_give(c->d->syncer, &cp->work);
	return 0;
}
