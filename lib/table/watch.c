#include "table/watch.h"

#include <stdlib.h>

#include "base/work.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

struct table_watch {
	struct loop *loop;
	struct work_pool *pool;
	struct timer tick;
	uint64_t every_ms;
	bool again;			/* asked for while it is at it */
	struct table **all;
	size_t n;
	/* what the thread works on: it may not see `all` grow */
	struct work work;
	struct table **turn;
	size_t n_turn;
};

/* In the thread; each table says itself what was wrong. */
static void
turn_run(void *arg)
{
	struct table_watch *w = arg;
	size_t i;

	for (i = 0; i < w->n_turn; i++)
		(void)table_refresh(w->turn[i], NULL);
}

static void
turn_done(void *arg)
{
	struct table_watch *w = arg;

	timer_set_ms(&w->tick, w->again ? 0 : w->every_ms);
	w->again = false;
}

/* Those that only we hold are of no use any more. */
static void
forget_unused(struct table_watch *w)
{
	size_t i, kept = 0;

	for (i = 0; i < w->n; i++)
		if (w->all[i]->refs > 1)
			w->all[kept++] = w->all[i];
		else
			table_unref(&w->all[i]);
	w->n = kept;
}

static void
tick_cb(void *arg)
{
	struct table_watch *w = arg;

	forget_unused(w);
	w->turn = xreallocarray(w->turn, w->n + 1, sizeof(*w->turn));
	memcpy(w->turn, w->all, w->n * sizeof(*w->turn));
	w->n_turn = w->n;
	w->work = (struct work){ .run = turn_run, .done = turn_done,
	    .arg = w };
	work_give(w->pool, &w->work);
}

struct table_watch *
table_watch_new(struct loop *l, uint64_t every_ms)
{
	struct table_watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->every_ms = every_ms;
	w->pool = work_pool_new(l, 1);
	w->all = xcalloc(1, sizeof(*w->all));
	timer_init(&w->tick, l, tick_cb, w);
	timer_set_ms(&w->tick, every_ms);
	return w;
}

void
table_watch_free(struct table_watch **wp)
{
	struct table_watch *w = *wp;
	size_t i;

	*wp = NULL;
	if (w == NULL)
		return;
	work_pool_free(&w->pool);
	timer_clear(&w->tick);
	for (i = 0; i < w->n; i++)
		table_unref(&w->all[i]);
	free(w->all);
	free(w->turn);
	free(w);
}

void
table_watch_add(struct table_watch *w, struct table *t)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->all[i] == t)
			return;
	w->all = xreallocarray(w->all, w->n + 1, sizeof(*w->all));
	w->all[w->n++] = table_ref(t);
}

void
table_watch_now(struct table_watch *w)
{
	if (w->tick.set)
		timer_set_ms(&w->tick, 0);
	else
		w->again = true;
}

size_t
table_watch_count(const struct table_watch *w)
{
	return w->n;
}
