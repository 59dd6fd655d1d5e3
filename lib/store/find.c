#include "store/find.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/log.h"
#include "store/account.h"
#include "store/boot.h"
#include "store/folders.h"

/* --- one folder --- */

/* Is the record at hand the delivery? Its name is in the cache, else (of a
 * live one) in the directory. A key's checksum alone proves nothing. */
static bool
rec_is(struct box *b, struct cache_window *w, const struct index_rec *r,
    struct span queue_id, char base[FNAME_MAX + 1])
{
	struct cache_entry e;
	struct fname f;

	if (r->state & REC_GONE) {
		if (r->cache == 0 || !box_cache_open(b) ||
		    !cache_read(b->cache, w, r->cache, r->uid, 512, &e))
			return false;
		memcpy(base, e.name.p, e.name.n);
		base[e.name.n] = '\0';
	} else if (!box_base(b, w, r, base)) {
		return false;
	}
	return fname_parse(span_str(base), &f) &&
	    fname_is_key(f.unique, queue_id, b->mailbox_id);
}

static void
found_path(struct box *b, struct found *f, const char *base)
{
	struct stat st;

	box_path(span_str(base), f->rec.name_flags,
	    (f->rec.state & REC_IN_NEW) != 0, f->path);
	if (fstatat(b->dir, f->path, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    !box_find_uid(b, f->rec.uid, f->rec.key, f->path))
		f->path[0] = '\0';
}

/* The record at hand is the delivery: a live copy wins over the memory of an
 * expunged one. True when the search can end. */
static bool
candidate_take(struct box *b, uint32_t group, uint32_t slot,
    const struct index_rec *r, const char *base, struct found *f)
{
	f->group = group;
	f->slot = slot;
	f->rec = *r;
	if (r->state & REC_GONE) {
		f->gone = true;
		return false;
	}
	found_path(b, f, base);
	/* A live record without a file is no copy. */
	if (f->path[0] == '\0')
		return false;
	f->gone = false;
	return true;
}

/* Newest first. The box is locked. 0: live, or f->gone. */
static int
box_search(struct box *b, struct span queue_id, uint32_t key,
    struct found *f, struct err *err)
{
	struct cache_window w = { 0 };
	char base[FNAME_MAX + 1];
	struct index_group g;
	bool live = false;
	uint32_t n, i;
	int rc = 0;

	for (n = index_groups(b->h.n_recs); rc == 0 && !live && n-- > 0;) {
		rc = box_group_read(b, n, &g, err);
		if (rc < 0)
			break;
		for (i = g.count; i-- > 0 && !live;)
			if (g.rec[i].key == key &&
			    rec_is(b, &w, &g.rec[i], queue_id, base))
				live = candidate_take(b, n, i, &g.rec[i],
				    base, f);
	}
	cache_window_fini(&w);
	if (rc < 0)
		return rc;
	return live || f->gone ? 0 : PS_ENOTFOUND;
}

static uint32_t
key_crc(struct span queue_id, uint64_t mailbox_id)
{
	char text[FNAME_KEY_MAX + 32];
	struct buf b;
	uint32_t crc;

	buf_init(&b, sizeof(text));
	buf_span_add(&b, queue_id);
	buf_char(&b, 'M');
	buf_dec(&b, mailbox_id);
	crc = crc32c(0, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return crc;
}

/* --- all folders --- */

static int
folder_search(struct box *b, bool own, struct span queue_id,
    struct found *f, struct err *err)
{
	int rc;

	rc = box_lock(b, err);
	if (rc < 0)
		return rc;
	if (box_dirs_changed(b))
		rc = box_reconcile(b, err);
	if (rc == 0)
		rc = box_search(b, queue_id, key_crc(queue_id,
		    b->mailbox_id), f, err);
	if (rc < 0 || f->gone) {
		box_unlock(b);
		return rc;
	}
	f->box = b;
	f->own = own;
	return 0;
}

/* 0 with a live copy in f; PS_ENOTFOUND else, and f->gone may be set. */
static int
others_search(int account_dir, struct box *inbox, struct span queue_id,
    struct found *f, struct err *err)
{
	struct name_list l;
	bool gone = f->gone;
	struct box *b;
	size_t i;
	int rc;

	rc = folders_read(account_dir, &l, err);
	if (rc < 0)
		return rc;
	rc = PS_ENOTFOUND;
	f->gone = false;
	for (i = 0; i < l.n && rc == PS_ENOTFOUND; i++) {
		if (l.name[i][0] == '\0')
			continue;
		b = box_open(account_dir, l.name[i], inbox->mailbox_id,
		    BOX_EXISTING, err);
		if (b == NULL) {
			rc = PS_EIO;
			break;
		}
		rc = folder_search(b, true, queue_id, f, err);
		gone = gone || f->gone;
		if (rc == 0 && f->gone)
			rc = PS_ENOTFOUND;
		f->gone = false;
		if (rc < 0)
			box_close(&b);
	}
	f->gone = rc == PS_ENOTFOUND && gone;
	name_list_fini(&l);
	return rc;
}

int
find_delivery(int account_dir, struct box *inbox, struct span queue_id,
    struct found *f, struct err *err)
{
	int rc;

	memset(f, 0, sizeof(*f));
	rc = folder_search(inbox, false, queue_id, f, err);
	/* What went from INBOX may live elsewhere, and be damaged there. */
	if (rc == PS_ENOTFOUND || (rc == 0 && f->gone))
		rc = others_search(account_dir, inbox, queue_id, f, err);
	return rc == PS_ENOTFOUND && f->gone ? 0 : rc;
}

int
found_made_whole(struct found *f, struct err *err)
{
	struct index_group g;
	int rc;

	rc = box_change_begin(f->box, 0, NULL, err);
	if (rc == 0)
		rc = box_group_read(f->box, f->group, &g, err);
	if (rc < 0)
		return rc;
	g.rec[f->slot].boot = store_boot_tag();
	g.rec[f->slot].modseq = box_modseq(f->box);
	rc = box_group_write(f->box, &g, err);
	return rc == 0 ? box_change_end(f->box, err) : rc;
}

void
found_fini(struct found *f)
{
	if (f->box == NULL)
		return;
	box_unlock(f->box);
	if (f->own)
		box_close(&f->box);
	f->box = NULL;
}

/* --- quota ---------------------------------------------------------------- */

static int
folder_usage(int account_dir, const char *name, uint64_t mailbox_id,
    struct usage *u, struct err *err)
{
	struct box *b;
	int rc;

	b = box_open(account_dir, name, mailbox_id, BOX_EXISTING, err);
	if (b == NULL)
		return err == NULL ? PS_EIO : err->code;
	rc = box_current(b, err);
	if (rc == 0) {
		u->bytes += b->h.bytes;
		u->messages += b->h.n_live;
	}
	box_close(&b);
	return rc;
}

int
usage_read(int account_dir, uint64_t mailbox_id, struct usage *u,
    struct err *err)
{
	struct name_list l;
	struct err local;
	size_t i;
	int rc;

	memset(u, 0, sizeof(*u));
	rc = folders_read(account_dir, &l, &local);
	for (i = 0; rc == 0 && i < l.n; i++) {
		rc = folder_usage(account_dir, l.name[i], mailbox_id, u,
		    &local);
		if (rc == PS_ENOTFOUND)
			rc = 0;		/* deleted meanwhile */
	}
	name_list_fini(&l);
	if (rc < 0)
		return err_set(err, local.kind, rc, "%s", local.why);
	return 0;
}
