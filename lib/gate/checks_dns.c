/*
 * Checks that ask the DNS whether a name exists, and permit_mx_backup. What
 * the DNS does not answer is "try again", as reject_tempfail_action and its
 * kin say; "no such name" is a refusal with the configured code.
 */
#include <stdio.h>

#include "gate/checks.h"
#include "mail/address.h"

/* What several look-ups about one name came to. */
enum known { KNOWN_PARKED, KNOWN_YES, KNOWN_NO, KNOWN_NULL_MX, KNOWN_TEMP };

static bool
is_null_mx(const struct dns_answer *a)
{
	return a->result == DNS_OK && a->n_records == 1 &&
	    a->record[0].name[0] == '\0';
}

/* Asks for all types at once; the first in the order that says something
 * decides. RFC 7505: a null MX is an answer, not an address. */
static enum known
exists(struct gate_eval *e, const char *name, const enum dns_type types[3])
{
	const struct dns_answer *a[3];
	enum known k = KNOWN_NO;
	size_t i;

	for (i = 0; i < 3; i++)
		a[i] = gate_dns(e, name, types[i]);
	for (i = 0; i < 3; i++) {
		if (a[i] == NULL)
			return KNOWN_PARKED;
		if (types[i] == DNS_MX && is_null_mx(a[i]))
			return KNOWN_NULL_MX;
		if (a[i]->result == DNS_OK)
			return KNOWN_YES;
		if (a[i]->result == DNS_TEMPFAIL)
			k = KNOWN_TEMP;
	}
	return k;
}

/* --- HELO --- */

enum gate_result
reject_unknown_helo_hostname(struct gate_eval *e, const struct gate_rule *r)
{
	static const enum dns_type types[3] = { DNS_A, DNS_AAAA, DNS_MX };
	const struct conf *conf = gate_conf(e->gate);
	const char *helo = e->facts->helo;

	if (helo[0] == '\0')
		return GATE_DUNNO;
	if (helo[0] == '[')
		return reject_invalid_helo_hostname(e, r);
	switch (exists(e, helo, types)) {
	case KNOWN_PARKED:
		return GATE_PARKED;
	case KNOWN_YES:
	case KNOWN_NULL_MX:	/* it sends mail and takes none */
		return GATE_DUNNO;
	case KNOWN_TEMP:
		return gate_unsure(e,
		    conf->unknown_helo_hostname_tempfail_action, GATE_IS_HELO,
		    450, "4.7.1", "Host not found");
	case KNOWN_NO:
		break;
	}
	return gate_refuse(e, GATE_IS_HELO, conf->unknown_hostname_reject_code,
	    "4.7.1", "Host not found");
}

/* --- sender and recipient --- */

bool
gate_dns_domain(const struct gate_eval *e, enum gate_what what,
    struct buf *out)
{
	struct span address = what == GATE_IS_SENDER ? e->facts->sender :
	    e->facts->recipient;
	ptrdiff_t at = span_rchr(address, '@');
	struct span domain;

	buf_clear(out);
	if (at < 0)
		return false;
	domain = span_sub(address, (size_t)at + 1, address.n);
	if (domain.n == 0 || domain.p[0] == '[')
		return false;
	if (address_domain_normal(domain, out, NULL) != 0) {
		buf_clear(out);
		buf_span_add(out, domain);
	}
	return !buf_failed(out) && buf_len(out) > 0;
}

static enum gate_result
unknown_domain(struct gate_eval *e, enum gate_what what, const char *domain)
{
	static const enum dns_type types[3] = { DNS_MX, DNS_A, DNS_AAAA };
	const struct conf *conf = gate_conf(e->gate);
	bool sender = what == GATE_IS_SENDER;
	const char *dsn = sender ? "4.1.8" : "4.1.2";
	char why[DNS_NAME_MAX + 64];

	switch (exists(e, domain, types)) {
	case KNOWN_PARKED:
		return GATE_PARKED;
	case KNOWN_YES:
		return GATE_DUNNO;
	case KNOWN_NULL_MX:
		(void)snprintf(why, sizeof(why), "Domain %.253s does not "
		    "accept mail (nullMX)", domain);
		return sender ? gate_refuse(e, what, 550, "5.7.27", why) :
		    gate_refuse(e, what, 556, "5.1.10", why);
	case KNOWN_TEMP:
		return gate_unsure(e, conf->unknown_address_tempfail_action,
		    what, 450, dsn, "Domain not found");
	case KNOWN_NO:
		break;
	}
	return gate_refuse(e, what, conf->unknown_address_reject_code, dsn,
	    "Domain not found");
}

static enum gate_result
address_domain_known(struct gate_eval *e, enum gate_what what)
{
	enum gate_result r = GATE_DUNNO;
	struct buf domain;

	buf_init(&domain, DNS_NAME_MAX);
	if (gate_dns_domain(e, what, &domain))
		r = unknown_domain(e, what, buf_cstr(&domain));
	buf_fini(&domain);
	return r;
}

/* A domain of ours needs no DNS (as in Postfix: final destinations). */
enum gate_result
reject_unknown_sender_domain(struct gate_eval *e, const struct gate_rule *r)
{
	if (e->facts->sender.n == 0)
		return GATE_DUNNO;
	if (e->facts->from == NULL &&
	    !e->ops->need(GATE_NEED_SENDER, e->facts, e->arg))
		return GATE_PARKED;
	switch (e->facts->from->class) {
	case RESOLVE_TEMP:
		return gate_lookup_failed(e, e->facts->sender);
	case RESOLVE_NOT_LOCAL:
	case RESOLVE_RELAY:
		return address_domain_known(e, GATE_IS_SENDER);
	default:
		return GATE_DUNNO;
	}
}

