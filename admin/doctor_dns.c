/*
 * The doctor's look at the DNS, as the rest of the world sees us: our own
 * name and its reverse, and of each domain where its mail goes (MX), whether
 * we may send for it (SPF), and what it says of forgeries (DMARC).
 */
#include "admin/doctor.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/dnsset.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "mail/spf.h"

#define ADDRESSES_MAX	16		/* of our own name */
#define PARENTS_MAX	5
#define NAME_TEXT	(DNS_NAME_MAX + 64)

struct look {
	struct doctor *d;
	const char *host;		/* myhostname */
	struct dnsset *set;
	struct map *hosts;		/* names of our installation */
	char ip[ADDRESSES_MAX][INET6_ADDRSTRLEN];
	size_t n_ip;
	char **domain;
	size_t n_domain;
};

static void
say(struct look *l, enum finding level, const char *subject,
    const char *cure, const char *fmt, ...) PRINTF(5, 6);

static void
say(struct look *l, enum finding level, const char *subject,
    const char *cure, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	doctor_report(l->d, level, "dns", subject, cure, "%s", text);
}

/* What was wanted before the last wait is there. */
static const struct dns_answer *
get(const struct look *l, const char *name, enum dns_type type)
{
	static const struct dns_answer none = { .result = DNS_TEMPFAIL,
	    .why = "it was not asked" };
	const struct dns_answer *a = dnsset_get(l->set, name, type);

	return a == NULL ? &none : a;
}

static void
want_addresses(struct look *l, const char *name)
{
	dnsset_want(l->set, name, DNS_A);
	dnsset_want(l->set, name, DNS_AAAA);
}

static void
address_text(const struct dns_record *r, enum dns_type type,
    char out[INET6_ADDRSTRLEN])
{
	(void)inet_ntop(type == DNS_A ? AF_INET : AF_INET6, r->addr, out,
	    INET6_ADDRSTRLEN);
}

/* --- our own name --- */

static void
host_addresses(struct look *l)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	const struct dns_answer *a;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		a = get(l, l->host, types[i]);
		for (k = 0; a->result == DNS_OK && k < a->n_records &&
		    l->n_ip < ADDRESSES_MAX; k++)
			address_text(&a->record[k], types[i],
			    l->ip[l->n_ip++]);
	}
	if (l->n_ip > 0)
		return;
	a = get(l, l->host, DNS_A);
	if (a->result == DNS_TEMPFAIL)
		say(l, FINDING_WARNING, l->host, "does the resolver work? "
		    "(dns_resolver, /etc/resolv.conf)",
		    "its address cannot be looked up: %s", a->why);
	else
		say(l, FINDING_FAULT, l->host, "publish an A (and AAAA) "
		    "record, or correct myhostname",
		    "has no address in the DNS");
}

/* One of the names behind the address must be ours, and lead back. */
static void
reverse_check(struct look *l, const char *ip)
{
	char name[DNS_NAME_MAX], cure[NAME_TEXT];
	const struct dns_answer *a;
	bool ours = false;
	size_t i;

	if (!dns_reverse_name(ip, NULL, name))
		return;
	(void)snprintf(cure, sizeof(cure), "ask who gave you the address for "
	    "the PTR record %s", l->host);
	a = get(l, name, DNS_PTR);
	for (i = 0; a->result == DNS_OK && i < a->n_records; i++)
		ours = ours || span_ieq(span_str(a->record[i].name),
		    span_str(l->host));
	if (ours)
		say(l, FINDING_OK, ip, NULL, "its name is %s, which leads "
		    "back", l->host);
	else if (a->result == DNS_TEMPFAIL)
		say(l, FINDING_WARNING, ip, "does the resolver work?",
		    "its name cannot be looked up: %s", a->why);
	else if (a->result == DNS_OK)
		say(l, FINDING_WARNING, ip, cure, "its name is %s, not %s: "
		    "other servers trust such mail less", a->record[0].name,
		    l->host);
	else
		say(l, FINDING_FAULT, ip, cure, "has no name in the DNS: "
		    "many servers refuse mail from there");
}

static void
host_check(struct look *l)
{
	char name[DNS_NAME_MAX];
	size_t i;

	want_addresses(l, l->host);
	dnsset_wait(l->set);
	host_addresses(l);
	for (i = 0; i < l->n_ip; i++)
		if (dns_reverse_name(l->ip[i], NULL, name))
			dnsset_want(l->set, name, DNS_PTR);
	dnsset_wait(l->set);
	for (i = 0; i < l->n_ip; i++)
		reverse_check(l, l->ip[i]);
}

