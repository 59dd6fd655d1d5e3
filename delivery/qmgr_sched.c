/*
 * What is due. A message is on the due list, on the wheel of those that wait,
 * or nowhere (held, moving, all with agents or done). One function,
 * sched_consider, decides where it belongs.
 */
#include "delivery/qmgr.h"

#include "base/clock.h"
#include "base/log.h"

#define DUE_PER_TURN	500
#define JUMP_US		((int64_t)3600 * 1000000)

static struct qmgr_list *
slot_of(struct qmgr *q, const struct spool_msg *m)
{
	return &q->wheel[m->next_ms / 1000 % WHEEL_SLOTS];
}

void
sched_forget(struct qmgr *q, struct spool_msg *m)
{
	if (m->sched_list == LIST_DUE) {
		TAILQ_REMOVE(&q->due, m, sched);
		q->n_due--;
	} else if (m->sched_list == LIST_WAITING) {
		TAILQ_REMOVE(slot_of(q, m), m, sched);
		q->n_waiting--;
	}
	m->sched_list = LIST_NONE;
}

bool
sched_has_due(const struct spool_msg *m, bool mailbox_only)
{
	uint32_t i;

	for (i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].state == SPOOL_DUE &&
		    (!mailbox_only || m->rcpt[i].kind == ENVELOPE_MAILBOX))
			return true;
	return false;
}

/* A whole scan from now on. One that is under way does not reach what was
 * put behind it, so there is another. */
void
sched_kick(struct qmgr *q)
{
	if (q->scan_left > 0)
		q->scan_again = true;
	if (q->ready && !q->stopping)
		defer_call(&q->run);
}

/* next_ms tells the slot: change it only through here. */
static void
sched_put(struct qmgr *q, struct spool_msg *m, uint64_t next_ms)
{
	uint64_t now = loop_now_ms(q->loop);

	sched_forget(q, m);
	m->next_ms = next_ms;
	if (m->held || m->moving || m->deleting || !sched_has_due(m, false))
		return;
	if (m->next_ms <= now) {
		m->sched_list = LIST_DUE;
		TAILQ_INSERT_TAIL(&q->due, m, sched);
		q->n_due++;
		sched_kick(q);
	} else {
		m->sched_list = LIST_WAITING;
		TAILQ_INSERT_TAIL(slot_of(q, m), m, sched);
		q->n_waiting++;
	}
}

void
sched_consider(struct qmgr *q, struct spool_msg *m)
{
	sched_put(q, m, m->next_ms);
}

void
sched_now(struct qmgr *q, struct spool_msg *m)
{
	sched_put(q, m, 0);
}

/* Age of the message by the wall clock, which only expiry believes. */
static int64_t
age_us(const struct spool_msg *m)
{
	return clock_wall_us() - m->arrival_us;
}

static bool
is_expired(const struct qmgr *q, const struct spool_msg *m)
{
	int64_t life = q->env->conf->maximal_queue_lifetime * 1000;

	/* J13: two attempts since the start, and a clock to be trusted */
	return life > 0 && m->tries >= 2 && !q->clock_jumped &&
	    age_us(m) > life;
}

/* Postfix's rule: wait as long as it has waited already, within limits. */
void
sched_back_off(struct qmgr *q, struct spool_msg *m)
{
	const struct conf *c = q->env->conf;
	uint64_t now = loop_now_ms(q->loop), wait = now - m->found_ms;

	if (age_us(m) > 0 && (uint64_t)age_us(m) / 1000 > wait &&
	    !q->clock_jumped)
		wait = (uint64_t)age_us(m) / 1000;
	wait = MAX(wait, (uint64_t)c->minimal_backoff_time);
	wait = MIN(wait, (uint64_t)c->maximal_backoff_time);
	m->attempts++;
	m->tries++;
	sched_forget(q, m);
	m->next_ms = now + wait;
	spool_tried(q->spool, m);
	if (is_expired(q, m)) {
		log_warning("%s: is %lld days old and held: bounces are not "
		    "built yet", m->queue_id,
		    (long long)(age_us(m) / 86400000000));
		spool_reason_set(m, "expired; held, as bounces are not built "
		    "yet");
		spool_hold(q->spool, m, true);
	}
	sched_consider(q, m);
}

