/*
 * The normal form of an address is made in C (mail/address.h) and checked in
 * SQL (is_local_part, is_domain_name). They must agree, or an address that is
 * in the database could never be found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/testpg.h"
#include "mail/address.h"

static struct testpg pg;

/* Alphabet of random addresses: what is special somewhere comes often. */
static const char *const pieces[] = { "a", "b", "Z", "0", ".", ".", "-", "_",
	"+", "=", "'", "\"", "\"", "\\", "\\\"", " ", "@", "(", ")", "<", ">",
	"[", "]", ":", ";", ",", "!", "#", "%", "/", "?", "^", "`", "{", "|",
	"}", "~", "$", "&", "*", "\t", "\x7f", "\xc3\xbc", "\xc3\x9c",
	"\xe2\x82\xac", "\xf0\x9f\x90\x91", "xn--", "ab" };

static char *
random_text(unsigned *seed, size_t max)
{
	size_t n = (size_t)rand_r(seed) % max + 1;
	struct buf b;

	buf_init(&b, 4096);
	while (n-- > 0)
		buf_str(&b, pieces[(size_t)rand_r(seed) % ARRAY_LEN(pieces)]);
	return buf_take(&b);
}

/* Do both say the same of local@a.example? Adds a row for SQL to judge. */
static void
row_add(struct buf *sql, PGconn *c, const char *local)
{
	char *addr = xasprintf("%s@a.example", local), *lit;
	struct buf normal;
	struct err err;
	bool is_normal;

	buf_init(&normal, ADDRESS_MAX);
	is_normal = address_normal_text(span_str(addr), &normal, &err) == 0 &&
	    span_eq(buf_span(&normal), span_str(addr));
	lit = PQescapeLiteral(c, local, strlen(local));
	assert_non_null(lit);
	buf_fmt(sql, "%s(%s, %s)", buf_len(sql) > 0 ? "," : "", lit,
	    is_normal ? "true" : "false");
	PQfreemem(lit);
	buf_fini(&normal);
	free(addr);
}

static void
c_and_sql_agree_on_local_parts(void **state)
{
	static const char *const known[] = { "kim", "Kim", "k.im", "k..im",
	    ".kim", "\"k im\"", "\"kim\"", "\"k\\im\"", "\"k\\\"im\"",
	    "\"\"", "\"a@b\"", "j\xc3\xbcrgen", "\"J x\"", "a b", "!#$%&'*+",
	    "\"..\"", "\"\\\\\"", "\"a\\ b\"" };
	PGconn *c = PQconnectdb(pg.url);
	unsigned seed = 20, normal = 0;
	struct buf rows;
	char *sql, *got, *text;
	size_t i;

	(void)state;
	buf_init(&rows, 4 << 20);
	for (i = 0; i < ARRAY_LEN(known); i++)
		row_add(&rows, c, known[i]);
	for (i = 0; i < 20000; i++) {
		text = random_text(&seed, 6);
		if (i % 2 == 0) {
			char *quoted = xasprintf("\"%s\"", text);

			row_add(&rows, c, quoted);
			free(quoted);
		} else
			row_add(&rows, c, text);
		free(text);
	}
	sql = xasprintf("SELECT coalesce(string_agg(l, ' | '), '') FROM "
	    "(VALUES %s) v (l, c_says) WHERE is_local_part(l) <> c_says",
	    buf_cstr(&rows));
	got = testpg_sql(&pg, sql);
	assert_string_equal(got, "");
	free(got);
	free(sql);
	for (i = 0; i + 5 < buf_len(&rows); i++)
		normal += memcmp(buf_data(&rows) + i, ", true", 6) == 0;
	assert_in_range(normal, 1000, 19000);	/* both kinds were there */
	buf_fini(&rows);
	PQfinish(c);
}

static void
what_c_makes_is_taken(void **state)
{
	static const struct { const char *in, *local, *domain; } cases[] = {
		{ "Kim@A.Example", "kim", "a.example" },
		{ "\"kim\"@a.example", "kim", "a.example" },
		{ "\"K im\"@a.example", "\"k im\"", "a.example" },
		{ "\"a\\b\"@a.example", "ab", "a.example" },
		{ "kim@b\xc3\xbc" "cher.example", "kim",
		    "xn--bcher-kva.example" },
		{ "J\xc3\x9crgen@a.example", "j\xc3\x9crgen", "a.example" },
	};
	struct buf out;
	struct err err;
	char *sql, *got;
	size_t i;

	(void)state;
	buf_init(&out, ADDRESS_MAX);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char *want = xasprintf("%s@%s", cases[i].local,
		    cases[i].domain);

		buf_clear(&out);
		assert_int_equal(address_normal_text(span_str(cases[i].in),
		    &out, &err), 0);
		assert_string_equal(buf_cstr(&out), want);
		sql = xasprintf("SELECT is_local_part(address_local(a)) AND "
		    "is_domain_name(address_domain(a)) FROM (VALUES "
		    "('%s')) v (a)", want);
		got = testpg_sql(&pg, sql);
		assert_string_equal(got, "t");
		free(got);
		free(sql);
		free(want);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c_and_sql_agree_on_local_parts),
		cmocka_unit_test(what_c_makes_is_taken),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
