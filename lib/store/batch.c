#include "store/batch.h"

#include <stdlib.h>

#include "base/disk.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/boot.h"
#include "store/folder.h"
#include "store/host.h"

#define APPENDED_KEY_LEN	21	/* 'A' and 20 letters and digits */

void
batch_init(struct batch *x, struct box *b, size_t n)
{
	memset(x, 0, sizeof(*x));
	x->b = b;
	x->n = n;
	x->c = xcalloc(n, sizeof(*x->c));
	x->entry_at = xcalloc(n, sizeof(*x->entry_at));
	buf_init(&x->entries, BUF_NO_CAP);
}

void
batch_fini(struct batch *x)
{
	free(x->c);
	free(x->entry_at);
	buf_fini(&x->entries);
}

void
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

int
batch_name(struct box *b, struct coming *c, struct span unique,
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

void
batch_entry(struct batch *x, size_t i, struct cache_entry *e)
{
	e->uid = x->c[i].r.uid;
	e->name = span_str(x->c[i].base);
	x->entry_at[i] = buf_len(&x->entries);
	cache_entry_pack(&x->entries, e);
}

int
batch_record(struct batch *x, struct err *err)
{
	struct index_rec *recs;
	uint64_t start = 0;
	size_t i, n = 0;
	int rc;

	if (x->n_placed == 0)
		return 0;
	recs = xcalloc(x->n_placed, sizeof(*recs));
	rc = box_cache_append(x->b, buf_span(&x->entries), &start, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		if (!x->c[i].placed)
			continue;
		x->c[i].r.cache = start + x->entry_at[i];
		recs[n++] = x->c[i].r;
	}
	if (rc == 0)
		rc = box_recs_add(x->b, recs, n, err);
	free(recs);
	return rc;
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

int
batch_sync(struct batch *x, struct err *err)
{
	if (x->n_placed == 0 || disk_syncfs(x->b->dir) == 0)
		return 0;
	(void)err_errno(err, "sync new messages");
	batch_retract(x);
	return PS_EIO;
}
