#include "live/live.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/ctl_serve.h"

/* Somebody's way through all sessions. */
struct walk {
	TAILQ_ENTRY(walk) link;
	struct live *live;
	struct live_link *next;		/* NULL: through */
	struct live_filter *filter;
	bool kick;
	unsigned kicked;
};

struct live {
	struct loop *loop;
	char *process;
	const struct live_ops *ops;
	struct ctl_serve *serve;
	TAILQ_HEAD(, live_link) sessions;
	TAILQ_HEAD(, walk) walks;
};

/* --- sessions come and go --- */

void
live_enter(struct live *live, struct live_link *l)
{
	l->since_ms = l->touched_ms = loop_now_ms(live->loop);
	TAILQ_INSERT_TAIL(&live->sessions, l, link);
}

void
live_leave(struct live *live, struct live_link *l)
{
	struct walk *w;

	TAILQ_FOREACH(w, &live->walks, link)
		if (w->next == l)
			w->next = TAILQ_NEXT(l, link);
	TAILQ_REMOVE(&live->sessions, l, link);
}

void
live_touch(struct live *live, struct live_link *l)
{
	l->touched_ms = loop_now_ms(live->loop);
}

/* --- rows --- */

static void
put_since(struct buf *b, uint64_t age_ms)
{
	buf_str(b, ", \"since\": ");
	json_put_time(b, clock_wall_us() / 1000000 -
	    (int64_t)(age_ms / 1000));
}

static void
row_put(const struct live *live, const struct live_link *l,
    const struct live_facts *f, struct buf *b)
{
	uint64_t now = loop_now_ms(live->loop);

	buf_char(b, '{');
	json_put_member(b, "id", span_str(f->id));
	json_put_member(b, "service", span_str(f->service));
	json_put_member(b, "process", span_str(live->process));
	json_put_member(b, "ip", span_str(f->ip));
	json_put_member(b, "user", span_str(f->user));
	put_since(b, now - l->since_ms);
	buf_fmt(b, ", \"idle_s\": %llu",
	    (unsigned long long)(now - l->touched_ms) / 1000);
	json_put_member(b, "tls", span_str(f->tls));
	json_put_member(b, "state", span_str(f->state));
	json_put_member(b, "mailbox", f->mailbox);
	buf_char(b, '}');
}

/* --- walks --- */

static void
walk_free(void *arg)
{
	struct walk *w = arg;

	TAILQ_REMOVE(&w->live->walks, w, link);
	live_filter_free(&w->filter);
	free(w);
}

static void
walk_done(struct ctl_call *c, const struct walk *w)
{
	struct buf b;

	if (!w->kick)
		return;
	if (w->kicked > 0)
		log_info("sessions ended by the administrator: %u",
		    w->kicked);
	buf_init(&b, 256);
	buf_fmt(&b, "{\"kicked\": %u}", w->kicked);
	ctl_row(c, buf_span(&b));
	buf_fini(&b);
}

static bool
walk_step(struct ctl_call *c, void *state)
{
	struct walk *w = state;
	struct live_link *l = w->next;
	struct live_facts f = { 0 };
	struct buf b;

	if (l == NULL) {
		walk_done(c, w);
		return false;
	}
	w->next = TAILQ_NEXT(l, link);
	w->live->ops->facts(l, &f);
	if (!live_filter_match(w->filter, &f))
		return true;
	if (w->kick) {
		w->kicked++;
		w->live->ops->kick(l);
		return true;
	}
	buf_init(&b, 16384);
	row_put(w->live, l, &f, &b);
	if (!buf_failed(&b))
		ctl_row(c, buf_span(&b));
	buf_fini(&b);
	return true;
}

static void
walk_start(struct ctl_call *c, struct span args, struct live *live, bool kick)
{
	const char *why;
	struct live_filter *filter = live_filter_new(args, &why);
	struct walk *w;

	if (filter == NULL || (kick && args.n == 0)) {
		ctl_end(c, EX_USAGE, filter == NULL ? why : "kick whom?");
		live_filter_free(&filter);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->live = live;
	w->next = TAILQ_FIRST(&live->sessions);
	w->filter = filter;
	w->kick = kick;
	TAILQ_INSERT_TAIL(&live->walks, w, link);
	ctl_walk(c, walk_step, walk_free, w);
}

static void
session_list(struct ctl_call *c, struct span args, void *arg)
{
	walk_start(c, args, arg, false);
}

static void
session_kick(struct ctl_call *c, struct span args, void *arg)
{
	walk_start(c, args, arg, true);
}

static const struct ctl_verb verbs[] = {
	{ "session list", session_list },
	{ "session kick", session_kick },
};

/* --- life --- */

struct live *
live_new(struct loop *l, const char *process, const struct live_ops *ops)
{
	struct live *live = xcalloc(1, sizeof(*live));

	live->loop = l;
	live->process = xstrdup(process);
	live->ops = ops;
	TAILQ_INIT(&live->sessions);
	TAILQ_INIT(&live->walks);
	live->serve = ctl_serve_new(l, process, verbs, ARRAY_LEN(verbs),
	    live);
	return live;
}

void
live_free(struct live **lp)
{
	struct live *live = *lp;

	if (live == NULL)
		return;
	ctl_serve_free(&live->serve);
	free(live->process);
	free(live);
	*lp = NULL;
}

void
live_name(struct live *live, const char *process)
{
	free(live->process);
	live->process = xstrdup(process);
}

void
live_control(struct live *live, int fd)
{
	ctl_serve_peer(live->serve, fd);
}
