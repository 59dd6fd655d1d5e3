/*
 * Commands as bytes: framing whole and byte by byte, arguments, sets,
 * patterns, FETCH items.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "imapd/args.h"
#include "imapd/fetch_plan.h"
#include "imapd/resync_plan.h"
#include "imapd/pattern.h"
#include "imapd/reader.h"
#include "imapd/seqset.h"

/* --- reader ------------------------------------------------------------------------- */

/*
 * Events as text: C[command], L literal collected, S refused, s skipped,
 * B bare LF, T too long. Literals over 10 bytes are refused.
 */
static const struct {
	const char *name, *in, *want;
} framings[] = {
	{ "two commands", "a NOOP\r\nb NOOP\r\n", "C[a NOOP]C[b NOOP]" },
	{ "literal", "a LOGIN {3}\r\nkim {2}\r\npw\r\n",
	    "LLC[a LOGIN {3}\r\nkim {2}\r\npw]" },
	{ "non-synchronising", "a LOGIN {3+}\r\nk\r\n \"\"\r\n",
	    "LC[a LOGIN {3+}\r\nk\r\n \"\"]" },
	{ "empty literal", "a X {0}\r\n\r\n", "LC[a X {0}\r\n]" },
	{ "refused, waiting", "a X {11}\r\nb NOOP\r\n", "SsC[b NOOP]" },
	{ "refused, not waiting", "a X {11+}\r\n01234567890 y\r\nb NOOP\r\n",
	    "SsC[b NOOP]" },
	{ "refused, literal in the rest",
	    "a X {11+}\r\n01234567890 {2+}\r\nzz {3}\r\nb NOOP\r\n",
	    "SsC[b NOOP]" },
	{ "bare LF", "a NOOP\nb NOOP\r\n", "BC[b NOOP]" },
	{ "CR inside", "a N\rOOP\r\n", "C[a N\rOOP]" },
	{ "no literal", "a {x}\r\na {}\r\na x}\r\n", "C[a {x}]C[a {}]C[a x}]" },
	{ "too long", "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789\r\na\r\n", "T" },
	{ "too long by literals", "a {10}\r\n0123456789{10}\r\n0123456789"
	    "{10}\r\n0123456789 01234567890123456789\r\n", "LLLT" },
};

#define LIMIT 64

static void
frame(struct buf *out, const char *in, size_t step)
{
	size_t n = strlen(in), at = 0, used, have;
	enum reader_event e;
	struct reader r;
	struct buf pending;

	reader_init(&r, LIMIT);
	buf_init(&pending, BUF_NO_CAP);
	while (at < n || buf_len(&pending) > 0 || r.state == READER_DROP) {
		have = MIN(step, n - at);
		buf_append(&pending, in + at, have);
		at += have;
		do {
			e = reader_feed(&r, buf_span(&pending), &used);
			buf_consume(&pending, used);
			switch (e) {
			case READER_COMMAND:
				buf_fmt(out, "C[%.*s]",
				    SPAN_ARG(reader_text(&r)));
				reader_reset(&r);
				break;
			case READER_LITERAL:
				if (reader_literal_size(&r) > 10) {
					buf_char(out, 'S');
					reader_literal_skip(&r);
				} else if (reader_literal_collect(&r)) {
					buf_char(out, 'L');
				} else {
					buf_char(out, 'T');
					goto out;
				}
				break;
			case READER_SKIPPED:
				buf_char(out, 's');
				break;
			case READER_BARE_LF:
				buf_char(out, 'B');
				break;
			case READER_TOO_LONG:
				buf_char(out, 'T');
				goto out;
			case READER_MORE:
				break;
			}
		} while (e != READER_MORE);
	}
out:
	buf_fini(&pending);
	reader_fini(&r);
}

static void
test_framing(void **state)
{
	struct buf out;
	size_t i, step;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(framings); i++)
		for (step = 1; step < 100; step += step < 4 ? 1 : 96) {
			buf_clear(&out);
			frame(&out, framings[i].in, step);
			if (strcmp(buf_cstr(&out), framings[i].want) != 0)
				fail_msg("%s by %zu: %s want %s",
				    framings[i].name, step, buf_cstr(&out),
				    framings[i].want);
		}
	buf_fini(&out);
}

