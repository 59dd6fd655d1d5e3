#include "admin/configfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/xmalloc.h"

/* The text and the path must fit one message to a child. */
#define CONFIG_MAX	(IPC_BODY_MAX - 2 * PATH_MAX)

int
file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	ssize_t n;
	char *p;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return err_errno(err, "%s", path);
	for (;;) {
		p = buf_reserve(out, 4096);
		n = p == NULL ? 0 : read(fd, p, 4096);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_commit(out, (size_t)n);
		if (buf_len(out) > max)
			break;
	}
	if (n == -1)
		rc = err_errno(err, "%s", path);
	else if (buf_failed(out) || buf_len(out) > max)
		rc = err_set(err, ERR_PERM, PS_ETOOBIG,
		    "%s: larger than %zu bytes", path, max);
	close(fd);
	return rc;
}

bool
configfile_read(struct configfile *cf, const char *path,
    struct buf *complaints)
{
	struct configfile new = { 0 };
	struct err err;
	struct buf text;

	buf_init(&text, CONFIG_MAX + 8192);
	new.path = realpath(path, NULL);
	if (new.path == NULL) {
		buf_fmt(complaints, "%s: %s\n", path, strerror(errno));
	} else if (file_read(new.path, CONFIG_MAX, &text, &err) != 0) {
		buf_fmt(complaints, "%s\n", err.why);
	} else {
		new.conf = conf_parse(new.path, buf_span(&text), complaints);
	}
	if (new.conf == NULL) {
		free(new.path);
		buf_fini(&text);
		return false;
	}
	new.n = buf_len(&text);
	new.text = buf_take(&text);
	configfile_fini(cf);
	*cf = new;
	return true;
}

void
configfile_fini(struct configfile *cf)
{
	conf_unref(&cf->conf);
	free(cf->text);
	free(cf->path);
	*cf = (struct configfile){ 0 };
}
