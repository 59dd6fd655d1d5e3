/*
 * Any bytes as a packed envelope. What unpacks must pack to the same bytes.
 */
#include "spool/envelope.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct envelope e;
	struct buf again;

	if (envelope_unpack(in, &e, NULL) != 0)
		return 0;
	buf_init(&again, ENVELOPE_PACKED_MAX + 1);
	if (envelope_pack(&e, &again, NULL) != 0 ||
	    !span_eq(in, buf_span(&again)))
		__builtin_trap();
	buf_fini(&again);
	envelope_fini(&e);
	return 0;
}
