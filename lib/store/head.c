#include "store/head.h"

#include <errno.h>
#include <time.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "store/boot.h"
#include "store/layout.h"

static const char *const magics[] = {
	[HEAD_FOLDER] = "PSHEAD01",
	[HEAD_ACCOUNT] = "PSACCT01",
};

static uint32_t
head_crc(const char *bytes)
{
	static const char zero[4];
	uint32_t crc = crc32c(0, bytes, 8);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, bytes + 12, HEAD_SIZE - 12);
}

bool
head_parse(enum head_kind kind, struct span s, struct head *h)
{
	if (s.n != HEAD_SIZE || memcmp(s.p, magics[kind], 8) != 0 ||
	    get_u32(s.p + 8) != head_crc(s.p))
		return false;
	h->uidvalidity = get_u32(s.p + 12);
	h->ceiling = get_u32(s.p + 16);
	memcpy(h->boot, s.p + 24, sizeof(h->boot));
	h->modseq = get_u64(s.p + 40);
	return h->uidvalidity != 0;
}

void
head_make(enum head_kind kind, const struct head *h, char out[HEAD_SIZE])
{
	memset(out, 0, HEAD_SIZE);
	memcpy(out, magics[kind], 8);
	put_u32(out + 12, h->uidvalidity);
	put_u32(out + 16, h->ceiling);
	memcpy(out + 24, h->boot, sizeof(h->boot));
	put_u64(out + 40, h->modseq);
	put_u32(out + 8, head_crc(out));
}

int
head_read(int fd, enum head_kind kind, struct head *h, struct err *err)
{
	char bytes[HEAD_SIZE];
	ssize_t n = disk_pread(fd, bytes, sizeof(bytes), 0);

	if (n == -1)
		return err_errno(err, "read head file");
	if (!head_parse(kind, span_of(bytes, (size_t)n), h))
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "head file is damaged");
	return 0;
}

int
head_write(int fd, enum head_kind kind, struct head *h, struct err *err)
{
	char bytes[HEAD_SIZE];

	store_boot_id(h->boot);
	head_make(kind, h, bytes);
	if (disk_pwrite(fd, bytes, sizeof(bytes), 0) == -1)
		return err_errno(err, "write head file");
	return 0;
}

/* --- locks --- */

#define LOCK_PATIENCE_US	5000000
#define LOCK_FIRST_WAIT_US	200
#define LOCK_LONGEST_WAIT_US	5000

int
store_lock(int fd, const char *what, struct err *err)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t waited = 0, wait = LOCK_FIRST_WAIT_US;
	struct timespec ts;

	if (disk_is_nowait())
		return err_set(err, ERR_TEMP, PS_EAGAIN, "%s would have to "
		    "be locked", what);
	while (fcntl(fd, F_OFD_SETLK, &fl) == -1) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_errno(err, "lock %s", what);
		if (waited >= LOCK_PATIENCE_US)
			return err_set(err, ERR_TEMP, PS_EAGAIN,
			    "%s is locked by another process", what);
		ts = (struct timespec){ 0, (long)wait * 1000 };
		(void)nanosleep(&ts, NULL);
		waited += wait;
		wait = MIN(wait * 2, LOCK_LONGEST_WAIT_US);
	}
	return 0;
}

void
store_unlock(int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(fd, F_OFD_SETLK, &fl);
}

#define LOCK_REST_US	1000

void
store_lock_rest(void)
{
	const struct timespec ts = { 0, LOCK_REST_US * 1000L };

	(void)nanosleep(&ts, NULL);
}

/* --- the account's counter --- */

static int
counter_raise(int fd, uint32_t above, bool sync, uint32_t *out,
    struct err *err)
{
	struct head h = { 0 };
	struct err ignored;
	int rc;

	rc = head_read(fd, HEAD_ACCOUNT, &h, &ignored);
	if (rc == PS_ECORRUPT)
		h = (struct head){ .uidvalidity =
		    (uint32_t)store_boot_seconds() };
	else if (rc < 0)
		return err_set(err, ERR_TEMP, rc, "%s", ignored.why);
	h.uidvalidity = MAX(h.uidvalidity, above) + 1;
	if (h.uidvalidity == 0)
		return err_set(err, ERR_PERM, PS_EFULL,
		    "no UIDVALIDITY is left for this account");
	rc = head_write(fd, HEAD_ACCOUNT, &h, err);
	if (rc < 0)
		return rc;
	if (sync && disk_fdatasync(fd) == -1)
		return err_errno(err, "sync %s", STORE_ACCOUNT_FILE);
	*out = h.uidvalidity;
	return 0;
}

int
account_uidvalidity_next(int account_dir, uint32_t above, bool sync,
    uint32_t *out, struct err *err)
{
	int fd, rc;

	fd = disk_openat(account_dir, STORE_ACCOUNT_FILE, O_RDWR | O_CREAT,
	    STORE_FILE_MODE);
	if (fd == -1)
		return err_errno(err, "open %s", STORE_ACCOUNT_FILE);
	rc = store_lock(fd, STORE_ACCOUNT_FILE, err);
	if (rc == 0)
		rc = counter_raise(fd, above, sync, out, err);
	(void)disk_close(fd);
	return rc;
}
