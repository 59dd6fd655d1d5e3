/* ENVELOPE, BODYSTRUCTURE and BODY text against tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mail/field_names.h"
#include "mail/imap_read.h"
#include "mail/imap_text.h"

static const struct {
	const char *name, *in, *want;
} envelopes[] = {
	{ "the RFC's", "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
	    "From: Terry Gray <gray@cac.washington.test>\r\n"
	    "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
	    "To: imap@cac.washington.test\r\n"
	    "cc: minutes@CNRI.Reston.test, John Klensin <KLENSIN@MIT.test>\r\n"
	    "Message-Id: <B27397-0100000@cac.washington.test>\r\n\r\n",
	    "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
	    "\"IMAP4rev1 WG mtg summary and minutes\" "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.test\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.test\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.test\")) "
	    "((NIL NIL \"imap\" \"cac.washington.test\")) "
	    "((NIL NIL \"minutes\" \"CNRI.Reston.test\")"
	    "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.test\")) NIL NIL "
	    "\"<B27397-0100000@cac.washington.test>\")" },
	{ "empty", "\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "doubled fields", "To: a@b\r\nSubject: one\r\nTo:\r\nSubject: two\r\n"
	    "To: g: c@d;, e@f\r\n\r\n",
	    "(NIL \"one\" NIL NIL NIL ((NIL NIL \"a\" \"b\")"
	    "(NIL NIL \"g\" NIL)(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)"
	    "(NIL NIL \"e\" \"f\")) NIL NIL NIL NIL)" },
	{ "odd strings", "Subject: a\"b\\c\r\n d\r\nFrom: x\r\n"
	    "Sender: \r\nTo: g:;\r\nIn-Reply-To:\r\nMessage-ID: \xff\r\n\r\n",
	    "(NIL \"a\\\"b\\\\c d\" ((NIL NIL \"x\" \"MISSING_DOMAIN\")) "
	    "((NIL NIL \"x\" \"MISSING_DOMAIN\")) "
	    "((NIL NIL \"x\" \"MISSING_DOMAIN\")) "
	    "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)) NIL NIL \"\" "
	    "{1}\r\n\xff)" },
};

static const struct {
	const char *name, *in, *structure, *body;
} structures[] = {
	{ "plain", "Subject: x\r\n\r\none\r\ntwo\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2 NIL NIL NIL NIL)",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2)" },
	{ "LF counts as CRLF", "\none\ntwo\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2 NIL NIL NIL NIL)",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "10 2)" },
	{ "attachment", "Content-Type: image/png; name=\"a b.png\"\r\n"
	    "Content-Transfer-Encoding: BASE64\r\n"
	    "Content-ID: <i@d>\r\nContent-Description: pic\r\n"
	    "Content-Disposition: attachment; filename=x\r\n"
	    "Content-Language: en, fr\r\nContent-Location: l\r\n"
	    "Content-MD5: m\r\n\r\nAA\r\n",
	    "(\"image\" \"png\" (\"name\" \"a b.png\") \"<i@d>\" \"pic\" "
	    "\"BASE64\" 4 \"m\" (\"attachment\" (\"filename\" \"x\")) "
	    "(\"en\" \"fr\") \"l\")",
	    "(\"image\" \"png\" (\"name\" \"a b.png\") \"<i@d>\" \"pic\" "
	    "\"BASE64\" 4)" },
	{ "multipart with message",
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\nx\r\n"
	    "--a\r\nContent-Type: message/rfc822\r\n\r\n"
	    "Subject: in\r\n\r\ny\r\n\r\n--a--\r\n",
	    "((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 1 0 "
	    "NIL NIL NIL NIL)"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) 3 NIL NIL "
	    "NIL NIL) \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)",
	    "((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 1 0)"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 3 1) 3) \"mixed\")" },
	{ "opaque multipart", "Content-Type: multipart/mixed\r\n\r\nx",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 1 NIL NIL "
	    "NIL NIL)",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 1)" },
	{ "multipart without parts",
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\nx",
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "0 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)",
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "0 0) \"mixed\")" },
	{ "sections of RFC 2231", "Content-Type: a/b; name*1=\"d e\"; x=y;\r\n"
	    " name*0*=utf-8''a%20; name*2*=%41; other*1=z; k*0=\"1 \"; k*1=2"
	    "\r\n\r\nx",
	    "(\"a\" \"b\" (\"x\" \"y\" \"name*\" \"utf-8''a%20d%20e%41\" "
	    "\"other*1\" \"z\" \"k\" \"1 2\") NIL NIL \"7bit\" 1 NIL NIL NIL "
	    "NIL)",
	    "(\"a\" \"b\" (\"x\" \"y\" \"name*\" \"utf-8''a%20d%20e%41\" "
	    "\"other*1\" \"z\" \"k\" \"1 2\") NIL NIL \"7bit\" 1)" },
	{ "sections behind a gap, language comments, no disposition type",
	    "Content-Type: a/b; n*0=x; n*2=z\r\n"
	    "Content-Disposition: ; filename=f\r\n"
	    "Content-Language: en (English), (x) de x,,\r\n\r\nx",
	    "(\"a\" \"b\" (\"n*0\" \"x\" \"n*2\" \"z\") NIL NIL \"7bit\" 1 "
	    "NIL (\"\" (\"filename\" \"f\")) (\"en\" \"de\") NIL)",
	    "(\"a\" \"b\" (\"n*0\" \"x\" \"n*2\" \"z\") NIL NIL \"7bit\" 1)" },
	{ "malformed type", "Content-Type: nonsense\r\n\r\nx",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "1 0 NIL NIL NIL NIL)",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "1 0)" },
};

static void
is(const char *name, struct buf *got, const char *want)
{
	assert_false(buf_failed(got));
	if (strcmp(buf_cstr(got), want) != 0)
		fail_msg("%s:\n%s\nwant\n%s", name, buf_cstr(got), want);
	buf_clear(got);
}

static void
test_envelopes(void **state)
{
	struct buf out;
	size_t i;

	buf_init(&out, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(envelopes); i++) {
		imap_text_envelope(&out, span_str(envelopes[i].in));
		is(envelopes[i].name, &out, envelopes[i].want);
	}
	buf_fini(&out);
}

static void
test_structures(void **state)
{
	struct buf env, out, body;
	struct mime m;
	size_t i, n;

	mime_init(&m);
	buf_init(&env, BUF_NO_CAP);
	buf_init(&out, BUF_NO_CAP);
	buf_init(&body, BUF_NO_CAP);
	for (i = 0; i < ARRAY_LEN(structures); i++) {
		imap_text_message(&env, &out, &m,
		    span_str(structures[i].in));
		assert_true(imap_text_body(&body, buf_span(&out)));
		is(structures[i].name, &body, structures[i].body);
		/* a damaged cache entry is noticed, not followed */
		for (n = 0; n < buf_len(&out); n++)
			assert_false(imap_text_body(&body,
			    span_sub(buf_span(&out), 0, n)));
		is(structures[i].name, &out, structures[i].structure);
	}
	buf_fini(&env);
	buf_fini(&out);
	buf_fini(&body);
	mime_fini(&m);
}

