/*
 * Quota, asked at RCPT, APPEND and COPY: usage from the index headers, kept
 * in memory, plus what is reserved; for the mailbox itself and for each pool
 * it is in. A reservation belongs to the connection that made it.
 */
#include "delivery/deliver.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quota.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "store/maildirsize.h"

#define ASKS_MAX	100000	/* reservations of one connection */
#define BYTES_MAX	((uint64_t)1 << 40)
#define MESSAGES_MAX	((uint64_t)1 << 32)
#define SETTLED_MS	30000
#define USAGE_MS	60000	/* then foreign changes are looked for */
#define STALE_MS	1000

struct quota_ask {
	TAILQ_ENTRY(quota_ask) waiting;	/* on its box, until answered */
	struct conn *c;
	struct mbox *box;
	uint64_t id;
	struct usage more;		/* what is to come */
	struct usage limit;		/* as the peer knows it */
	bool roots;			/* wants the figures, no room */
	bool usage_tried;		/* read since, or not readable */
	bool answered;
	bool reserved;
	size_t n_pools;			/* reserved in these, too */
	struct pool *pool[PLACE_POOLS_MAX];
};

/* --- usage --- */

struct usage_work {
	struct work work;
	struct mbox *box;
	struct usage usage;
	uint64_t writes, version;
	struct usage limit;
	bool ok, write_size;		/* maildirsize, with that limit */
};

/* A mailbox without a home has nothing yet; it is not made for being asked. */
static int
usage_get(struct mbox *b, struct usage *u, struct err *err)
{
	int fd, rc;

	if (b->target == NULL) {
		rc = account_home_open(b->d->store_dir, b->id, false, &fd,
		    err);
		if (rc == PS_ENOTFOUND)
			return 0;
		if (rc == 0)
			(void)close(fd);
		if (rc < 0 || (rc = mbox_open(b, err)) < 0)
			return rc;
	}
	return delivery_usage(b->target, u, err);
}

static void
usage_run(void *arg)
{
	struct usage_work *w = arg;
	struct err err = { 0 };

	pthread_mutex_lock(&w->box->lock);
	w->version = (uint64_t)clock_wall_us();
	w->writes = w->box->writes;
	w->ok = usage_get(w->box, &w->usage, &err) == 0;
	if (w->ok && w->write_size && w->box->target != NULL &&
	    maildirsize_write(delivery_dirfd(w->box->target), &w->limit,
	    &w->usage, &err) < 0)
		log_warning("mailbox %llu: %s",
		    (unsigned long long)w->box->id, err.why);
	mbox_rest(w->box);
	pthread_mutex_unlock(&w->box->lock);
	if (!w->ok)
		log_warning("mailbox %llu: usage is not known: %s",
		    (unsigned long long)w->box->id, err.why);
}

static void
usage_take(struct mbox *b, const struct usage_work *w)
{
	b->usage = w->usage;
	b->usage_writes = w->writes;
	b->usage_known = b->usage_seen = true;
	/* what changed meanwhile may be in it or not: ask soon */
	b->usage_until_ms = loop_now_ms(b->d->loop) +
	    (b->usage_stale ? STALE_MS : USAGE_MS);
	place_shift(b);
}

static void
usage_done(void *arg)
{
	struct usage_work *w = arg;
	struct mbox *b = w->box;
	struct deliver *d = b->d;
	bool stale = b->usage_stale;
	struct quota_ask *a;

	TAILQ_FOREACH(a, &b->waiting, waiting)
		a->usage_tried = true;
	if (w->ok)
		usage_take(b, w);
	b->usage_asked = b->usage_stale = false;
	if (b->report_wanted) {
		b->report_wanted = false;
		usage_read_done(d, b->id, w->ok ? &w->usage : NULL,
		    w->version);
		if (stale)
			usage_changed(d, b->id);
	}
	quota_try(b);
	mbox_put(b);
	free(w);
	d->jobs--;
	deliver_maybe_stop(d);
}

void
mbox_usage_ask(struct mbox *b)
{
	struct usage_work *w;

	/* the end waits for jobs; it closes connections when there are none */
	if (b->usage_asked || b->d->stopping)
		return;
	b->usage_asked = true;
	w = xcalloc(1, sizeof(*w));
	w->box = mbox_get(b->d, b->id);
	w->write_size = b->d->env->conf->virtual_create_maildirsize &&
	    b->place.known && b->place.fresh;
	w->limit = b->place.limit;
	w->limit.bytes = quota_limit_bytes(b->d->env->conf, w->limit.bytes);
	b->d->jobs++;
	w->work = (struct work){ .order = b->id + 1, .run = usage_run,
	    .done = usage_done, .arg = w };
	work_give(b->d->openers, &w->work);
}

static bool
usage_is_fresh(const struct mbox *b)
{
	return b->usage_known && b->usage_until_ms > loop_now_ms(b->d->loop);
}

/* --- what was accepted and is on its way here --- */

static void
settle_end(struct mbox *b)
{
	TAILQ_REMOVE(&b->d->settling, b, settling);
	b->settled = (struct usage){ 0, 0 };
	b->settled_until_ms = 0;
	place_shift(b);
	mbox_put(b);
}

