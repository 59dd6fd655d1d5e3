/*
 * Checks of what can be seen at once: the form of names and addresses, the
 * manner of the session, what client_name.h found out before the greeting.
 */
#include <stdio.h>

#include "gate/checks.h"
#include "mail/address.h"

void
gate_subject_of(const struct gate_eval *e, enum gate_what what,
    struct buf *out)
{
	const struct gate_facts *f = e->facts;

	switch (what) {
	case GATE_IS_CLIENT:
		buf_fmt(out, "<%s[%s]>: Client host", f->client_name,
		    f->client_ip);
		break;
	case GATE_IS_REVERSE:
		buf_fmt(out, "<%s>: Unverified Client host",
		    gate_reverse_name(f));
		break;
	case GATE_IS_HELO:
		buf_fmt(out, "<%s>: Helo command", f->helo);
		break;
	case GATE_IS_SENDER:
		buf_fmt(out, "<%.*s>: Sender address", SPAN_ARG(f->sender));
		break;
	case GATE_IS_RECIPIENT:
		buf_fmt(out, "<%.*s>: Recipient address",
		    SPAN_ARG(f->recipient));
		break;
	case GATE_IS_SASL:
		buf_fmt(out, "<%s>: SASL login name", f->user);
		break;
	case GATE_IS_CCERT:
		buf_fmt(out, "<%s>: Client certificate",
		    f->ccert_subject[0] != '\0' ? f->ccert_subject :
		    f->ccert_fingerprint);
		break;
	case GATE_IS_ETRN:
		buf_fmt(out, "<%.*s>: Etrn command", SPAN_ARG(f->etrn));
		break;
	case GATE_IS_STAGE:
		gate_subject(e, out);
		break;
	}
}

enum gate_result
gate_refuse_plain(struct gate_eval *e, int64_t code, const char *dsn,
    const char *why)
{
	char fits[12];

	(void)snprintf(fits, sizeof(fits), "%c%s", code >= 500 ? '5' : '4',
	    dsn + 1);
	return gate_reply(e, code >= 500 ? GATE_REJECT : GATE_DEFER,
	    (int)code, fits, "%s", why);
}

enum gate_result
gate_refuse(struct gate_eval *e, enum gate_what what, int64_t code,
    const char *dsn, const char *why)
{
	struct buf text;
	enum gate_result r;

	buf_init(&text, 4096);
	gate_subject_of(e, what, &text);
	buf_fmt(&text, " rejected: %s", why);
	r = gate_refuse_plain(e, code, dsn, buf_cstr(&text));
	buf_fini(&text);
	return r;
}

enum gate_result
gate_unsure(struct gate_eval *e, const char *action, enum gate_what what,
    int64_t code, const char *dsn, const char *why)
{
	enum gate_result r = gate_refuse(e, what, code, dsn, why);

	return r == GATE_DEFER && strcmp(action, "defer_if_permit") == 0 ?
	    GATE_DEFER_IF_PERMIT : r;
}

/* --- names --- */

static struct span
undotted(struct span s)
{
	return s.n > 1 && s.p[s.n - 1] == '.' && s.p[s.n - 2] != '.' ?
	    span_sub(s, 0, s.n - 1) : s;
}

static bool
is_fqdn(struct span s, unsigned flags)
{
	return address_is_domain(s, flags) && span_chr(s, '.') >= 0;
}

static enum gate_result
helo_literal(struct gate_eval *e, struct span helo)
{
	if (address_is_literal(helo))
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_HELO,
	    gate_conf(e->gate)->invalid_hostname_reject_code, "5.5.2",
	    "invalid ip address");
}

enum gate_result
reject_invalid_helo_hostname(struct gate_eval *e, const struct gate_rule *r)
{
	struct span helo = span_str(e->facts->helo);
	struct net_addr a;

	if (helo.n == 0)
		return GATE_DUNNO;
	if (helo.p[0] == '[')
		return helo_literal(e, helo);
	if (address_is_domain(undotted(helo), 0) ||
	    net_addr_parse(undotted(helo), &a))
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_HELO,
	    gate_conf(e->gate)->invalid_hostname_reject_code, "5.5.2",
	    "Invalid name");
}

/* An address instead of a name passes, where it is one. (An old restriction:
 * permit_mynetworks is what is meant.) */