/* --- arguments ------------------------------------------------------------------------ */

/* Atoms as they are, strings in quotes, literals in <>, lists in (). */
static const struct {
	const char *in, *want, *why;
} arguments[] = {
	{ "a LOGIN kim \"p\\\"w\"", "a LOGIN kim 'p\"w' ", NULL },
	{ "a X {3}\r\na\"b y", "a X <a\"b> y ", NULL },
	{ "a X {3}\r\n", "a X ? ", NULL },
	{ "a X \"b\\\"c\\\\\" {3}\r\n", "a X 'b\\\"c\\\\' ? ", NULL },
	{ "a X \"b\\\"c\\\\\" {1}\r\nd", "a X 'b\"c\\' <d> ", NULL },
	{ "a X (b (c d) {3+}\r\n", "a X (b (c d ) ? ) ", NULL },
	{ "a X (b {0}\r\n", "a X (b ? ) ", NULL },
	{ "a X (b {0}\r\n c)", "a X (b <> c ) ", NULL },
	{ "a X (b {0}\r\n ", NULL, "Missing )" },
	{ "a FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (To \"X]\")]<0.1> UID)",
	    "a FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (To \"X]\")]<0.1> "
	    "UID ) ", NULL },
	{ "a FETCH 1 (BODY[HEADER.FIELDS ({4}\r\nFrom To {2+}\r\nCc)]<0.1> UID)",
	    "a FETCH 1 (BODY[HEADER.FIELDS (\"From\" To \"Cc\")]<0.1> UID ) ",
	    NULL },
	{ "a FETCH 1 (UID BODY[HEADER.FIELDS (To {4}\r\n", "a FETCH 1 (UID "
	    "? ) ", NULL },
	{ "a FETCH 1 (UID BODY[HEADER.FIELDS ({4}\r\nFrom {2+}\r\n",
	    "a FETCH 1 (UID ? ) ", NULL },
	{ "a FETCH 1 BODY[HEADER.FIELDS ({4}\r\nF\"m To)]", NULL,
	    "No field has that name" },
	{ "a FETCH 1 BODY[HEADER.FIELDS ({9}\r\nFrom)]", NULL,
	    "Bad literal" },
	{ "a SELECT [x]/y", "a SELECT [x]/y ", NULL },
	{ "a STORE 1 +FLAGS (\\Seen $x)", "a STORE 1 +FLAGS (\\Seen $x ) ",
	    NULL },
	{ "a X (a)(b)", "a X (a ) (b ) ", NULL },
	{ "a X ", "a X ", NULL },
	{ "", "", NULL },
	{ "a X (b", NULL, "Missing )" },
	{ "a X b)", NULL, "Unexpected )" },
	{ "a X \"b", NULL, "Quoted string without end" },
	{ "a X \"b\\n\"", NULL, "Bad escape in a quoted string" },
	{ "a X \"b\"c", NULL, "Space missing" },
	{ "a X BODY[", NULL, "Section without end" },
	{ "a X {9}\r\nb", NULL, "Bad literal" },
	{ "a X {9}\r\n ", NULL, "Bad literal" },
	{ "a X {x}\r\n", NULL, "Bad literal" },
	{ "a X \x01", NULL, "Unexpected character" },
};

static void
draw(struct buf *out, struct arg_iter it)
{
	const struct arg *a;

	while ((a = arg_next(&it)) != NULL) {
		switch (a->type) {
		case ARG_ATOM:
			buf_span_add(out, a->text);
			break;
		case ARG_QUOTED:
			buf_fmt(out, "'%.*s'", SPAN_ARG(a->text));
			break;
		case ARG_LITERAL:
			buf_fmt(out, "<%.*s>", SPAN_ARG(a->text));
			break;
		case ARG_PENDING:
			buf_char(out, '?');
			break;
		case ARG_LIST:
			buf_char(out, '(');
			draw(out, arg_members(it.args, a));
			buf_char(out, ')');
			break;
		}
		buf_char(out, ' ');
	}
}

