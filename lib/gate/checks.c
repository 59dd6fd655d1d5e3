/*
 * The table of restrictions and what they check. A check reads facts, asks
 * for the missing ones and parks, or answers; it is called again from its
 * beginning when a fact has come, so it keeps no state.
 */
#include "gate/checks.h"

#define STAGE(s)	(1u << (s))
#define ANY		(STAGE(GATE_STAGES) - 1)
/* Where one recipient is being judged (with smtpd_delay_reject). */
#define AT_RCPT		(STAGE(GATE_CLIENT) | STAGE(GATE_HELO) | \
			    STAGE(GATE_SENDER) | STAGE(GATE_RELAY) | \
			    STAGE(GATE_RECIPIENT))

static enum gate_result
permit(struct gate_eval *e, const struct gate_rule *r)
{
	return GATE_PERMIT;
}

static enum gate_result
refuse(struct gate_eval *e, enum gate_result how, int code, const char *dsn,
    const char *why)
{
	struct buf subject;

	buf_init(&subject, GATE_REPLY_MAX);
	gate_subject(e, &subject);
	(void)gate_reply(e, how, code, dsn, "%s rejected: %s",
	    buf_cstr(&subject), why);
	buf_fini(&subject);
	return how;
}

static enum gate_result
reject(struct gate_eval *e, const struct gate_rule *r)
{
	return refuse(e, GATE_REJECT, 554, "5.7.1", "Access denied");
}

static enum gate_result
defer(struct gate_eval *e, const struct gate_rule *r)
{
	return refuse(e, GATE_DEFER, 450, "4.3.2", "Try again later");
}

static enum gate_result
defer_if_permit(struct gate_eval *e, const struct gate_rule *r)
{
	return refuse(e, GATE_DEFER_IF_PERMIT, 450, "4.7.0",
	    "defer_if_permit requested");
}

static enum gate_result
defer_if_reject(struct gate_eval *e, const struct gate_rule *r)
{
	return refuse(e, GATE_DEFER_IF_REJECT, 450, "4.7.0",
	    "defer_if_reject requested");
}

static enum gate_result
permit_mynetworks(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_is_mynetworks(e->gate, &e->facts->client) ?
	    GATE_PERMIT : GATE_DUNNO;
}

static enum gate_result
permit_sasl_authenticated(struct gate_eval *e, const struct gate_rule *r)
{
	return e->facts->authenticated ? GATE_PERMIT : GATE_DUNNO;
}

static enum gate_result
lookup_failed(struct gate_eval *e)
{
	return gate_reply(e, GATE_DEFER, 451, "4.3.0",
	    "<%.*s>: Temporary lookup failure",
	    SPAN_ARG(e->facts->recipient));
}

/* Is the recipient's domain ours? DUNNO means no. */
static enum gate_result
our_domain(struct gate_eval *e)
{
	struct gate_facts *f = e->facts;

	if (f->rcpt_domain == NULL &&
	    !e->ops->need(GATE_NEED_RCPT_DOMAIN, f, e->arg))
		return GATE_PARKED;
	switch (f->rcpt_domain->class) {
	case RESOLVE_TEMP:
		return lookup_failed(e);
	case RESOLVE_NOT_LOCAL:
		return GATE_DUNNO;
	default:
		return GATE_PERMIT;
	}
}

static enum gate_result
permit_auth_destination(struct gate_eval *e, const struct gate_rule *r)
{
	return our_domain(e);
}

static enum gate_result
unauth(struct gate_eval *e, enum gate_result how, int code, const char *dsn)
{
	enum gate_result ours = our_domain(e);

	if (ours == GATE_PERMIT)
		return GATE_DUNNO;
	if (ours != GATE_DUNNO)
		return ours;
	return gate_reply(e, how, code, dsn, "<%.*s>: Relay access denied",
	    SPAN_ARG(e->facts->recipient));
}

static enum gate_result
reject_unauth_destination(struct gate_eval *e, const struct gate_rule *r)
{
	int code = (int)gate_conf(e->gate)->relay_domains_reject_code;

	return code >= 500 ? unauth(e, GATE_REJECT, code, "5.7.1") :
	    unauth(e, GATE_DEFER, code, "4.7.1");
}

