#include "smtpd/txn.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "smtpd/quota.h"
#include "smtpd/session.h"

#define SPARES_MAX	64
#define SEEN_MIN	64
#define TEXT_KEEP	4096		/* of a spare's text buffer */
#define RCPT_KEEP	32		/* of a spare's recipient arrays */
/* Addresses and parameters of the most recipients fit several times over. */
#define TEXT_MAX	((size_t)256 * 1024 * 1024)

static struct txn *
spare_take(struct server *srv)
{
	struct txn *t = srv->spare_txns;

	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		buf_init(&t->text, TEXT_MAX);
		return t;
	}
	srv->spare_txns = t->next_spare;
	srv->n_spare_txns--;
	return t;
}

struct txn *
txn_new(struct session *s)
{
	struct txn *t = spare_take(s->srv);

	t->srv = s->srv;
	t->srv->n_txns++;
	t->session = s;
	t->queue_id[0] = '\0';
	t->flags = 0;
	t->ret = ENVELOPE_RET_NONE;
	t->declared_size = t->size = 0;
	t->begun_us = 0;
	t->auth = (struct piece){ 0, 0 };
	t->arrival_us = clock_wall_us();
	t->sender = t->envid = (struct piece){ 0, 0 };
	t->n_rcpt = t->n_accepted = t->n_overshoot = 0;
	actions_init(&t->act);
	t->bdat = false;
	t->refusal = TXN_FINE;
	t->decoder = (struct data_decoder){ 0 };
	headscan_init(&t->head);
	body_init(&t->body);
	t->cold_ask = 0;
	t->cold_fd = -1;
	t->committing = false;
	return t;
}

static void
txn_destroy(struct txn *t)
{
	buf_fini(&t->text);
	free(t->rcpt);
	free(t->env_rcpt);
	free(t);
}

void
txn_free(struct txn **tp)
{
	struct txn *t = *tp;
	struct server *srv;

	*tp = NULL;
	if (t == NULL)
		return;
	ps_assert(!t->committing);
	srv = t->srv;
	srv->n_txns--;
	quota_release(t, 0, 0);
	actions_fini(&t->act);
	headfilter_fini(&t->filter);
	body_fini(&t->body);
	map_free(&t->seen);
	if (t->cold_fd != -1)
		(void)close(t->cold_fd);
	buf_clear(&t->text);
	buf_shrink(&t->text, TEXT_KEEP);
	if (srv->n_spare_txns >= SPARES_MAX || t->rcpt_size > RCPT_KEEP ||
	    t->env_size > RCPT_KEEP) {
		txn_destroy(t);
		return;
	}
	t->next_spare = srv->spare_txns;
	srv->spare_txns = t;
	srv->n_spare_txns++;
}

void
txn_spares_free(struct server *srv)
{
	struct txn *t;

	while ((t = srv->spare_txns) != NULL) {
		srv->spare_txns = t->next_spare;
		txn_destroy(t);
	}
	srv->n_spare_txns = 0;
}

struct piece
txn_keep(struct txn *t, struct span s)
{
	struct piece p = { (uint32_t)buf_len(&t->text), (uint32_t)s.n };

	buf_span_add(&t->text, s);
	ps_assert(!buf_failed(&t->text));
	return p;
}

/* What makes a destination: its mailbox, or its address. */
static struct span
dest_key(const struct txn *t, const struct rcpt *r)
{
	return r->kind == ENVELOPE_MAILBOX ?
	    span_of(&r->mailbox_id, sizeof(r->mailbox_id)) :
	    txn_span(t, r->final);
}

/* Beyond SEEN_MIN destinations a map answers instead of a walk. */
static void
seen_add(struct txn *t)
{
	uint32_t i = t->n_rcpt - 1;

	if (t->n_rcpt < SEEN_MIN)
		return;
	if (t->seen == NULL) {
		t->seen = map_new();
		i = 0;
	}
	for (; i < t->n_rcpt; i++)
		(void)map_put(t->seen, dest_key(t, &t->rcpt[i]), t);
}

struct rcpt *
txn_rcpt_add(struct txn *t, enum envelope_rcpt_kind kind,
    uint64_t mailbox_id, struct span final)
{
	struct piece kept = txn_keep(t, final);
	struct rcpt *r;

	if (t->n_rcpt == t->rcpt_size) {
		t->rcpt_size = t->rcpt_size == 0 ? 8 : t->rcpt_size * 2;
		t->rcpt = xreallocarray(t->rcpt, t->rcpt_size,
		    sizeof(*t->rcpt));
	}
	r = &t->rcpt[t->n_rcpt++];
	*r = (struct rcpt){ .kind = kind, .mailbox_id = mailbox_id,
		.final = kept };
	seen_add(t);
	return r;
}

bool
txn_has(const struct txn *t, enum envelope_rcpt_kind kind,
    uint64_t mailbox_id, struct span final)
{
	struct span key = kind == ENVELOPE_MAILBOX ?
	    span_of(&mailbox_id, sizeof(mailbox_id)) : final;
	uint32_t i;

	if (t->seen != NULL)
		return map_get(t->seen, key) != NULL;
	for (i = 0; i < t->n_rcpt; i++)
		if (t->rcpt[i].kind == kind &&
		    span_eq(dest_key(t, &t->rcpt[i]), key))
			return true;
	return false;
}

void
txn_rcpt_cut(struct txn *t, uint32_t first)
{
	for (; t->n_rcpt > first; t->n_rcpt--)
		if (t->seen != NULL)
			(void)map_del(t->seen,
			    dest_key(t, &t->rcpt[t->n_rcpt - 1]));
}
