/*
 * Structure of messages, drawn as text: one line a part, indented, with
 * kind, body and counts. Every case is also parsed with LF line ends and cut
 * off at each byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "mail/header.h"
#include "mail/mime.h"

/* '/' stands for CRLF. */
static const struct {
	const char *name, *in, *want;
} cases[] = {
	{ "plain", "Subject: x//hello/world/", "L 14 2 [hello/world/]\n" },
	{ "no header", "/hello", "L 5 0 [hello]\n" },
	{ "header only", "Subject: x/", "L 0 0 []\n" },
	{ "nothing", "", "L 0 0 []\n" },
	{ "two parts",
	    "Content-Type: multipart/mixed; boundary=b//pre/--b/"
	    "Content-Type: text/plain//one/--b//two/--b--/epi/",
	    "M 67 10\n L 3 0 [one]\n L 3 0 [two]\n" },
	{ "part without blank line",
	    "Content-Type: multipart/mixed; boundary=b//--b/"
	    "X: y/--b//two/--b--",
	    "M 28 5\n L 0 0 []\n L 3 0 [two]\n" },
	{ "unfinished",
	    "Content-Type: multipart/mixed; boundary=\"b\"//--b//one/",
	    "M 12 3\n L 5 1 [one/]\n" },
	{ "no parts", "Content-Type: multipart/mixed; boundary=b//x/",
	    "M 3 1\n" },
	{ "no boundary", "Content-Type: multipart/mixed//--x//y/",
	    "L 10 3 [--x//y/]\n" },
	{ "nested, inner unclosed",
	    "Content-Type: multipart/mixed; boundary=a//--a/"
	    "Content-Type: multipart/alternative; boundary=ab//--ab//1/--ab//"
	    "2/--a//3/--a--/",
	    "M 96 13\n M 20 5\n  L 1 0 [1]\n  L 1 0 [2]\n L 1 0 [3]\n" },
	{ "message",
	    "Content-Type: multipart/mixed; boundary=a//--a/"
	    "Content-Type: message/rfc822//Subject: in//body/--a--/",
	    "M 65 7\n R 19 2\n  L 4 0 [body]\n" },
	{ "encoded message is opaque",
	    "Content-Type: message/rfc822/Content-Transfer-Encoding: base64"
	    "//Zm9v/", "L 6 1 [Zm9v/]\n" },
	{ "digest", "Content-Type: multipart/digest; boundary=d//--d//"
	    "Subject: m//b/--d--/", "M 31 6\n R 15 2\n  L 1 0 [b]\n" },
	{ "after the end", "Content-Type: multipart/mixed; boundary=a//"
	    "--a//1/--a--/--a//2/", "M 27 7\n L 1 0 [1]\n" },
	{ "boundary with more behind", "Content-Type: multipart/mixed; "
	    "boundary=a//--axyz//1/--a-/x/", "M 22 5\n L 1 0 [1]\n L 0 0 []\n" },
};

/* "/plain" and the like are written out in the cases. */
static bool
is_subtype(const char *p)
{
	static const char *const subtypes[] = { "/mixed", "/plain",
	    "/alternative", "/rfc822", "/digest" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(subtypes); i++)
		if (strncmp(p, subtypes[i], strlen(subtypes[i])) == 0)
			return true;
	return false;
}

static char *
expand(const char *in, bool crlf, size_t *n)
{
	char *out = xmalloc(strlen(in) * 2 + 1);
	const char *p;

	*n = 0;
	for (p = in; *p != '\0'; p++) {
		bool type = is_subtype(p);

		if (*p != '/' || type) {
			out[(*n)++] = *p;
			continue;
		}
		if (crlf)
			out[(*n)++] = '\r';
		out[(*n)++] = '\n';
	}
	return out;
}

static void
draw(struct buf *out, const struct mime *m, const char *text, uint32_t i,
    int depth)
{
	const struct mime_part *p = &m->part[i];
	size_t k;

	buf_fmt(out, "%*s%c %zu %u", depth, "", "LMR"[p->kind],
	    mime_body_size(p), p->lines);
	if (p->kind == MIME_LEAF) {
		buf_str(out, " [");
		for (k = 0; k < p->body_len; k++) {
			char c = text[p->body_off + k];

			if (c != '\r')
				buf_char(out, c == '\n' ? '/' : c);
		}
		buf_char(out, ']');
	}
	buf_char(out, '\n');
	for (i = p->child; i != MIME_NONE; i = m->part[i].next)
		draw(out, m, text, i, depth + 1);
}

