/*
 * What access rules want done with the message of a transaction (access(5):
 * HOLD, DISCARD, PREPEND, REDIRECT, BCC, FILTER). Collected while the lists
 * run, forgotten with the transaction (RSET, a new MAIL), carried out when
 * the text has come: that is the last moment at which a rule may speak.
 *
 * A refused recipient takes nothing back, as in Postfix: what was asked for
 * on its behalf stays asked for.
 */
#ifndef SMTPD_ACTIONS_H
#define SMTPD_ACTIONS_H

#include "base/buf.h"
#include "gate/gate.h"

struct session;
enum step;

#define ACTIONS_RESULTS_MAX	4

/* Strings of their own: what the lists look at lies in the transaction's
 * buffer, which must not move while they run. */
struct actions {
	bool discard;
	char *hold;			/* why, the first; NULL: not held */
	char *filter, *redirect;	/* the last; NULL: none */
	char **bcc;			/* each address once */
	uint32_t n_bcc, bcc_size;
	bool too_many;			/* more BCC than we take */
	bool prepend_full;		/* more header lines than we take */
	struct buf prepend;		/* header lines, each with its CR LF */
	/* Fields of ours about the message, one of a name. */
	char *result[ACTIONS_RESULTS_MAX];
	/* private: the address that is being looked up */
	struct directory_ask *ask;
	uint32_t next;
	enum step (*done)(struct session *s);
};

void actions_init(struct actions *a);
/* Cancels what is asked. Fine twice. */
void actions_fini(struct actions *a);

/* From gate_ops.effect, with a transaction: logs it and keeps it. */
void actions_add(struct session *s, enum gate_do what, struct span text,
    const char *line);

/* The header lines that go in front of the message: results, then what was
 * prepended. */
void actions_header(const struct actions *a, struct buf *out);

/*
 * After the last list has permitted: gives the message its recipients, then
 * goes on with done, or says 250 and throws it away, or refuses it for now
 * when an address can't be resolved. Returns what that returned, or
 * STEP_PARKED.
 */
enum step actions_apply(struct session *s, enum step (*done)(struct session *))
    MUST_CHECK;

#endif