static void
settle_cb(void *arg)
{
	struct deliver *d = arg;
	uint64_t now = loop_now_ms(d->loop);
	struct mbox *b;

	while ((b = TAILQ_FIRST(&d->settling)) != NULL &&
	    b->settled_until_ms <= now)
		settle_end(b);
	if (b != NULL)
		timer_set_ms(&d->settle_timer, b->settled_until_ms - now);
}

/* Until the message arrives, or long enough. */
static void
settle_add(struct mbox *b, uint64_t bytes)
{
	struct deliver *d = b->d;

	if (b->early > 0) {	/* qmgr was faster than smtpd */
		b->early--;
		return;
	}
	if (b->settled_until_ms == 0)
		(void)mbox_get(d, b->id);
	else
		TAILQ_REMOVE(&d->settling, b, settling);
	TAILQ_INSERT_TAIL(&d->settling, b, settling);
	b->settled.bytes += bytes;
	b->settled.messages++;
	b->settled_until_ms = loop_now_ms(d->loop) + SETTLED_MS;
	if (!d->settle_timer.set)
		timer_set_ms(&d->settle_timer, SETTLED_MS);
	place_shift(b);
}

void
quota_init(struct deliver *d)
{
	TAILQ_INIT(&d->settling);
	timer_init(&d->settle_timer, d->loop, settle_cb, d);
}

void
quota_fini(struct deliver *d)
{
	struct mbox *b;

	timer_clear(&d->settle_timer);
	while ((b = TAILQ_FIRST(&d->settling)) != NULL)
		settle_end(b);
}

/* --- verdicts --- */

static bool
usage_over(const struct usage *limit, const struct usage *used,
    const struct usage *more)
{
	return quota_over(limit->bytes, used->bytes, more->bytes) ||
	    quota_over(limit->messages, used->messages, more->messages);
}

/* What counts as used: there, promised, and on its way. */
static struct usage
mbox_used(const struct mbox *b)
{
	return (struct usage){
	    .bytes = b->usage.bytes + b->reserved.bytes + b->settled.bytes,
	    .messages = b->usage.messages + b->reserved.messages +
		b->settled.messages };
}

/*
 * The limits of the mailbox. smtpd has them from its directory cache, which
 * is told of changes as we are; imapd has those of the login, maybe days ago.
 */
static struct usage
ask_limit(const struct quota_ask *a)
{
	struct usage limit = a->limit;

	if (a->c->role != ROLE_IMAPD)
		return limit;
	if (a->box->place.known)
		limit = a->box->place.limit;
	limit.bytes = quota_limit_bytes(a->box->d->env->conf, limit.bytes);
	return limit;
}

static bool
ask_is_full(const struct quota_ask *a, bool usage_known)
{
	const struct mbox *b = a->box;
	struct usage limit = ask_limit(a), used = mbox_used(b);
	struct pool_view v;
	size_t i;

	if (usage_known && usage_over(&limit, &used, &a->more))
		return true;
	for (i = 0; i < b->place.n_pools; i++) {
		v = pool_view(b->place.pool[i]);
		if (usage_over(&v.limit, &v.used, &a->more))
			return true;
	}
	return false;
}

static void
ask_reserve(struct quota_ask *a)
{
	struct mbox *b = a->box;

	a->reserved = true;
	b->reserved.bytes += a->more.bytes;
	b->reserved.messages += a->more.messages;
	for (; a->n_pools < b->place.n_pools; a->n_pools++) {
		a->pool[a->n_pools] = pool_ref(b->place.pool[a->n_pools]);
		pool_reserve(a->pool[a->n_pools], &a->more);
	}
}

static void
ask_free(struct quota_ask *a)
{
	struct mbox *b = a->box;

	if (!a->answered)
		TAILQ_REMOVE(&b->waiting, a, waiting);
	if (a->reserved) {
		b->reserved.bytes -= a->more.bytes;
		b->reserved.messages -= a->more.messages;
		b->early = MIN(b->early, b->reserved.messages);
	}
	while (a->n_pools > 0) {
		pool_release(a->pool[--a->n_pools], &a->more);
		pool_unref(b->d, &a->pool[a->n_pools]);
	}
	free(a);
	mbox_put(b);
}

static void
root_put(struct buf *out, unsigned kind, const char *name,
    const struct usage *limit, const struct usage *used)
{
	if (limit->bytes > 0 || limit->messages > 0)
		entry_quota_root_pack(out, &(struct entry_quota_root){
		    .kind = (uint8_t)kind, .name = span_str(name),
		    .limit_bytes = limit->bytes,
		    .limit_messages = limit->messages,
		    .bytes = used->bytes, .messages = used->messages });
}

