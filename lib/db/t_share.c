/*
 * State shared through the database: two engines on one PostgreSQL agree,
 * whatever comes between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/share.h"
#include "db/share_rows.h"
#include "db/testpg.h"

static struct testpg pg;
static struct loop *l;

/* Somebody sets this host's clock: the linker has us asked for it. */
static int64_t clock_set_us;
int64_t __real_clock_wall_us(void);
int64_t __wrap_clock_wall_us(void);

int64_t
__wrap_clock_wall_us(void)
{
	return __real_clock_wall_us() + clock_set_us;
}

/* A kind: names, the highest number of each, and a sum of what was told. */
static const char schema[] =
    "CREATE TABLE pet (name text PRIMARY KEY, high bigint NOT NULL, "
    "    total bigint NOT NULL, revision bigint NOT NULL, "
    "    expires_at timestamptz NOT NULL, CHECK (name <> 'bad'));"
    "CREATE INDEX ON pet (revision);"
    "INSERT INTO shared_kind (kind) VALUES ('pet');"
    "CREATE FUNCTION pet_merge(writer text, batch bigint, names text[], "
    "    highs bigint[], adds bigint[], expires bigint[]) RETURNS bigint "
    "LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp "
    "AS $$ DECLARE r bigint := share_begin('pet', writer, batch); BEGIN "
    "IF r = 0 THEN RETURN 0; END IF; "
    "INSERT INTO pet AS p SELECT n, h, a, r, share_time(e) FROM "
    "    unnest(names, highs, adds, expires) t(n, h, a, e) "
    "ON CONFLICT (name) DO UPDATE SET high = greatest(p.high, excluded.high),"
    "    total = p.total + excluded.total, revision = r, "
    "    expires_at = greatest(p.expires_at, excluded.expires_at); "
    "RETURN r; END $$;"
    "CREATE FUNCTION pet_changed(since bigint, most bigint) "
    "RETURNS SETOF pet LANGUAGE sql STABLE SECURITY DEFINER "
    "SET search_path = postern, pg_temp AS $$ "
    "    SELECT * FROM pet WHERE revision > since AND expires_at > now() "
    "    ORDER BY revision LIMIT most $$;"
    "CREATE FUNCTION pet_expire(most bigint) RETURNS bigint LANGUAGE sql "
    "SECURITY DEFINER SET search_path = postern, pg_temp AS $$ "
    "    WITH gone AS (DELETE FROM pet WHERE name IN (SELECT name FROM pet "
    "    WHERE expires_at <= now() LIMIT most) RETURNING 1) "
    "    SELECT count(*) FROM gone $$;"
    "GRANT EXECUTE ON FUNCTION pet_merge(text, bigint, text[], bigint[], "
    "    bigint[], bigint[]), pet_changed(bigint, bigint), "
    "    pet_expire(bigint) TO postern_gate";

static const struct share_column columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_I64, SHARE_GREATEST },
	{ SHARE_I64, SHARE_SUM }, { SHARE_I64, SHARE_GREATEST },
};

/* One host's memory. */
struct host {
	struct share *share;
	struct share_kind *kind;
	struct map *high;		/* name -> number */
	unsigned caught_up;
	const char *wanted;
	intptr_t number;
	bool done;
};

static void
apply(const struct db_result *r, size_t row, void *arg)
{
	struct host *h = arg;
	struct span name = db_get(r, row, 1);

	(void)map_put(h->high, name, (void *)(intptr_t)db_i64(r, row, 2, 0));
}

static void
caught_up_cb(void *arg)
{
	((struct host *)arg)->caught_up++;
}

static const struct share_kind_is pets = {
	.name = "pet",
	.merge = "SELECT pet_merge($1, $2, $3::text[], $4::bigint[], "
	    "$5::bigint[], $6::bigint[])",
	.changed = "SELECT revision, name, high FROM "
	    "pet_changed($1, $2)",
	.expire = "SELECT pet_expire($1)",
	.columns = columns, .n_columns = ARRAY_LEN(columns),
	.dirty_max = 20000, .apply = apply, .caught_up = caught_up_cb,
};

