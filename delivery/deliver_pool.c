/*
 * Limits that mailboxes share: pools of domains and organisations, and the
 * limits of the mailboxes themselves, as quota_of() of the database tells
 * them (doc/architecture.md, "Quota").
 *
 * A pool's figure is what the database counts, plus what our own mailboxes
 * have beyond that (place.shown), plus what is reserved. All queries go down
 * one connection in order: a figure that was asked for behind a report has
 * that report in it, and one asked for before gets it added when the report
 * is confirmed. So we never count our own mail twice or not at all; of other
 * processes' mail we know what they have reported.
 *
 * Never makes an ask wait longer than patience_ms(); then what is known has
 * to do.
 */
#include "delivery/deliver.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "proto/proto.h"

#define BATCH_MAX		500
#define POOL_FRESH_MS		500	/* then it is asked for again, */
#define POOL_STALE_MS		1000	/* and then also waited for */

enum column {
	COL_MAILBOX, COL_KIND, COL_POOL, COL_NAME, COL_LIMIT_BYTES,
	COL_LIMIT_MESSAGES, COL_BYTES, COL_MESSAGES
};

struct pool {
	unsigned refs;
	unsigned kind;
	uint64_t key;
	char *name;
	struct usage limit;
	struct usage counted;		/* by the database */
	int64_t more_bytes;		/* ours, that it has not counted */
	int64_t more_messages;
	struct usage reserved;
	uint64_t read_ms;
};

TAILQ_HEAD(mbox_list, mbox);

struct pools {
	struct deliver *d;
	struct map *by_key;		/* kind and id -> struct pool */
	struct mbox_list wanted;	/* hold a reference, as do ... */
	struct mbox *asked[BATCH_MAX];	/* ... those of the query under way */
	size_t n_asked;
	struct db_query *query;
	struct defer start;
	struct timer patience;
	bool warned;
};

static const char *const kind_names[] = {
	[QUOTA_MAILBOX] = "mailbox",
	[QUOTA_DOMAIN] = "domain",
	[QUOTA_ORGANISATION] = "organisation",
};

/* --- pools ------------------------------------------------------------------ */

struct pool *
pool_ref(struct pool *p)
{
	p->refs++;
	return p;
}

void
pool_unref(struct deliver *d, struct pool **pp)
{
	struct pool *p = *pp;

	*pp = NULL;
	if (p == NULL || --p->refs > 0)
		return;
	(void)map_del_u64(d->pools->by_key, p->key);
	free(p->name);
	free(p);
}

static struct pool *
pool_get(struct deliver *d, unsigned kind, uint64_t id, struct span name)
{
	uint64_t key = id << 2 | kind;
	struct pool *p = map_get_u64(d->pools->by_key, key);

	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->kind = kind;
		p->key = key;
		(void)map_put_u64(d->pools->by_key, key, p);
	}
	free(p->name);
	p->name = xmemdup0(name.p, name.n);
	return pool_ref(p);
}

static uint64_t
moved(uint64_t n, int64_t by)
{
	if (by >= 0)
		return n + (uint64_t)by;
	return n > (uint64_t)-by ? n - (uint64_t)-by : 0;
}

struct pool_view
pool_view(const struct pool *p)
{
	return (struct pool_view){ .kind = p->kind, .name = p->name,
	    .limit = p->limit, .used = {
		.bytes = moved(p->counted.bytes, p->more_bytes) +
		    p->reserved.bytes,
		.messages = moved(p->counted.messages, p->more_messages) +
		    p->reserved.messages } };
}

void
pool_reserve(struct pool *p, const struct usage *u)
{
	p->reserved.bytes += u->bytes;
	p->reserved.messages += u->messages;
}

void
pool_release(struct pool *p, const struct usage *u)
{
	p->reserved.bytes -= u->bytes;
	p->reserved.messages -= u->messages;
}

/* --- what a mailbox has that its pools' figures have not ------------------------ */

static void
place_show(struct place *pl, int64_t bytes, int64_t messages)
{
	size_t i;

	for (i = 0; i < pl->n_pools; i++) {
		pl->pool[i]->more_bytes += bytes - pl->shown_bytes;
		pl->pool[i]->more_messages += messages - pl->shown_messages;
	}
	pl->shown_bytes = bytes;
	pl->shown_messages = messages;
}

void
place_shift(struct mbox *b)
{
	struct place *pl = &b->place;
	int64_t bytes = (int64_t)b->settled.bytes;
	int64_t messages = (int64_t)b->settled.messages;

	if (pl->n_pools == 0)
		return;
	if (b->usage_seen && pl->counted_known) {
		bytes += (int64_t)(b->usage.bytes - pl->counted.bytes);
		messages += (int64_t)(b->usage.messages -
		    pl->counted.messages);
	}
	place_show(pl, bytes, messages);
}

