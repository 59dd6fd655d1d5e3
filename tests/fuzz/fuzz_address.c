/*
 * Any bytes as a path with parameters. What parses must have a normal form
 * that parses to itself, and xtext must survive the round trip.
 */
#include "mail/address.h"
#include "tests/fuzz/fuzz.h"

static void
one(struct span in, unsigned flags)
{
	struct address a;
	struct span rest = in, key, value;
	struct buf normal, again;

	buf_init(&normal, 4096);
	buf_init(&again, 4096);
	if (address_path(&rest, flags, &a, NULL) == 0) {
		while (esmtp_param_next(&rest, &key, &value) == 1)
			;
		if (address_normal(&a, &normal, NULL) == 0 &&
		    a.domain.n > 0) {
			if (address_normal_text(buf_span(&normal), &again,
			    NULL) != 0)
				__builtin_trap();
			if (!span_eq(buf_span(&normal), buf_span(&again)))
				__builtin_trap();
		}
	}
	buf_fini(&normal);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf enc, dec;
	unsigned flags;

	if (size > 4096)
		return 0;
	for (flags = 0; flags < 16; flags++)
		one(in, flags);
	buf_init(&enc, BUF_NO_CAP);
	buf_init(&dec, BUF_NO_CAP);
	xtext_encode(in, &enc);
	if (xtext_decode(buf_span(&enc), &dec) != 0 ||
	    !span_eq(in, buf_span(&dec)))
		__builtin_trap();
	buf_clear(&dec);
	if (xtext_decode(in, &dec) != 0)
		buf_clear(&dec);
	buf_fini(&enc);
	buf_fini(&dec);
	return 0;
}
