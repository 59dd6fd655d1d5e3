/*
 * reject_unverified_sender, reject_unverified_recipient: does the address
 * take mail? The directory knows about ours. For others there will be probes
 * one day; until then what counts is in table `verdict` (postern verify), and
 * who is not there is told to come again.
 */
#include <stdio.h>

#include "gate/checks.h"
#include "mail/address.h"

#define IN_PROGRESS	"Address verification in progress: probes of other " \
	"servers are not built yet"

/* What differs between the two. */
struct side {
	enum gate_what what;
	struct span address;
	const struct resolution *known;	/* NULL: not asked yet */
	enum gate_need need;
	int64_t reject_code, defer_code;
	const char *action, *reason, *dsn;
};

static struct side
side_of(const struct gate_eval *e, enum gate_what what)
{
	const struct conf *conf = gate_conf(e->gate);
	const struct gate_facts *f = e->facts;

	if (what == GATE_IS_SENDER)
		return (struct side){ what, f->sender, f->from,
		    GATE_NEED_SENDER, conf->unverified_sender_reject_code,
		    conf->unverified_sender_defer_code,
		    conf->unverified_sender_tempfail_action,
		    conf->unverified_sender_reject_reason, "4.1.7" };
	return (struct side){ what, f->recipient, f->rcpt, GATE_NEED_RCPT,
	    conf->unverified_recipient_reject_code,
	    conf->unverified_recipient_defer_code,
	    conf->unverified_recipient_tempfail_action,
	    conf->unverified_recipient_reject_reason, "4.1.1" };
}

/* Postfix's rule: 2NN lets it pass, 4NN is a doubt, 5NN a refusal. */
static enum gate_result
unverified(struct gate_eval *e, const struct side *s, int64_t code,
    const char *why)
{
	char text[GATE_REPLY_MAX];

	if (code < 400)
		return GATE_DUNNO;
	if (s->reason[0] != '\0')
		why = s->reason;
	(void)snprintf(text, sizeof(text), "%s address: %.*s",
	    code < 500 ? "unverified" : "undeliverable", VERDICT_WHY_MAX,
	    why);
	return code < 500 ?
	    gate_unsure(e, s->action, s->what, code, s->dsn, text) :
	    gate_refuse(e, s->what, code, s->dsn, text);
}

static enum gate_result
nobody_answers(struct gate_eval *e, const struct side *s)
{
	return gate_unsure(e, s->action, s->what, 450, s->dsn,
	    "address verification problem");
}

/* An address of another server. */
static enum gate_result
by_verdict(struct gate_eval *e, const struct side *s)
{
	const struct verdict *v = NULL;
	struct buf normal;

	if (e->ops->verify == NULL)
		return nobody_answers(e, s);
	buf_init(&normal, ADDRESS_MAX + 1);
	if (address_normal_text(s->address, &normal, NULL) != 0) {
		buf_clear(&normal);
		buf_span_add(&normal, s->address);
	}
	v = e->ops->verify(buf_span(&normal), e->arg);
	buf_fini(&normal);
	if (v == NULL)
		return GATE_PARKED;
	switch (v->status) {
	case VERDICT_OK:
		return GATE_DUNNO;
	case VERDICT_BOUNCE:
		return unverified(e, s, s->reject_code, v->why);
	case VERDICT_DEFER:
		return unverified(e, s, s->defer_code, v->why);
	case VERDICT_NONE:
		return unverified(e, s, s->defer_code, IN_PROGRESS);
	case VERDICT_TEMP:
		break;
	}
	return nobody_answers(e, s);
}

static enum gate_result
verify(struct gate_eval *e, enum gate_what what)
{
	struct side s = side_of(e, what);

	if (s.address.n == 0)
		return GATE_DUNNO;
	if (s.known == NULL && !e->ops->need(s.need, e->facts, e->arg))
		return GATE_PARKED;
	s = side_of(e, what);
	switch (s.known->class) {
	case RESOLVE_MAILBOX:
		return GATE_DUNNO;
	case RESOLVE_UNKNOWN:
		return unverified(e, &s, s.reject_code,
		    "User unknown in virtual mailbox table");
	case RESOLVE_DISABLED:
		return unverified(e, &s, s.reject_code, "Mailbox disabled");
	case RESOLVE_TEMP:
		return nobody_answers(e, &s);
	case RESOLVE_RELAY:
	case RESOLVE_NOT_LOCAL:
		break;
	}
	return by_verdict(e, &s);
}

enum gate_result
reject_unverified_sender(struct gate_eval *e, const struct gate_rule *r)
{
	return verify(e, GATE_IS_SENDER);
}

enum gate_result
reject_unverified_recipient(struct gate_eval *e, const struct gate_rule *r)
{
	return verify(e, GATE_IS_RECIPIENT);
}
