#include "admin/rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX	64

static int directory_empty(int fd, unsigned depth, struct err *err);

/* Takes fd. */
static int
directory_walk(int fd, unsigned depth, struct err *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int sub, rc = 0;

	if (dir == NULL) {
		close(fd);
		return err_errno(err, "directory");
	}
	while (rc == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0 ||
		    errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			rc = err_errno(err, "%s", e->d_name);
			continue;
		}
		sub = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (sub == -1)
			rc = err_errno(err, "%s", e->d_name);
		else
			rc = directory_empty(sub, depth + 1, err);
		if (rc == 0 && unlinkat(dirfd(dir), e->d_name,
		    AT_REMOVEDIR) != 0 && errno != ENOENT)
			rc = err_errno(err, "%s", e->d_name);
	}
	if (rc == 0 && errno != 0)
		rc = err_errno(err, "directory");
	closedir(dir);
	return rc;
}

static int
directory_empty(int fd, unsigned depth, struct err *err)
{
	if (depth > DEPTH_MAX) {
		close(fd);
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "directories are more than %d deep", DEPTH_MAX);
	}
	return directory_walk(fd, depth, err);
}

int
rmtree(int at, const char *path, struct err *err)
{
	int fd, rc;

	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(err, "%s", path);
	rc = directory_empty(fd, 0, err);
	if (rc == 0 && unlinkat(at, path, AT_REMOVEDIR) != 0 &&
	    errno != ENOENT)
		rc = err_errno(err, "%s", path);
	return rc;
}
