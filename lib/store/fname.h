/*
 * Names of message files (doc/store-format.md, 2). Pure; results point into
 * the name that was parsed.
 */
#ifndef STORE_FNAME_H
#define STORE_FNAME_H

#include "base/span.h"

#define FNAME_MAX	255		/* NAME_MAX */
#define FNAME_FLAGS_MAX	33		/* 6 + 26 letters, NUL */
#define FNAME_KEY_MAX	64

struct fname {
	struct span unique;		/* before the first comma or ":2," */
	struct span base;		/* before ":2," */
	bool has_info;			/* ":2," is there */
	uint32_t flags;			/* MSG_* bits of the letters known */
	int64_t sec;			/* leading number, -1: none */
	bool has_size, has_vsize, has_uid;
	uint64_t size, vsize;
	uint32_t uidvalidity, uid;
};

/* False for names that are no message: empty, with a leading dot, too long. */
bool fname_parse(struct span name, struct fname *f);

/* What identifies the message within unique: the part between its first and
 * second dot (free of date and host), or all of it; and its crc32c. */
struct span fname_key(struct span unique);
uint32_t fname_key_crc(struct span unique);
/* "<key>M<mailbox id>": what unique holds between first and second dot. */
bool fname_is_key(struct span unique, struct span key, uint64_t mailbox_id);

struct fname_parts {
	int64_t sec;
	struct span key;
	uint64_t mailbox_id;
	const char *host;
};
/* "<sec>.<key>M<id>.<host>"; returns its length. Host is cut to fit. */
size_t fname_unique_make(const struct fname_parts *p,
    char out[FNAME_MAX + 1]);
/* Appends ",S=..,W=..,U=..." to the n bytes at out; the new length, or 0 when
 * it does not fit. */
size_t fname_base_finish(char out[FNAME_MAX + 1], size_t n, uint64_t size,
    uint64_t vsize, uint32_t uidvalidity, uint32_t uid);
/* The letters, in ASCII order. Returns out. */
const char *fname_flags(uint32_t flags, char out[FNAME_FLAGS_MAX]);

#endif
