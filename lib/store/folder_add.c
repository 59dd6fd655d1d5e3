/*
 * New messages in a folder: APPEND, COPY, MOVE. All or none, one syncfs for
 * the batch before anyone is told (DESIGN §9).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/boot.h"
#include "store/folder.h"
#include "store/host.h"
#include "store/mfile.h"
#include "store/view.h"

#define APPENDED_KEY_LEN	21	/* 'A' and 20 letters and digits */
#define TEXTS_AT_ONCE		(1024u * 1024)

/* One message on its way in. */
struct coming {
	char base[FNAME_MAX + 1], path[FNAME_MAX + 8];
	struct index_rec r;
	bool placed;			/* the file has its final name */
};

struct batch {
	struct box *b;
	struct coming *c;
	struct index_rec *recs;
	size_t n, n_placed;
	struct buf entries;		/* for the cache */
	uint64_t *entry_at;
};

static void
batch_init(struct batch *x, struct box *b, size_t n)
{
	memset(x, 0, sizeof(*x));
	x->b = b;
	x->n = n;
	x->c = xcalloc(n, sizeof(*x->c));
	x->recs = xcalloc(n, sizeof(*x->recs));
	x->entry_at = xcalloc(n, sizeof(*x->entry_at));
	buf_init(&x->entries, BUF_NO_CAP);
}

static void
batch_fini(struct batch *x)
{
	free(x->c);
	free(x->recs);
	free(x->entry_at);
	buf_fini(&x->entries);
}

static void
batch_undo(struct batch *x)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		if (x->c[i].placed)
			(void)disk_unlinkat(x->b->dir, x->c[i].path, 0);
}

static void
key_random(char out[APPENDED_KEY_LEN + 1])
{
	static const char digits[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t r[APPENDED_KEY_LEN];
	int i;

	proc_random(r, sizeof(r));
	out[0] = 'A';
	for (i = 1; i < APPENDED_KEY_LEN; i++)
		out[i] = digits[r[i] % 62];
	out[APPENDED_KEY_LEN] = '\0';
}

/* The name under which the message will lie, from c->r (uid, sizes, flags);
 * `unique` is kept (MOVE) or made (p == NULL). */
static int
coming_name(struct box *b, struct coming *c, struct span unique,
    struct err *err)
{
	char key[APPENDED_KEY_LEN + 1];
	size_t n;

	if (unique.p != NULL && unique.n < FNAME_MAX) {
		memcpy(c->base, unique.p, unique.n);
		n = unique.n;
	} else {
		key_random(key);
		n = fname_unique_make(&(struct fname_parts){ .sec = c->r.date,
		    .key = span_str(key), .mailbox_id = b->mailbox_id,
		    .host = store_host() }, c->base);
	}
	c->r.key = fname_key_crc(span_of(c->base, n));
	n = fname_base_finish(c->base, n, c->r.size, c->r.vsize,
	    b->h.uidvalidity, c->r.uid);
	if (n == 0)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "file name is too long");
	c->base[n] = '\0';
	c->r.name_flags = c->r.flags;
	c->r.boot = store_boot_tag();
	if (c->r.vsize != c->r.size)
		c->r.state |= REC_LF;
	box_path(span_of(c->base, n), c->r.flags, false, c->path);
	return 0;
}

/* Records of all that was placed; files are there. */
static int
batch_record(struct batch *x, struct err *err)
{
	uint64_t start = 0;
	size_t i, n = 0;
	int rc = 0;

	if (x->n_placed == 0)
		return 0;
	rc = box_cache_append(x->b, buf_span(&x->entries), &start, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		if (!x->c[i].placed)
			continue;
		x->c[i].r.cache = start + x->entry_at[i];
		x->recs[n++] = x->c[i].r;
	}
	return rc == 0 ? box_recs_add(x->b, x->recs, n, err) : rc;
}

/* Could not be made durable: takes the messages out again. */
static void
batch_retract(struct batch *x)
{
	struct err err;

	log_error("mailbox %llu: sync of new messages failed; they are taken "
	    "out again", (unsigned long long)x->b->mailbox_id);
	if (box_lock(x->b, &err) < 0)
		return;
	batch_undo(x);
	/* The directory no longer has them: the records go, too. */
	if (box_reconcile(x->b, &err) < 0)
		log_error("%s", err.why);
	box_unlock(x->b);
}

