/*
 * The argument of check_ccert_access. What is taken lies inside the text and
 * searches for each key once at most, and for one at least; what is not has a
 * reason.
 */
#include "gate/ccert_arg.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct ccert_arg a;
	unsigned seen = 0;
	struct buf why;
	size_t i;

	buf_init(&why, 65536);
	if (!ccert_arg_parse(text, &a, &why)) {
		if (buf_len(&why) == 0)
			__builtin_trap();
	} else {
		if (a.table.n > 0 && (a.table.p < text.p ||
		    a.table.p + a.table.n > text.p + text.n))
			__builtin_trap();
		if (a.n == 0 || a.n > CCERT_KEYS)
			__builtin_trap();
		for (i = 0; i < a.n; i++) {
			if (a.order[i] >= CCERT_KEYS ||
			    (seen & 1u << a.order[i]))
				__builtin_trap();
			seen |= 1u << a.order[i];
		}
	}
	buf_fini(&why);
	return 0;
}