static void
host_start(struct host *h)
{
	struct conf *conf = testpg_conf(pg.url, "");

	memset(h, 0, sizeof(*h));
	h->share = share_new(l, conf, "postern_gate", NULL);
	h->kind = share_add(h->share, &pets, h);
	h->high = map_new();
	conf_unref(&conf);
}

static void
host_end(struct host *h)
{
	share_free(&h->share);
	map_free(&h->high);
}

static void
change(struct host *h, const char *name, int64_t high, int64_t add)
{
	struct share_cell cells[] = {
		{ .text = span_str(name) }, { .i64 = high }, { .i64 = add },
		{ .i64 = share_now_ms(h->share) + 3600000 },
	};

	share_change(h->kind, cells);
}

static bool
is_fresh(void *arg)
{
	return share_is_fresh(((struct host *)arg)->kind);
}

static bool
has_it(void *arg)
{
	struct host *h = arg;

	return (intptr_t)map_get(h->high, span_str(h->wanted)) == h->number;
}

static bool
knows(struct host *h, const char *name, intptr_t high)
{
	h->wanted = name;
	h->number = high;
	return testpg_wait(l, has_it, h, TESTPG_PATIENCE);
}

static void
done_cb(void *arg)
{
	((struct host *)arg)->done = true;
}

static bool
is_done(void *arg)
{
	return ((struct host *)arg)->done;
}

static void
flush_once(struct host *h)
{
	h->done = false;
	share_flush(h->share, done_cb, h);
	assert_false(h->done);
	assert_true(testpg_wait(l, is_done, h, TESTPG_PATIENCE));
}

/* A database that is busy may not take it the first time. */
static void
flush(struct host *h)
{
	struct share_stats st;
	int i;

	for (i = 0; i < 20; i++) {
		flush_once(h);
		share_stats(h->kind, &st);
		if (st.dirty == 0)
			return;
	}
	fail_msg("%zu rows wait", st.dirty);
}

static void
assert_sql(const char *sql, const char *want)
{
	char *got = testpg_sql(&pg, sql);

	assert_string_equal(got, want);
	free(got);
}

static int
setup(void **state)
{
	(void)state;
	testpg_run(&pg, "TRUNCATE pet, shared_writer; "
	    "UPDATE shared_kind SET revision = 0");
	l = loop_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&l);
	return 0;
}

static void
two_hosts_agree(void **state)
{
	struct host a, b;

	(void)state;
	host_start(&a);
	host_start(&b);
	assert_false(share_is_fresh(a.kind));
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	assert_true(testpg_wait(l, is_fresh, &b, TESTPG_PATIENCE));
	assert_int_equal(a.caught_up, 1);

	change(&a, "rex", 3, 1);
	change(&a, "rex", 2, 1);	/* one row: the highest, the sum */
	change(&a, "it's \"\\{}, ü", 9, 0);
	change(&a, "nul\xff", 4, 0);
	assert_true(knows(&b, "rex", 3));
	assert_true(knows(&b, "it's \"\\{}, ü", 9));
	assert_true(knows(&b, "nul?", 4));
	assert_sql("SELECT total FROM pet WHERE name = 'rex'", "2");

	/* at once, from both sides: it comes to the same on both */
	change(&a, "rex", 7, 10);
	change(&b, "rex", 5, 100);
	assert_true(knows(&a, "rex", 7));
	assert_true(knows(&b, "rex", 7));
	flush(&a);
	flush(&b);
	assert_sql("SELECT high || ' ' || total FROM pet WHERE name = 'rex'",
	    "7 112");

	/* who wrote alone reads nothing of his own */
	change(&b, "mark", 1, 1);
	assert_true(knows(&a, "mark", 1));
	change(&a, "solo", 1, 1);
	flush(&a);
	assert_true(knows(&b, "solo", 1));
	testpg_sleep(l, 300);
	assert_null(map_get(a.high, SPAN_LIT("solo")));
	host_end(&a);
	host_end(&b);
}

static void
a_restart_loses_nothing_that_was_committed(void **state)
{
	struct host a;
	char name[32];
	int i;

	(void)state;
	host_start(&a);
	for (i = 0; i < 7000; i++) {	/* some before it is connected */
		(void)snprintf(name, sizeof(name), "pet %d", i);
		change(&a, name, i + 1, 1);
		if (i == 3000)
			assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	}
	flush(&a);
	assert_sql("SELECT count(*) FROM pet", "7000");
	host_end(&a);

	host_start(&a);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	assert_int_equal(map_count(a.high), 7000);
	assert_true(has_it((a.wanted = "pet 6999", a.number = 7000, &a)));
	host_end(&a);
}

