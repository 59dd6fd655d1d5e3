/*
 * Looks at a folder that is to be taken over: which messages, which UIDs and
 * keywords they have there, and what is in the way. Changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/adopt_int.h"
#include "store/folder.h"

#define TEXT_MAX	(1u << 30)	/* ten million messages */
#define UPDATE_MAX	65536
#define UPDATES_MAX	1000000
#define DATE_MAX	((int64_t)1 << 40)
#define UIDS_LEFT	1000000		/* that a folder is left with */

int
adopt_text(int dir, const char *name, struct buf *text, struct err *err)
{
	struct stat st;
	ssize_t n = -1;
	int fd, rc = 0;
	char *p;

	buf_init(text, TEXT_MAX);
	fd = disk_openat(dir, name, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
		    err_errno(err, "open %s", name);
	if (fstat(fd, &st) == -1)
		rc = err_errno(err, "stat %s", name);
	else if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX)
		rc = err_set(err, ERR_PERM, PS_ETOOBIG, "%s is no file, or "
		    "too large", name);
	if (rc == 0 && st.st_size > 0) {
		p = buf_reserve(text, (size_t)st.st_size);
		n = p == NULL ? -1 : disk_pread(fd, p, (size_t)st.st_size, 0);
		if (n == -1)
			rc = err_errno(err, "read %s", name);
		else
			buf_commit(text, (size_t)n);
	}
	(void)disk_close(fd);
	return rc;
}

/* --- UIDs --- */

/* A server that was moved from Courier to Dovecot left both: Dovecot's count. */
static const struct {
	const char *name;
	enum adopt_from from;
} uid_files[] = {
	{ "dovecot-uidlist", ADOPT_DOVECOT },
	{ "courierimapuiddb", ADOPT_COURIER },
};

static int
uids_read(struct adopt_plan *p, struct err *err)
{
	struct buf text;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_LEN(uid_files); i++) {
		rc = adopt_text(p->dir, uid_files[i].name, &text, err);
		if (rc == 0 && buf_len(&text) > 0 &&
		    !foreign_uids_parse(buf_span(&text), &p->uids))
			rc = err_set(err, ERR_PERM, PS_ESTATE, "%s is not "
			    "understood; move it away to do without its UIDs",
			    uid_files[i].name);
		if (rc < 0 || p->uids.uidvalidity == 0) {
			buf_fini(&text);
			if (rc < 0)
				return rc;
			continue;
		}
		p->uids_text = text;
		p->seen.from = uid_files[i].from;
		p->seen.uidvalidity = p->uids.uidvalidity;
		p->seen.uidnext = p->uids.next;
		return 0;
	}
	return 0;
}

/* A list that its owner has written may end anywhere; a folder that is left
 * without UIDs takes no mail any more. */
static int
uids_room(const struct adopt_plan *p, struct err *err)
{
	if (p->seen.uidnext + p->seen.messages <= UINT32_MAX - UIDS_LEFT)
		return 0;
	return err_set(err, ERR_PERM, PS_EFULL, "its UIDs are used up (the "
	    "next is %u); move the list of them away to do without",
	    p->seen.uidnext);
}

/* --- keywords --- */

/* Courier writes a file for each change and puts them into the list later. */
struct updates {
	int dir;
	struct name_list names;
};

static int
updates_list(struct adopt_plan *p, struct updates *u, struct err *err)
{
	memset(u, 0, sizeof(*u));
	u->dir = disk_openat(p->dir, "courierimapkeywords",
	    O_RDONLY | O_DIRECTORY, 0);
	if (u->dir == -1)
		return errno == ENOENT ? 0 :
		    err_errno(err, "open courierimapkeywords");
	return dir_names(u->dir, &u->names, err);
}

static void
updates_fini(struct updates *u)
{
	name_list_fini(&u->names);
	if (u->dir != -1)
		(void)disk_close(u->dir);
}

/* Where an update's name and text lie: offsets, as the buffer that holds all
 * of them moves while it grows. */
struct update_at {
	size_t base, base_n, text, text_n;
	uint64_t age;
};

