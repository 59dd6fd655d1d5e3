#include "store/boot.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

static uint8_t pretended;

void
store_boot_id(uint8_t id[16])
{
	clock_boot_id(id);
	id[0] ^= pretended;
}

bool
store_boot_is_now(const uint8_t id[16])
{
	uint8_t now[16];

	store_boot_id(now);
	return memcmp(id, now, sizeof(now)) == 0;
}

uint32_t
store_boot_tag(void)
{
	uint8_t now[16];

	store_boot_id(now);
	return crc32c(0, now, sizeof(now)) | 1;
}

int64_t
store_boot_seconds(void)
{
	return clock_wall_us() / 1000000 + 60 * pretended;
}

void
store_boot_pretend(uint8_t n)
{
	pretended = n;
}
