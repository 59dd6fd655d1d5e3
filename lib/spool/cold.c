#include "spool/cold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/xmalloc.h"
#include "spool/header.h"

#define CHUNK	(256 * 1024)

int
cold_create(int queue_dir, struct err *err)
{
	int fd = disk_openat(queue_dir, ".", O_RDWR | O_TMPFILE, 0600);

	if (fd == -1)
		return err_errno(err, "create queue file");
	return fd;
}

/* Copies the body behind the envelope; its checksum in *crc. */
static int
body_copy(int fd, uint64_t at, int body_fd, uint64_t body_off,
    uint64_t body_len, uint32_t *crc, struct err *err)
{
	char *chunk = xmalloc(CHUNK);
	uint64_t done;
	ssize_t got;
	int rc = 0;

	*crc = 0;
	for (done = 0; done < body_len && rc == 0; done += (uint64_t)got) {
		got = disk_pread(body_fd, chunk,
		    (size_t)MIN(body_len - done, (uint64_t)CHUNK),
		    (off_t)(body_off + done));
		if (got <= 0) {
			rc = got == 0 ? err_set(err, ERR_TEMP, PS_ECORRUPT,
			    "body ends early") : err_errno(err, "read body");
			break;
		}
		*crc = crc32c(*crc, chunk, (size_t)got);
		if (disk_pwrite(fd, chunk, (size_t)got,
		    (off_t)(at + done)) == -1)
			rc = err_errno(err, "write queue file");
	}
	free(chunk);
	return rc;
}

static int
heads_write(int fd, const struct segment_ref *ref,
    const struct record_header *h, const struct buf *packed, struct err *err)
{
	char head[RECORD_HEADER_SIZE];
	struct iovec iov[2];

	record_header_make(h, ref, head);
	iov[0] = (struct iovec){ head, sizeof(head) };
	iov[1] = (struct iovec){ buf_data(packed), buf_len(packed) };
	if (header_write(fd, HEADER_SEGMENT, ref) == -1 ||
	    disk_pwritev(fd, iov, 2, (off_t)h->offset) == -1)
		return err_errno(err, "write queue file");
	return 0;
}

int
cold_fill(int fd, const struct envelope *env, int body_fd, uint64_t body_off,
    uint64_t body_len, uint32_t *body_crc, struct err *err)
{
	struct segment_ref ref = { .fd = fd, .id = SEGMENT_COLD };
	struct record_header h = { .offset = COLD_RECORD_OFFSET };
	struct buf packed;
	int rc;

	buf_init(&packed, ENVELOPE_PACKED_MAX + 1);
	if ((rc = envelope_pack(env, &packed, err)) != 0)
		goto out;
	header_epoch(ref.epoch);
	h.envelope_len = (uint32_t)buf_len(&packed);
	h.envelope_crc = crc32c(0, buf_data(&packed), buf_len(&packed));
	h.body_len = body_len;
	h.length = RECORD_HEADER_SIZE + h.envelope_len + body_len;
	ref.size = h.offset + h.length;
	rc = body_copy(fd, h.offset + RECORD_HEADER_SIZE + h.envelope_len,
	    body_fd, body_off, body_len, &h.body_crc, err);
	if (rc == 0)
		rc = heads_write(fd, &ref, &h, &packed, err);
	if (rc == 0 && body_crc != NULL)
		*body_crc = h.body_crc;
out:
	buf_fini(&packed);
	return rc;
}

int
cold_write(int fd, const struct envelope *env, int body_fd,
    uint64_t body_off, uint64_t body_len, uint32_t *body_crc,
    struct err *err)
{
	int rc = cold_fill(fd, env, body_fd, body_off, body_len, body_crc,
	    err);

	if (rc == 0 && disk_fdatasync(fd) == -1)
		rc = err_errno(err, "sync queue file");
	return rc;
}

int
cold_link(int queue_dir, int fd, const char *queue_id, struct err *err)
{
	char proc[40];

	if (!queueid_valid(span_str(queue_id)))
		return err_set(err, ERR_PERM, PS_ESYNTAX, "bad queue id");
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (disk_linkat(AT_FDCWD, proc, queue_dir, queue_id,
	    AT_SYMLINK_FOLLOW) == -1)
		return err_errno(err, "link queue file %s", queue_id);
	return 0;
}

int
cold_dir_sync(int queue_dir, struct err *err)
{
	return disk_fsync(queue_dir) == 0 ? 0 :
	    err_errno(err, "sync queue directory");
}

int
cold_unlink(int queue_dir, const char *queue_id, struct err *err)
{
	return disk_unlinkat(queue_dir, queue_id, 0) == 0 ? 0 :
	    err_errno(err, "remove queue file %s", queue_id);
}

int
cold_ref(int fd, struct segment_ref *ref, struct err *err)
{
	int rc = header_read(fd, HEADER_SEGMENT, ref, err);

	ref->fd = fd;
	if (rc == 0 && ref->id != SEGMENT_COLD)
		rc = err_set(err, ERR_TEMP, PS_ECORRUPT, "not a queue file");
	return rc;
}

int
cold_open(int queue_dir, const char *queue_id, struct segment_ref *ref,
    struct err *err)
{
	int fd = disk_openat(queue_dir, queue_id, O_RDONLY, 0), rc;

	if (fd == -1)
		return err_errno(err, "open queue file %s", queue_id);
	if ((rc = cold_ref(fd, ref, err)) != 0) {
		(void)disk_close(fd);
		ref->fd = -1;
		return err_prefix(err, "queue file %s", queue_id);
	}
	return rc;
}
