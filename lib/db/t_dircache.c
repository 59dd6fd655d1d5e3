/*
 * The cache alone: what is found, what goes, in which order; no database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/dircache.h"
#include "db/resolution.h"
#include "db/result.h"

/* An answer that depends on `more` besides what was asked. */
static struct resolution *
answer(const char *asked, const char *more)
{
	struct db_result r = { .pg = PQmakeEmptyPGresult(NULL,
	    PGRES_TUPLES_OK) };
	PGresAttDesc cols[3] = { { .name = (char *)(uintptr_t)"item" },
		{ .name = (char *)(uintptr_t)"value" },
		{ .name = (char *)(uintptr_t)"id" } };
	struct resolution *res;
	char copy[64];

	assert_int_equal(PQsetResultAttrs(r.pg, 3, cols), 1);
	assert_int_equal(PQsetvalue(r.pg, 0, 0,
	    (char *)(uintptr_t)"class", 5), 1);
	assert_int_equal(PQsetvalue(r.pg, 0, 1,
	    (char *)(uintptr_t)"unknown", 7), 1);
	if (more != NULL) {
		(void)snprintf(copy, sizeof(copy), "%s", more);
		assert_int_equal(PQsetvalue(r.pg, 1, 0,
		    (char *)(uintptr_t)"depends", 7), 1);
		assert_int_equal(PQsetvalue(r.pg, 1, 1, copy,
		    (int)strlen(copy)), 1);
	}
	res = resolution_of_rows(span_str(asked), &r, 1);
	db_result_fini(&r);
	return res;
}

static void
put(struct dircache *c, const char *key, const char *more, bool negative)
{
	struct resolution *res = answer(key, more);

	dircache_put(c, span_str(key), res, negative, 1, 1);
	resolution_unref(&res);
}

static bool
has(struct dircache *c, const char *key)
{
	return dircache_get(c, span_str(key)) != NULL;
}

static void
an_entry_goes_with_anything_it_depends_on(void **state)
{
	struct dircache *c = dircache_new(10, 10);

	(void)state;
	put(c, "kim@a.example", "b.example/lee", false);
	put(c, "jo@a.example", "org:7", false);
	put(c, "@a.example", NULL, false);
	assert_int_equal(dircache_drop(c, SPAN_LIT("c.example")), 0);
	assert_int_equal(dircache_drop(c, SPAN_LIT("b.example/lee")), 1);
	assert_false(has(c, "kim@a.example"));
	assert_true(has(c, "jo@a.example"));
	assert_int_equal(dircache_drop(c, SPAN_LIT("a.example/jo")), 1);
	assert_false(has(c, "jo@a.example"));
	put(c, "jo@a.example", "org:7", false);
	assert_int_equal(dircache_drop(c, SPAN_LIT("a.example")), 2);
	assert_false(has(c, "jo@a.example"));
	assert_false(has(c, "@a.example"));
	assert_int_equal(dircache_drop(c, SPAN_LIT("org:7")), 0);
	dircache_free(&c);
}

static void
misses_do_not_push_out_hits(void **state)
{
	struct dircache *c = dircache_new(4, 4);
	char key[32];
	size_t pos, neg;
	int i;

	(void)state;
	put(c, "kim@a.example", NULL, false);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "x%d@a.example", i);
		put(c, key, NULL, true);
	}
	dircache_count(c, &pos, &neg);
	assert_int_equal(pos, 1);
	assert_int_equal(neg, 4);
	assert_true(has(c, "kim@a.example"));
	assert_true(has(c, "x999@a.example"));
	assert_false(has(c, "x0@a.example"));
	dircache_free(&c);
}

static void
the_least_recently_used_goes_first(void **state)
{
	struct dircache *c = dircache_new(2, 2);

	(void)state;
	put(c, "a@x.example", NULL, false);
	put(c, "b@x.example", NULL, false);
	assert_true(has(c, "a@x.example"));
	put(c, "c@x.example", NULL, false);
	assert_true(has(c, "a@x.example"));
	assert_false(has(c, "b@x.example"));
	dircache_limits(c, 1, 1);
	assert_true(has(c, "a@x.example"));
	assert_false(has(c, "c@x.example"));
	dircache_free(&c);
}

static void
clear_forgets_all_and_memory_follows(void **state)
{
	struct dircache *c = dircache_new(100, 100);
	char key[32];
	size_t pos, neg;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "x%d@a.example", i);
		put(c, key, NULL, false);
	}
	dircache_clear(c);
	assert_false(has(c, "x1@a.example"));
	for (i = 0; i < 30; i++) {
		(void)snprintf(key, sizeof(key), "y%d@a.example", i);
		put(c, key, NULL, false);
	}
	dircache_count(c, &pos, &neg);
	assert_int_equal(pos, 30);
	dircache_free(&c);
}

static void
a_drop_of_very_many_is_a_clear(void **state)
{
	struct dircache *c = dircache_new(10000, 10);
	char key[32];
	int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "x%d@a.example", i);
		put(c, key, NULL, false);
	}
	put(c, "kim@b.example", NULL, false);
	assert_true(dircache_drop(c, SPAN_LIT("a.example")) == SIZE_MAX);
	assert_false(has(c, "x77@a.example"));
	assert_false(has(c, "kim@b.example"));
	dircache_free(&c);
}

static void
a_resolution_outlives_its_entry(void **state)
{
	struct dircache *c = dircache_new(10, 10);
	struct resolution *mine;

	(void)state;
	put(c, "kim@a.example", NULL, false);
	mine = resolution_ref(dircache_get(c,
	    SPAN_LIT("kim@a.example"))->res);
	assert_int_equal(dircache_drop(c, SPAN_LIT("a.example")), 1);
	assert_string_equal(mine->address, "kim@a.example");
	assert_string_equal(mine->domain, "a.example");
	resolution_unref(&mine);
	assert_null(mine);
	dircache_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_goes_with_anything_it_depends_on),
		cmocka_unit_test(misses_do_not_push_out_hits),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(clear_forgets_all_and_memory_follows),
		cmocka_unit_test(a_drop_of_very_many_is_a_clear),
		cmocka_unit_test(a_resolution_outlives_its_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
