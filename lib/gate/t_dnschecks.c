/*
 * Restrictions that ask the DNS, against a table of names: with all answers
 * there, and again with each answer coming late; the verdict must be the
 * same. Then filters of DNS lists and reply templates, whole.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/dnslist.h"
#include "gate/gate.h"
#include "gate/testgate.h"
#include "gate/template.h"

#define OURS	"smtpd_relay_restrictions = permit_mynetworks " \
		"permit_auth_destination permit\n" \
		"smtpd_recipient_restrictions = reject_unauth_destination\n" \
		"smtpd_reject_unlisted_recipient = no\n"
#define LIST(l)	OURS "smtpd_sender_restrictions = " l "\n"

/* --- the DNS --- */

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_result result;
	const char *data;	/* address, name, or text */
	uint16_t preference;
} zone[] = {
	{ "h.example", DNS_A, DNS_OK, "192.0.2.9", 0 },
	{ "s.example", DNS_MX, DNS_OK, "mx.s.example", 10 },
	{ "mx.s.example", DNS_A, DNS_OK, "198.51.100.5", 0 },
	{ "s.example", DNS_NS, DNS_OK, "ns.bad.example", 0 },
	{ "ns.bad.example", DNS_AAAA, DNS_OK, "2001:db8::53", 0 },
	{ "null.example", DNS_MX, DNS_OK, "", 0 },
	{ "slow.example", DNS_MX, DNS_TEMPFAIL, NULL, 0 },
	{ "slow.example", DNS_A, DNS_TEMPFAIL, NULL, 0 },
	{ "slow.example", DNS_AAAA, DNS_TEMPFAIL, NULL, 0 },
	{ "half.example", DNS_MX, DNS_TEMPFAIL, NULL, 0 },
	{ "half.example", DNS_A, DNS_OK, "192.0.2.10", 0 },
	{ "7.2.0.192.bl.example", DNS_A, DNS_OK, "127.0.0.4", 0 },
	{ "7.2.0.192.bl.example", DNS_TXT, DNS_OK, "see http://bl.example/",
	  0 },
	{ "7.2.0.192.odd.example", DNS_A, DNS_OK, "127.255.255.254", 0 },
	{ "7.2.0.192.park.example", DNS_A, DNS_OK, "192.0.2.80", 0 },
	{ "7.2.0.192.dead.example", DNS_A, DNS_TEMPFAIL, NULL, 0 },
	{ "7.2.0.192.wl.example", DNS_A, DNS_OK, "127.0.0.1", 0 },
	{ "s.example.dbl.example", DNS_A, DNS_OK, "127.0.1.2", 0 },
	{ "backup.example", DNS_MX, DNS_OK, "mx1.backup.example", 10 },
	{ "backup.example", DNS_MX, DNS_OK, "me.example", 20 },
	{ "mx1.backup.example", DNS_A, DNS_OK, "203.0.113.7", 0 },
	{ "first.example", DNS_MX, DNS_OK, "me.example", 10 },
	{ "near.example", DNS_MX, DNS_OK, "mx1.near.example", 10 },
	{ "near.example", DNS_MX, DNS_OK, "me.example", 20 },
	{ "mx1.near.example", DNS_A, DNS_OK, "198.51.100.5", 0 },
	{ "mx1.near.example", DNS_AAAA, DNS_TEMPFAIL, NULL, 0 },
};

/* crowd.example has more MX than are looked at: us first, the best one, which
 * is in no listed network, last. */
#define CROWD	30

#define ASKED_MAX	200

struct asked {
	char name[DNS_NAME_MAX];
	enum dns_type type;
	bool came;
	struct dns_answer answer;
	struct dns_record record[CROWD];
};

struct dnsfake {
	bool late;
	struct asked asked[ASKED_MAX];
	size_t n, most_waiting;
};

static void
record_fill(size_t row, struct dns_record *r)
{
	r->preference = zone[row].preference;
	if (zone[row].type == DNS_A)
		assert_int_equal(inet_pton(AF_INET, zone[row].data, r->addr),
		    1);
	else if (zone[row].type == DNS_AAAA)
		assert_int_equal(inet_pton(AF_INET6, zone[row].data,
		    r->addr), 1);
	else if (zone[row].type == DNS_TXT)
		r->data = span_str(zone[row].data);
	else
		(void)snprintf(r->name, sizeof(r->name), "%s",
		    zone[row].data);
}

