/*
 * A service has slots (connections, idle or with one ask) and a queue of
 * asks without a slot. An ask moves
 *
 *	WAITING -> ASKING -> (callback)
 *	   ^--- RESTING <-'        DONE: the callback comes next turn
 *
 * with one timer: the time of its try, or its rest.
 */
#include "policy/policy.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "policy/conn.h"

#define ASK_MAGIC	0x706f6c61u
#define SLOT_MAGIC	0x706f6c73u

struct service;

enum ask_state { ASK_WAITING, ASK_ASKING, ASK_RESTING, ASK_DONE };

struct policy_ask {
	uint32_t magic;
	enum ask_state state;
	TAILQ_ENTRY(policy_ask) link;	/* service->waiting or ->others */
	struct service *service;
	struct policy_spec *spec;	/* default action and times are its */
	struct slot *slot;		/* ASKING */
	int64_t tries;			/* those that failed */
	bool again;			/* had its extra try (rule 4) */
	struct timer timer;
	struct defer defer;
	policy_cb *cb;
	void *arg;
	const char *why;		/* DONE */
	size_t n;
	char request[];
};

/* A connection; idle when it has no ask. */
struct slot {
	uint32_t magic;
	TAILQ_ENTRY(slot) link;		/* service->idle or ->busy */
	struct service *service;
	struct policy_conn *conn;
	struct policy_ask *ask;
	bool up;
	uint64_t born_ms;
	int64_t requests;
	struct timer timer;		/* while idle */
};

TAILQ_HEAD(slot_list, slot);
TAILQ_HEAD(ask_list, policy_ask);

struct service {
	TAILQ_ENTRY(service) link;
	struct policy *owner;
	struct policy_spec *spec;	/* place and limits are its */
	struct slot_list idle, busy;	/* idle: the last used in front */
	int64_t n_slots;
	struct ask_list waiting, others;
	int64_t n_waiting;
};

struct policy {
	struct loop *loop;
	struct work_pool *names;
	struct map *services;		/* by spec->key */
	TAILQ_HEAD(, service) list;
	uint64_t asked, failed;
	size_t n_slots;
};

static void ask_try(struct policy_ask *a, bool new_slot);
static void ask_failed(struct policy_ask *a, const char *why);

/* --- services --- */

static struct service *
service_get(struct policy *p, struct policy_spec *spec)
{
	struct service *s = map_get(p->services, span_str(spec->key));

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->owner = p;
	s->spec = policy_spec_ref(spec);
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->busy);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->others);
	TAILQ_INSERT_TAIL(&p->list, s, link);
	(void)map_put(p->services, span_str(spec->key), s);
	return s;
}

/* What no one uses any more, perhaps since a reload, goes. */
static void
service_check(struct service *s)
{
	if (s->n_slots > 0 || !TAILQ_EMPTY(&s->waiting) ||
	    !TAILQ_EMPTY(&s->others))
		return;
	(void)map_del(s->owner->services, span_str(s->spec->key));
	TAILQ_REMOVE(&s->owner->list, s, link);
	policy_spec_unref(&s->spec);
	free(s);
}

/* --- slots --- */

static void
slot_close(struct slot *slot)
{
	struct service *s = slot->service;

	TAILQ_REMOVE(slot->ask != NULL ? &s->busy : &s->idle, slot, link);
	s->n_slots--;
	s->owner->n_slots--;
	if (slot->ask != NULL)
		slot->ask->slot = NULL;
	timer_clear(&slot->timer);
	policy_conn_free(&slot->conn);
	slot->magic = 0;
	free(slot);
}

static void
slot_timer_cb(void *arg)
{
	struct slot *slot = OBJ_CAST(arg, slot, SLOT_MAGIC);
	struct service *s = slot->service;

	slot_close(slot);
	service_check(s);
}

static void
slot_send(struct slot *slot)
{
	slot->requests++;
	policy_conn_send(slot->conn, span_of(slot->ask->request,
	    slot->ask->n));
}

static void
slot_up(void *arg)
{
	struct slot *slot = OBJ_CAST(arg, slot, SLOT_MAGIC);

	slot->up = true;
	slot_send(slot);
}

/* Gives slots to those that wait, as far as there are any. */
static void
service_dispatch(struct service *s)
{
	struct policy_ask *a;

	while ((a = TAILQ_FIRST(&s->waiting)) != NULL &&
	    (!TAILQ_EMPTY(&s->idle) ||
	    s->n_slots < s->spec->connection_limit)) {
		TAILQ_REMOVE(&s->waiting, a, link);
		s->n_waiting--;
		TAILQ_INSERT_TAIL(&s->others, a, link);
		ask_try(a, false);
	}
}

