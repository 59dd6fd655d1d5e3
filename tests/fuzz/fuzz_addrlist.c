/*
 * Any bytes as an address list: it ends, and groups open before they close.
 */
#include "mail/addrlist.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addrlist l;
	struct addr_item a;
	size_t items = 0;
	int depth = 0;

	if (size > 65536)
		return 0;
	addrlist_init(&l, span_of(data, size));
	while (addrlist_next(&l, &a)) {
		depth += a.kind == ADDR_GROUP_START;
		depth -= a.kind == ADDR_GROUP_END;
		if (depth < 0 || depth > 1 || ++items > size + 2)
			__builtin_trap();
	}
	if (depth != 0 || buf_failed(&l.text) || buf_failed(&l.comment))
		__builtin_trap();
	addrlist_fini(&l);
	return 0;
}
