/*
 * COPY and MOVE: all or none, one syncfs before anyone is told (DESIGN §9).
 *
 * A copy is a link. A move is a rename, so that no power cut leaves two
 * messages or none; it holds both folders' locks, the lesser name's first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/batch.h"
#include "store/folder.h"
#include "store/view.h"

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

/* --- placing --------------------------------------------------------------- */

struct copying {
	struct folder *f;
	const uint32_t *seqs;
	bool move;			/* the source goes */
	bool rename;			/* ... by renaming its file */
	struct batch x;
	char (*from)[FNAME_MAX + 8];	/* where renamed files were */
};

/* What a message of the view becomes over there. */
static void
entry_note(struct copying *k, size_t i, const struct view_msg *m)
{
	struct folder *f = k->f;
	struct cache_entry e;

	if (m->r.cache == 0 || !box_cache_open(f->box) ||
	    !cache_read(f->box->cache, &f->window, m->r.cache, m->r.uid,
	    64 * 1024, &e))
		memset(&e, 0, sizeof(e));
	batch_entry(&k->x, i, &e);
}

static int
file_place(struct copying *k, size_t i, const char *path)
{
	struct box *from = k->f->box, *to = k->x.b;

	if (!k->rename)
		return disk_linkat(from->dir, path, to->dir,
		    k->x.c[i].path, 0);
	memcpy(k->from[i], path, FNAME_MAX + 8);
	return disk_renameat(from->dir, path, to->dir, k->x.c[i].path,
	    RENAME_NOREPLACE);
}

/* PS_ENOTFOUND: expunged by another meanwhile. */
static int
msg_place(struct copying *k, size_t i, struct view_msg *m, struct err *err)
{
	char base[FNAME_MAX + 1] = "", path[FNAME_MAX + 8];
	struct folder *f = k->f;
	struct fname name;
	int fd, rc;

	if (!box_base(f->box, &f->window, &m->r, base) ||
	    !fname_parse(span_str(base), &name))
		return PS_ENOTFOUND;
	rc = batch_name(k->x.b, &k->x.c[i], k->move ? name.unique :
	    SPAN_NONE, err);
	if (rc < 0)
		return rc;
	box_path(span_str(base), m->r.name_flags,
	    (m->r.state & REC_IN_NEW) != 0, path);
	if (file_place(k, i, path) == 0)
		return 0;
	if (errno != ENOENT)
		return err_errno(err, "copy message");
	rc = view_file_open(f, m, base, path, &fd, err);
	if (rc < 0)
		return rc;
	(void)disk_close(fd);
	if (file_place(k, i, path) == -1)
		return err_errno(err, "copy message");
	return 0;
}

static int
msg_copy(struct copying *k, size_t i, struct view_msg *m, uint32_t uid,
    const struct keyword_map *map, struct err *err)
{
	struct coming *c = &k->x.c[i];
	int rc;

	c->r = (struct index_rec){ .uid = uid,
	    .flags = flags_map(map, m->r.flags), .size = m->r.size,
	    .vsize = m->r.vsize, .date = m->r.date };
	rc = msg_place(k, i, m, err);
	if (rc == PS_ENOTFOUND)
		return 0;
	if (rc < 0)
		return rc;
	c->placed = true;
	k->x.n_placed++;
	entry_note(k, i, m);
	return 0;
}

static void
undo(struct copying *k)
{
	size_t i;

	if (!k->rename) {
		batch_undo(&k->x);
		return;
	}
	for (i = 0; i < k->x.n; i++)
		if (k->x.c[i].placed)
			(void)disk_renameat(k->x.b->dir, k->x.c[i].path,
			    k->f->box->dir, k->from[i], RENAME_NOREPLACE);
}

/* Target locked; for a move the source, too. */
static int
all_copy(struct copying *k, struct err *err)
{
	struct batch *x = &k->x;
	struct keyword_map map;
	uint32_t first, used = 0;
	struct view_msg *m;
	size_t i;
	int rc;

	for (i = 0; i < x->n; i++)
		if ((m = view_live(k->f, k->seqs[i])) != NULL)
			used |= m->r.flags;
	rc = keywords_map(k->f, x->b, used, &map, err);
	if (rc == 0 && k->rename)
		rc = box_change_begin(x->b, (uint32_t)x->n, &first, err);
	else if (rc == 0)
		rc = box_copies_begin(x->b, (uint32_t)x->n, &first, err);
	for (i = 0; rc == 0 && i < x->n; i++) {
		m = view_live(k->f, k->seqs[i]);
		if (m != NULL)
			rc = msg_copy(k, i, m, first + (uint32_t)i, &map,
			    err);
	}
	if (rc == 0)
		rc = batch_record(x, err);
	if (rc < 0)
		undo(k);
	return rc == 0 ? box_change_end(x->b, err) : rc;
}