static int
batch_sync(struct batch *x, struct err *err)
{
	if (x->n_placed == 0 || disk_syncfs(x->b->dir) == 0)
		return 0;
	(void)err_errno(err, "sync new messages");
	batch_retract(x);
	return PS_EIO;
}

/* --- APPEND --------------------------------------------------------------- */

static int
item_measure(const struct folder_new *it, struct index_rec *r,
    struct err *err)
{
	struct stat st;

	r->flags = it->flags;
	r->date = MAX(it->date, 0);
	if (it->tmp == NULL) {
		r->size = it->data.n;
		r->vsize = mfile_vsize_of(it->data);
		return 0;
	}
	if (fstat(it->tmp->fd, &st) == -1)
		return err_errno(err, "stat message");
	r->size = (uint64_t)st.st_size;
	return mfile_vsize(it->tmp->fd, &r->vsize, err);
}

/* The texts while the message is at hand; large ones are done when asked. */
static void
item_texts(const struct folder_new *it, const struct index_rec *r,
    struct texts *t)
{
	struct buf raw;
	char *p;

	buf_clear(&t->envelope);
	buf_clear(&t->bodystructure);
	t->header_bytes = 0;
	if (r->size > TEXTS_AT_ONCE)
		return;
	if (it->tmp == NULL) {
		texts_make(t, it->data);
		return;
	}
	buf_init(&raw, BUF_NO_CAP);
	p = buf_reserve(&raw, (size_t)r->size);
	if (p != NULL && disk_pread(it->tmp->fd, p, (size_t)r->size, 0) ==
	    (ssize_t)r->size) {
		buf_commit(&raw, (size_t)r->size);
		texts_make(t, buf_span(&raw));
	}
	buf_fini(&raw);
}

/* The file's bytes are in tmp/ of the account when this returns. */
static int
item_write(struct account *a, struct folder_new *it, struct store_tmp *own,
    struct err *err)
{
	int rc;

	if (it->tmp != NULL) {
		*own = *it->tmp;
		return 0;
	}
	rc = account_tmp_new(a, own, err);
	if (rc == 0 && it->data.n > 0 && disk_pwrite(own->fd, it->data.p,
	    it->data.n, 0) == -1) {
		rc = err_errno(err, "write message");
		account_tmp_drop(a, own);
	}
	return rc;
}

static int
items_place(struct account *a, struct batch *x, struct folder_new *items,
    struct store_tmp *tmps, struct err *err)
{
	struct box *b = x->b;
	uint32_t first;
	size_t i;
	int rc;

	rc = box_change_begin(b, (uint32_t)x->n, &first, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		struct coming *c = &x->c[i];
		c->r.uid = first + (uint32_t)i;
		rc = coming_name(b, c, SPAN_NONE, err);
		if (rc < 0)
			break;
		if (disk_renameat(account_dirfd(a), tmps[i].name, b->dir,
		    c->path, RENAME_NOREPLACE) == -1) {
			rc = err_errno(err, "put message in place");
			break;
		}
		c->placed = true;
		x->n_placed++;
		items[i].uid = c->r.uid;
	}
	return rc;
}

/* Cache entries need the final names, and so come after the placing. */
static void
items_entries(struct batch *x, const struct folder_new *items)
{
	struct texts t;
	size_t i;

	texts_init(&t);
	for (i = 0; i < x->n; i++) {
		item_texts(&items[i], &x->c[i].r, &t);
		x->entry_at[i] = buf_len(&x->entries);
		cache_entry_pack(&x->entries, &(struct cache_entry){
		    .uid = x->c[i].r.uid, .name = span_str(x->c[i].base),
		    .envelope = buf_span(&t.envelope),
		    .bodystructure = buf_span(&t.bodystructure),
		    .header_bytes = t.header_bytes });
	}
	texts_fini(&t);
}

static int
items_add(struct account *a, struct batch *x, struct folder_new *items,
    struct store_tmp *tmps, struct err *err)
{
	int rc = box_lock(x->b, err);

	if (rc < 0)
		return rc;
	rc = items_place(a, x, items, tmps, err);
	if (rc == 0) {
		items_entries(x, items);
		rc = batch_record(x, err);
	}
	if (rc == 0)
		rc = box_change_end(x->b, err);
	if (rc < 0)
		batch_undo(x);
	box_unlock(x->b);
	return rc;
}

