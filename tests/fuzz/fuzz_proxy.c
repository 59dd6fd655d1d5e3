/*
 * PROXY headers. However much of it has come, the answer is the same: MORE up
 * to some byte, then one answer for good. A header is never longer than what
 * came, nor than its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"
#include "tests/fuzz/fuzz.h"

static enum proxy_result
parse(const uint8_t *data, size_t n, struct proxy_header *h)
{
	void *mem = malloc(n + 1);	/* for the sanitizer: no slack */
	enum proxy_result r;

	if (mem == NULL)
		abort();
	memcpy(mem, data, n);
	r = proxy_parse(span_of(mem, n), h);
	free(mem);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_result all, r = PROXY_MORE;
	size_t n;

	if (size > 512)
		size = 512;
	all = parse(data, size, &whole);
	for (n = 0; n <= size && r == PROXY_MORE; n++)
		r = parse(data, n, &part);
	if (r != all)
		__builtin_trap();
	if (r == PROXY_DONE && (part.n != n - 1 || whole.n != part.n ||
	    part.n > PROXY_MAX || whole.kind != part.kind ||
	    memcmp(&whole.from, &part.from, sizeof(part.from)) != 0))
		__builtin_trap();
	return 0;
}
