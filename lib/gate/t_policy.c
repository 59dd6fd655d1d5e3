/*
 * check_policy_service: the fake service answers what the policy_context of
 * its rule says. With the answer at once and late the verdict must be the
 * same, and nobody is asked before its turn. Then what a service is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gate/gate.h"
#include "gate/testgate.h"
#include "gate/policy_facts.h"

#define OURS	"smtpd_relay_restrictions = permit_mynetworks reject\n" \
		"smtpd_reject_unlisted_recipient = no\n" \
		"mynetworks = 127.0.0.1\n"
#define ASK(says)	"check_policy_service { inet:127.0.0.1:1, " \
			"{ policy_context = " says " } }"
#define RCPT(list)	OURS "smtpd_recipient_restrictions = " list "\n"

#define SERVICES_MAX	8

struct asker {
	bool late;
	bool dns_late;
	unsigned asks;			/* of policy services */
	unsigned dns_asks;
	struct policy_spec *asked[SERVICES_MAX];
	char noted[256];
};

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	static const struct resolution ours = { .class = RESOLVE_MAILBOX };
	static const struct resolution not = { .class = RESOLVE_NOT_LOCAL };

	f->rcpt_domain = f->rcpt = &ours;
	f->from = &not;
	return true;
}

static const struct dns_answer *
dns(const char *name, enum dns_type type, void *arg)
{
	static const struct dns_answer none = { .result = DNS_NXDOMAIN };
	struct asker *a = arg;

	a->dns_asks++;
	return a->dns_late ? NULL : &none;
}

static const char *
policy(struct policy_spec *spec, void *arg)
{
	struct asker *a = arg;
	size_t i;

	for (i = 0; i < SERVICES_MAX && a->asked[i] != NULL; i++)
		if (a->asked[i] == spec)
			return spec->policy_context;
	assert_true(i < SERVICES_MAX);
	a->asked[i] = spec;
	a->asks++;
	return a->late ? NULL : spec->policy_context;
}

static void
note(const char *what, const char *text, void *arg)
{
	struct asker *a = arg;

	(void)snprintf(a->noted, sizeof(a->noted), "%s: %s", what, text);
}

static const struct gate_ops ops = { .need = need, .dns = dns,
	.policy = policy, .note = note };
static const struct gate_ops no_ops = { .need = need, .dns = dns };

static const struct {
	const char *name, *conf;
	enum gate_result want;
	const char *reply;
	unsigned asks;
} cases[] = {
#define TO	"<kim@a.example>: Recipient address rejected: "
	{ "DUNNO goes on", RCPT(ASK("DUNNO") " reject"), GATE_REJECT,
	  "554 5.7.1 " TO "Access denied", 1 },
	{ "OK ends the list", RCPT(ASK("OK") " reject"), GATE_PERMIT, "", 1 },
	{ "REJECT", RCPT(ASK("REJECT go away")), GATE_REJECT,
	  "554 5.7.1 " TO "go away", 1 },
	{ "codes", RCPT(ASK("450 4.2.0 later")), GATE_DEFER,
	  "450 4.2.0 " TO "later", 1 },
	{ "defer_if_permit", RCPT(ASK("DEFER_IF_PERMIT later") " permit"),
	  GATE_DEFER, "450 4.7.1 " TO "later", 1 },
	{ "defer_if_permit and a reject",
	  RCPT(ASK("DEFER_IF_PERMIT later") " reject"), GATE_REJECT,
	  "554 5.7.1 " TO "Access denied", 1 },
	{ "an empty action", RCPT(ASK("") " reject"), GATE_REJECT,
	  "554 5.7.1 " TO "Access denied", 1 },
	{ "nonsense", RCPT(ASK("FOO BAR") " permit"), GATE_DEFER,
	  "451 4.3.5 Server configuration error", 1 },
	{ "nonsense behind warn_if_reject",
	  RCPT("warn_if_reject " ASK("FOO")), GATE_DEFER,
	  "451 4.3.5 Server configuration error", 1 },
	{ "warn_if_reject", RCPT("warn_if_reject " ASK("REJECT")),
	  GATE_PERMIT, "", 1 },
	{ "a class", RCPT("strict") "smtpd_restriction_classes = strict\n"
	  "strict = " ASK("REJECT in a class") "\n", GATE_REJECT,
	  "554 5.7.1 " TO "in a class", 1 },
	{ "a class as the answer", RCPT(ASK("strict"))
	  "smtpd_restriction_classes = strict\nstrict = reject\n",
	  GATE_REJECT, "554 5.7.1 " TO "Access denied", 1 },
	{ "the subject is the list's", OURS "smtpd_client_restrictions = "
	  ASK("REJECT") "\n", GATE_REJECT, "554 5.7.1 <unknown[127.0.0.1]>: "
	  "Client host rejected: Access denied", 1 },
	{ "a table that names one that is opened", RCPT("check_sender_access "
	  "inline:{ { s.example = check_policy_service inet:127.0.0.1:1 } } "
	  "check_policy_service inet:127.0.0.1:1 reject")
	  "smtpd_policy_service_policy_context = REJECT asked\n", GATE_REJECT,
	  "554 5.7.1 " TO "asked", 1 },
	{ "a table that names an unknown one", RCPT("check_sender_access "
	  "inline:{ { s.example = check_policy_service inet:127.0.0.1:9 } }"),
	  GATE_DEFER, "451 4.3.5 Server configuration error", 0 },
	{ "one service in two lists is asked once",
	  RCPT(ASK("DUNNO")) "smtpd_sender_restrictions = " ASK("DUNNO")
	  "\n", GATE_PERMIT, "", 1 },
	{ "two contexts are two questions",
	  RCPT(ASK("DUNNO") " " ASK("permit")), GATE_PERMIT, "", 2 },
	{ "not asked behind a permit", RCPT("permit_mynetworks "
	  ASK("REJECT")), GATE_PERMIT, "", 0 },
#undef TO
};

