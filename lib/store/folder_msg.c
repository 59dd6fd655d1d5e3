/*
 * The contents of messages: files, and the texts kept in the cache.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/folder.h"
#include "store/mfile.h"
#include "store/view.h"

#define READ_AHEAD	(256u * 1024)
#define FILL_MESSAGES	64		/* texts made under one lock */
#define FILL_BYTES	(4u * 1024 * 1024)
#define MESSAGE_MAX	(UINT64_C(1) << 32)

/* --- files --- */

/* Opens by the name the record gives; false and ENOENT: not there. */
static bool
open_named(struct folder *f, const struct index_rec *r, const char *base,
    char path[FNAME_MAX + 8], int *fd)
{
	box_path(span_str(base), r->name_flags, (r->state & REC_IN_NEW) != 0,
	    path);
	*fd = disk_openat(f->box->dir, path, O_RDONLY, 0);
	return *fd != -1;
}

int
view_file_open(struct folder *f, struct view_msg *m,
    char base[FNAME_MAX + 1], char path[FNAME_MAX + 8], int *fd,
    struct err *err)
{
	struct index_group g;
	struct fname n;
	uint32_t i = m->slot % INDEX_PER_GROUP;

	*fd = -1;
	if (box_base(f->box, &f->window, &m->r, base) &&
	    open_named(f, &m->r, base, path, fd))
		return 0;
	/* Another session's flags may have renamed it since. */
	if (index_group_read(f->box->index, m->slot / INDEX_PER_GROUP,
	    f->box->h.generation, &g, NULL) == 0 && i < g.count &&
	    g.rec[i].uid == m->r.uid && base[0] != '\0' &&
	    open_named(f, &g.rec[i], base, path, fd))
		return 0;
	if (!box_find_uid(f->box, m->r.uid, m->r.key, path)) {
		f->box->look = true;	/* the next refresh tells */
		return err_set(err, ERR_TEMP, PS_ENOTFOUND,
		    "file of UID %u is gone", m->r.uid);
	}
	*fd = disk_openat(f->box->dir, path, O_RDONLY, 0);
	if (*fd == -1)
		return err_errno(err, "open %s", path);
	if (fname_parse(span_str(path + 4), &n)) {
		memcpy(base, n.base.p, n.base.n);
		base[n.base.n] = '\0';
	}
	return 0;
}

int
folder_msg_open(struct folder *f, uint32_t seq, int *fd, struct err *err)
{
	char base[FNAME_MAX + 1] = "", path[FNAME_MAX + 8];

	*fd = -1;
	if (seq == 0 || seq > f->n)
		return err_set(err, ERR_BUG, PS_ENOTFOUND, "no message %u",
		    seq);
	/* An expunged file may still be there, and then may be read. */
	return view_file_open(f, &f->msg[seq - 1], base, path, fd, err);
}

bool
folder_msg_is_crlf(const struct folder *f, uint32_t seq)
{
	return seq > 0 && seq <= f->n &&
	    !(f->msg[seq - 1].r.state & REC_LF);
}

/* Bare LF becomes CRLF. */
static void
crlf_append(struct buf *out, struct span s)
{
	const char *p = s.p, *end = s.p + s.n, *lf;

	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		buf_append(out, p, (size_t)(lf - p));
		buf_str(out, lf > s.p && lf[-1] == '\r' ? "\n" : "\r\n");
		p = lf + 1;
	}
	buf_append(out, p, (size_t)(end - p));
}

static int
fd_load(int fd, struct buf *out, struct err *err)
{
	struct stat st;
	ssize_t n = 0;
	char *p;

	if (fstat(fd, &st) == -1)
		return err_errno(err, "stat message");
	if (st.st_size == 0)
		return 0;
	p = (uint64_t)st.st_size > MESSAGE_MAX ? NULL :
	    buf_reserve(out, (size_t)st.st_size);
	if (p == NULL)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "message is too large to load");
	n = disk_pread(fd, p, (size_t)st.st_size, 0);
	if (n == -1)
		return err_errno(err, "read message");
	buf_commit(out, (size_t)n);
	return 0;
}

int
folder_msg_load(struct folder *f, uint32_t seq, struct buf *out,
    struct err *err)
{
	struct buf raw;
	int fd, rc;

	rc = folder_msg_open(f, seq, &fd, err);
	if (rc < 0)
		return rc;
	if (folder_msg_is_crlf(f, seq)) {
		rc = fd_load(fd, out, err);
	} else {
		buf_init(&raw, BUF_NO_CAP);
		rc = fd_load(fd, &raw, err);
		if (rc == 0)
			crlf_append(out, buf_span(&raw));
		buf_fini(&raw);
		if (rc == 0 && buf_failed(out))
			rc = err_set(err, ERR_PERM, PS_ETOOBIG,
			    "message is too large to load");
	}
	(void)disk_close(fd);
	return rc;
}

/* --- texts --- */

static bool
texts_cached(struct folder *f, const struct view_msg *m,
    struct cache_entry *e)
{
	return m->r.cache != 0 && box_cache_open(f->box) &&
	    cache_read(f->box->cache, &f->window, m->r.cache, m->r.uid,
	    READ_AHEAD, e) && e->envelope.n > 0;
}

struct fill {
	uint32_t seq[FILL_MESSAGES];
	uint64_t off[FILL_MESSAGES];
	size_t n, at;
	struct buf entries, raw;
};

