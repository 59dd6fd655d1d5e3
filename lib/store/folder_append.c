/*
 * APPEND: all or none, one syncfs before anyone is told (DESIGN §9).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/batch.h"
#include "store/folder.h"
#include "store/mfile.h"
#include "store/texts.h"

#define TEXTS_AT_ONCE		(1024u * 1024)

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

	texts_clear(t);
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
	if (rc < 0)
		return rc;
	if (it->data.n > 0 && disk_pwrite(own->fd, it->data.p, it->data.n,
	    0) == -1) {
		rc = err_errno(err, "write message");
		account_tmp_drop(a, own);
		return rc;
	}
	/* while the index is written */
	disk_sync_soon(own->fd);
	return 0;
}

static int
items_place(struct account *a, struct batch *x, struct folder_new *items,
    struct store_tmp *tmps, struct err *err)
{
	struct box *b = x->b;
	uint32_t first;
	size_t i;
	int rc;

	rc = box_copies_begin(b, (uint32_t)x->n, &first, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		struct coming *c = &x->c[i];
		c->r.uid = first + (uint32_t)i;
		rc = batch_name(b, c, SPAN_NONE, err);
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
		batch_entry(x, i, &(struct cache_entry){
		    .envelope = buf_span(&t.envelope),
		    .bodystructure = buf_span(&t.bodystructure),
		    .references = texts_references(&t),
		    .fields = texts_fields(&t),
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
