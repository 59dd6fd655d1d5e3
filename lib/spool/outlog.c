#include "spool/outlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "base/xmalloc.h"
#include "spool/header.h"

#define ENTRY_HEAD	16
#define LOG_MAX		((uint64_t)1 << 32)

/* --- entries ----------------------------------------------------------------- */

void
outlog_pack(struct buf *b, const uint8_t epoch[EPOCH_SIZE],
    const struct outlog_entry *e)
{
	size_t at = buf_len(b);
	char *p;

	pack_u32(b, 0);
	pack_u16(b, 0);
	pack_u8(b, (uint8_t)e->type);
	pack_u8(b, e->value);
	pack_u64(b, e->ref);
	switch (e->type) {
	case OUTLOG_BOOT:
		buf_append(b, e->boot, sizeof(e->boot));
		break;
	case OUTLOG_OUTCOME:
		pack_u32(b, e->rcpt);
		pack_u32(b, 0);
		pack_u64(b, e->lane);
		pack_u64(b, e->n);
		break;
	case OUTLOG_CHECKPOINT:
		pack_u64(b, e->lane);
		pack_u64(b, e->n);
		break;
	case OUTLOG_UNDONE:
		pack_u32(b, e->rcpt);
		break;
	case OUTLOG_TRIED:
		pack_u32(b, e->crashes);
		pack_u32(b, 0);
		pack_u64(b, (uint64_t)e->next_us);
		break;
	case OUTLOG_COLD:
		buf_append(b, e->epoch, EPOCH_SIZE);
		buf_append(b, e->queue_id, QUEUE_ID_LEN);
		break;
	case OUTLOG_HOLD:
	case OUTLOG_GONE:
		break;
	}
	if (buf_failed(b))
		return;
	p = buf_data(b) + at;
	put_u16(p + 4, (uint16_t)(buf_len(b) - at));
	put_u32(p, crc32c(crc32c(0, epoch, EPOCH_SIZE), p + 4,
	    buf_len(b) - at - 4));
}

static void
bytes_get(struct unpack *u, void *p, size_t n)
{
	if (u->failed || u->n < n) {
		u->failed = true;
		return;
	}
	memcpy(p, u->p, n);
	u->p += n;
	u->n -= n;
}

static bool
entry_unpack(struct span s, struct outlog_entry *e)
{
	struct unpack u = unpack_from(s);
	uint8_t type = unpack_u8(&u);

	memset(e, 0, sizeof(*e));
	e->value = unpack_u8(&u);
	e->ref = unpack_u64(&u);
	if (type < OUTLOG_BOOT || type > OUTLOG_GONE)
		return false;
	switch (e->type = (enum outlog_type)type) {
	case OUTLOG_BOOT:
		bytes_get(&u, e->boot, sizeof(e->boot));
		break;
	case OUTLOG_OUTCOME:
		e->rcpt = unpack_u32(&u);
		(void)unpack_u32(&u);
		e->lane = unpack_u64(&u);
		e->n = unpack_u64(&u);
		break;
	case OUTLOG_CHECKPOINT:
		e->lane = unpack_u64(&u);
		e->n = unpack_u64(&u);
		break;
	case OUTLOG_UNDONE:
		e->rcpt = unpack_u32(&u);
		break;
	case OUTLOG_TRIED:
		e->crashes = unpack_u32(&u);
		(void)unpack_u32(&u);
		e->next_us = (int64_t)unpack_u64(&u);
		break;
	case OUTLOG_COLD:
		bytes_get(&u, e->epoch, EPOCH_SIZE);
		bytes_get(&u, e->queue_id, QUEUE_ID_LEN);
		if (!queueid_valid(span_of(e->queue_id, QUEUE_ID_LEN)))
			return false;
		break;
	case OUTLOG_HOLD:
	case OUTLOG_GONE:
		break;
	}
	return unpack_done(&u);
}

size_t
outlog_parse(struct span bytes, const uint8_t epoch[EPOCH_SIZE],
    outlog_fn *fn, void *arg)
{
	uint32_t seed = crc32c(0, epoch, EPOCH_SIZE);
	struct outlog_entry e;
	const char *p = bytes.p;
	size_t left = bytes.n, n;

	while (left >= ENTRY_HEAD) {
		n = get_u16(p + 4);
		if (n < ENTRY_HEAD || n > left ||
		    get_u32(p) != crc32c(seed, p + 4, n - 4) ||
		    !entry_unpack(span_of(p + 6, n - 6), &e))
			break;
		if (fn != NULL)
			fn(&e, arg);
		p += n;
		left -= n;
	}
	return bytes.n - left;
}

/* --- the file ------------------------------------------------------------------ */

static void
log_name(char out[24], uint32_t id, const char *suffix)
{
	(void)snprintf(out, 24, "%04u.%s", id, suffix);
}

int
outlog_open(int dir, uint32_t id, const uint8_t *want, struct outlog *o,
    struct err *err)
{
	struct segment_ref h;
	char name[24];
	int rc;