void
place_counted(struct deliver *d, uint64_t mailbox_id, const struct usage *u)
{
	struct mbox *b = map_get_u64(d->boxes, mailbox_id);
	struct place *pl;
	size_t i;

	if (b == NULL || !b->place.counted_known)
		return;
	pl = &b->place;
	for (i = 0; i < pl->n_pools; i++) {
		struct usage *sum = &pl->pool[i]->counted;

		sum->bytes = moved(sum->bytes,
		    (int64_t)(u->bytes - pl->counted.bytes));
		sum->messages = moved(sum->messages,
		    (int64_t)(u->messages - pl->counted.messages));
	}
	pl->counted = *u;
	place_shift(b);
}

static void
place_leave_pools(struct mbox *b)
{
	struct place *pl = &b->place;

	place_show(pl, 0, 0);
	while (pl->n_pools > 0)
		pool_unref(b->d, &pl->pool[--pl->n_pools]);
}

void
place_drop(struct mbox *b)
{
	ps_assert(!b->place.asked);	/* that holds a reference */
	place_leave_pools(b);
}

/* --- asking -------------------------------------------------------------------- */

static struct usage
usage_of_row(const struct db_result *r, size_t row, int bytes_col,
    int messages_col)
{
	return (struct usage){
	    .bytes = (uint64_t)MAX(db_i64(r, row, bytes_col, 0), 0),
	    .messages = (uint64_t)MAX(db_i64(r, row, messages_col, 0), 0) };
}

static void
row_read(struct pools *ps, const struct db_result *r, size_t row)
{
	struct mbox *b = map_get_u64(ps->d->boxes,
	    (uint64_t)db_i64(r, row, COL_MAILBOX, 0));
	struct span word = db_get(r, row, COL_KIND);
	struct usage limit = usage_of_row(r, row, COL_LIMIT_BYTES,
	    COL_LIMIT_MESSAGES);
	struct usage used = usage_of_row(r, row, COL_BYTES, COL_MESSAGES);
	struct place *pl;
	struct pool *p;
	unsigned kind;

	for (kind = 0; kind < ARRAY_LEN(kind_names); kind++)
		if (span_eq(word, span_str(kind_names[kind])))
			break;
	if (b == NULL || !b->place.asked || kind == ARRAY_LEN(kind_names))
		return;
	pl = &b->place;
	if (kind == QUOTA_MAILBOX) {
		pl->known = pl->counted_known = true;
		pl->limit = limit;
		pl->counted = used;
	} else if (pl->n_pools < PLACE_POOLS_MAX) {
		p = pool_get(ps->d, kind,
		    (uint64_t)db_i64(r, row, COL_POOL, 0),
		    db_get(r, row, COL_NAME));
		p->limit = limit;
		p->counted = used;
		p->read_ms = loop_now_ms(ps->d->loop);
		pl->pool[pl->n_pools++] = p;
	}
}

/* Then maildirsize is out of date. */
static bool
limit_is_new(const struct place *was, const struct place *is)
{
	return is->known && (!was->known ||
	    was->limit.bytes != is->limit.bytes ||
	    was->limit.messages != is->limit.messages);
}

/* Pools are left first and joined again: rows say which they are now. Those
 * that all have left keep their reservations, as asks hold a reference. */
static void
answer_read(struct pools *ps, const struct db_result *r)
{
	struct place was[BATCH_MAX];	/* known and limit are looked at */
	size_t i;

	for (i = 0; i < ps->n_asked; i++) {
		was[i] = ps->asked[i]->place;
		place_leave_pools(ps->asked[i]);
		ps->asked[i]->place.known = false;
		ps->asked[i]->place.counted_known = false;
	}
	for (i = 0; i < db_rows(r); i++)
		row_read(ps, r, i);
	for (i = 0; i < ps->n_asked; i++) {
		place_shift(ps->asked[i]);
		if (ps->d->env->conf->virtual_create_maildirsize &&
		    limit_is_new(&was[i], &ps->asked[i]->place))
			usage_changed(ps->d, ps->asked[i]->id);
	}
}

static void
answered_cb(const struct db_result *r, void *arg)
{
	struct pools *ps = arg;
	struct mbox *b;
	size_t i;

	ps->query = NULL;
	timer_clear(&ps->patience);
	if (db_ok(r))
		answer_read(ps, r);
	else if (!ps->warned)
		log_warning("limits of mailboxes: %s", db_err(r)->why);
	ps->warned = !db_ok(r);
	for (i = 0; i < ps->n_asked; i++) {
		b = ps->asked[i];
		b->place.asked = b->place.late = false;
		b->place.fresh &= db_ok(r);
		quota_try(b);
		mbox_put(b);
	}
	ps->n_asked = 0;
	if (!TAILQ_EMPTY(&ps->wanted))
		defer_call(&ps->start);
}

/* smtpd waits for us for quota_timeout. */
static uint64_t
patience_ms(const struct pools *ps)
{
	return (uint64_t)ps->d->env->conf->quota_timeout * 3 / 5;
}