static struct gate_facts
facts(void)
{
	struct gate_facts f = {
		.where = "RCPT", .client_name = "unknown",
		.client_ip = "127.0.0.1", .client_port = "4711",
		.server_ip = "127.0.0.2", .server_port = "25",
		.helo = "h.example", .sender = SPAN_LIT("s@s.example"),
		.recipient = SPAN_LIT("kim@a.example"), .queue_id = "",
	};

	assert_true(net_addr_parse(span_str(f.client_ip), &f.client));
	return f;
}

static enum gate_result
run(struct gate_eval *e, struct asker *a)
{
	enum gate_result r;
	int i;

	for (i = 0; i < 10 && (r = gate_run(e)) == GATE_PARKED; i++)
		a->dns_late = false;
	return r;
}

static void
answers_decide(void **state)
{
	size_t i;
	int late;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (late = 0; late < 2; late++) {
			struct gate *g = gate_of(cases[i].conf);
			struct gate_facts f = facts();
			struct asker a = { .late = late };
			struct gate_eval e;

			print_message("%s%s\n", cases[i].name,
			    late ? ", late" : "");
			gate_begin(&e, g, gate_stages_at(g, GATE_AT_RCPT), &f,
			    &ops, &a);
			assert_int_equal(run(&e, &a), cases[i].want);
			if (cases[i].want != GATE_PERMIT)
				assert_string_equal(e.reply, cases[i].reply);
			assert_int_equal(a.asks, cases[i].asks);
			gate_end(&e);
			gate_unref(&g);
		}
}

/* While the DNS is slow the rules behind it may ask, but no service: a rate
 * or a quota would count a client that another rule refuses. */
static void
never_before_its_turn(void **state)
{
	static const char *const confs[] = {
		RCPT("reject_unknown_sender_domain " ASK("OK")),
		RCPT("reject_unknown_sender_domain strict")
		    "smtpd_restriction_classes = strict\nstrict = "
		    ASK("OK") "\n",
	};
	struct gate_eval e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(confs); i++) {
		struct gate *g = gate_of(confs[i]);
		struct asker a = { .dns_late = true };
		struct gate_facts f = facts();

		gate_begin(&e, g, gate_stages_at(g, GATE_AT_RCPT), &f, &ops,
		    &a);
		assert_int_equal(gate_run(&e), GATE_PARKED);
		assert_true(a.dns_asks > 0);
		assert_int_equal(a.asks, 0);
		assert_int_equal(run(&e, &a), GATE_DEFER);
		assert_int_equal(a.asks, 0);
		gate_end(&e);
		gate_unref(&g);
	}
}

/* Who can't be asked at all has said its default action. */
static void
nobody_to_ask(void **state)
{
	struct gate *g = gate_of(RCPT(ASK("OK") " permit"));
	struct gate_facts f = facts();
	struct gate_eval e;

	gate_begin(&e, g, gate_stages_at(g, GATE_AT_RCPT), &f, &no_ops, NULL);
	assert_int_equal(gate_run(&e), GATE_DEFER);
	assert_string_equal(e.reply, "451 4.3.5 <kim@a.example>: Recipient "
	    "address rejected: Server configuration problem");
	gate_end(&e);
	gate_unref(&g);
}

