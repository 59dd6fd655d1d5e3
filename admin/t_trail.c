#include "admin/trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/xmalloc.h"

/* --- lines --- */

static const struct {
	const char *line;
	const char *when, *service, *pid, *text;	/* when NULL: refused */
} lines[] = {
	{ "Nov 28 10:57:48 mx postern/smtpd[811]: connect from x[::1]",
	    "Nov 28 10:57:48", "smtpd", "811", "connect from x[::1]" },
	{ "Nov  8 10:57:48 mx postern/qmgr[2]: a",
	    "Nov  8 10:57:48", "qmgr", "2", "a" },
	{ "2026-11-28T10:57:48.123+01:00 mx postern/deliver[9]: b c",
	    "2026-11-28T10:57:48.123+01:00", "deliver", "9", "b c" },
	{ "Nov 28 10:57:48 mx postern[1]: started", "Nov 28 10:57:48", "",
	    "1", "started" },
	{ "Nov 28 10:57:48 mx postern: ", "Nov 28 10:57:48", "", "", "" },
	{ "Nov 28 10:57:48 mx postern2/smtpd[811]: x", NULL, 0, 0, 0 },
	{ "Nov 28 10:57:48 mx postfix/smtpd[811]: x", NULL, 0, 0, 0 },
	{ "Nov 28 10:57:48 mx postern/smtpd[811: x", NULL, 0, 0, 0 },
	{ "Nov 28 10:57:48 mx postern/smtpd[811] x", NULL, 0, 0, 0 },
	{ "Nov 28 10:57:48 postern/smtpd[811]:", NULL, 0, 0, 0 },
	{ "Nov", NULL, 0, 0, 0 },
	{ "", NULL, 0, 0, 0 },
	{ "  x", NULL, 0, 0, 0 },
	{ "1", NULL, 0, 0, 0 },
};

static void
lines_are_read(void **state)
{
	struct logline l;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lines); i++) {
		if (lines[i].when == NULL) {
			assert_false(logline_parse(span_str(lines[i].line),
			    "postern", &l));
			continue;
		}
		assert_true(logline_parse(span_str(lines[i].line), "postern",
		    &l));
		assert_true(span_eq(l.when, span_str(lines[i].when)));
		assert_true(span_eq(l.service, span_str(lines[i].service)));
		assert_true(span_eq(l.pid, span_str(lines[i].pid)));
		assert_true(span_eq(l.text, span_str(lines[i].text)));
	}
}

/* A line that ends anywhere is refused or read, and nothing behind it is
 * looked at (the copy has exactly its size: valgrind and ASan see it). */
static void
cut_lines_stay_inside(void **state)
{
	struct logline l;
	size_t i, n;
	char *copy;

	for (i = 0; i < ARRAY_LEN(lines); i++)
		for (n = 0; n < strlen(lines[i].line); n++) {
			copy = xmalloc(n + (n == 0));
			memcpy(copy, lines[i].line, n);
			if (logline_parse(span_of(copy, n), "postern", &l)) {
				(void)logline_id(l.text);
				(void)logline_value(l.text, "to");
			}
			free(copy);
		}
}

static void
values_are_found_at_the_start_of_words(void **state)
{
	struct span text = SPAN_LIT("0A00001c3kF9: to=<a b@c>, "
	    "orig_to=<d@e>, relay=kim, delay=0.02, status=sent (to=<no>)");

	assert_true(span_eq(logline_value(text, "to"), SPAN_LIT("a b@c")));
	assert_true(span_eq(logline_value(text, "orig_to"),
	    SPAN_LIT("d@e")));
	assert_true(span_eq(logline_value(text, "relay"), SPAN_LIT("kim")));
	assert_true(span_eq(logline_value(text, "status"),
	    SPAN_LIT("sent")));
	assert_int_equal(logline_value(text, "lay").n, 0);
	assert_int_equal(logline_value(SPAN_LIT("to="), "to").n, 0);
	assert_int_equal(logline_value(SPAN_LIT("to=<"), "to").n, 0);
	assert_true(span_eq(logline_value(SPAN_LIT("to=<x"), "to"),
	    SPAN_LIT("x")));
}

