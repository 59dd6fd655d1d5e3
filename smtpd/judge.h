/*
 * A session before the restriction chain: gathers the facts, asks the
 * directory, parks the session while it does. Its memory is one of the
 * server's spares between judge_begin and judge_end.
 */
#ifndef SMTPD_JUDGE_H
#define SMTPD_JUDGE_H

#include "gate/ask.h"

struct session;
enum step;

struct judge {
	struct gate_eval eval;
	struct gate_facts facts;
	struct gate_ask ask;
	struct session *s;
	/* judge_rcpt was asked for, not a verdict */
	bool only_rcpt;
	enum step (*done)(struct session *s, enum gate_result r);
	struct judge *next_spare;
};

#define JUDGE_STAGE(s)	(1u << (s))
/* Client, helo and sender: what they leave for RCPT when not delayed. */
#define CARRY_STAGES	(GATE_SENDER + 1)

/*
 * Evaluates the lists of a moment, then calls done with GATE_PERMIT, _REJECT
 * or _DEFER; the reply is in s->judge->eval.reply. `recipient` is as given,
 * `normal` its normal form (both copied or lent from the transaction); empty
 * where there is none. Returns what done returned, or STEP_PARKED. done must
 * call judge_end.
 */
enum step judge_begin(struct session *s, enum gate_moment m,
    struct span recipient, struct span normal,
    enum step (*done)(struct session *, enum gate_result)) MUST_CHECK;
/* After a permit: makes sure that s->judge->facts.rcpt is known, then done. */
enum step judge_rcpt(struct session *s,
    enum step (*done)(struct session *, enum gate_result)) MUST_CHECK;
/* All that the session knows; recipient is lent. */
void judge_facts(const struct session *s, struct span recipient,
    struct gate_facts *f);
/* Drops what the list `from` and those behind it left for RCPT. */
void judge_forget(struct session *s, enum gate_stage from);
/* Fine without a judge, too; cancels what is asked. */
void judge_end(struct session *s);

#endif
