/*
 * Any bytes as the records of a segment (its header page is taken as read).
 * To get past the checksums, a page that begins with `FIX!` gets the rest of
 * its record header's magic, epoch, place and checksum put right first. The
 * walk must end, and find in one go what opening each record finds.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/pack.h"
#include "spool/record.h"
#include "tests/fuzz/fuzz.h"

#define MAX_SIZE	(64u * 1024)

static void
put_right(char *p, size_t off, size_t size)
{
	memcpy(p, "PREC", 4);
	memset(p + 8, 0, EPOCH_SIZE);
	put_u32(p + 24, 1);
	put_u64(p + 32, off);
	/* plausible lengths more often than not */
	put_u32(p + 56, get_u32(p + 56) % 600);
	put_u64(p + 48, get_u64(p + 48) % 9000);
	put_u64(p + 40, RECORD_HEADER_SIZE + get_u32(p + 56) +
	    get_u64(p + 48));
	if (off + RECORD_HEADER_SIZE + get_u32(p + 56) <= size)
		put_u32(p + 60, crc32c(0, p + RECORD_HEADER_SIZE,
		    get_u32(p + 56)));
	put_u32(p + 4, crc32c(0, p + 8, RECORD_HEADER_SIZE - 8));
}

static void
walk(const struct segment_ref *ref, bool verify)
{
	struct record_walk w;
	struct record r, again;
	unsigned n = 0;

	record_walk_init(&w, ref, 0, ref->size, verify);
	while (record_walk_next(&w, &r, NULL) == 1) {
		if (++n > MAX_SIZE / SPOOL_PAGE)
			__builtin_trap();
		if (verify && !(r.h.flags & RECORD_COLD)) {
			if (record_open(ref, r.h.offset, r.h.length,
			    r.env.queue_id, 1000, &again, NULL) != 0)
				__builtin_trap();
			record_close(&again);
		}
		record_close(&r);
	}
	record_walk_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_ref ref = { .fd = memfd_create("seg", MFD_CLOEXEC),
	    .id = 1 };
	size_t off, n = size > MAX_SIZE ? MAX_SIZE : size;
	size_t whole = (n + SPOOL_PAGE - 1) / SPOOL_PAGE * SPOOL_PAGE;
	char *copy = calloc(1, whole + SPOOL_PAGE);

	if (copy == NULL || ref.fd == -1)
		abort();
	ref.size = SPOOL_PAGE + whole;
	memcpy(copy + SPOOL_PAGE, data, n);
	for (off = SPOOL_PAGE; off < ref.size; off += SPOOL_PAGE)
		if (memcmp(copy + off, "FIX!", 4) == 0)
			put_right(copy + off, off, (size_t)ref.size);
	if (pwrite(ref.fd, copy, (size_t)ref.size, 0) != (ssize_t)ref.size)
		abort();
	walk(&ref, true);
	walk(&ref, false);
	(void)close(ref.fd);
	free(copy);
	return 0;
}
