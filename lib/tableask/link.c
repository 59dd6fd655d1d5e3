/*
 * Connections to table servers, and who waits for one. Each carries one
 * question at a time; a server that fails is left alone for a second.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"
#include "net/dial.h"
#include "net/stream.h"
#include "tableask/tableask_int.h"
#include "tableask/wire.h"

#define PEER_MAGIC	0x74700001u
#define LINK_MAGIC	0x746c0001u
#define IDLE_MS		10000	/* then a connection is closed, as in Postfix */
#define REST_MS		1000	/* of a server that takes no connection */

enum link_state { LINK_DIALS, LINK_IDLE, LINK_BUSY };

struct peer {
	uint32_t magic;
	struct table_env *env;
	const struct wire *wire;
	struct dial_place place;
	char *where;			/* its key in peers */
	TAILQ_HEAD(, link) links;
	size_t n_links, n_dialling;
	struct fact_list waiting;
	size_t n_waiting;
	uint64_t rests_until_ms;
	char why[256];
};

/* One question on its way: it stays when its asker goes, for its answer is
 * still to come. */
struct link {
	uint32_t magic;
	TAILQ_ENTRY(link) entry;
	struct peer *peer;
	enum link_state state;
	struct dial *dial;
	struct stream *stream;
	struct timer limit;
	struct fact *fact;		/* LINK_BUSY; NULL: it has gone */
	bool used;			/* has carried a question before */
};

struct peers {
	struct map *by_place;
};

/* Where a fact is: fact->at is its link, or its peer while it waits. */

/* --- ends --- */

static void
peer_free(struct peer *p)
{
	dial_place_fini(&p->place);
	free(p->where);
	p->magic = 0;
	free(p);
}

static void
link_free(struct link *l)
{
	struct peer *p = l->peer;

	dial_cancel(&l->dial);
	stream_free(&l->stream);
	timer_clear(&l->limit);
	TAILQ_REMOVE(&p->links, l, entry);
	p->n_links--;
	p->n_dialling -= l->state == LINK_DIALS;
	l->magic = 0;
	free(l);
}

static void
fact_unwait(struct peer *p, struct fact *f)
{
	TAILQ_REMOVE(&p->waiting, f, wait);
	p->n_waiting--;
}

static void peer_pump(struct peer *p);

/* The question fails with the connection. */
static void
link_fail(struct link *l, const char *why)
{
	struct peer *p = l->peer;
	struct fact *f = l->fact;

	link_free(l);
	if (f != NULL)
		fact_failed(f, "%s", why);
	peer_pump(p);
}

static bool
resting(const struct peer *p)
{
	return loop_now_ms(p->env->loop) < p->rests_until_ms;
}

static void
waiting_fail(struct peer *p)
{
	struct fact *f;

	while ((f = TAILQ_FIRST(&p->waiting)) != NULL) {
		fact_unwait(p, f);
		fact_failed(f, "%s", p->why);
	}
}

/* --- a connection --- */

static void
link_send(struct link *l, struct fact *f)
{
	struct peer *p = l->peer;

	l->state = LINK_BUSY;
	l->fact = f;
	f->at = l;
	p->wire->request(f->remote->name, fact_key(f),
	    stream_out(l->stream));
	timer_set_ms(&l->limit, (uint64_t)p->env->conf->table_timeout);
}

static void
link_idle(struct link *l)
{
	l->state = LINK_IDLE;
	l->fact = NULL;
	timer_set_ms(&l->limit, IDLE_MS);
}

static void
answered(struct link *l, enum table_result r, const struct buf *value,
    const struct err *err)
{
	struct fact *f = l->fact;

	l->used = true;
	link_idle(l);
	if (f == NULL)
		return;
	if (r == TABLE_NOTFOUND)
		fact_not_found(f);
	else if (r == TABLE_TEMPFAIL)
		fact_failed(f, "%s", err->why);
	else if (buf_failed(value))
		fact_failed(f, "the value is too long");
	else
		fact_found(f, buf_span(value));
}

static void
readable_cb(struct stream *s, void *arg)
{
	struct link *l = OBJ_CAST(arg, link, LINK_MAGIC);
	struct peer *p = l->peer;
	struct buf *in = stream_in(s), value;
	enum table_result r = TABLE_TEMPFAIL;
	enum wire_state st;
	struct err err;
	size_t used = 0;

	if (l->state != LINK_BUSY) {
		link_fail(l, "an answer to no question");
		return;
	}
	err_clear(&err);
	buf_init(&value, TABLE_VALUE_MAX);
	st = p->wire->reply(buf_span(in), &used, &r, &value, &err);
	if (st == WIRE_GARBAGE)
		link_fail(l, err.why);
	else if (st == WIRE_DONE) {
		buf_consume(in, used);
		answered(l, r, &value, &err);
		if (buf_len(in) > 0)	/* whose answer would that be? */
			link_free(l);
		peer_pump(p);
	}
	buf_fini(&value);
}

/* A server may close what it has not heard of for a while, just when the next
 * question is under way: that one is asked again. */