/* Both ways of parsing find the same parts in the same places. */
static void
same_places(const char *name, const struct mime *m, struct span text)
{
	struct mime other;
	uint32_t i;

	mime_init(&other);
	mime_parse_places(&other, text);
	if (other.n != m->n)
		fail_msg("%s: %u parts and %u", name, m->n, other.n);
	for (i = 0; i < m->n; i++) {
		struct mime_part want = m->part[i];

		want.lines = want.bare = 0;
		if (memcmp(&want, &other.part[i], sizeof(want)) != 0)
			fail_msg("%s: part %u", name, i);
	}
	mime_fini(&other);
}

static void
check(const char *name, const char *in, const char *want, bool crlf)
{
	struct mime m;
	struct buf out;
	size_t n, k;
	char *text = expand(in, crlf, &n);

	mime_init(&m);
	buf_init(&out, BUF_NO_CAP);
	for (k = 0; k <= n; k++) {
		char *part = xmemdup0(text, k);

		mime_parse(&m, span_of(part, k));
		same_places(name, &m, span_of(part, k));
		free(part);
	}
	mime_parse(&m, span_of(text, n));
	draw(&out, &m, text, 0, 0);
	if (strcmp(buf_cstr(&out), want) != 0)
		fail_msg("%s (crlf %d):\n%swant\n%s", name, crlf,
		    buf_cstr(&out), want);
	buf_fini(&out);
	mime_fini(&m);
	free(text);
}

static void
test_structure(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		check(cases[i].name, cases[i].in, cases[i].want, true);
		check(cases[i].name, cases[i].in, cases[i].want, false);
	}
}

static const char tree[] =
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    "--a\r\n\r\n1\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\n2.1\r\n--b\r\n\r\n2.2\r\n--b--\r\n"
    "--a--\r\n";

static void
find_is(const struct mime *m, const char *body, size_t n, uint32_t a,
    uint32_t b, uint32_t c)
{
	uint32_t path[3] = { a, b, c }, at = mime_find(m, path, n);

	if (body == NULL) {
		assert_int_equal(at, MIME_NONE);
		return;
	}
	assert_int_not_equal(at, MIME_NONE);
	assert_int_equal(m->part[at].body_len, strlen(body));
	assert_memory_equal(tree + m->part[at].body_off, body, strlen(body));
}

static void
test_find_counts_as_imap_does(void **state)
{
	struct mime m;

	mime_init(&m);
	mime_parse(&m, span_str(tree));
	find_is(&m, "1", 1, 1, 0, 0);
	find_is(&m, "2.1", 2, 2, 1, 0);
	find_is(&m, "2.2", 2, 2, 2, 0);
	find_is(&m, NULL, 2, 2, 3, 0);
	find_is(&m, NULL, 2, 1, 1, 0);
	find_is(&m, NULL, 3, 2, 1, 1);
	find_is(&m, NULL, 1, 3, 0, 0);
	find_is(&m, NULL, 1, 0, 0, 0);
	assert_int_equal(mime_find(&m, NULL, 0), 0);
	mime_fini(&m);
}

/* S7 */
static void
test_bombs_are_capped_and_linear(void **state)
{
	static const char *const units[] = {
		"--b\r\n", "--b\r\n\r\n\r\n",
		"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
		"Content-Type: message/rfc822\r\n\r\n", "\r\n", "--", "a: b\r\n",
	};
	struct mime m;
	struct buf in;
	uint64_t start;
	size_t i;

	mime_init(&m);
	for (i = 0; i < ARRAY_LEN(units); i++) {
		buf_init(&in, BUF_NO_CAP);
		buf_str(&in, "Content-Type: multipart/mixed; boundary=b\r\n");
		if (i != 6)
			buf_str(&in, "\r\n");
		while (buf_len(&in) < 4000000)
			buf_str(&in, units[i]);
		start = clock_mono_ms();
		mime_parse(&m, buf_span(&in));
		assert_true(clock_mono_ms() - start < 20000);
		assert_true(m.n <= MIME_PARTS_MAX);
		same_places(units[i], &m, buf_span(&in));
		buf_fini(&in);
	}
	mime_fini(&m);
}