static void
test_arguments(void **state)
{
	struct args a;
	struct buf out;
	size_t i, n;

	args_init(&a);
	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(arguments); i++) {
		size_t len = strlen(arguments[i].in);
		const char *why;
		char *text;

		for (n = 0; n < len; n++) {
			text = xmemdup0(arguments[i].in, n);
			why = args_parse(&a, span_of(text, n), false);
			if (why == NULL)
				draw(&out, args_iter(&a));
			free(text);
		}
		buf_clear(&out);
		text = xmemdup0(arguments[i].in, len);
		why = args_parse(&a, span_of(text, len),
		    span_ends(span_of(text, len), "}\r\n"));
		if (arguments[i].why != NULL) {
			assert_non_null(why);
			assert_string_equal(why, arguments[i].why);
		} else {
			if (why != NULL)
				fail_msg("%s: %s", arguments[i].in, why);
			draw(&out, args_iter(&a));
			assert_string_equal(buf_cstr(&out),
			    arguments[i].want);
		}
		free(text);
	}
	args_fini(&a);
	buf_fini(&out);
}

/* All is parsed again when a literal is there. */
static void
test_escapes_before_a_literal(void **state)
{
	char text[] = "a X \"b\\\"c\\\\\" {1}\r\nd";
	struct span s = span_str(text);
	struct args a;
	struct buf out;

	args_init(&a);
	buf_init(&out, BUF_NO_CAP);
	assert_null(args_parse(&a, span_sub(s, 0, s.n - 1), true));
	assert_null(args_parse(&a, s, false));
	draw(&out, args_iter(&a));
	assert_string_equal(buf_cstr(&out), "a X 'b\"c\\' <d> ");
	/* an APPEND's is not */
	memcpy(text, "a X \"b\\\"c\\\\\" {1}\r\nd", sizeof(text));
	assert_null(args_parse(&a, span_sub(s, 0, s.n - 1), true));
	args_unescape(&a);
	buf_clear(&out);
	draw(&out, args_iter(&a));
	assert_string_equal(buf_cstr(&out), "a X 'b\"c\\' ? ");
	args_fini(&a);
	buf_fini(&out);
}

/* S4 */
static void
test_argument_caps(void **state)
{
	struct args a;
	struct buf in;
	int i;

	args_init(&a);
	buf_init(&in, BUF_NO_CAP);
	for (i = 0; i < ARGS_DEPTH_MAX + 1; i++)
		buf_char(&in, '(');
	assert_string_equal(args_parse(&a, buf_span(&in), false),
	    "Too many nested lists");
	buf_clear(&in);
	for (i = 0; i < ARGS_MAX + 1; i++)
		buf_str(&in, "x ");
	assert_string_equal(args_parse(&a, buf_span(&in), false),
	    "Too many arguments");
	args_fini(&a);
	buf_fini(&in);
}

/* --- sets ------------------------------------------------------------------------------- */

static void
test_sets(void **state)
{
	static const struct {
		const char *in;
		uint32_t last;
		const char *want;
	} good[] = {
		{ "1", 9, "1" }, { "*", 9, "9" }, { "3:1,5", 9, "1:3,5" },
		{ "1:*", 3, "1:3" }, { "5,4,3", 9, "3:5" },
		{ "7:*", 3, "3:7" }, { "1:3,2:6,9", 9, "1:6,9" },
		{ "9:4294967295", 3, "9:11" }, { "4294967295", 3, "" },
		{ "4294967295:*", 11, "11" },
	};
	static const char *const bad[] = { "", "0", "1,", ",1", "1:", ":1",
	    "a", "1:2:3", "4294967296", "1 2", "-1", "**" };
	uint32_t numbers[16];
	struct seqset s;
	struct buf out;
	size_t i, n;
	uint32_t k;

	buf_init(&out, 1000);
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(seqset_parse(&s, span_str(good[i].in)));
		seqset_resolve(&s, good[i].last);
		for (k = 1, n = 0; k < 12; k++)
			if (seqset_has(&s, k))
				numbers[n++] = k;
		seqset_put(&out, numbers, n);
		assert_string_equal(buf_cstr(&out), good[i].want);
		buf_clear(&out);
		seqset_fini(&s);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (seqset_parse(&s, span_str(bad[i])))
			fail_msg("%s was taken", bad[i]);
		seqset_fini(&s);
	}
	buf_fini(&out);
}

