#include "smtpd/rcpt.h"

#include "base/log.h"
#include "smtpd/quota.h"

static struct span
given(const struct session *s)
{
	return txn_span(s->txn, s->txn->rcpt_orig);
}

static void
refuse(struct session *s, const char *reply)
{
	session_log_reject(s, "RCPT", reply, given(s));
	session_reply(s, reply);
}

static void
refusef(struct session *s, const char *code, const char *why)
{
	char reply[GATE_REPLY_MAX];
	struct span to = given(s);

	(void)snprintf(reply, sizeof(reply), "%s <%.*s>: %s", code,
	    SPAN_ARG(to), why);
	refuse(s, reply);
}

/* The queue id is given with the first recipient, as Postfix does. */
static void
name_message(struct session *s)
{
	struct txn *t = s->txn;
	struct buf more;

	if (t->queue_id[0] != '\0')
		return;
	if (!queueid_message(s->id, s->n_messages, t->queue_id))
		ps_assert(!"MAIL looked at n_messages");
	s->n_messages++;
	buf_init(&more, 2048);
	if (s->sasl_user != NULL)
		buf_fmt(&more, ", sasl_method=%s, sasl_username=%s",
		    s->sasl_method, s->sasl_user);
	forward_describe(s, &more);
	log_info("%s: client=%s%s", t->queue_id, session_peer(s),
	    buf_cstr(&more));
	buf_fini(&more);
}

static void
accept_rcpt(struct session *s)
{
	struct txn *t = s->txn;

	name_message(s);
	t->n_accepted++;
	t->last_rcpt = t->rcpt_orig;
	session_reply(s, "250 2.1.5 Ok");
}

/* --- expansion --- */

/* Several aliases that lead to one place give one copy (J9). NULL: it is in
 * the list. */
static struct rcpt *
add(struct txn *t, enum envelope_rcpt_kind kind, uint64_t mailbox_id,
    struct span final)
{
	struct rcpt *r;

	if (txn_has(t, kind, mailbox_id, final))
		return NULL;
	r = txn_rcpt_add(t, kind, mailbox_id, final);
	r->orig = t->rcpt_orig;
	r->orcpt = t->rcpt_orcpt;
	r->notify = t->rcpt_notify;
	return r;
}

static void
add_external(struct txn *t, struct span final)
{
	(void)add(t, ENVELOPE_EXTERNAL, 0, final);
}

static void
add_mailboxes(struct txn *t, const struct resolution *res)
{
	size_t i;

	for (i = 0; i < res->n_mailboxes; i++) {
		const struct resolved_mailbox *m = &res->mailboxes[i];
		struct rcpt *r;

		/* Another host's mailbox is never opened here: its mail
		 * goes there like any external one. */
		if (!m->local) {
			add_external(t, span_str(m->address));
			continue;
		}
		r = add(t, ENVELOPE_MAILBOX, m->id, span_str(m->address));
		if (r == NULL)
			continue;
		r->quota_bytes = (uint64_t)MAX(m->quota_bytes, 0);
		r->quota_messages = (uint64_t)MAX(m->quota_messages, 0);
		r->pooled = m->pooled;
	}
}

bool
rcpt_expand(struct txn *t, const struct resolution *res, struct span normal)
{
	size_t i;

	if (t->n_rcpt + res->n_mailboxes + res->n_forwards + 1 >
	    ENVELOPE_RCPT_MAX)
		return false;
	if (res->class == RESOLVE_NOT_LOCAL)
		add_external(t, normal);
	add_mailboxes(t, res);
	for (i = 0; i < res->n_forwards; i++)
		add_external(t, span_str(res->forwards[i]));
	return true;
}

/* --- quota --- */

static void
quota_verdict(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct txn *t = s->txn;

	if (!t->quota_full) {
		accept_rcpt(s);
		return;
	}
	quota_release(t, t->rcpt_first, 0);
	txn_rcpt_cut(t, t->rcpt_first);
	refusef(s, conf->virtual_overquota_bounce ? "552 5.2.2" : "452 4.2.2",
	    conf->virtual_maildir_limit_message);
}

static enum step
quota_step(struct session *s)
{
	/* Who has not answered yet says yes; its late answer finds nobody. */
	quota_forget(s);
	quota_verdict(s);
	return STEP_NEXT;
}

void
rcpt_quota_answered(struct session *s)
{
	timer_clear(&s->nap);
	s->after = NULL;
	session_continue(s, quota_step(s));
}

static enum step
quota_begin(struct session *s)
{
	if (quota_ask(s) > 0)
		return session_nap(s,
		    (uint64_t)session_conf(s)->quota_timeout, quota_step);
	quota_verdict(s);
	return STEP_NEXT;
}

/* --- the judgement --- */

static enum step
resolved(struct session *s, enum gate_result r)
{
	const struct resolution *res = s->judge->facts.rcpt;
	struct txn *t = s->txn;
	enum step st = STEP_NEXT;

	t->rcpt_first = t->n_rcpt;
	switch (res->class) {
	case RESOLVE_TEMP:
	case RESOLVE_UNKNOWN:
	case RESOLVE_DISABLED:
		/* whether or not the chain looked at it */
		(void)gate_unlisted_recipient(&s->judge->eval);
		refuse(s, s->judge->eval.reply);
		break;
	case RESOLVE_NOT_LOCAL:
		/* The chain let it pass: our user, or our network. */
	case RESOLVE_MAILBOX:
	case RESOLVE_RELAY:
		if (rcpt_expand(t, res, span_of(s->judge->ask.normal,
		    s->judge->ask.normal_n)))
			st = quota_begin(s);
		else
			refusef(s, "452 4.5.3", "too many recipients behind "
			    "this one");
		break;
	}
	judge_end(s);
	return st;
}

static enum step
judged(struct session *s, enum gate_result r)
{
	if (r == GATE_PERMIT && !s->txn->act.discard)
		return judge_rcpt(s, resolved);
	if (r == GATE_PERMIT)
		accept_rcpt(s);		/* whoever it is, it gets nothing */
	else
		refuse(s, s->judge->eval.reply);
	judge_end(s);
	return STEP_NEXT;
}

const char *
rcpt_bare(struct span text)
{
	static char reply[ADDRESS_LOCAL_MAX + 128];

	(void)snprintf(reply, sizeof(reply), "504 5.5.2 <%.*s>: Recipient "
	    "address rejected: need fully-qualified address",
	    (int)MIN(text.n, (size_t)ADDRESS_LOCAL_MAX), text.p);
	return reply;
}

enum step
rcpt_begin(struct session *s, struct span text, struct span normal)
{
	s->txn->rcpt_orig = txn_keep(s->txn, text);
	if (first_refusal(s) != NULL) {
		refuse(s, first_refusal(s));
		return STEP_NEXT;
	}
	first_at_rcpt(s);
	return judge_begin(s, GATE_AT_RCPT, given(s), normal, judged);
}

int
rcpt_normal(struct session *s, const struct address *a, struct buf *normal)
{
	int rc = address_normal(a, normal, NULL);

	if (rc == 0 && a->domain.n == 0) {
		if (!span_is(buf_span(normal), "postmaster"))
			return PS_ENOTFOUND;
		buf_char(normal, '@');
		buf_str(normal, session_conf(s)->myorigin);
	}
	return rc != 0 || buf_failed(normal) ? PS_ESYNTAX : 0;
}
