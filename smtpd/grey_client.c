#include "smtpd/grey_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/server.h"

#define KEPT_MAX	10000
#define KEPT_MS		60000	/* so long a change may go unnoticed */

/* An answer that lets through; the oldest in front. */
struct kept {
	TAILQ_ENTRY(kept) link;
	uint64_t until_ms;
	enum grey_why why;
	size_t key_n;
	char key[];
};

struct client {
	struct grey_source source;
	struct server *srv;
	struct map *kept;
	TAILQ_HEAD(, kept) list;
	struct buf key;
};

struct grey_asked {
	struct client *client;
	struct keeper_ask *ask;
	grey_answer_cb *cb;
	void *arg;
	size_t key_n[2];
	char key[];		/* of the origin alone, then of all of it */
};

/* --- what is kept --- */

static void
forget(struct client *c, struct kept *k)
{
	(void)map_del(c->kept, span_of(k->key, k->key_n));
	TAILQ_REMOVE(&c->list, k, link);
	free(k);
}

static void
keep(struct client *c, struct span key, enum grey_why why)
{
	struct kept *k = map_get(c->kept, key);

	if (k != NULL)
		forget(c, k);
	else if (map_count(c->kept) >= KEPT_MAX)
		forget(c, TAILQ_FIRST(&c->list));
	k = xmalloc(sizeof(*k) + key.n);
	*k = (struct kept){ .why = why, .key_n = key.n,
	    .until_ms = loop_now_ms(c->srv->loop) + KEPT_MS };
	memcpy(k->key, key.p, key.n);
	(void)map_put(c->kept, key, k);
	TAILQ_INSERT_TAIL(&c->list, k, link);
}

static bool
recall(struct client *c, struct span key, struct grey_answer *answer)
{
	struct kept *k = map_get(c->kept, key);

	if (k == NULL)
		return false;
	if (k->until_ms <= loop_now_ms(c->srv->loop)) {
		forget(c, k);
		return false;
	}
	*answer = (struct grey_answer){ .why = k->why };
	return true;
}

static struct span
key_of(struct client *c, const struct grey_question *q)
{
	buf_clear(&c->key);
	buf_span_add(&c->key, q->origin);
	buf_char(&c->key, '\0');
	buf_span_add(&c->key, q->sender);
	buf_char(&c->key, '\0');
	buf_span_add(&c->key, q->recipient);
	return buf_span(&c->key);
}

/* --- asking --- */

static struct grey_answer
default_answer(const struct server *srv)
{
	return (struct grey_answer){ .why = GREY_AWAY,
	    .wait = srv->grey_defers, .wait_s = srv->grey_delay_s };
}

static void
answer_cb(struct span body, void *arg)
{
	struct grey_asked *a = arg;
	struct client *c = a->client;
	struct grey_answer answer = default_answer(c->srv);
	struct entry_grey_answer in;
	struct span key = span_of(a->key, a->key_n[0] + a->key_n[1]);

	if (body.p != NULL && entry_grey_answer_next(&body, &in) &&
	    body.n == 0 && in.why < GREY_WHYS)
		answer = (struct grey_answer){ .wait = in.wait != 0,
		    .why = (enum grey_why)in.why, .wait_s = in.wait_s,
		    .waited_s = in.waited_s };
	if (answer.why == GREY_TRUSTED || answer.why == GREY_BUDGET)
		keep(c, span_sub(key, 0, a->key_n[0]), answer.why);
	else if (answer.why == GREY_KNOWN || answer.why == GREY_CAME_BACK)
		keep(c, key, GREY_KNOWN);
	a->cb(&answer, a->arg);
	free(a);
}

static struct grey_asked *
ask(struct grey_source *source, const struct grey_question *q,
    struct grey_answer *now, grey_answer_cb *cb, void *arg)
{
	struct client *c = (struct client *)source;
	struct grey_asked *a;
	struct span key = key_of(c, q);
	struct buf body;

	if (recall(c, span_sub(key, 0, q->origin.n), now) ||
	    recall(c, key, now))
		return NULL;
	a = xmalloc(sizeof(*a) + key.n);
	*a = (struct grey_asked){ .client = c, .cb = cb, .arg = arg,
	    .key_n = { q->origin.n, key.n - q->origin.n } };
	memcpy(a->key, key.p, key.n);
	buf_init(&body, 8192);
	entry_grey_ask_pack(&body, &(struct entry_grey_ask){
	    .origin = q->origin, .client = q->client,
	    .address = span_of(q->address.b, 16), .sender = q->sender,
	    .sender_as_is = q->sender_as_is, .recipient = q->recipient });
	a->ask = buf_failed(&body) ? NULL : keeper_ask(c->srv,
	    KEEPER_GREYLIST, buf_span(&body), answer_cb, a);
	buf_fini(&body);
	if (a->ask == NULL) {
		*now = default_answer(c->srv);
		free(a);
		return NULL;
	}
	return a;
}

static void
cancel(struct grey_asked **ap)
{
	struct grey_asked *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	keeper_ask_cancel(&a->ask);
	free(a);
}

void
grey_client_wrote(struct server *srv, struct span address)
{
	struct buf body;

	buf_init(&body, 2048);
	if (address.n <= GREY_ADDRESS_MAX) {
		entry_grey_ask_pack(&body, &(struct entry_grey_ask){
		    .wrote = 1, .recipient = address });
		keeper_tell(srv, KEEPER_GREYLIST, buf_span(&body));
	}
	buf_fini(&body);
}

/* --- life --- */

void
grey_client_configure(struct server *srv, const struct conf *conf)
{
	srv->grey_defers = strcmp(conf->greylist_default_action,
	    "defer") == 0;
	srv->grey_delay_s = (uint32_t)(conf->greylist_delay / 1000);
}

struct grey_source *
grey_client_new(struct server *srv)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->source = (struct grey_source){ ask, cancel };
	c->srv = srv;
	c->kept = map_new();
	TAILQ_INIT(&c->list);
	buf_init(&c->key, BUF_NO_CAP);
	return &c->source;
}

void
grey_client_free(struct grey_source **sp)
{
	struct client *c = (struct client *)*sp;
	struct kept *k;

	*sp = NULL;
	if (c == NULL)
		return;
	while ((k = TAILQ_FIRST(&c->list)) != NULL)
		forget(c, k);
	map_free(&c->kept);
	buf_fini(&c->key);
	free(c);
}