static void
ids_have_their_lengths(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} t[] = {
		{ "0A00001c3kF9: client=x", 12 }, { "0A00001c3k login", 10 },
		{ "0A00001c3k: x", 10 }, { "NOQUEUE: reject: x", 0 },
		{ "0A00001c3kF: x", 0 }, { "0A00001c3kF99: x", 0 },
		{ "disconnect from x", 0 }, { "statistics: x", 0 },
		{ "aaaaaaaaaZ: x", 10 },
		{ "0A00001c3kF9", 0 }, { "", 0 }, { "0A00001c3k-", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(logline_id(span_str(t[i].text)).n, t[i].n);
}

/* --- trails --- */

#define AT "Nov 28 10:57:48 mx postern/"

static const char *const sample[] = {
	AT "smtpd[8]: connect from x[192.0.2.7]",
	AT "smtpd[8]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 550 5.1.1 "
	    "<no@a.example>: no; from=<s@b.example> to=<no@a.example>",
	AT "smtpd[8]: 0A00001c3k00: client=x[192.0.2.7]",
	AT "smtpd[8]: 0A00001c3k00: message-id=<One@b.example>",
	AT "qmgr[3]: 0A00001c3k00: from=<s@b.example>, size=1, nrcpt=1",
	AT "deliver[4]: 0A00001c3k00: to=<kim@a.example>, status=sent (ok)",
	AT "smtpd[8]: 0A00001c3k01: client=x[192.0.2.7]",
	AT "deliver[4]: 0A00001c3k01: to=<lee@a.example>, status=sent (ok)",
	AT "smtpd[8]: 0A00001c4k00: client=y[192.0.2.8]",
	"Nov 28 10:57:48 mx other/smtpd[8]: 0A00001c3k00: to=<kim@a.example>",
	AT "qmgr[3]: 0A00001c3k00: removed",
};

static struct trails *
play(const char *what)
{
	struct trails *t = trails_new("postern", span_str(what));
	size_t i;

	assert_non_null(t);
	for (i = 0; !trails_known(t) && i < ARRAY_LEN(sample); i++)
		trails_find(t, span_str(sample[i]));
	for (i = 0; i < ARRAY_LEN(sample); i++)
		trails_gather(t, span_str(sample[i]));
	return t;
}

static void
a_search_finds_its_messages(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		const char *id[4];
		size_t lines[4];
	} t[] = {
		{ "0A00001c3k00", 1, { "0A00001c3k00" }, { 5 } },
		{ "0A00001c3k", 2, { "0A00001c3k00", "0A00001c3k01" },
		    { 5, 2 } },
		{ "KIM@a.example", 1, { "0A00001c3k00" }, { 5 } },
		{ "<lee@a.example>", 1, { "0A00001c3k01" }, { 2 } },
		{ "one@b.example", 1, { "0A00001c3k00" }, { 5 } },
		{ "no@a.example", 1, { "" }, { 1 } },
		{ "s@b.example", 2, { "", "0A00001c3k00" }, { 1, 5 } },
		{ "192.0.2.8", 1, { "0A00001c4k00" }, { 1 } },
		{ "192.0.2.7", 3, { "", "0A00001c3k00", "0A00001c3k01" },
		    { 2, 5, 2 } },
		{ "0A00001c9900", 0, { 0 }, { 0 } },
		{ "im@a.example", 0, { 0 }, { 0 } },
	};
	struct trails *trails;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		trails = play(t[i].what);
		assert_int_equal(trails_count(trails), t[i].n);
		for (k = 0; k < t[i].n; k++) {
			assert_string_equal(trails_get(trails, k)->id,
			    t[i].id[k]);
			assert_int_equal(trails_get(trails, k)->n_lines,
			    t[i].lines[k]);
		}
		trails_free(&trails);
	}
}

static void
what_is_no_search_is_refused(void **state)
{
	static const char *const t[] = { "", "kim", "0A00001c3k0", "@x", "<>",
		"1.2.3", "0A00001c3k-0" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		assert_null(trails_new("postern", span_str(t[i])));
}

/* The newest messages of an address are kept, or the first of a session. */
static void
there_may_be_too_many(void **state)
{
	struct trails *t;
	char line[200];
	int i, turn;

	t = trails_new("postern", SPAN_LIT("kim@a.example"));
	for (turn = 0; turn < 2; turn++)
		for (i = 0; i < TRAILS_MAX + 10; i++) {
			snprintf(line, sizeof(line), AT
			    "deliver[4]: 0A0000%04d00: to=<kim@a.example>",
			    i);
			if (turn == 0)
				trails_find(t, span_str(line));
			else
				trails_gather(t, span_str(line));
		}
	assert_int_equal(trails_count(t), TRAILS_MAX);
	assert_string_equal(trails_get(t, 0)->id, "0A0000001000");
	assert_true(trails_more(t));
	trails_free(&t);

	t = trails_new("postern", SPAN_LIT("0A00001c3k"));
	for (i = 0; i < QUEUE_ID_PER_SESSION; i++) {
		snprintf(line, sizeof(line), AT "smtpd[4]: 0A00001c3k%c%c: x",
		    'A' + i / 62 % 26, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz"[i % 62]);
		trails_gather(t, span_str(line));
	}
	assert_int_equal(trails_count(t), TRAILS_MAX);
	assert_true(trails_more(t));
	for (i = 0; i < TRAIL_LINES_MAX + 5; i++)
		trails_gather(t, SPAN_LIT(AT "smtpd[4]: 0A00001c3kA0: y"));
	assert_int_equal(trails_get(t, 0)->n_lines, TRAIL_LINES_MAX);
	assert_true(trails_get(t, 0)->left_out > 0);
	trails_free(&t);

	t = trails_new("postern", SPAN_LIT("192.0.2.7"));
	for (i = 0; i < 2 * TRAIL_LINES_MAX + 5; i++) {
		snprintf(line, sizeof(line), AT
		    "smtpd[8]: connect %d from x[192.0.2.7]", i);
		trails_gather(t, span_str(line));
	}
	assert_int_equal(trails_get(t, 0)->n_lines +
	    trails_get(t, 0)->left_out, 2 * TRAIL_LINES_MAX + 5);
	assert_string_equal(trails_get(t, 0)->line[
	    trails_get(t, 0)->n_lines - 1], line);
	trails_free(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(cut_lines_stay_inside),
		cmocka_unit_test(values_are_found_at_the_start_of_words),
		cmocka_unit_test(ids_have_their_lengths),
		cmocka_unit_test(a_search_finds_its_messages),
		cmocka_unit_test(what_is_no_search_is_refused),
		cmocka_unit_test(there_may_be_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
