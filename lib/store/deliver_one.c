#include "store/deliver_one.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "mail/field_names.h"
#include "store/account.h"
#include "store/boot.h"
#include "store/box.h"
#include "store/find.h"
#include "store/host.h"
#include "store/mfile.h"

struct delivery_target {
	uint64_t mailbox_id;
	int account;
	struct box *inbox;
	struct buf scratch, fields;
};

struct delivery_target *
delivery_open(int store_dir, uint64_t mailbox_id, struct err *err)
{
	struct delivery_target *t = xcalloc(1, sizeof(*t));

	t->mailbox_id = mailbox_id;
	t->account = -1;
	buf_init(&t->scratch, 4 * CACHE_TEXT_MAX);
	buf_init(&t->fields, FIELD_NAMES_BYTES);
	if (account_home_open(store_dir, mailbox_id, true, &t->account,
	    err) == 0)
		t->inbox = box_open(t->account, "", mailbox_id, BOX_CREATE,
		    err);
	if (t->inbox == NULL)
		delivery_close(&t);
	return t;
}

void
delivery_close(struct delivery_target **tp)
{
	struct delivery_target *t = *tp;

	if (t == NULL)
		return;
	box_close(&t->inbox);
	if (t->account != -1)
		(void)disk_close(t->account);
	buf_fini(&t->scratch);
	buf_fini(&t->fields);
	free(t);
	*tp = NULL;
}

int
delivery_dirfd(const struct delivery_target *t)
{
	return t->account;
}

/* --- the file --- */

static uint64_t
delivery_size(const struct delivery *d)
{
	return d->head.n + (d->body->mem.p != NULL ? d->body->mem.n :
	    d->body->len);
}

static struct mfile_source
delivery_source(const struct delivery *d)
{
	return (struct mfile_source){ .head = d->head, .mem = d->body->mem,
	    .fd = d->body->fd, .off = d->body->off, .len = d->body->len };
}

static void
tmp_name(const struct delivery_target *t, const struct delivery *d,
    char out[FNAME_MAX + 8])
{
	(void)snprintf(out, FNAME_MAX + 8, "tmp/%.*sM%llu",
	    (int)MIN(d->queue_id.n, FNAME_KEY_MAX), d->queue_id.p,
	    (unsigned long long)t->mailbox_id);
}

/* --- new copies --- */

struct placing {
	char tmp[FNAME_MAX + 8], base[FNAME_MAX + 1], path[FNAME_MAX + 8];
	size_t base_len;
	struct index_rec rec;
};

static int
name_make(struct delivery_target *t, const struct delivery *d,
    struct span key, uint32_t uid, struct placing *p, struct err *err)
{
	uint64_t size = delivery_size(d);
	size_t n = fname_unique_make(&(struct fname_parts){
	    .sec = d->arrival, .key = key, .mailbox_id = t->mailbox_id,
	    .host = store_host() }, p->base);

	p->rec = (struct index_rec){ .uid = uid, .size = size,
	    .vsize = size, .date = MAX(d->arrival, 0),
	    .key = fname_key_crc(span_of(p->base, n)),
	    .boot = store_boot_tag(), .state = REC_IN_NEW };
	p->base_len = fname_base_finish(p->base, n, size, size,
	    t->inbox->h.uidvalidity, uid);
	if (p->base_len == 0)
		return err_set(err, ERR_BUG, PS_ETOOBIG,
		    "no file name for this key");
	box_path(span_of(p->base, p->base_len), 0, true, p->path);
	return 0;
}

/* The names of all fields: our head's, then the message's own. */
static struct span
fields_make(struct delivery_target *t, const struct delivery *d)
{
	if (d->body->fields.p == NULL)
		return SPAN_NONE;
	buf_clear(&t->fields);
	field_names_put(&t->fields, d->head);
	buf_span_add(&t->fields, d->body->fields);
	return buf_failed(&t->fields) ? SPAN_NONE : buf_span(&t->fields);
}

static int
cache_add(struct delivery_target *t, const struct delivery *d,
    struct placing *p, struct err *err)
{
	const struct cache_entry e = {
		.uid = p->rec.uid,
		.name = span_of(p->base, p->base_len),
		.envelope = d->body->envelope,
		.bodystructure = d->body->bodystructure,
		.references = d->body->references,
		.fields = fields_make(t, d),
		.header_bytes = d->body->header_bytes == 0 ? 0 :
		    d->body->header_bytes + (uint32_t)d->head.n,
	};

	buf_clear(&t->scratch);
	cache_entry_pack(&t->scratch, &e);
	return box_cache_append(t->inbox, buf_span(&t->scratch),
	    &p->rec.cache, err);
}

/* Under the lock, the file is whole in tmp/. */
static int
place(struct delivery_target *t, const struct delivery *d, struct span key,
    struct placing *p, struct err *err)
{
	struct box *b = t->inbox;
	uint32_t uid;
	int rc;

	rc = box_change_begin(b, 1, &uid, err);
	if (rc == 0)
		rc = name_make(t, d, key, uid, p, err);
	if (rc < 0)
		return rc;
	if (disk_renameat(b->dir, p->tmp, b->dir, p->path,
	    RENAME_NOREPLACE) == -1)
		return err_errno(err, "rename into new/");
	rc = cache_add(t, d, p, err);
	if (rc == 0)
		rc = box_recs_add(b, &p->rec, 1, err);
	/* When this fails the index is DIRTY, and the next locker takes the
	 * file over by its name: the next try finds it by its key. Removing
	 * it would look as if a reader had expunged it. */
	return rc == 0 ? box_change_end(b, err) : rc;
}

