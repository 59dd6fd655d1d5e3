/*
 * What was expunged since a moment that a client remembers (QRESYNC): the
 * GONE records of the index are that memory.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "store/folder.h"
#include "store/view.h"

#define TRIES	3

struct uids {
	uint32_t *uid;
	size_t n, size;
};

static void
uids_add(struct uids *u, uint32_t uid)
{
	if (u->n == u->size) {
		u->size = u->size == 0 ? 64 : u->size * 2;
		u->uid = xreallocarray(u->uid, u->size, sizeof(*u->uid));
	}
	u->uid[u->n++] = uid;
}

static void
group_gather(struct folder *f, const struct index_group *g, uint64_t since,
    struct uids *u)
{
	uint32_t i;

	if (g->modseq <= since)
		return;
	for (i = 0; i < g->count; i++) {
		const struct index_rec *r = &g->rec[i];
		/* what the view still holds will be told by it */
		if ((r->state & REC_GONE) && r->modseq > since &&
		    folder_seq(f, r->uid) == 0)
			uids_add(u, r->uid);
	}
}

/* PS_EAGAIN: the index was replaced meanwhile. */
static int
gather(struct folder *f, uint64_t since, struct uids *u, struct err *err)
{
	struct index_group g;
	uint32_t i, groups = index_groups(f->box->h.n_recs);
	uint64_t generation = f->box->h.generation;
	int rc;

	for (i = 0; i < groups; i++) {
		rc = view_group(f, i, &g, err);
		if (rc < 0)
			return rc;
		group_gather(f, &g, since, u);
	}
	rc = box_peek(f->box, err);
	return rc < 0 ? rc : f->box->h.generation == generation ? 0 :
	    PS_EAGAIN;
}

int
folder_vanished(struct folder *f, uint64_t since, uint32_t **uids, size_t *n,
    bool *known, struct err *err)
{
	struct uids u = { .n = 0 };
	int rc = PS_EAGAIN, tries;

	*uids = NULL;
	*n = 0;
	for (tries = 0; rc == PS_EAGAIN && tries < TRIES; tries++) {
		rc = folder_load(f, err);
		if (rc == 0)
			rc = folder_refresh(f, err);
		if (rc < 0)
			return rc;
		/* a modseq that we never gave out is of no use, either */
		*known = since >= f->forgotten &&
		    since <= folder_highest_modseq(f);
		if (!*known)
			return 0;
		u.n = 0;
		rc = gather(f, since, &u, err);
	}
	if (rc < 0) {
		free(u.uid);
		return rc == PS_EAGAIN ? err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "index does not hold still") : rc;
	}
	*uids = u.uid;
	*n = u.n;
	return 0;
}