enum gate_result
permit_naked_ip_address(struct gate_eval *e, const struct gate_rule *r)
{
	struct span helo = span_str(e->facts->helo);
	struct net_addr a;

	if (helo.n == 0 || helo.n != strspn(helo.p, "0123456789.:"))
		return GATE_DUNNO;
	/* IPv6 needs its tag in HELO, and then is no bare address. */
	if (span_chr(helo, ':') < 0 && net_addr_parse(helo, &a))
		return GATE_PERMIT;
	return gate_refuse(e, GATE_IS_HELO,
	    gate_conf(e->gate)->invalid_hostname_reject_code, "5.5.2",
	    "invalid ip address");
}

enum gate_result
reject_non_fqdn_helo_hostname(struct gate_eval *e, const struct gate_rule *r)
{
	struct span helo = span_str(e->facts->helo);

	if (helo.n == 0)
		return GATE_DUNNO;
	if (helo.p[0] == '[')
		return helo_literal(e, helo);
	if (is_fqdn(undotted(helo), 0))
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_HELO,
	    gate_conf(e->gate)->non_fqdn_reject_code, "5.5.2",
	    "need fully-qualified hostname");
}

static enum gate_result
non_fqdn_address(struct gate_eval *e, struct span address,
    enum gate_what what)
{
	ptrdiff_t at = span_rchr(address, '@');
	struct span domain = at < 0 ? SPAN_NONE :
	    span_sub(address, (size_t)at + 1, address.n);

	if (address.n == 0 || address_is_literal(domain) ||
	    is_fqdn(undotted(domain), ADDRESS_UTF8))
		return GATE_DUNNO;
	return gate_refuse(e, what, gate_conf(e->gate)->non_fqdn_reject_code,
	    "5.5.2", "need fully-qualified address");
}

enum gate_result
reject_non_fqdn_sender(struct gate_eval *e, const struct gate_rule *r)
{
	return non_fqdn_address(e, e->facts->sender, GATE_IS_SENDER);
}

/* RFC 5321 4.5.1: "RCPT TO:<postmaster>" is always fine. */
enum gate_result
reject_non_fqdn_recipient(struct gate_eval *e, const struct gate_rule *r)
{
	if (span_is(e->facts->recipient, "postmaster"))
		return GATE_DUNNO;
	return non_fqdn_address(e, e->facts->recipient, GATE_IS_RECIPIENT);
}

/* --- the session --- */

enum gate_result
reject_unauth_pipelining(struct gate_eval *e, const struct gate_rule *r)
{
	if (!e->facts->early_input)
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_STAGE, 503, "5.5.0",
	    "Improper use of SMTP command pipelining");
}

enum gate_result
reject_plaintext_session(struct gate_eval *e, const struct gate_rule *r)
{
	if (e->facts->tls)
		return GATE_DUNNO;
	return gate_refuse_plain(e, gate_conf(e->gate)->plaintext_reject_code,
	    "4.7.1", "Session encryption is required");
}

/* At RCPT the one being judged is not counted yet. */
enum gate_result
reject_multi_recipient_bounce(struct gate_eval *e, const struct gate_rule *r)
{
	const struct gate_facts *f = e->facts;
	uint32_t others = e->stage >= GATE_DATA ? 1 : 0;

	if (f->sender.p == NULL || f->sender.n > 0 ||
	    f->n_recipients <= others)
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_STAGE,
	    gate_conf(e->gate)->multi_recipient_bounce_reject_code, "5.5.3",
	    "Multi-recipient bounce");
}

/* --- the client's name --- */

static enum gate_result
unknown_client(struct gate_eval *e, enum client_name_state state,
    const char *dsn, const char *what)
{
	char why[160];

	if (state == CLIENT_NAME_OK)
		return GATE_DUNNO;
	(void)snprintf(why, sizeof(why),
	    "Client host rejected: cannot find your %s, [%.50s]", what,
	    e->facts->client_ip);
	return gate_refuse_plain(e, state == CLIENT_NAME_TEMP ? 450 :
	    gate_conf(e->gate)->unknown_client_reject_code, dsn, why);
}

enum gate_result
reject_unknown_client_hostname(struct gate_eval *e, const struct gate_rule *r)
{
	return unknown_client(e, e->facts->name_state, "4.7.25", "hostname");
}

/* Of those that have a name at all. */
enum gate_result
reject_unknown_forward_client_hostname(struct gate_eval *e,
    const struct gate_rule *r)
{
	(void)r;
	if (e->facts->reverse_state != CLIENT_NAME_OK)
		return GATE_DUNNO;
	return unknown_client(e, e->facts->name_state, "4.7.25",
	    "forward hostname");
}

enum gate_result
reject_unknown_reverse_client_hostname(struct gate_eval *e,
    const struct gate_rule *r)
{
	return unknown_client(e, e->facts->reverse_state, "4.7.1",
	    "reverse hostname");
}
