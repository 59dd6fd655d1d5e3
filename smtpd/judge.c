#include "smtpd/judge.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/xmalloc.h"
#include "smtpd/session.h"
#include "smtpd/verdict_count.h"

#define SPARES_MAX	16

static struct judge *
judge_get(struct session *s)
{
	struct judge *j = s->srv->spare_judges;

	if (j == NULL)
		return xcalloc(1, sizeof(*j));
	s->srv->spare_judges = j->next_spare;
	s->srv->n_spare_judges--;
	return j;
}

void
judge_end(struct session *s)
{
	struct judge *j = s->judge;

	if (j == NULL)
		return;
	s->judge = NULL;
	gate_ask_end(&j->ask);
	gate_end(&j->eval);
	if (s->srv->n_spare_judges >= SPARES_MAX) {
		free(j);
		return;
	}
	j->next_spare = s->srv->spare_judges;
	s->srv->spare_judges = j;
	s->srv->n_spare_judges++;
}

static enum step judge_run(struct session *s);

/* Who was made to wait may have lost his patience: what he has sent lies in
 * the socket, as a parked session reads nothing. */
static void
look_again(struct judge *j)
{
	int fd = stream_fd(j->s->stream);
	char byte;

	if (!j->facts.early_input && fd != -1)
		j->facts.early_input = recv(fd, &byte, 1,
		    MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void
come(void *arg)
{
	struct session *s = ((struct judge *)arg)->s;

	if (s->judge->ask.napping == NAP_OVER)
		look_again(s->judge);
	session_continue(s, judge_run(s));
}

static void
note(const char *what, const char *text, void *arg)
{
	struct judge *j = arg;

	session_log_note(j->s, what, j->s->where == NULL ? "CONNECT" :
	    j->s->where, text, j->facts.recipient);
}

static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	struct judge *j = arg;

	/* VRFY and ETRN have no message that something could be done to. */
	if (j->s->txn != NULL && j->s->asked == NULL)
		actions_add(j->s, what, text, line);
}

static void
count(const char *list, const char *rule, const char *argument,
    const char *action, void *arg)
{
	struct judge *j = arg;

	verdict_count(j->s->srv, list, rule, argument, action);
}

/* These two codes say that the connection ends (RFC 5321 3.8, 7504). */
static bool
says_goodbye(const char *reply)
{
	return strncmp(reply, "421", 3) == 0 || strncmp(reply, "521", 3) == 0;
}

/* --- from list to list, when they are not delayed (gate_carry) --- */

void
judge_forget(struct session *s, enum gate_stage from)
{
	int i;

	for (i = (int)from; i < CARRY_STAGES; i++) {
		free(s->carry[i]);
		s->carry[i] = NULL;
	}
}

/* What the lists before the first of these left. */
static const char *
carried(const struct session *s, unsigned stages)
{
	int i;

	for (i = CARRY_STAGES - 1; i >= 0; i--)
		if (s->carry[i] != NULL && stages < JUDGE_STAGE(GATE_DATA) &&
		    !(stages & (JUDGE_STAGE(i + 1) - 1)))
			return s->carry[i];
	return NULL;
}

static void
carry_on(struct session *s, struct judge *j)
{
	int i;

	for (i = 0; i < CARRY_STAGES; i++)
		if (j->eval.stages == JUDGE_STAGE(i)) {
			judge_forget(s, (enum gate_stage)i);
			s->carry[i] = gate_carried(&j->eval);
		}
}

static enum step
judge_run(struct session *s)
{
	struct judge *j = s->judge;
	enum gate_result r;
	enum step st;
	bool goodbye;

	if (j->only_rcpt)
		r = gate_ask_need(&j->ask, GATE_NEED_RCPT) ? GATE_PERMIT :
		    GATE_PARKED;
	else
		r = gate_run(&j->eval);
	if (r == GATE_PARKED)
		return STEP_PARKED;
	if (r == GATE_PERMIT)
		carry_on(s, j);
	goodbye = r != GATE_PERMIT && says_goodbye(j->eval.reply);
	st = j->done(s, r);
	return goodbye && st == STEP_NEXT ? STEP_CLOSE : st;
}

static void
tls_facts(const struct session *s, struct gate_facts *f)
{
	struct stream_tls tls;

	if (!stream_tls_info(s->stream, &tls))
		return;
	f->tls_protocol = tls.protocol;
	f->tls_cipher = tls.cipher;
	f->tls_bits = tls.bits;
	f->tls_sni = tls.sni;
	if (s->ccert == NULL)
		return;
	f->ccert_subject = s->ccert->subject;
	f->ccert_issuer = s->ccert->issuer;
	f->ccert_fingerprint = s->ccert->fingerprint;
	f->ccert_pubkey_fingerprint = s->ccert->pubkey_fingerprint;
	f->ccert_trusted = s->ccert->trusted;
}

static void
txn_facts(const struct txn *t, struct gate_facts *f)
{
	f->sender = txn_sender(t);
	if (f->sender.n == 0)		/* null, but there is one */
		f->sender = span_of("", 0);
	f->discard = t->act.discard;
	f->n_recipients = t->n_accepted;
	if (t->n_accepted == 1)
		f->sole_recipient = txn_span(t, t->last_rcpt);
	f->message_us = t->begun_us;
	f->message_no = t->number;
	f->queue_id = t->queue_id;
	f->size = t->size > 0 ? t->size : t->declared_size;
	f->sasl_sender = txn_span(t, t->auth);
}

void
judge_facts(const struct session *s, struct span recipient,
    struct gate_facts *f)
{
	*f = (struct gate_facts){
		.where = s->where, .queue_id = "",
		.client_name = s->name, .client_ip = s->ip,
		.client = s->addr, .client_port = s->port,
		.server_ip = s->own.ip, .server_port = s->own.port,
		.helo = s->helo == NULL ? "" : s->helo,
		.recipient = recipient,
		.reverse_name = s->reverse_name,
		.name_state = s->name_state,
		.reverse_state = s->reverse_state,
		.authenticated = session_authenticated(s), .tls = s->tls,
		.user = s->sasl_user, .mailbox_id = s->mailbox_id,
		.sasl_method = s->sasl_method, .stress = s->srv->stress,
		.esmtp = s->esmtp, .early_input = s->talked_ahead,
	};
	tls_facts(s, f);
	if (s->txn != NULL)
		txn_facts(s->txn, f);
}

enum step
judge_begin(struct session *s, enum gate_moment m, struct span recipient,
    struct span normal, enum step (*done)(struct session *,
    enum gate_result))
{
	unsigned stages = gate_stages_at(s->prof->gate, m);
	struct judge *j = judge_get(s);

	ps_assert(s->judge == NULL);
	s->judge = j;
	j->s = s;
	j->only_rcpt = false;
	j->done = done;
	judge_facts(s, recipient, &j->facts);
	if (m == GATE_AT_ETRN)
		j->facts.etrn = span_str(s->asked);
	j->ask.world = &s->srv->world;
	j->ask.facts = &j->facts;
	j->ask.come = come;
	j->ask.note = note;
	j->ask.effect = effect;
	j->ask.count = count;
	j->ask.sleeps = true;
	j->ask.arg = j;
	gate_ask_begin(&j->ask, normal);
	gate_begin(&j->eval, s->prof->gate, stages, &j->facts,
	    &gate_ask_ops, &j->ask);
	gate_carry(&j->eval, carried(s, stages));
	return judge_run(s);
}

enum step
judge_rcpt(struct session *s, enum step (*done)(struct session *,
    enum gate_result))
{
	s->judge->only_rcpt = true;
	s->judge->done = done;
	return judge_run(s);
}