/* --- the source of a move ---------------------------------------------------- */

static bool
moved_one(struct folder *f, struct view_msg *m, struct index_rec *r,
    void *arg)
{
	const int64_t *now = arg;

	(void)f;
	(void)m;
	r->state |= REC_GONE | REC_UNLINKED | REC_MOVED;
	r->date = *now;
	return true;
}

/* Which of seqs went; the caller frees. */
static uint32_t *
placed_list(const struct copying *k, size_t *n)
{
	uint32_t *list = xcalloc(k->x.n + 1, sizeof(*list));
	size_t i;

	*n = 0;
	for (i = 0; i < k->x.n; i++)
		if (k->x.c[i].placed)
			list[(*n)++] = k->seqs[i];
	return list;
}

static int
move_locked(struct copying *k, struct err *err)
{
	int64_t now = clock_wall_us() / 1000000;
	uint32_t *list;
	size_t n;
	int rc;

	rc = box_change_begin(k->f->box, 0, NULL, err);
	if (rc == 0)
		rc = all_copy(k, err);
	if (rc < 0)
		return rc;
	list = placed_list(k, &n);
	rc = view_change(k->f, list, n, moved_one, &now, true, err);
	free(list);
	return rc == 0 ? box_change_end(k->f->box, err) : rc;
}

static int
both_lock(struct folder *f, struct box *b, struct err *err)
{
	bool source_first = strcmp(f->box->name, b->name) < 0;
	int rc;

	rc = source_first ? view_lock(f, err) : box_lock(b, err);
	if (rc < 0)
		return rc;
	rc = source_first ? box_lock(b, err) : view_lock(f, err);
	if (rc < 0)
		box_unlock(source_first ? f->box : b);
	return rc;
}

static int
move_run(struct copying *k, struct err *err)
{
	struct box *b = k->x.b;
	int rc = both_lock(k->f, b, err);

	if (rc < 0)
		return rc;
	rc = move_locked(k, err);
	view_taken(k->f, rc == 0);
	box_unlock(b);
	box_unlock(k->f->box);
	/* Not taken back when this fails: the file is here or there. */
	if (rc == 0 && disk_syncfs(b->dir) == -1)
		rc = err_errno(err, "sync moved messages");
	return rc;
}

/* --- copies ------------------------------------------------------------------- */

static int
copy_run(struct copying *k, struct err *err)
{
	uint32_t *list;
	size_t n;
	int rc;

	rc = box_lock(k->x.b, err);
	if (rc < 0)
		return rc;
	rc = all_copy(k, err);
	box_unlock(k->x.b);
	if (rc == 0)
		rc = batch_sync(&k->x, err);
	if (rc < 0 || !k->move)
		return rc;
	/* a move within one folder */
	list = placed_list(k, &n);
	rc = n == 0 ? 0 : folder_expunge(k->f, list, n, err);
	free(list);
	return rc;
}

static void
copied_fill(const struct copying *k, struct folder_copied *out)
{
	const struct batch *x = &k->x;
	size_t i;

	out->uidvalidity = x->b->h.uidvalidity;
	out->from = xcalloc(x->n + 1, sizeof(*out->from));
	out->to = xcalloc(x->n + 1, sizeof(*out->to));
	for (i = 0; i < x->n; i++) {
		if (!x->c[i].placed)
			continue;
		out->from[out->n] = folder_uid(k->f, k->seqs[i]);
		out->to[out->n++] = x->c[i].r.uid;
	}
}

int
folder_copy(struct folder *f, const uint32_t *seqs, size_t n, const char *to,
    bool move, struct folder_copied *out, struct err *err)
{
	struct copying k = { .f = f, .seqs = seqs, .move = move };
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
	batch_init(&k.x, b, n);
	k.rename = move && strcmp(f->box->name, to) != 0;
	if (k.rename)
		k.from = xcalloc(n + 1, sizeof(*k.from));
	rc = k.rename ? move_run(&k, err) : copy_run(&k, err);
	if (rc == 0)
		copied_fill(&k, out);
	free(k.from);
	batch_fini(&k.x);
	box_close(&b);
	return rc;
}