static enum gate_result
defer_unauth_destination(struct gate_eval *e, const struct gate_rule *r)
{
	int code = (int)gate_conf(e->gate)->relay_domains_reject_code;

	return unauth(e, GATE_DEFER, code >= 500 ? code - 100 : code, "4.7.1");
}

enum gate_result
gate_unlisted_recipient(struct gate_eval *e)
{
	struct gate_facts *f = e->facts;
	int code = (int)gate_conf(e->gate)->virtual_mailbox_reject_code;

	if (f->rcpt == NULL && !e->ops->need(GATE_NEED_RCPT, f, e->arg))
		return GATE_PARKED;
	switch (f->rcpt->class) {
	case RESOLVE_TEMP:
		return lookup_failed(e);
	case RESOLVE_UNKNOWN:
		return gate_reply(e, code >= 500 ? GATE_REJECT : GATE_DEFER,
		    code, code >= 500 ? "5.1.1" : "4.1.1",
		    "<%.*s>: Recipient address rejected: User unknown in "
		    "virtual mailbox table", SPAN_ARG(f->recipient));
	case RESOLVE_DISABLED:
		return gate_reply(e, GATE_REJECT, 550, "5.2.1",
		    "<%.*s>: Recipient address rejected: Mailbox disabled",
		    SPAN_ARG(f->recipient));
	default:
		return GATE_DUNNO;
	}
}

static enum gate_result
reject_unlisted_recipient(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_unlisted_recipient(e);
}

