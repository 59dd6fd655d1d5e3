/*
 * Threads (RFC 5256 3) as a table: messages in, the answer out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "imapd/thread_tree.h"

#define MESSAGES_MAX	12

struct message {
	int64_t sent;
	const char *id, *refs, *subject;
	bool reply;
};

static const struct {
	const char *name;
	struct message m[MESSAGES_MAX];
	const char *by_references, *by_subject;
} cases[] = {
	{ "none", { { 0, NULL, NULL, NULL, false } }, "", "" },
	{ "strangers", {
	    { 3, "<a>", "", "x", false }, { 1, "<b>", "", "y", false },
	    { 2, "<c>", "", "z", false } },
	    "(2)(3)(1)", "(2)(3)(1)" },
	{ "a chain", {
	    { 1, "<a>", "", "x", false }, { 2, "<b>", "<a>", "x", true },
	    { 3, "<c>", "<a> <b>", "x", true } },
	    "(1 2 3)", "(1 (2)(3))" },
	{ "a chain that came backwards", {
	    { 3, "<c>", "<a> <b>", "x", true },
	    { 2, "<b>", "<a>", "x", true }, { 1, "<a>", "", "x", false } },
	    "(3 2 1)", "(3 (2)(1))" },
	{ "the tree of RFC 5256 4", {		/* (3 6 (4 23)(44 7 96)) */
	    { 1, "<2>", "", "a", false }, { 2, "<3>", "", "b", false },
	    { 3, "<6>", "<3>", "b", true }, { 4, "<4>", "<3><6>", "b", true },
	    { 5, "<23>", "<3><6><4>", "b", true },
	    { 6, "<44>", "<3> <6>", "b", true },
	    { 7, "<7>", "<3> <6> <44>", "b", true },
	    { 8, "<96>", "<3> <6> <44> <7>", "b", true } },
	    "(1)(2 3 (4 5)(6 7 8))", "(1)(2 (3)(4)(5)(6)(7)(8))" },
	{ "answers to a message that is not there", {
	    { 1, "<b>", "<a>", "x", true }, { 2, "<c>", "<a>", "x", true } },
	    "((1)(2))", "(1 2)" },
	{ "one answer to it", {
	    { 1, "<b>", "<a>", "x", true }, { 2, "<z>", "", "y", false } },
	    "(1)(2)", "(1)(2)" },
	{ "dummies in the middle go", {
	    { 1, "<a>", "", "x", false }, { 2, "<d>", "<a><b><c>", "x", true },
	    { 3, "<e>", "<a> <b>", "x", true } },
	    "(1 (2)(3))", "(1 (2)(3))" },
	{ "dummies under a dummy", {
	    { 2, "<d>", "<a> <b>", "x", true },
	    { 1, "<e>", "<a> <c>", "x", true } },
	    "((2)(1))", "(2 1)" },
	{ "same subject, reply joins the original", {
	    { 1, "<a>", "", "x", false }, { 2, "<b>", "", "x", true } },
	    "(1 2)", "(1 2)" },
	{ "two originals of a subject stand side by side", {
	    { 1, "<a>", "", "x", false }, { 2, "<b>", "", "x", false },
	    { 3, "<c>", "", "x", true } },
	    "((1)(2)(3))", "(1 (2)(3))" },
	{ "the original came later than the reply", {
	    { 1, "<b>", "", "x", true }, { 2, "<a>", "", "x", false } },
	    "(2 1)", "(1 2)" },
	{ "dummies of one subject become one", {
	    { 1, "<b>", "<a>", "x", true }, { 2, "<c>", "<a>", "x", true },
	    { 3, "<e>", "<d>", "x", true }, { 4, "<f>", "<d>", "x", true },
	    { 5, "<g>", "", "x", false } },
	    "((1)(2)(3)(4)(5))", "(1 (2)(3)(4)(5))" },
	{ "no subject joins nobody", {
	    { 1, "<a>", "", "", false }, { 2, "<b>", "", "", false } },
	    "(1)(2)", "(1 2)" },
	{ "a loop is not made", {
	    { 1, "<a>", "<b>", "x", true }, { 2, "<b>", "<a>", "y", true } },
	    "(2 1)", "(1)(2)" },
	{ "itself as parent", {
	    { 1, "<a>", "<a>", "x", true }, { 2, "<b>", "<b> <b>", "y", true } },
	    "(1)(2)", "(1)(2)" },
	{ "an id twice: the second is nobody's parent", {
	    { 1, "<a>", "", "x", false }, { 2, "<a>", "", "y", false },
	    { 3, "<b>", "<a>", "z", true } },
	    "(1 3)(2)", "(1)(2)(3)" },
	{ "quotes are no difference", {
	    { 1, "<\"01KF8\"@x>", "", "x", false },
	    { 2, "<b>", "<01KF8@x>", "y", true } },
	    "(1 2)", "(1)(2)" },
	{ "no ids, and broken ones", {
	    { 1, "", "", "x", false }, { 2, "nonsense", "<", "y", false },
	    { 3, "<>", "<> <  >", "z", false } },
	    "(1)(2)(3)", "(1)(2)(3)" },
	{ "a truncated References is corrected by the message itself", {
	    { 1, "<a>", "", "x", false },
	    { 4, "<d>", "<a> <c>", "x", true },	/* <b> is missing */
	    { 2, "<b>", "<a>", "x", true },
	    { 3, "<c>", "<a> <b>", "x", true } },
	    "(1 3 4 2)", "(1 (3)(4)(2))" },
};

