/*
 * Times. Timers and durations are monotonic; the wall clock only labels.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <stddef.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
int64_t clock_wall_us(void);		/* microseconds since 1970 */
/* The kernel's boot id, 16 bytes; constant until the machine restarts. */
void clock_boot_id(uint8_t id[16]);

#endif