/* --- MX --- */

static bool
has_our_address(const struct look *l, const char *name)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	char text[INET6_ADDRSTRLEN];
	const struct dns_answer *a;
	size_t i, k, j;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		a = get(l, name, types[i]);
		for (k = 0; a->result == DNS_OK && k < a->n_records; k++) {
			address_text(&a->record[k], types[i], text);
			for (j = 0; j < l->n_ip; j++)
				if (strcmp(text, l->ip[j]) == 0)
					return true;
		}
	}
	return false;
}

static bool
is_ours(const struct look *l, const char *name)
{
	char lower[DNS_NAME_MAX];
	size_t i;

	for (i = 0; name[i] != '\0' && i + 1 < sizeof(lower); i++)
		lower[i] = ascii_lower(name[i]);
	lower[i] = '\0';
	return map_get(l->hosts, span_str(lower)) != NULL ||
	    has_our_address(l, name);
}

/* Do others reach a server by this name? */
static void
mx_target_check(struct look *l, const char *domain, const char *target)
{
	const struct dns_answer *a = get(l, target, DNS_A), *aaaa;
	char cure[NAME_TEXT];

	aaaa = get(l, target, DNS_AAAA);
	if (a->result == DNS_OK && !span_ieq(span_str(a->canonical),
	    span_str(target))) {
		(void)snprintf(cure, sizeof(cure), "name %s in the MX "
		    "record", a->canonical);
		say(l, FINDING_WARNING, domain, cure, "MX %s is a CNAME, "
		    "which RFC 2181 forbids", target);
	} else if (a->result != DNS_OK && aaaa->result != DNS_OK) {
		say(l, FINDING_WARNING, domain, "give it an address or take "
		    "the MX record away", "MX %s has no address", target);
	}
}

/* No MX record: mail goes to the domain's own address (RFC 5321 5.1). */
static void
mx_missing(struct look *l, const char *domain, const struct dns_answer *mx)
{
	char cure[2 * NAME_TEXT];

	(void)snprintf(cure, sizeof(cure), "publish: %s. MX 10 %s.", domain,
	    l->host);
	if (mx->result == DNS_TEMPFAIL)
		say(l, FINDING_WARNING, domain, "do its name servers work?",
		    "MX cannot be looked up: %s", mx->why);
	else if (mx->result == DNS_NXDOMAIN)
		say(l, FINDING_FAULT, domain, cure, "is not in the DNS");
	else if (has_our_address(l, domain))
		say(l, FINDING_WARNING, domain, cure, "has no MX record; its "
		    "mail comes by its address");
	else
		say(l, FINDING_FAULT, domain, cure, "has no MX record: mail "
		    "for it does not come here");
}

static void
mx_check(struct look *l, const char *domain)
{
	const struct dns_answer *mx = get(l, domain, DNS_MX);
	char cure[2 * NAME_TEXT];
	const struct dns_record *r, *ours = NULL;
	size_t i;

	if (mx->result != DNS_OK) {
		mx_missing(l, domain, mx);
		return;
	}
	(void)snprintf(cure, sizeof(cure), "publish: %s. MX 10 %s.", domain,
	    l->host);
	if (mx->n_records == 1 && mx->record[0].name[0] == '\0') {
		say(l, FINDING_FAULT, domain, cure, "says that it takes no "
		    "mail (null MX, RFC 7505)");
		return;
	}
	for (i = 0; i < mx->n_records; i++) {
		r = &mx->record[i];
		mx_target_check(l, domain, r->name);
		if (is_ours(l, r->name) && (ours == NULL ||
		    r->preference < ours->preference))
			ours = r;
	}
	if (ours == NULL)
		say(l, FINDING_FAULT, domain, cure, "its mail goes to %s, "
		    "not to us", mx->record[0].name);
	else
		say(l, FINDING_OK, domain, NULL, "its mail comes here (MX %u "
		    "%s)", (unsigned)ours->preference, ours->name);
}

/* --- SPF --- */