static void
batch_cb(void *arg)
{
	struct pools *ps = arg;
	struct db_param p;
	struct mbox *b;
	struct buf ids;

	if (ps->query != NULL)
		return;
	buf_init(&ids, BUF_NO_CAP);
	while (ps->n_asked < BATCH_MAX &&
	    (b = TAILQ_FIRST(&ps->wanted)) != NULL) {
		TAILQ_REMOVE(&ps->wanted, b, place.wanted);
		/* a NOTIFY from here on asks again */
		b->place.fresh = true;
		buf_char(&ids, buf_len(&ids) == 0 ? '{' : ',');
		buf_dec(&ids, b->id);
		ps->asked[ps->n_asked++] = b;
	}
	buf_char(&ids, '}');
	p = DB_TEXT(buf_span(&ids));
	ps->query = db_ask(ps->d->db, "SELECT mailbox_id, kind, pool_id, name, "
	    "limit_bytes, limit_messages, bytes, messages "
	    "FROM quota_of($1::bigint[])", &p, 1, DB_ONCE, answered_cb, ps);
	buf_fini(&ids);
	timer_set_ms(&ps->patience, patience_ms(ps));
}

/* The answer may still come; those who wait do without it. */
static void
patience_cb(void *arg)
{
	struct pools *ps = arg;
	struct mbox *b, *next;
	size_t i;

	for (i = 0; i < ps->n_asked; i++) {
		ps->asked[i]->place.late = true;
		quota_try(ps->asked[i]);
	}
	TAILQ_FOREACH_SAFE(b, &ps->wanted, place.wanted, next) {
		b->place.late = true;
		quota_try(b);
	}
}

static void
want(struct pools *ps, struct mbox *b)
{
	b->place.asked = true;
	(void)mbox_get(b->d, b->id);
	TAILQ_INSERT_TAIL(&ps->wanted, b, place.wanted);
	if (ps->query == NULL)
		defer_call(&ps->start);
}

bool
place_ask(struct mbox *b)
{
	struct deliver *d = b->d;
	struct place *pl = &b->place;
	uint64_t age = 0;
	size_t i;

	if (d->db == NULL || db_state(d->db) != DB_UP)
		return false;
	for (i = 0; i < pl->n_pools; i++)
		age = MAX(age, loop_now_ms(d->loop) - pl->pool[i]->read_ms);
	if (pl->fresh && age < POOL_FRESH_MS)
		return false;
	if (!pl->asked)
		want(d->pools, b);
	return !pl->late && (!pl->fresh || age >= POOL_STALE_MS);
}

/* --- being told ---------------------------------------------------------------- */

static void
all_forget(struct deliver *d)
{
	size_t pos = 0;
	void *b;

	while (map_next(d->boxes, &pos, NULL, &b))
		((struct mbox *)b)->place.fresh = false;
}

static void
notify_cb(struct span payload, void *arg)
{
	struct deliver *d = arg;
	struct mbox *b;
	uint64_t id;

	if (!span_u64(payload, 1, INT64_MAX, &id)) {
		all_forget(d);
		return;
	}
	b = map_get_u64(d->boxes, id);
	if (b != NULL) {
		b->place.fresh = false;
		if (d->env->conf->virtual_create_maildirsize)
			(void)place_ask(b);
	}
	warn_look(d, id);
}

/* What was told while nobody listened is not known. */
static void
state_cb(enum db_state state, void *arg)
{
	if (state != DB_UP)
		return;
	all_forget(arg);
	warn_connected(arg);
}

void
pools_connected(struct deliver *d)
{
	db_listen(d->db, "postern_quota", notify_cb, d);
	db_on_state(d->db, state_cb, d);
}

void
pools_init(struct deliver *d)
{
	struct pools *ps = xcalloc(1, sizeof(*ps));

	ps->d = d;
	ps->by_key = map_new();
	TAILQ_INIT(&ps->wanted);
	defer_init(&ps->start, d->loop, batch_cb, ps);
	timer_init(&ps->patience, d->loop, patience_cb, ps);
	d->pools = ps;
}

static void
place_give_up(struct mbox *b)
{
	b->place.asked = false;
	mbox_put(b);
}

void
pools_stop(struct deliver *d)
{
	struct pools *ps = d->pools;
	struct mbox *b;

	db_cancel(&ps->query);
	defer_cancel(&ps->start);
	timer_clear(&ps->patience);
	while (ps->n_asked > 0)
		place_give_up(ps->asked[--ps->n_asked]);
	while ((b = TAILQ_FIRST(&ps->wanted)) != NULL) {
		TAILQ_REMOVE(&ps->wanted, b, place.wanted);
		place_give_up(b);
	}
}

/* The last mailbox has gone. */
void
pools_fini(struct deliver *d)
{
	struct pools *ps = d->pools;

	ps_assert(map_count(ps->by_key) == 0);
	map_free(&ps->by_key);
	free(ps);
	d->pools = NULL;
}