static void
many_rows_of_one_revision_are_read(void **state)
{
	struct host a;

	(void)state;
	host_start(&a);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	testpg_run(&pg, "INSERT INTO pet SELECT 'p' || i, i, 0, r, "
	    "now() + interval '1 hour' FROM generate_series(1, 9000) i, "
	    "share_changed('pet') r");
	assert_true(knows(&a, "p9000", 9000));
	assert_true(knows(&a, "p1", 1));
	assert_int_equal(map_count(a.high), 9000);
	host_end(&a);
}

/* Any role may send it. */
static void
what_a_notify_claims_is_not_believed(void **state)
{
	struct host a;

	(void)state;
	host_start(&a);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	testpg_run(&pg, "NOTIFY postern_shared, 'pet 9223372036854775807'");
	testpg_sleep(l, 500);
	assert_true(share_is_fresh(a.kind));
	testpg_run(&pg, "INSERT INTO pet SELECT 'rex', 3, 0, r, "
	    "now() + interval '1 hour' FROM share_changed('pet') r");
	assert_true(knows(&a, "rex", 3));
	host_end(&a);
}

static void
a_batch_counts_once(void **state)
{
	(void)state;
	testpg_run(&pg, "SELECT pet_merge('w', 1, '{rex}', '{1}', '{5}', "
	    "'{9999999999999}')");
	testpg_run(&pg, "SELECT pet_merge('w', 1, '{rex}', '{1}', '{5}', "
	    "'{9999999999999}')");
	testpg_run(&pg, "SELECT pet_merge('v', 1, '{rex}', '{1}', '{2}', "
	    "'{9999999999999}')");
	testpg_run(&pg, "SELECT pet_merge('w', 2, '{rex}', '{1}', '{1}', "
	    "'{9999999999999}')");
	assert_sql("SELECT total FROM pet", "8");
}

static void
one_row_that_is_refused_spoils_no_other(void **state)
{
	struct host a;
	struct share_stats st;
	char name[32];
	int i;

	(void)state;
	host_start(&a);
	for (i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		change(&a, i == 123 ? "bad" : name, 1, 1);
	}
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	flush(&a);
	assert_sql("SELECT count(*) || ' ' || sum(total) FROM pet",
	    "299 299");
	share_stats(a.kind, &st);
	assert_int_equal(st.refused, 1);
	assert_int_equal(st.dirty, 0);
	host_end(&a);
}

static void
without_the_database_memory_goes_on_and_nothing_is_lost(void **state)
{
	struct host a, b;
	char name[32];
	int i;

	(void)state;
	host_start(&a);
	host_start(&b);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	assert_true(testpg_wait(l, is_fresh, &b, TESTPG_PATIENCE));
	change(&b, "before", 1, 1);
	assert_true(knows(&a, "before", 1));

	testpg_do(&pg, "stop immediate");
	testpg_sleep(l, 300);
	for (i = 0; i < 1500; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		change(&a, name, 1, 1);
	}
	assert_true(share_is_fresh(a.kind));	/* it is but a moment */
	testpg_sleep(l, 6000);
	assert_false(share_is_fresh(a.kind));
	assert_true(share_is_loaded(a.kind));
	flush_once(&a);			/* says so, and does not wait */

	testpg_do(&pg, "start");
	assert_true(knows(&b, "p1499", 1));
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	assert_true(testpg_wait(l, is_fresh, &b, TESTPG_PATIENCE));
	assert_int_equal(b.caught_up, 2);
	assert_int_equal(map_count(b.high), 1500);
	assert_sql("SELECT sum(total) FROM pet", "1501");
	host_end(&a);
	host_end(&b);
}

static void
an_older_database_is_read_from_its_beginning(void **state)
{
	struct host a;

	(void)state;
	testpg_run(&pg, "UPDATE shared_kind SET revision = 900");
	host_start(&a);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	testpg_run(&pg, "UPDATE shared_kind SET revision = 5; "
	    "INSERT INTO pet VALUES ('old', 3, 0, 4, now() + interval '1h')");
	testpg_do(&pg, "restart");
	assert_true(knows(&a, "old", 3));
	host_end(&a);
}

