/*
 * Any bytes as the entries of an outcome log. What parses must pack to the
 * same bytes, entry by entry.
 */
#include "base/hash.h"
#include "base/pack.h"
#include "spool/outlog.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t epoch[EPOCH_SIZE];

static void
entry(const struct outlog_entry *e, void *arg)
{
	outlog_pack(arg, epoch, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in, out;
	size_t good, at, n;

	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_append(&in, data, size > 65536 ? 65536 : size);
	/* put checksums right as far as the lengths lead */
	for (at = 0; buf_len(&in) - at >= 16; at += n) {
		n = get_u16(buf_data(&in) + at + 4);
		if (n < 16 || n > buf_len(&in) - at)
			break;
		put_u32(buf_data(&in) + at, crc32c(crc32c(0, epoch,
		    EPOCH_SIZE), buf_data(&in) + at + 4, n - 4));
	}
	good = outlog_parse(buf_span(&in), epoch, entry, &out);
	/* the zero fields may have been others */
	if (good > buf_len(&in) || buf_len(&out) != good)
		__builtin_trap();
	if (outlog_parse(buf_span(&out), epoch, NULL, NULL) != good)
		__builtin_trap();
	buf_fini(&in);
	buf_fini(&out);
	return 0;
}