static void
crowd(struct asked *a)
{
	size_t i;

	for (i = 0; i < CROWD; i++) {
		a->record[i].preference = i + 1 < CROWD ? 20 : 10;
		(void)snprintf(a->record[i].name, sizeof(a->record[i].name),
		    "%s", i == 0 ? "me.example" : "mx1.backup.example");
	}
	a->answer.result = DNS_OK;
	a->answer.n_records = CROWD;
}

static void
answer(struct asked *a)
{
	size_t i;

	a->answer.result = DNS_NXDOMAIN;
	a->answer.record = a->record;
	if (strcmp(a->name, "crowd.example") == 0 && a->type == DNS_MX) {
		crowd(a);
		return;
	}
	for (i = 0; i < ARRAY_LEN(zone); i++) {
		if (strcmp(zone[i].name, a->name) != 0)
			continue;
		if (a->answer.result == DNS_NXDOMAIN)
			a->answer.result = DNS_NODATA;
		if (zone[i].type != a->type)
			continue;
		a->answer.result = zone[i].result;
		if (zone[i].result == DNS_OK)
			record_fill(i, &a->record[a->answer.n_records++]);
	}
}

static const struct dns_answer *
dns(const char *name, enum dns_type type, void *arg)
{
	struct dnsfake *d = arg;
	struct asked *a;
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->asked[i].type == type &&
		    strcmp(d->asked[i].name, name) == 0)
			return d->asked[i].came ? &d->asked[i].answer : NULL;
	assert_in_range(d->n, 0, ASKED_MAX - 1);
	a = &d->asked[d->n++];
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	a->type = type;
	a->came = !d->late;
	answer(a);
	return a->came ? &a->answer : NULL;
}

/* One answer comes; the last asked first, to be unkind. */
static void
come(struct dnsfake *d)
{
	size_t i, waiting = 0, last = SIZE_MAX;

	for (i = 0; i < d->n; i++) {
		if (d->asked[i].came)
			continue;
		waiting++;
		last = i;
	}
	d->most_waiting = MAX(d->most_waiting, waiting);
	assert_int_not_equal(last, SIZE_MAX);
	d->asked[last].came = true;
}

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	static const struct resolution ours = { .class = RESOLVE_MAILBOX },
	    elsewhere = { .class = RESOLVE_NOT_LOCAL };

	f->from = span_ends(f->sender, "@a.example") ? &ours : &elsewhere;
	f->rcpt_domain = f->rcpt = span_ends(f->recipient, "@a.example") ?
	    &ours : &elsewhere;
	return true;
}

static const struct gate_ops ops = { .need = need, .dns = dns };

