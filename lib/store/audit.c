#include "store/audit.h"

#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/map.h"
#include "store/box.h"
#include "store/scan.h"

/* Keys of records (fname_key_crc), to tell files of messages that are
 * expunged, and whose unlink lags, from all others. */
struct keys {
	struct map *live, *gone;
};

static void
usage_add(struct usage *u, uint64_t bytes)
{
	u->bytes += bytes;
	u->messages++;
}

/* --- under the lock: totals, records, names ------------------------------------ */

static int
records_count(struct box *b, struct keys *k, struct audit *out,
    struct err *err)
{
	struct index_group g;
	uint32_t i, n;
	int rc = 0;

	for (n = 0; rc == 0 && n < index_groups(b->h.n_recs); n++) {
		rc = box_group_read(b, n, &g, err);
		for (i = 0; rc == 0 && i < g.count; i++) {
			const struct index_rec *r = &g.rec[i];

			if (!(r->state & REC_GONE))
				usage_add(&out->records, r->size);
			(void)map_put_u64(r->state & REC_GONE ? k->gone :
			    k->live, r->key, b);
		}
	}
	return rc;
}

static int
folder_read(struct box *b, struct keys *k, struct scan *s,
    struct audit *out, struct err *err)
{
	int rc = box_lock(b, err);

	if (rc < 0)
		return rc;
	rc = records_count(b, k, out, err);
	if (rc == 0)
		rc = scan_dirs(b->dir, s, err);
	if (rc == 0) {
		out->index.bytes += b->h.bytes;
		out->index.messages += b->h.n_live;
	}
	box_unlock(b);
	return rc;
}

/* --- behind it: sizes ------------------------------------------------------------ */

/* A file that was renamed since is as big as its name says. */
static uint64_t
file_size(const struct box *b, const struct scan_ent *e)
{
	char path[FNAME_MAX + 8];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%.*s",
	    e->in_new ? "new" : "cur", SPAN_ARG(e->name));
	if (fstatat(b->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return (uint64_t)st.st_size;
	return e->f.has_size ? e->f.size : 0;
}

static int
folder_audit(struct account *a, const char *name, struct audit *out,
    struct err *err)
{
	struct keys k = { map_new(), map_new() };
	struct scan s = { 0 };
	struct box *b;
	size_t i;
	int rc = PS_EIO;

	b = box_open(account_dirfd(a), name, account_id(a), BOX_EXISTING,
	    err);
	if (b != NULL)
		rc = folder_read(b, &k, &s, out, err);
	else if (err->code < 0)
		rc = err->code;
	for (i = 0; rc == 0 && i < s.n; i++)
		if (map_get_u64(k.live, s.ent[i].key) != NULL ||
		    map_get_u64(k.gone, s.ent[i].key) == NULL)
			usage_add(&out->files, file_size(b, &s.ent[i]));
	if (rc == 0)
		scan_fini(&s);
	box_close(&b);
	map_free(&k.live);
	map_free(&k.gone);
	return rc;
}

static int
folder_fix(struct account *a, const char *name, struct err *err)
{
	struct box *b;
	int rc;

	b = box_open(account_dirfd(a), name, account_id(a), BOX_EXISTING,
	    err);
	if (b == NULL)
		return err->code < 0 ? err->code : PS_EIO;
	rc = box_lock(b, err);
	if (rc == 0) {
		rc = box_reconcile(b, err);
		box_unlock(b);
	}
	box_close(&b);
	return rc;
}

int
account_audit(struct account *a, struct audit *out, struct err *err)
{
	struct name_list l = { 0 };
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = account_folders(a, &l, err);
	for (i = 0; rc == 0 && i < l.n; i++) {
		rc = folder_audit(a, l.name[i], out, err);
		if (rc == PS_ENOTFOUND)
			rc = 0;		/* deleted meanwhile */
	}
	name_list_fini(&l);
	return rc;
}

int
account_audit_fix(struct account *a, struct err *err)
{
	struct name_list l = { 0 };
	size_t i;
	int rc;

	rc = account_folders(a, &l, err);
	for (i = 0; rc == 0 && i < l.n; i++) {
		rc = folder_fix(a, l.name[i], err);
		if (rc == PS_ENOTFOUND)
			rc = 0;
	}
	name_list_fini(&l);
	return rc;
}