static const struct spf_fact *
spf_fact(const char *name, enum dns_type type, void *arg)
{
	static struct spf_fact fact;	/* lent until the next one */
	struct look *l = arg;
	const struct dns_answer *a = dnsset_get(l->set, name, type);

	if (a == NULL) {
		dnsset_want(l->set, name, type);
		return NULL;
	}
	fact = (struct spf_fact){ .result = a->result, .n = a->n_records,
	    .record = a->record };
	return &fact;
}

/* False when something had to be asked for. */
static bool
spf_ask(struct look *l, const char *domain, const char *ip,
    struct spf_verdict *v)
{
	const struct spf_source source = { .fact = spf_fact, .arg = l };
	char sender[NAME_TEXT];

	(void)snprintf(sender, sizeof(sender), "postmaster@%s", domain);
	const struct spf_identity id = { .ip = ip, .helo = l->host,
	    .sender = sender, .receiver = l->host };

	return spf_run(&id, &source, v);
}

/* Rounds until no domain lacks a fact; RFC 7208's limits bound them. */
static void
spf_prepare(struct look *l)
{
	struct spf_verdict v;
	bool missing = true;
	size_t i, k;

	while (missing) {
		missing = false;
		for (i = 0; i < l->n_domain; i++)
			for (k = 0; k < l->n_ip; k++)
				missing = !spf_ask(l, l->domain[i], l->ip[k],
				    &v) || missing;
		dnsset_wait(l->set);
	}
}

static void
spf_check_domain(struct look *l, const char *domain)
{
	char cure[2 * NAME_TEXT];
	struct spf_verdict v;
	size_t i;

	for (i = 0; i < l->n_ip; i++) {
		if (!spf_ask(l, domain, l->ip[i], &v))
			continue;
		(void)snprintf(cure, sizeof(cure), v.result == SPF_NONE ?
		    "publish: %s. TXT \"v=spf1 mx -all\"" :
		    "let its SPF record name %s, for example with `%s:%s'",
		    v.result == SPF_NONE ? domain : l->ip[i],
		    strchr(l->ip[i], ':') == NULL ? "ip4" : "ip6", l->ip[i]);
		if (v.result == SPF_PASS)
			say(l, FINDING_OK, domain, NULL, "%s may send for it "
			    "(SPF, %s)", l->ip[i], v.mechanism);
		else if (v.result == SPF_NONE)
			say(l, FINDING_WARNING, domain, cure, "has no SPF "
			    "record: others can't tell forged mail from ours");
		else if (v.result == SPF_PERMERROR)
			say(l, FINDING_FAULT, domain, "correct it",
			    "its SPF record is broken: %s", v.why);
		else if (v.result == SPF_TEMPERROR)
			say(l, FINDING_WARNING, domain, "do its name servers "
			    "work?", "SPF cannot be looked up: %s", v.why);
		else
			say(l, FINDING_WARNING, domain, cure, "mail that we "
			    "send for it looks forged: SPF of %s is %s (%s)",
			    l->ip[i], spf_result_name(v.result),
			    v.mechanism);
		if (v.result == SPF_NONE || v.result == SPF_PERMERROR)
			break;		/* of no address can be said more */
	}
}

/* --- DMARC (RFC 7489 6.6.3: the domain's own record, or a parent's) --- */

static const char *
parent_of(const char *name)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL || strchr(dot + 1, '.') == NULL)
		return NULL;
	return dot + 1;
}

static void
dmarc_want(struct look *l, const char *domain)
{
	char name[NAME_TEXT];
	int i;

	for (i = 0; i < PARENTS_MAX && domain != NULL; i++) {
		(void)snprintf(name, sizeof(name), "_dmarc.%s", domain);
		dnsset_want(l->set, name, DNS_TXT);
		domain = parent_of(domain);
	}
}

/* How many DMARC records the name has; *text is one of them. */
static size_t
dmarc_records(const struct look *l, const char *at, struct span *text)
{
	char name[NAME_TEXT];
	const struct dns_answer *a;
	size_t i, n = 0;

	(void)snprintf(name, sizeof(name), "_dmarc.%s", at);
	a = get(l, name, DNS_TXT);
	for (i = 0; a->result == DNS_OK && i < a->n_records; i++)
		if (span_starts(a->record[i].data, "v=DMARC1")) {
			*text = a->record[i].data;
			n++;
		}
	return n;
}

