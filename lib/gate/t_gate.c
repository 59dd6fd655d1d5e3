/*
 * The chain against a table of lists: whole, and with every fact asked for
 * answered late, the verdict must be the same. Then mistakes in lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/gate.h"
#include "gate/testgate.h"

#define OURS	"smtpd_relay_restrictions = reject_unauth_destination\n"
#define ALL	((1u << GATE_STAGES) - 1)

/* a.example is ours and knows kim; off.example's mailbox is disabled;
 * temp.example does not answer; the rest is not ours. */
static struct resolution
answer(struct span recipient, bool domain)
{
	struct resolution r = { .class = RESOLVE_NOT_LOCAL };

	if (span_ends(recipient, "@temp.example"))
		r.class = RESOLVE_TEMP;
	else if (span_ends(recipient, "@off.example"))
		r.class = domain ? RESOLVE_MAILBOX : RESOLVE_DISABLED;
	else if (span_is(recipient, "kim@a.example"))
		r.class = RESOLVE_MAILBOX;
	else if (span_ends(recipient, "@a.example"))
		r.class = domain ? RESOLVE_MAILBOX : RESOLVE_UNKNOWN;
	return r;
}

struct asker {
	bool late;
	unsigned asked;
	struct resolution domain, rcpt;
};

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	struct asker *a = arg;

	a->asked |= 1u << what;
	if (a->late)
		return false;
	a->domain = answer(f->recipient, true);
	a->rcpt = answer(f->recipient, false);
	if (what == GATE_NEED_RCPT_DOMAIN)
		f->rcpt_domain = &a->domain;
	else
		f->rcpt = &a->rcpt;
	return true;
}

static const struct gate_ops ops = { .need = need };

