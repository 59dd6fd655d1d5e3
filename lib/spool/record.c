#include "spool/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <errno.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "base/xmalloc.h"

#define MAGIC		"PREC"
#define CHUNK		(256 * 1024)
#define CHUNK_PEEK	(32 * 1024)

/* --- the header ------------------------------------------------------------ */

void
record_header_make(const struct record_header *h,
    const struct segment_ref *ref, char out[RECORD_HEADER_SIZE])
{
	memset(out, 0, RECORD_HEADER_SIZE);
	memcpy(out, MAGIC, 4);
	memcpy(out + 8, ref->epoch, EPOCH_SIZE);
	put_u32(out + 24, ref->id);
	put_u32(out + 28, h->flags);
	put_u64(out + 32, h->offset);
	put_u64(out + 40, h->length);
	put_u64(out + 48, h->body_len);
	put_u32(out + 56, h->envelope_len);
	put_u32(out + 60, h->envelope_crc);
	put_u32(out + 64, h->body_crc);
	put_u32(out + 4, crc32c(0, out + 8, RECORD_HEADER_SIZE - 8));
}

bool
record_header_parse(struct span page, const struct segment_ref *ref,
    uint64_t offset, struct record_header *h)
{
	const char *p = page.p;

	if (page.n < RECORD_HEADER_SIZE || memcmp(p, MAGIC, 4) != 0 ||
	    memcmp(p + 8, ref->epoch, EPOCH_SIZE) != 0 ||
	    get_u32(p + 4) != crc32c(0, p + 8, RECORD_HEADER_SIZE - 8) ||
	    get_u32(p + 24) != ref->id || get_u64(p + 32) != offset)
		return false;
	h->offset = offset;
	h->flags = get_u32(p + 28);
	h->length = get_u64(p + 40);
	h->body_len = get_u64(p + 48);
	h->envelope_len = get_u32(p + 56);
	h->envelope_crc = get_u32(p + 60);
	h->body_crc = get_u32(p + 64);
	/* sums that cannot overflow: each part is bounded first */
	return h->envelope_len <= ENVELOPE_PACKED_MAX &&
	    h->length <= ref->size && offset <= ref->size - h->length &&
	    h->body_len <= h->length &&
	    h->length == RECORD_HEADER_SIZE + h->envelope_len + h->body_len;
}

/* --- reading one ------------------------------------------------------------- */

static int
corrupt(struct err *err, uint64_t offset, const char *what)
{
	return err_set(err, ERR_TEMP, PS_ECORRUPT,
	    "record at offset %llu: %s", (unsigned long long)offset, what);
}

static int
read_exact(int fd, void *p, size_t n, uint64_t off, struct err *err)
{
	ssize_t got = disk_pread(fd, p, n, (off_t)off);

	if (got == -1)
		return err_errno(err, "read at offset %llu",
		    (unsigned long long)off);
	if ((size_t)got != n)
		return corrupt(err, off, "file ends early");
	return 0;
}

static int
body_verify(const struct segment_ref *ref, const struct record_header *h,
    struct err *err)
{
	uint64_t at = h->offset + h->length - h->body_len;
	uint64_t end = h->offset + h->length;
	char *chunk = xmalloc(CHUNK);
	uint32_t crc = 0;
	size_t n;
	int rc = 0;

	for (; at < end; at += n) {
		n = (size_t)MIN(end - at, (uint64_t)CHUNK);
		if ((rc = read_exact(ref->fd, chunk, n, at, err)) != 0)
			goto out;
		crc = crc32c(crc, chunk, n);
	}
	if (crc != h->body_crc)
		rc = corrupt(err, h->offset, "body does not check");
out:
	free(chunk);
	return rc;
}

/* Envelope bytes at p belong to header r->h: check and unpack. */
static int
envelope_verify(struct record *r, const char *p, struct err *err)
{
	if (crc32c(0, p, r->h.envelope_len) != r->h.envelope_crc)
		return corrupt(err, r->h.offset, "envelope does not check");
	if (envelope_unpack(span_of(p, r->h.envelope_len), &r->env, err) != 0)
		return corrupt(err, r->h.offset, "envelope is malformed");
	return 0;
}

static int
header_load(const struct segment_ref *ref, uint64_t offset,
    struct record *r, struct err *err)
{
	char head[RECORD_HEADER_SIZE];
	int rc;

	memset(r, 0, sizeof(*r));
	r->fd = ref->fd;
	if (offset % SPOOL_PAGE != 0 || offset >= ref->size)
		return err_set(err, ERR_BUG, PS_ENOTFOUND, "bad offset");
	if ((rc = read_exact(ref->fd, head, sizeof(head), offset, err)) != 0)
		return rc;
	if (!record_header_parse(span_of(head, sizeof(head)), ref, offset,
	    &r->h))
		return err_set(err, ERR_TEMP, PS_ENOTFOUND,
		    "no record at offset %llu of segment %u",
		    (unsigned long long)offset, ref->id);
	r->body_offset = offset + RECORD_HEADER_SIZE + r->h.envelope_len;
	return 0;
}

/* Reads `n` bytes behind the header into r->mem. */
static int
contents_load(struct record *r, size_t n, struct err *err)
{
	int rc;

	r->mem = xmalloc(n + 1);
	rc = read_exact(r->fd, r->mem, n, r->h.offset + RECORD_HEADER_SIZE,
	    err);
	return rc != 0 ? rc : envelope_verify(r, r->mem, err);
}

int
record_peek(const struct segment_ref *ref, uint64_t offset,
    struct record *r, struct err *err)
{
	int rc;

