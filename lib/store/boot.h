/*
 * Which boot of the machine this is, as the store asks: base/clock.h's answer,
 * unless a test pretends that the power was cut.
 */
#ifndef STORE_BOOT_H
#define STORE_BOOT_H

#include <stdint.h>

#include "base/macros.h"

void store_boot_id(uint8_t id[16]);
bool store_boot_is_now(const uint8_t id[16]);
/* A number that stands for this boot in index records; never 0. */
uint32_t store_boot_tag(void);

/* Seconds since 1970. */
int64_t store_boot_seconds(void);

/* Tests: the n-th boot from now, n minutes later; 0 is the real one. Not
 * thread-safe. */
void store_boot_pretend(uint8_t n);

#endif
