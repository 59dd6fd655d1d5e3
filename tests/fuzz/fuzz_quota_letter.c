/* Whatever a template holds, the message made of it is lines that end in
 * CRLF, without a bare CR, LF or NUL, or too big and says so. */
#include <stdlib.h>

#include "delivery/quota_letter.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct quota_letter l = { .user = SPAN_LIT("kim@a.example"),
	    .origin = "a.example", .hostname = "mx.a.example",
	    .level = size % 2 * 80, .percent = 83, .bytes = size };
	struct span all;
	struct buf out;
	size_t i;

	buf_init(&out, QUOTA_LETTER_MAX);
	quota_letter_make(&l, span_of(data, size), &out);
	all = buf_span(&out);
	for (i = 0; !buf_failed(&out) && i < all.n; i++) {
		if (all.p[i] == '\0' ||
		    (all.p[i] == '\n' && (i == 0 || all.p[i - 1] != '\r')) ||
		    (all.p[i] == '\r' && (i + 1 == all.n ||
		    all.p[i + 1] != '\n')))
			abort();
	}
	buf_fini(&out);
	return 0;
}