	memset(o, 0, sizeof(*o));
	o->dir = dir;
	o->id = id;
	if (want != NULL)
		memcpy(o->epoch, want, EPOCH_SIZE);
	log_name(name, id, "out");
	if ((o->fd = disk_openat(dir, name, O_RDWR, 0)) == -1)
		return err_errno(err, "open outcome log %u", id);
	rc = header_read(o->fd, HEADER_OUTLOG, &h, err);
	if (rc == 0 && (h.id != id || (want != NULL &&
	    memcmp(h.epoch, want, EPOCH_SIZE) != 0)))
		rc = err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "outcome log %u belongs to another time", id);
	if (rc != 0) {
		outlog_close(o);
		return rc;
	}
	memcpy(o->epoch, h.epoch, EPOCH_SIZE);
	o->end = SPOOL_PAGE;
	return 0;
}

void
outlog_close(struct outlog *o)
{
	if (o->fd != -1)
		(void)disk_close(o->fd);
	o->fd = -1;
}

int
outlog_replace(struct outlog *o, struct span entries, struct err *err)
{
	struct segment_ref h = { .id = o->id };
	char tmp[24], name[24];
	int fd;

	log_name(tmp, o->id, "out.new");
	log_name(name, o->id, "out");
	memcpy(h.epoch, o->epoch, EPOCH_SIZE);
	fd = disk_openat(o->dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		return err_errno(err, "create outcome log %u", o->id);
	if (header_write(fd, HEADER_OUTLOG, &h) == -1 ||
	    (entries.n > 0 &&
	    disk_pwrite(fd, entries.p, entries.n, SPOOL_PAGE) == -1) ||
	    disk_fdatasync(fd) == -1 ||
	    disk_renameat(o->dir, tmp, o->dir, name, 0) == -1) {
		(void)err_errno(err, "write outcome log %u", o->id);
		(void)disk_close(fd);
		return err == NULL ? PS_EIO : err->code;
	}
	/* from here on the new file is the log, synced name or not */
	outlog_close(o);
	o->fd = fd;
	o->end = SPOOL_PAGE + entries.n;
	if (disk_fsync(o->dir) == -1)
		return err_errno(err, "sync the journal directory");
	return 0;
}

int
outlog_reset(struct outlog *o, const uint8_t epoch[EPOCH_SIZE],
    struct err *err)
{
	struct segment_ref h = { .id = o->id };

	memcpy(h.epoch, epoch, EPOCH_SIZE);
	if (disk_ftruncate(o->fd, SPOOL_PAGE) == -1 ||
	    header_write(o->fd, HEADER_OUTLOG, &h) == -1)
		return err_errno(err, "reset outcome log %u", o->id);
	memcpy(o->epoch, epoch, EPOCH_SIZE);
	o->end = SPOOL_PAGE;
	return 0;
}

/* The bytes behind the header; yours to free. */
static int
log_load(const struct outlog *o, char **p, size_t *n, struct err *err)
{
	struct stat st;
	ssize_t got;

	*p = NULL;
	*n = 0;
	if (fstat(o->fd, &st) == -1)
		return err_errno(err, "outcome log %u", o->id);
	if ((uint64_t)st.st_size <= SPOOL_PAGE)
		return 0;
	if ((uint64_t)st.st_size > LOG_MAX)
		return err_set(err, ERR_TEMP, PS_ETOOBIG,
		    "outcome log %u is too big", o->id);
	*p = xmalloc((size_t)st.st_size);
	got = disk_pread(o->fd, *p, (size_t)st.st_size - SPOOL_PAGE,
	    SPOOL_PAGE);
	if (got == -1) {
		free(*p);
		*p = NULL;
		return err_errno(err, "read outcome log %u", o->id);
	}
	*n = (size_t)got;
	return 0;
}

int
outlog_scan(struct outlog *o, outlog_fn *fn, void *arg, struct err *err)
{
	char *p;
	size_t n, good;
	int rc;

	if ((rc = log_load(o, &p, &n, err)) != 0)
		return rc;
	good = outlog_parse(span_of(p, n), o->epoch, fn, arg);
	free(p);
	o->end = SPOOL_PAGE + good;
	if (good < n && (disk_ftruncate(o->fd, (off_t)o->end) == -1 ||
	    disk_fdatasync(o->fd) == -1))
		return err_errno(err, "cut outcome log %u", o->id);
	return 0;
}

int
outlog_append(struct outlog *o, struct span entries, struct err *err)
{
	if (disk_pwrite(o->fd, entries.p, entries.n, (off_t)o->end) == -1)
		return err_errno(err, "write outcome log %u", o->id);
	o->end += entries.n;
	return 0;
}

int
outlog_sync(struct outlog *o, struct err *err)
{
	return disk_fdatasync(o->fd) == 0 ? 0 :
	    err_errno(err, "sync outcome log %u", o->id);
}

int
outlog_rescue(struct outlog *o, struct span more, struct err *err)
{
	struct buf all;
	char *p;
	size_t n;
	int rc;

	if ((rc = log_load(o, &p, &n, err)) != 0)
		return rc;
	n = (size_t)MIN((uint64_t)n, o->end - SPOOL_PAGE);
	n = outlog_parse(span_of(p, n), o->epoch, NULL, NULL);
	buf_init(&all, BUF_NO_CAP);
	buf_append(&all, p, n);
	buf_span_add(&all, more);
	free(p);
	rc = outlog_replace(o, buf_span(&all), err);
	buf_fini(&all);
	return rc;
}
