#include "base/proc.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define GROUPS_MAX	8

void
proc_random(void *p, size_t n)
{
	unsigned char *at = p;
	ssize_t got;

	while (n > 0) {
		got = getrandom(at, n, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			log_fatal("getrandom: %s", strerrordesc_np(errno));
		at += got;
		n -= (size_t)got;
	}
}

void
proc_raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

void
proc_no_dumps(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
proc_title_set(const char *title)
{
	(void)prctl(PR_SET_NAME, title, 0, 0, 0);
}

static int
groups_resolve(const char *const *names, gid_t gid[GROUPS_MAX], size_t *n,
    struct err *err)
{
	const struct group *gr;

	for (*n = 0; names != NULL && names[*n] != NULL; (*n)++) {
		if (*n == GROUPS_MAX)
			return err_set(err, ERR_BUG, PS_ETOOBIG,
			    "too many groups");
		if ((gr = getgrnam(names[*n])) == NULL)
			return err_set(err, ERR_PERM, PS_ENOTFOUND,
			    "no such group: %s", names[*n]);
		gid[*n] = gr->gr_gid;
	}
	return 0;
}

int
proc_drop(const char *user, const char *const *groups, struct err *err)
{
	const struct passwd *pw;
	gid_t gid[GROUPS_MAX];
	size_t n;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_errno(err, "no_new_privs");
	if (geteuid() != 0)
		return 0;
	if ((pw = getpwnam(user)) == NULL)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "no such user: %s", user);
	if (pw->pw_uid == 0)
		return err_set(err, ERR_PERM, PS_EDENIED,
		    "user %s is root", user);
	if ((rc = groups_resolve(groups, gid, &n, err)) < 0)
		return rc;
	if (setgroups(n, gid) == -1 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		return err_errno(err, "become user %s", user);
	if (setuid(0) == 0 || geteuid() == 0)
		return err_set(err, ERR_BUG, PS_EDENIED,
		    "privilege of root was not given up");
	return 0;
}

/* Without libcap: two words of 32 capabilities each. */
static int
only_reading(struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = 1u << CAP_DAC_READ_SEARCH,
		  .permitted = 1u << CAP_DAC_READ_SEARCH },
	};

	if (syscall(SYS_capset, &head, set) == -1)
		return err_errno(err, "give up capabilities");
	return 0;
}

int
proc_drop_reader(const char *user, struct err *err)
{
	bool root = geteuid() == 0;
	int rc;

	if (root && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		return err_errno(err, "keep capabilities");
	rc = proc_drop(user, NULL, err);
	return rc == 0 && root ? only_reading(err) : rc;
}

int
proc_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	if (flags & O_NONBLOCK)
		return 0;		/* accept4 did it */
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
proc_close_from(int lowest)
{
	(void)close_range((unsigned)lowest, ~0U, 0);
}