static const struct {
	const char *name, *conf, *ip, *rcpt;
	bool auth;
	enum gate_result want;
	const char *reply;
} cases[] = {
	{ "our user", OURS, "192.0.2.1", "kim@a.example", false,
	  GATE_PERMIT, "" },
	{ "unknown user", OURS, "192.0.2.1", "lee@a.example", false,
	  GATE_REJECT, "550 5.1.1 <lee@a.example>: Recipient address rejected:"
	  " User unknown in virtual mailbox table" },
	{ "disabled user", OURS, "192.0.2.1", "x@off.example", false,
	  GATE_REJECT, "550 5.2.1 <x@off.example>: Recipient address rejected:"
	  " Mailbox disabled" },
	{ "relay", OURS, "192.0.2.1", "x@b.example", false, GATE_REJECT,
	  "554 5.7.1 <x@b.example>: Relay access denied" },
	{ "relay, default lists", "", "192.0.2.1", "x@b.example", false,
	  GATE_DEFER, "454 4.7.1 <x@b.example>: Relay access denied" },
	{ "relay from my network", "", "127.0.0.1", "x@b.example", false,
	  GATE_PERMIT, "" },
	{ "relay from mapped my network", "", "::ffff:127.0.0.1",
	  "x@b.example", false, GATE_PERMIT, "" },
	{ "relay after login", "", "192.0.2.1", "x@b.example", true,
	  GATE_PERMIT, "" },
	{ "directory away", OURS, "192.0.2.1", "x@temp.example", false,
	  GATE_DEFER, "451 4.3.0 <x@temp.example>: Temporary lookup failure" },
	{ "login does not make users", "", "192.0.2.1", "lee@a.example", true,
	  GATE_REJECT, "550 5.1.1 <lee@a.example>: Recipient address rejected:"
	  " User unknown in virtual mailbox table" },
	{ "permit in one list does not end the others",
	  OURS "smtpd_client_restrictions = permit\n", "127.0.0.1",
	  "x@b.example", false, GATE_REJECT,
	  "554 5.7.1 <x@b.example>: Relay access denied" },
	{ "client list", OURS "smtpd_client_restrictions = permit_mynetworks"
	  " reject\n", "192.0.2.1", "kim@a.example", false, GATE_REJECT,
	  "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: "
	  "Access denied" },
	{ "helo list", OURS "smtpd_helo_restrictions = defer\n", "192.0.2.1",
	  "kim@a.example", false, GATE_DEFER,
	  "450 4.3.2 <h.example>: Helo command rejected: Try again later" },
	{ "sender list", OURS "smtpd_sender_restrictions = reject\n",
	  "192.0.2.1", "kim@a.example", false, GATE_REJECT,
	  "554 5.7.1 <s@s.example>: Sender address rejected: Access denied" },
	{ "defer_if_permit", OURS "smtpd_sender_restrictions ="
	  " defer_if_permit\n", "192.0.2.1", "kim@a.example", false,
	  GATE_DEFER, "450 4.7.0 <s@s.example>: Sender address rejected: "
	  "defer_if_permit requested" },
	{ "defer_if_permit, then a reject", OURS "smtpd_sender_restrictions ="
	  " defer_if_permit\n", "192.0.2.1", "x@b.example", false,
	  GATE_REJECT, "554 5.7.1 <x@b.example>: Relay access denied" },
	{ "defer_if_reject", "smtpd_relay_restrictions = defer_if_reject "
	  "reject_unauth_destination\n", "192.0.2.1", "x@b.example", false,
	  GATE_DEFER, "450 4.7.0 <x@b.example>: Recipient address rejected: "
	  "defer_if_reject requested" },
	{ "defer_if_reject holds for both lists of RCPT",
	  "smtpd_relay_restrictions = defer_if_reject\n"
	  "smtpd_recipient_restrictions = reject_unauth_destination\n",
	  "192.0.2.1", "x@b.example", false,
	  GATE_DEFER, "450 4.7.0 <x@b.example>: Recipient address rejected: "
	  "defer_if_reject requested" },
	{ "defer_if_reject holds for its own list", OURS
	  "smtpd_sender_restrictions = defer_if_reject\n", "192.0.2.1",
	  "x@b.example", false, GATE_REJECT,
	  "554 5.7.1 <x@b.example>: Relay access denied" },
	{ "defer_if_permit goes before the unlisted check", OURS
	  "smtpd_sender_restrictions = defer_if_permit\n", "192.0.2.1",
	  "lee@a.example", false, GATE_DEFER, "450 4.7.0 <s@s.example>: "
	  "Sender address rejected: defer_if_permit requested" },
	{ "both doubts end the list",
	  "smtpd_relay_restrictions = defer_if_permit defer_if_reject "
	  "reject_unauth_destination\n", "192.0.2.1", "x@b.example", false,
	  GATE_DEFER, "450 4.7.0 <x@b.example>: Recipient address rejected: "
	  "defer_if_permit requested" },
	{ "a class", OURS "smtpd_restriction_classes = strict\n"
	  "strict = permit_mynetworks reject\n"
	  "smtpd_recipient_restrictions = strict\n", "192.0.2.1",
	  "kim@a.example", false, GATE_REJECT, "554 5.7.1 <kim@a.example>: "
	  "Recipient address rejected: Access denied" },
	{ "a class that permits ends the list", OURS
	  "smtpd_restriction_classes = strict\n"
	  "strict = permit_mynetworks reject\n"
	  "smtpd_recipient_restrictions = strict defer\n", "127.0.0.1",
	  "kim@a.example", false, GATE_PERMIT, "" },
	{ "a class under warn_if_reject goes on", OURS
	  "smtpd_restriction_classes = strict\nstrict = reject\n"
	  "smtpd_recipient_restrictions = warn_if_reject strict defer\n",
	  "192.0.2.1", "kim@a.example", false, GATE_DEFER, "450 4.3.2 "
	  "<kim@a.example>: Recipient address rejected: Try again later" },
	{ "a class as a table's value", OURS
	  "smtpd_restriction_classes = strict\nstrict = reject\n"
	  "smtpd_recipient_restrictions = check_sender_access "
	  "inline:{s.example=strict}\n", "192.0.2.1", "kim@a.example", false,
	  GATE_REJECT, "554 5.7.1 <kim@a.example>: Recipient address "
	  "rejected: Access denied" },
	{ "a table alone is the list's own check", OURS
	  "smtpd_sender_restrictions = inline:{s.example=REJECT}\n",
	  "192.0.2.1", "kim@a.example", false, GATE_REJECT,
	  "554 5.7.1 <s@s.example>: Sender address rejected: Access denied" },
	{ "sent on through us", OURS, "192.0.2.1", "x%b.example@a.example",
	  false, GATE_REJECT,
	  "554 5.7.1 <x%b.example@a.example>: Relay access denied" },
	{ "sent on through us, quoted", OURS, "192.0.2.1",
	  "\"x@b.example\"@a.example", false, GATE_REJECT, "554 5.7.1 "
	  "<\"x@b.example\"@a.example>: Relay access denied" },
	{ "an OK for a domain lets nothing be sent on through us",
	  "smtpd_relay_restrictions = check_recipient_access "
	  "inline:{a.example=OK} reject_unauth_destination\n", "192.0.2.1",
	  "x%b.example@a.example", false, GATE_REJECT,
	  "554 5.7.1 <x%b.example@a.example>: Relay access denied" },
	{ "defer_if_reject, then permit", OURS "smtpd_sender_restrictions ="
	  " defer_if_reject\n", "192.0.2.1", "kim@a.example", false,
	  GATE_PERMIT, "" },
	{ "permit_auth_destination, reject",
	  "smtpd_relay_restrictions = permit_auth_destination reject\n",
	  "192.0.2.1", "kim@a.example", false, GATE_PERMIT, "" },
	{ "permit_auth_destination, reject: relay",
	  "smtpd_relay_restrictions = permit_auth_destination reject\n",
	  "192.0.2.1", "x@b.example", false, GATE_REJECT,
	  "554 5.7.1 <x@b.example>: Recipient address rejected: "
	  "Access denied" },
	{ "unlisted check off", OURS "smtpd_reject_unlisted_recipient = no\n",
	  "192.0.2.1", "lee@a.example", false, GATE_PERMIT, "" },
	{ "unlisted named", OURS "smtpd_reject_unlisted_recipient = no\n"
	  "smtpd_recipient_restrictions = reject_unlisted_recipient\n",
	  "192.0.2.1", "lee@a.example", false, GATE_REJECT,
	  "550 5.1.1 <lee@a.example>: Recipient address rejected: "
	  "User unknown in virtual mailbox table" },
	{ "soft codes", OURS "relay_domains_reject_code = 454\n", "192.0.2.1",
	  "x@b.example", false, GATE_DEFER,
	  "454 4.7.1 <x@b.example>: Relay access denied" },
};

