/*
 * A mail transaction: from MAIL to the reply after its text. Owns every byte
 * of the envelope in one buffer; places in it are offsets, as it may move.
 *
 * A transaction outlives its session only while it is being committed
 * (commit.h); then `session` is NULL when the session has gone.
 */
#ifndef SMTPD_TXN_H
#define SMTPD_TXN_H

#include "base/work.h"
#include "smtpd/actions.h"
#include "smtpd/body.h"
#include "smtpd/data.h"
#include "smtpd/headfilter.h"
#include "smtpd/headscan.h"
#include "spool/envelope.h"
#include "spool/journal.h"

struct session;
struct server;

/* A piece of txn.text. */
struct piece {
	uint32_t off, n;
};

/* One final destination (J9). */
struct rcpt {
	enum envelope_rcpt_kind kind;
	uint64_t mailbox_id;
	struct piece orig, final, orcpt;
	unsigned notify;
	uint64_t quota_bytes, quota_messages;	/* 0: no limit */
	bool pooled;		/* shares a limit with others */
	uint64_t quota_ask;	/* id of the reservation; 0 none */
	unsigned deliver;	/* which deliver has it */
};

enum txn_refusal { TXN_FINE, TXN_TOO_BIG, TXN_TOO_MANY_HOPS };

struct txn {
	struct server *srv;
	struct session *session;
	char queue_id[QUEUE_ID_LEN + 1];	/* "" until a recipient */
	unsigned flags;				/* enum envelope_flags */
	enum envelope_ret ret;
	uint64_t declared_size;
	/* When MAIL was accepted, and of how many in this process it is; the
	 * two name the message before it has a queue id. 0: not yet. */
	int64_t begun_us;
	uint32_t number;
	int64_t arrival_us;
	struct buf text;
	struct piece sender, envid;
	struct piece auth;	/* MAIL's AUTH= of who is logged in; xtext */
	struct rcpt *rcpt;
	uint32_t n_rcpt, rcpt_size;
	struct map *seen;	/* destinations, once there are many */
	uint32_t n_accepted;	/* RCPT commands that got 250 */
	uint32_t n_overshoot;	/* those past smtpd_recipient_limit */
	struct piece last_rcpt;	/* as given, of the last accepted one */

	struct actions act;	/* what access rules want done with it */

	/* The RCPT being worked on. */
	struct piece rcpt_orig, rcpt_orcpt;
	unsigned rcpt_notify;
	uint32_t rcpt_first;	/* its first entry in rcpt[] */
	unsigned quota_waiting;
	bool quota_full;

	/* The text. */
	bool bdat;		/* text comes in chunks */
	enum txn_refusal refusal;
	uint64_t size;		/* of the text, without our Received */
	struct data_decoder decoder;
	struct headscan head;
	struct headfilter filter;
	struct body body;

	/* commit.c */
	struct envelope env;
	struct envelope_rcpt *env_rcpt;
	uint32_t env_size;
	struct iovec iov;
	struct journal_append append;
	struct work cold_work;
	uint64_t cold_ask;
	int cold_fd;
	uint32_t cold_crc;
	struct err cold_err;
	struct defer later;
	uint64_t journal_limit;	/* journal_message_limit */
	bool learns;		/* greylist_learn_recipients */
	bool committing;

	struct txn *next_spare;
};

/* From the server's spares if there is one. */
struct txn *txn_new(struct session *s);
/* Releases reservations; back to the spares. Not while committing. */
void txn_free(struct txn **t);

static inline struct span
txn_span(const struct txn *t, struct piece p)
{
	return span_of(buf_data(&t->text) + p.off, p.n);
}
static inline struct span
txn_sender(const struct txn *t)
{
	return txn_span(t, t->sender);
}
struct piece txn_keep(struct txn *t, struct span s);
/* A new entry at the end. Lent until the next one. */
struct rcpt *txn_rcpt_add(struct txn *t, enum envelope_rcpt_kind kind,
    uint64_t mailbox_id, struct span final);
/* Is this destination in the list already? */
bool txn_has(const struct txn *t, enum envelope_rcpt_kind kind,
    uint64_t mailbox_id, struct span final);
/* Forgets the entries from `first` on. */
void txn_rcpt_cut(struct txn *t, uint32_t first);

#endif
