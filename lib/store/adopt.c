#include "store/adopt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "store/account.h"
#include "store/adopt_int.h"
#include "store/box.h"
#include "store/head.h"

/* --- notes --- */

static void PRINTF(2, 3)
note(const struct adopt *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->events->note(text, a->events->arg);
}

static const char *
shown(const char *folder)
{
	return folder[0] == '\0' ? "INBOX" : folder;
}

/* --- looking --- */

/* What all folders together say. */
struct look {
	struct name_list folders;
	uint32_t uidvalidity;		/* the highest */
	uint64_t packed;
};

static int
folder_look(const struct adopt *a, const char *name, struct look *l,
    struct err *err)
{
	struct adopt_plan p;
	int rc;

	rc = adopt_plan_make(&p, a->source, name, err);
	if (rc == 0) {
		l->uidvalidity = MAX(l->uidvalidity, p.seen.uidvalidity);
		l->packed += p.seen.packed;
		a->events->folder(&p.seen, false, a->events->arg);
		if (p.uids.bad > 0)
			note(a, "%s: %zu lines of its UIDs are not "
			    "understood", shown(name), p.uids.bad);
		name_list_add(&l->folders, span_str(name));
	} else if (rc == PS_ENOTFOUND && name[0] != '\0') {
		note(a, "%s is no maildir and stays where it is", name);
		rc = 0;
	} else {
		rc = err_prefix(err, "%s: ", shown(name));
	}
	adopt_plan_fini(&p);
	return rc;
}

static int
source_look(const struct adopt *a, struct look *l, struct err *err)
{
	struct name_list names;
	size_t i;
	int rc;

	memset(l, 0, sizeof(*l));
	rc = folders_read(a->source, &names, err);
	for (i = 0; rc == 0 && i < names.n; i++)
		rc = folder_look(a, names.name[i], l, err);
	if (rc == 0 && l->packed > 0)
		rc = err_set(err, ERR_PERM, PS_ESTATE, "%llu messages are "
		    "compressed (Dovecot's zlib plugin); have Dovecot write "
		    "them out plain first, as `doveadm backup' does",
		    (unsigned long long)l->packed);
	name_list_fini(&names);
	return rc;
}

static int
file_systems_check(const struct adopt *a, struct err *err)
{
	struct stat from, to;

	if (a->copy || a->home == -1)
		return 0;
	if (fstatat(a->source, "cur", &from, 0) == -1 ||
	    fstat(a->home, &to) == -1)
		return err_errno(err, "stat");
	if (from.st_dev != to.st_dev)
		return err_set(err, ERR_PERM, PS_ESTATE, "the maildir is on "
		    "another file system than the store; copy it");
	return 0;
}

/* --- subscriptions and quota --- */

static int
subscriptions_look(const struct adopt *a, const struct name_list *folders,
    struct name_list *out, struct err *err)
{
	static const char *const files[] = { "subscriptions",
	    "courierimapsubscribed" };
	struct buf text;
	size_t i;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; rc == 0 && i < ARRAY_LEN(files) && out->n == 0; i++) {
		rc = adopt_text(a->source, files[i], &text, err);
		if (rc == 0)
			foreign_subscriptions_parse(buf_span(&text), folders,
			    out);
		buf_fini(&text);
	}
	return rc;
}

static int
quota_look(const struct adopt *a, struct err *err)
{
	uint64_t bytes, messages;
	struct buf text;
	int rc;

	rc = adopt_text(a->source, "maildirsize", &text, err);
	if (rc == 0 && foreign_quota_parse(buf_span(&text), &bytes,
	    &messages) && (bytes > 0 || messages > 0) &&
	    a->events->quota != NULL)
		a->events->quota(bytes, messages, a->events->arg);
	buf_fini(&text);
	return rc;
}

/* --- the account, closed to others --- */

static int
account_shut(const struct adopt *a, int *fd, struct err *err)
{
	int rc;

	*fd = disk_openat(a->home, STORE_ADOPTING, O_RDWR | O_CREAT,
	    STORE_FILE_MODE);
	if (*fd == -1)
		return err_errno(err, "make %s", STORE_ADOPTING);
	rc = store_lock(*fd, "this account's adoption", err);
	if (rc == 0 && disk_fsync(a->home) == -1)
		rc = err_errno(err, "sync the account");
	if (rc < 0)
		(void)disk_close(*fd);
	return rc;
}

/* Everything is on disk before others may see it. */
static int
account_unshut(const struct adopt *a, int fd, bool whole, struct err *err)
{
	int rc = 0;

	if (whole && (disk_syncfs(a->home) == -1 ||
	    disk_unlinkat(a->home, STORE_ADOPTING, 0) == -1 ||
	    disk_fsync(a->home) == -1))
		rc = err_errno(err, "end the adoption");
	(void)disk_close(fd);
	return rc;
}

static int
subscriptions_take(const struct adopt *a, const struct name_list *subs,
    struct err *err)
{
	struct account *acc;
	struct err why;
	size_t i;
	int fd, rc = 0;

	if (subs->n == 0)
		return 0;
	fd = disk_openat(a->home, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return err_errno(err, "open the account");
	acc = account_bare(fd, a->mailbox_id);
	for (i = 0; rc == 0 && i < subs->n; i++)
		rc = account_subscribe(acc, subs->name[i], true, &why);
	if (rc < 0)
		rc = err_set(err, why.kind, rc, "subscriptions: %s", why.why);
	account_close(&acc);
	return rc;
}

static int
folders_take(const struct adopt *a, const struct look *l, struct err *err)
{
	struct adopt_plan p;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < l->folders.n; i++) {
		rc = adopt_plan_make(&p, a->source, l->folders.name[i], err);
		if (rc == 0)
			rc = adopt_folder_take(a, &p, err);
		if (rc == 0)
			a->events->folder(&p.seen, true, a->events->arg);
		else
			rc = err_prefix(err, "%s: ",
			    shown(l->folders.name[i]));
		adopt_plan_fini(&p);
	}
	return rc;
}

static int
account_take(const struct adopt *a, const struct look *l,
    const struct name_list *subs, struct err *err)
{
	uint32_t unused;
	int fd, rc;

	rc = account_shut(a, &fd, err);
	if (rc < 0)
		return rc;
	/* no folder that is made later gets one of these again */
	rc = account_uidvalidity_next(a->home, l->uidvalidity, true, &unused,
	    err);
	if (rc == 0)
		rc = folders_take(a, l, err);
	if (rc == 0)
		rc = subscriptions_take(a, subs, err);
	if (rc < 0) {
		(void)account_unshut(a, fd, false, NULL);
		return rc;
	}
	return account_unshut(a, fd, true, err);
}

int
adopt_run(const struct adopt *a, struct err *err)
{
	struct name_list subs = { 0 };
	struct look l;
	int rc;

	rc = source_look(a, &l, err);
	if (rc == 0)
		rc = subscriptions_look(a, &l.folders, &subs, err);
	if (rc == 0)
		rc = quota_look(a, err);
	if (rc == 0)
		rc = file_systems_check(a, err);
	if (rc == 0 && !a->check)
		rc = account_take(a, &l, &subs, err);
	name_list_fini(&l.folders);
	name_list_fini(&subs);
	return rc;
}