	if ((rc = header_load(ref, offset, r, err)) == 0)
		rc = contents_load(r, r->h.envelope_len, err);
	if (rc != 0)
		record_close(r);
	return rc;
}

static int
body_load(const struct segment_ref *ref, struct record *r, size_t mem_max,
    struct err *err)
{
	bool whole = r->h.body_len <= mem_max;
	int rc = contents_load(r, r->h.envelope_len +
	    (whole ? (size_t)r->h.body_len : 0), err);

	if (rc != 0)
		return rc;
	if (r->h.flags & RECORD_COLD)
		return 0;		/* the body is elsewhere */
	if (!whole)
		return body_verify(ref, &r->h, err);
	r->body = span_of(r->mem + r->h.envelope_len, (size_t)r->h.body_len);
	if (crc32c(0, r->body.p, r->body.n) != r->h.body_crc)
		return corrupt(err, r->h.offset, "body does not check");
	return 0;
}

int
record_open(const struct segment_ref *ref, uint64_t offset, uint64_t length,
    const char *queue_id, size_t mem_max, struct record *r, struct err *err)
{
	int rc;

	if ((rc = header_load(ref, offset, r, err)) != 0)
		goto out;
	if (length != 0 && length != r->h.length) {
		rc = corrupt(err, offset, "is of another length");
		goto out;
	}
	if ((rc = body_load(ref, r, mem_max, err)) != 0)
		goto out;
	if (queue_id != NULL && strcmp(queue_id, r->env.queue_id) != 0)
		rc = corrupt(err, offset, "is of another message");
out:
	if (rc != 0)
		record_close(r);
	return rc;
}

void
record_close(struct record *r)
{
	envelope_fini(&r->env);
	free(r->mem);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}

/* --- walking ----------------------------------------------------------------- */

void
record_walk_init(struct record_walk *w, const struct segment_ref *ref,
    uint64_t from, uint64_t end, bool verify)
{
	memset(w, 0, sizeof(*w));
	w->ref = *ref;
	w->pos = spool_page_up(MAX(from, (uint64_t)SPOOL_PAGE));
	w->end = MIN(end, ref->size);
	w->verify = verify;
}

void
record_walk_fini(struct record_walk *w)
{
	free(w->win);
	w->win = NULL;
}

static ssize_t
walk_read(struct record_walk *w, size_t n)
{
	struct iovec iov = { .iov_base = w->win, .iov_len = n };

	if (!w->nowait)
		return disk_pread(w->ref.fd, w->win, n, (off_t)w->pos);
	return preadv2(w->ref.fd, &iov, 1, (off_t)w->pos, RWF_NOWAIT);
}

/* Makes n bytes at pos readable: their address in *p. 1, 0 when the file has
 * no so many, PS_EAGAIN or PS_EIO. */
static int
walk_see(struct record_walk *w, size_t n, const char **p, struct err *err)
{
	size_t want;
	ssize_t got;

	if (w->pos >= w->win_off && w->pos + n <= w->win_off + w->win_len) {
		*p = w->win + (w->pos - w->win_off);
		return 1;
	}
	want = MAX(n, (size_t)(w->verify ? CHUNK : CHUNK_PEEK));
	want = (size_t)MIN((uint64_t)want, w->ref.size - w->pos);
	if (want < n)
		return 0;
	if (want > w->win_size) {
		free(w->win);
		w->win = xmalloc(w->win_size = want);
	}
	w->win_len = 0;
	got = walk_read(w, want);
	if (got == -1 && (errno == EAGAIN || errno == EOPNOTSUPP))
		return PS_EAGAIN;
	if (got == -1)
		return err_errno(err, "segment %u: read", w->ref.id);
	if (w->nowait && (size_t)got < n)
		return PS_EAGAIN;
	w->win_off = w->pos;
	w->win_len = (size_t)got;
	*p = w->win;
	return (size_t)got >= n ? 1 : 0;
}

/* A valid header is at pos: 1 when its contents are fine too, 0 when not. */
static int
walk_contents(struct record_walk *w, struct record *r, struct err *err)
{
	const char *p;
	int rc;

	rc = walk_see(w, RECORD_HEADER_SIZE + r->h.envelope_len, &p, err);
	if (rc <= 0)
		return rc;
	if (envelope_verify(r, p + RECORD_HEADER_SIZE, err) != 0)
		return 0;
	if (w->verify && !(r->h.flags & RECORD_COLD)) {
		rc = body_verify(&w->ref, &r->h, err);
		if (rc != 0) {
			envelope_fini(&r->env);
			return rc == PS_ECORRUPT ? 0 : rc;
		}
	}
	return 1;
}

int
record_walk_next(struct record_walk *w, struct record *r, struct err *err)
{
	const char *p;
	int rc;

	memset(r, 0, sizeof(*r));
	r->fd = w->ref.fd;
	while (w->pos < w->end) {
		rc = walk_see(w, RECORD_HEADER_SIZE, &p, err);
		if (rc <= 0)
			return rc;
		if (!record_header_parse(span_of(p, RECORD_HEADER_SIZE),
		    &w->ref, w->pos, &r->h)) {
			w->skipped++;
			w->pos += SPOOL_PAGE;
			continue;
		}
		if ((rc = walk_contents(w, r, err)) < 0)
			return rc;
		w->pos = spool_page_up(r->h.offset + r->h.length);
		if (rc == 1) {
			r->body_offset = r->h.offset + RECORD_HEADER_SIZE +
			    r->h.envelope_len;
			return 1;
		}
		w->bad++;
	}
	return 0;
}
