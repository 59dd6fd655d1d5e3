#include "store/maildirsize.h"

#include <errno.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/disk.h"

#define NAME		"maildirsize"
#define TMP_NAME	"tmp/maildirsize"

/* "10000000S,1000C" and one line "bytes messages". */
static void
text_make(struct buf *out, const struct usage *limit,
    const struct usage *used)
{
	if (limit->bytes > 0)
		buf_fmt(out, "%lluS", (unsigned long long)limit->bytes);
	if (limit->messages > 0)
		buf_fmt(out, "%s%lluC", limit->bytes > 0 ? "," : "",
		    (unsigned long long)limit->messages);
	buf_fmt(out, "\n%llu %llu\n", (unsigned long long)used->bytes,
	    (unsigned long long)used->messages);
}

static int
text_write(int dir, const char *name, struct span text, struct err *err)
{
	ssize_t n;
	int fd;

	fd = disk_openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC,
	    STORE_FILE_MODE);
	if (fd == -1)
		return err_errno(err, "make %s", name);
	n = disk_pwrite(fd, text.p, text.n, 0);
	(void)disk_close(fd);
	if (n == (ssize_t)text.n)
		return 0;
	return err_errno(err, "write %s", name);
}

int
maildirsize_write(int account_dir, const struct usage *limit,
    const struct usage *used, struct err *err)
{
	struct buf text;
	int rc;

	if (limit->bytes == 0 && limit->messages == 0) {
		if (disk_unlinkat(account_dir, NAME, 0) == -1 &&
		    errno != ENOENT)
			return err_errno(err, "remove " NAME);
		return 0;
	}
	buf_init(&text, 256);
	text_make(&text, limit, used);
	rc = text_write(account_dir, TMP_NAME, buf_span(&text), err);
	buf_fini(&text);
	if (rc == 0 && disk_renameat(account_dir, TMP_NAME, account_dir, NAME,
	    0) == -1)
		rc = err_errno(err, "rename " NAME);
	return rc;
}
