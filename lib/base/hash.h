/*
 * crc32c guards stored bytes against rot and tearing; siphash keys tables
 * that remote input fills (S27). map.h builds on the second.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/macros.h"

/* CRC-32C (Castagnoli). Start with crc = 0; feed parts in order. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* SipHash-2-4 under a key drawn at process start. */
uint64_t siphash(const void *p, size_t n);

#endif
