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
reject(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_refuse(e, GATE_IS_STAGE, gate_conf(e->gate)->reject_code,
	    "5.7.1", "Access denied");
}

static enum gate_result
defer(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_refuse(e, GATE_IS_STAGE, gate_conf(e->gate)->defer_code,
	    "4.3.2", "Try again later");
}

static enum gate_result
defer_if_permit(struct gate_eval *e, const struct gate_rule *r)
{
	(void)gate_refuse(e, GATE_IS_STAGE, 450, "4.7.0",
	    "defer_if_permit requested");
	return GATE_DEFER_IF_PERMIT;
}

static enum gate_result
defer_if_reject(struct gate_eval *e, const struct gate_rule *r)
{
	(void)gate_refuse(e, GATE_IS_STAGE, 450, "4.7.0",
	    "defer_if_reject requested");
	return GATE_DEFER_IF_REJECT;
}

static enum gate_result
sleep_first(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_sleep(e, r->seconds);
}

static enum gate_result
permit_mynetworks(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_is_mynetworks(e->gate, &e->facts->client) ?
	    GATE_PERMIT : GATE_DUNNO;
}

static enum gate_result
permit_inet_interfaces(struct gate_eval *e, const struct gate_rule *r)
{
	return netlist_match(gate_own_addresses(e->gate),
	    &e->facts->client) ? GATE_PERMIT : GATE_DUNNO;
}

static enum gate_result
permit_sasl_authenticated(struct gate_eval *e, const struct gate_rule *r)
{
	return e->facts->authenticated ? GATE_PERMIT : GATE_DUNNO;
}

bool
gate_is_routed(struct span address)
{
	ptrdiff_t at = span_rchr(address, '@');
	struct span local = at < 0 ? address : span_sub(address, 0,
	    (size_t)at);

	return span_chr(local, '@') >= 0 || span_chr(local, '%') >= 0 ||
	    span_chr(local, '!') >= 0;
}

enum gate_result
gate_our_domain(struct gate_eval *e)
{
	struct gate_facts *f = e->facts;

	if (gate_is_routed(f->recipient))
		return GATE_DUNNO;
	if (f->rcpt_domain == NULL &&
	    !e->ops->need(GATE_NEED_RCPT_DOMAIN, f, e->arg))
		return GATE_PARKED;
	switch (f->rcpt_domain->class) {
	case RESOLVE_TEMP:
		return gate_lookup_failed(e, f->recipient);
	case RESOLVE_NOT_LOCAL:
		return GATE_DUNNO;
	default:
		return GATE_PERMIT;
	}
}

static enum gate_result
permit_auth_destination(struct gate_eval *e, const struct gate_rule *r)
{
	return gate_our_domain(e);
}

