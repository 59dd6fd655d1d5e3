#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/xmalloc.h"
#include "mail/date.h"

#define BAD INT64_MIN

static const struct {
	const char *in;
	int64_t utc;
	int zone;
} mail_dates[] = {
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
	{ "21 Nov 97 09:55:06 GMT", 880106106, 0 },
	{ "Thu, 13 Feb 1969 23:32 -0330", -27723480, -210 },
	{ "Thu,\r\n 13\r\n Feb (a (b) \\) c) 1969 23:32 -0330 (Nfld)",
	    -27723480, -210 },
	{ "1 Jan 2000 00:00:00 EST", 946702800, -300 },
	{ "1 January 2000 00:00:00 EDT", 946699200, -240 },
	{ "29 Feb 2024 12:00:00 +0530", 1709188200, 330 },
	{ "1-Jan-2000 0:0:0 +0000", 946684800, 0 },
	{ "1 Jan 2000 00:00:00 JST", 946684800, 0 },
	{ "1 Jan 2000 00:00:00", 946684800, 0 },
	{ "31 Dec 1999 23:59:60 +0000", 946684800, 0 },
	{ "30 Feb 2024 12:00:00 +0000", BAD, 0 },
	{ "1 Foo 2000 00:00:00 +0000", BAD, 0 },
	{ "Fri", BAD, 0 },
	{ "", BAD, 0 },
	{ "32 Jan 2000 00:00:00 +0000", BAD, 0 },
	{ "1 Jan 2000 25:00:00 +0000", BAD, 0 },
	{ "1 Jan 20000 00:00:00 +0000", BAD, 0 },
};

static void
test_mail_dates(void **state)
{
	struct date d;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(mail_dates); i++) {
		const char *in = mail_dates[i].in;
		bool ok;

		for (n = 0; n < strlen(in); n++) {
			char *part = xmemdup0(in, n);

			if (date_parse(span_of(part, n), &d))
				assert_true(d.zone >= -1440);
			free(part);
		}
		ok = date_parse(span_str(in), &d);
		if (ok != (mail_dates[i].utc != BAD))
			fail_msg("%s: %d", in, ok);
		if (ok && d.utc != mail_dates[i].utc)
			fail_msg("%s: %lld", in, (long long)d.utc);
		if (ok)
			assert_int_equal(d.zone, mail_dates[i].zone);
	}
}

static void
test_imap_dates(void **state)
{
	struct date d;
	char text[DATE_IMAP_LEN];
	int32_t day;

	assert_true(date_parse_imap(SPAN_LIT("17-Jul-1996 02:44:25 -0700"),
	    &d));
	assert_int_equal(d.utc, 837596665);
	date_format_imap(text, d.utc, d.zone);
	assert_memory_equal(text, "17-Jul-1996 02:44:25 -0700",
	    DATE_IMAP_LEN);
	assert_true(date_parse_imap(SPAN_LIT(" 1-Jan-2000 00:00:00 +0100"),
	    &d));
	date_format_imap(text, d.utc, 0);
	assert_memory_equal(text, "31-Dec-1999 23:00:00 +0000",
	    DATE_IMAP_LEN);
	assert_int_equal(date_day(&d), 10957);
	assert_false(date_parse_imap(SPAN_LIT("17-Jul-1996 02:44:25"), &d));
	assert_false(date_parse_imap(SPAN_LIT("17-Jul-1996 02:44:25 +0000 "),
	    &d));
	assert_false(date_parse_imap(SPAN_LIT("31-Feb-1996 02:44:25 +0000"),
	    &d));
	assert_true(date_parse_imap_day(SPAN_LIT("1-Feb-1994"), &day));
	assert_int_equal(day, 8797);
	assert_false(date_parse_imap_day(SPAN_LIT("1-Feb-94"), &day));
	date_format_imap(text, INT64_MAX, 0);
	date_format_imap(text, INT64_MIN, 0);
}

static void
test_formats_are_read_back(void **state)
{
	char text[DATE_RFC5322_MAX];
	struct date d;
	int64_t t;
	size_t n;

	assert_int_equal(date_format_rfc5322(text, 1795172268, 0), 31);
	assert_string_equal(text, "Fri, 20 Nov 2026 10:57:48 +0000");
	for (t = -40000000000; t < 200000000000; t += 98765432101 / 3) {
		n = date_format_rfc5322(text, t, -90);
		assert_true(date_parse(span_of(text, n), &d));
		assert_int_equal(d.utc, t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_dates),
		cmocka_unit_test(test_imap_dates),
		cmocka_unit_test(test_formats_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
