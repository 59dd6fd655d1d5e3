#include "spool/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "spool/header.h"

#define ZERO_CHUNK	(1024 * 1024)

static void
segment_name(char out[24], uint32_t id, const char *suffix)
{
	(void)snprintf(out, 24, "%04u.%s", id, suffix);
}

static int
zero_fill(int fd, uint64_t size, struct err *err)
{
	char *zero = xcalloc(1, ZERO_CHUNK);
	uint64_t at;
	size_t n;
	int rc = 0;

	for (at = 0; at < size && rc == 0; at += n) {
		n = (size_t)MIN(size - at, (uint64_t)ZERO_CHUNK);
		if (disk_pwrite(fd, zero, n, (off_t)at) == -1)
			rc = err_errno(err, "zero-fill segment");
	}
	free(zero);
	return rc;
}

int
segment_create(int journal_dir, uint32_t id, uint64_t size,
    struct segment_ref *ref, struct err *err)
{
	char tmp[24], name[24];
	int rc;

	segment_name(tmp, id, "new");
	segment_name(name, id, "seg");
	ref->id = id;
	ref->size = size & ~(uint64_t)(SPOOL_PAGE - 1);
	header_epoch(ref->epoch);
	ref->fd = disk_openat(journal_dir, tmp, O_RDWR | O_CREAT | O_TRUNC,
	    0600);
	if (ref->fd == -1)
		return err_errno(err, "create segment %u", id);
	if ((rc = zero_fill(ref->fd, ref->size, err)) != 0)
		goto fail;
	if (header_write(ref->fd, HEADER_SEGMENT, ref) == -1 ||
	    disk_fdatasync(ref->fd) == -1 ||
	    disk_renameat(journal_dir, tmp, journal_dir, name, 0) == -1 ||
	    disk_fsync(journal_dir) == -1) {
		rc = err_errno(err, "create segment %u", id);
		goto fail;
	}
	return 0;
fail:
	(void)disk_close(ref->fd);
	ref->fd = -1;
	(void)disk_unlinkat(journal_dir, tmp, 0);
	return rc;
}

int
segment_open(int journal_dir, uint32_t id, struct segment_ref *ref,
    struct err *err)
{
	struct stat st;
	char name[24];
	int rc;

	segment_name(name, id, "seg");
	ref->fd = disk_openat(journal_dir, name, O_RDWR, 0);
	if (ref->fd == -1)
		return err_errno(err, "open segment %u", id);
	if (fstat(ref->fd, &st) == -1)
		return err_errno(err, "segment %u", id);
	rc = header_read(ref->fd, HEADER_SEGMENT, ref, err);
	if (rc == 0 && ref->id != id)
		rc = err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "segment %u says it is %u", id, ref->id);
	ref->id = id;
	if (rc != 0 || ref->size > (uint64_t)st.st_size)
		ref->size = (uint64_t)st.st_size & ~(uint64_t)(SPOOL_PAGE - 1);
	return rc;
}

int
segment_recycle(struct segment_ref *ref, struct err *err)
{
	struct segment_ref next = *ref;

	header_epoch(next.epoch);
	if (header_write(ref->fd, HEADER_SEGMENT, &next) == -1 ||
	    disk_fdatasync(ref->fd) == -1)
		return err_errno(err, "recycle segment %u", ref->id);
	*ref = next;
	return 0;
}

int
segment_right_take(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? PS_EAGAIN : PS_EIO;
}

void
segment_right_drop(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

int
segment_lend(int journal_dir, const struct segment_ref *ref, struct err *err)
{
	char name[24];
	int fd;

	segment_name(name, ref->id, "seg");
	if ((fd = disk_openat(journal_dir, name, O_RDWR, 0)) == -1)
		return err_errno(err, "open segment %u", ref->id);
	if (segment_right_take(fd) != 0) {
		(void)disk_close(fd);
		return err_set(err, ERR_BUG, PS_ESTATE,
		    "segment %u is still lent", ref->id);
	}
	return fd;
}