static enum gate_result
unauth(struct gate_eval *e, enum gate_result how, int code, const char *dsn)
{
	enum gate_result ours = gate_our_domain(e);

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
	int code = (int)gate_conf(e->gate)->unknown_virtual_mailbox_reject_code;

	if (f->rcpt == NULL && !e->ops->need(GATE_NEED_RCPT, f, e->arg))
		return GATE_PARKED;
	switch (f->rcpt->class) {
	case RESOLVE_TEMP:
		return gate_lookup_failed(e, f->recipient);
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

enum gate_result
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
	{ "sleep", ANY, GATE_ARG_SECONDS, GATE_IN_ORDER, sleep_first,
	  "Waits so many seconds (at most 300), then goes on. Clients that do "
	  "not wait can be told by reject_unauth_pipelining behind it." },
	{ "permit_mynetworks", ANY, GATE_ARG_NONE, 0, permit_mynetworks,
	  "Permits clients whose address is in mynetworks." },
	{ "permit_inet_interfaces", ANY, GATE_ARG_NONE, 0,
	  permit_inet_interfaces,
	  "Permits clients whose address is one of this host's own, or in "
	  "proxy_interfaces." },
	{ "permit_tls_clientcerts", ANY, GATE_ARG_NONE, 0,
	  permit_tls_clientcerts,
	  "Permits clients whose certificate's fingerprint, or whose public "
	  "key's, is in relay_clientcerts (smtpd_tls_ask_ccert, "
	  "smtpd_tls_fingerprint_digest)." },
	{ "permit_tls_all_clientcerts", ANY, GATE_ARG_NONE, 0,
	  permit_tls_all_clientcerts,
	  "Permits clients with a certificate of an issuer in "
	  "smtpd_tls_CAfile or smtpd_tls_CApath, whoever they are: for "
	  "issuers of your own only." },
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
	  "(unknown_virtual_mailbox_reject_code) or that are disabled." },
	{ "check_recipient_maps", AT_RCPT, GATE_ARG_NONE, GATE_OLD,
	  reject_unlisted_recipient,
	  "Old name of reject_unlisted_recipient." },
	{ "check_relay_domains", AT_RCPT, GATE_ARG_NONE,
	  GATE_GUARDS | GATE_OLD, reject_unauth_destination,
	  "Old: what it refused, reject_unauth_destination refuses." },
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
	{ "check_sasl_access", ANY, GATE_ARG_TABLE, 0, check_sasl_access,
	  "Looks the name of who is logged in up in an access(5) table, as it "
	  "stands." },
	{ "check_ccert_access", ANY, GATE_ARG_CCERT_TABLE, 0,
	  check_ccert_access,
	  "Looks the client certificate's fingerprint, then its public key's, "
	  "up in an access(5) table; { type:name, { search_order = "
	  "cert_fingerprint, pubkey_fingerprint, subject_cn, issuer_cn } } "
	  "says which and in which order." },
	{ "check_etrn_access", STAGE(GATE_ETRN), GATE_ARG_TABLE, 0,
	  check_etrn_access,
	  "Looks the domain of ETRN and its parent domains up in an access(5) "
	  "table." },
	{ "reject_invalid_helo_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_invalid_helo_hostname,
	  "Refuses a HELO name of bad syntax (invalid_hostname_reject_code)." },
	{ "reject_invalid_hostname", ANY, GATE_ARG_NONE, GATE_OLD,
	  reject_invalid_helo_hostname,
	  "Old name of reject_invalid_helo_hostname." },
	{ "reject_non_fqdn_helo_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_non_fqdn_helo_hostname,
	  "Refuses a HELO name that is neither fully qualified nor an address "
	  "literal (non_fqdn_reject_code)." },
	{ "reject_non_fqdn_hostname", ANY, GATE_ARG_NONE, GATE_OLD,
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
	{ "reject_unknown_client", ANY, GATE_ARG_NONE, GATE_OLD,
	  reject_unknown_client_hostname,
	  "Old name of reject_unknown_client_hostname." },
	{ "reject_unknown_reverse_client_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_reverse_client_hostname,
	  "Refuses clients whose address has no name "
	  "(unknown_client_reject_code; 450 when DNS does not answer)." },
	{ "reject_unknown_forward_client_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_forward_client_hostname,
	  "Refuses clients whose address has a name that does not lead back to "
	  "it; those without a name pass (unknown_client_reject_code; 450 when "
	  "DNS does not answer). Postfix reserves the name only." },
	{ "reject_unknown_helo_hostname", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_helo_hostname,
	  "Refuses a HELO name without A, AAAA and MX record "
	  "(unknown_hostname_reject_code; when the DNS does not answer, "
	  "unknown_helo_hostname_tempfail_action)." },
	{ "reject_unknown_hostname", ANY, GATE_ARG_NONE, GATE_OLD,
	  reject_unknown_helo_hostname,
	  "Old name of reject_unknown_helo_hostname." },
	{ "permit_naked_ip_address", ANY, GATE_ARG_NONE,
	  GATE_OLD | GATE_OPENS, permit_naked_ip_address,
	  "Old: permits an address without brackets as HELO name. Use "
	  "permit_mynetworks instead." },
	{ "reject_unknown_sender_domain", ANY, GATE_ARG_NONE, 0,
	  reject_unknown_sender_domain,
	  "Refuses a sender domain without MX, A and AAAA record "
	  "(unknown_address_reject_code; when the DNS does not answer, "
	  "unknown_address_tempfail_action) or with a null MX (550)." },
	{ "reject_unknown_address", ANY, GATE_ARG_NONE, GATE_OLD,
	  reject_unknown_sender_domain,
	  "Old name of reject_unknown_sender_domain." },
	{ "reject_unknown_recipient_domain", AT_RCPT, GATE_ARG_NONE, 0,
	  reject_unknown_recipient_domain,
	  "As reject_unknown_sender_domain, for the recipient (null MX: "
	  "556)." },
	{ "permit_mx_backup", AT_RCPT, GATE_ARG_NONE, GATE_OLD,
	  permit_mx_backup,
	  "Permits recipients in domains whose MX records name this host, but "
	  "not as the best one (permit_mx_backup_networks). Old: add the "
	  "domain as a relay domain instead." },
	{ "reject_rbl_client", ANY, GATE_ARG_DNSLIST, 0, reject_rbl_client,
	  "Refuses clients whose address a DNS list has: "
	  "ZONE or ZONE=127.0.0.[2..11] (maps_rbl_reject_code, "
	  "default_rbl_reply, rbl_reply_maps)." },
	{ "reject_rbl", ANY, GATE_ARG_DNSLIST, GATE_OLD, reject_rbl_client,
	  "Old name of reject_rbl_client." },
	{ "reject_maps_rbl", ANY, GATE_ARG_NONE, GATE_OLD, reject_maps_rbl,
	  "Old: reject_rbl_client for each of maps_rbl_domains." },
	{ "reject_rhsbl_client", ANY, GATE_ARG_DNSLIST, GATE_OF_NAMES,
	  reject_rhsbl_client,
	  "Refuses clients whose name a DNS list of domains has." },
	{ "reject_rhsbl_reverse_client", ANY, GATE_ARG_DNSLIST, GATE_OF_NAMES,
	  reject_rhsbl_reverse_client,
	  "As reject_rhsbl_client, for the unconfirmed name." },
	{ "reject_rhsbl_helo", ANY, GATE_ARG_DNSLIST, GATE_OF_NAMES, reject_rhsbl_helo,
	  "Refuses a HELO name that a DNS list of domains has." },
	{ "reject_rhsbl_sender", ANY, GATE_ARG_DNSLIST, GATE_OF_NAMES,
	  reject_rhsbl_sender,
	  "Refuses a sender whose domain a DNS list of domains has." },
	{ "reject_rhsbl_recipient", AT_RCPT, GATE_ARG_DNSLIST, GATE_OF_NAMES,
	  reject_rhsbl_recipient,
	  "Refuses a recipient whose domain a DNS list of domains has." },
	{ "permit_dnswl_client", ANY, GATE_ARG_DNSLIST, 0,
	  permit_dnswl_client,
	  "Permits clients whose address a DNS allow list has, but never to "
	  "relay; when the list does not answer, what the rest of the list "
	  "refuses is refused for now only." },
	{ "permit_rhswl_client", ANY, GATE_ARG_DNSLIST, GATE_OF_NAMES,
	  permit_rhswl_client,
	  "As permit_dnswl_client, for the client's name." },
	{ "reject_dnsbl_score", ANY, GATE_ARG_SCORE, 0, reject_dnsbl_score,
	  "Refuses clients whose score over all lists of "
	  "postscreen_dnsbl_sites is at postscreen_dnsbl_threshold, or at N: "
	  "reject_dnsbl_score=N (maps_rbl_reject_code; 450 when an allow list "
	  "that could save it does not answer). The reply names the lists and "
	  "their answers (postscreen_dnsbl_reply_map)." },
	{ "permit_dnsbl_score", ANY, GATE_ARG_NONE, 0, permit_dnsbl_score,
	  "Permits clients whose score is at "
	  "postscreen_dnsbl_allowlist_threshold or below it, but never to "
	  "relay." },
#define SERVER_ROWS(who, stages, whose)					\
	{ "check_" #who "_a_access", stages, GATE_ARG_TABLE, 0,		\
	  check_##who##_a_access,					\
	  "Looks the addresses of " whose " up in an access(5) table. "	\
	  "OK is not allowed." },					\
	{ "check_" #who "_mx_access", stages, GATE_ARG_TABLE, 0,	\
	  check_##who##_mx_access,					\
	  "Looks names and addresses of the MX hosts of " whose " up in " \
	  "a table. OK is not allowed." },				\
	{ "check_" #who "_ns_access", stages, GATE_ARG_TABLE, 0,	\
	  check_##who##_ns_access,					\
	  "Looks names and addresses of the name servers of " whose " up " \
	  "in a table. OK is not allowed." },
	SERVER_ROWS(client, ANY, "the client's name")
	SERVER_ROWS(reverse_client_hostname, ANY,
	    "the client's unconfirmed name")
	SERVER_ROWS(helo, ANY, "the HELO name")
	SERVER_ROWS(sender, ANY, "the sender's domain")
	SERVER_ROWS(recipient, AT_RCPT, "the recipient's domain")
#undef SERVER_ROWS
	{ "check_greylist", AT_RCPT, GATE_ARG_NONE, GATE_IN_ORDER,
	  check_greylist,
	  "Greylisting: who sends for the first time is told to try again "
	  "(450). Not for clients that are logged in or in mynetworks. See "
	  "doc/spam.md." },
	{ "check_policy_service", ANY, GATE_ARG_POLICY, GATE_IN_ORDER,
	  check_policy_service,
	  "Asks a policy service, inet:HOST:PORT or unix:/PATH, and does what "
	  "it says: an access(5) value. Settings of one service: "
	  "{ inet:HOST:PORT, timeout=10s, default_action=DUNNO }." },
	{ "check_spf", AT_RCPT | STAGE(GATE_DATA), GATE_ARG_NONE, 0, check_spf,
	  "Asks SPF whether the client may send for its HELO name and for the "
	  "sender's domain: 550 5.7.23 for the results that spf_helo_reject "
	  "and spf_mail_from_reject name (5.7.24 with spf_permerror_reject, "
	  "450 4.7.24 with spf_temperror_defer), and adds Received-SPF and "
	  "Authentication-Results. Clients that are logged in, and those of "
	  "spf_skip_addresses and spf_*whitelist*, are not looked at." },
	{ "reject_unlisted_sender", ANY, GATE_ARG_NONE, 0,
	  reject_unlisted_sender,
	  "Refuses senders in domains of the database that it does not know "
	  "(unknown_virtual_mailbox_reject_code)." },
	{ "reject_unverified_sender", ANY, GATE_ARG_NONE, 0,
	  reject_unverified_sender,
	  "Refuses senders that take no mail: addresses of ours as the database "
	  "has them (unverified_sender_reject_code), others by what `postern "
	  "verify' has noted; who is not noted is told to come again "
	  "(unverified_sender_defer_code), as probes are not built yet." },
	{ "reject_unverified_recipient", AT_RCPT, GATE_ARG_NONE, 0,
	  reject_unverified_recipient,
	  "As reject_unverified_sender, for the recipient "
	  "(unverified_recipient_reject_code, _defer_code)." },
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