static void
judge(size_t i, bool late)
{
	struct gate *g = gate_of(cases[i].conf);
	struct asker a = { .late = late };
	struct gate_eval e;
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = cases[i].ip, .helo = "h.example",
		.sender = SPAN_LIT("s@s.example"),
		.recipient = span_str(cases[i].rcpt),
		.authenticated = cases[i].auth };
	enum gate_result r;

	assert_true(net_addr_parse(span_str(cases[i].ip), &f.client));
	gate_begin(&e, g, ALL, &f, &ops, &a);
	while ((r = gate_run(&e)) == GATE_PARKED) {
		assert_true(a.late);
		a.late = false;
		if (a.asked & 1u << GATE_NEED_RCPT_DOMAIN)
			(void)need(GATE_NEED_RCPT_DOMAIN, &f, &a);
		if (a.asked & 1u << GATE_NEED_RCPT)
			(void)need(GATE_NEED_RCPT, &f, &a);
		a.late = true;
		a.asked = 0;
	}
	assert_int_equal(r, cases[i].want);
	if (r != GATE_PERMIT)
		assert_string_equal(e.reply, cases[i].reply);
	gate_end(&e);
	gate_unref(&g);
}

/* smtpd_delay_reject = no: the sender list alone, then the recipient's. */
static void
defer_if_permit_waits_for_the_recipient(void **state)
{
	struct gate *g = gate_of(OURS "smtpd_delay_reject = no\n"
	    "smtpd_sender_restrictions = defer_if_permit\n");
	struct asker a = { .late = false };
	struct gate_eval e;
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = "192.0.2.1", .helo = "h.example",
		.sender = SPAN_LIT("s@s.example") };
	char *carried;

	(void)state;
	gate_begin(&e, g, 1u << GATE_SENDER, &f, &ops, &a);
	assert_int_equal(gate_run(&e), GATE_PERMIT);
	carried = gate_carried(&e);
	assert_non_null(carried);
	gate_end(&e);
	f.recipient = SPAN_LIT("kim@a.example");
	gate_begin(&e, g, 1u << GATE_RELAY | 1u << GATE_RECIPIENT, &f, &ops,
	    &a);
	gate_carry(&e, carried);
	assert_int_equal(gate_run(&e), GATE_DEFER);
	assert_string_equal(e.reply, "450 4.7.0 <s@s.example>: Sender address "
	    "rejected: defer_if_permit requested");
	assert_null(gate_carried(&e));
	gate_end(&e);
	free(carried);
	gate_unref(&g);
}

