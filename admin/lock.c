#include "admin/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

static int
lock_wait(int fd, const char *name, bool wait, struct err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_errno(err, "lock %s", name);
	if (!wait)
		return err_set(err, ERR_TEMP, PS_EAGAIN,
		    "%s is in use by another posternd or its children", name);
	log_warning("%s is in use by another posternd or its children: "
	    "waiting for the last of them to end", name);
	while (flock(fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_errno(err, "lock %s", name);
	return 0;
}

int
lock_take(int dirfd, const char *name, bool wait, struct err *err)
{
	int fd, rc;

	fd = openat(dirfd, "lock",
	    O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_errno(err, "lock file in %s", name);
	rc = lock_wait(fd, name, wait, err);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}
