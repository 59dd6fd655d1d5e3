/*
 * Watched tables follow their files, and are let go of with their last user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "table/watch.h"

static char path[] = "/tmp/t_watchXXXXXX";
static char logged[4096];

static void
log_cb(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)snprintf(logged + strlen(logged),
	    sizeof(logged) - strlen(logged), "%s\n", line);
}

static void
file_write(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

static void
run_ms(struct loop *l, uint64_t ms)
{
	struct timer t;

	timer_init(&t, l, stop_cb, l);
	timer_set_ms(&t, ms);
	loop_run(l);
	timer_clear(&t);
}

static bool
says(struct table *t, const char *key, const char *want)
{
	struct buf out;
	struct err err;
	bool same;

	buf_init(&out, TABLE_VALUE_MAX);
	(void)table_look_up(t, span_str(key), &out, &err);
	same = strcmp(buf_cstr(&out), want) == 0;
	buf_fini(&out);
	return same;
}

static bool
becomes(struct loop *l, struct table *t, const char *key, const char *want)
{
	int i;

	for (i = 0; i < 2000 && !says(t, key, want); i++)
		run_ms(l, 5);
	return i < 2000;
}

static struct table *
open_spec(const char *form)
{
	char spec[100];
	struct err err;
	struct table *t;

	(void)snprintf(spec, sizeof(spec), "%s:%s", form, path);
	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	return t;
}

static void
changes_are_taken(void **state)
{
	struct loop *l = loop_new();
	struct table_watch *w = table_watch_new(l, 5);
	struct table *t, *same;
	char spec[100];
	struct err err;

	(void)state;
	file_write("a OK\n");
	t = open_spec("hash");
	same = open_spec("hash");
	assert_ptr_equal(same, t);		/* one for all who name it */
	table_unref(&same);
	file_write("a REJECT\nlonely\n");
	assert_true(becomes(l, t, "a", "REJECT"));
	assert_non_null(strstr(logged, ":2: a key and a value"));
	assert_int_equal(unlink(path), 0);
	run_ms(l, 100);
	assert_true(says(t, "a", "REJECT"));
	file_write("a 450 again\n");
	assert_true(becomes(l, t, "a", "450 again"));
	table_unref(&t);
	/* and as the member of another */
	(void)snprintf(spec, sizeof(spec), "unionmap:{static:x, hash:%s}",
	    path);
	t = table_open(span_str(spec), &err);
	assert_non_null(t);
	file_write("a new\n");
	assert_true(becomes(l, t, "a", "x,new"));
	table_unref(&t);
	table_watch_free(&w);
	loop_free(&l);
}

static void
now_is_sooner(void **state)
{
	struct loop *l = loop_new();
	struct table_watch *w = table_watch_new(l, 3600000);
	struct table *t;

	(void)state;
	file_write("a OK\n");
	t = open_spec("texthash");
	file_write("a REJECT\n");
	table_watch_now(w);
	table_watch_now(w);
	assert_true(becomes(l, t, "a", "REJECT"));
	file_write("a 450 again\n");
	table_watch_now(w);
	assert_true(becomes(l, t, "a", "450 again"));
	table_watch_free(&w);			/* while the table is in use */
	assert_true(says(t, "a", "450 again"));
	table_unref(&t);
	loop_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_taken),
		cmocka_unit_test(now_is_sooner),
	};
	int rc, fd = mkstemp(path);

	if (fd == -1)
		return 1;
	(void)close(fd);
	log_tap(log_cb, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return rc;
}
