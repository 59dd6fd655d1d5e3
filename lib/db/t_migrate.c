/*
 * Migrations: gaps and changes are seen, a failed one leaves nothing, and a
 * database that was migrated step by step equals a fresh one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/migrate.h"
#include "db/testpg.h"

#define BASE	"CREATE SCHEMA postern; CREATE TABLE postern.migration " \
	"(revision integer PRIMARY KEY, name text, checksum text);"

static struct testpg pg;
static char *real_sql;
static char *dir;

static int
dir_new(void **state)
{
	(void)state;
	dir = xstrdup("/tmp/t_migrate-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int
dir_gone(void **state)
{
	char *cmd = xasprintf("rm -rf '%s'", dir);

	(void)state;
	assert_int_equal(system(cmd), 0);
	free(cmd);
	free(dir);
	return 0;
}

static void
file_put(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

/* URL of a database of its own. */
static char *
database(const char *name)
{
	char *sql = xasprintf("CREATE DATABASE %s", name), *url;
	const char *query = strchr(pg.url, '?');

	testpg_run(&pg, sql);
	free(sql);
	url = xasprintf("postgresql:///%s%s", name, query);
	return url;
}

static int
apply(const char *url, const char *from, int upto, struct err *err)
{
	return migrate_apply(url, "", "", from, upto, NULL, NULL, err);
}

static int
revision(const char *url, const char *from)
{
	struct migrate_status st;
	struct err err;

	if (migrate_status(url, "", "", from, &st, &err) != 0)
		return -1;
	return st.current;
}

static void
odd_directories_are_refused(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(apply(pg.url, "/nonexistent", 0, &err),
	    PS_ENOTFOUND);
	assert_int_equal(apply(pg.url, dir, 0, &err), PS_ENOTFOUND);
	file_put("README.md", "");
	file_put("12_short.sql", "");
	file_put("0000_zero.sql", "");
	assert_int_equal(apply(pg.url, dir, 0, &err), PS_ENOTFOUND);
	file_put("0002_b.sql", BASE);
	assert_int_equal(apply(pg.url, dir, 0, &err), PS_ENOTFOUND);
	assert_non_null(strstr(err.why, "0001 is missing"));
	file_put("0001_a.sql", BASE);
	file_put("0001_c.sql", BASE);
	assert_int_equal(apply(pg.url, dir, 0, &err), PS_EEXIST);
}

static void
no_server_is_temporary(void **state)
{
	struct err err;

	(void)state;
	assert_int_not_equal(apply("host=/nonexistent password=s3cret",
	    real_sql, 0, &err), 0);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_null(strstr(err.why, "s3cret"));
}

static void
another_encoding_is_refused(void **state)
{
	const char *query = strchr(pg.url, '?');
	char *url = xasprintf("postgresql:///ascii%s", query);
	struct err err;

	(void)state;
	testpg_run(&pg, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE "
	    "template0 LC_COLLATE 'C' LC_CTYPE 'C'");
	assert_int_equal(apply(url, real_sql, 0, &err), PS_ENOSYS);
	assert_non_null(strstr(err.why, "UTF8"));
	free(url);
}

static void
a_failed_one_leaves_nothing_and_can_be_mended(void **state)
{
	char *url = database("failing");
	struct err err;

	(void)state;
	file_put("0001_base.sql", BASE);
	file_put("0002_bad.sql", "CREATE TABLE postern.t (i integer);\n"
	    "SELECT 1/0;");
	assert_int_not_equal(apply(url, dir, 0, &err), 0);
	assert_int_equal(err.kind, ERR_PERM);
	assert_non_null(strstr(err.why, "0002_bad.sql"));
	assert_non_null(strstr(err.why, "division by zero"));
	assert_int_equal(revision(url, dir), 1);
	file_put("0002_bad.sql", "CREATE TABLE postern.t (i integer);");
	assert_int_equal(apply(url, dir, 0, &err), 0);
	assert_int_equal(revision(url, dir), 2);
	assert_int_equal(apply(url, dir, 0, &err), 0);	/* nothing to do */
	free(url);
}

static void
a_changed_file_is_seen(void **state)
{
	char *url = database("changed");
	struct err err;

	(void)state;
	file_put("0001_base.sql", BASE);
	assert_int_equal(apply(url, dir, 0, &err), 0);
	file_put("0001_base.sql", BASE " ");
	assert_int_equal(apply(url, dir, 0, &err), PS_ECORRUPT);
	assert_int_equal(revision(url, dir), -1);
	free(url);
}

static void
two_at_once_do_it_once(void **state)
{
	char *url = database("race");
	struct err err;
	int i, st, rc, status = 0;

	(void)state;
	for (i = 0; i < 3; i++)
		if (fork() == 0) {
			rc = apply(url, real_sql, 0, &err);
			free(url);	/* valgrind judges the child, too */
			_exit(rc != 0);
		}
	for (i = 0; i < 3; i++) {
		assert_true(wait(&st) > 0);
		status |= st;
	}
	assert_int_equal(status, 0);
	assert_int_equal(revision(url, real_sql), DB_REVISION);
	free(url);
}

static void
this_build_knows_the_newest_file(void **state)
{
	struct migrate_status st;
	struct err err;
	char *url = database("newest");

	(void)state;
	assert_int_equal(migrate_status(url, "", "", real_sql, &st, &err), 0);
	assert_int_equal(st.current, 0);
	assert_int_equal(st.newest, DB_REVISION);
	assert_int_equal(st.needed, DB_REVISION);
	free(url);
}

static char *
dump(const char *url)
{
	const char *src = testpg_srcdir();
	char *cmd = xasprintf("'%s/tests/pgcluster' bin pg_dump "
	    "--exclude-table-data=postern.migration "
	    "--exclude-table-data=postern.admin_key '%s' | "
	    "grep -v '^.restrict\\|^.unrestrict'", src,
	    url);
	FILE *f = popen(cmd, "r");
	struct buf out;
	char *at;
	size_t n;

	assert_non_null(f);
	buf_init(&out, 8 << 20);
	while ((at = buf_reserve(&out, 65536)) != NULL &&
	    (n = fread(at, 1, 65536, f)) > 0)
		buf_commit(&out, n);
	assert_int_equal(pclose(f), 0);
	assert_true(buf_len(&out) > 10000);
	free(cmd);
	return buf_take(&out);
}

static void
fresh_and_migrated_are_equal(void **state)
{
	char *fresh = database("fresh"), *steps = database("steps");
	char *a, *b;
	struct err err;
	int i;

	(void)state;
	assert_int_equal(apply(fresh, real_sql, 0, &err), 0);
	for (i = 1; i <= DB_REVISION; i++) {
		assert_int_equal(apply(steps, real_sql, i, &err), 0);
		assert_int_equal(revision(steps, real_sql), i);
	}
	a = dump(fresh);
	b = dump(steps);
	assert_string_equal(a, b);
	free(a);
	free(b);
	free(fresh);
	free(steps);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, dir_new, dir_gone)
	const struct CMUnitTest tests[] = {
		T(odd_directories_are_refused),
		T(no_server_is_temporary),
		T(another_encoding_is_refused),
		T(a_failed_one_leaves_nothing_and_can_be_mended),
		T(a_changed_file_is_seen),
		T(two_at_once_do_it_once),
		T(this_build_knows_the_newest_file),
		T(fresh_and_migrated_are_equal),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	real_sql = testpg_sql_dir();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	free(real_sql);
	testpg_stop(&pg);
	return rc;
}
