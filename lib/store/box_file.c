/*
 * The part of box.h about files beside the index: cache and message names.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/proc.h"
#include "store/box.h"

#define RENEW_BATCH	(256u * 1024)

bool
box_cache_open(struct box *b)
{
	char head[CACHE_HEADER];
	ssize_t n;

	if (b->cache != -1 && b->cache_open_id == b->h.cache_id)
		return true;
	if (b->cache != -1)
		(void)disk_close(b->cache);
	b->cache = b->h.cache_id == 0 ? -1 :
	    disk_openat(b->dir, STORE_CACHE, O_RDWR, 0);
	if (b->cache == -1)
		return false;
	n = disk_pread(b->cache, head, sizeof(head), 0);
	if (n == (ssize_t)sizeof(head) &&
	    cache_header_ok(span_of(head, sizeof(head)), b->h.cache_id)) {
		b->cache_open_id = b->h.cache_id;
		return true;
	}
	(void)disk_close(b->cache);
	b->cache = -1;
	return false;
}

/* A new, empty cache takes the place of a missing or damaged one. */
static int
cache_make(struct box *b, struct err *err)
{
	char head[CACHE_HEADER];
	uint64_t id;
	int fd;

	proc_random(&id, sizeof(id));
	id |= 1;
	fd = disk_openat(b->dir, STORE_CACHE ".new",
	    O_RDWR | O_CREAT | O_TRUNC, STORE_FILE_MODE);
	if (fd == -1)
		return err_errno(err, "make %s", STORE_CACHE);
	cache_header_make(id, head);
	if (disk_pwrite(fd, head, sizeof(head), 0) == -1 ||
	    disk_renameat(b->dir, STORE_CACHE ".new", b->dir, STORE_CACHE,
	    0) == -1) {
		(void)err_errno(err, "write %s", STORE_CACHE);
		(void)disk_close(fd);
		return err == NULL ? PS_EIO : err->code;
	}
	b->cache = fd;
	b->cache_open_id = b->h.cache_id = id;
	b->h.cache_end = CACHE_HEADER;
	return 0;
}

int
box_cache_append(struct box *b, struct span entries, uint64_t *off,
    struct err *err)
{
	int rc;

	if (!box_cache_open(b)) {
		rc = cache_make(b, err);
		if (rc < 0)
			return rc;
	}
	*off = b->h.cache_end;
	if (entries.n > 0 &&
	    disk_pwrite(b->cache, entries.p, entries.n, (off_t)*off) == -1)
		return err_errno(err, "write %s", STORE_CACHE);
	b->h.cache_end += entries.n;
	return 0;
}

static int
entries_flush(struct box *b, struct buf *out, struct index_rec *recs,
    size_t n, struct err *err)
{
	uint64_t start = 0;
	size_t i;
	int rc;

	if (buf_len(out) == 0)
		return 0;
	rc = box_cache_append(b, buf_span(out), &start, err);
	for (i = 0; i < n; i++)
		if (recs[i].cache != 0)
			recs[i].cache += start - 1;
	buf_clear(out);
	return rc;
}

int
box_cache_renew(struct box *b, struct index_rec *recs, size_t n,
    struct err *err)
{
	struct cache_window w = { 0 };
	struct cache_entry e;
	struct buf out;
	size_t i, from = 0;
	uint64_t at;
	int old, rc = 0;

	old = box_cache_open(b) ? b->cache : -1;
	b->cache = -1;
	b->h.cache_id = 0;
	buf_init(&out, BUF_NO_CAP);
	for (i = 0; rc == 0 && i < n; i++) {
		/* offsets in `out`, from 1: 0 says that there is none */
		at = buf_len(&out) + 1;
		if (recs[i].cache != 0 && cache_read(old, &w, recs[i].cache,
		    recs[i].uid, RENEW_BATCH, &e)) {
			cache_entry_pack(&out, &e);
			recs[i].cache = at;
		} else {
			recs[i].cache = 0;
		}
		if (buf_len(&out) < RENEW_BATCH && i + 1 < n)
			continue;
		rc = entries_flush(b, &out, recs + from, i + 1 - from, err);
		from = i + 1;
	}
	buf_fini(&out);
	cache_window_fini(&w);
	if (old != -1)
		(void)disk_close(old);
	return rc;
}

/* --- names --- */

void
box_path(struct span base, uint32_t flags, bool in_new,
    char out[FNAME_MAX + 8])
{
	char letters[FNAME_FLAGS_MAX];

	if (in_new)
		(void)snprintf(out, FNAME_MAX + 8, "new/%.*s", SPAN_ARG(base));
	else
		(void)snprintf(out, FNAME_MAX + 8, "cur/%.*s:2,%s",
		    SPAN_ARG(base), fname_flags(flags, letters));
}

static bool
dir_find(struct box *b, const char *sub, uint32_t uid, uint32_t key,
    char path[FNAME_MAX + 8])
{
	struct dirent *de;
	struct fname f;
	bool found = false;
	DIR *d;
	int fd;

	fd = disk_openat(b->dir, sub, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return false;
	d = fdopendir(fd);
	if (d == NULL) {
		(void)disk_close(fd);
		return false;
	}
	while (!found && (de = readdir(d)) != NULL) {
		if (!fname_parse(span_str(de->d_name), &f))
			continue;
		if (fname_key_crc(f.unique) != key)
			continue;
		found = !f.has_uid || (f.uid == uid &&
		    f.uidvalidity == b->h.uidvalidity);
		if (found)
			(void)snprintf(path, FNAME_MAX + 8, "%s/%.255s", sub,
			    de->d_name);
	}
	(void)closedir(d);
	return found;
}

bool
box_find_uid(struct box *b, uint32_t uid, uint32_t key,
    char path[FNAME_MAX + 8])
{
	return dir_find(b, "cur", uid, key, path) ||
	    dir_find(b, "new", uid, key, path);
}

bool
box_base(struct box *b, struct cache_window *w, const struct index_rec *r,
    char out[FNAME_MAX + 1])
{
	char path[FNAME_MAX + 8];
	struct cache_entry e;
	struct fname f;

	if (r->cache != 0 && box_cache_open(b) &&
	    cache_read(b->cache, w, r->cache, r->uid, 512, &e)) {
		memcpy(out, e.name.p, e.name.n);
		out[e.name.n] = '\0';
		return true;
	}
	if (!box_find_uid(b, r->uid, r->key, path) ||
	    !fname_parse(span_str(path + 4), &f))
		return false;
	memcpy(out, f.base.p, f.base.n);
	out[f.base.n] = '\0';
	return true;
}