static void
lists_are_evaluated_as_postfix_does(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		judge(i, false);
		judge(i, true);
	}
}

/* Every nap takes two turns, and each is taken once, though the rule it
 * stands in begins anew each time something has come. */
struct sleeper {
	struct asker asker;		/* first: for need() */
	unsigned turns, naps, notes;
	uint32_t slept;
};

static bool
nap(uint32_t seconds, void *arg)
{
	struct sleeper *s = arg;

	if (s->turns++ % 2 == 0)
		return false;
	s->naps++;
	s->slept += seconds;
	return true;
}

static void
note(const char *what, const char *text, void *arg)
{
	((struct sleeper *)arg)->notes++;
}

static void
sleep_takes_its_time_once(void **state)
{
	static const struct gate_ops sleepers = { .need = need, .note = note,
		.sleep = nap };
	static const struct gate_ops sleepless = { .need = need };
	static const struct {
		const char *conf;
		unsigned naps, slept, notes;
		enum gate_result want;
	} t[] = {
		{ OURS "smtpd_client_restrictions = sleep 20, permit\n", 1, 20,
		  0, GATE_PERMIT },
		{ OURS "smtpd_client_restrictions = sleep 0, sleep 300\n", 2,
		  300, 0, GATE_PERMIT },
		{ OURS "smtpd_helo_restrictions = sleep 1, reject\n"
		  "smtpd_sender_restrictions = sleep 4\n", 1, 1, 0,
		  GATE_REJECT },
		/* a class begins anew behind each nap */
		{ OURS "smtpd_restriction_classes = slow\n"
		  "slow = check_client_access static:{INFO a}, sleep 1, "
		  "check_client_access static:{INFO b}, sleep 2, "
		  "reject_unlisted_recipient, sleep 4\n"
		  "smtpd_recipient_restrictions = slow, sleep 8\n", 4, 15, 2,
		  GATE_PERMIT },
		{ OURS "smtpd_sender_restrictions = check_sender_access "
		  "static:{sleep 1, sleep 2}\n", 2, 3, 0, GATE_PERMIT },
		/* a rule that is parked starts no nap of a later one */
		{ OURS "smtpd_recipient_restrictions = "
		  "reject_unlisted_recipient, sleep 5\n", 1, 5, 0,
		  GATE_PERMIT },
	};
	struct gate_eval e;
	enum gate_result r;
	size_t i;
	int pass;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t) * 2; i++) {
		struct gate *g = gate_of(t[i / 2].conf);
		struct sleeper s = { .asker = { .late = true } };
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "h.example",
			.sender = SPAN_LIT("s@s.example"),
			.recipient = SPAN_LIT("kim@a.example") };

		print_message("%s", t[i / 2].conf);
		gate_begin(&e, g, ALL, &f, i % 2 == 0 ? &sleepers :
		    &sleepless, &s);
		for (pass = 0; (r = gate_run(&e)) == GATE_PARKED; pass++) {
			assert_true(pass < 20);
			s.asker.late = s.asker.asked == 0;
			if (s.asker.asked & 1u << GATE_NEED_RCPT_DOMAIN)
				(void)need(GATE_NEED_RCPT_DOMAIN, &f, &s);
			if (s.asker.asked & 1u << GATE_NEED_RCPT)
				(void)need(GATE_NEED_RCPT, &f, &s);
			s.asker.asked = 0;
			s.asker.late = true;
		}
		assert_int_equal(r, t[i / 2].want);
		if (i % 2 == 0) {
			assert_int_equal(s.naps, t[i / 2].naps);
			assert_int_equal(s.slept, t[i / 2].slept);
			assert_int_equal(s.notes, t[i / 2].notes);
		}
		gate_end(&e);
		gate_unref(&g);
	}
}