static void
test_values(void **state)
{
	char out[64];
	struct mime_value v;
	struct span type, sub, name, raw;

	assert_true(mime_type(SPAN_LIT(" Text (c) / (d) HTML ; charset = "
	    "\"utf\\-8\" (x;y=1); a=b/c d ; q"), &type, &sub, &v));
	assert_true(span_is(type, "text") && span_is(sub, "html"));
	assert_true(mime_param_next(&v, &name, &raw));
	assert_true(span_is(name, "charset"));
	assert_int_equal(mime_unquote(raw, out), 5);
	assert_memory_equal(out, "utf-8", 5);
	assert_true(mime_param_next(&v, &name, &raw));
	assert_true(span_is(raw, "b/c"));
	assert_false(mime_param_next(&v, &name, &raw));
	assert_false(mime_type(SPAN_LIT("text"), &type, &sub, &v));
	assert_false(mime_type(SPAN_NONE, &type, &sub, &v));
	assert_int_equal(mime_param(SPAN_LIT("a/b; boundary=xyz"),
	    "BOUNDARY", out, sizeof(out)), 3);
	assert_int_equal(mime_param(SPAN_LIT("a/b; boundary=xyz"),
	    "boundary", out, 2), 0);
	/* in sections (RFC 2231 3), in any order, up to a gap */
	assert_int_equal(mime_param(SPAN_LIT("a/b; c*1=\"y z\"; c*0=x; "
	    "c*3=w"), "c", out, sizeof(out)), 4);
	assert_memory_equal(out, "xy z", 4);
	assert_int_equal(mime_param(SPAN_LIT("a/b; c*1=x"), "c", out,
	    sizeof(out)), 0);
	assert_int_equal(mime_param(SPAN_LIT("a/b; c*0=xx; c*1=yy"), "c",
	    out, 3), 0);
	assert_int_equal(mime_param(SPAN_LIT("a/b; c*0*=u''x; c*=y; "
	    "c*99=z"), "c", out, sizeof(out)), 0);
}

static void
test_transfer_encodings(void **state)
{
	static const struct {
		const char *value;
		enum mime_transfer want;
	} rows[] = {
		{ "", TRANSFER_IDENTITY }, { "7bit", TRANSFER_IDENTITY },
		{ "8BIT", TRANSFER_IDENTITY },
		{ "(c) binary (d)", TRANSFER_IDENTITY },
		{ "Base64", TRANSFER_BASE64 },
		{ "base64; x=y", TRANSFER_BASE64 },
		{ "quoted-printable", TRANSFER_QP },
		{ "x-uuencode", TRANSFER_UNKNOWN },
		{ "base64x", TRANSFER_UNKNOWN }, { "=", TRANSFER_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(mime_transfer(span_str(rows[i].value)),
		    rows[i].want);
	assert_int_equal(mime_transfer(SPAN_NONE), TRANSFER_IDENTITY);
}

static void
test_header_fields(void **state)
{
	static const char text[] = "A: 1\r\nB : two\r\n\tlines \r\nnocolon\n"
	    "C:\r\n\r\nD: body\r\n";
	struct header_iter it;
	struct header_field f;
	struct span v;
	struct buf out;

	header_iter_init(&it, span_str(text));
	assert_true(header_next(&it, &f));
	assert_true(span_is(f.name, "A") && span_is(f.value, "1"));
	assert_true(header_next(&it, &f));
	assert_true(span_is(f.name, "B"));
	buf_init(&out, 100);
	header_unfold(&out, f.value);
	assert_string_equal(buf_cstr(&out), "two\tlines");
	buf_fini(&out);
	assert_true(header_next(&it, &f));
	assert_true(span_is(f.name, "nocolon") && f.value.n == 0);
	assert_true(header_next(&it, &f));
	assert_true(span_is(f.name, "C") && f.value.n == 0);
	assert_false(header_next(&it, &f));
	assert_int_equal(header_length(span_str(text)), strlen(text) - 9);
	assert_true(header_find(span_str(text), "b", &v));
	assert_false(header_find(span_str(text), "d", &v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_find_counts_as_imap_does),
		cmocka_unit_test(test_bombs_are_capped_and_linear),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_transfer_encodings),
		cmocka_unit_test(test_header_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