static void
test_astrings(void **state)
{
	static const char *const pairs[][2] = { { "INBOX", "INBOX" },
	    { "a b", "\"a b\"" }, { "", "\"\"" }, { "nil", "\"nil\"" },
	    { "a]b", "\"a]b\"" }, { "a\r\n", "{3}\r\na\r\n" },
	    { "&APw-", "&APw-" }, { "50%", "\"50%\"" } };
	struct buf out;
	size_t i;

	buf_init(&out, 100);
	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		imap_text_astring(&out, span_str(pairs[i][0]));
		is(pairs[i][0], &out, pairs[i][1]);
	}
	imap_text_nstring(&out, SPAN_NONE);
	is("nil", &out, "NIL");
	buf_fini(&out);
}

static void
test_envelopes_are_read_back(void **state)
{
	static const char mail[] = "Subject: a\"b\\c\r\n"
	    "From: \"A, B\" <x@y>, c@d\r\nTo: g: e@f;\r\n"
	    "Message-ID: \xff\r\n\r\n";
	static const struct {
		enum imap_envelope field;
		const char *want;
	} cases[] = {
		{ IMAP_ENV_DATE, "" }, { IMAP_ENV_SUBJECT, "a\"b\\c" },
		{ IMAP_ENV_FROM, "A, B <x@y>, <c@d>" },
		{ IMAP_ENV_SENDER, "A, B <x@y>, <c@d>" },
		{ IMAP_ENV_TO, "<g>, <e@f>, <>" }, { IMAP_ENV_CC, "" },
		{ IMAP_ENV_MESSAGE_ID, "\xff" },
	};
	struct buf env, out;
	size_t i, n;

	buf_init(&env, BUF_NO_CAP);
	buf_init(&out, BUF_NO_CAP);
	imap_text_envelope(&env, span_str(mail));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		for (n = 0; n < buf_len(&env) - 1; n++)
			if (imap_read_envelope(span_sub(buf_span(&env), 0, n),
			    IMAP_ENV_MESSAGE_ID, &out))
				fail_msg("cut at %zu", n);
		buf_clear(&out);
		assert_true(imap_read_envelope(buf_span(&env),
		    cases[i].field, &out));
		is("field", &out, cases[i].want);
	}
	buf_fini(&env);
	buf_fini(&out);
}

/* The output's cap ends the work; nothing is written past it. */
static void
test_the_cap_holds(void **state)
{
	struct buf in, out;

	buf_init(&in, BUF_NO_CAP);
	buf_init(&out, 1000);
	buf_str(&in, "To: ");
	while (buf_len(&in) < 100000)
		buf_str(&in, "a@b,");
	imap_text_envelope(&out, buf_span(&in));
	assert_true(buf_failed(&out));
	buf_fini(&in);
	buf_fini(&out);
}

static void
test_field_names(void **state)
{
	static const char header[] = "Received: a\r\n b\r\n"
	    "received : c\r\nSUBJECT: d\r\nno colon\r\n\r\nX-Body: e\r\n";
	static const struct {
		const char *name;
		unsigned n;
	} rows[] = {
		{ "Received", 2 }, { "RECEIVED", 2 }, { "subject", 1 },
		{ "no colon", 1 }, { "X-Body", 0 }, { " b", 0 }, { "", 0 },
		{ "Subjec", 0 }, { "Message-ID", 0 },
	};
	struct buf out;
	size_t i;

	buf_init(&out, FIELD_NAMES_BYTES);
	field_names_put(&out, span_str(header));
	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (field_names_count(buf_span(&out), span_str(rows[i].name))
		    != rows[i].n)
			fail_msg("%s", rows[i].name);
	/* too many to keep */
	for (i = 0; i < FIELD_NAMES_MAX - 4; i++)
		field_names_put(&out, SPAN_LIT("a: b\r\n\r\n"));
	assert_false(buf_failed(&out));
	assert_int_equal(field_names_count(buf_span(&out), SPAN_LIT("A")),
	    FIELD_NAMES_MAX - 4);
	field_names_put(&out, SPAN_LIT("a: b\r\n\r\n"));
	assert_true(buf_failed(&out));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_astrings),
		cmocka_unit_test(test_envelopes_are_read_back),
		cmocka_unit_test(test_the_cap_holds),
		cmocka_unit_test(test_field_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
