/*
 * check_*_{a,mx,ns}_access: the mail or name servers behind a name (the name
 * itself for _a_) are looked up in an access table, by name and by address.
 * OK is no answer here: strangers write their own DNS. What can't be looked
 * up is a warning, as in Postfix.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "gate/checks.h"
#include "mail/address.h"

#define SERVERS_MAX	20	/* of one name */
#define ADDRESSES_MAX	100	/* of all of them (as dns_rr_list_limit) */

/* A look-up of one rule about one name. */
struct servers {
	struct gate_eval *e;
	const struct gate_rule *rule;
	enum gate_what what;
	enum dns_type type;		/* A, MX, NS */
	size_t n_addresses;
	bool found;			/* the table had something */
};

/* The table's word about each address of a host. */
static enum gate_result
host_addresses(struct servers *q, const char *host)
{
	static const enum dns_type types[2] = { DNS_A, DNS_AAAA };
	const struct dns_answer *a[2];
	enum gate_result r;
	char text[INET6_ADDRSTRLEN];
	size_t i, j;

	for (i = 0; i < 2; i++)
		a[i] = gate_dns(q->e, host, types[i]);
	if (a[0] == NULL || a[1] == NULL)
		return GATE_PARKED;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < a[i]->n_records; j++) {
			if (++q->n_addresses > ADDRESSES_MAX)
				return GATE_DUNNO;
			(void)inet_ntop(types[i] == DNS_A ? AF_INET :
			    AF_INET6, a[i]->record[j].addr, text,
			    sizeof(text));
			r = gate_server_access(q->e, q->rule, q->what,
			    span_str(text), true, &q->found);
			if (r != GATE_DUNNO || q->found)
				return r;
		}
	}
	return GATE_DUNNO;
}

static enum gate_result
host(struct servers *q, const char *name)
{
	enum gate_result r;
	struct net_addr a;

	if (net_addr_parse(span_str(name), &a))
		return gate_server_access(q->e, q->rule, q->what,
		    span_str(name), true, &q->found);
	if (q->type != DNS_A) {
		r = gate_server_access(q->e, q->rule, q->what, span_str(name),
		    false, &q->found);
		if (r != GATE_DUNNO || q->found)
			return r;
	}
	return host_addresses(q, name);
}

/* The addresses of all hosts are asked for together. */
static enum gate_result
hosts(struct servers *q, const struct dns_answer *a)
{
	enum gate_result r;
	size_t i;

	for (i = 0; i < a->n_records && i < SERVERS_MAX; i++) {
		(void)gate_dns(q->e, a->record[i].name, DNS_A);
		(void)gate_dns(q->e, a->record[i].name, DNS_AAAA);
	}
	for (i = 0; i < a->n_records && i < SERVERS_MAX; i++) {
		r = host(q, a->record[i].name);
		if (r != GATE_DUNNO || q->found)
			return r;
	}
	return GATE_DUNNO;
}

/* A name without MX is its own; one without NS has its parent's. */
static enum gate_result
servers_of(struct servers *q, const char *name)
{
	const struct dns_answer *a;
	const char *dot;

	if (q->type == DNS_A)
		return host(q, name);
	for (;;) {
		a = gate_dns(q->e, name, q->type);
		if (a == NULL)
			return GATE_PARKED;
		if (a->result == DNS_OK)
			break;
		if (a->result == DNS_TEMPFAIL) {
			gate_warn(q->e, "Unable to look up %s host for %s: "
			    "%s", q->type == DNS_MX ? "MX" : "NS", name,
			    a->why == NULL ? "" : a->why);
			return GATE_DUNNO;
		}
		if (q->type == DNS_MX)
			return host(q, name);
		dot = strchr(name, '.');
		if (dot == NULL || dot[1] == '\0')
			return GATE_DUNNO;
		name = dot + 1;
	}
	if (q->type == DNS_MX && a->n_records == 1 &&
	    a->record[0].name[0] == '\0')
		return GATE_DUNNO;	/* RFC 7505: there is none */
	return hosts(q, a);
}

