/*
 * Any bytes as a header: the fields must tile it, and their values survive
 * unfolding and decoding.
 */
#include "mail/codec.h"
#include "mail/header.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct header_iter it;
	struct header_field f;
	struct buf out;
	size_t at = 0;

	if (size > 65536)
		return 0;
	buf_init(&out, BUF_NO_CAP);
	header_iter_init(&it, text);
	while (header_next(&it, &f)) {
		if (f.raw.p != text.p + at || f.raw.n == 0)
			__builtin_trap();
		at += f.raw.n;
		buf_clear(&out);
		header_unfold(&out, f.value);
		if (memchr(buf_data(&out), '\n', buf_len(&out)) != NULL)
			__builtin_trap();
		buf_clear(&out);
		words_decode(&out, f.value);
	}
	if (header_length(text) < at || header_length(text) > at + 2)
		__builtin_trap();
	buf_fini(&out);
	return 0;
}