static int
dir_sync(int folder_dir, const char *sub, struct err *err)
{
	int fd = disk_openat(folder_dir, sub, O_RDONLY | O_DIRECTORY, 0);
	int rc = 0;

	if (fd == -1)
		return err_errno(err, "open %s", sub);
	if (disk_fsync(fd) == -1)
		rc = err_errno(err, "sync %s", sub);
	(void)disk_close(fd);
	return rc;
}

/* Failing to tidy up is no failure of the delivery. */
static void
tidy(struct box *b)
{
	struct err why;

	if (box_compact(b, &why) < 0)
		log_warning("mailbox %llu: %s",
		    (unsigned long long)b->mailbox_id, why.why);
}

static int
deliver_new(struct delivery_target *t, const struct delivery *d,
    struct span key, bool sync_file, uint32_t *uid, struct err *err)
{
	struct mfile_source src = delivery_source(d);
	struct box *b = t->inbox;
	struct placing p;
	int rc;

	tmp_name(t, d, p.tmp);
	rc = mfile_write(b->dir, p.tmp, &src, sync_file, err);
	if (rc < 0)
		return rc;
	rc = box_lock(b, err);
	if (rc == 0) {
		rc = place(t, d, key, &p, err);
		if (rc == 0 && box_wants_compaction(b))
			tidy(b);
		box_unlock(b);
	}
	if (rc < 0) {
		(void)disk_unlinkat(b->dir, p.tmp, 0);
		return rc;
	}
	*uid = p.rec.uid;
	/* Too late to take it back: a reader may have seen it. The next try
	 * finds it by its key. */
	return sync_file ? dir_sync(b->dir, "new", err) : 0;
}

/* --- copies that may be there (J7) --- */

/* Puts the whole message in the place of the damaged file: same name. */
static int
repair(struct delivery_target *t, const struct delivery *d,
    struct found *f, bool sync_file, struct err *err)
{
	struct mfile_source src = delivery_source(d);
	char tmp[FNAME_MAX + 8];
	int rc;

	tmp_name(t, d, tmp);
	rc = mfile_write(f->box->dir, tmp, &src, sync_file, err);
	if (rc < 0)
		return rc;
	if (disk_renameat(f->box->dir, tmp, f->box->dir, f->path, 0) == -1) {
		rc = err_errno(err, "repair message");
		(void)disk_unlinkat(f->box->dir, tmp, 0);
		return rc;
	}
	rc = found_made_whole(f, err);
	if (rc == 0 && sync_file)
		rc = dir_sync(f->box->dir, f->path[0] == 'n' ? "new" : "cur",
		    err);
	return rc;
}

static int
judge(struct delivery_target *t, const struct delivery *d, struct found *f,
    bool sync_file, enum delivered *how, struct err *err)
{
	struct mfile_source src = delivery_source(d);
	bool same;
	int rc;

	if (f->gone) {
		*how = DELIVERED_BEFORE;
		return 0;
	}
	rc = mfile_same(f->box->dir, f->path, &src, &same, err);
	if (rc < 0)
		return rc;
	if (same && !d->rewrite) {
		*how = DELIVERED_BEFORE;
		/* Whole in memory may still be torn on disk: the checkpoint
		 * that covers this answer syncs it. */
		return 0;
	}
	if (d->any_copy && f->rec.boot == store_boot_tag()) {
		*how = DELIVERED_BEFORE;
		return 0;
	}
	if (!same && f->rec.boot == store_boot_tag()) {
		log_error("%.*s: ALARM: mailbox %llu has another message "
		    "under this id (%s); stored beside it",
		    SPAN_ARG(d->queue_id), (unsigned long long)t->mailbox_id,
		    f->path);
		*how = DELIVERED_SECOND;
		return 0;
	}
	*how = DELIVERED_REPAIRED;
	return repair(t, d, f, sync_file, err);
}

static int
deliver_again(struct delivery_target *t, const struct delivery *d,
    bool sync_file, enum delivered *how, uint32_t *uid, struct err *err)
{
	struct found f;
	int rc;

	*how = DELIVERED_NEW;
	rc = find_delivery(t->account, t->inbox, d->queue_id, &f, err);
	if (rc == PS_ENOTFOUND)
		return 0;
	if (rc < 0)
		return rc;
	rc = judge(t, d, &f, sync_file, how, err);
	*uid = f.rec.uid;
	found_fini(&f);
	return rc;
}

int
deliver_one(struct delivery_target *t, const struct delivery *d,
    bool sync_file, enum delivered *how, uint32_t *uid, struct err *err)
{
	char other[FNAME_KEY_MAX + 1];
	struct span key = d->queue_id;
	uint32_t r;
	int rc = 0;

	*how = DELIVERED_NEW;
	if (d->maybe_done)
		rc = deliver_again(t, d, sync_file, how, uid, err);
	if (rc < 0 || *how == DELIVERED_BEFORE || *how == DELIVERED_REPAIRED)
		return rc;
	if (*how == DELIVERED_SECOND) {
		proc_random(&r, sizeof(r));
		key.n = (size_t)snprintf(other, sizeof(other), "%.*sX%08x",
		    (int)MIN(d->queue_id.n, 32), d->queue_id.p, r);
		key.p = other;
	}
	return deliver_new(t, d, key, sync_file, uid, err);
}

int
delivery_usage(struct delivery_target *t, struct usage *u, struct err *err)
{
	return usage_read(t->account, t->mailbox_id, u, err);
}