/* --- the loop's turns --- */

/* The first of the due list goes to its agents, or to the list's end. */
static void
due_try(struct qmgr *q, struct spool_msg *m)
{
	/* it began to move or to go since it was put here: `changed` or
	 * `removed` follows */
	if (m->moving || m->deleting || m->held) {
		sched_forget(q, m);
		return;
	}
	if (sched_has_due(m, true))
		(void)agents_try(q, m);
	if (sched_has_due(m, true)) {
		/* its lane is full or down; others behind it may go */
		TAILQ_REMOVE(&q->due, m, sched);
		TAILQ_INSERT_TAIL(&q->due, m, sched);
		return;
	}
	sched_forget(q, m);
	if (sched_has_due(m, false))
		external_defer(q, m);
}

/* A scan looks at each due message once, in bounded turns. */
static void
run_cb(void *arg)
{
	struct qmgr *q = arg;
	unsigned n;

	if (!q->ready || q->stopping)
		return;
	if (q->scan_left == 0) {
		q->scan_left = q->n_due;
		q->scan_again = false;
	}
	for (n = 0; n < DUE_PER_TURN && q->scan_left > 0; n++) {
		if (TAILQ_EMPTY(&q->due) || !agents_have_room(q)) {
			q->scan_left = 0;
			return;
		}
		q->scan_left--;
		due_try(q, TAILQ_FIRST(&q->due));
	}
	if (q->scan_left > 0 || q->scan_again)
		defer_call(&q->run);
}

static void
wheel_walk(struct qmgr *q, uint64_t now_ms)
{
	struct qmgr_list mine;
	struct spool_msg *m;
	uint64_t second = now_ms / 1000;

	if (second - q->wheel_s > WHEEL_SLOTS)
		q->wheel_s = second - WHEEL_SLOTS;
	while (q->wheel_s < second) {
		struct qmgr_list *slot = &q->wheel[q->wheel_s++ %
		    WHEEL_SLOTS];

		TAILQ_INIT(&mine);
		TAILQ_CONCAT(&mine, slot, sched);
		while ((m = TAILQ_FIRST(&mine)) != NULL) {
			/* back through the front door: it counts anew */
			TAILQ_REMOVE(&mine, m, sched);
			m->sched_list = LIST_NONE;
			q->n_waiting--;
			sched_consider(q, m);
		}
	}
}

static void
clock_watch(struct qmgr *q)
{
	int64_t offset = clock_wall_us() - (int64_t)clock_mono_us();
	int64_t moved = offset - q->wall_offset_us;

	q->wall_offset_us = offset;
	if (moved <= JUMP_US && moved >= -JUMP_US)
		return;
	q->clock_jumped = true;
	log_warning("the clock jumped by %lld s: no message expires until "
	    "qmgr is started anew", (long long)(moved / 1000000));
}

static void
second_cb(void *arg)
{
	struct qmgr *q = arg;

	wheel_walk(q, loop_now_ms(q->loop));
	clock_watch(q);
	timer_set_ms(&q->second, 1000);
}

void
sched_init(struct qmgr *q)
{
	size_t i;

	TAILQ_INIT(&q->due);
	for (i = 0; i < WHEEL_SLOTS; i++)
		TAILQ_INIT(&q->wheel[i]);
	q->wheel_s = loop_now_ms(q->loop) / 1000;
	q->wall_offset_us = clock_wall_us() - (int64_t)clock_mono_us();
	defer_init(&q->run, q->loop, run_cb, q);
	timer_init(&q->second, q->loop, second_cb, q);
	timer_set_ms(&q->second, 1000);
}

void
sched_fini(struct qmgr *q)
{
	defer_cancel(&q->run);
	timer_clear(&q->second);
}
