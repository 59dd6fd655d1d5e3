#include "admin/owner.h"

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/layout.h"

#define DEPTH_MAX	5		/* DIR/.Folder/courierimapkeywords/x */

struct walk {
	uid_t owner;			/* whose tree it is */
	uid_t uid;
	gid_t gid;
	bool give;			/* else only look */
	struct err *err;
};

static bool
is_theirs(const struct walk *w, const struct stat *st)
{
	return st->st_uid == w->owner || st->st_uid == w->uid;
}

static int
one_give(const struct walk *w, int fd, const struct stat *st)
{
	mode_t mode = S_ISDIR(st->st_mode) ? STORE_DIR_MODE : STORE_FILE_MODE;

	if (!w->give)
		return 0;
	if (fchown(fd, w->uid, w->gid) == -1 || fchmod(fd, mode) == -1)
		return err_errno(w->err, "give to the store's user");
	return 0;
}

static int dir_walk(const struct walk *w, int fd, unsigned depth);

/* Takes fd over. */
static int
entry_walk(const struct walk *w, int fd, const char *name, unsigned depth)
{
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) == -1)
		rc = err_errno(w->err, "stat %s", name);
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		rc = 0;			/* pipes and the like stay */
	else if (!is_theirs(w, &st))
		rc = err_set(w->err, ERR_PERM, PS_EDENIED, "%s belongs to "
		    "user %ld, the maildir to user %ld: that is for you to "
		    "settle", name, (long)st.st_uid, (long)w->owner);
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		rc = dir_walk(w, fd, depth + 1);
	if (rc == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		rc = one_give(w, fd, &st);
	(void)close(fd);
	return rc;
}

static int
dir_walk(const struct walk *w, int dir, unsigned depth)
{
	struct dirent *e;
	int fd, rc = 0;
	DIR *d;

	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		rc = err_errno(w->err, "read directory");
		if (fd != -1)
			(void)close(fd);
		return rc;
	}
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		/* links and sockets cannot be opened so, and stay */
		if (fd != -1)
			rc = entry_walk(w, fd, e->d_name, depth);
		else if (errno != ELOOP && errno != ENXIO && errno != ENOENT)
			rc = err_errno(w->err, "open %s", e->d_name);
	}
	(void)closedir(d);
	return rc;
}

int
owner_give(int dir, uid_t uid, gid_t gid, struct err *err)
{
	struct walk w = { .uid = uid, .gid = gid, .err = err };
	struct stat st;
	int rc;

	if (fstat(dir, &st) == -1)
		return err_errno(err, "stat the maildir");
	w.owner = st.st_uid;
	rc = dir_walk(&w, dir, 0);
	if (rc < 0)
		return rc;
	w.give = true;
	rc = dir_walk(&w, dir, 0);
	/* last: till then its owner tells whose the rest is */
	return rc == 0 ? one_give(&w, dir, &st) : rc;
}
