/*
 * The words of XCLIENT and XFORWARD. What is taken is text of one line
 * without control bytes, and addresses are addresses; what is not gets a 501.
 */
#include <arpa/inet.h>
#include <string.h>

#include "smtpd/xattr.h"
#include "tests/fuzz/fuzz.h"

static void
check_value(enum xattr a, const char *text)
{
	unsigned char mem[16];
	size_t i, n = strlen(text);

	if (n > XATTR_VALUE_MAX)
		__builtin_trap();
	for (i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 ||
		    (unsigned char)text[i] >= 0x7f)
			__builtin_trap();
	if ((a == XATTR_ADDR || a == XATTR_DESTADDR) &&
	    inet_pton(AF_INET, text, mem) != 1 &&
	    inet_pton(AF_INET6, text, mem) != 1)
		__builtin_trap();
	if (a == XATTR_HELO && strpbrk(text, "<>() @;\"\\") != NULL)
		__builtin_trap();
}

static void
run(enum xattr_command command, struct span in)
{
	struct xattrs x;
	struct buf reply;
	size_t a;

	buf_init(&reply, 4096);
	if (xattrs_parse(command, in, &x, &reply) != 0) {
		if (strncmp(buf_cstr(&reply), "501 5.5.4 ", 10) != 0)
			__builtin_trap();
	} else {
		if (buf_len(&reply) != 0)
			__builtin_trap();
		for (a = 0; a < XATTRS; a++)
			if (x.v[a].state == XATTR_GIVEN)
				check_value((enum xattr)a, x.v[a].text);
	}
	buf_fini(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(XATTR_XCLIENT, span_of(data, size));
	run(XATTR_XFORWARD, span_of(data, size));
	return 0;
}
