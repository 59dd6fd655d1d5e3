#include "store/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/boot.h"
#include "store/box.h"
#include "store/find.h"
#include "store/folder.h"
#include "store/folders.h"
#include "store/host.h"
#include "store/small.h"
#include "store/special.h"

struct account {
	int dir;
	uint64_t mailbox_id;
	uint64_t tmp_count;
};

/* --- host part of names --- */

static char host_name[64] = "localhost";

void
store_host_set(const char *host)
{
	size_t i;

	for (i = 0; host[i] != '\0' && i < sizeof(host_name) - 1; i++)
		host_name[i] = ascii_isalnum((unsigned char)host[i]) ||
		    host[i] == '.' || host[i] == '-' ? host[i] : '_';
	host_name[i] = '\0';
	if (i == 0)
		memcpy(host_name, "localhost", sizeof("localhost"));
}

const char *
store_host(void)
{
	return host_name;
}

/* --- homes and handles --- */

int
account_home_open(int store_dir, uint64_t mailbox_id, bool create, int *fd,
    struct err *err)
{
	char path[STORE_HOME_MAX], hash[STORE_HOME_MAX];
	size_t n = store_home_path(mailbox_id, path);

	*fd = disk_openat(store_dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (*fd != -1)
		return 0;
	if (errno != ENOENT || !create)
		return err_errno(err, "open home %s", path);
	memcpy(hash, path, n);
	hash[n] = '\0';
	if (disk_mkdirat(store_dir, hash, 0700) == -1 && errno != EEXIST)
		return err_errno(err, "make %s", hash);
	if (disk_mkdirat(store_dir, path, STORE_DIR_MODE) == -1 &&
	    errno != EEXIST)
		return err_errno(err, "make home %s", path);
	*fd = disk_openat(store_dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (*fd == -1)
		return err_errno(err, "open home %s", path);
	/* mkdir does not set it: files of imapd must get our group, too. */
	if (fchmod(*fd, STORE_DIR_MODE) == -1) {
		(void)err_errno(err, "set mode of home %s", path);
		(void)disk_close(*fd);
		*fd = -1;
		return err == NULL ? PS_EIO : err->code;
	}
	return 0;
}

struct account *
account_bare(int dirfd, uint64_t mailbox_id)
{
	struct account *a = xcalloc(1, sizeof(*a));

	a->dir = dirfd;
	a->mailbox_id = mailbox_id;
	return a;
}

struct account *
account_open(int dirfd, uint64_t mailbox_id, struct err *err)
{
	struct account *a = account_bare(dirfd, mailbox_id);
	struct box *b;

	b = box_open(dirfd, "", mailbox_id, BOX_CREATE, err);
	if (b == NULL)
		account_close(&a);
	box_close(&b);
	return a;
}

void
account_close(struct account **a)
{
	if (*a == NULL)
		return;
	(void)disk_close((*a)->dir);
	free(*a);
	*a = NULL;
}

uint64_t
account_id(const struct account *a)
{
	return a->mailbox_id;
}

int
account_dirfd(const struct account *a)
{
	return a->dir;
}

/* --- folders --- */

int
account_folders(struct account *a, struct name_list *out, struct err *err)
{
	return folders_read(a->dir, out, err);
}

bool
account_folder_exists(struct account *a, const char *name)
{
	struct stat st;

	if (name[0] == '\0')
		return true;
	return folder_name_valid(span_str(name)) && disk_statat(a->dir, name,
	    &st) == 0 && S_ISDIR(st.st_mode);
}

static int
account_sync(struct account *a, struct err *err)
{
	if (disk_fsync(a->dir) == -1)
		return err_errno(err, "sync account");
	return 0;
}

int
account_folder_create(struct account *a, const char *name, struct err *err)
{
	struct box *b;
	int rc;

	if (name[0] == '\0' || account_folder_exists(a, name))
		return err_set(err, ERR_PERM, PS_EEXIST, "folder exists");
	b = box_open(a->dir, name, a->mailbox_id, BOX_CREATE, err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	rc = box_lock(b, err);
	box_unlock(b);
	/* Once: its directories, head and index, and its name above. */
	if (rc == 0 && disk_syncfs(b->dir) == -1)
		rc = err_errno(err, "sync folder");
	box_close(&b);
	return rc;
}

/* The name goes at once and whole: renamed out of the way first. */
int
account_folder_delete(struct account *a, const char *name, struct err *err)
{
	size_t all = SIZE_MAX;
	char away[64];
	uint64_t r;

	if (name[0] == '\0')
		return err_set(err, ERR_PERM, PS_EDENIED,
		    "INBOX cannot be deleted");
	if (!account_folder_exists(a, name))
		return err_set(err, ERR_PERM, PS_ENOTFOUND, "no such folder");
	proc_random(&r, sizeof(r));
	(void)snprintf(away, sizeof(away), "tmp/" STORE_DELETED "%016llx",
	    (unsigned long long)r);
	if (disk_renameat(a->dir, name, a->dir, away, 0) == -1)
		return err_errno(err, "remove folder");
	if (account_sync(a, err) < 0)
		return PS_EIO;
	/* what a kill leaves of it, reconcile.c removes */
	dir_remove(a->dir, away, &all);
	return account_special_moved(a, name, NULL, err);
}

static bool
is_child(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && (name[n] == '.' ||
	    name[n] == '\0');
}

/* What a folder is called when `from` has become `to`. */
static bool
child_name(const char *child, const char *from, const char *to,
    char out[FOLDER_NAME_MAX + 1])
{
	int n = snprintf(out, FOLDER_NAME_MAX + 1, "%s%s", to,
	    child + strlen(from));

	return n >= 0 && n <= FOLDER_NAME_MAX;
}

/* Nothing may stop it half way. What is below `to` already may stay there. */
static int
rename_check(const struct name_list *l, const char *from, const char *to,
    struct err *err)
{
	char name[FOLDER_NAME_MAX + 1];
	bool found = false;
	size_t i;

	if (name_list_has(l, to))
		return err_set(err, ERR_PERM, PS_EEXIST, "folder exists");
	for (i = 0; i < l->n; i++) {
		if (!is_child(l->name[i], from))
			continue;
		found = true;
		if (!child_name(l->name[i], from, to, name))
			return err_set(err, ERR_PERM, PS_ESYNTAX,
			    "folder name is too long");
		if (name_list_has(l, name))
			return err_set(err, ERR_PERM, PS_EEXIST,
			    "folder exists");
	}
	return found ? 0 : err_set(err, ERR_PERM, PS_ENOTFOUND,
	    "no such folder");
}

static int
child_rename(struct account *a, const char *child, const char *from,
    const char *to, struct err *err)
{
	char name[FOLDER_NAME_MAX + 1];

	if (!child_name(child, from, to, name))
		return err_set(err, ERR_BUG, PS_ESYNTAX,
		    "folder name is too long");
	if (disk_renameat(a->dir, child, a->dir, name, RENAME_NOREPLACE) == -1)
		return err_errno(err, "rename folder");
	return 0;
}

int
account_folder_rename(struct account *a, const char *from, const char *to,
    struct err *err)
{
	struct name_list l;
	size_t i;
	int rc;

	if (from[0] == '\0' || to[0] == '\0' ||
	    !folder_name_valid(span_str(to)) || is_child(to, from))
		return err_set(err, ERR_PERM, PS_ESYNTAX, "bad folder name");
	rc = folders_read(a->dir, &l, err);
	if (rc < 0)
		return rc;
	rc = rename_check(&l, from, to, err);
	for (i = 0; rc == 0 && i < l.n; i++)
		if (is_child(l.name[i], from))
			rc = child_rename(a, l.name[i], from, to, err);
	name_list_fini(&l);
	if (rc == 0)
		rc = account_sync(a, err);
	return rc == 0 ? account_special_moved(a, from, to, err) : rc;
}

/* --- subscriptions --- */

int
account_subscriptions(struct account *a, struct name_list *out,
    struct err *err)
{
	struct span rest, line;
	struct buf text;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = small_read(a->dir, STORE_SUBSCRIPTIONS, &text, err);
	rest = buf_span(&text);
	while (rc == 0 && rest.n > 0 && span_split(&rest, '\n', &line)) {
		line = span_trim(line);
		if (span_is(line, "INBOX"))
			line.n = 0;
		else if (line.n == 0 || !folder_name_valid(line))
			continue;
		name_list_add(out, line);
	}
	name_list_sort(out);
	buf_fini(&text);
	return rc;
}

static int
subscriptions_write(struct account *a, const struct name_list *l,
    struct err *err)
{
	struct buf text;
	size_t i;
	int rc;

	buf_init(&text, SMALL_MAX);
	for (i = 0; i < l->n; i++) {
		buf_str(&text, l->name[i][0] == '\0' ? "INBOX" : l->name[i]);
		buf_char(&text, '\n');
	}
	rc = small_replace(a->dir, STORE_SUBSCRIPTIONS, &text, err);
	buf_fini(&text);
	return rc;
}

static int
subscription_change(struct account *a, const char *name, bool on,
    struct err *err)
{
	struct name_list l, next = { 0 };
	size_t i;
	int rc;

	rc = account_subscriptions(a, &l, err);
	if (rc == 0 && name_list_has(&l, name) != on) {
		for (i = 0; i < l.n; i++)
			if (on || strcmp(l.name[i], name) != 0)
				name_list_add(&next, span_str(l.name[i]));
		if (on)
			name_list_add(&next, span_str(name));
		name_list_sort(&next);
		rc = subscriptions_write(a, &next, err);
	}
	name_list_fini(&l);
	name_list_fini(&next);
	return rc;
}

int
account_subscribe(struct account *a, const char *name, bool on,
    struct err *err)
{
	int fd, rc;

	if (!folder_name_valid(span_str(name)))
		return err_set(err, ERR_PERM, PS_ESYNTAX, "bad folder name");
	rc = small_lock(a->dir, &fd, err);
	if (rc < 0)
		return rc;
	rc = subscription_change(a, name, on, err);
	(void)disk_close(fd);
	return rc;
}

/* --- figures --- */

int
account_usage(struct account *a, struct usage *u, struct err *err)
{
	return usage_read(a->dir, a->mailbox_id, u, err);
}

int
account_folder_status(struct account *a, const char *name,
    struct folder_status *st, struct err *err)
{
	struct box *b;
	int rc;

	if (!account_folder_exists(a, name))
		return err_set(err, ERR_PERM, PS_ENOTFOUND, "no such folder");
	b = box_open(a->dir, name, a->mailbox_id, BOX_EXISTING, err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	rc = box_current(b, err);
	if (rc == 0)
		*st = (struct folder_status){
			.messages = b->h.n_live, .unseen = b->h.n_unseen,
			.deleted = b->h.n_deleted, .uidnext = b->h.uidnext,
			.uidvalidity = b->h.uidvalidity,
			.highest_modseq = MAX(b->h.modseq, 1),
			.bytes = b->h.bytes + b->h.lf_bytes,
			.recent = MIN(b->h.n_live, b->h.uidnext -
			    MIN(b->h.uidnext, b->h.recent_uid)),
		};
	box_close(&b);
	return rc;
}

static uint64_t
group_deleted_bytes(const struct index_group *g)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < g->count; i++)
		if (!(g->rec[i].state & REC_GONE) &&
		    (g->rec[i].flags & MSG_DELETED))
			bytes += g->rec[i].size;
	return bytes;
}

int
account_folder_deleted_bytes(struct account *a, const char *name,
    uint64_t *bytes, struct err *err)
{
	struct index_group g;
	struct box *b;
	uint32_t i;
	int rc;

	*bytes = 0;
	b = box_open(a->dir, name, a->mailbox_id, BOX_EXISTING, err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	rc = box_lock(b, err);
	for (i = 0; rc == 0 && i < index_groups(b->h.n_recs); i++) {
		rc = box_group_read(b, i, &g, err);
		if (rc == 0)
			*bytes += group_deleted_bytes(&g);
	}
	box_unlock(b);
	box_close(&b);
	return rc;
}

/* --- collecting an APPEND --- */

int
account_tmp_new(struct account *a, struct store_tmp *t, struct err *err)
{
	uint64_t r;

	proc_random(&r, sizeof(r));
	(void)snprintf(t->name, sizeof(t->name), "tmp/append.%016llx.%llu",
	    (unsigned long long)r, (unsigned long long)a->tmp_count++);
	t->fd = disk_openat(a->dir, t->name, O_RDWR | O_CREAT | O_EXCL,
	    STORE_FILE_MODE);
	if (t->fd == -1)
		return err_errno(err, "make %s", t->name);
	return 0;
}

void
account_tmp_drop(struct account *a, struct store_tmp *t)
{
	if (t->fd == -1)
		return;
	(void)disk_close(t->fd);
	t->fd = -1;
	(void)disk_unlinkat(a->dir, t->name, 0);
}
