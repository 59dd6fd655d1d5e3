#include "store/keywords.h"

#include <errno.h>

#include "base/buf.h"
#include "base/disk.h"
#include "store/layout.h"

#define FILE_MAX	(MSG_KEYWORDS * (KEYWORD_MAX + 2))

/* RFC 3501: atom, without the specials. */
static bool
name_ok(struct span s)
{
	size_t i;

	if (s.n == 0 || s.n > KEYWORD_MAX || s.p[0] == '\\')
		return false;
	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", s.p[i]) != NULL)
			return false;
	return true;
}

int
keywords_read(int folder_dir, struct keywords *k, struct err *err)
{
	char text[FILE_MAX];
	struct span rest, line;
	ssize_t n;
	int fd;

	memset(k, 0, sizeof(*k));
	fd = disk_openat(folder_dir, STORE_KEYWORDS, O_RDONLY, 0);
	if (fd == -1)
		return errno == ENOENT ? 0 :
		    err_errno(err, "open %s", STORE_KEYWORDS);
	n = disk_pread(fd, text, sizeof(text), 0);
	(void)disk_close(fd);
	if (n == -1)
		return err_errno(err, "read %s", STORE_KEYWORDS);
	rest = span_of(text, (size_t)n);
	while (k->n < MSG_KEYWORDS && rest.n > 0 &&
	    span_split(&rest, '\n', &line)) {
		if (name_ok(line))	/* a bad line keeps its letter */
			memcpy(k->name[k->n], line.p, line.n);
		k->n++;
	}
	return 0;
}

int
keywords_find(const struct keywords *k, struct span name)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		if (k->name[i][0] != '\0' && span_is(name, k->name[i]))
			return (int)i;
	return -1;
}

static int
keywords_write(int folder_dir, const struct keywords *k, struct err *err)
{
	struct buf b;
	unsigned i;
	int fd, rc = 0;

	buf_init(&b, FILE_MAX);
	for (i = 0; i < k->n; i++) {
		buf_str(&b, k->name[i]);
		buf_char(&b, '\n');
	}
	fd = disk_openat(folder_dir, STORE_KEYWORDS ".new",
	    O_WRONLY | O_CREAT | O_TRUNC, STORE_FILE_MODE);
	if (fd == -1) {
		rc = err_errno(err, "make %s", STORE_KEYWORDS);
	} else {
		if (disk_pwrite(fd, buf_data(&b), buf_len(&b), 0) == -1 ||
		    disk_fdatasync(fd) == -1 ||
		    disk_renameat(folder_dir, STORE_KEYWORDS ".new",
		    folder_dir, STORE_KEYWORDS, 0) == -1 ||
		    disk_fsync(folder_dir) == -1)
			rc = err_errno(err, "write %s", STORE_KEYWORDS);
		(void)disk_close(fd);
	}
	buf_fini(&b);
	return rc;
}

int
keywords_add(int folder_dir, struct keywords *k, struct span name,
    struct err *err)
{
	int i, rc;

	rc = keywords_read(folder_dir, k, err);
	if (rc < 0)
		return rc;
	i = keywords_find(k, name);
	if (i >= 0)
		return i;
	if (!name_ok(name) || k->n == MSG_KEYWORDS)
		return err_set(err, ERR_PERM, PS_EFULL,
		    "no room for another keyword, or a bad name");
	memcpy(k->name[k->n], name.p, name.n);
	k->name[k->n++][name.n] = '\0';
	rc = keywords_write(folder_dir, k, err);
	if (rc < 0) {
		k->n--;
		return rc;
	}
	return (int)k->n - 1;
}
