/*
 * Forged result fields, in one piece, byte by byte and in threes: the same
 * stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "smtpd/headfilter.h"

#define AR	"Authentication-Results:"

static const struct {
	const char *name, *in, *out;
	unsigned removed;
} cases[] = {
	{ "nothing", "", "", 0 },
	{ "no header", "\r\nbody\r\n", "\r\nbody\r\n", 0 },
	{ "others' stay", AR " mx.other.example; spf=pass\r\nSubject: x\r\n"
	  "\r\nbody\r\n", AR " mx.other.example; spf=pass\r\nSubject: x\r\n"
	  "\r\nbody\r\n", 0 },
	{ "ours goes", "Subject: x\r\n" AR " mx.us.example; spf=pass\r\n"
	  "From: a\r\n\r\nb\r\n", "Subject: x\r\nFrom: a\r\n\r\nb\r\n", 1 },
	{ "with its folds", AR " mx.us.example;\r\n\tspf=pass\r\n dkim=pass"
	  "\r\nFrom: a\r\n\r\n", "From: a\r\n\r\n", 1 },
	{ "in any case", "aUTHENTICATION-rESULTS: MX.us.EXAMPLE; none\r\n\r\n",
	  "\r\n", 1 },
	{ "folded before the id", AR "\r\n\tmx.us.example; none\r\n\r\n",
	  "\r\n", 1 },
	{ "with comments", AR " (hi (\\) there)) mx.us.example (x) 1; none"
	  "\r\n\r\n", "\r\n", 1 },
	{ "a comment directly behind", AR "mx.us.example(x); none\r\n\r\n",
	  "\r\n", 1 },
	{ "quoted", AR " \"mx.us.\\example\"; none\r\n\r\n", "\r\n", 1 },
	{ "quoted with a fold in it", AR " \"mx.us\r\n .example\"; none"
	  "\r\n\r\n", AR " \"mx.us\r\n .example\"; none\r\n\r\n", 0 },
	{ "a version", AR " mx.us.example/1; none\r\n\r\n", "\r\n", 1 },
	{ "a dot at the end", AR " mx.us.example.; none\r\n\r\n", "\r\n", 1 },
	{ "no results", AR " mx.us.example\r\n\r\n", "\r\n", 1 },
	{ "space before the colon", "Authentication-Results  : mx.us.example"
	  "\r\n\r\n", "\r\n", 1 },
	{ "much of it", "Authentication-Results"
	  "                                                     : "
	  "mx.us.example\r\n\r\n", "\r\n", 1 },
	{ "a fold before the colon", "Authentication-Results\r\n : "
	  "mx.us.example\r\n\r\n", "\r\n", 1 },
	{ "a comment without end", AR " (mx.us.example; none\r\n\r\n", "\r\n",
	  1 },
	{ "names that only begin so", "Authentication-Results-X: "
	  "mx.us.example\r\nX-" AR " mx.us.example\r\n\r\n",
	  "Authentication-Results-X: mx.us.example\r\nX-" AR
	  " mx.us.example\r\n\r\n", 0 },
	{ "a name like ours", AR " mx.us.example.net; none\r\n\r\n",
	  AR " mx.us.example.net; none\r\n\r\n", 0 },
	{ "ours named further on", AR " o.example; x=mx.us.example\r\n\r\n",
	  AR " o.example; x=mx.us.example\r\n\r\n", 0 },
	{ "in the body it is text", "From: a\r\n\r\n" AR " mx.us.example\r\n",
	  "From: a\r\n\r\n" AR " mx.us.example\r\n", 0 },
	{ "two", AR " mx.us.example; a\r\nA: b\r\n" AR " mx.us.example; c\r\n"
	  "\r\n", "A: b\r\n\r\n", 2 },
	{ "two in a row", AR " mx.us.example; a\r\n" AR " mx.us.example; c"
	  "\r\nA: b\r\n\r\n", "A: b\r\n\r\n", 2 },
	{ "the text ends within", "A: b\r\n" AR " mx.us.example;", "A: b\r\n",
	  1 },
	{ "the text ends within a name", "A: b\r\nAuthent",
	  "A: b\r\nAuthent", 0 },
	{ "the text ends within others'", "A: b\r\n" AR " o.example",
	  "A: b\r\n" AR " o.example", 0 },
	{ "Received-SPF in our name", "Received-SPF: pass (x) client-ip=1.2.3."
	  "4;\r\n receiver=mx.host.example; helo=x\r\nA: b\r\n\r\n",
	  "A: b\r\n\r\n", 1 },
	{ "the same, spaced and quoted", "received-spf: pass\r\n\treceiver "
	  "(x) = \"MX.host.example\"\r\n\r\n", "\r\n", 1 },
	{ "one that only looks like ours", "Received-SPF: Pass\r\n ( MX.host."
	  "example : domain of x may)\r\nA: b\r\n\r\n", "A: b\r\n\r\n", 1 },
	{ "others' that speak of us", "Received-SPF: pass (o.example: "
	  "mx.host.example may)\r\n\r\n", "Received-SPF: pass (o.example: "
	  "mx.host.example may)\r\n\r\n", 0 },
	{ "a host like ours", "Received-SPF: pass (mx.host.example.net: x)"
	  "\r\n\r\n", "Received-SPF: pass (mx.host.example.net: x)\r\n\r\n",
	  0 },
	{ "Received-SPF of others", "Received-SPF: pass receiver=o.example\r\n"
	  "\r\n", "Received-SPF: pass receiver=o.example\r\n\r\n", 0 },
	{ "a header that is none", "what is this\r\n " AR " mx.us.example\r\n"
	  "\r\n", "what is this\r\n " AR " mx.us.example\r\n\r\n", 0 },
};

static char lines_arg[] = "whose";

static void
keep(struct span run, void *arg)
{
	buf_span_add(arg, run);
}

static unsigned
filter(struct span in, size_t step, struct buf *out)
{
	struct headfilter h;
	unsigned removed;
	size_t i;

	headfilter_init(&h, "mx.us.example", "mx.host.example");
	for (i = 0; i < in.n; i += step)
		headfilter_feed(&h, span_sub(in, i, step), keep, out);
	headfilter_end(&h, keep, out);
	removed = h.removed;
	headfilter_fini(&h);
	return removed;
}

static void
forged_fields_go(void **state)
{
	static const size_t steps[] = { 65536, 1, 3 };
	struct buf out;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (k = 0; k < ARRAY_LEN(steps); k++) {
			print_message("%s, by %zu\n", cases[i].name,
			    steps[k]);
			buf_init(&out, 65536);
			assert_int_equal(filter(span_str(cases[i].in),
			    steps[k], &out), cases[i].removed);
			assert_string_equal(buf_cstr(&out), cases[i].out);
			buf_fini(&out);
		}
}

static void
supply(enum supplied which, struct buf *out, void *arg)
{
	static const char *const lines[SUPPLIED] = { "Date: d\r\n",
	    "From: f\r\n", "Message-ID: m\r\n" };

	assert_ptr_equal(arg, lines_arg);
	buf_str(out, lines[which]);
}

#define ALL	"Date: d\r\nFrom: f\r\nMessage-ID: m\r\n"

static void
what_is_missing_is_put_in(void **state)
{
	static const struct { const char *name, *in, *out; } t[] = {
		{ "nothing is missing", "Date: x\r\nMESSAGE-id : y\r\nfrom:z"
		  "\r\n\r\nb\r\n", "Date: x\r\nMESSAGE-id : y\r\nfrom:z"
		  "\r\n\r\nb\r\n" },
		{ "a date", "From: a\r\nMessage-ID: <x>\r\n\r\nb\r\n",
		  "From: a\r\nMessage-ID: <x>\r\nDate: d\r\n\r\nb\r\n" },
		{ "all", "Subject: s\r\n folded\r\n\r\nb\r\n",
		  "Subject: s\r\n folded\r\n" ALL "\r\nb\r\n" },
		{ "no header", "\r\nDate: in the body\r\n",
		  ALL "\r\nDate: in the body\r\n" },
		{ "no body", "Subject: s\r\n", "Subject: s\r\n" ALL },
		{ "no text", "", ALL },
		{ "others' names", "Resent-Date: x\r\nDates: x\r\nX-From: x"
		  "\r\n\r\n", "Resent-Date: x\r\nDates: x\r\nX-From: x\r\n"
		  ALL "\r\n" },
		{ "no header at all", "hello there\r\nDate: x\r\n",
		  ALL "\r\nhello there\r\nDate: x\r\n" },
		{ "a long line that is no field", "Subject: s\r\nThis line is "
		  "longer than any name that we keep: so\r\n", "Subject: s\r\n"
		  ALL "\r\nThis line is longer than any name that we keep: so"
		  "\r\n" },
		{ "a long name", "X-A-name-that-is-longer-than-any-that-we-keep"
		  ": y\r\n\r\n", "X-A-name-that-is-longer-than-any-that-we-"
		  "keep: y\r\n" ALL "\r\n" },
		{ "behind a forged field", "Date: x\r\n" AR " mx.us.example;\r\n"
		  " x\r\n\r\n", "Date: x\r\nFrom: f\r\nMessage-ID: m\r\n"
		  "\r\n" },
		{ "behind others' field", AR " o.example;\r\n x\r\n\r\n",
		  AR " o.example;\r\n x\r\n" ALL "\r\n" },
	};
	static const size_t steps[] = { 65536, 1, 3 };
	struct headfilter h;
	struct buf out;
	size_t i, k, at;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		for (k = 0; k < ARRAY_LEN(steps); k++) {
			struct span in = span_str(t[i].in);

			print_message("%s, by %zu\n", t[i].name, steps[k]);
			buf_init(&out, 65536);
			headfilter_init(&h, "mx.us.example",
			    "mx.host.example");
			headfilter_supply_with(&h, supply, lines_arg);
			for (at = 0; at < in.n; at += steps[k])
				headfilter_feed(&h, span_sub(in, at,
				    MIN(steps[k], in.n - at)), keep, &out);
			headfilter_end(&h, keep, &out);
			headfilter_fini(&h);
			assert_string_equal(buf_cstr(&out), t[i].out);
			buf_fini(&out);
		}
}

/* What is held is bounded: a long foreign field passes, one that hides its
 * name behind a long comment does not. */