/* --- patterns ---------------------------------------------------------------------------- */

static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match;
	} cases[] = {
		{ "*", "a/b", true }, { "%", "a/b", false },
		{ "%", "a", true }, { "a/%", "a/b", true },
		{ "a/%", "a/b/c", false }, { "a*c", "a/b/c", true },
		{ "%/%", "a/b", true }, { "inbox", "INBOX", true },
		{ "inb%", "INBOX", true }, { "Sent", "sent", false },
		{ "", "", true }, { "", "a", false }, { "a%", "a", true },
		{ "*%*%*%*x", "aaaaaaaaaaaa/aaaaaaaaaaaa", false },
		{ "%*", "a/b", true }, { "a%b", "a/b", false },
		{ "inbox/%", "INBOX/x", true }, { "InBox*", "INBOX/x", true },
		{ "inbox/x", "INBOX/X", false },
		{ "inboxes", "INBOXES", false }, { "in%/x", "INBOX/x", true },
		{ "a/inbox", "a/INBOX", false },
		{ "a%%%/%%b", "a/b", true }, { "a%%%b", "a/b", false },
		{ "a%*%b", "a/b", true }, { "*%", "a/b", true },
		{ "a", "", false }, { "%", "", true }, { "ab", "a", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (pattern_match(span_str(cases[i].pattern), '/',
		    span_str(cases[i].name)) != cases[i].match)
			fail_msg("%s ~ %s", cases[i].pattern, cases[i].name);
}

/* --- FETCH items --------------------------------------------------------------------------- */

static void
test_fetch_items(void **state)
{
	static const struct {
		const char *in, *labels;
		unsigned items;
		bool seen;
	} good[] = {
		{ "FAST", "", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE, false },
		{ "(UID BODYSTRUCTURE)", "", FETCH_UID | FETCH_STRUCTURE,
		    false },
		{ "BODY", "", FETCH_BODY, false },
		{ "BODY[]", "BODY[];", 0, true },
		{ "BODY.PEEK[1.2.MIME]<3.4>", "BODY[1.2.MIME]<3>;", 0, false },
		{ "(BODY[HEADER.FIELDS.NOT (a \"b\")] RFC822.HEADER)",
		    "BODY[HEADER.FIELDS.NOT (a \"b\")];RFC822.HEADER;", 0,
		    true },
		{ "body.peek[text]", "BODY[text];", 0, false },
		{ "RFC822", "RFC822;", 0, true },
	};
	static const char *const bad[] = { "X", "()", "(ALL)", "BODY[0]",
	    "BODY[1.]", "BODY[.1]", "BODY[MIME]", "BODY[HEADER.FIELDS]",
	    "BODY[HEADER.FIELDS ()]", "BODY[1]<1>", "BODY[1]<1.0>",
	    "BODY[TEXT.1]", "BODY[HEADERS]", "BODYX[]", "\"FLAGS\"" };
	struct fetch_plan p;
	struct arg_iter it;
	struct args a;
	struct buf out;
	size_t i, k;

	args_init(&a);
	buf_init(&out, 1000);
	for (i = 0; i < ARRAY_LEN(good); i++) {
		char *text = xstrdup(good[i].in);

		assert_null(args_parse(&a, span_str(text), false));
		it = args_iter(&a);
		if (fetch_plan_take(&p, &it) != NULL)
			fail_msg("%s", good[i].in);
		for (k = 0; k < p.n; k++) {
			section_label_put(&out, &p.section[k]);
			buf_char(&out, ';');
		}
		assert_string_equal(buf_cstr(&out), good[i].labels);
		assert_int_equal(p.items, good[i].items);
		assert_int_equal(p.seen, good[i].seen);
		buf_clear(&out);
		fetch_plan_fini(&p);
		free(text);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		char *text = xstrdup(bad[i]);

		assert_null(args_parse(&a, span_str(text), false));
		it = args_iter(&a);
		if (fetch_plan_take(&p, &it) == NULL)
			fail_msg("%s was taken", bad[i]);
		fetch_plan_fini(&p);
		free(text);
	}
	args_fini(&a);
	buf_fini(&out);
}

static void
test_fetch_modifiers(void **state)
{
	static const struct {
		const char *in;
		bool ok, vanished;
		uint64_t since;
	} cases[] = {
		{ "", true, false, 0 },
		{ "(CHANGEDSINCE 12345)", true, false, 12345 },
		{ "(changedsince 9223372036854775807 vanished)", true, true,
		    INT64_MAX },
		{ "(VANISHED CHANGEDSINCE 1)", true, true, 1 },
		{ "(VANISHED)", false, false, 0 },
		{ "(CHANGEDSINCE)", false, false, 0 },
		{ "(CHANGEDSINCE 0)", false, false, 0 },
		{ "(CHANGEDSINCE 9223372036854775808)", false, false, 0 },
		{ "(CHANGEDSINCE (1))", false, false, 0 },
		{ "()", false, false, 0 },
		{ "CHANGEDSINCE 1", false, false, 0 },
	};
	struct args a;
	size_t i;

	args_init(&a);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch_plan p = { .items = FETCH_UID };
		char *text = xstrdup(cases[i].in);
		struct arg_iter it;

		assert_null(args_parse(&a, span_str(text), false));
		it = args_iter(&a);
		if ((fetch_modifiers_take(&p, &it) == NULL) != cases[i].ok)
			fail_msg("%s", cases[i].in);
		if (cases[i].ok) {
			assert_int_equal(p.since, cases[i].since);
			assert_int_equal(p.vanished, cases[i].vanished);
			assert_int_equal(p.items, FETCH_UID |
			    (p.changed_only ? FETCH_MODSEQ : 0));
		}
		free(text);
	}
	args_fini(&a);
}

