/*
 * Every durable file operation of Postern. Nothing else in the tree calls
 * open for writing, pwrite, rename, link, unlink, fsync and friends on spool
 * or store files, so that tests can record what was done, replay every state
 * a power cut allows, and inject ENOSPC and EIO into any call.
 *
 * Functions return as their system call does (-1 and errno), so callers turn
 * failures into errors with err_errno(). Any error from disk_fdatasync,
 * disk_fsync or disk_syncfs is FINAL: asking again proves nothing, the data
 * may be gone (DESIGN J5).
 *
 * Thread-safe with the real back end. Directories are descriptors; paths are
 * relative to one and are opened beneath it without following links.
 */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk_ops {
	int (*openat)(int dirfd, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t off);
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int cnt,
	    off_t off);
	int (*fallocate)(int fd, int mode, off_t off, off_t len);
	int (*ftruncate)(int fd, off_t len);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*renameat)(int ofd, const char *o, int nfd, const char *n,
	    unsigned flags);		/* renameat2 */
	int (*linkat)(int ofd, const char *o, int nfd, const char *n,
	    int flags);
	int (*unlinkat)(int dirfd, const char *path, int flags);
	int (*mkdirat)(int dirfd, const char *path, mode_t mode);
	int (*utimens)(int fd, const struct timespec ts[2]);
};

/* Puts another back end in place (tests); NULL restores the real one. */
void disk_ops_set(const struct disk_ops *ops);
extern const struct disk_ops disk_real;

/* O_CLOEXEC and O_NOFOLLOW are always added. Kept beneath dirfd
 * (openat2 RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS) where the kernel has it. */
int disk_openat(int dirfd, const char *path, int flags, mode_t mode);
int disk_close(int fd);
/* Full-length: retry short writes and EINTR; n or -1. */
ssize_t disk_pwrite(int fd, const void *p, size_t n, off_t off);
ssize_t disk_pwritev(int fd, struct iovec *iov, int cnt, off_t off);
int disk_fallocate(int fd, int mode, off_t off, off_t len);
int disk_ftruncate(int fd, off_t len);
int disk_fdatasync(int fd);
int disk_fsync(int fd);
int disk_syncfs(int fd);
/* Begins to write what the file has in memory, for a sync that comes later and
 * then finds less to do. Promises nothing; a failure is the sync's to tell. */
void disk_sync_soon(int fd);
int disk_renameat(int ofd, const char *o, int nfd, const char *n,
    unsigned flags);
int disk_linkat(int ofd, const char *o, int nfd, const char *n, int flags);
int disk_unlinkat(int dirfd, const char *path, int flags);
int disk_mkdirat(int dirfd, const char *path, mode_t mode);
int disk_utimens(int fd, const struct timespec ts[2]);

/* Reading is not recorded. Full-length unless end of file: bytes or -1. */
ssize_t disk_pread(int fd, void *p, size_t n, off_t off);
/* fstatat that follows no link. */
int disk_statat(int dirfd, const char *path, struct stat *st);

/* While it is on, nothing that this thread asks above waits for a disk: what
 * the kernel has in memory is opened, read and stat-ed, all else, and all that
 * would change a file, fails with EAGAIN. For a loop that tries before it gives
 * work to a thread. */
void disk_nowait(bool on);
bool disk_is_nowait(void);

#endif
