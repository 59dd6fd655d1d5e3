/* The words of XCLIENT and XFORWARD. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "smtpd/xattr.h"

#define S10	"0123456789"
#define S250	S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 S10 \
	S10 S10 S10 S10 S10 S10 S10 S10 S10 S10

static const struct {
	enum xattr_command command;
	struct span in;
	const char *want;	/* "STATE text|" per attribute, or the reply */
} cases[] = {
	{ XATTR_XCLIENT, SPAN_LIT("NAME=mx.example ADDR=192.0.2.1 PORT=25"),
	  "mx.example|192.0.2.1|25|" },
	{ XATTR_XCLIENT, SPAN_LIT("name=mx.example"), "mx.example|" },
	{ XATTR_XCLIENT, SPAN_LIT("  NAME=a.example   ADDR=192.0.2.1  "),
	  "a.example|192.0.2.1|" },
	{ XATTR_XCLIENT, SPAN_LIT("NAME=[UNAVAILABLE] ADDR=[unavailable]"),
	  "none|none|" },
	{ XATTR_XCLIENT, SPAN_LIT("REVERSE_NAME=[TEMPUNAVAIL]"), "temp|" },
	{ XATTR_XCLIENT, SPAN_LIT("ADDR=IPV6:2001:DB8:0::1"),
	  "2001:db8::1|" },
	{ XATTR_XCLIENT, SPAN_LIT("ADDR=ipv6:::ffff:192.0.2.1"),
	  "192.0.2.1|" },
	{ XATTR_XCLIENT, SPAN_LIT("ADDR=2001:db8::1"),
	  "501 5.5.4 Bad ADDR syntax: 2001:db8::1" },
	{ XATTR_XCLIENT, SPAN_LIT("ADDR=IPV6:192.0.2.1"),
	  "501 5.5.4 Bad ADDR syntax: IPV6:192.0.2.1" },
	{ XATTR_XCLIENT, SPAN_LIT("ADDR=mx.example"),
	  "501 5.5.4 Bad ADDR syntax: mx.example" },
	{ XATTR_XCLIENT, SPAN_LIT("NAME=192.0.2.1"),
	  "501 5.5.4 Bad NAME syntax: 192.0.2.1" },
	{ XATTR_XCLIENT, SPAN_LIT("NAME=a+0Ab.example"),
	  "501 5.5.4 Bad NAME syntax: a?b.example" },
	{ XATTR_XCLIENT, SPAN_LIT("PORT=65536"),
	  "501 5.5.4 Bad PORT syntax: 65536" },
	{ XATTR_XCLIENT, SPAN_LIT("PORT=-1"),
	  "501 5.5.4 Bad PORT syntax: -1" },
	{ XATTR_XCLIENT, SPAN_LIT("PROTO=esmtp"), "esmtp|" },
	{ XATTR_XCLIENT, SPAN_LIT("PROTO=LMTP"),
	  "501 5.5.4 Bad PROTO syntax: LMTP" },
	{ XATTR_XFORWARD, SPAN_LIT("PROTO=LMTP"), "LMTP|" },
	{ XATTR_XCLIENT, SPAN_LIT("HELO=a+20<b>"), "a??b?|" },
	{ XATTR_XCLIENT, SPAN_LIT("HELO=half+xtext+4"), "half+xtext+4|" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=kim+40a.example"),
	  "kim@a.example|" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=kim+0D+0AX:+20y"), "kim??X: y|" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=a+00b"), "a?b|" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=a=b"), "a=b|" },
	{ XATTR_XCLIENT, SPAN_LIT("DESTADDR=192.0.2.9 DESTPORT=587"),
	  "192.0.2.9|587|" },
	{ XATTR_XCLIENT, SPAN_LIT("NAME"),
	  "501 5.5.4 Error: attribute=value expected" },
	{ XATTR_XCLIENT, SPAN_LIT("NAME="),
	  "501 5.5.4 Error: attribute=value expected" },
	{ XATTR_XCLIENT, SPAN_LIT("=x"),
	  "501 5.5.4 Bad XCLIENT attribute name: " },
	{ XATTR_XCLIENT, SPAN_LIT(""),
	  "501 5.5.4 Syntax: XCLIENT attribute=value..." },
	{ XATTR_XCLIENT, SPAN_LIT("IDENT=x"),
	  "501 5.5.4 Bad XCLIENT attribute name: IDENT" },
	{ XATTR_XFORWARD, SPAN_LIT("LOGIN=x"),
	  "501 5.5.4 Bad XFORWARD attribute name: LOGIN" },
	{ XATTR_XFORWARD, SPAN_LIT("IDENT=3kF9t SOURCE=remote"),
	  "3kF9t|remote|" },
	{ XATTR_XFORWARD, SPAN_LIT("SOURCE=away"),
	  "501 5.5.4 Bad SOURCE syntax: away" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=" S250 "12345"), S250 "12345|" },
	{ XATTR_XCLIENT, SPAN_LIT("LOGIN=" S250 "123456"),
	  "501 5.5.4 Error: attribute value too long" },
};

static void
words(void **state)
{
	struct xattrs x;
	struct buf got;
	size_t i, a;

	(void)state;
	buf_init(&got, 4096);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&got);
		if (xattrs_parse(cases[i].command, cases[i].in, &x, &got) ==
		    0)
			for (a = 0; a < XATTRS; a++)
				if (x.v[a].state != XATTR_ABSENT)
					buf_fmt(&got, "%s|", x.v[a].state ==
					    XATTR_GIVEN ? x.v[a].text :
					    x.v[a].state == XATTR_UNAVAILABLE ?
					    "none" : "temp");
		assert_string_equal(buf_cstr(&got), cases[i].want);
	}
	buf_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