/* Its ask has been answered: takes another one, rests, or ends. */
static void
slot_release(struct slot *slot, bool usable)
{
	struct service *s = slot->service;
	const struct policy_spec *spec = s->spec;
	int64_t age = (int64_t)(loop_now_ms(s->owner->loop) - slot->born_ms);

	if (!usable || age >= spec->max_ttl || (spec->request_limit > 0 &&
	    slot->requests >= spec->request_limit)) {
		slot_close(slot);
		return;
	}
	TAILQ_REMOVE(&s->busy, slot, link);
	slot->ask->slot = NULL;
	slot->ask = NULL;
	TAILQ_INSERT_HEAD(&s->idle, slot, link);
	timer_set_ms(&slot->timer, (uint64_t)MIN(spec->max_idle,
	    spec->max_ttl - age));
}

static void
slot_lost(const char *why, bool heard, void *arg)
{
	struct slot *slot = OBJ_CAST(arg, slot, SLOT_MAGIC);
	struct service *s = slot->service;
	struct policy_ask *a = slot->ask;
	bool again = a != NULL && slot->requests > 1 && !heard && !a->again;
	char *copy = xstrdup(why);	/* the connection's own */

	slot_close(slot);
	if (again) {
		a->again = true;
		ask_try(a, true);
	} else if (a != NULL) {
		ask_failed(a, copy);
		free(copy);
		return;
	}
	free(copy);
	service_dispatch(s);
	service_check(s);
}

static void slot_answer(char *action, bool usable, void *arg);

static const struct policy_conn_cbs slot_cbs = { slot_up, slot_answer,
	slot_lost };

static struct slot *
slot_new(struct service *s)
{
	struct slot *slot = xcalloc(1, sizeof(*slot));

	slot->magic = SLOT_MAGIC;
	slot->service = s;
	slot->born_ms = loop_now_ms(s->owner->loop);
	timer_init(&slot->timer, s->owner->loop, slot_timer_cb, slot);
	slot->conn = policy_conn_new(s->owner->loop, s->owner->names,
	    &s->spec->place, (uint32_t)s->spec->timeout, &slot_cbs, slot);
	TAILQ_INSERT_TAIL(&s->idle, slot, link);
	s->n_slots++;
	s->owner->n_slots++;
	return slot;
}

/* --- asks --- */

static void
ask_free(struct policy_ask *a)
{
	struct service *s = a->service;

	if (a->state == ASK_WAITING) {
		TAILQ_REMOVE(&s->waiting, a, link);
		s->n_waiting--;
	} else
		TAILQ_REMOVE(&s->others, a, link);
	timer_clear(&a->timer);
	defer_cancel(&a->defer);
	policy_spec_unref(&a->spec);
	a->magic = 0;
	free(a);
}

/* The end of an ask, from the loop; why is NULL with an answer. The last
 * thing that is done: the callback may free the client. */
static void
ask_end(struct policy_ask *a, const char *action, const char *why)
{
	struct service *s = a->service;
	policy_cb *cb = a->cb;
	void *cb_arg = a->arg;
	struct policy_spec *spec = policy_spec_ref(a->spec);
	struct policy_answer answer = { .failed = why != NULL,
		.action = why != NULL ? spec->default_action : action };

	if (why != NULL) {
		log_warning("problem talking to server %s: %s", spec->name,
		    why);
		s->owner->failed++;
	}
	ask_free(a);
	service_dispatch(s);
	service_check(s);
	cb(&answer, cb_arg);
	policy_spec_unref(&spec);
}

static void
ask_defer_cb(void *arg)
{
	struct policy_ask *a = OBJ_CAST(arg, policy_ask, ASK_MAGIC);

	ask_end(a, NULL, a->why);
}

static void
slot_answer(char *action, bool usable, void *arg)
{
	struct slot *slot = OBJ_CAST(arg, slot, SLOT_MAGIC);
	struct policy_ask *a = slot->ask;

	slot_release(slot, usable);
	ask_end(a, action, NULL);
	free(action);
}

/* One try has failed. */
static void
ask_failed(struct policy_ask *a, const char *why)
{
	struct service *s = a->service;

	if (++a->tries >= a->spec->try_limit) {
		ask_end(a, NULL, why);
		return;
	}
	a->state = ASK_RESTING;
	a->again = false;
	timer_set_ms(&a->timer, (uint64_t)a->spec->retry_delay);
	service_dispatch(s);
}

