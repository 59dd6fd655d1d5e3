#include "admin/incarnation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/disk.h"
#include "base/span.h"

#define NAME		"incarnation"
#define NAME_NEW	"incarnation.new"

int
incarnation_open(struct incarnation *in, int dirfd, struct err *err)
{
	char text[32];
	ssize_t n;
	int fd;

	*in = (struct incarnation){ .dirfd = dirfd };
	fd = disk_openat(dirfd, NAME, O_RDONLY, 0);
	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return err_errno(err, "spool file " NAME);
	n = disk_pread(fd, text, sizeof(text), 0);
	disk_close(fd);
	if (n == -1)
		return err_errno(err, "spool file " NAME);
	if (!span_u32(span_trim(span_of(text, (size_t)n)), 0, UINT32_MAX - 1,
	    &in->last))
		return err_set(err, ERR_PERM, PS_ECORRUPT,
		    "spool file " NAME " does not hold a number; put one "
		    "there that is higher than any incarnation in the log");
	in->reserved = in->last;
	return 0;
}

static int
incarnation_write(struct incarnation *in, uint32_t value, struct err *err)
{
	char text[32];
	int fd, n;

	n = snprintf(text, sizeof(text), "%" PRIu32 "\n", value);
	fd = disk_openat(in->dirfd, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC,
	    0600);
	if (fd == -1)
		return err_errno(err, "spool file " NAME_NEW);
	if (disk_pwrite(fd, text, (size_t)n, 0) != n ||
	    disk_fsync(fd) != 0) {
		disk_close(fd);
		return err_errno(err, "write spool file " NAME_NEW);
	}
	disk_close(fd);
	if (disk_renameat(in->dirfd, NAME_NEW, in->dirfd, NAME, 0) != 0)
		return err_errno(err, "rename spool file " NAME_NEW);
	if (disk_fsync(in->dirfd) != 0)
		return err_errno(err, "sync spool directory");
	return 0;
}

int
incarnation_reserve(struct incarnation *in, unsigned n, struct err *err)
{
	int rc;

	if (in->reserved - in->last >= n)
		return 0;
	if (n >= UINT32_MAX - in->last)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "incarnation numbers are used up");
	rc = incarnation_write(in, in->last + n, err);
	if (rc == 0)
		in->reserved = in->last + n;
	return rc;
}

int
incarnation_next(struct incarnation *in, uint32_t *out, struct err *err)
{
	int rc;

	rc = incarnation_reserve(in, 1, err);
	if (rc == 0)
		*out = ++in->last;
	return rc;
}
