/*
 * Any bytes as a message's file name, as a folder name on the wire and on
 * disk, as a head file and as a cache entry: what is accepted must be made
 * of the input and survive being written again.
 */
#include <stdio.h>

#include "base/hash.h"
#include "store/cache.h"
#include "store/fname.h"
#include "store/head.h"
#include "store/layout.h"
#include "tests/fuzz/fuzz.h"

static bool
within(struct span in, struct span of)
{
	return in.n == 0 || (in.p >= of.p && in.p + in.n <= of.p + of.n);
}

static void
message_name(struct span s)
{
	char letters[FNAME_FLAGS_MAX], again[FNAME_MAX + 64];
	struct fname f, g;
	int n;

	if (!fname_parse(s, &f))
		return;
	if (!within(f.unique, f.base) || !within(f.base, s) ||
	    !within(fname_key(f.unique), f.unique) || f.unique.n == 0)
		__builtin_trap();
	if (f.base.n + FNAME_FLAGS_MAX + 3 > FNAME_MAX)
		return;
	n = snprintf(again, sizeof(again), "%.*s:2,%s", SPAN_ARG(f.base),
	    fname_flags(f.flags, letters));
	if (memchr(f.base.p, '\0', f.base.n) != NULL)
		return;
	if (!fname_parse(span_of(again, (size_t)n), &g) ||
	    g.flags != f.flags || g.uid != f.uid || g.size != f.size ||
	    fname_key_crc(g.unique) != fname_key_crc(f.unique))
		__builtin_trap();
}

static void
folder_name(struct span s, char sep)
{
	char disk[FOLDER_NAME_MAX + 1], again[FOLDER_NAME_MAX + 1];
	struct buf wire;

	if (!folder_name_to_disk(s, sep, disk))
		return;
	if (!folder_name_valid(span_str(disk)) || strchr(disk, '/') != NULL)
		__builtin_trap();
	buf_init(&wire, 4096);
	folder_name_to_wire(disk, sep, &wire);
	if (!folder_name_to_disk(buf_span(&wire), sep, again) ||
	    strcmp(disk, again) != 0)
		__builtin_trap();
	buf_fini(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	struct cache_entry e;
	struct head h;

	if (size > 8192)
		return 0;
	message_name(s);
	folder_name(s, '/');
	folder_name(s, '.');
	if (head_parse(HEAD_FOLDER, s, &h) && h.uidvalidity == 0)
		__builtin_trap();
	if (cache_entry_parse(s, &e) && (!within(e.name, s) ||
	    !within(e.envelope, s) || !within(e.bodystructure, s) ||
	    !within(e.references, s) || !within(e.fields, s)))
		__builtin_trap();
	return 0;
}