static int
updates_collect(struct updates *u, struct buf *all, struct update_at *at,
    size_t *n, struct err *err)
{
	struct span base;
	struct buf text;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < u->names.n && *n < UPDATES_MAX; i++) {
		struct update_at *x = &at[*n];

		if (!foreign_update_name(span_str(u->names.name[i]), &base,
		    &x->age) || span_starts(span_str(u->names.name[i]),
		    ".tmp."))
			continue;
		rc = adopt_text(u->dir, u->names.name[i], &text, err);
		if (rc == 0 && buf_len(&text) <= UPDATE_MAX) {
			x->base = buf_len(all);
			x->base_n = base.n;
			buf_span_add(all, base);
			x->text = buf_len(all);
			x->text_n = buf_len(&text);
			buf_span_add(all, buf_span(&text));
			(*n)++;
		}
		buf_fini(&text);
	}
	if (rc == 0 && buf_failed(all))
		rc = err_set(err, ERR_PERM, PS_ETOOBIG,
		    "courierimapkeywords is too large");
	return rc;
}

static int
courier_keywords(struct adopt_plan *p, struct err *err)
{
	struct update_at *at = NULL;
	struct updates u;
	size_t list_n, n = 0, i;
	const char *mem;
	int rc;

	rc = updates_list(p, &u, err);
	if (rc == 0 && u.dir != -1) {
		buf_fini(&p->keywords_text);
		rc = adopt_text(u.dir, ":list", &p->keywords_text, err);
		list_n = buf_len(&p->keywords_text);
		at = xcalloc(u.names.n + 1, sizeof(*at));
		if (rc == 0)
			rc = updates_collect(&u, &p->keywords_text, at, &n,
			    err);
		mem = buf_data(&p->keywords_text);
		if (rc == 0)
			foreign_list_parse(span_of(mem, list_n),
			    &p->keywords);
		for (i = 0; rc == 0 && i < n; i++)
			foreign_update_parse(span_of(mem + at[i].text,
			    at[i].text_n), span_of(mem + at[i].base,
			    at[i].base_n), at[i].age, &p->keywords);
		foreign_keywords_sort(&p->keywords);
		free(at);
	}
	updates_fini(&u);
	return rc;
}

static int
keywords_of(struct adopt_plan *p, struct err *err)
{
	int rc;

	if (p->seen.from == ADOPT_COURIER)
		return courier_keywords(p, err);
	rc = adopt_text(p->dir, "dovecot-keywords", &p->keywords_text, err);
	if (rc == 0)
		foreign_letters_parse(buf_span(&p->keywords_text),
		    &p->keywords);
	return rc;
}

/* --- files --- */

/* Dovecot's zlib plugin leaves such: their size is not what the name says. */
static bool
is_packed(int fd)
{
	static const struct {
		const char *magic;
		size_t n;
	} kinds[] = {
		{ "\x1f\x8b\x08", 3 }, { "BZh", 3 }, { "\xfd" "7zXZ", 5 },
		{ "\x28\xb5\x2f\xfd", 4 }, { "Dovecot-LZ4", 11 },
		{ "\x04\x22\x4d\x18", 4 },
	};
	char front[16];
	ssize_t n = disk_pread(fd, front, sizeof(front), 0);
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (n >= (ssize_t)kinds[i].n &&
		    memcmp(front, kinds[i].magic, kinds[i].n) == 0)
			return true;
	return false;
}

enum { FILE_FINE, FILE_PACKED, FILE_ODD };

static int
file_look(struct adopt_plan *p, const struct scan_ent *e,
    struct adopt_file *f)
{
	char path[FNAME_MAX + 8];
	bool packed = false;
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%.*s",
	    e->in_new ? "new" : "cur", SPAN_ARG(e->name));
	if (fstatat(p->dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode))
		return FILE_ODD;
	f->ent = e;
	f->size = (uint64_t)st.st_size;
	if (e->f.has_size && e->f.has_vsize && e->f.size == f->size &&
	    e->f.vsize >= f->size)
		f->vsize = e->f.vsize;
	else if (!e->f.has_size || e->f.size != f->size) {
		fd = disk_openat(p->dir, path, O_RDONLY | O_NONBLOCK, 0);
		if (fd == -1)
			return FILE_ODD;
		packed = is_packed(fd);
		(void)disk_close(fd);
	}
	/* INTERNALDATE is the file's time there; in a name of ours the name's */
	f->date = e->f.has_uid && e->f.sec >= 0 ? e->f.sec :
	    MIN(MAX((int64_t)st.st_mtim.tv_sec, 0), DATE_MAX);
	return packed ? FILE_PACKED : FILE_FINE;
}

