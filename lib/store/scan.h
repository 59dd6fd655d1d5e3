/*
 * What lies in new/ and cur/ of a folder: names only, parsed. Blocks.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "base/buf.h"
#include "base/err.h"
#include "store/fname.h"

struct scan_ent {
	size_t at;			/* private: in names */
	struct span name;
	struct fname f;
	uint32_t key;			/* fname_key_crc */
	bool in_new;
	bool believed;			/* U= may count; reconcile.c */
	bool taken;
};

struct scan {
	struct buf names;
	struct scan_ent *ent;
	size_t n, size;
};

int scan_dirs(int folder_dir, struct scan *s, struct err *err) MUST_CHECK;
void scan_fini(struct scan *s);

#endif
