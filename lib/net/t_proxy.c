/* PROXY headers, whole and one byte at a time, with something behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "base/hash.h"
#include "net/proxy.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define FOUR	"\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x00\x19"
#define FOUR_IS	"192.0.2.1 12345 198.51.100.2 25"
#define SIX	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x30\x39\x00\x19"
#define X10	"xxxxxxxxxx"
#define X100	X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *name;
	struct span in;
	const char *want;	/* "from port to port", "local", "unknown",
				 * "bad", "more" */
} cases[] = {
	/* version 1 */
	{ "TCP4", SPAN_LIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n"),
	  FOUR_IS },
	{ "TCP6", SPAN_LIT("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n"),
	  "2001:db8::1 1 2001:db8::2 25" },
	{ "longest ports", SPAN_LIT("PROXY TCP4 255.255.255.255 "
	  "255.255.255.255 65535 65535\r\n"),
	  "255.255.255.255 65535 255.255.255.255 65535" },
	{ "port 0", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n"),
	  "192.0.2.1 0 192.0.2.2 0" },
	{ "UNKNOWN", SPAN_LIT("PROXY UNKNOWN\r\n"), "unknown" },
	{ "UNKNOWN with more", SPAN_LIT("PROXY UNKNOWN ffff::1 x y z\r\n"),
	  "unknown" },
	{ "UNKNOWNS", SPAN_LIT("PROXY UNKNOWNS\r\n"), "bad" },
	{ "lower case", SPAN_LIT("proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n"),
	  "bad" },
	{ "lower tcp4", SPAN_LIT("PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"),
	  "bad" },
	{ "UDP4", SPAN_LIT("PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n"), "bad" },
	{ "two spaces", SPAN_LIT("PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n"),
	  "bad" },
	{ "space at the end", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"),
	  "bad" },
	{ "a word too few", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
	  "bad" },
	{ "a word too many", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n"),
	  "bad" },
	{ "wrong family", SPAN_LIT("PROXY TCP4 ::1 ::1 1 1\r\n"), "bad" },
	{ "wrong family 6", SPAN_LIT("PROXY TCP6 1.2.3.4 ::1 1 1\r\n"),
	  "bad" },
	{ "no address", SPAN_LIT("PROXY TCP4 a.example 1.2.3.4 1 1\r\n"),
	  "bad" },
	{ "short address", SPAN_LIT("PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n"),
	  "bad" },
	{ "leading zero", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"),
	  "bad" },
	{ "port too big", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n"),
	  "bad" },
	{ "sign", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 -1 +1\r\n"), "bad" },
	{ "NUL", SPAN_LIT("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n"), "bad" },
	{ "bare LF", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"), "bad" },
	{ "bare CR", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rx"), "bad" },
	{ "no end", SPAN_LIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1"), "more" },
	{ "107 bytes", SPAN_LIT("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10
	  X10 X10 "x\r\n"), "unknown" },
	{ "108 bytes", SPAN_LIT("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10
	  X10 X10 "xx\r\n"), "bad" },
	{ "endless", SPAN_LIT("PROXY UNKNOWN " X100), "bad" },
	{ "nothing said", SPAN_LIT("PROXY \r\n"), "bad" },
	{ "SMTP", SPAN_LIT("EHLO x\r\n"), "bad" },
	{ "TLS", SPAN_LIT("\x16\x03\x01"), "bad" },
	{ "a NUL first", SPAN_LIT("\0"), "bad" },
	/* version 2 */
	{ "4", SPAN_LIT(SIG "\x21\x11\0\x0c" FOUR), FOUR_IS },
	{ "6", SPAN_LIT(SIG "\x21\x21\0\x24" SIX),
	  "2001:db8::1 12345 2001:db8::2 25" },
	{ "local", SPAN_LIT(SIG "\x20\0\0\0"), "local" },
	{ "local with addresses", SPAN_LIT(SIG "\x20\x11\0\x0c" FOUR),
	  "local" },
	{ "unspecified", SPAN_LIT(SIG "\x21\0\0\0"), "unknown" },
	{ "a TLV", SPAN_LIT(SIG "\x21\x11\0\x13" FOUR "\x02\0\x04host"),
	  FOUR_IS },
	{ "TLVs", SPAN_LIT(SIG "\x21\x11\0\x13" FOUR "\x04\0\0\xee\0\x01x"),
	  FOUR_IS },
	{ "a TLV too long", SPAN_LIT(SIG "\x21\x11\0\x13" FOUR
	  "\x02\0\x05host"), "bad" },
	{ "half a TLV", SPAN_LIT(SIG "\x21\x11\0\x0e" FOUR "\x02\0"), "bad" },
	{ "wrong checksum", SPAN_LIT(SIG "\x21\x11\0\x13" FOUR
	  "\x03\0\x04" "\0\0\0\0"), "bad" },
	{ "short checksum", SPAN_LIT(SIG "\x21\x11\0\x12" FOUR
	  "\x03\0\x03" "\0\0\0"), "bad" },
	{ "addresses cut", SPAN_LIT(SIG "\x21\x11\0\x0b" FOUR), "bad" },
	{ "UDP", SPAN_LIT(SIG "\x21\x12\0\x0c" FOUR), "bad" },
	{ "version 3", SPAN_LIT(SIG "\x31\x11\0\x0c" FOUR), "bad" },
	{ "command 2", SPAN_LIT(SIG "\x22\x11\0\x0c" FOUR), "bad" },
	{ "too long", SPAN_LIT(SIG "\x21\x11\x20\x00" FOUR), "bad" },
	{ "not all of it", SPAN_LIT(SIG "\x21\x11\0\x0d" FOUR), "more" },
	{ "another signature", SPAN_LIT("\r\n\r\n\0\r\nQUIT\r"), "bad" },
};

static void
end_print(const struct sockaddr_storage *ss, struct buf *out)
{
	const struct sockaddr_in *four = (const void *)ss;
	const struct sockaddr_in6 *six = (const void *)ss;
	char ip[INET6_ADDRSTRLEN];
	bool is4 = ss->ss_family == AF_INET;

	assert_non_null(inet_ntop(ss->ss_family, is4 ?
	    (const void *)&four->sin_addr : (const void *)&six->sin6_addr,
	    ip, sizeof(ip)));
	buf_fmt(out, "%s %d", ip, ntohs(is4 ? four->sin_port :
	    six->sin6_port));
}

static void
print(enum proxy_result r, const struct proxy_header *h, struct buf *out)
{
	buf_clear(out);
	if (r != PROXY_DONE)
		buf_str(out, r == PROXY_BAD ? "bad" : "more");
	else if (h->kind != PROXY_INET)
		buf_str(out, h->kind == PROXY_LOCAL ? "local" : "unknown");
	else {
		end_print(&h->from, out);
		buf_char(out, ' ');
		end_print(&h->to, out);
	}
}

/* As it comes: the first answer that is not MORE is the answer, and it is
 * not given before the header's last byte. */
static void
grow(struct span in, const char *want)
{
	struct proxy_header h;
	enum proxy_result r = PROXY_MORE;
	struct buf got;
	size_t n;

	buf_init(&got, 256);
	for (n = 0; n <= in.n && r == PROXY_MORE; n++) {
		/* exactly as much memory as there is input */
		char *mem = malloc(n + 1);

		assert_non_null(mem);
		memcpy(mem, in.p, n);
		r = proxy_parse(span_of(mem, n), &h);
		free(mem);
	}
	print(r, &h, &got);
	assert_string_equal(buf_cstr(&got), want);
	if (r == PROXY_DONE)
		assert_int_equal(h.n, n - 1);
	buf_fini(&got);
}

static void
headers(void **state)
{
	struct proxy_header h;
	struct buf got, more;
	const char *want;
	size_t i;

	(void)state;
	buf_init(&got, 256);
	buf_init(&more, 1024);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		want = cases[i].want;
		print(proxy_parse(cases[i].in, &h), &h, &got);
		if (strcmp(buf_cstr(&got), want) != 0)
			fail_msg("%s: %s", cases[i].name, buf_cstr(&got));
		grow(cases[i].in, want);
		if (strcmp(want, "more") == 0)
			continue;
		/* What the client says behind it changes nothing. */
		buf_clear(&more);
		buf_span_add(&more, cases[i].in);
		buf_str(&more, "EHLO x\r\n");
		print(proxy_parse(buf_span(&more), &h), &h, &got);
		assert_string_equal(buf_cstr(&got), want);
		if (strcmp(want, "bad") != 0)
			assert_int_equal(h.n, cases[i].in.n);
	}
	buf_fini(&got);
	buf_fini(&more);
}

/* Sealed as a sender seals it; then every bit of it counts. */
static void
a_checksum_is_looked_at(void **state)
{
	static const char head[] = SIG "\x21\x11\0\x13" FOUR "\x03\0\x04";
	char all[sizeof(head) - 1 + 4] = { 0 };
	struct proxy_header h;
	uint32_t crc;
	size_t i;

	(void)state;
	memcpy(all, head, sizeof(head) - 1);
	crc = crc32c(0, all, sizeof(all));
	for (i = 0; i < 4; i++)
		all[sizeof(head) - 1 + i] = (char)(crc >> (24 - 8 * i));
	assert_int_equal(proxy_parse(span_of(all, sizeof(all)), &h),
	    PROXY_DONE);
	for (i = 16; i < 28; i++) {
		all[i] ^= 1;
		assert_int_equal(proxy_parse(span_of(all, sizeof(all)), &h),
		    PROXY_BAD);
		all[i] ^= 1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(a_checksum_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
