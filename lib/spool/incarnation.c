#include "spool/incarnation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "base/span.h"
#include "spool/queueid.h"

#define FILE_NAME	"incarnation"
#define FILE_TMP	"incarnation.new"
#define FILE_HOLD	"accepted"

static int
counter_write(int dir, uint32_t value, struct err *err)
{
	char text[16];
	int fd, n = snprintf(text, sizeof(text), "%u\n", value), rc = 0;

	fd = disk_openat(dir, FILE_TMP, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		return err_errno(err, "write incarnation");
	if (disk_pwrite(fd, text, (size_t)n, 0) == -1 ||
	    disk_fdatasync(fd) == -1)
		rc = err_errno(err, "write incarnation");
	(void)disk_close(fd);
	if (rc == 0 &&
	    (disk_renameat(dir, FILE_TMP, dir, FILE_NAME, 0) == -1 ||
	    disk_fsync(dir) == -1))
		rc = err_errno(err, "write incarnation");
	return rc;
}

/* A spool with segments but no counter has lost it: do not begin at 1. */
static int
fresh_check(int dir, struct err *err)
{
	struct stat st;

	if (fstatat(dir, "journal/0001.seg", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_PERM, PS_ECORRUPT,
		    "the spool has segments but no file `incarnation`");
	return 0;
}

int
incarnation_read(int spool_dir, uint32_t *last, struct err *err)
{
	char text[16];
	ssize_t got;
	int fd = disk_openat(spool_dir, FILE_NAME, O_RDONLY, 0);

	*last = 0;
	if (fd == -1)
		return errno == ENOENT ? fresh_check(spool_dir, err) :
		    err_errno(err, "read incarnation");
	got = disk_pread(fd, text, sizeof(text), 0);
	(void)disk_close(fd);
	if (got == -1)
		return err_errno(err, "read incarnation");
	if (!span_u32(span_trim(span_of(text, (size_t)got)), 1,
	    QUEUEID_INCARNATION_MAX, last))
		return err_set(err, ERR_PERM, PS_ECORRUPT,
		    "file `incarnation` holds no number");
	return 0;
}

int
incarnation_raise(int spool_dir, uint32_t count, uint32_t *first,
    struct err *err)
{
	uint32_t last;
	int rc;

	if ((rc = incarnation_read(spool_dir, &last, err)) != 0)
		return rc;
	if (count == 0 || count > QUEUEID_INCARNATION_MAX - last)
		return err_set(err, ERR_PERM, PS_EFULL,
		    "incarnations are used up: this host needs a new id");
	if ((rc = counter_write(spool_dir, last + count, err)) != 0)
		return rc;
	*first = last + 1;
	return 0;
}

static int
hold_mark(int dir, struct err *err)
{
	int fd = disk_openat(dir, FILE_HOLD, O_WRONLY | O_CREAT, 0600);

	if (fd == -1)
		return err_errno(err, "mark the spool as accepted");
	(void)disk_close(fd);
	return disk_fsync(dir) == 0 ? 0 :
	    err_errno(err, "mark the spool as accepted");
}

int
incarnation_check(int spool_dir, uint32_t recorded, bool accept,
    struct err *err)
{
	uint32_t last;
	int rc;

	if ((rc = incarnation_read(spool_dir, &last, err)) != 0)
		return rc;
	if (last >= recorded)
		return 0;
	if (!accept)
		return err_set(err, ERR_PERM, PS_EDENIED,
		    "this spool is a restored one or a snapshot: its "
		    "incarnation is %u, the database has %u; mail in it may "
		    "have been delivered already. Start with "
		    "--accept-restored-spool to hold all of it for review",
		    last, recorded);
	/* the mark first: never a raised counter without it */
	if ((rc = hold_mark(spool_dir, err)) != 0)
		return rc;
	return counter_write(spool_dir, recorded, err);
}

bool
incarnation_hold_wanted(int spool_dir)
{
	struct stat st;

	return fstatat(spool_dir, FILE_HOLD, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int
incarnation_hold_done(int spool_dir, struct err *err)
{
	if (disk_unlinkat(spool_dir, FILE_HOLD, 0) == -1 && errno != ENOENT)
		return err_errno(err, "unmark the spool");
	return disk_fsync(spool_dir) == 0 ? 0 :
	    err_errno(err, "unmark the spool");
}
