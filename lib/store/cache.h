/*
 * Entries of postern.cache (doc/store-format.md, 6): file name and ready-made
 * response texts of one message. Packing and parsing are pure; the window
 * reads ahead with pread, so a vanished page is an error and no signal.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define CACHE_HEADER	16		/* magic, id */
#define CACHE_ENTRY_HEAD 32
#define CACHE_TEXT_MAX	(512u * 1024)	/* longer texts are not kept */
#define CACHE_REFS_MAX	8192		/* nor is such a References */

struct cache_entry {
	uint32_t uid;
	struct span name;		/* base: without ":2,..." */
	struct span envelope, bodystructure;
	struct span references;		/* value of the field, "" when there
					 * is none; p == NULL: not kept */
	struct span fields;		/* field_names.h; p == NULL: not kept */
	uint32_t header_bytes;
};

void cache_header_make(uint64_t id, char out[CACHE_HEADER]);
bool cache_header_ok(struct span s, uint64_t id) MUST_CHECK;

/* Appends one entry, padded to 8 bytes. */
void cache_entry_pack(struct buf *out, const struct cache_entry *e);
/* Length of the padded entry at the front of s by its length field, or 0. */
size_t cache_entry_length(struct span s);
/* Checks and takes apart; spans point into s. */
bool cache_entry_parse(struct span s, struct cache_entry *e) MUST_CHECK;

/* A stretch of the file in memory. */
struct cache_window {
	char *mem;
	size_t len, size;
	uint64_t off;
};
/* The entry at `off`, for `uid`; spans are lent until the next call. False:
 * none there, or damaged. `ahead`: bytes worth reading at once. */
bool cache_read(int fd, struct cache_window *w, uint64_t off, uint32_t uid,
    size_t ahead, struct cache_entry *e) MUST_CHECK;
void cache_window_drop(struct cache_window *w);	/* contents are stale */
void cache_window_fini(struct cache_window *w);

#endif
