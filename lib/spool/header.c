#include "spool/header.h"

#include <string.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "base/proc.h"

#define HEADER_SIZE	64

void
header_epoch(uint8_t epoch[EPOCH_SIZE])
{
	proc_random(epoch, EPOCH_SIZE);
}

int
header_write(int fd, const char *magic, const struct segment_ref *ref)
{
	char page[SPOOL_PAGE] = { 0 };

	memcpy(page, magic, 8);
	put_u32(page + 12, ref->id);
	memcpy(page + 16, ref->epoch, EPOCH_SIZE);
	put_u64(page + 32, ref->size);
	put_u64(page + 40, (uint64_t)clock_wall_us());
	put_u32(page + 8, crc32c(0, page + 12, HEADER_SIZE - 12));
	return disk_pwrite(fd, page, sizeof(page), 0) == -1 ? -1 : 0;
}

int
header_read(int fd, const char *magic, struct segment_ref *ref,
    struct err *err)
{
	char h[HEADER_SIZE];
	ssize_t got = disk_pread(fd, h, sizeof(h), 0);

	if (got == -1)
		return err_errno(err, "read header");
	if (got != sizeof(h) || memcmp(h, magic, 8) != 0 ||
	    get_u32(h + 8) != crc32c(0, h + 12, HEADER_SIZE - 12))
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "header does not check");
	ref->id = get_u32(h + 12);
	memcpy(ref->epoch, h + 16, EPOCH_SIZE);
	ref->size = get_u64(h + 32);
	return 0;
}
