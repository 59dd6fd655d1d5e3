/* base64, quoted-printable, encoded words, charsets, modified UTF-7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/utf7.h"

static struct buf out;

static int
setup(void **state)
{
	buf_init(&out, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	buf_fini(&out);
	return 0;
}

static const char *
got(void)
{
	static char text[4096];

	assert_true(buf_len(&out) < sizeof(text));
	memcpy(text, buf_data(&out), buf_len(&out));
	text[buf_len(&out)] = '\0';
	buf_clear(&out);
	return text;
}

static void
test_base64(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
	    { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" } };
	static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Z===",
	    "====", "Zm9v=", "Zm 9", "Zm9v\r\n", "Zg==Zg==" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		base64_encode(&out, span_str(pairs[i][0]));
		assert_string_equal(got(), pairs[i][1]);
		assert_true(base64_decode(&out, span_str(pairs[i][1])));
		assert_string_equal(got(), pairs[i][0]);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(base64_decode(&out, span_str(bad[i])));
		assert_int_equal(buf_len(&out), 0);
	}
	base64_decode_mime(&out, SPAN_LIT("Zm9\r\nv Yg"));
	assert_string_equal(got(), "foob");
}

static void
test_quoted_printable(void **state)
{
	qp_decode(&out, SPAN_LIT("a=3Db=\r\nc=  \nd=XX=4"), false);
	assert_string_equal(got(), "a=bcd=XX=4");
	qp_decode(&out, SPAN_LIT("a_b"), true);
	assert_string_equal(got(), "a b");
}

/* RFC 2047 8 and what senders really do. */
static void
test_encoded_words(void **state)
{
	static const char *const pairs[][2] = {
		{ "=?ISO-8859-1?Q?a?=", "a" },
		{ "(=?ISO-8859-1?Q?a?= b)", "(a b)" },
		{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a?=  \r\n =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a_b?=", "a b" },
		{ "=?iso-8859-1?q?J=F6rg?= x", "J\xc3\xb6rg x" },
		{ "=?utf-8?b?w7Y=?=", "\xc3\xb6" },
		{ "=?utf-8?b?ww==?= =?utf-8?b?tg==?=", "\xc3\xb6" },
		{ "=?utf-8*de?q?x?=", "x" },
		{ "=?utf-8?q?a?= =?iso-8859-1?q?b?=", "ab" },
		{ "=?no-such-set?q?a?= b", "=?no-such-set?q?a?= b" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
		{ "=?utf-8?q?a", "=?utf-8?q?a" },
		{ "=?=?=?", "=?=?=?" },
		{ "1 = 2", "1 = 2" },
		{ "", "" },
	};
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		for (n = 0; n < strlen(pairs[i][0]); n++)
			words_decode(&out, span_of(pairs[i][0], n));
		buf_clear(&out);
		words_decode(&out, span_str(pairs[i][0]));
		assert_string_equal(got(), pairs[i][1]);
	}
}

static void
test_charsets(void **state)
{
	assert_true(charset_to_utf8(&out, SPAN_LIT("KOI8-R"),
	    SPAN_LIT("\xf0\xd2")));
	assert_string_equal(got(), "\xd0\x9f\xd1\x80");
	assert_true(charset_to_utf8(&out, SPAN_LIT("utf-8"),
	    SPAN_LIT("a\xffz")));
	assert_string_equal(got(), "a\xef\xbf\xbdz");
	assert_false(charset_to_utf8(&out, SPAN_LIT("utf-8//IGNORE"),
	    SPAN_LIT("a")));
	assert_false(charset_known(SPAN_LIT("x\0y")));
	utf8_fold(&out, SPAN_LIT("\xc3\x84RGER \xd0\x9f \xce\xa3 \xff"));
	assert_string_equal(got(), "\xc3\xa4rger \xd0\xbf \xcf\x83 \xff");
	/* ASCII needs no conversion, but the charset must be one */
	assert_true(charset_to_utf8(&out, SPAN_LIT("ISO-8859-15"),
	    SPAN_LIT("plain \xa4")));
	assert_string_equal(got(), "plain \xe2\x82\xac");
	assert_true(charset_to_utf8(&out, SPAN_LIT("ISO-8859-15"),
	    SPAN_LIT("plain")));
	assert_string_equal(got(), "plain");
	assert_true(charset_to_utf8(&out, SPAN_LIT("utf-7"),
	    SPAN_LIT("a+AOQ-")));
	assert_string_equal(got(), "a\xc3\xa4");
	assert_false(charset_to_utf8(&out, SPAN_LIT("iso-8859-99"),
	    SPAN_LIT("plain")));
}

/* Every byte, in every place of a word of eight and beside others. */
static void
test_fold_of_ascii(void **state)
{
	unsigned c, at;
	char text[17];
	size_t i;

	for (c = 0; c < 0x80; c++)
		for (at = 0; at < 16; at++) {
			memset(text, 'Z', 16);
			text[at] = (char)c;
			buf_clear(&out);
			utf8_fold(&out, span_of(text, 16));
			assert_int_equal(buf_len(&out), 16);
			for (i = 0; i < 16; i++)
				assert_int_equal(buf_data(&out)[i], i == at ?
				    ascii_lower((char)c) : 'z');
		}
	buf_clear(&out);
}

static void
test_utf7(void **state)
{
	static const char *const pairs[][2] = {
		{ "Sent", "Sent" }, { "A&-B", "A&B" },
		{ "&U,BTFw-&-&ZeVnLIqe-",
		    "\xe5\x8f\xb0\xe5\x8c\x97&\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
		{ "&2D3eAA-", "\xf0\x9f\x98\x80" },
	};
	static const char *const bad[] = { "&", "&A", "&AAA-", "&AGE-",
	    "caf\xc3\xa9", "a\tb", "&2D0-", "&APw-&APw-", "&APx-", "&3gA-" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_true(utf7_to_utf8(&out, span_str(pairs[i][0])));
		assert_string_equal(got(), pairs[i][1]);
		assert_true(utf7_from_utf8(&out, span_str(pairs[i][1])));
		assert_string_equal(got(), pairs[i][0]);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (utf7_to_utf8(&out, span_str(bad[i])))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(buf_len(&out), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_quoted_printable),
		cmocka_unit_test(test_encoded_words),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_fold_of_ascii),
		cmocka_unit_test(test_utf7),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
