#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk_record.h"
#include "imapd/watch.h"

/* A folder, and what two sessions hear of it. */
struct world {
	struct loop *loop;
	struct watcher *w;
	struct timer stop;
	char *path;
	int dir;
	unsigned heard[3];
	struct watch x[3];
};

static void
heard_cb(void *arg)
{
	(*(unsigned *)arg)++;
}

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

static void
turn(struct world *t)
{
	timer_set_ms(&t->stop, 30);
	loop_run(t->loop);
}

/* Runs until ear i heard more than `than`: waits for a state, not a time. */
static void
hears(struct world *t, int i, unsigned than)
{
	int turns;

	for (turns = 0; turns < 300 && t->heard[i] <= than; turns++)
		turn(t);
	assert_true(t->heard[i] > than);
}

static bool
begin(struct world *t, int i, int dir)
{
	return watch_begin(&t->x[i], t->w, dir, heard_cb, &t->heard[i]);
}

static void
touch(struct world *t, const char *name)
{
	int fd = openat(t->dir, name, O_CREAT | O_WRONLY, 0600);

	assert_int_not_equal(fd, -1);
	(void)close(fd);
}

static int
setup(void **state)
{
	struct world *t = calloc(1, sizeof(*t));

	t->loop = loop_new();
	timer_init(&t->stop, t->loop, stop_cb, t->loop);
	t->path = disk_record_tmpdir("watch");
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY);
	(void)mkdirat(t->dir, "new", 0700);
	(void)mkdirat(t->dir, "cur", 0700);
	(void)mkdirat(t->dir, "other", 0700);
	(void)mkdirat(t->dir, "other/new", 0700);
	(void)mkdirat(t->dir, "other/cur", 0700);
	t->w = watcher_new(t->loop, 4);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct world *t = *state;
	int i;

	for (i = 0; i < 3; i++)
		watch_end(&t->x[i]);
	watcher_free(&t->w);
	timer_clear(&t->stop);
	loop_free(&t->loop);
	(void)close(t->dir);
	disk_record_rmdir(t->path);
	free(t->path);
	free(t);
	return 0;
}

static void
each_kind_of_change_is_heard(void **state)
{
	struct world *t = *state;
	unsigned n;

	assert_true(begin(t, 0, t->dir));
	touch(t, "new/a");
	hears(t, 0, 0);
	n = t->heard[0];
	assert_int_equal(renameat(t->dir, "new/a", t->dir, "cur/a:2,S"), 0);
	hears(t, 0, n);
	n = t->heard[0];
	assert_int_equal(renameat(t->dir, "cur/a:2,S", t->dir, "cur/a:2,FS"),
	    0);
	hears(t, 0, n);
	n = t->heard[0];
	assert_int_equal(unlinkat(t->dir, "cur/a:2,FS", 0), 0);
	hears(t, 0, n);
}

static void
two_on_a_folder_share(void **state)
{
	struct world *t = *state;
	unsigned n;

	assert_true(begin(t, 0, t->dir) && begin(t, 1, t->dir));
	assert_int_equal(watcher_count(t->w), 2);
	touch(t, "new/a");
	hears(t, 0, 0);
	hears(t, 1, 0);
	watch_end(&t->x[0]);
	assert_false(watch_is_on(&t->x[0]));
	assert_int_equal(watcher_count(t->w), 2);
	n = t->heard[0];
	touch(t, "new/b");
	hears(t, 1, t->heard[1]);
	assert_int_equal(t->heard[0], n);
	watch_end(&t->x[1]);
	assert_int_equal(watcher_count(t->w), 0);
	assert_true(begin(t, 0, t->dir));
	touch(t, "new/c");
	hears(t, 0, n);
}

static void
past_the_limit_nothing_is_heard(void **state)
{
	struct world *t = *state;
	int other = openat(t->dir, "other", O_RDONLY | O_DIRECTORY);

	watcher_max_set(t->w, 2);
	assert_true(begin(t, 0, t->dir));
	assert_false(begin(t, 1, other));
	assert_false(watch_is_on(&t->x[1]));
	touch(t, "other/new/a");
	touch(t, "new/a");
	hears(t, 0, 0);
	assert_int_equal(t->heard[1], 0);
	watch_end(&t->x[0]);
	assert_true(begin(t, 1, other));
	touch(t, "other/new/b");
	hears(t, 1, 0);
	(void)close(other);
}

/* A folder that has gone, or is none. */
static void
half_a_folder_is_none(void **state)
{
	struct world *t = *state;

	assert_int_equal(unlinkat(t->dir, "cur", AT_REMOVEDIR), 0);
	assert_false(begin(t, 0, t->dir));
	assert_int_equal(watcher_count(t->w), 0);
	assert_int_equal(mkdirat(t->dir, "cur", 0700), 0);
	assert_true(begin(t, 0, t->dir));
	assert_int_equal(unlinkat(t->dir, "cur", AT_REMOVEDIR), 0);
	hears(t, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_kind_of_change_is_heard,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(two_on_a_folder_share, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    past_the_limit_nothing_is_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_folder_is_none, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
