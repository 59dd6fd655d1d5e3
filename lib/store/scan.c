#include "store/scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"

static void
ent_add(struct scan *s, const char *name, bool in_new)
{
	struct scan_ent *e;
	size_t n = strlen(name);

	if (s->n == s->size) {
		s->size = MAX(64, s->size * 2);
		s->ent = xreallocarray(s->ent, s->size, sizeof(*s->ent));
	}
	e = &s->ent[s->n++];
	memset(e, 0, sizeof(*e));
	e->at = buf_len(&s->names);
	e->name.n = n;
	e->in_new = in_new;
	buf_append(&s->names, name, n);
}

static int
dir_read(int folder_dir, const char *sub, bool in_new, struct scan *s,
    struct err *err)
{
	struct dirent *de;
	struct fname f;
	int fd, rc = 0;
	DIR *d;

	fd = disk_openat(folder_dir, sub, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return err_errno(err, "open %s", sub);
	d = fdopendir(fd);
	if (d == NULL) {
		rc = err_errno(err, "read %s", sub);
		(void)disk_close(fd);
		return rc;
	}
	for (errno = 0; (de = readdir(d)) != NULL; errno = 0)
		if (de->d_type != DT_DIR &&
		    fname_parse(span_str(de->d_name), &f))
			ent_add(s, de->d_name, in_new);
	if (errno != 0)
		rc = err_errno(err, "read %s", sub);
	(void)closedir(d);
	return rc;
}

int
scan_dirs(int folder_dir, struct scan *s, struct err *err)
{
	size_t i;
	int rc;

	memset(s, 0, sizeof(*s));
	buf_init(&s->names, BUF_NO_CAP);
	rc = dir_read(folder_dir, "new", true, s, err);
	if (rc == 0)
		rc = dir_read(folder_dir, "cur", false, s, err);
	if (rc < 0) {
		scan_fini(s);
		return rc;
	}
	/* Only now the names stay where they are. */
	for (i = 0; i < s->n; i++) {
		s->ent[i].name.p = buf_data(&s->names) + s->ent[i].at;
		(void)fname_parse(s->ent[i].name, &s->ent[i].f);
		s->ent[i].key = fname_key_crc(s->ent[i].f.unique);
	}
	return 0;
}

void
scan_fini(struct scan *s)
{
	buf_fini(&s->names);
	free(s->ent);
	memset(s, 0, sizeof(*s));
}