static bool
dmarc_has_policy(struct span text)
{
	struct span tag;

	while (span_split(&text, ';', &tag)) {
		tag = span_trim(tag);
		if (tag.n > 1 && tag.p[0] == 'p' &&
		    (tag.p[1] == '=' || ascii_isspace((unsigned char)
		    tag.p[1])))
			return true;
	}
	return false;
}

static void
dmarc_check(struct look *l, const char *domain)
{
	char cure[3 * NAME_TEXT];
	const char *at = domain;
	struct span text = SPAN_NONE;
	size_t n = 0;
	int i;

	for (i = 0; i < PARENTS_MAX && at != NULL && n == 0; i++) {
		n = dmarc_records(l, at, &text);
		if (n == 0)
			at = parent_of(at);
	}
	(void)snprintf(cure, sizeof(cure), "publish: _dmarc.%s. TXT "
	    "\"v=DMARC1; p=none; rua=mailto:postmaster@%s\"", domain, domain);
	if (n == 0)
		say(l, FINDING_WARNING, domain, cure, "has no DMARC record");
	else if (at != NULL && n > 1)
		say(l, FINDING_FAULT, domain, "leave one", "_dmarc.%s has "
		    "%zu DMARC records: others see none", at, n);
	else if (!dmarc_has_policy(text))
		say(l, FINDING_FAULT, domain, "add p=none, p=quarantine or "
		    "p=reject", "the DMARC record at _dmarc.%s has no policy",
		    at);
	else
		say(l, FINDING_OK, domain, NULL, "has a DMARC record (%.*s)",
		    SPAN_ARG(text));
}

/* --- all of it --- */

static void
domains_want(struct look *l)
{
	const struct dns_answer *mx;
	size_t i, k;

	for (i = 0; i < l->n_domain; i++) {
		dnsset_want(l->set, l->domain[i], DNS_MX);
		want_addresses(l, l->domain[i]);
		dmarc_want(l, l->domain[i]);
	}
	dnsset_wait(l->set);
	for (i = 0; i < l->n_domain; i++) {
		mx = get(l, l->domain[i], DNS_MX);
		for (k = 0; mx->result == DNS_OK && k < mx->n_records; k++)
			want_addresses(l, mx->record[k].name);
	}
	dnsset_wait(l->set);
	spf_prepare(l);
}

/* The words of the command, or all active domains. False was reported. */
static bool
domains_find(struct look *l, struct cli *cli)
{
	struct sql_result *r;
	size_t i;
	int rc;

	r = cli_ask(cli, "SELECT name FROM postern.host "
	    "UNION SELECT $1", (struct span[]){ span_str(l->host) }, 1, &rc);
	if (r == NULL)
		return false;
	for (i = 0; i < sql_rows(r); i++)
		map_put(l->hosts, sql_get(r, i, 0), l);
	sql_result_free(&r);
	r = cli_ask(cli, "SELECT name FROM postern.domain_list() "
	    "WHERE active", NULL, 0, &rc);
	if (r == NULL)
		return false;
	l->n_domain = cli->n_words > 0 ? cli->n_words : sql_rows(r);
	l->domain = xcalloc(l->n_domain + 1, sizeof(*l->domain));
	for (i = 0; i < l->n_domain; i++) {
		struct span name = cli->n_words > 0 ?
		    span_str(cli->word[i]) : sql_get(r, i, 0);

		l->domain[i] = xmemdup0(name.p, name.n);
	}
	sql_result_free(&r);
	return true;
}

void
doctor_dns(struct doctor *d, struct cli *cli)
{
	struct look l = { .d = d, .host = cli->config.conf->myhostname,
	    .hosts = map_new() };
	struct err err = { 0 };
	size_t i;

	l.set = dnsset_new(cli->config.conf, &err);
	if (l.set == NULL)
		say(&l, FINDING_FAULT, "resolver", "see dns_resolver", "%s",
		    err.why);
	else
		host_check(&l);
	if (l.set != NULL && !domains_find(&l, cli))
		say(&l, FINDING_FAULT, "domains", "see part `database'",
		    "cannot be listed");
	if (l.n_domain > 0)
		domains_want(&l);
	for (i = 0; i < l.n_domain; i++) {
		mx_check(&l, l.domain[i]);
		spf_check_domain(&l, l.domain[i]);
		dmarc_check(&l, l.domain[i]);
		free(l.domain[i]);
	}
	free(l.domain);
	if (l.set != NULL)
		dnsset_free(&l.set);
	map_free(&l.hosts);
}