/* Makes the texts of one message into x->entries. */
static int
fill_one(struct folder *f, uint32_t seq, struct fill *x, struct err *err)
{
	struct view_msg *m = &f->msg[seq - 1];
	char base[FNAME_MAX + 1] = "", path[FNAME_MAX + 8];
	int fd, rc;

	rc = view_file_open(f, m, base, path, &fd, err);
	if (rc < 0)
		return rc;
	buf_clear(&x->raw);
	rc = fd_load(fd, &x->raw, err);
	(void)disk_close(fd);
	if (rc < 0)
		return rc;
	texts_make(&f->texts, buf_span(&x->raw));
	x->seq[x->n] = seq;
	x->off[x->n++] = buf_len(&x->entries);
	cache_entry_pack(&x->entries, &(struct cache_entry){
	    .uid = m->r.uid, .name = span_str(base),
	    .envelope = buf_span(&f->texts.envelope),
	    .bodystructure = buf_span(&f->texts.bodystructure),
	    .references = texts_references(&f->texts),
	    .fields = texts_fields(&f->texts),
	    .header_bytes = f->texts.header_bytes });
	return 0;
}

/* A message that power cuts damaged is not remembered as it looks now. */
static bool
worth_filling(struct folder *f, const struct view_msg *m)
{
	struct cache_entry e;

	return !m->gone && m->r.size <= FILL_BYTES && !texts_cached(f, m, &e);
}

static bool
cache_set(struct folder *f, struct view_msg *m, struct index_rec *r,
    void *arg)
{
	struct fill *x = arg;

	while (x->at < x->n && &f->msg[x->seq[x->at] - 1] != m)
		x->at++;
	if (x->at == x->n)
		return false;
	r->cache = x->off[x->at];
	return true;
}

static int
fill_store(struct folder *f, struct fill *x, struct err *err)
{
	uint64_t start;
	size_t i;
	int rc;

	rc = view_lock(f, err);
	if (rc < 0)
		return rc;
	rc = box_change_begin(f->box, 0, NULL, err);
	if (rc == 0)
		rc = box_cache_append(f->box, buf_span(&x->entries), &start,
		    err);
	for (i = 0; rc == 0 && i < x->n; i++)
		x->off[i] += start;
	if (rc == 0)
		rc = view_change(f, x->seq, x->n, cache_set, x, true, err);
	if (rc == 0)
		rc = box_change_end(f->box, err);
	view_taken(f, rc == 0);
	box_unlock(f->box);
	return rc;
}

/* Makes the texts of seq and of those behind it that lack them. */
static int
fill(struct folder *f, uint32_t seq, struct err *err)
{
	struct fill x = { .n = 0 };
	uint64_t bytes = 0;
	uint32_t s;
	int rc;

	if (!f->texts_ready) {
		texts_init(&f->texts);
		f->texts_ready = true;
	}
	buf_init(&x.entries, BUF_NO_CAP);
	buf_init(&x.raw, BUF_NO_CAP);
	rc = fill_one(f, seq, &x, err);
	for (s = seq + 1; rc == 0 && s <= f->n && x.n < FILL_MESSAGES &&
	    s < seq + 2 * FILL_MESSAGES && bytes < FILL_BYTES; s++) {
		if (!worth_filling(f, &f->msg[s - 1]))
			continue;
		bytes += f->msg[s - 1].r.size;
		if (fill_one(f, s, &x, NULL) < 0)
			break;
	}
	if (rc == 0)
		rc = fill_store(f, &x, err);
	buf_fini(&x.entries);
	buf_fini(&x.raw);
	return rc;
}

/* Without the cache: a full disk must not keep anyone from reading. */
static int
texts_direct(struct folder *f, uint32_t seq, struct msg_texts *t,
    struct err *err)
{
	struct buf raw;
	int rc;

	buf_init(&raw, BUF_NO_CAP);
	rc = folder_msg_load(f, seq, &raw, err);
	if (rc == 0) {
		texts_make(&f->texts, buf_span(&raw));
		t->envelope = buf_span(&f->texts.envelope);
		t->bodystructure = buf_span(&f->texts.bodystructure);
		t->references = texts_references(&f->texts);
		t->fields = texts_fields(&f->texts);
		t->header_bytes = f->texts.header_bytes;
	}
	buf_fini(&raw);
	return rc;
}

int
folder_msg_texts(struct folder *f, uint32_t seq, struct msg_texts *t,
    struct err *err)
{
	struct cache_entry e;
	struct view_msg *m;

	memset(t, 0, sizeof(*t));
	if (seq == 0 || seq > f->n)
		return err_set(err, ERR_BUG, PS_ENOTFOUND, "no message %u",
		    seq);
	m = &f->msg[seq - 1];
	if (!texts_cached(f, m, &e)) {
		if (m->gone || fill(f, seq, NULL) < 0)
			memset(&e, 0, sizeof(e));
		else if (!texts_cached(f, &f->msg[seq - 1], &e))
			memset(&e, 0, sizeof(e));
		if (e.envelope.n == 0) {
			if (!f->texts_ready)
				texts_init(&f->texts);
			f->texts_ready = true;
			return texts_direct(f, seq, t, err);
		}
	}
	t->envelope = e.envelope;
	t->bodystructure = e.bodystructure;
	t->references = e.references;
	t->fields = e.fields;
	t->header_bytes = e.header_bytes;
	return 0;
}