static void
roots_answer(struct quota_ask *a)
{
	const struct mbox *b = a->box;
	struct usage limit = ask_limit(a), used = b->usage;
	struct pool_view v;
	struct buf out;
	size_t i;

	buf_init(&out, IPC_BODY_MAX - 64);
	root_put(&out, QUOTA_MAILBOX, "", &limit, &used);
	for (i = 0; i < b->place.n_pools; i++) {
		v = pool_view(b->place.pool[i]);
		root_put(&out, v.kind, v.name, &v.limit, &v.used);
	}
	PROTO_SEND(a->c->ipc, a->id, QUOTA_ROOTS, quota_roots,
	    .roots = buf_span(&out));
	buf_fini(&out);
}

static void
ask_answer(struct quota_ask *a, bool usage_known)
{
	const struct mbox *b = a->box;
	bool full = !a->roots && ask_is_full(a, usage_known);

	a->answered = true;
	if (a->roots)
		roots_answer(a);
	else
		PROTO_SEND(a->c->ipc, a->id, QUOTA_ANSWER, quota_answer,
		    .verdict = full ? QUOTA_FULL : QUOTA_OK,
		    .used_bytes = b->usage.bytes,
		    .used_messages = b->usage.messages);
	/* nothing will arrive that could make the database judge it */
	if (full)
		warn_look(b->d, b->id);
	if (full || a->roots) {
		(void)map_del_u64(a->c->asks, a->id);
		ask_free(a);
	} else {
		ask_reserve(a);
	}
}

/* Where nothing is limited the index need not be read. */
static bool
ask_wants_usage(const struct quota_ask *a)
{
	struct usage limit = ask_limit(a);

	return !a->usage_tried && !usage_is_fresh(a->box) &&
	    (limit.bytes > 0 || limit.messages > 0 ||
	    a->box->place.n_pools > 0);
}

void
quota_try(struct mbox *b)
{
	struct quota_ask *a;

	if (b->place.asked && !b->place.late)
		return;
	(void)mbox_get(b->d, b->id);
	while ((a = TAILQ_FIRST(&b->waiting)) != NULL) {
		if (ask_wants_usage(a)) {
			mbox_usage_ask(b);
			break;
		}
		TAILQ_REMOVE(&b->waiting, a, waiting);
		ask_answer(a, b->usage_known);
	}
	mbox_put(b);
}

/* --- messages --- */

static int
ask_begin(struct conn *c, uint64_t id, uint64_t mailbox_id, bool pooled,
    const struct quota_ask *what)
{
	struct quota_ask *a;
	struct mbox *b;

	if (map_count(c->asks) >= ASKS_MAX ||
	    map_get_u64(c->asks, id) != NULL)
		return PS_ESYNTAX;
	if (c->role == ROLE_IMAPD && map_get_u64(c->opened, mailbox_id) == NULL)
		return PS_EDENIED;
	a = xcalloc(1, sizeof(*a));
	*a = *what;
	a->c = c;
	a->id = id;
	a->box = b = mbox_get(c->d, mailbox_id);
	(void)map_put_u64(c->asks, id, a);
	TAILQ_INSERT_TAIL(&b->waiting, a, waiting);
	if (!pooled || !place_ask(b))
		quota_try(b);
	return 0;
}

int
quota_ask_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct msg_quota_ask in;

	(void)ipc;
	if (!msg_quota_ask_unpack(m->body, &in) || in.bytes > BYTES_MAX ||
	    in.messages > MESSAGES_MAX)
		return PS_ESYNTAX;
	return ask_begin(OBJ_CAST(arg, conn, CONN_MAGIC), m->id,
	    in.mailbox_id, in.pooled != 0, &(struct quota_ask){
		.more = { in.bytes, in.messages },
		.limit = { in.limit_bytes, in.limit_messages } });
}

int
quota_roots_ask_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct msg_quota_roots_ask in;

	(void)ipc;
	if (!msg_quota_roots_ask_unpack(m->body, &in))
		return PS_ESYNTAX;
	return ask_begin(OBJ_CAST(arg, conn, CONN_MAGIC), m->id,
	    in.mailbox_id, true, &(struct quota_ask){ .roots = true,
		.limit = { in.limit_bytes, in.limit_messages } });
}

int
quota_settle_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct conn *c = OBJ_CAST(arg, conn, CONN_MAGIC);
	struct msg_quota_settle in;
	struct quota_ask *a;

	(void)ipc;
	if (!msg_quota_settle_unpack(m->body, &in) || in.bytes > BYTES_MAX)
		return PS_ESYNTAX;
	if ((a = map_del_u64(c->asks, m->id)) == NULL)
		return 0;	/* it was refused */
	if (in.bytes > 0)
		settle_add(a->box, in.bytes);
	ask_free(a);
	return 0;
}

const struct ipc_handler deliver_smtpd_handlers[] = {
	{ MSG_QUOTA_ASK, quota_ask_cb, IPC_ANY_PHASE },
	{ MSG_QUOTA_SETTLE, quota_settle_cb, IPC_ANY_PHASE },
};
const size_t deliver_smtpd_n_handlers = ARRAY_LEN(deliver_smtpd_handlers);

void
quota_conn_closed(struct conn *c)
{
	size_t pos = 0;
	void *a;

	while (map_next(c->asks, &pos, NULL, &a))
		ask_free(a);
}
