#include "store/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"

void
name_list_add(struct name_list *l, struct span name)
{
	if (name.n > FOLDER_NAME_MAX)
		return;
	if (l->n == l->size) {
		l->size = MAX(16, l->size * 2);
		l->name = xreallocarray(l->name, l->size, sizeof(*l->name));
	}
	if (name.n > 0)
		memcpy(l->name[l->n], name.p, name.n);
	l->name[l->n++][name.n] = '\0';
}

static int
name_cmp(const void *a, const void *b)
{
	const char *x = a, *y = b;

	return strcmp(x, y);
}

void
name_list_sort(struct name_list *l)
{
	if (l->n > 1)
		qsort(l->name, l->n, sizeof(*l->name), name_cmp);
}

bool
name_list_has(const struct name_list *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0)
			return true;
	return false;
}

void
name_list_fini(struct name_list *l)
{
	free(l->name);
	memset(l, 0, sizeof(*l));
}

/* Calls add for every entry. */
static int
dir_walk(int dir, void (*add)(struct name_list *, const struct dirent *),
    struct name_list *out, struct err *err)
{
	struct dirent *de;
	int fd, rc = 0;
	DIR *d;

	memset(out, 0, sizeof(*out));
	fd = disk_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return err_errno(err, "open directory");
	d = fdopendir(fd);
	if (d == NULL) {
		rc = err_errno(err, "read directory");
		(void)disk_close(fd);
		return rc;
	}
	for (errno = 0; (de = readdir(d)) != NULL; errno = 0)
		add(out, de);
	if (errno != 0)
		rc = err_errno(err, "read directory");
	(void)closedir(d);
	if (rc < 0)
		name_list_fini(out);
	return rc;
}

static void
any_add(struct name_list *l, const struct dirent *de)
{
	if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
		name_list_add(l, span_str(de->d_name));
}

/* Another program's ".Inbox" or ".inbox.x": INBOX is written in any case, so
 * that no name can mean them. */
static bool
is_beside_inbox(struct span name)
{
	struct span rest = span_sub(name, 1, name.n), level;

	return span_split(&rest, '.', &level) && span_is(level, "INBOX") &&
	    (rest.n == 0 || !span_eq(level, SPAN_LIT("INBOX")));
}

static void
folder_add(struct name_list *l, const struct dirent *de)
{
	struct span s = span_str(de->d_name);

	if (de->d_name[0] == '.' && s.n > 1 && folder_name_valid(s) &&
	    !is_beside_inbox(s) &&
	    (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN) &&
	    l->n < FOLDERS_MAX)
		name_list_add(l, s);
}

int
dir_names(int dir, struct name_list *out, struct err *err)
{
	return dir_walk(dir, any_add, out, err);
}

void
dir_remove(int parent, const char *name, size_t *left)
{
	struct name_list l;
	size_t i;
	int fd;

	fd = disk_openat(parent, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return;
	if (dir_names(fd, &l, NULL) == 0)
		for (i = 0; i < l.n && *left > 0; i++) {
			--*left;
			if (disk_unlinkat(fd, l.name[i], 0) == -1 &&
			    (errno == EISDIR || errno == EPERM))
				dir_remove(fd, l.name[i], left);
		}
	name_list_fini(&l);
	(void)disk_close(fd);
	(void)disk_unlinkat(parent, name, AT_REMOVEDIR);
}

int
folders_read(int account_dir, struct name_list *out, struct err *err)
{
	int rc = dir_walk(account_dir, folder_add, out, err);

	if (rc < 0)
		return rc;
	name_list_add(out, SPAN_LIT(""));
	name_list_sort(out);
	return 0;
}
