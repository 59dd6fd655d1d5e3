#include "admin/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lock.h"
#include "admin/roles.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"

static int
user_find(const char *name, uid_t *uid, gid_t *gid, struct err *err)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "there is no user `%s'; `postern setup' makes the users, "
		    "or name others with mail_owner_*", name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

/* All users must exist before anything is made. */
static int
users_check(const struct conf *conf, struct err *err)
{
	const struct role *r;
	size_t i, n;
	uid_t uid = 0;
	gid_t gid = 0;
	int rc;

	if (geteuid() != 0)
		return 0;
	r = role_table(&n);
	for (i = 0; i < n; i++) {
		rc = user_find(role_user(&r[i], conf), &uid, &gid, err);
		if (rc != 0)
			return rc;
		if (uid == 0)
			return err_set(err, ERR_PERM, PS_EDENIED,
			    "%s may not run as root", r[i].program);
	}
	return 0;
}

/* As mkdir -p; only the missing parts get 0755, the last one `mode`. */
static int
dir_make(const char *path, mode_t mode, struct err *err)
{
	char *copy = xstrdup(path), *p;
	int rc = 0;

	for (p = copy + 1; rc == 0 && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			rc = err_errno(err, "make directory %s", copy);
		*p = '/';
	}
	if (rc == 0 && mkdir(path, mode) != 0 && errno != EEXIST)
		rc = err_errno(err, "make directory %s", path);
	free(copy);
	return rc;
}

static bool
dir_is_empty(int fd)
{
	struct dirent *e;
	bool empty = true;
	DIR *d;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy == -1 ? NULL : fdopendir(copy);
	if (d == NULL) {
		if (copy != -1)
			close(copy);
		return false;
	}
	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty;
}

/* A new or empty directory is given owner and mode. One that holds things
 * may be a slip of the pen such as `/var/spool': that is only reported. */
static int
dir_settle(int fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
    struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, "directory %s", path);
	if (st.st_uid == uid && (st.st_mode & 07777) == mode)
		return 0;
	if ((st.st_uid != uid || (st.st_mode & S_ISVTX) != 0) &&
	    !dir_is_empty(fd))
		return err_set(err, ERR_PERM, PS_EDENIED,
		    "%s is in use by user %ld; it must belong to user %ld "
		    "with mode %04o", path, (long)st.st_uid, (long)uid,
		    (unsigned)mode);
	if (st.st_uid != uid && fchown(fd, uid, gid) != 0)
		return err_errno(err, "owner of %s", path);
	if (fchmod(fd, mode) != 0)
		return err_errno(err, "mode of %s", path);
	return 0;
}

/* Makes, opens, and as root gives it to `user` (NULL: stays ours). */
static int
dir_open(const char *path, mode_t mode, const char *user, int *fd,
    struct err *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int rc;

	if (path[0] != '/')
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "directory `%s' must be an absolute path", path);
	if (geteuid() == 0 && user != NULL &&
	    (rc = user_find(user, &uid, &gid, err)) != 0)
		return rc;
	rc = dir_make(path, mode, err);
	if (rc != 0)
		return rc;
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd == -1)
		return err_errno(err, "open directory %s", path);
	return dir_settle(*fd, path, mode, uid, gid, err);
}

static void
store_group_find(struct instance *in, const struct conf *conf)
{
	const struct passwd *pw;
	const struct group *gr;

	in->store_group = NULL;
	if (geteuid() == 0) {
		pw = getpwnam(conf->mail_owner_store);
		gr = pw == NULL ? NULL : getgrgid(pw->pw_gid);
		if (gr != NULL)
			in->store_group = xstrdup(gr->gr_name);
	}
	if (in->store_group == NULL)
		in->store_group = xstrdup("");
}

static int
log_file_open(const char *path, struct err *err)
{
	int fd;

	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    0640);
	return fd == -1 ? err_errno(err, "log file %s", path) : fd;
}

static int
log_start(struct instance *in, const struct conf *conf, struct err *err)
{
	int fd;

	in->log_path = xstrdup(conf->maillog_file);
	if (conf->maillog_file[0] == '\0') {
		log_open_syslog(conf->syslog_name, "posternd");
	} else if (strcmp(conf->maillog_file, "-") == 0) {
		log_open_stderr(conf->syslog_name, "posternd");
	} else {
		fd = log_file_open(conf->maillog_file, err);
		if (fd < 0)
			return fd;
		in->log_fd = fd;
		log_open_fd(conf->syslog_name, "posternd", in->log_fd);
	}
	return 0;
}

int
instance_log_reopen(struct instance *in, struct err *err)
{
	int fd;

	if (in->log_fd == -1)
		return 0;
	log_flush();
	fd = log_file_open(in->log_path, err);
	if (fd < 0)
		return fd;
	if (dup3(fd, in->log_fd, O_CLOEXEC) == -1) {
		close(fd);
		return err_errno(err, "log file %s", in->log_path);
	}
	close(fd);
	return 0;
}

static int
pid_file_write(struct instance *in, struct err *err)
{
	int fd, rc = 0;

	fd = openat(in->run_dir, "posternd.pid",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		rc = err_errno(err, "pid file");
	if (fd != -1)
		close(fd);
	return rc;
}

int
instance_open(struct instance *in, const struct conf *conf, bool wait,
    struct err *err)
{
	int rc;

	*in = (struct instance){ .run_dir = -1, .spool_dir = -1,
	    .store_dir = -1, .run_lock = -1, .spool_lock = -1,
	    .log_fd = -1 };
	if ((rc = users_check(conf, err)) != 0 ||
	    (rc = dir_open(conf->run_directory, 0755, NULL, &in->run_dir,
	    err)) != 0)
		return rc;
	rc = in->run_lock = lock_take(in->run_dir, conf->run_directory,
	    wait, err);
	if (rc < 0 || (rc = dir_open(conf->spool_directory, 0700,
	    conf->mail_owner_queue, &in->spool_dir, err)) != 0)
		return rc;
	rc = in->spool_lock = lock_take(in->spool_dir,
	    conf->spool_directory, wait, err);
	if (rc < 0 || (rc = dir_open(conf->store_directory, 0700,
	    conf->mail_owner_store, &in->store_dir, err)) != 0 ||
	    (rc = log_start(in, conf, err)) != 0)
		return rc;
	store_group_find(in, conf);
	proc_random(in->key, sizeof(in->key));
	return pid_file_write(in, err);
}

void
instance_close(struct instance *in)
{
	if (in->run_dir != -1) {
		unlinkat(in->run_dir, "posternd.pid", 0);
		close(in->run_dir);
	}
	if (in->spool_dir != -1)
		close(in->spool_dir);
	if (in->store_dir != -1)
		close(in->store_dir);
	secure_wipe(in->key, sizeof(in->key));
	free(in->log_path);
	free(in->store_group);
}
