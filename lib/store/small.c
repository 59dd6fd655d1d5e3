#include "store/small.h"

#include <errno.h>
#include <stdio.h>

#include "base/disk.h"
#include "store/head.h"
#include "store/layout.h"
#include "store/mfile.h"

int
small_lock(int account_dir, int *fd, struct err *err)
{
	int rc;

	*fd = disk_openat(account_dir, STORE_ACCOUNT_FILE, O_RDWR | O_CREAT,
	    STORE_FILE_MODE);
	if (*fd == -1)
		return err_errno(err, "open %s", STORE_ACCOUNT_FILE);
	rc = store_lock(*fd, "account", err);
	if (rc < 0)
		(void)disk_close(*fd);
	return rc;
}

static int
load(int fd, const char *name, struct buf *text, struct err *err)
{
	struct stat st;
	ssize_t n;
	char *p;

	if (fstat(fd, &st) == -1)
		return err_errno(err, "stat %s", name);
	if (st.st_size > SMALL_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "%s is too large",
		    name);
	if (st.st_size == 0)
		return 0;
	p = buf_reserve(text, (size_t)st.st_size);
	n = p == NULL ? -1 : disk_pread(fd, p, (size_t)st.st_size, 0);
	if (n == -1)
		return err_errno(err, "read %s", name);
	buf_commit(text, (size_t)n);
	return 0;
}

int
small_read(int account_dir, const char *name, struct buf *text,
    struct err *err)
{
	int fd, rc;

	buf_init(text, SMALL_MAX);
	fd = disk_openat(account_dir, name, O_RDONLY, 0);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(err, "open %s", name);
	rc = load(fd, name, text, err);
	(void)disk_close(fd);
	return rc;
}

int
small_replace(int account_dir, const char *name, const struct buf *text,
    struct err *err)
{
	struct mfile_source src = { .mem = buf_span(text), .fd = -1 };
	char next[64];
	int rc;

	if (buf_failed(text))
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "%s would be too large", name);
	(void)snprintf(next, sizeof(next), "%s.new", name);
	rc = mfile_write(account_dir, next, &src, true, err);
	if (rc < 0)
		return rc;
	if (disk_renameat(account_dir, next, account_dir, name, 0) == -1)
		return err_errno(err, "rename %s", next);
	if (disk_fsync(account_dir) == -1)
		return err_errno(err, "sync account");
	return 0;
}