static const struct {
	const char *name, *conf, *helo, *sender, *rcpt;
	enum gate_result want;
	const char *reply;
} cases[] = {
	/* --- names --- */
	{ "HELO has an address", LIST("reject_unknown_helo_hostname"),
	  "h.example", "", "kim@a.example", GATE_PERMIT, "" },
	{ "HELO has only an MX", LIST("reject_unknown_helo_hostname"),
	  "s.example", "", "kim@a.example", GATE_PERMIT, "" },
	{ "HELO does not exist", LIST("reject_unknown_hostname"),
	  "nx.example", "", "kim@a.example", GATE_DEFER,
	  "450 4.7.1 <nx.example>: Helo command rejected: Host not found" },
	{ "HELO is not answered", LIST("reject_unknown_helo_hostname, reject"),
	  "slow.example", "", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <>: Sender address rejected: Access denied" },
	{ "HELO is not answered: now", "reject_tempfail_action = defer\n"
	  LIST("reject_unknown_helo_hostname, reject"), "slow.example", "",
	  "kim@a.example", GATE_DEFER, "450 4.7.1 <slow.example>: Helo "
	  "command rejected: Host not found" },
	{ "HELO literal", LIST("reject_unknown_helo_hostname"),
	  "[192.0.2.1]", "", "kim@a.example", GATE_PERMIT, "" },
	{ "sender has an MX", LIST("reject_unknown_sender_domain"),
	  "h.example", "x@s.example", "kim@a.example", GATE_PERMIT, "" },
	{ "sender domain is ours", LIST("reject_unknown_sender_domain"),
	  "h.example", "x@a.example", "kim@a.example", GATE_PERMIT, "" },
	{ "sender does not exist", LIST("reject_unknown_sender_domain"),
	  "h.example", "x@nx.example", "kim@a.example", GATE_DEFER,
	  "450 4.1.8 <x@nx.example>: Sender address rejected: "
	  "Domain not found" },
	{ "sender does not exist, for good",
	  "unknown_address_reject_code = 550\n"
	  LIST("reject_unknown_address"), "h.example", "x@nx.example",
	  "kim@a.example", GATE_REJECT, "550 5.1.8 <x@nx.example>: Sender "
	  "address rejected: Domain not found" },
	{ "sender has a null MX", LIST("reject_unknown_sender_domain"),
	  "h.example", "x@null.example", "kim@a.example", GATE_REJECT,
	  "550 5.7.27 <x@null.example>: Sender address rejected: Domain "
	  "null.example does not accept mail (nullMX)" },
	{ "recipient has a null MX", "mynetworks = 192.0.2.0/24\n"
	  LIST("reject_unknown_recipient_domain"), "h.example", "",
	  "x@null.example", GATE_REJECT, "556 5.1.10 <x@null.example>: "
	  "Recipient address rejected: Domain null.example does not accept "
	  "mail (nullMX)" },
	{ "sender is not answered", LIST("reject_unknown_sender_domain"),
	  "h.example", "x@slow.example", "kim@a.example", GATE_DEFER,
	  "450 4.1.8 <x@slow.example>: Sender address rejected: "
	  "Domain not found" },
	{ "an address is enough when the MX is not answered",
	  LIST("reject_unknown_sender_domain"), "h.example",
	  "x@half.example", "kim@a.example", GATE_PERMIT, "" },
	{ "null sender", LIST("reject_unknown_sender_domain"), "h.example",
	  "", "kim@a.example", GATE_PERMIT, "" },
	/* --- lists --- */
	{ "listed", LIST("reject_rbl_client bl.example"), "h.example", "",
	  "kim@a.example", GATE_REJECT, "554 5.7.1 Service unavailable; "
	  "Client host [192.0.2.7] blocked using bl.example; "
	  "see http://bl.example/" },
	{ "listed, but not for this",
	  LIST("reject_rbl_client bl.example=127.0.0.2"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "listed within a range",
	  LIST("reject_rbl_client bl.example=127.0.[0..3].[2;4..11]"),
	  "h.example", "", "kim@a.example", GATE_REJECT, NULL },
	{ "listed in one of the old parameter's", "maps_rbl_domains = "
	  "odd.example, bl.example\n" LIST("reject_maps_rbl"), "h.example", "",
	  "kim@a.example", GATE_REJECT, "554 5.7.1 Service unavailable; "
	  "Client host [192.0.2.7] blocked using bl.example; "
	  "see http://bl.example/" },
	{ "in none", "maps_rbl_domains = odd.example, nx.example\n"
	  LIST("reject_maps_rbl"), "h.example", "", "kim@a.example",
	  GATE_PERMIT, "" },
	{ "the list refuses to answer",
	  LIST("reject_rbl_client odd.example"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "the list is a parked domain",
	  LIST("reject_rbl_client park.example"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "the list is dead", LIST("reject_rbl_client dead.example"),
	  "h.example", "", "kim@a.example", GATE_PERMIT, "" },
	{ "reply template", "rbl_reply_maps = inline:{ bl.example = "
	  "$$rbl_code 4.7.9 no $$client_address at $${rbl_domain}"
	  "$${rbl_reason?: $$rbl_reason} }\n" LIST("reject_rbl_client bl.example=127.0.0.4"),
	  "h.example", "", "kim@a.example", GATE_REJECT, "554 5.7.9 no "
	  "192.0.2.7 at bl.example: see http://bl.example/" },
	{ "bad template", "rbl_reply_maps = static:{oops $$rbl_code}\n"
	  LIST("reject_rbl_client bl.example"), "h.example", "",
	  "kim@a.example", GATE_DEFER, "450 4.7.1 Service unavailable" },
	{ "domain list", LIST("reject_rhsbl_sender dbl.example"),
	  "h.example", "x@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 Service unavailable; Sender address [x@s.example] "
	  "blocked using dbl.example" },
	{ "HELO in a domain list", LIST("reject_rhsbl_helo dbl.example"),
	  "s.example", "", "kim@a.example", GATE_REJECT, NULL },
	{ "allow list", LIST("permit_dnswl_client wl.example, reject"),
	  "h.example", "", "kim@a.example", GATE_PERMIT, "" },
	{ "no allow list lets strangers relay",
	  LIST("permit_dnswl_client wl.example, reject"),
	  "h.example", "", "x@b.example", GATE_REJECT, NULL },
	{ "allow list is dead",
	  LIST("permit_dnswl_client dead.example, reject"), "h.example", "",
	  "kim@a.example", GATE_DEFER, "450 4.7.1 <192.0.2.7>: Client host "
	  "rejected: Service unavailable" },
	/* --- scores --- */
#define SITES	"postscreen_dnsbl_sites = bl.example*2 odd.example*9 " \
		"park.example*9 nx.example*9\n"
	{ "score", SITES LIST("reject_dnsbl_score=2"), "h.example", "",
	  "kim@a.example", GATE_REJECT, "554 5.7.1 Service unavailable; "
	  "Client host [192.0.2.7] blocked using bl.example (127.0.0.4)" },
	{ "score below", SITES LIST("reject_dnsbl_score=3"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "score by the parameter", SITES "postscreen_dnsbl_threshold = 2\n"
	  LIST("reject_dnsbl_score"), "h.example", "", "kim@a.example",
	  GATE_REJECT, NULL },
	{ "a secret zone has another name in public", SITES
	  "postscreen_dnsbl_reply_map = inline:{bl.example=public.example}\n"
	  LIST("reject_dnsbl_score"), "h.example", "", "kim@a.example",
	  GATE_REJECT, "554 5.7.1 Service unavailable; Client host "
	  "[192.0.2.7] blocked using public.example (127.0.0.4)" },
	{ "an allow list saves", "postscreen_dnsbl_sites = bl.example*2 "
	  "wl.example*-5\n" LIST("reject_dnsbl_score"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "an allow list might", "postscreen_dnsbl_sites = bl.example*2 "
	  "dead.example*-5\n" LIST("reject_dnsbl_score"), "h.example", "",
	  "kim@a.example", GATE_DEFER, "450 4.7.1 Service unavailable; Client "
	  "host [192.0.2.7] blocked using bl.example (127.0.0.4)" },
	{ "permit by score", "postscreen_dnsbl_sites = wl.example*-5\n"
	  "postscreen_dnsbl_whitelist_threshold = -3\n"
	  LIST("permit_dnsbl_score, reject"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "no score lets strangers relay",
	  "postscreen_dnsbl_sites = wl.example*-5\n"
	  "postscreen_dnsbl_allowlist_threshold = -3\n"
	  LIST("permit_dnsbl_score, reject"), "h.example", "",
	  "x@b.example", GATE_REJECT, NULL },
	/* --- servers --- */
	{ "MX by name", LIST("check_sender_mx_access inline:{mx.s.example="
	  "REJECT}"), "h.example", "x@s.example", "kim@a.example",
	  GATE_REJECT, "554 5.7.1 <x@s.example>: Sender address rejected: "
	  "Access denied" },
	{ "MX by network", LIST("check_sender_mx_access inline:{x=OK}, "
	  "check_sender_mx_access inline:{198.51.100=REJECT no}"),
	  "h.example", "x@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <x@s.example>: Sender address rejected: no" },
	{ "no MX: the name's address", LIST("check_sender_mx_access "
	  "inline:{192.0.2.9=REJECT}"), "h.example", "x@h.example",
	  "kim@a.example", GATE_REJECT, NULL },
	{ "A looks at no name", LIST("check_sender_a_access "
	  "inline:{h.example=REJECT}"), "h.example", "x@h.example",
	  "kim@a.example", GATE_PERMIT, "" },
	{ "NS of a parent", LIST("check_sender_ns_access "
	  "inline:{bad.example=REJECT}"), "h.example", "x@deep.s.example",
	  "kim@a.example", GATE_REJECT, NULL },
	{ "NS by address", LIST("check_helo_ns_access "
	  "inline:{2001:db8=REJECT}"), "s.example", "",
	  "kim@a.example", GATE_REJECT, NULL },
	{ "OK is forbidden", LIST("check_sender_mx_access "
	  "inline:{mx.s.example=OK}"), "h.example", "x@s.example",
	  "kim@a.example", GATE_DEFER,
	  "451 4.3.5 Server configuration error" },
	{ "MX of a literal", LIST("check_sender_mx_access "
	  "inline:{192.0.2.99=REJECT}"), "h.example", "x@[192.0.2.99]",
	  "kim@a.example", GATE_REJECT, NULL },
	/* --- backup --- */
	{ "backup MX", "smtpd_relay_restrictions = permit_mx_backup reject\n"
	  "myhostname = me.example\nsmtpd_reject_unlisted_recipient = no\n",
	  "h.example", "", "x@backup.example", GATE_PERMIT, "" },
	{ "best MX is no backup", "smtpd_relay_restrictions = "
	  "permit_mx_backup reject\nmyhostname = me.example\n"
	  "smtpd_reject_unlisted_recipient = no\n",
	  "h.example", "", "x@first.example", GATE_REJECT, NULL },
	{ "backup for listed networks only", "smtpd_relay_restrictions = "
	  "permit_mx_backup reject\nmyhostname = me.example\n"
	  "permit_mx_backup_networks = 198.51.100.0/24\n"
	  "smtpd_reject_unlisted_recipient = no\n",
	  "h.example", "", "x@backup.example", GATE_REJECT, NULL },
	{ "half of a primary's addresses are not known", "smtpd_relay_"
	  "restrictions = permit_mx_backup reject\nmyhostname = me.example\n"
	  "permit_mx_backup_networks = 198.51.100.0/24\n"
	  "smtpd_reject_unlisted_recipient = no\n",
	  "h.example", "", "x@near.example", GATE_DEFER, "450 4.4.4 "
	  "<x@near.example>: Recipient address rejected: Unable to look up "
	  "mail exchanger information" },
	{ "a primary is not hidden behind many others", "smtpd_relay_"
	  "restrictions = permit_mx_backup reject\nmyhostname = me.example\n"
	  "permit_mx_backup_networks = 198.51.100.0/24\n"
	  "smtpd_reject_unlisted_recipient = no\n",
	  "h.example", "", "x@crowd.example", GATE_DEFER, "450 4.4.4 "
	  "<x@crowd.example>: Recipient address rejected: Unable to look up "
	  "mail exchanger information" },
	/* --- DISCARD is an answer, and no permit that could be forbidden --- */
	{ "DISCARD by a server's name", LIST("check_sender_mx_access "
	  "inline:{mx.s.example=DISCARD}"), "h.example", "x@s.example",
	  "kim@a.example", GATE_PERMIT, "" },
};

static struct gate_facts
facts_of(const char *helo, const char *sender, const char *rcpt)
{
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = "192.0.2.7", .helo = helo,
		.sender = span_str(sender), .recipient = span_str(rcpt) };

	assert_true(net_addr_parse(span_str(f.client_ip), &f.client));
	return f;
}

static void
check(size_t i, bool late)
{
	struct dnsfake *d = calloc(1, sizeof(*d));
	struct gate_facts f = facts_of(cases[i].helo, cases[i].sender,
	    cases[i].rcpt);
	struct gate *g = gate_of(cases[i].conf);
	enum gate_result r;
	struct gate_eval e;

	assert_non_null(d);
	d->late = late;
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, d);
	while ((r = gate_run(&e)) == GATE_PARKED)
		come(d);
	if (r != cases[i].want)
		fail_msg("%s: %d, not %d: %s", cases[i].name, r,
		    cases[i].want, e.reply);
	if (cases[i].reply != NULL && r != GATE_PERMIT)
		assert_string_equal(e.reply, cases[i].reply);
	gate_end(&e);
	gate_unref(&g);
	free(d);
}

static void
verdicts_are_postfixs(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		check(i, false);
		check(i, true);
	}
}

/* Three lists and a sender's domain: all are asked before one has come. */
static void
look_ups_of_a_list_run_together(void **state)
{
	struct dnsfake *d = calloc(1, sizeof(*d));
	struct gate_facts f = facts_of("h.example", "x@s.example",
	    "kim@a.example");
	struct gate *g = gate_of(LIST("reject_rbl_client nx1.example, "
	    "reject_rbl_client nx2.example, reject_rbl_client nx3.example, "
	    "reject_unknown_sender_domain"));
	struct gate_eval e;

	(void)state;
	assert_non_null(d);
	d->late = true;
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, d);
	while (gate_run(&e) == GATE_PARKED)
		come(d);
	assert_int_equal(d->most_waiting, 6);	/* MX, A, AAAA; three A */
	gate_end(&e);
	gate_unref(&g);
	free(d);
}

/* What stands behind a refusal is not asked for. */
static void
probes_stop_at_a_verdict(void **state)
{
	struct dnsfake *d = calloc(1, sizeof(*d));
	struct gate_facts f = facts_of("h.example", "", "kim@a.example");
	struct gate *g = gate_of(LIST("reject_rbl_client nx1.example, "
	    "check_helo_access inline:{h.example=REJECT}, "
	    "reject_rbl_client nx2.example"));
	struct gate_eval e;

	(void)state;
	assert_non_null(d);
	d->late = true;
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, d);
	assert_int_equal(gate_run(&e), GATE_PARKED);
	assert_int_equal(d->n, 1);
	gate_end(&e);
	gate_unref(&g);
	free(d);
}

static void
filters_are_parsed_whole(void **state)
{
	static const struct { const char *spec, *addr; int match; } t[] = {
		{ "z.example", "127.0.0.2", 1 },
		{ "z.example", "127.255.255.254", 0 },
		{ "z.example", "127.255.254.1", 1 },
		{ "z.example", "10.0.0.2", 0 },
		{ "z.example=127.0.0.2", "127.0.0.2", 1 },
		{ "z.example=127.0.0.2", "127.0.0.3", 0 },
		{ "z.example=127.0.0.[2..11]", "127.0.0.11", 1 },
		{ "z.example=127.0.0.[2..11]", "127.0.0.12", 0 },
		{ "z.example=127.[0..9].0.[1;3;9..9]", "127.4.0.3", 1 },
		{ "z.example=127.[0..9].0.[1;3;9..9]", "127.4.0.2", 0 },
		{ "z.example=10.0.0.2", "10.0.0.2", 0 },
		{ "z.example=", NULL, -1 }, { "z.example=127.0.0", NULL, -1 },
		{ "z.example=127.0.0.2.", NULL, -1 },
		{ "z.example=127.0.0.[]", NULL, -1 },
		{ "z.example=127.0.0.[3..2]", NULL, -1 },
		{ "z.example=127.0.0.[2", NULL, -1 },
		{ "z.example=127.0.0.[2..]", NULL, -1 },
		{ "z.example=127.0.0.256", NULL, -1 },
		{ "z.example=127.0.0.[2...4]", NULL, -1 },
		{ "=127.0.0.2", NULL, -1 }, { "", NULL, -1 },
		{ "z..example", NULL, -1 },
	};
	struct dnslist *l;
	struct buf why;
	uint8_t addr[4];
	size_t i;

	(void)state;
	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		print_message("%s %s\n", t[i].spec, t[i].addr == NULL ? "" :
		    t[i].addr);
		l = dnslist_parse(span_str(t[i].spec), &why);
		assert_int_equal(l == NULL, t[i].match < 0);
		assert_int_equal(buf_len(&why) > 0, t[i].match < 0);
		buf_clear(&why);
		if (l == NULL)
			continue;
		assert_int_equal(inet_pton(AF_INET, t[i].addr, addr), 1);
		assert_int_equal(dnslist_match(l, addr), t[i].match);
		dnslist_free(&l);
	}
	buf_fini(&why);
}

static bool
macro(struct span name, struct buf *out, void *arg)
{
	if (span_is(name, "a"))
		buf_str(out, "A\r\nB");
	else if (!span_is(name, "empty"))
		return false;
	return true;
}

static void
templates_are_filled_in(void **state)
{
	static const struct { const char *text, *want; } t[] = {
		{ "", "" }, { "x", "x" }, { "$a", "A__B" },
		{ "${a}b", "A__Bb" }, { "$(a)b", "A__Bb" }, { "$$a", "$a" },
		{ "${a?yes}${empty?no}", "yes" },
		{ "${a:no}${empty:yes}", "yes" },
		{ "${a?${empty:<$a>}}", "<A__B>" },
		{ "$", NULL }, { "$ ", NULL }, { "$nope", NULL },
		{ "${a", NULL }, { "${}", NULL }, { "$(a", NULL },
		{ "${a!x}", NULL }, { "${nope?x}", NULL },
		{ "${a?{${a?{${a?${a?${a?${a?${a?${a?${a?${a?x}}}}}}}}}}}}",
		  NULL },
	};
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		print_message("%s\n", t[i].text);
		buf_init(&out, 1024);
		if (t[i].want == NULL) {
			assert_false(template_expand(span_str(t[i].text),
			    &out, macro, NULL));
		} else {
			assert_true(template_expand(span_str(t[i].text), &out,
			    macro, NULL));
			assert_string_equal(buf_cstr(&out), t[i].want);
		}
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_postfixs),
		cmocka_unit_test(look_ups_of_a_list_run_together),
		cmocka_unit_test(probes_stop_at_a_verdict),
		cmocka_unit_test(filters_are_parsed_whole),
		cmocka_unit_test(templates_are_filled_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
