#include "authd/guesses.h"

#include <string.h>

int64_t
guess_slot(int64_t now_ms)
{
	return now_ms / GUESS_SLOT_MS;
}

static uint16_t *
count_of(struct guesses *g, int64_t slot)
{
	return &g->count[(uint64_t)slot % GUESS_SLOTS];
}

/* Makes `slot` one of those kept, unless it is older than all of them. */
static bool
slot_reach(struct guesses *g, int64_t slot)
{
	if (slot <= g->newest - GUESS_SLOTS)
		return false;
	if (slot - g->newest >= GUESS_SLOTS) {
		memset(g->count, 0, sizeof(g->count));
		g->newest = slot;
	}
	while (g->newest < slot)
		*count_of(g, ++g->newest) = 0;
	return true;
}

/* Its place, or n_marks. */
static size_t
mark_find(const struct guesses *g, uint32_t mark)
{
	size_t i;

	for (i = 0; i < g->n_marks && g->mark[i] != mark; i++)
		;
	return i;
}

bool
guesses_know(const struct guesses *g, uint32_t mark)
{
	return mark_find(g, mark) < g->n_marks;
}

bool
guesses_add(struct guesses *g, int64_t slot, uint32_t mark)
{
	size_t at = mark_find(g, mark);
	bool is_new = at == g->n_marks;
	uint16_t *count;

	if (is_new && g->n_marks < GUESS_MARKS)
		g->n_marks++;
	else if (is_new)
		at--;		/* the one not seen for longest goes */
	memmove(g->mark + 1, g->mark, at * sizeof(g->mark[0]));
	g->mark[0] = mark;
	if (!is_new)
		return false;
	/* a clock that went back a little: the newest slot will do */
	slot = MAX(slot, g->newest);
	(void)slot_reach(g, slot);
	count = count_of(g, slot);
	if (*count < GUESS_COUNT_MAX)
		++*count;
	return true;
}

void
guesses_forgive(struct guesses *g, uint64_t epoch)
{
	if (epoch <= g->epoch)
		return;
	g->epoch = epoch;
	memset(g->count, 0, sizeof(g->count));
	g->n_marks = 0;
}

void
guesses_merge(struct guesses *g, uint64_t epoch, int64_t slot,
    unsigned count)
{
	uint16_t *own;

	guesses_forgive(g, epoch);
	if (epoch < g->epoch || !slot_reach(g, slot))
		return;
	own = count_of(g, slot);
	*own = (uint16_t)MIN(MAX(*own, count), GUESS_COUNT_MAX);
}

unsigned
guesses_of_slot(const struct guesses *g, int64_t slot)
{
	if (slot > g->newest || slot <= g->newest - GUESS_SLOTS)
		return 0;
	return g->count[(uint64_t)slot % GUESS_SLOTS];
}

unsigned
guesses_level(const struct guesses *g, int64_t slot, unsigned window)
{
	unsigned sum = 0;

	/* a clock that went back a little does not make it fewer */
	slot = MAX(slot, g->newest);
	for (unsigned i = 0; i < window && i < GUESS_SLOTS; i++)
		sum += guesses_of_slot(g, slot - i);
	return sum;
}

int64_t
guesses_below_at(const struct guesses *g, int64_t slot, unsigned window,
    unsigned limit)
{
	unsigned ahead = 0;

	if (guesses_level(g, slot, window) < limit)
		return 0;
	slot = MAX(slot, g->newest);
	while (ahead < window &&
	    guesses_level(g, slot + ahead, window) >= limit)
		ahead++;
	return (slot + ahead) * GUESS_SLOT_MS;
}
