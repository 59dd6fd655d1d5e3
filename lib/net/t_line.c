/* Lines, whole and one byte at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net/line.h"

static const struct {
	const char *name;
	struct span in;
	const char *want;	/* "text|" per line, "!L" "!C" "!T|" */
} cases[] = {
	{ "two lines", SPAN_LIT("NOOP\r\nQUIT\r\n"), "NOOP|QUIT|" },
	{ "empty line", SPAN_LIT("\r\n\r\nx\r\n"), "||x|" },
	{ "unfinished", SPAN_LIT("NOOP\r\nQUI"), "NOOP|" },
	{ "CR without LF yet", SPAN_LIT("NOOP\r"), "" },
	{ "bare LF", SPAN_LIT("NOOP\nQUIT\r\n"), "!L" },
	{ "bare LF at the start", SPAN_LIT("\nQUIT\r\n"), "!L" },
	{ "bare CR", SPAN_LIT("NO\rOP\r\n"), "!C" },
	{ "CR CR LF", SPAN_LIT("NOOP\r\r\n"), "!C" },
	{ "NUL is text", SPAN_LIT("a\0b\r\n"), "a?b|" },
	{ "at the limit", SPAN_LIT("0123456789\r\n"), "0123456789|" },
	{ "past the limit", SPAN_LIT("0123456789x\r\nNOOP\r\n"), "!T|NOOP|" },
	{ "far past", SPAN_LIT("0123456789012345678901234567890\r\na\r\n"),
	  "!T|a|" },
	{ "bare LF in a long line", SPAN_LIT("01234567890123456789\na\r\n"),
	  "!L" },
};

static void
drain(struct line_reader *r, struct buf *in, struct buf *out, bool *over)
{
	struct span line;
	size_t i;

	while (!*over)
		switch (line_next(r, in, 10, &line)) {
		case LINE_MORE:
			return;
		case LINE_OK:
			for (i = 0; i < line.n; i++)
				buf_char(out, line.p[i] == '\0' ? '?' :
				    line.p[i]);
			buf_char(out, '|');
			break;
		case LINE_TOO_LONG:
			buf_str(out, "!T|");
			break;
		case LINE_BARE_LF:
			buf_str(out, "!L");
			*over = true;
			break;
		case LINE_BARE_CR:
			buf_str(out, "!C");
			*over = true;
			break;
		}
}

static void
feed(struct span in, size_t step, struct buf *out)
{
	struct line_reader r = { 0 };
	struct buf b;
	size_t i;
	bool over = false;

	buf_init(&b, 64);
	for (i = 0; i < in.n; i += step) {
		buf_span_add(&b, span_sub(in, i, step));
		assert_false(buf_failed(&b));
		drain(&r, &b, out, &over);
	}
	buf_fini(&b);
}

static void
lines_end_at_crlf_only(void **state)
{
	struct buf out;
	size_t i, step;

	(void)state;
	buf_init(&out, 4096);
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (step = 1; step <= 64; step *= 2) {
			print_message("%s, %zu at a time\n", cases[i].name,
			    step);
			feed(cases[i].in, step, &out);
			assert_string_equal(buf_cstr(&out), cases[i].want);
			buf_clear(&out);
		}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_crlf_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
