/*
 * What is counted of an evaluation: each rule that decided, once, however
 * often it parked and was begun anew; of rules inside a rule the innermost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/gate.h"
#include "gate/testgate.h"

#define OURS	"smtpd_relay_restrictions = permit_mynetworks, " \
		"reject_unauth_destination\nsmtpd_reject_unlisted_recipient = no\n"

struct world {
	struct buf counted;	/* "list: rule argument: action\n" */
	unsigned parks;		/* so often each fact is late */
	unsigned asked;
};

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	static const struct resolution ours = { .class = RESOLVE_MAILBOX },
	    elsewhere = { .class = RESOLVE_NOT_LOCAL },
	    unknown = { .class = RESOLVE_UNKNOWN };
	struct world *w = arg;

	if (w->asked++ < w->parks)
		return false;
	f->from = &elsewhere;
	f->rcpt_domain = &ours;
	f->rcpt = span_starts(f->recipient, "no") ? &unknown : &ours;
	return true;
}

static void
count(const char *list, const char *rule, const char *argument,
    const char *action, void *arg)
{
	struct world *w = arg;

	buf_fmt(&w->counted, "%s: %s%s%s: %s\n", list, rule, argument == NULL ?
	    "" : " ", argument == NULL ? "" : argument, action);
}

static const struct gate_ops ops = { .need = need, .count = count };

static const struct {
	const char *name, *conf, *rcpt, *want;
} cases[] = {
	{ "nothing is said", OURS, "kim@a.example", "" },
	{ "a refusal", OURS "smtpd_client_restrictions = reject\n",
	  "kim@a.example", "smtpd_client_restrictions: reject: reject\n" },
	{ "permits count in each list", OURS
	  "smtpd_client_restrictions = permit\n"
	  "smtpd_sender_restrictions = permit\n", "kim@a.example",
	  "smtpd_client_restrictions: permit: permit\n"
	  "smtpd_sender_restrictions: permit: permit\n" },
	{ "with its argument", OURS "smtpd_client_restrictions = "
	  "check_client_access inline:{192.0.2.7=REJECT}\n", "kim@a.example",
	  "smtpd_client_restrictions: check_client_access "
	  "inline:{192.0.2.7=REJECT}: reject\n" },
	{ "warn_if_reject, then a fact that is late", OURS
	  "smtpd_recipient_restrictions = warn_if_reject reject, "
	  "permit_auth_destination\n", "kim@a.example",
	  "smtpd_recipient_restrictions: reject: warn\n"
	  "smtpd_recipient_restrictions: permit_auth_destination: permit\n" },
	{ "the rule inside a class", OURS "smtpd_restriction_classes = c\n"
	  "c = warn_if_reject reject, permit_auth_destination, reject\n"
	  "smtpd_recipient_restrictions = c, reject\n", "kim@a.example",
	  "smtpd_recipient_restrictions: reject: warn\n"
	  "smtpd_recipient_restrictions: permit_auth_destination: permit\n" },
	{ "the rule that a table names", OURS "smtpd_recipient_restrictions "
	  "= check_client_access "
	  "inline:{192.0.2.7=permit_auth_destination}\n", "kim@a.example",
	  "smtpd_recipient_restrictions: permit_auth_destination: permit\n" },
	{ "doubts, and what comes of them", OURS "smtpd_client_restrictions "
	  "= defer_if_permit\nsmtpd_recipient_restrictions = permit\n",
	  "kim@a.example",
	  "smtpd_client_restrictions: defer_if_permit: defer_if_permit\n"
	  "smtpd_recipient_restrictions: permit: permit\n" },
	{ "unknown recipients", "smtpd_relay_restrictions = permit_mynetworks,"
	  " reject_unauth_destination\n", "no@a.example",
	  "smtpd_reject_unlisted_recipient: reject_unlisted_recipient: "
	  "reject\n" },
};

static void
check(size_t i, unsigned parks)
{
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = "192.0.2.7", .helo = "h.example",
		.sender = SPAN_LIT("x@b.example"),
		.recipient = span_str(cases[i].rcpt) };
	struct world w = { .parks = parks };
	struct gate *g = gate_of(cases[i].conf);
	struct gate_eval e;
	unsigned turns = 0;

	assert_true(net_addr_parse(span_str(f.client_ip), &f.client));
	buf_init(&w.counted, 4096);
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &w);
	while (gate_run(&e) == GATE_PARKED)
		assert_in_range(++turns, 1, 50);
	assert_string_equal(buf_cstr(&w.counted), cases[i].want);
	gate_end(&e);
	gate_unref(&g);
	buf_fini(&w.counted);
}

static void
each_verdict_counts_once(void **state)
{
	size_t i;
	unsigned parks;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (parks = 0; parks < 4; parks++) {
			print_message("%s, late %u times\n", cases[i].name,
			    parks);
			check(i, parks);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verdict_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
