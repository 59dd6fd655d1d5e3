/*
 * Records: how a message lies in a segment or a cold file (doc/spool-format).
 * A record starts at a 4 KiB boundary; its header names segment, epoch and
 * offset and carries its own checksum, so that no body and no stale byte can
 * pass for one (J3).
 *
 * Reading side. A `struct segment_ref` is a segment (or cold file) as readers
 * know it; nothing here owns its descriptor. These functions read with pread
 * and may wait for the disk: call them in a thread.
 */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "base/err.h"
#include "base/span.h"
#include "spool/envelope.h"

#define SPOOL_PAGE		4096u
#define RECORD_HEADER_SIZE	80u
#define EPOCH_SIZE		16u
/* Segment number of cold files: the record is in a file of its own. */
#define SEGMENT_COLD		0u
/* Where the only record of a cold file starts. */
#define COLD_RECORD_OFFSET	SPOOL_PAGE

struct segment_ref {
	int fd;
	uint32_t id;
	uint8_t epoch[EPOCH_SIZE];
	uint64_t size;			/* of the whole file */
};

enum record_flags {
	RECORD_COLD = 1		/* body is in the cold file queue/QUEUEID */
};

/* The header alone, checked. */
struct record_header {
	uint64_t offset;
	uint64_t length;	/* header + envelope + body, without padding */
	uint32_t flags;
	uint32_t envelope_len, envelope_crc;
	uint64_t body_len;	/* 0 in the segment when RECORD_COLD */
	uint32_t body_crc;	/* of the body, wherever it is */
};

/* A whole record, verified. */
struct record {
	struct record_header h;
	struct envelope env;	/* points into mem */
	int fd;			/* the ref's, lent */
	uint64_t body_offset;	/* in fd */
	struct span body;	/* in mem; p is NULL when it was too big */
	char *mem;		/* private */
};

/*
 * Opens the record at `offset`: verifies header, epoch, envelope and the
 * body's checksum, and that it is of message queue_id (NULL: any) and of
 * `length` bytes (0: any) (J10). The body stays in memory when it is at most
 * mem_max, else read it from fd at body_offset (it was verified all the
 * same). 0, PS_ECORRUPT, PS_ENOTFOUND (no record starts there) or PS_EIO.
 */
int record_open(const struct segment_ref *ref, uint64_t offset,
    uint64_t length, const char *queue_id, size_t mem_max, struct record *r,
    struct err *err) MUST_CHECK;
void record_close(struct record *r);

/* Header and envelope only: for who does not need the text. */
int record_peek(const struct segment_ref *ref, uint64_t offset,
    struct record *r, struct err *err) MUST_CHECK;

/* Checks the bytes of one header against ref and offset. Pure. */
bool record_header_parse(struct span page, const struct segment_ref *ref,
    uint64_t offset, struct record_header *h) MUST_CHECK;
/* Writes RECORD_HEADER_SIZE bytes. */
void record_header_make(const struct record_header *h,
    const struct segment_ref *ref, char out[RECORD_HEADER_SIZE]);

/* First boundary at or behind n. */
static inline uint64_t
spool_page_up(uint64_t n)
{
	return (n + SPOOL_PAGE - 1) & ~(uint64_t)(SPOOL_PAGE - 1);
}

/*
 * A walk over the records of a segment, by their lengths; where no valid
 * record starts it tries the next 4 KiB boundary (J3).
 */
struct record_walk {
	struct segment_ref ref;
	uint64_t pos, end;
	bool verify;		/* check bodies as well: recovery */
	bool nowait;		/* only what the page cache has: for loops */
	uint64_t bad;		/* records whose contents fail their checks */
	uint64_t skipped;	/* boundaries without a record */
	char *win;		/* private: read window */
	uint64_t win_off;
	size_t win_len, win_size;
};

void record_walk_init(struct record_walk *w, const struct segment_ref *ref,
    uint64_t from, uint64_t end, bool verify);
/* 1 with the next record in *r, 0 at the end, PS_EAGAIN (nowait: the next
 * bytes must be read in by a thread first; call again then) or PS_EIO. The
 * record has no body and its spans last until the next call; close it. */
int record_walk_next(struct record_walk *w, struct record *r,
    struct err *err) MUST_CHECK;
void record_walk_fini(struct record_walk *w);

#endif