static void
test_qresync_parameter(void **state)
{
	static const struct {
		const char *in, *known, *seqs, *uids;
	} cases[] = {
		{ "(67890007 20050715194045000 41,43:211,214:541)",
		    "41,43:211,214:541", "", "" },
		{ "(1 2)", "", "", "" },
		{ "(1 2 9:5,1 (1:2 3,5))", "1,5:9", "1:2", "3,5" },
		{ "(1 2 (5000,9990:9992 15000,29970,29973,29976))", "",
		    "5000,9990:9992", "15000,29970,29973,29976" },
		{ "(1 2 1:*)", NULL, NULL, NULL },
		{ "(1 2 (* 1))", NULL, NULL, NULL },
		{ "(4294967296 1)", NULL, NULL, NULL },
		{ "(1 2 3 (1 2) 4)", NULL, NULL, NULL },
		{ "1", NULL, NULL, NULL },
	};
	struct args a;
	struct buf out;
	size_t i;

	args_init(&a);
	buf_init(&out, 1000);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct resync r = { .seq = 0 };
		char *text = xstrdup(cases[i].in);
		struct arg_iter it;
		const char *why;

		assert_null(args_parse(&a, span_str(text), false));
		it = args_iter(&a);
		why = resync_take(&r, &it);
		if ((why == NULL) != (cases[i].known != NULL))
			fail_msg("%s: %s", cases[i].in, why);
		if (why == NULL) {
			seqset_print(&out, &r.known);
			buf_char(&out, ' ');
			seqset_print(&out, &r.match_seqs);
			buf_char(&out, ' ');
			seqset_print(&out, &r.match_uids);
			char *want = xasprintf("%s %s %s", cases[i].known,
			    cases[i].seqs, cases[i].uids);
			assert_string_equal(buf_cstr(&out), want);
			free(want);
			buf_clear(&out);
		}
		resync_fini(&r);
		free(text);
	}
	args_fini(&a);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_escapes_before_a_literal),
		cmocka_unit_test(test_argument_caps),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_fetch_items),
		cmocka_unit_test(test_fetch_modifiers),
		cmocka_unit_test(test_qresync_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