static const struct gate_restriction table[] = {
	{ "permit", ANY, GATE_ARG_NONE, GATE_ENDS, permit,
	  "Ends this list; what it guards is allowed." },
	{ "reject", ANY, GATE_ARG_NONE, GATE_ENDS | GATE_GUARDS, reject,
	  "Refuses for good: 554 5.7.1." },
	{ "defer", ANY, GATE_ARG_NONE, GATE_ENDS | GATE_GUARDS, defer,
	  "Refuses for now: 450 4.3.2." },
	{ "defer_if_permit", ANY, GATE_ARG_NONE, GATE_GUARDS, defer_if_permit,
	  "Refuses for now what the rest of the lists would permit." },
	{ "defer_if_reject", ANY, GATE_ARG_NONE, 0, defer_if_reject,
	  "Refuses for now what the rest of the lists would refuse." },
	{ "permit_mynetworks", ANY, GATE_ARG_NONE, 0, permit_mynetworks,
	  "Permits clients whose address is in mynetworks." },
	{ "permit_sasl_authenticated", ANY, GATE_ARG_NONE, 0,
	  permit_sasl_authenticated,
	  "Permits clients that have logged in with AUTH." },
	{ "permit_auth_destination", AT_RCPT, GATE_ARG_NONE, 0,
	  permit_auth_destination,
	  "Permits recipients in domains that the database has." },
	{ "reject_unauth_destination", AT_RCPT, GATE_ARG_NONE, GATE_GUARDS,
	  reject_unauth_destination,
	  "Refuses recipients outside the domains that the database has "
	  "(relay_domains_reject_code)." },
	{ "defer_unauth_destination", AT_RCPT, GATE_ARG_NONE, GATE_GUARDS,
	  defer_unauth_destination,
	  "As reject_unauth_destination, but refuses for now." },
	{ "reject_unlisted_recipient", AT_RCPT, GATE_ARG_NONE, 0,
	  reject_unlisted_recipient,
	  "Refuses recipients that the database does not know "
	  "(virtual_mailbox_reject_code) or that are disabled." },
	{ "check_client_access", ANY, GATE_ARG_TABLE, 0, check_client_access,
	  "Looks the client's name, parent domains, address and address "
	  "prefixes up in an access(5) table." },
	{ "check_reverse_client_hostname_access", ANY, GATE_ARG_TABLE, 0,
	  check_reverse_client_hostname_access,
	  "Looks the client's unconfirmed reverse name up in a table." },
	{ "check_helo_access", ANY, GATE_ARG_TABLE, 0, check_helo_access,
	  "Looks the HELO name and its parent domains up in a table." },
	{ "check_sender_access", ANY, GATE_ARG_TABLE, 0, check_sender_access,
	  "Looks the sender up in a table: address, domain, parent domains, "
	  "user@; \"<>\" for the null sender." },
	{ "check_recipient_access", AT_RCPT, GATE_ARG_TABLE, 0,
	  check_recipient_access,
	  "As check_sender_access, for the recipient." },
	{ "reject_invalid_helo_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_invalid_helo_hostname,
	  "Refuses a HELO name of bad syntax (invalid_hostname_reject_code)." },
	{ "reject_invalid_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_invalid_helo_hostname,
	  "Old name of reject_invalid_helo_hostname." },
	{ "reject_non_fqdn_helo_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_non_fqdn_helo_hostname,
	  "Refuses a HELO name that is neither fully qualified nor an address "
	  "literal (non_fqdn_reject_code)." },
	{ "reject_non_fqdn_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_non_fqdn_helo_hostname,
	  "Old name of reject_non_fqdn_helo_hostname." },
	{ "reject_non_fqdn_sender", ANY, GATE_ARG_NONE, 0,
	  reject_non_fqdn_sender,
	  "Refuses a sender without a fully qualified domain "
	  "(non_fqdn_reject_code)." },
	{ "reject_non_fqdn_recipient", AT_RCPT, GATE_ARG_NONE, 0,
	  reject_non_fqdn_recipient,
	  "Refuses a recipient without a fully qualified domain, "
	  "postmaster excepted (non_fqdn_reject_code)." },
	{ "reject_unauth_pipelining", ANY, GATE_ARG_NONE, 0,
	  reject_unauth_pipelining,
	  "Refuses clients that send commands ahead of time where that is not "
	  "allowed: 503 5.5.0." },
	{ "reject_plaintext_session", ANY, GATE_ARG_NONE, 0,
	  reject_plaintext_session,
	  "Refuses sessions without TLS (plaintext_reject_code)." },
	{ "reject_multi_recipient_bounce", ANY, GATE_ARG_NONE, 0,
	  reject_multi_recipient_bounce,
	  "Refuses the null sender with more than one recipient "
	  "(multi_recipient_bounce_reject_code)." },
	{ "reject_unknown_client_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_client_hostname,
	  "Refuses clients without a name that leads back to their address "
	  "(unknown_client_reject_code; 450 when DNS does not answer)." },
	{ "reject_unknown_client", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_client_hostname,
	  "Old name of reject_unknown_client_hostname." },
	{ "reject_unknown_reverse_client_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_reverse_client_hostname,
	  "Refuses clients whose address has no name "
	  "(unknown_client_reject_code; 450 when DNS does not answer)." },
	{ "reject_unlisted_sender", ANY, GATE_ARG_NONE, 0,
	  reject_unlisted_sender,
	  "Refuses senders in domains of the database that it does not know "
	  "(virtual_mailbox_reject_code)." },
	{ "reject_sender_login_mismatch", ANY, GATE_ARG_NONE, 0,
	  reject_sender_login_mismatch,
	  "Refuses a sender whose owner is not who is logged in, and a sender "
	  "with an owner when no one is: 553 5.7.1. An address is owned by "
	  "the mailboxes it leads to." },
	{ "reject_authenticated_sender_login_mismatch", ANY, GATE_ARG_NONE, 0,
	  reject_authenticated_sender_login_mismatch,
	  "The part of reject_sender_login_mismatch for who is logged in." },
	{ "reject_unauthenticated_sender_login_mismatch", ANY, GATE_ARG_NONE,
	  0, reject_unauthenticated_sender_login_mismatch,
	  "The part of reject_sender_login_mismatch for who is not." },
	{ "reject_known_sender_login_mismatch", ANY, GATE_ARG_NONE, 0,
	  reject_known_sender_login_mismatch,
	  "As reject_authenticated_sender_login_mismatch, but only for "
	  "senders that have an owner." },
};

const struct gate_restriction *
gate_restrictions(size_t *n)
{
	*n = ARRAY_LEN(table);
	return table;
}