static void
long_fields(void **state)
{
	static const struct { const char *front; bool stays; } t[] = {
		{ AR " o.example; x=", true }, { AR " (", false },
		{ AR " mx.us.example; ", false },
		{ "Received-SPF: pass (", false },
		{ "Subject: ", true },
	};
	struct buf in, out;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		buf_init(&in, BUF_NO_CAP);
		buf_init(&out, BUF_NO_CAP);
		buf_str(&in, t[i].front);
		for (k = 0; k < 20000; k++)
			buf_str(&in, k % 50 == 49 ? "\r\n " : "y");
		buf_str(&in, "\r\nA: b\r\n\r\nbody");
		assert_int_equal(filter(buf_span(&in), 1000, &out),
		    !t[i].stays);
		if (t[i].stays)
			assert_true(span_eq(buf_span(&in), buf_span(&out)));
		else
			assert_string_equal(buf_cstr(&out),
			    "A: b\r\n\r\nbody");
		buf_fini(&in);
		buf_fini(&out);
	}
}

/* Comments within comments, in each of which there may be our name: they are
 * not skipped anew from each word on. */
static void
nested_comments(void **state)
{
	struct buf in, out;
	size_t i;

	buf_init(&in, BUF_NO_CAP);
	buf_init(&out, BUF_NO_CAP);
	buf_str(&in, "Received-SPF: pass ");
	for (i = 0; i < 700; i++)
		buf_str(&in, "receiver(");
	for (i = 0; i < 700; i++)
		buf_char(&in, ')');
	buf_str(&in, "\r\n\r\n");
	assert_int_equal(filter(buf_span(&in), 65536, &out), 1);
	assert_string_equal(buf_cstr(&out), "\r\n");
	buf_fini(&in);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged_fields_go),
		cmocka_unit_test(what_is_missing_is_put_in),
		cmocka_unit_test(long_fields),
		cmocka_unit_test(nested_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