/* "[192.0.2.1]" is its own address and mail server, and has no NS. */
static enum gate_result
literal(struct servers *q, struct span text)
{
	struct span ip;

	if (q->type == DNS_NS || !address_is_literal(text))
		return GATE_DUNNO;
	ip = span_sub(text, 1, text.n - 2);
	if (span_starts(ip, "IPv6:"))
		ip = span_sub(ip, 5, ip.n);
	return gate_server_access(q->e, q->rule, q->what, ip, true,
	    &q->found);
}

static enum gate_result
by_host(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what what, const char *name, enum dns_type type)
{
	struct servers q = { .e = e, .rule = rule, .what = what,
		.type = type };

	if (name[0] == '\0' || ((what == GATE_IS_CLIENT ||
	    what == GATE_IS_REVERSE) && span_is(span_str(name), "unknown")))
		return GATE_DUNNO;
	return gate_forbid_permit(e, rule, name[0] == '[' ?
	    literal(&q, span_str(name)) : servers_of(&q, name), name);
}

static enum gate_result
by_address(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what what, struct span address, enum dns_type type)
{
	struct servers q = { .e = e, .rule = rule, .what = what,
		.type = type };
	ptrdiff_t at = span_rchr(address, '@');
	enum gate_result r = GATE_DUNNO;
	struct buf domain;

	if (at < 0)
		return GATE_DUNNO;
	buf_init(&domain, DNS_NAME_MAX);
	if (gate_dns_domain(e, what, &domain))
		r = servers_of(&q, buf_cstr(&domain));
	else
		r = literal(&q, span_sub(address, (size_t)at + 1, address.n));
	r = gate_forbid_permit(e, rule, r, buf_cstr(&domain));
	buf_fini(&domain);
	return r;
}

#define BY_HOST(fn, what, name, type)					\
enum gate_result							\
fn(struct gate_eval *e, const struct gate_rule *rule)			\
{									\
	return by_host(e, rule, what, name, type);			\
}
#define BY_ADDRESS(fn, what, address, type)				\
enum gate_result							\
fn(struct gate_eval *e, const struct gate_rule *rule)			\
{									\
	return by_address(e, rule, what, address, type);		\
}

BY_HOST(check_client_a_access, GATE_IS_CLIENT, e->facts->client_name, DNS_A)
BY_HOST(check_client_mx_access, GATE_IS_CLIENT, e->facts->client_name, DNS_MX)
BY_HOST(check_client_ns_access, GATE_IS_CLIENT, e->facts->client_name, DNS_NS)
BY_HOST(check_reverse_client_hostname_a_access, GATE_IS_REVERSE,
    gate_reverse_name(e->facts), DNS_A)
BY_HOST(check_reverse_client_hostname_mx_access, GATE_IS_REVERSE,
    gate_reverse_name(e->facts), DNS_MX)
BY_HOST(check_reverse_client_hostname_ns_access, GATE_IS_REVERSE,
    gate_reverse_name(e->facts), DNS_NS)
BY_HOST(check_helo_a_access, GATE_IS_HELO, e->facts->helo, DNS_A)
BY_HOST(check_helo_mx_access, GATE_IS_HELO, e->facts->helo, DNS_MX)
BY_HOST(check_helo_ns_access, GATE_IS_HELO, e->facts->helo, DNS_NS)
BY_ADDRESS(check_sender_a_access, GATE_IS_SENDER, e->facts->sender, DNS_A)
BY_ADDRESS(check_sender_mx_access, GATE_IS_SENDER, e->facts->sender, DNS_MX)
BY_ADDRESS(check_sender_ns_access, GATE_IS_SENDER, e->facts->sender, DNS_NS)
BY_ADDRESS(check_recipient_a_access, GATE_IS_RECIPIENT, e->facts->recipient,
    DNS_A)
BY_ADDRESS(check_recipient_mx_access, GATE_IS_RECIPIENT, e->facts->recipient,
    DNS_MX)
BY_ADDRESS(check_recipient_ns_access, GATE_IS_RECIPIENT, e->facts->recipient,
    DNS_NS)
