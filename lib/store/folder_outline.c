/*
 * A view that knows only how much there is: what SELECT tells costs a few pages
 * of a large index instead of all. The messages are merged when they are first
 * needed, as they were at the opening: what was expunged since is gone and not
 * missing, so that the numbers that were told hold.
 *
 * When the index was lost meanwhile nobody remembers which messages went. But
 * nobody was told which number is which message either, only how many there
 * are: any UID that is not there can stand for one that went.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "store/folder.h"
#include "store/view.h"

#define LOOK_GROUPS	8u		/* at either end, for the first unseen */

bool
folder_loaded(const struct folder *f)
{
	return f->loaded;
}

int
folder_load(struct folder *f, struct err *err)
{
	int rc = f->loaded ? 0 : box_current(f->box, err);

	return f->loaded || rc < 0 ? rc : view_merge(f, err);
}

bool
outline_is_current(const struct folder *f)
{
	return f->outline && f->generation == f->box->h.generation &&
	    f->changes == f->box->h.changes;
}

bool
outline_had(const struct folder *f, const struct index_rec *r)
{
	return f->outline && r->uid < f->uidnext && r->modseq > f->modseq;
}

static struct view_msg
gone_unknown(const struct folder *f, uint32_t uid)
{
	/* as if expunged by the first change after the opening */
	return (struct view_msg){ .r = { .uid = uid, .flags = MSG_SEEN,
	    .state = REC_GONE | REC_UNLINKED, .modseq = f->modseq + 1 },
	    .slot = UINT32_MAX, .gone = true, .seen = true };
}

/* Puts n of them among the `have` messages that were there at the opening, at
 * the highest UIDs that are free. False: there are not so many. */
static bool
fill_up(struct folder *f, size_t have, size_t n)
{
	struct view_msg *msg;
	size_t from = have, to = have + n;
	uint32_t uid = f->uidnext;

	if (have + n >= f->uidnext)
		return false;
	msg = xreallocarray(NULL, f->n + n, sizeof(*msg));
	memcpy(msg + to, f->msg + have, (f->n - have) * sizeof(*msg));
	while (to > from) {
		uid--;
		if (from > 0 && f->msg[from - 1].r.uid == uid)
			msg[--to] = f->msg[--from];
		else
			msg[--to] = gone_unknown(f, uid);
	}
	memcpy(msg, f->msg, from * sizeof(*msg));
	free(f->msg);
	f->msg = msg;
	f->n = f->size = f->n + n;
	f->n_gone += (uint32_t)n;
	return true;
}

bool
outline_mend(struct folder *f)
{
	size_t have;

	if (!f->outline)
		return true;
	have = folder_seq_from(f, f->uidnext) - 1;
	/* more than were told (a file came back): EXISTS will say so */
	return have >= f->outline_exists ||
	    fill_up(f, have, f->outline_exists - have);
}

/* A group as it was when the header was written; false when it is not. */
static bool
group_then(struct folder *f, uint32_t number, struct index_group *g)
{
	uint32_t i;

	if (view_group(f, number, g, NULL) < 0)
		return false;
	for (i = 0; i < g->count; i++)
		if (g->rec[i].modseq > f->box->h.modseq)
			return false;
	return true;
}

static bool
is_live(const struct index_rec *r)
{
	return !(r->state & REC_GONE);
}

static bool
is_unseen(const struct index_rec *r)
{
	return is_live(r) && !(r->flags & MSG_SEEN);
}

/* The first unseen is near the beginning. */
static bool
unseen_from_front(struct folder *f, uint32_t groups)
{
	struct index_group g;
	uint32_t i, k, seq = 0;

	for (i = 0; i < MIN(groups, LOOK_GROUPS); i++) {
		if (!group_then(f, i, &g))
			return false;
		for (k = 0; k < g.count; k++) {
			seq += is_live(&g.rec[k]);
			if (!is_unseen(&g.rec[k]))
				continue;
			f->outline_first_unseen = seq;
			return true;
		}
	}
	return false;
}

/* All unseen ones are near the end: the last of them met is the first. */
static bool
unseen_from_back(struct folder *f, uint32_t groups)
{
	const struct index_header *h = &f->box->h;
	uint32_t i, k, live = 0, unseen = 0;
	struct index_group g;

	for (i = groups; i-- > groups - MIN(groups, LOOK_GROUPS); ) {
		if (!group_then(f, i, &g))
			return false;
		for (k = g.count; k-- > 0; ) {
			live += is_live(&g.rec[k]);
			unseen += is_unseen(&g.rec[k]);
			if (unseen < h->n_unseen)
				continue;
			f->outline_first_unseen = h->n_live - live + 1;
			return true;
		}
	}
	return false;
}

bool
outline_take(struct folder *f)
{
	const struct index_header *h = &f->box->h;
	uint32_t groups = index_groups(h->n_recs);

	/* somebody's \Recent must be found and claimed */
	if (h->recent_uid < h->uidnext)
		return false;
	if (h->n_unseen > 0 && !unseen_from_front(f, groups) &&
	    !unseen_from_back(f, groups))
		return false;
	f->outline = true;
	f->outline_exists = h->n_live;
	f->outline_unseen = h->n_unseen;
	view_header_take(f, h);
	return true;
}
