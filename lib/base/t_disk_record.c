/* The recording back end itself: what its states may and must hold. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/disk_record.h"
#include "base/xmalloc.h"

static char *root, *image;
static int root_fd;
static struct disk_record *r;

static int
setup(void **state)
{
	root = disk_record_tmpdir("t_disk_record");
	image = NULL;
	assert_int_equal(mkdir((image = xasprintf("%s.%s", root,
	    "image")), 0700) == 0 || errno == EEXIST, 1);
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = disk_record_start(root);
	return 0;
}

static int
teardown(void **state)
{
	disk_record_stop(&r);
	(void)close(root_fd);
	disk_record_rmdir(root);
	disk_record_rmdir(image);
	free(root);
	free(image);
	return 0;
}

/* Contents of a file of state `s` at `step`; NULL when it has no such name. */
static char *
look(size_t step, unsigned s, const char *name, size_t *n)
{
	char *path = xasprintf("%s/%s", image, name), *data = NULL;
	FILE *f;

	disk_record_rmdir(image);
	(void)mkdir(image, 0700);
	disk_record_build(r, step, s, 64, image);
	if ((f = fopen(path, "r")) != NULL) {
		data = xcalloc(1, 65536);
		*n = fread(data, 1, 65535, f);
		(void)fclose(f);
	}
	free(path);
	return data;
}

static void
write_file(const char *name, const char *text, bool sync)
{
	int fd = disk_openat(root_fd, name, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, text, strlen(text), 0),
	    strlen(text));
	if (sync)
		assert_int_equal(disk_fdatasync(fd), 0);
	(void)disk_close(fd);
}

static void
unsynced_name_and_data_may_be_lost(void **state)
{
	unsigned i, n, none = 0, empty = 0, whole = 0;
	size_t len, step;
	char *d;

	write_file("a", "hello", false);
	step = disk_record_steps(r);
	n = disk_record_states(r, step, 64);
	for (i = 0; i < n; i++) {
		d = look(step, i, "a", &len);
		if (d == NULL)
			none++;
		else if (len == 5 && memcmp(d, "hello", 5) == 0)
			whole++;
		else
			empty++;
		free(d);
	}
	assert_true(none > 0 && empty > 0 && whole > 0);
}

static void
synced_name_and_data_always_stay(void **state)
{
	unsigned i, n;
	size_t len, step;
	char *d;

	write_file("a", "hello", true);
	assert_int_equal(disk_fsync(root_fd), 0);
	step = disk_record_steps(r);
	write_file("a", "HELLO world", false);
	n = disk_record_states(r, disk_record_steps(r), 64);
	for (i = 0; i < n; i++) {
		d = look(step, i, "a", &len);
		assert_non_null(d);
		assert_int_equal(len, 5);
		assert_memory_equal(d, "hello", 5);
		free(d);
	}
}

static void
rename_is_one_thing_and_may_be_late(void **state)
{
	unsigned i, n, before = 0, after = 0;
	size_t len, step;
	char *a, *b;

	write_file("a", "x", true);
	assert_int_equal(disk_fsync(root_fd), 0);
	assert_int_equal(disk_renameat(root_fd, "a", root_fd, "b", 0), 0);
	step = disk_record_steps(r);
	n = disk_record_states(r, step, 64);
	for (i = 0; i < n; i++) {
		a = look(step, i, "a", &len);
		b = look(step, i, "b", &len);
		assert_true((a == NULL) != (b == NULL));
		before += a != NULL;
		after += b != NULL;
		free(a);
		free(b);
	}
	assert_true(before > 0 && after > 0);
}

static void
failed_sync_dooms_its_data(void **state)
{
	size_t len, step;
	char *d;
	int fd = disk_openat(root_fd, "a", O_RDWR | O_CREAT, 0600);

	assert_int_equal(disk_fsync(root_fd), 0);
	assert_int_equal(disk_pwrite(fd, "gone", 4, 0), 4);
	disk_record_fail(r, DISK_FDATASYNC, 1, EIO, false);
	assert_int_equal(disk_fdatasync(fd), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(disk_fdatasync(fd), 0);	/* and yet: */
	(void)disk_close(fd);
	step = disk_record_steps(r);
	d = look(step, 0, "a", &len);
	assert_non_null(d);
	assert_int_equal(len, 0);
	free(d);
	assert_int_equal(disk_record_failures(r), 1);
}

static void
unnamed_files_can_be_linked(void **state)
{
	char proc[64], *d;
	size_t len;
	int fd = disk_openat(root_fd, ".", O_RDWR | O_TMPFILE, 0600);

	if (fd == -1)
		skip();		/* the file system has no O_TMPFILE */
	assert_int_equal(disk_pwrite(fd, "cold", 4, 0), 4);
	assert_int_equal(disk_fdatasync(fd), 0);
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	assert_int_equal(disk_linkat(AT_FDCWD, proc, root_fd, "c",
	    AT_SYMLINK_FOLLOW), 0);
	assert_null(look(disk_record_steps(r), 0, "c", &len));
	assert_int_equal(disk_fsync(root_fd), 0);
	d = look(disk_record_steps(r), 0, "c", &len);
	assert_non_null(d);
	assert_int_equal(len, 4);
	free(d);
	(void)disk_close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(unsynced_name_and_data_may_be_lost),
		T(synced_name_and_data_always_stay),
		T(rename_is_one_thing_and_may_be_late),
		T(failed_sync_dooms_its_data),
		T(unnamed_files_can_be_linked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