enum gate_result
reject_unknown_recipient_domain(struct gate_eval *e,
    const struct gate_rule *r)
{
	enum gate_result ours = gate_our_domain(e);

	if (ours == GATE_PERMIT &&
	    e->facts->rcpt_domain->class != RESOLVE_RELAY)
		return GATE_DUNNO;
	if (ours != GATE_PERMIT && ours != GATE_DUNNO)
		return ours;
	return address_domain_known(e, GATE_IS_RECIPIENT);
}

/* --- permit_mx_backup --- */

#define MX_MAX	20	/* hosts of a domain; with more nothing is known */

enum mine { MINE_PARKED, MINE_YES, MINE_NO, MINE_TEMP };

static struct net_addr
addr_of(const struct dns_record *r, enum dns_type type)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff };
	struct net_addr a;

	if (type == DNS_AAAA) {
		memcpy(a.b, r->addr, 16);
		return a;
	}
	memcpy(a.b, mapped, 12);
	memcpy(a.b + 12, r->addr, 4);
	return a;
}

/* Are one (`all`: all) of the host's addresses in the list? Not all that are
 * known, while others are not. */
static enum mine
host_in(struct gate_eval *e, const char *host, const struct netlist *nets,
    bool all)
{
	static const enum dns_type types[2] = { DNS_A, DNS_AAAA };
	const struct dns_answer *a[2];
	struct net_addr addr;
	size_t i, j, seen = 0;
	bool in;

	for (i = 0; i < 2; i++)
		a[i] = gate_dns(e, host, types[i]);
	if (a[0] == NULL || a[1] == NULL)
		return MINE_PARKED;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < a[i]->n_records; j++) {
			addr = addr_of(&a[i]->record[j], types[i]);
			in = netlist_match(nets, &addr);
			if (in != all)
				return in ? MINE_YES : MINE_NO;
			seen++;
		}
	}
	if (seen == 0 || (all && (a[0]->result == DNS_TEMPFAIL ||
	    a[1]->result == DNS_TEMPFAIL)))
		return MINE_TEMP;
	return all ? MINE_YES : MINE_NO;
}

/* Is this machine one of the MX hosts with (`best`) or without the best
 * preference: by name first, then by address. */
static enum mine
i_am(struct gate_eval *e, const struct dns_answer *mx, uint16_t pref,
    bool best)
{
	const struct conf *conf = gate_conf(e->gate);
	enum mine m, all = MINE_NO;
	size_t i;

	for (i = 0; i < mx->n_records; i++)
		if ((mx->record[i].preference == pref) == best &&
		    span_is(span_str(mx->record[i].name), conf->myhostname))
			return MINE_YES;
	for (i = 0; i < mx->n_records; i++) {
		if ((mx->record[i].preference == pref) != best)
			continue;
		m = host_in(e, mx->record[i].name, gate_own_addresses(e->gate),
		    false);
		if (m == MINE_YES)
			return m;
		if (m == MINE_PARKED || all == MINE_NO)
			all = m;
	}
	return all;
}

static enum mine
primaries_are_listed(struct gate_eval *e, const struct dns_answer *mx,
    uint16_t pref)
{
	const struct netlist *nets = gate_mx_backup_networks(e->gate);
	enum mine m;
	size_t i;

	if (nets == NULL)
		return MINE_YES;
	for (i = 0; i < mx->n_records; i++) {
		if (mx->record[i].preference != pref)
			continue;
		m = host_in(e, mx->record[i].name, nets, true);
		if (m != MINE_YES)
			return m;
	}
	return MINE_YES;
}

static enum gate_result
not_found_out(struct gate_eval *e)
{
	(void)gate_refuse(e, GATE_IS_RECIPIENT, 450, "4.4.4",
	    "Unable to look up mail exchanger information");
	return GATE_DEFER_IF_REJECT;
}

static enum gate_result
backup(struct gate_eval *e, const struct dns_answer *mx)
{
	uint16_t pref = UINT16_MAX;
	enum mine best, other, listed;
	size_t i;

	/* those that are not looked at could be the best */
	if (mx->n_records > MX_MAX)
		return not_found_out(e);
	for (i = 0; i < mx->n_records; i++)
		pref = MIN(pref, mx->record[i].preference);
	best = i_am(e, mx, pref, true);
	if (best == MINE_YES)
		return GATE_DUNNO;
	other = i_am(e, mx, pref, false);
	if (best == MINE_PARKED || other == MINE_PARKED)
		return GATE_PARKED;
	if (best == MINE_TEMP || other == MINE_TEMP)
		return not_found_out(e);
	if (other != MINE_YES)
		return GATE_DUNNO;
	listed = primaries_are_listed(e, mx, pref);
	if (listed == MINE_TEMP)
		return not_found_out(e);
	return listed == MINE_PARKED ? GATE_PARKED :
	    listed == MINE_YES ? GATE_PERMIT : GATE_DUNNO;
}

enum gate_result
permit_mx_backup(struct gate_eval *e, const struct gate_rule *r)
{
	enum gate_result v = gate_our_domain(e);
	const struct dns_answer *mx;
	struct buf domain;

	if (v != GATE_DUNNO || gate_is_routed(e->facts->recipient))
		return v;
	buf_init(&domain, DNS_NAME_MAX);
	if (gate_dns_domain(e, GATE_IS_RECIPIENT, &domain)) {
		mx = gate_dns(e, buf_cstr(&domain), DNS_MX);
		if (mx == NULL)
			v = GATE_PARKED;
		else if (mx->result == DNS_TEMPFAIL)
			v = not_found_out(e);
		else if (mx->result == DNS_OK && !is_null_mx(mx))
			v = backup(e, mx);
	}
	buf_fini(&domain);
	return v;
}
