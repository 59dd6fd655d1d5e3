#include "imapd/append_binary.h"

#include "base/disk.h"
#include "imapd/message.h"
#include "mail/binary.h"

static bool
has_nul(struct span s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static int
load(int fd, struct buf *out, struct err *err)
{
	struct stat st;
	ssize_t n;
	char *p;

	if (fstat(fd, &st) == -1)
		return err_errno(err, "stat message");
	p = buf_reserve(out, (size_t)st.st_size);
	if (p == NULL)
		return err_set(err, ERR_PERM, PS_ENOSYS,
		    "binary message is too large to convert");
	n = disk_pread(fd, p, (size_t)st.st_size, 0);
	if (n == -1)
		return err_errno(err, "read message");
	buf_commit(out, (size_t)n);
	return 0;
}

static int
replace(int fd, struct span text, struct err *err)
{
	if (disk_pwrite(fd, text.p, text.n, 0) == -1 ||
	    disk_ftruncate(fd, (off_t)text.n) == -1)
		return err_errno(err, "write message");
	return 0;
}

int
append_binary(struct store_tmp *tmp, struct buf *piece, struct err *err)
{
	struct buf in, out;
	struct span message;
	int rc = 0;

	buf_init(&in, MESSAGE_LOAD_MAX);
	buf_init(&out, MESSAGE_LOAD_MAX);
	if (tmp->fd != -1)
		rc = load(tmp->fd, &in, err);
	message = tmp->fd != -1 ? buf_span(&in) : buf_span(piece);
	if (rc < 0 || !has_nul(message))
		goto out;
	binary_to_base64(&out, message);
	if (buf_failed(&out) || has_nul(buf_span(&out))) {
		rc = err_set(err, ERR_PERM, PS_ENOSYS,
		    "NUL outside of binary parts");
	} else if (tmp->fd != -1) {
		rc = replace(tmp->fd, buf_span(&out), err);
	} else {
		buf_clear(piece);
		buf_span_add(piece, buf_span(&out));
	}
out:
	buf_fini(&in);
	buf_fini(&out);
	return rc;
}
