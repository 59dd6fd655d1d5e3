/*
 * Message files: written whole, compared. Blocks.
 */
#ifndef STORE_MFILE_H
#define STORE_MFILE_H

#include "base/err.h"
#include "base/span.h"

/* head, then mem or (mem.p == NULL) len bytes of fd from off. */
struct mfile_source {
	struct span head, mem;
	int fd;
	uint64_t off, len;
};

/* Writes a file at path (below dir), replacing what is there; removes it when
 * it fails. With `sync` its data is on disk. */
int mfile_write(int dir, const char *path, const struct mfile_source *src,
    bool sync, struct err *err) MUST_CHECK;
/* Does the file hold exactly the source's bytes? */
int mfile_same(int dir, const char *path, const struct mfile_source *src,
    bool *same, struct err *err) MUST_CHECK;
/* Length of an open file once its bare LFs are CRLFs. */
int mfile_vsize(int fd, uint64_t *vsize, struct err *err) MUST_CHECK;
uint64_t mfile_vsize_of(struct span text);

#endif