static const struct {
	const char *conf, *says;
} mistakes[] = {
	{ OURS "smtpd_client_restrictions = sleep 301\n",
	  "\"sleep\" wants a number of seconds, at most 300" },
	{ OURS "smtpd_client_restrictions = sleep long\n",
	  "\"sleep\" wants a number of seconds, at most 300" },
	{ OURS "smtpd_client_restrictions = sleep\n", "needs an argument" },
	{ "smtpd_relay_restrictions = reject_unauth_destinaton\n",
	  "did you mean \"reject_unauth_destination\"?" },
	{ "smtpd_relay_restrictions = reject_unauth_destinaton\n",
	  "t.conf:1" },
	{ OURS "smtpd_client_restrictions = frobnicate_everything_now\n",
	  "unknown restriction \"frobnicate_everything_now\"" },
	{ "smtpd_relay_restrictions = permit\n", "open relay" },
	{ "smtpd_relay_restrictions = permit_mynetworks\n", "open relay" },
	{ "smtpd_relay_restrictions =\n", "open relay" },
	{ "smtpd_relay_restrictions = permit_naked_ip_address, "
	  "reject_unauth_destination\n", "open relay" },
	{ "smtpd_relay_restrictions = permit, reject_unauth_destination\n",
	  "never reached" },
	{ "mynetworks = 0.0.0.0/0\n", "open relay" },
	{ "mynetworks = [::]/0\n", "open relay" },
	{ "mynetworks = 127.0.0.0/8 10.0.0.0/33\n",
	  "\"10.0.0.0/33\" is no network" },
	{ "mynetworks = localhost\n", "\"localhost\" is no network" },
	{ OURS "smtpd_delay_reject = no\nsmtpd_client_restrictions ="
	  " reject_unauth_destination\n", "not known yet" },
	{ OURS "smtpd_data_restrictions = reject_unlisted_recipient\n",
	  "not known yet" },
	{ OURS "mynetworks = 127.0.0.0/8 10.0.0.0/8\n",
	  "trusts a whole private range" },
	{ OURS "mynetworks = 172.16.0.0/11\n", "whole private range" },
	{ OURS "mynetworks = 100.64.0.0/10\n", "whole private range" },
	{ OURS "smtpd_authorized_xclient_hosts = 0.0.0.0/0\n",
	  "may say that he is a client of mynetworks" },
	{ OURS "smtpd_upstream_proxy_hosts = ::/0\n",
	  "may say that he is a client of mynetworks" },
	{ OURS "mynetworks = 127.0.0.0/8 192.168.7.0/24\n"
	  "[service mx]\nlisten = 127.0.0.1:25\n"
	  "smtpd_upstream_proxy_protocol = haproxy\n"
	  "smtpd_upstream_proxy_hosts = 192.168.7.9\n",
	  "mynetworks trusts the proxy 192.168.7.9" },
	{ OURS "smtpd_restriction_classes = strict\n", "\"strict\" needs a "
	  "definition" },
	{ OURS "smtpd_restriction_classes = a b\na = b\nb = permit, a\n"
	  "smtpd_client_restrictions = a\n", "refers to itself" },
	{ OURS "smtpd_delay_reject = no\nsmtpd_restriction_classes = a\n"
	  "a = reject_unknown_recipient_domain\n"
	  "smtpd_client_restrictions = a\n", "can't be used in "
	  "smtpd_client_restrictions" },
	{ "smtpd_restriction_classes = all\nall = permit\n"
	  "smtpd_relay_restrictions = all, reject_unauth_destination\n",
	  "open relay" },
	{ OURS "smtpd_client_restrictions = reject_rbl_client a..b\n",
	  "no domain of a DNS list" },
	{ OURS "smtpd_client_restrictions = reject_rbl_client "
	  "a.example=127.0.0\n", "four numbers are wanted" },
	{ OURS "smtpd_client_restrictions = reject_rbl_client\n",
	  "needs an argument" },
	{ OURS "smtpd_data_restrictions = hash:x\n", "unknown restriction" },
	{ OURS "[service mx]\nlisten = 127.0.0.1:25\n"
	  "smtpd_relay_restrictions = permit\n", "open relay" },
};