static int
append_run(struct account *a, struct batch *x, struct folder_new *items,
    struct err *err)
{
	struct store_tmp *tmps = xcalloc(x->n, sizeof(*tmps));
	size_t i, made = 0;
	int rc = 0;

	for (i = 0; rc == 0 && i < x->n; i++) {
		rc = item_measure(&items[i], &x->c[i].r, err);
		if (rc == 0)
			rc = item_write(a, &items[i], &tmps[i], err);
		made += rc == 0;
	}
	if (rc == 0)
		rc = items_add(a, x, items, tmps, err);
	for (i = 0; i < made; i++) {
		if (x->c[i].placed) {
			(void)disk_close(tmps[i].fd);
			if (items[i].tmp != NULL)
				items[i].tmp->fd = -1;
		} else if (items[i].tmp == NULL) {
			account_tmp_drop(a, &tmps[i]);
		}
	}
	free(tmps);
	return rc == 0 ? batch_sync(x, err) : rc;
}

int
folder_append(struct account *a, const char *name, struct folder_new *items,
    size_t n, uint32_t *uidvalidity, struct err *err)
{
	struct batch x;
	struct box *b;
	int rc;

	if (!account_folder_exists(a, name))
		return err_set(err, ERR_PERM, PS_ENOTFOUND, "no such folder");
	b = box_open(account_dirfd(a), name, account_id(a), BOX_EXISTING,
	    err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	batch_init(&x, b, n);
	rc = append_run(a, &x, items, err);
	*uidvalidity = b->h.uidvalidity;
	batch_fini(&x);
	box_close(&b);
	return rc;
}

/* --- COPY and MOVE -------------------------------------------------------- */

void
folder_copied_fini(struct folder_copied *c)
{
	free(c->from);
	free(c->to);
	memset(c, 0, sizeof(*c));
}

/* Flags as the target folder writes them: keywords go by name. */
struct keyword_map {
	uint32_t bit[MSG_KEYWORDS];
};

static int
keywords_map(struct folder *f, struct box *to, uint32_t used,
    struct keyword_map *map, struct err *err)
{
	struct keywords k;
	unsigned i;
	int rc, at;

	memset(map, 0, sizeof(*map));
	if (used >> MSG_KEYWORD_SHIFT == 0)
		return 0;
	rc = keywords_read(to->dir, &k, err);
	for (i = 0; rc == 0 && i < MSG_KEYWORDS; i++) {
		const char *name = folder_keyword(f, i);
		if (!(used & MSG_KEYWORD(i)) || name == NULL)
			continue;
		at = keywords_find(&k, span_str(name));
		if (at < 0)
			at = keywords_add(to->dir, &k, span_str(name), err);
		if (at >= 0)
			map->bit[i] = MSG_KEYWORD(at);
		else if (at != PS_EFULL)
			rc = at;
	}
	return rc;
}

static uint32_t
flags_map(const struct keyword_map *map, uint32_t flags)
{
	uint32_t out = flags & (MSG_KEYWORD(0) - 1);
	unsigned i;

	for (i = 0; i < MSG_KEYWORDS; i++)
		if (flags & MSG_KEYWORD(i))
			out |= map->bit[i];
	return out;
}

/* What a message of the view becomes over there. */
static void
copy_entry(struct folder *f, struct batch *x, size_t i,
    const struct view_msg *m)
{
	struct cache_entry e = { 0 };

	if (m->r.cache == 0 || !box_cache_open(f->box) ||
	    !cache_read(f->box->cache, &f->window, m->r.cache, m->r.uid,
	    64 * 1024, &e))
		memset(&e, 0, sizeof(e));
	e.uid = x->c[i].r.uid;
	e.name = span_str(x->c[i].base);
	x->entry_at[i] = buf_len(&x->entries);
	cache_entry_pack(&x->entries, &e);
}

static int
copy_link(struct folder *f, struct box *to, struct view_msg *m,
    struct coming *c, bool move, struct err *err)
{
	char base[FNAME_MAX + 1] = "", path[FNAME_MAX + 8];
	struct fname name;
	int fd, rc;

	if (!box_base(f->box, &f->window, &m->r, base) ||
	    !fname_parse(span_str(base), &name))
		return PS_ENOTFOUND;
	rc = coming_name(to, c, move ? name.unique : SPAN_NONE, err);
	if (rc < 0)
		return rc;
	box_path(span_str(base), m->r.name_flags,
	    (m->r.state & REC_IN_NEW) != 0, path);
	if (disk_linkat(f->box->dir, path, to->dir, c->path, 0) == 0)
		return 0;
	if (errno != ENOENT)
		return err_errno(err, "copy message");
	rc = view_file_open(f, m, base, path, &fd, err);
	if (rc < 0)
		return rc;
	(void)disk_close(fd);
	if (disk_linkat(f->box->dir, path, to->dir, c->path, 0) == -1)
		return err_errno(err, "copy message");
	return 0;
}

static int
copy_one(struct folder *f, struct batch *x, size_t i, struct view_msg *m,
    const struct keyword_map *map, bool move, struct err *err)
{
	struct coming *c = &x->c[i];
	uint32_t uid = c->r.uid;
	int rc;

	c->r = (struct index_rec){ .uid = uid,
	    .flags = flags_map(map, m->r.flags), .size = m->r.size,
	    .vsize = m->r.vsize, .date = m->r.date };
	rc = copy_link(f, x->b, m, c, move, err);
	if (rc == PS_ENOTFOUND)
		return 0;		/* expunged by another: passed over */
	if (rc < 0)
		return rc;
	c->placed = true;
	x->n_placed++;
	copy_entry(f, x, i, m);
	return 0;
}

static int
copy_place(struct folder *f, struct batch *x, const uint32_t *seqs,
    bool move, struct err *err)
{
	struct keyword_map map;
	uint32_t first, used = 0;
	struct view_msg *m;
	size_t i;
	int rc;

	for (i = 0; i < x->n; i++)
		if ((m = view_live(f, seqs[i])) != NULL)
			used |= m->r.flags;
	rc = keywords_map(f, x->b, used, &map, err);
	if (rc == 0)
		rc = box_change_begin(x->b, (uint32_t)x->n, &first, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		m = view_live(f, seqs[i]);
		if (m == NULL)
			continue;
		x->c[i].r.uid = first + (uint32_t)i;
		rc = copy_one(f, x, i, m, &map, move, err);
	}
	if (rc == 0)
		rc = batch_record(x, err);
	if (rc == 0)
		rc = box_change_end(x->b, err);
	if (rc < 0)
		batch_undo(x);
	return rc;
}

static void
copied_fill(struct folder *f, const struct batch *x, const uint32_t *seqs,
    struct folder_copied *out)
{
	size_t i;

	out->uidvalidity = x->b->h.uidvalidity;
	out->from = xcalloc(x->n + 1, sizeof(*out->from));
	out->to = xcalloc(x->n + 1, sizeof(*out->to));
	for (i = 0; i < x->n; i++) {
		if (!x->c[i].placed)
			continue;
		out->from[out->n] = folder_uid(f, seqs[i]);
		out->to[out->n++] = x->c[i].r.uid;
	}
}

/* Only what has its copy goes. */
static int
moved_expunge(struct folder *f, const struct batch *x, const uint32_t *seqs,
    struct err *err)
{
	uint32_t *list = xcalloc(x->n + 1, sizeof(*list));
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < x->n; i++)
		if (x->c[i].placed)
			list[n++] = seqs[i];
	if (n > 0)
		rc = folder_expunge(f, list, n, err);
	free(list);
	return rc;
}

int
folder_copy(struct folder *f, const uint32_t *seqs, size_t n, const char *to,
    bool move, struct folder_copied *out, struct err *err)
{
	struct batch x;
	struct box *b;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!account_folder_exists(f->account, to))
		return err_set(err, ERR_PERM, PS_ENOTFOUND, "no such folder");
	rc = folder_refresh(f, err);
	if (rc < 0)
		return rc;
	b = box_open(account_dirfd(f->account), to, account_id(f->account),
	    BOX_EXISTING, err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	batch_init(&x, b, n);
	rc = box_lock(b, err);
	if (rc == 0) {
		rc = copy_place(f, &x, seqs, move, err);
		box_unlock(b);
	}
	if (rc == 0)
		rc = batch_sync(&x, err);
	if (rc == 0)
		copied_fill(f, &x, seqs, out);
	if (rc == 0 && move)
		rc = moved_expunge(f, &x, seqs, err);
	batch_fini(&x);
	box_close(&b);
	return rc;
}