static void
ended_cb(struct stream *s, enum stream_end end, const char *text, void *arg)
{
	struct link *l = OBJ_CAST(arg, link, LINK_MAGIC);
	struct peer *p = l->peer;
	struct fact *f = l->fact;

	(void)end;
	if (l->state == LINK_BUSY && f != NULL && l->used &&
	    buf_len(stream_in(s)) == 0) {
		f->at = p;
		TAILQ_INSERT_HEAD(&p->waiting, f, wait);
		p->n_waiting++;
		l->fact = NULL;
	}
	link_fail(l, text[0] == '\0' ? "the server closed the connection" :
	    text);
}

static const struct stream_cbs stream_cbs = {
	.readable = readable_cb, .ended = ended_cb,
};

static void
limit_cb(void *arg)
{
	struct link *l = OBJ_CAST(arg, link, LINK_MAGIC);

	link_fail(l, "no answer in time");
}

static void
dialled_cb(int fd, const struct err *err, void *arg)
{
	struct link *l = OBJ_CAST(arg, link, LINK_MAGIC);
	struct peer *p = l->peer;

	l->dial = NULL;
	if (fd == -1) {
		link_free(l);
		p->rests_until_ms = loop_now_ms(p->env->loop) + REST_MS;
		(void)snprintf(p->why, sizeof(p->why), "%s", err->why);
		/* with another connection at work, all is served by that */
		if (p->n_links == 0)
			waiting_fail(p);
		return;
	}
	p->n_dialling--;
	l->stream = stream_new(p->env->loop, fd, &stream_cbs, l);
	stream_in_limit(l->stream, WIRE_REPLY_MAX);
	link_idle(l);
	peer_pump(p);
}

static void
link_new(struct peer *p)
{
	struct table_env *env = p->env;
	struct link *l = xcalloc(1, sizeof(*l));

	if (env->names == NULL)
		env->names = work_pool_new(env->loop, 1);
	l->magic = LINK_MAGIC;
	l->peer = p;
	l->state = LINK_DIALS;
	timer_init(&l->limit, env->loop, limit_cb, l);
	TAILQ_INSERT_TAIL(&p->links, l, entry);
	p->n_links++;
	p->n_dialling++;
	l->dial = dial_start(env->loop, env->names, &p->place,
	    (uint32_t)env->conf->table_timeout, dialled_cb, l);
}

/* --- a server --- */

/* Gives questions to idle connections, and makes more of these. One that was
 * just refused is not tried again while others are at work. */
static void
peer_pump(struct peer *p)
{
	struct link *l;
	struct fact *f;

	TAILQ_FOREACH(l, &p->links, entry) {
		if (l->state != LINK_IDLE)
			continue;
		if ((f = TAILQ_FIRST(&p->waiting)) == NULL)
			break;
		fact_unwait(p, f);
		link_send(l, f);
	}
	while (p->n_dialling < p->n_waiting && p->n_links <
	    (size_t)p->env->conf->table_connection_limit &&
	    (p->n_links == 0 || !resting(p)))
		link_new(p);
}

static struct peer *
peer_get(struct table_env *env, const struct table_remote *r)
{
	const struct wire *wire = r->kind == TABLE_REMOTE_TCP ? &wire_tcp :
	    &wire_socketmap;
	char *where = xasprintf("%s:%s", wire->name, r->where);
	struct peer *p = map_get(env->peers->by_place, span_str(where));

	if (p != NULL) {
		free(where);
		return p;
	}
	p = xcalloc(1, sizeof(*p));
	p->magic = PEER_MAGIC;
	p->env = env;
	p->wire = wire;
	p->where = where;
	/* was looked at when the table was opened */
	if (dial_place_parse(span_str(r->where), &p->place, NULL) != 0)
		ps_assert(!"a place that was good");
	TAILQ_INIT(&p->links);
	TAILQ_INIT(&p->waiting);
	(void)map_put(env->peers->by_place, span_str(where), p);
	return p;
}

/* --- the source --- */

static void
line_start(struct fact *f)
{
	struct peer *p = peer_get(f->env, f->remote);

	if (p->n_links == 0 && resting(p)) {
		fact_failed(f, "%s", p->why);
		return;
	}
	if (p->n_waiting >= (size_t)f->env->conf->table_queue_limit) {
		fact_failed(f, "too many look-ups wait for the server");
		return;
	}
	f->at = p;
	TAILQ_INSERT_TAIL(&p->waiting, f, wait);
	p->n_waiting++;
	peer_pump(p);
}

static void
line_cancel(struct fact *f)
{
	const uint32_t *magic = f->at;

	if (*magic == LINK_MAGIC)
		OBJ_CAST(f->at, link, LINK_MAGIC)->fact = NULL;
	else
		fact_unwait(OBJ_CAST(f->at, peer, PEER_MAGIC), f);
}

const struct source source_line = {
	.start = line_start, .cancel = line_cancel,
};

struct peers *
peers_new(void)
{
	struct peers *all = xcalloc(1, sizeof(*all));

	all->by_place = map_new();
	return all;
}

void
peers_free(struct peers **allp)
{
	struct peers *all = *allp;
	struct link *l;
	size_t pos = 0;
	void *value;

	*allp = NULL;
	while (map_next(all->by_place, &pos, NULL, &value)) {
		struct peer *p = value;

		while ((l = TAILQ_FIRST(&p->links)) != NULL)
			link_free(l);
		peer_free(p);
	}
	map_free(&all->by_place);
	free(all);
}
