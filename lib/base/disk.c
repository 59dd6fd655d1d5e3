#include "base/disk.h"

#include <sys/syscall.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED	0x20		/* Linux 5.12 */
#endif

static _Thread_local bool nowait;

/* --- the real back end --- */

/* openat2's RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS by hand, for kernels (and
 * seccomp filters, and valgrind) without it: step by step, no "..". */
static int
walk_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	int at = dirfd, next;
	const char *slash;
	char part[256];
	size_t n;

	for (;; at = next, path = slash + 1) {
		slash = strchr(path, '/');
		n = slash == NULL ? strlen(path) : (size_t)(slash - path);
		if ((n == 0 && slash != NULL) || n >= sizeof(part) ||
		    (n == 2 && memcmp(path, "..", 2) == 0)) {
			errno = n >= sizeof(part) ? ENAMETOOLONG : EXDEV;
			next = -1;
			break;
		}
		memcpy(part, path, n);
		part[n] = '\0';
		if (slash == NULL) {
			next = openat(at, part, flags | O_CLOEXEC | O_NOFOLLOW,
			    mode);
			break;
		}
		next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (next == -1)
			break;
		if (at != dirfd)
			(void)close(at);
	}
	if (at != dirfd) {
		int saved = errno;

		(void)close(at);
		errno = saved;
	}
	return next;
}

/* Makes and truncates nothing. EINVAL is what kernels say that do not know
 * RESOLVE_CACHED. */
static int
cached_openat(int dirfd, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_CACHED };
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd == -1 && (errno == EINVAL || errno == ENOSYS ||
	    errno == EPERM))
		errno = EAGAIN;
	return (int)fd;
}

static int
real_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	static bool no_openat2;
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ?
		    mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	if (nowait)
		return cached_openat(dirfd, path, flags);
	if (dirfd != AT_FDCWD && !no_openat2) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd != -1 || (errno != ENOSYS && errno != EPERM))
			return (int)fd;
		no_openat2 = errno == ENOSYS;
	}
	if (dirfd != AT_FDCWD)
		return walk_openat(dirfd, path, flags, mode);
	return openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static int
real_renameat(int ofd, const char *o, int nfd, const char *n, unsigned flags)
{
	return renameat2(ofd, o, nfd, n, flags);
}

static int
real_fallocate(int fd, int mode, off_t off, off_t len)
{
	return fallocate(fd, mode, off, len);
}

static int
real_utimens(int fd, const struct timespec ts[2])
{
	return futimens(fd, ts);
}

const struct disk_ops disk_real = {
	.openat = real_openat,
	.close = close,
	.pwrite = pwrite,
	.pwritev = pwritev,
	.fallocate = real_fallocate,
	.ftruncate = ftruncate,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.syncfs = syncfs,
	.renameat = real_renameat,
	.linkat = linkat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
	.utimens = real_utimens,
};

static const struct disk_ops *ops = &disk_real;

void
disk_ops_set(const struct disk_ops *o)
{
	ops = o == NULL ? &disk_real : o;
}

void
disk_nowait(bool on)
{
	nowait = on;
}

bool
disk_is_nowait(void)
{
	return nowait;
}

static bool
would_wait(void)
{
	if (nowait)
		errno = EAGAIN;
	return nowait;
}

/* --- what the tree calls --- */

int
disk_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = ops->openat(dirfd, path, flags, mode);
	while (fd == -1 && (errno == EINTR ||
	    (errno == EAGAIN && !nowait)));
	return fd;
}

int
disk_close(int fd)
{
	return ops->close(fd);
}

ssize_t
disk_pwrite(int fd, const void *p, size_t n, off_t off)
{
	size_t done = 0;
	ssize_t got;

	if (would_wait())
		return -1;
	while (done < n) {
		got = ops->pwrite(fd, (const char *)p + done, n - done,
		    off + (off_t)done);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return (ssize_t)n;
}

ssize_t
disk_pwritev(int fd, struct iovec *iov, int cnt, off_t off)
{
	size_t total = 0;
	ssize_t got;

	if (would_wait())
		return -1;
	while (cnt > 0) {
		got = ops->pwritev(fd, iov, cnt > 1024 ? 1024 : cnt,
		    off + (off_t)total);
		if (got == -1 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0 && iov->iov_len > 0)
			return -1;
		total += (size_t)got;
		while (cnt > 0 && (size_t)got >= iov->iov_len) {
			got -= (ssize_t)iov->iov_len;
			iov++;
			cnt--;
		}
		if (cnt > 0 && got > 0) {
			iov->iov_base = (char *)iov->iov_base + got;
			iov->iov_len -= (size_t)got;
		}
	}
	return (ssize_t)total;
}

int
disk_fallocate(int fd, int mode, off_t off, off_t len)
{
	return would_wait() ? -1 : ops->fallocate(fd, mode, off, len);
}

int
disk_ftruncate(int fd, off_t len)
{
	return would_wait() ? -1 : ops->ftruncate(fd, len);
}

int
disk_fdatasync(int fd)
{
	return would_wait() ? -1 : ops->fdatasync(fd);
}

int
disk_fsync(int fd)
{
	return would_wait() ? -1 : ops->fsync(fd);
}

int
disk_syncfs(int fd)
{
	return would_wait() ? -1 : ops->syncfs(fd);
}

void
disk_sync_soon(int fd)
{
	if (!nowait)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int
disk_renameat(int ofd, const char *o, int nfd, const char *n, unsigned flags)
{
	return would_wait() ? -1 : ops->renameat(ofd, o, nfd, n, flags);
}

int
disk_linkat(int ofd, const char *o, int nfd, const char *n, int flags)
{
	return would_wait() ? -1 : ops->linkat(ofd, o, nfd, n, flags);
}

int
disk_unlinkat(int dirfd, const char *path, int flags)
{
	return would_wait() ? -1 : ops->unlinkat(dirfd, path, flags);
}

int
disk_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return would_wait() ? -1 : ops->mkdirat(dirfd, path, mode);
}

int
disk_utimens(int fd, const struct timespec ts[2])
{
	return would_wait() ? -1 : ops->utimens(fd, ts);
}

static ssize_t
read_some(int fd, void *p, size_t n, off_t off)
{
	struct iovec iov = { .iov_base = p, .iov_len = n };
	ssize_t got;

	if (!nowait)
		return pread(fd, p, n, off);
	got = preadv2(fd, &iov, 1, off, RWF_NOWAIT);
	/* file systems that cannot promise it */
	if (got == -1 && (errno == EOPNOTSUPP || errno == ENOSYS))
		errno = EAGAIN;
	return got;
}

ssize_t
disk_pread(int fd, void *p, size_t n, off_t off)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = read_some(fd, (char *)p + done, n - done,
		    off + (off_t)done);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int
disk_statat(int dirfd, const char *path, struct stat *st)
{
	int fd, rc;

	if (!nowait)
		return fstatat(dirfd, path, st, AT_SYMLINK_NOFOLLOW);
	fd = disk_openat(dirfd, path, O_PATH | O_NOFOLLOW, 0);
	if (fd == -1)
		return -1;
	rc = fstat(fd, st);
	(void)close(fd);
	return rc;
}
