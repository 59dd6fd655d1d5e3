#include "base/disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"

static char root[] = "t_disk.XXXXXX";
static int dir;

static int
group_setup(void **state)
{
	if (mkdtemp(root) == NULL)
		return -1;
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir == -1 ? -1 : 0;
}

static int
group_teardown(void **state)
{
	char command[64];

	close(dir);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static int
restore(void **state)
{
	disk_ops_set(NULL);
	return 0;
}

/* --- the real back end --- */

static void
files_are_written_renamed_linked_removed(void **state)
{
	char back[16] = "";
	struct stat st;
	int fd;

	assert_int_equal(disk_mkdirat(dir, "sub", 0700), 0);
	fd = disk_openat(dir, "sub/a", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(disk_pwrite(fd, "hello", 5, 3), 5);
	assert_int_equal(disk_pread(fd, back, sizeof(back), 0), 8);
	assert_memory_equal(back, "\0\0\0hello", 8);
	assert_int_equal(disk_ftruncate(fd, 5), 0);
	assert_int_equal(disk_fallocate(fd, 0, 0, 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 4096);
	assert_int_equal(disk_utimens(fd, (struct timespec[2]){
	    { .tv_sec = 1000 }, { .tv_sec = 2000 } }), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mtime, 2000);
	assert_int_equal(disk_fdatasync(fd), 0);
	assert_int_equal(disk_fsync(fd), 0);
	assert_int_equal(disk_syncfs(dir), 0);
	assert_int_equal(disk_close(fd), 0);
	assert_int_equal(disk_linkat(dir, "sub/a", dir, "b", 0), 0);
	assert_int_equal(disk_renameat(dir, "sub/a", dir, "b",
	    RENAME_NOREPLACE), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(disk_renameat(dir, "b", dir, "c", 0), 0);
	assert_int_equal(disk_unlinkat(dir, "c", 0), 0);
	assert_int_equal(disk_unlinkat(dir, "c", 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(disk_unlinkat(dir, "sub/a", 0), 0);
	assert_int_equal(disk_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
}

static void
open_stays_beneath_and_follows_no_link(void **state)
{
	static const char *const out[] = { "../t_disk_escape", "/etc/passwd",
	    "link", "dirlink/x", "a/../../t_disk_escape" };
	size_t i;
	int fd;

	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(symlinkat("/etc", dir, "dirlink"), 0);
	assert_int_equal(disk_mkdirat(dir, "a", 0700), 0);
	for (i = 0; i < ARRAY_LEN(out); i++) {
		fd = disk_openat(dir, out[i], O_RDONLY, 0);
		if (fd != -1)
			fail_msg("opened %s", out[i]);
		fd = disk_openat(dir, out[i], O_RDWR | O_CREAT, 0600);
		if (fd != -1)
			fail_msg("created %s", out[i]);
	}
}

static void
an_unnamed_file_can_be_made_and_linked(void **state)
{
	char proc[64];
	int fd;

	fd = disk_openat(dir, ".", O_TMPFILE | O_RDWR, 0600);
	if (fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR))
		skip();
	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, "x", 1, 0), 1);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	assert_int_equal(disk_linkat(AT_FDCWD, proc, dir, "named",
	    AT_SYMLINK_FOLLOW), 0);
	assert_int_equal(disk_unlinkat(dir, "named", 0), 0);
	disk_close(fd);
}

/* --- without waiting --- */

static bool
kernel_can(void)
{
	int fd;

	disk_nowait(true);
	fd = disk_openat(dir, ".", O_PATH, 0);
	disk_nowait(false);
	return fd != -1 && disk_close(fd) == 0;
}

static void
what_is_in_memory_is_read_without_waiting(void **state)
{
	char back[8] = "";
	struct stat st;
	int fd;

	if (!kernel_can())
		skip();
	fd = disk_openat(dir, "warm", O_RDWR | O_CREAT, 0600);
	assert_int_equal(disk_pwrite(fd, "hello", 5, 0), 5);
	assert_int_equal(disk_close(fd), 0);
	assert_int_equal(disk_statat(dir, "absent", &st), -1);

	disk_nowait(true);
	assert_true(disk_is_nowait());
	assert_int_equal(disk_statat(dir, "warm", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(disk_statat(dir, "absent", &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(disk_statat(dir, "link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	fd = disk_openat(dir, "warm", O_RDWR, 0);
	assert_true(fd >= 0);
	/* a file system may not be able to promise it */
	if (disk_pread(fd, back, 5, 0) == -1)
		assert_int_equal(errno, EAGAIN);
	else
		assert_memory_equal(back, "hello", 5);
	disk_nowait(false);
	assert_int_equal(disk_close(fd), 0);
}

static void
what_is_not_in_memory_is_not_waited_for(void **state)
{
	char mem[4096];
	ssize_t n;
	int fd;

	if (!kernel_can())
		skip();
	memset(mem, 'x', sizeof(mem));
	fd = disk_openat(dir, "cold", O_RDWR | O_CREAT, 0600);
	assert_int_equal(disk_pwrite(fd, mem, sizeof(mem), 0), sizeof(mem));
	assert_int_equal(disk_fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	memset(mem, 0, sizeof(mem));
	disk_nowait(true);
	n = disk_pread(fd, mem, sizeof(mem), 0);
	disk_nowait(false);
	/* it may not have been forgotten */
	if (n == -1)
		assert_int_equal(errno, EAGAIN);
	else
		assert_int_equal(n, sizeof(mem));
	assert_int_equal(disk_pread(fd, mem, sizeof(mem), 0), sizeof(mem));
	assert_int_equal(mem[4095], 'x');
	assert_int_equal(disk_close(fd), 0);
}

static void
nothing_is_changed_without_waiting(void **state)
{
	char x[] = "x";
	struct iovec iov = { .iov_base = x, .iov_len = 1 };
	struct timespec ts[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat before, after;
	int fd = disk_openat(dir, "still", O_RDWR | O_CREAT, 0600), i;
	int rc[14];

	assert_int_equal(disk_pwrite(fd, "abc", 3, 0), 3);
	assert_int_equal(fstat(fd, &before), 0);
	disk_nowait(true);
	i = 0;
	rc[i++] = disk_openat(dir, "new", O_RDWR | O_CREAT, 0600);
	rc[i++] = disk_openat(dir, "still", O_RDWR | O_TRUNC, 0);
	rc[i++] = (int)disk_pwrite(fd, "x", 1, 0);
	rc[i++] = (int)disk_pwritev(fd, &iov, 1, 0);
	rc[i++] = disk_fallocate(fd, 0, 0, 4096);
	rc[i++] = disk_ftruncate(fd, 0);
	rc[i++] = disk_fdatasync(fd);
	rc[i++] = disk_fsync(fd);
	rc[i++] = disk_syncfs(fd);
	rc[i++] = disk_renameat(dir, "still", dir, "moved", 0);
	rc[i++] = disk_linkat(dir, "still", dir, "moved", 0);
	rc[i++] = disk_unlinkat(dir, "still", 0);
	rc[i++] = disk_mkdirat(dir, "made", 0700);
	rc[i++] = disk_utimens(fd, ts);
	assert_int_equal(errno, EAGAIN);
	disk_nowait(false);
	assert_int_equal(i, ARRAY_LEN(rc));
	while (i-- > 0)
		assert_int_equal(rc[i], -1);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(after.st_nlink, 1);
	assert_int_equal(disk_statat(dir, "still", &after), 0);
	assert_int_equal(disk_statat(dir, "new", &after), -1);
	assert_int_equal(disk_close(fd), 0);
}

/* --- a back end that dribbles --- */

static unsigned interrupts;

static ssize_t
dribble_pwrite(int fd, const void *p, size_t n, off_t off)
{
	if (interrupts++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return pwrite(fd, p, n > 3 ? 3 : n, off);
}

static ssize_t
dribble_pwritev(int fd, const struct iovec *iov, int cnt, off_t off)
{
	while (cnt > 0 && iov->iov_len == 0) {
		iov++;
		cnt--;
	}
	if (cnt == 0)
		return 0;
	return dribble_pwrite(fd, iov->iov_base, iov->iov_len, off);
}

static void
short_writes_and_interrupts_are_retried(void **state)
{
	struct disk_ops ops = disk_real;
	struct iovec iov[] = {
		{ (void *)(uintptr_t)"abcd", 4 }, { NULL, 0 },
		{ (void *)(uintptr_t)"efghijk", 7 },
		{ (void *)(uintptr_t)"l", 1 }, { NULL, 0 } };
	char back[32] = "";
	int fd;

	fd = disk_openat(dir, "dribble", O_RDWR | O_CREAT, 0600);
	ops.pwrite = dribble_pwrite;
	ops.pwritev = dribble_pwritev;
	disk_ops_set(&ops);
	assert_int_equal(disk_pwrite(fd, "0123456789", 10, 0), 10);
	assert_int_equal(disk_pwritev(fd, iov, ARRAY_LEN(iov), 10), 12);
	assert_int_equal(disk_pread(fd, back, sizeof(back), 0), 22);
	assert_string_equal(back, "0123456789abcdefghijkl");
	disk_close(fd);
}

/* --- injected failures reach the caller --- */

static ssize_t
full_pwrite(int fd, const void *p, size_t n, off_t off)
{
	errno = ENOSPC;
	return -1;
}

static ssize_t
full_pwritev(int fd, const struct iovec *iov, int cnt, off_t off)
{
	errno = ENOSPC;
	return -1;
}

static int
eio_fd(int fd)
{
	errno = EIO;
	return -1;
}

static unsigned syncs;

static int
eio_sync(int fd)
{
	syncs++;
	return eio_fd(fd);
}

static void
failures_come_back_and_a_failed_sync_is_not_repeated(void **state)
{
	struct disk_ops ops = disk_real;
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };

	ops.pwrite = full_pwrite;
	ops.pwritev = full_pwritev;
	ops.fdatasync = ops.fsync = ops.syncfs = eio_sync;
	disk_ops_set(&ops);
	assert_int_equal(disk_pwrite(dir, "x", 1, 0), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(disk_pwritev(dir, &iov, 1, 0), -1);
	assert_int_equal(errno, ENOSPC);
	syncs = 0;
	assert_int_equal(disk_fdatasync(dir), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(disk_fsync(dir), -1);
	assert_int_equal(disk_syncfs(dir), -1);
	assert_int_equal(syncs, 3);
}

/* Counts calls by kind: every disk_* function must use the table. */
static unsigned calls;

static int c_openat(int d, const char *p, int f, mode_t m)
{ calls++; return disk_real.openat(d, p, f, m); }
static int c_close(int fd) { calls++; return close(fd); }
static int c_falloc(int fd, int m, off_t o, off_t n) { calls++; return 0; }
static int c_ftrunc(int fd, off_t n) { calls++; return 0; }
static int c_rename(int a, const char *o, int b, const char *n, unsigned f)
{ calls++; return 0; }
static int c_link(int a, const char *o, int b, const char *n, int f)
{ calls++; return 0; }
static int c_unlink(int d, const char *p, int f) { calls++; return 0; }
static int c_mkdir(int d, const char *p, mode_t m) { calls++; return 0; }
static int c_utimens(int fd, const struct timespec ts[2])
{ calls++; return 0; }

static void
every_call_goes_through_the_back_end(void **state)
{
	struct disk_ops ops = disk_real;
	int fd;

	ops.openat = c_openat;
	ops.close = c_close;
	ops.fallocate = c_falloc;
	ops.ftruncate = c_ftrunc;
	ops.renameat = c_rename;
	ops.linkat = c_link;
	ops.unlinkat = c_unlink;
	ops.mkdirat = c_mkdir;
	ops.utimens = c_utimens;
	disk_ops_set(&ops);
	calls = 0;
	fd = disk_openat(dir, "counted", O_RDWR | O_CREAT, 0600);
	disk_fallocate(fd, 0, 0, 1);
	disk_ftruncate(fd, 1);
	disk_renameat(dir, "nowhere", dir, "b", 0);
	disk_linkat(dir, "nowhere", dir, "b", 0);
	disk_unlinkat(dir, "nowhere", 0);
	disk_mkdirat(dir, "nowhere/x", 0700);
	disk_utimens(fd, NULL);
	disk_close(fd);
	assert_int_equal(calls, 9);
}

#define T(fn)	cmocka_unit_test_teardown(fn, restore)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(files_are_written_renamed_linked_removed),
		T(open_stays_beneath_and_follows_no_link),
		T(an_unnamed_file_can_be_made_and_linked),
		T(what_is_in_memory_is_read_without_waiting),
		T(what_is_not_in_memory_is_not_waited_for),
		T(nothing_is_changed_without_waiting),
		T(short_writes_and_interrupts_are_retried),
		T(failures_come_back_and_a_failed_sync_is_not_repeated),
		T(every_call_goes_through_the_back_end),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
