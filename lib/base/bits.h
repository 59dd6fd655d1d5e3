/*
 * Addresses as bits: prefixes of networks.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <string.h>

#include "base/macros.h"

/* Do the first `bits` bits of two addresses agree? */
static inline bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, left = bits % 8;
	uint8_t mask = left == 0 ? 0 : (uint8_t)(0xff << (8 - left));

	return memcmp(a, b, whole) == 0 &&
	    (left == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

#endif