static void
file_flags(struct adopt_plan *p, struct adopt_file *f)
{
	uint32_t letters = f->ent->f.flags >> MSG_KEYWORD_SHIFT;

	f->flags = f->ent->f.flags & (MSG_KEYWORD(0) - 1);
	if (p->seen.from == ADOPT_COURIER)
		f->keywords = foreign_keywords_find(&p->keywords,
		    f->ent->f.base);
	else
		f->keywords = letters;
}

static int
file_cmp(const void *a, const void *b)
{
	const struct adopt_file *x = a, *y = b;
	struct span p = x->ent->name, q = y->ent->name;
	int c;

	/* without a UID: in the order of arrival, behind those that have one */
	if (x->uid != y->uid)
		return x->uid - 1 < y->uid - 1 ? -1 : 1;
	if (x->ent->f.sec != y->ent->f.sec)
		return x->ent->f.sec < y->ent->f.sec ? -1 : 1;
	c = memcmp(p.p, q.p, MIN(p.n, q.n));
	return c != 0 ? c : (p.n > q.n) - (p.n < q.n);
}

static void
files_look(struct adopt_plan *p)
{
	uint32_t last = 0;
	size_t i;

	p->file = xcalloc(p->scan.n + 1, sizeof(*p->file));
	for (i = 0; i < p->scan.n; i++) {
		struct adopt_file *f = &p->file[p->n];

		switch (file_look(p, &p->scan.ent[i], f)) {
		case FILE_PACKED:
			p->seen.packed++;
			continue;
		case FILE_ODD:
			p->seen.odd++;
			continue;
		}
		file_flags(p, f);
		f->uid = foreign_uids_find(&p->uids, f->ent->f.base);
		p->seen.bytes += f->size;
		p->n++;
	}
	p->seen.messages = p->n;
	if (p->n > 0)
		qsort(p->file, p->n, sizeof(*p->file), file_cmp);
	/* one message in new/ and cur/ at once: the second is another one */
	for (i = 0; i < p->n; i++) {
		if (p->file[i].uid != 0 && p->file[i].uid == last)
			p->file[i].uid = 0;
		else if (p->file[i].uid != 0)
			last = p->file[i].uid;
		p->seen.without_uid += p->file[i].uid == 0;
	}
}

static void
keywords_count(struct adopt_plan *p)
{
	unsigned i;

	p->seen.lost_keywords += p->keywords.bad;
	for (i = 0; i < p->keywords.n; i++)
		p->seen.keywords += p->keywords.name[i].n > 0;
	if (p->seen.keywords > MSG_KEYWORDS) {
		p->seen.lost_keywords += p->seen.keywords - MSG_KEYWORDS;
		p->seen.keywords = MSG_KEYWORDS;
	}
}

int
adopt_plan_make(struct adopt_plan *p, int source, const char *name,
    struct err *err)
{
	struct stat st;
	int rc;

	memset(p, 0, sizeof(*p));
	p->seen.name = name;
	p->dir = disk_openat(source, name[0] == '\0' ? "." : name,
	    O_RDONLY | O_DIRECTORY, 0);
	if (p->dir == -1)
		return err_errno(err, "open folder %s", name);
	if (fstatat(p->dir, "cur", &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstatat(p->dir, "new", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "no maildir: cur or new is missing");
	rc = uids_read(p, err);
	if (rc == 0)
		rc = keywords_of(p, err);
	if (rc == 0)
		rc = scan_dirs(p->dir, &p->scan, err);
	if (rc < 0)
		return rc;
	files_look(p);
	keywords_count(p);
	return uids_room(p, err);
}

void
adopt_plan_fini(struct adopt_plan *p)
{
	free(p->file);
	scan_fini(&p->scan);
	foreign_uids_fini(&p->uids);
	foreign_keywords_fini(&p->keywords);
	buf_fini(&p->uids_text);
	buf_fini(&p->keywords_text);
	if (p->dir != -1)
		(void)disk_close(p->dir);
	p->dir = -1;
}
