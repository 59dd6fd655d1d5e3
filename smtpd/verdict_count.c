#include "smtpd/verdict_count.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/server.h"

#define KEY_MAX		(3 * VERDICT_TEXT_MAX + 8)
#define BODY_MAX	(256 * 1024)	/* of one message */

/* "list NUL rule NUL action" and how often, since it was told. */
struct kind {
	TAILQ_ENTRY(kind) link;
	uint64_t n;
	size_t list_n, rule_n, key_n;
	char key[];
};

struct verdict_counts {
	struct server *srv;
	struct map *by_key;
	TAILQ_HEAD(, kind) kinds;
	struct timer tell;
	bool waiting;		/* the timer is set */
	struct { const char *name; uint64_t n; } totals[8];
};

/* --- telling --- */

/* Takes from the front what one message holds; false: there is no more. */
static bool
tell_some(struct verdict_counts *c)
{
	struct buf body;
	struct kind *k;

	buf_init(&body, BODY_MAX + KEY_MAX);
	while (buf_len(&body) < BODY_MAX &&
	    (k = TAILQ_FIRST(&c->kinds)) != NULL) {
		struct span key = span_of(k->key, k->key_n);
		struct entry_verdict_count e = {
			.list = span_sub(key, 0, k->list_n),
			.rule = span_sub(key, k->list_n + 1, k->rule_n),
			.action = span_sub(key, k->list_n + k->rule_n + 2,
			    key.n),
			.n = k->n,
		};

		entry_verdict_count_pack(&body, &e);
		TAILQ_REMOVE(&c->kinds, k, link);
		(void)map_del(c->by_key, key);
		free(k);
	}
	if (buf_len(&body) > 0)
		keeper_tell(c->srv, KEEPER_VERDICTS, buf_span(&body));
	buf_fini(&body);
	return !TAILQ_EMPTY(&c->kinds);
}

static void
tell_cb(void *arg)
{
	struct verdict_counts *c = arg;

	c->waiting = false;
	while (keeper_wire(c->srv) != NULL && tell_some(c))
		;
	if (!TAILQ_EMPTY(&c->kinds)) {		/* there is no gatekeeper */
		c->waiting = true;
		timer_set_ms(&c->tell, VERDICT_TELL_MS);
	}
}

/* --- counting --- */

static struct kind *
kind_of(struct verdict_counts *c, const char *list, const char *rule,
    const char *argument, const char *action)
{
	char key[KEY_MAX];
	int list_n, rule_n, n;
	struct kind *k;

	list_n = snprintf(key, VERDICT_TEXT_MAX, "%s", list);
	list_n = MIN(list_n, VERDICT_TEXT_MAX - 1);
	rule_n = snprintf(key + list_n + 1, VERDICT_TEXT_MAX, "%s%s%s", rule,
	    argument == NULL ? "" : " ", argument == NULL ? "" : argument);
	rule_n = MIN(rule_n, VERDICT_TEXT_MAX - 1);
	n = list_n + rule_n + 2;
	n += MIN(snprintf(key + n, VERDICT_TEXT_MAX, "%s", action),
	    VERDICT_TEXT_MAX - 1);
	k = map_get(c->by_key, span_of(key, (size_t)n));
	if (k != NULL)
		return k;
	if (map_count(c->by_key) >= VERDICT_COUNT_MAX &&
	    strcmp(list, "others") != 0)
		return kind_of(c, "others", "others", NULL, action);
	k = xcalloc(1, sizeof(*k) + (size_t)n);
	k->list_n = (size_t)list_n;
	k->rule_n = (size_t)rule_n;
	k->key_n = (size_t)n;
	memcpy(k->key, key, (size_t)n);
	(void)map_put(c->by_key, span_of(k->key, k->key_n), k);
	TAILQ_INSERT_TAIL(&c->kinds, k, link);
	return k;
}

/* Actions are few, and literals. */
static void
total_add(struct verdict_counts *c, const char *action)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(c->totals); i++) {
		if (c->totals[i].name == NULL)
			c->totals[i].name = action;
		if (strcmp(c->totals[i].name, action) == 0) {
			c->totals[i].n++;
			return;
		}
	}
}

void
verdict_count(struct server *srv, const char *list, const char *rule,
    const char *argument, const char *action)
{
	struct verdict_counts *c = srv->verdicts;

	if (c == NULL)
		return;
	kind_of(c, list, rule, argument, action)->n++;
	total_add(c, action);
	if (!c->waiting) {
		c->waiting = true;
		timer_set_ms(&c->tell, VERDICT_TELL_MS);
	}
}

void
verdict_counts_status(const struct verdict_counts *c, struct buf *json)
{
	size_t i;

	buf_str(json, "\"verdicts\": {");
	for (i = 0; i < ARRAY_LEN(c->totals) && c->totals[i].name != NULL;
	    i++)
		buf_fmt(json, "%s\"%s\": %llu", i == 0 ? "" : ", ",
		    c->totals[i].name, (unsigned long long)c->totals[i].n);
	buf_char(json, '}');
}

/* --- life --- */

struct verdict_counts *
verdict_counts_new(struct server *srv)
{
	struct verdict_counts *c = xcalloc(1, sizeof(*c));

	c->srv = srv;
	c->by_key = map_new();
	TAILQ_INIT(&c->kinds);
	timer_init(&c->tell, srv->loop, tell_cb, c);
	return c;
}

void
verdict_counts_free(struct verdict_counts **cp)
{
	struct verdict_counts *c = *cp;
	struct kind *k;

	*cp = NULL;
	if (c == NULL)
		return;
	while (keeper_wire(c->srv) != NULL && tell_some(c))
		;
	timer_clear(&c->tell);
	while ((k = TAILQ_FIRST(&c->kinds)) != NULL) {
		TAILQ_REMOVE(&c->kinds, k, link);
		free(k);
	}
	map_free(&c->by_key);
	free(c);
}
