#include "store/mfile.h"

#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/layout.h"

#define CHUNK	(256u * 1024)

static uint64_t
source_len(const struct mfile_source *s)
{
	return s->head.n + (s->mem.p != NULL ? s->mem.n : s->len);
}

/* The parts that are in memory, in one call. */
static int
memory_write(int fd, const struct mfile_source *s, struct err *err)
{
	struct iovec iov[2];
	int n = 0;

	if (s->head.n > 0)
		iov[n++] = (struct iovec){ (char *)(uintptr_t)s->head.p,
		    s->head.n };
	if (s->mem.p != NULL && s->mem.n > 0)
		iov[n++] = (struct iovec){ (char *)(uintptr_t)s->mem.p,
		    s->mem.n };
	if (n > 0 && disk_pwritev(fd, iov, n, 0) == -1)
		return err_errno(err, "write message");
	return 0;
}

static int
file_copy(int fd, const struct mfile_source *s, struct err *err)
{
	uint64_t done = 0;
	char *mem = xmalloc(CHUNK);
	int rc = 0;

	while (rc == 0 && done < s->len) {
		size_t want = (size_t)MIN(CHUNK, s->len - done);
		ssize_t got = disk_pread(s->fd, mem, want,
		    (off_t)(s->off + done));
		if (got == -1)
			rc = err_errno(err, "read message");
		else if ((size_t)got != want)
			rc = err_set(err, ERR_TEMP, PS_ECORRUPT,
			    "message source is short");
		else if (disk_pwrite(fd, mem, want,
		    (off_t)(s->head.n + done)) == -1)
			rc = err_errno(err, "write message");
		done += want;
	}
	free(mem);
	return rc;
}

int
mfile_write(int dir, const char *path, const struct mfile_source *s,
    bool sync, struct err *err)
{
	int fd, rc;

	fd = disk_openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC,
	    STORE_FILE_MODE);
	if (fd == -1)
		return err_errno(err, "make %s", path);
	rc = memory_write(fd, s, err);
	if (rc == 0 && s->mem.p == NULL)
		rc = file_copy(fd, s, err);
	if (rc == 0 && sync && disk_fdatasync(fd) == -1)
		rc = err_errno(err, "sync %s", path);
	(void)disk_close(fd);
	if (rc < 0)
		(void)disk_unlinkat(dir, path, 0);
	return rc;
}

/* --- comparing --- */

static bool
span_at(int fd, struct span want, uint64_t off, char *mem)
{
	size_t done, n;

	for (done = 0; done < want.n; done += n) {
		n = MIN(CHUNK, want.n - done);
		if (disk_pread(fd, mem, n, (off_t)(off + done)) !=
		    (ssize_t)n || memcmp(mem, want.p + done, n) != 0)
			return false;
	}
	return true;
}

static bool
body_at(int fd, const struct mfile_source *s, char *mem)
{
	char *theirs = xmalloc(CHUNK);
	bool same = true;
	uint64_t done;
	size_t n;

	for (done = 0; same && done < s->len; done += n) {
		n = (size_t)MIN(CHUNK, s->len - done);
		same = disk_pread(s->fd, theirs, n, (off_t)(s->off + done)) ==
		    (ssize_t)n && span_at(fd, span_of(theirs, n),
		    s->head.n + done, mem);
	}
	free(theirs);
	return same;
}

int
mfile_same(int dir, const char *path, const struct mfile_source *s,
    bool *same, struct err *err)
{
	struct stat st;
	char *mem;
	int fd, rc = 0;

	*same = false;
	fd = disk_openat(dir, path, O_RDONLY, 0);
	if (fd == -1)
		return err_errno(err, "open %s", path);
	mem = xmalloc(CHUNK);
	if (fstat(fd, &st) == -1)
		rc = err_errno(err, "stat %s", path);
	else if ((uint64_t)st.st_size == source_len(s))
		*same = span_at(fd, s->head, 0, mem) && (s->mem.p != NULL ?
		    span_at(fd, s->mem, s->head.n, mem) :
		    body_at(fd, s, mem));
	free(mem);
	(void)disk_close(fd);
	return rc;
}

/* Bare LFs in a stretch; *last carries the byte before it. */
static uint64_t
bare_count(struct span s, char *last)
{
	uint64_t bare = 0;
	const char *p = s.p, *lf;
	size_t left = s.n;

	while (left > 0 && (lf = memchr(p, '\n', left)) != NULL) {
		bare += (lf == s.p ? *last : lf[-1]) != '\r';
		left -= (size_t)(lf - p) + 1;
		p = lf + 1;
	}
	if (s.n > 0)
		*last = s.p[s.n - 1];
	return bare;
}

uint64_t
mfile_vsize_of(struct span text)
{
	char last = 0;

	return text.n + bare_count(text, &last);
}

int
mfile_vsize(int fd, uint64_t *vsize, struct err *err)
{
	char *mem = xmalloc(CHUNK), last = 0;
	uint64_t off = 0, bare = 0;
	ssize_t n;

	while ((n = disk_pread(fd, mem, CHUNK, (off_t)off)) > 0) {
		bare += bare_count(span_of(mem, (size_t)n), &last);
		off += (uint64_t)n;
	}
	free(mem);
	if (n == -1)
		return err_errno(err, "read message");
	*vsize = off + bare;
	return 0;
}