static void
mistakes_are_named(void **state)
{
	struct buf complaints;
	struct conf *conf;
	size_t i;

	(void)state;
	buf_init(&complaints, 65536);
	for (i = 0; i < ARRAY_LEN(mistakes); i++) {
		print_message("%s", mistakes[i].conf);
		conf = conf_parse("t.conf", span_str(mistakes[i].conf),
		    &complaints);
		assert_non_null(conf);
		assert_false(gate_conf_check(conf, &complaints));
		if (strstr(buf_cstr(&complaints), mistakes[i].says) == NULL)
			fail_msg("%s", buf_cstr(&complaints));
		buf_clear(&complaints);
		conf_unref(&conf);
	}
	buf_fini(&complaints);
}

static void
what_is_no_mistake_passes(void **state)
{
	static const char *const fine[] = {
		"", "mynetworks = 10.1.0.0/16 192.168.7.0/24 fd00:1::/48\n",
		"mynetworks = 10.0.0.0/8\nmynetworks_private_ranges = yes\n",
		"mynetworks = !192.168.7.9 192.168.7.0/24\n"
		"[service mx]\nlisten = 127.0.0.1:25\n"
		"smtpd_upstream_proxy_protocol = haproxy\n"
		"smtpd_upstream_proxy_hosts = 192.168.7.9\n",
	};
	struct buf complaints;
	struct conf *conf;
	size_t i;

	(void)state;
	buf_init(&complaints, 65536);
	for (i = 0; i < ARRAY_LEN(fine); i++) {
		print_message("%s", fine[i]);
		conf = conf_parse("t.conf", span_str(fine[i]), &complaints);
		assert_non_null(conf);
		if (!gate_conf_check(conf, &complaints))
			fail_msg("%s", buf_cstr(&complaints));
		conf_unref(&conf);
	}
	buf_fini(&complaints);
}

static void
old_names_get_a_hint(void **state)
{
	struct gate *g = gate_of(OURS "smtpd_client_restrictions = "
	    "reject_unknown_client, permit_mynetworks\n");
	struct buf hints;

	(void)state;
	buf_init(&hints, 4096);
	gate_hints(g, &hints);
	assert_string_equal(buf_cstr(&hints), "t.conf:2: "
	    "smtpd_client_restrictions: reject_unknown_client: Old name of "
	    "reject_unknown_client_hostname.\n");
	buf_fini(&hints);
	gate_unref(&g);
}

static void
networks_match_by_prefix(void **state)
{
	static const struct { const char *net, *ip; bool want; } t[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.0.0.0/9", "10.127.0.1", true },
		{ "10.0.0.0/9", "10.128.0.1", false },
		{ "!10.0.0.1, 10.0.0.0/8", "10.0.0.1", false },
		{ "!10.0.0.1, 10.0.0.0/8", "10.0.0.2", true },
		{ "[2001:db8::]/32", "2001:db8:1::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "0.0.0.0/0", "2001:db8::1", false },
	};
	struct net_addr a;
	struct netlist *l;
	struct span bad;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		print_message("%s %s\n", t[i].net, t[i].ip);
		l = netlist_parse(t[i].net, &bad);
		assert_non_null(l);
		assert_true(net_addr_parse(span_str(t[i].ip), &a));
		assert_int_equal(netlist_match(l, &a), t[i].want);
		netlist_free(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_evaluated_as_postfix_does),
		cmocka_unit_test(defer_if_permit_waits_for_the_recipient),
		cmocka_unit_test(sleep_takes_its_time_once),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(what_is_no_mistake_passes),
		cmocka_unit_test(old_names_get_a_hint),
		cmocka_unit_test(networks_match_by_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
