#include "table/watch.h"

#include <stdlib.h>

#include "base/work.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

struct table_watch {
	struct work_pool *pool;
	struct timer tick;
	uint64_t every_ms;
	bool again;			/* asked for while it is at it */
	/* what the thread works on, with a reference to each */
	struct work work;
	struct table **turn;
	size_t n;
};

/* In the thread; each table says itself what was wrong. */
static void
turn_run(void *arg)
{
	struct table_watch *w = arg;
	size_t i;

	for (i = 0; i < w->n; i++)
		(void)table_refresh(w->turn[i], NULL);
}

static void
turn_done(void *arg)
{
	struct table_watch *w = arg;

	while (w->n > 0)
		table_unref(&w->turn[--w->n]);
	timer_set_ms(&w->tick, w->again ? 0 : w->every_ms);
	w->again = false;
}

static void
tick_cb(void *arg)
{
	struct table_watch *w = arg;

	w->turn = table_files_open(w->turn, &w->n);
	w->work = (struct work){ .run = turn_run, .done = turn_done,
	    .arg = w };
	work_give(w->pool, &w->work);
}

struct table_watch *
table_watch_new(struct loop *l, uint64_t every_ms)
{
	struct table_watch *w = xcalloc(1, sizeof(*w));

	w->every_ms = every_ms;
	w->pool = work_pool_new(l, 1);
	timer_init(&w->tick, l, tick_cb, w);
	timer_set_ms(&w->tick, every_ms);
	return w;
}

void
table_watch_free(struct table_watch **wp)
{
	struct table_watch *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	work_pool_free(&w->pool);
	timer_clear(&w->tick);
	free(w->turn);
	free(w);
}

void
table_watch_now(struct table_watch *w)
{
	if (w->tick.set)
		timer_set_ms(&w->tick, 0);
	else
		w->again = true;
}