static void
what_has_expired_goes_and_is_not_read(void **state)
{
	struct host a;

	(void)state;
	testpg_run(&pg, "INSERT INTO pet SELECT 'p' || i, 1, 0, 1, now() - "
	    "interval '1 second' FROM generate_series(1, 50) i; "
	    "UPDATE shared_kind SET revision = 1");
	host_start(&a);
	assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
	assert_int_equal(map_count(a.high), 0);
	assert_sql("SELECT pet_expire(20) || ' ' || pet_expire(100)",
	    "20 30");
	host_end(&a);
}

static void
the_clock_is_the_databases(void **state)
{
	struct host a;
	int64_t off;
	int i;

	(void)state;
	/* an answer that takes its time says less */
	for (i = 0;; i++) {
		host_start(&a);
		assert_true(testpg_wait(l, is_fresh, &a, TESTPG_PATIENCE));
		off = share_now_ms(a.share) - clock_wall_us() / 1000;
		if (i == 10 || (off > -500 && off < 500))
			break;
		host_end(&a);
	}
	assert_in_range(off + 500, 0, 1000);
	/* whatever becomes of ours */
	clock_set_us = 40ll * 86400 * 1000000;
	off = share_now_ms(a.share) - __real_clock_wall_us() / 1000;
	clock_set_us = 0;
	assert_in_range(off + 60000, 0, 120000);
	assert_sql("SELECT share_ms(share_time(1234567890123)) || ' ' || "
	    "(share_time(1000) = '1970-01-01 00:00:01+00')",
	    "1234567890123 true");
	host_end(&a);
}

/* --- rows that wait, without a database --- */

static void
put(struct share_rows *r, const char *name, int64_t high, int64_t add)
{
	struct share_cell cells[] = {
		{ .text = span_str(name) }, { .i64 = high }, { .i64 = add },
		{ .i64 = 0 },
	};

	(void)share_rows_put(r, cells);
}

static void
past_the_bound_the_oldest_goes(void **state)
{
	struct share_rows *r = share_rows_new(columns, ARRAY_LEN(columns), 3);
	struct share_row_list list = TAILQ_HEAD_INITIALIZER(list);
	struct buf out;

	(void)state;
	put(r, "a", 1, 1);
	put(r, "b", 1, 1);
	put(r, "c", 1, 1);
	put(r, "a", 5, 1);		/* keeps its place */
	put(r, "d", 1, 1);
	assert_int_equal(share_rows_count(r), 3);
	assert_int_equal(share_rows_take(r, &list, 2), 2);
	buf_init(&out, 1024);
	share_rows_array(&list, 0, SHARE_TEXT, &out);
	assert_string_equal(buf_cstr(&out), "{\"b\",\"c\"}");
	buf_clear(&out);

	/* what comes back is joined to what is newer */
	put(r, "c", 7, 2);
	share_rows_back(r, &list);
	assert_true(TAILQ_EMPTY(&list));
	assert_int_equal(share_rows_take(r, &list, 9), 3);
	share_rows_array(&list, 0, SHARE_TEXT, &out);
	buf_char(&out, ' ');
	share_rows_array(&list, 1, SHARE_I64, &out);
	buf_char(&out, ' ');
	share_rows_array(&list, 2, SHARE_I64, &out);
	assert_string_equal(buf_cstr(&out),
	    "{\"b\",\"d\",\"c\"} {1,1,7} {1,1,3}");
	share_row_list_free(&list);
	buf_fini(&out);
	share_rows_free(&r);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past_the_bound_the_oldest_goes),
		T(two_hosts_agree),
		T(a_restart_loses_nothing_that_was_committed),
		T(many_rows_of_one_revision_are_read),
		T(what_a_notify_claims_is_not_believed),
		T(a_batch_counts_once),
		T(one_row_that_is_refused_spoils_no_other),
		T(without_the_database_memory_goes_on_and_nothing_is_lost),
		T(an_older_database_is_read_from_its_beginning),
		T(what_has_expired_goes_and_is_not_read),
		T(the_clock_is_the_databases),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	testpg_run(&pg, schema);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