static void
fill(struct thread_tree *t, const struct message *m)
{
	uint32_t i;

	thread_init(t);
	for (i = 0; i < MESSAGES_MAX && m[i].id != NULL; i++) {
		thread_add(t, i + 1, m[i].sent, span_str(m[i].subject),
		    m[i].reply);
		thread_add_id(t, span_str(m[i].id));
		(void)thread_add_refs(t, span_str(m[i].refs), SIZE_MAX);
	}
}

static void
expect(const char *name, struct buf *out, const char *want)
{
	if (!span_eq(buf_span(out), span_str(want)))
		fail_msg("%s: %s, want %s", name, buf_cstr(out), want);
	buf_clear(out);
}

static void
test_cases(void **state)
{
	struct thread_tree t;
	struct buf out;
	size_t i;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		fill(&t, cases[i].m);
		thread_by_references(&t, &out);
		expect(cases[i].name, &out, cases[i].by_references);
		thread_by_subject(&t, &out);
		expect(cases[i].name, &out, cases[i].by_subject);
		/* the tree may be asked again */
		thread_by_references(&t, &out);
		expect(cases[i].name, &out, cases[i].by_references);
		thread_fini(&t);
	}
	buf_fini(&out);
}

/* Numbers in the answer are exactly those put in, once each. */
static void
check_complete(struct buf *out, uint32_t n)
{
	uint8_t *seen = calloc(n + 1, 1);
	const char *p = buf_cstr(out);
	uint32_t i;
	long depth = 0;

	while (*p != '\0') {
		depth += (*p == '(') - (*p == ')');
		assert_true(depth >= 0);
		if (*p < '0' || *p > '9') {
			p++;
			continue;
		}
		i = (uint32_t)strtoul(p, (char **)(uintptr_t)&p, 10);
		assert_in_range(i, 1, n);
		assert_int_equal(seen[i]++, 0);
	}
	assert_int_equal(depth, 0);
	for (i = 1; i <= n; i++)
		assert_int_equal(seen[i], 1);
	free(seen);
}

/* Whatever refers to whatever, nobody is lost or doubled. */
static void
test_random_references(void **state)
{
	struct thread_tree t;
	struct buf out;
	char id[32], refs[128], subject[2] = "a";
	unsigned seed = 1, round, i, n;

	buf_init(&out, BUF_NO_CAP);
	for (round = 0; round < 3000; round++) {
		thread_init(&t);
		n = 1 + (unsigned)rand_r(&seed) % 30;
		for (i = 0; i < n; i++) {
			unsigned ids = 1 + n;

			snprintf(id, sizeof(id), "<%u>",
			    (unsigned)rand_r(&seed) % ids);
			snprintf(refs, sizeof(refs), "<%u> <%u> <%u>",
			    (unsigned)rand_r(&seed) % ids,
			    (unsigned)rand_r(&seed) % ids,
			    (unsigned)rand_r(&seed) % ids);
			subject[0] = (char)('a' + rand_r(&seed) % 4);
			thread_add(&t, i + 1, rand_r(&seed) % 10,
			    span_str(subject), rand_r(&seed) % 2);
			thread_add_id(&t, span_str(id));
			(void)thread_add_refs(&t, span_str(refs),
			    (unsigned)rand_r(&seed) % 4);
		}
		thread_by_references(&t, &out);
		check_complete(&out, n);
		buf_clear(&out);
		thread_by_subject(&t, &out);
		check_complete(&out, n);
		buf_clear(&out);
		thread_fini(&t);
	}
	buf_fini(&out);
}

/* Deep and wide ones need neither stack nor patience. */
static void
test_long_threads(void **state)
{
	enum { N = 200000 };
	struct thread_tree t;
	struct buf out;
	char id[32], refs[32];
	uint32_t i;
	int form;

	buf_init(&out, BUF_NO_CAP);
	for (form = 0; form < 3; form++) {
		thread_init(&t);
		for (i = 0; i < N; i++) {
			snprintf(id, sizeof(id), "<%u>", i);
			snprintf(refs, sizeof(refs), "<%u>",
			    form == 0 ? i - 1 : form == 1 ? i + 1 : 0);
			thread_add(&t, i + 1, i, SPAN_LIT("x"), true);
			thread_add_id(&t, span_str(id));
			(void)thread_add_refs(&t, span_str(refs), 1);
		}
		thread_by_references(&t, &out);
		check_complete(&out, N);
		buf_clear(&out);
		thread_fini(&t);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random_references),
		cmocka_unit_test(test_long_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
