/*
 * The index file's pages (doc/store-format.md, 5) as they lie on disk:
 * little-endian, so these structs are the format. Pure, but for the two
 * functions that read a page; who may write when is box.h's matter.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/err.h"
#include "base/span.h"

#define INDEX_PAGE	4096u
#define INDEX_PER_GROUP	63u
#define INDEX_RING	768u
#define INDEX_RECS_MAX	(16u * 1024 * 1024)

enum index_state {
	INDEX_DIRTY = 1,		/* a change began and did not end */
	INDEX_REPLACED = 2		/* another file has taken its place */
};

enum rec_state {
	REC_GONE = 1,			/* expunged; date = when */
	REC_UNLINKED = 2,		/* ... and its file removed */
	REC_IN_NEW = 4,			/* the file is in new/, without :2, */
	REC_LF = 8,			/* has lines that end in bare LF */
	REC_MOVED = 32,			/* GONE by MOVE: if its file is here
					 * after a power cut, the move is not */
	REC_RENAMED = 16		/* we renamed it for its flags: after a
					 * power cut the name may be the old
					 * one, so the record wins */
};

struct index_rec {
	uint32_t uid, flags;
	uint64_t modseq;
	uint64_t size, vsize;
	int64_t date;
	uint64_t cache;			/* offset of the entry, 0: none */
	uint32_t name_flags;		/* as the file's name has them */
	uint32_t key;			/* fname_key_crc of its name */
	uint32_t boot;			/* store_boot_tag of its making */
	uint32_t state;			/* REC_* */
};
_Static_assert(sizeof(struct index_rec) == 64, "format");

struct index_header {
	char magic[8];
	uint32_t crc, state;
	uint8_t boot[16];
	uint64_t generation;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;		/* highest given out */
	uint32_t n_recs, n_live, n_unseen, n_deleted;
	uint64_t bytes;			/* live, as stored */
	uint32_t recent_uid;		/* first UID not yet told as recent */
	uint32_t n_lazy;		/* names and unlinks that lag, at least */
	int64_t new_sec, cur_sec;	/* mtimes of new/ and cur/ */
	uint32_t new_nsec, cur_nsec;
	uint64_t cache_end, cache_id;	/* of postern.cache */
	int64_t scanned;		/* when the directory was last read */
	uint64_t changes;		/* groups written so far */
	uint32_t pages;			/* allocated */
	uint32_t compact_gone;		/* GONE records after the last try */
	uint32_t ring[INDEX_RING];	/* group of change c: [c % RING] */
	uint64_t lf_bytes;		/* live: what CRLF would add to bytes */
	uint64_t forgotten;		/* highest modseq of an expunge that
					 * has no record any more */
	uint32_t whole_first, whole_end;	/* UIDs of a change under way
					 * that is done whole or not at all */
	uint8_t pad[848];
};
_Static_assert(sizeof(struct index_header) == INDEX_PAGE, "format");

struct index_group {
	uint32_t magic, crc;
	uint32_t number, count;
	uint64_t modseq, generation;
	uint8_t pad[32];
	struct index_rec rec[INDEX_PER_GROUP];
};
_Static_assert(sizeof(struct index_group) == INDEX_PAGE, "format");

static inline uint32_t
index_groups(uint32_t n_recs)
{
	return (n_recs + INDEX_PER_GROUP - 1) / INDEX_PER_GROUP;
}

static inline uint64_t
index_group_offset(uint32_t group)
{
	return ((uint64_t)group + 1) * INDEX_PAGE;
}

/* Sets magic and checksum: call before writing. */
void index_header_seal(struct index_header *h);
void index_group_seal(struct index_group *g);
/* Checks everything that later arithmetic relies on. */
bool index_header_ok(const struct index_header *h) MUST_CHECK;
bool index_group_ok(const struct index_group *g, uint32_t number,
    uint64_t generation) MUST_CHECK;

/* A page from the file. PS_ECORRUPT when it fails its checks (also when a
 * writer is half way: try again), PS_EIO. */
int index_header_read(int fd, struct index_header *h, struct err *err)
    MUST_CHECK;
int index_group_read(int fd, uint32_t number, uint64_t generation,
    struct index_group *g, struct err *err) MUST_CHECK;

#endif