static void
services_of_a_gate(void **state)
{
	struct gate *g = gate_of(RCPT(ASK("DUNNO") " " ASK("DUNNO")
	    " check_policy_service unix:/run/p"));

	assert_string_equal(gate_policy(g, 0)->name, "127.0.0.1:1");
	assert_string_equal(gate_policy(g, 1)->name, "/run/p");
	assert_null(gate_policy(g, 2));
	gate_unref(&g);
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *list, *says;
	} mistakes[] = {
		{ "check_policy_service", "\"check_policy_service\" needs an "
		  "argument" },
		{ "check_policy_service nowhere", "t.conf:4: smtpd_recipient_"
		  "restrictions: check_policy_service: nowhere: host:port" },
		{ "check_policy_service { inet:127.0.0.1:1, "
		  "default_action=DUNO }", "default_action: unknown "
		  "restriction \"DUNO\"" },
		{ "check_policy_service { inet:127.0.0.1:1, tiemout=3 }",
		  "did you mean timeout?" },
	};
	struct buf complaints;
	struct conf *conf;
	char text[512];
	size_t i;

	buf_init(&complaints, 65536);
	for (i = 0; i < ARRAY_LEN(mistakes); i++) {
		(void)snprintf(text, sizeof(text), "%ssmtpd_recipient_"
		    "restrictions = %s\n", OURS, mistakes[i].list);
		conf = conf_parse("t.conf", span_str(text), &complaints);
		assert_non_null(conf);
		assert_null(gate_new(conf, &complaints));
		if (strstr(buf_cstr(&complaints), mistakes[i].says) == NULL)
			fail_msg("%s", buf_cstr(&complaints));
		buf_clear(&complaints);
		conf_unref(&conf);
	}
	buf_fini(&complaints);
}

/* --- what it is told --- */

static const char *
told(const struct gate_facts *f, struct buf *out)
{
	struct gate *g = gate_of(RCPT("check_policy_service "
	    "inet:127.0.0.1:1"));

	buf_init(out, POLICY_REQUEST_MAX);
	policy_facts_write(f, gate_policy(g, 0), out);
	gate_unref(&g);
	return buf_cstr(out);
}

static void
has(const struct gate_facts *f, const char *line)
{
	struct buf out;
	char want[256];

	(void)snprintf(want, sizeof(want), "\n%s\n", line);
	if (strstr(told(f, &out), want) == NULL)
		fail_msg("no %s in %s", line, buf_cstr(&out));
	buf_fini(&out);
}

static void
recipients_are_counted_from_DATA_on(void **state)
{
	static const char *const from_data[] = { "DATA", "BDAT",
		"END-OF-MESSAGE" };
	struct gate_facts f = facts();
	size_t i;

	f.n_recipients = 1;
	f.sole_recipient = SPAN_LIT("lee@a.example");
	has(&f, "recipient=kim@a.example");
	has(&f, "recipient_count=0");
	has(&f, "stress=");
	f.stress = true;
	has(&f, "stress=yes");
	for (i = 0; i < ARRAY_LEN(from_data); i++) {
		f.where = from_data[i];
		f.n_recipients = 1;
		f.sole_recipient = SPAN_LIT("lee@a.example");
		has(&f, "recipient=lee@a.example");
		has(&f, "recipient_count=1");
		f.n_recipients = 2;
		f.sole_recipient = SPAN_NONE;
		has(&f, "recipient=");
		has(&f, "recipient_count=2");
	}
	f.where = "BDAT";
	has(&f, "protocol_state=DATA");
}

static void
instance_begins_with_the_message(void **state)
{
	struct gate_facts f = facts();
	char want[64];

	has(&f, "instance=");
	f.message_us = 0x65000000LL * 1000000 + 0xabc;
	f.message_no = 17;
	(void)snprintf(want, sizeof(want), "instance=%x.65000000.abc.11",
	    (unsigned)getpid());
	has(&f, want);
}

/* Anyone can write a name into a certificate. */
static void
names_of_untrusted_certificates_are_not_told(void **state)
{
	struct gate_facts f = facts();

	f.tls_protocol = "TLSv1.3";
	f.tls_cipher = "TLS_AES_256_GCM_SHA384";
	f.tls_bits = 256;
	f.ccert_subject = "mx.example";
	f.ccert_issuer = "A CA";
	f.ccert_fingerprint = "AA:BB";
	has(&f, "ccert_subject=");
	has(&f, "ccert_issuer=");
	has(&f, "ccert_fingerprint=AA:BB");
	has(&f, "encryption_keysize=256");
	f.ccert_trusted = true;
	has(&f, "ccert_subject=mx.example");
	has(&f, "ccert_issuer=A+20CA");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_decide),
		cmocka_unit_test(never_before_its_turn),
		cmocka_unit_test(nobody_to_ask),
		cmocka_unit_test(services_of_a_gate),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(recipients_are_counted_from_DATA_on),
		cmocka_unit_test(instance_begins_with_the_message),
		cmocka_unit_test(
		    names_of_untrusted_certificates_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
