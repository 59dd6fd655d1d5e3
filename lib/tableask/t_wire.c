/*
 * What table servers say: each reply whole, and byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/xmalloc.h"
#include "tableask/wire.h"

struct outcome {
	enum wire_state st;
	enum table_result r;
	size_t used;
	char value[256];
};

static struct outcome
reply(const struct wire *w, struct span in)
{
	struct outcome o = { .r = TABLE_PARKED };
	struct buf value;
	struct err err;

	err_clear(&err);
	buf_init(&value, TABLE_VALUE_MAX);
	o.st = w->reply(in, &o.used, &o.r, &value, &err);
	if (o.st == WIRE_GARBAGE || o.r == TABLE_TEMPFAIL)
		(void)snprintf(o.value, sizeof(o.value), "%s", err.why);
	else
		(void)snprintf(o.value, sizeof(o.value), "%.*s",
		    SPAN_ARG(buf_span(&value)));
	buf_fini(&value);
	return o;
}

/* The first prefix that is not "more" must say what the whole says. */
static struct outcome
reply_bytewise(const struct wire *w, struct span in)
{
	struct outcome o = { .st = WIRE_MORE };
	char *exact;
	size_t n;

	for (n = 0; n <= in.n && o.st == WIRE_MORE; n++) {
		exact = malloc(n == 0 ? 1 : n);
		assert_non_null(exact);
		memcpy(exact, in.p, n);
		o = reply(w, span_of(exact, n));
		free(exact);
	}
	return o;
}

#define T &wire_tcp
#define S &wire_socketmap
#define B(s) { (s), sizeof(s) - 1 }

static void
replies_are_read(void **state)
{
	static const struct {
		const struct wire *w;
		struct span in;
		enum wire_state st;
		enum table_result r;
		const char *value;
	} cases[] = {
		{ T, B("200 OK\n"), WIRE_DONE, TABLE_FOUND, "OK" },
		{ T, B("200 a%20b%25\n"), WIRE_DONE, TABLE_FOUND,
		    "a b%" },
		{ T, B("200 REJECT go away\r\n"), WIRE_DONE, TABLE_FOUND,
		    "REJECT go away" },
		{ T, B("200 \n"), WIRE_DONE, TABLE_FOUND, "" },
		{ T, B("500 no\n"), WIRE_DONE, TABLE_NOTFOUND, "" },
		{ T, B("400 wait\n"), WIRE_DONE, TABLE_TEMPFAIL,
		    "the server says \"400 wait\"" },
		{ T, B("200 OK"), WIRE_MORE, TABLE_PARKED, "" },
		{ T, B(""), WIRE_MORE, TABLE_PARKED, "" },
		{ T, B("\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ T, B("200\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ T, B("200OK\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ T, B("700 x\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ T, B("20x x\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ T, B("200 %4\n"), WIRE_GARBAGE, TABLE_FOUND, NULL },
		{ T, B("200 %zz\n"), WIRE_GARBAGE, TABLE_FOUND, NULL },
		{ T, B("200 a%00b\n"), WIRE_GARBAGE, TABLE_FOUND, NULL },
		{ T, B("200 a\0b\n"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("5:OK ab,"), WIRE_DONE, TABLE_FOUND, "ab" },
		{ S, B("7:OK a, b,"), WIRE_DONE, TABLE_FOUND, "a, b" },
		{ S, B("3:OK ,"), WIRE_DONE, TABLE_FOUND, "" },
		{ S, B("9:NOTFOUND ,"), WIRE_DONE, TABLE_NOTFOUND, "" },
		{ S, B("8:NOTFOUND,"), WIRE_DONE, TABLE_NOTFOUND, "" },
		{ S, B("8:TEMP why,"), WIRE_DONE, TABLE_TEMPFAIL,
		    "the server says \"TEMP why\"" },
		{ S, B("8:TIMEOUT ,"), WIRE_DONE, TABLE_TEMPFAIL, NULL },
		{ S, B("6:PERM x,"), WIRE_DONE, TABLE_TEMPFAIL, NULL },
		{ S, B("5:OK ab"), WIRE_MORE, TABLE_PARKED, "" },
		{ S, B("12"), WIRE_MORE, TABLE_PARKED, "" },
		{ S, B(""), WIRE_MORE, TABLE_PARKED, "" },
		{ S, B("5:OK abc,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B(":OK ab,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("x"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("05:OK ab,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("100001:"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("99999999999999999999"), WIRE_GARBAGE,
		    TABLE_PARKED, NULL },
		{ S, B("2:OK,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("0:,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("3:YES,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
		{ S, B("5:OK a\0,"), WIRE_GARBAGE, TABLE_PARKED, NULL },
	};
	struct outcome whole, bytes;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		whole = reply(cases[i].w, cases[i].in);
		bytes = reply_bytewise(cases[i].w, cases[i].in);
		if (whole.st != cases[i].st || bytes.st != whole.st ||
		    whole.r != cases[i].r || bytes.r != whole.r)
			fail_msg("%.*s: %d %d, %d %d", SPAN_ARG(cases[i].in),
			    whole.st, whole.r, bytes.st, bytes.r);
		if (cases[i].value != NULL)
			assert_string_equal(whole.value, cases[i].value);
		if (whole.st == WIRE_DONE) {
			assert_string_equal(bytes.value, whole.value);
			assert_int_equal(whole.used, cases[i].in.n);
			assert_int_equal(bytes.used, cases[i].in.n);
		}
	}
}

static void
a_reply_ends_where_the_next_begins(void **state)
{
	struct outcome o;

	(void)state;
	o = reply(&wire_tcp, SPAN_LIT("200 a\n200 b\n"));
	assert_int_equal(o.used, 6);
	assert_string_equal(o.value, "a");
	o = reply(&wire_socketmap, SPAN_LIT("4:OK a,4:OK b,"));
	assert_int_equal(o.used, 7);
	assert_string_equal(o.value, "a");
}

static void
long_replies_are_bounded(void **state)
{
	size_t n = WIRE_REPLY_MAX;
	char *text = xmalloc(n);
	struct outcome o;

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "200 ", 4);
	assert_int_equal(reply(&wire_tcp, span_of(text, 4095)).st, WIRE_MORE);
	assert_int_equal(reply(&wire_tcp, span_of(text, 4096)).st,
	    WIRE_GARBAGE);
	memcpy(text, "60000:OK ", 9);
	text[60006] = ',';
	o = reply(&wire_socketmap, span_of(text, n));
	assert_int_equal(o.st, WIRE_DONE);
	assert_int_equal(o.used, 60007);
	/* what no request may need more than the limit of the stream for */
	memcpy(text, "100000:OK ", 10);
	text[100007] = ',';
	assert_int_equal(reply(&wire_socketmap, span_of(text, n)).st,
	    WIRE_DONE);
	free(text);
}

static void
requests_are_escaped(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	wire_tcp.request(NULL, SPAN_LIT("a b%\n\x7f\xc3\xbc@x"), &out);
	assert_string_equal(buf_cstr(&out),
	    "get a%20b%25%0A%7F%C3%BC@x\n");
	buf_clear(&out);
	wire_socketmap.request("map", SPAN_LIT("a b\n,"), &out);
	assert_string_equal(buf_cstr(&out), "9:map a b\n,,");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(a_reply_ends_where_the_next_begins),
		cmocka_unit_test(long_replies_are_bounded),
		cmocka_unit_test(requests_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
