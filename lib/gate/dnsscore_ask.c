#include "gate/dnsscore_ask.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct dnsscore_ask {
	const struct gate *gate;
	struct gate_facts facts;	/* nothing but where the rest begins */
	struct gate_ask ask;
	struct defer first;
	struct timer timer;
	bool late;
	dnsscore_cb *cb;
	void *arg;
	char ip[];
};

static void
ask_free(struct dnsscore_ask *a)
{
	gate_ask_end(&a->ask);
	defer_cancel(&a->first);
	timer_clear(&a->timer);
	free(a);
}

/* The whole refusal; false: a table's answer is to come. */
static bool
reply_put(struct dnsscore_ask *a, const struct dnsscore *s, struct buf *out)
{
	struct buf names;
	bool known;

	buf_init(&names, DNSSCORE_TEXT_MAX);
	known = dnsscore_names(a->gate, s, &gate_ask_ops, &a->ask, &names) ||
	    a->late;
	buf_fmt(out, "Service unavailable; client [%s] blocked%s%s", a->ip,
	    buf_len(&names) > 0 ? " using " : "", buf_cstr(&names));
	buf_fini(&names);
	return known;
}

static void
look(void *arg)
{
	struct dnsscore_ask *a = arg;
	struct dnsscore_limits limits = dnsscore_limits_of(
	    gate_conf(a->gate));
	dnsscore_cb *cb = a->cb;
	void *cb_arg = a->arg;
	struct dnsscore s;
	struct buf reply;
	bool known;

	dnsscore_count(gate_score_sites(a->gate), a->ip, &limits, a->late,
	    &gate_ask_ops, &a->ask, &s);
	if (s.verdict == DNSSCORE_OPEN)
		return;
	buf_init(&reply, 2 * DNSSCORE_TEXT_MAX);
	known = (s.verdict != DNSSCORE_BLOCK && s.verdict !=
	    DNSSCORE_UNSURE) || reply_put(a, &s, &reply);
	if (known) {
		ask_free(a);
		cb(&s, buf_cstr(&reply), cb_arg);
	}
	buf_fini(&reply);
}

static void
late_cb(void *arg)
{
	struct dnsscore_ask *a = arg;

	a->late = true;
	look(a);
}

struct dnsscore_ask *
dnsscore_ask(const struct gate_world *w, const struct gate *g, const char *ip,
    dnsscore_cb *cb, void *arg)
{
	size_t n = strlen(ip) + 1;
	struct dnsscore_ask *a = xcalloc(1, sizeof(*a) + n);

	a->gate = g;
	a->ask.world = w;
	a->ask.facts = &a->facts;
	a->ask.come = look;
	a->ask.arg = a;
	a->cb = cb;
	a->arg = arg;
	memcpy(a->ip, ip, n);
	gate_ask_begin(&a->ask, SPAN_NONE);
	defer_init(&a->first, w->loop, look, a);
	defer_call(&a->first);
	timer_init(&a->timer, w->loop, late_cb, a);
	timer_set_ms(&a->timer, (uint64_t)
	    gate_conf(g)->postscreen_dnsbl_timeout);
	return a;
}

void
dnsscore_cancel(struct dnsscore_ask **ap)
{
	struct dnsscore_ask *a = *ap;

	*ap = NULL;
	if (a != NULL)
		ask_free(a);
}