static void
ask_timer_cb(void *arg)
{
	struct policy_ask *a = OBJ_CAST(arg, policy_ask, ASK_MAGIC);
	struct service *s = a->service;

	switch (a->state) {
	case ASK_RESTING:
		timer_set_ms(&a->timer, (uint64_t)a->spec->timeout);
		ask_try(a, false);
		return;
	case ASK_WAITING:
		TAILQ_REMOVE(&s->waiting, a, link);
		s->n_waiting--;
		TAILQ_INSERT_TAIL(&s->others, a, link);
		a->state = ASK_RESTING;
		ask_failed(a, "no connection was free in time");
		return;
	case ASK_ASKING:
		slot_close(a->slot);
		ask_failed(a, "no answer in time");
		return;
	case ASK_DONE:
		break;
	}
}

/* Takes a slot, or a place in the queue. a is in `others`. */
static void
ask_try(struct policy_ask *a, bool new_slot)
{
	struct service *s = a->service;
	struct slot *slot = new_slot ? NULL : TAILQ_FIRST(&s->idle);

	if (slot == NULL && s->n_slots < s->spec->connection_limit)
		slot = slot_new(s);
	if (slot == NULL && s->n_waiting >= s->spec->queue_limit) {
		a->state = ASK_DONE;
		a->why = "too many requests wait for it";
		defer_call(&a->defer);
		return;
	}
	if (slot == NULL) {
		a->state = ASK_WAITING;
		TAILQ_REMOVE(&s->others, a, link);
		TAILQ_INSERT_TAIL(&s->waiting, a, link);
		s->n_waiting++;
		return;
	}
	a->state = ASK_ASKING;
	a->slot = slot;
	slot->ask = a;
	TAILQ_REMOVE(&s->idle, slot, link);
	TAILQ_INSERT_TAIL(&s->busy, slot, link);
	timer_clear(&slot->timer);
	if (slot->up)
		slot_send(slot);
}

struct policy_ask *
policy_ask(struct policy *p, struct policy_spec *spec, struct span request,
    policy_cb *cb, void *arg)
{
	struct policy_ask *a = xmalloc(sizeof(*a) + request.n);

	*a = (struct policy_ask){ .magic = ASK_MAGIC, .cb = cb, .arg = arg,
		.state = ASK_RESTING, .service = service_get(p, spec),
		.spec = policy_spec_ref(spec), .n = request.n };
	memcpy(a->request, request.p, request.n);
	timer_init(&a->timer, p->loop, ask_timer_cb, a);
	defer_init(&a->defer, p->loop, ask_defer_cb, a);
	TAILQ_INSERT_TAIL(&a->service->others, a, link);
	p->asked++;
	timer_set_ms(&a->timer, (uint64_t)spec->timeout);
	ask_try(a, false);
	return a;
}

void
policy_cancel(struct policy_ask **ap)
{
	struct policy_ask *a = *ap;
	struct service *s;

	*ap = NULL;
	if (a == NULL)
		return;
	s = a->service;
	if (a->slot != NULL)
		slot_close(a->slot);	/* its answer is nobody's */
	ask_free(a);
	service_dispatch(s);
	service_check(s);
}

/* --- the client --- */

struct policy *
policy_new(struct loop *l, struct work_pool *names)
{
	struct policy *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->names = names;
	p->services = map_new();
	TAILQ_INIT(&p->list);
	return p;
}

static void
service_end(struct service *s)
{
	struct policy_ask *a;
	struct slot *slot;

	while ((slot = TAILQ_FIRST(&s->busy)) != NULL ||
	    (slot = TAILQ_FIRST(&s->idle)) != NULL)
		slot_close(slot);
	while ((a = TAILQ_FIRST(&s->waiting)) != NULL ||
	    (a = TAILQ_FIRST(&s->others)) != NULL)
		ask_free(a);
	service_check(s);
}

void
policy_free(struct policy **pp)
{
	struct policy *p = *pp;
	struct service *s;

	*pp = NULL;
	if (p == NULL)
		return;
	while ((s = TAILQ_FIRST(&p->list)) != NULL)
		service_end(s);
	map_free(&p->services);
	free(p);
}

void
policy_status(const struct policy *p, struct buf *json)
{
	buf_fmt(json, "\"policy_asked\": %llu, \"policy_failed\": %llu, "
	    "\"policy_connections\": %zu", (unsigned long long)p->asked,
	    (unsigned long long)p->failed, p->n_slots);
}
