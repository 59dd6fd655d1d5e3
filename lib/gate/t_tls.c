/*
 * Restrictions about who the client has proved to be: certificates, logins,
 * addresses of our own; and those of ETRN. Tables answer at once and a turn
 * late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/log.h"
#include "gate/gate.h"

#define OURS	"smtpd_relay_restrictions = reject_unauth_destination\n" \
		"smtpd_reject_unlisted_recipient = no\n"
#define LIST(l)	OURS "smtpd_client_restrictions = " l "\n"
#define ETRN(l)	OURS "smtpd_etrn_restrictions = " l "\n"
#define FP	"AB:CD"
#define KEY	"12:34"

struct asker {
	bool late;
	struct table *asked[8];
	size_t n;
};

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	static struct resolution none = { .class = RESOLVE_NOT_LOCAL };

	f->rcpt_domain = f->rcpt = f->from = &none;
	return true;
}

/* Each table's first question is answered when it is asked again. */
static enum table_result
table(struct table *t, struct span key, struct buf *out, struct err *err,
    void *arg)
{
	struct asker *a = arg;
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->asked[i] == t)
			break;
	if (a->late && i == a->n) {
		assert_true(a->n < ARRAY_LEN(a->asked));
		a->asked[a->n++] = t;
		return TABLE_PARKED;
	}
	return table_look_up(t, key, out, err);
}

static const struct gate_ops ops = { .need = need, .table = table };

enum { NO_CERT = 1, TRUSTED = 2, LOGIN = 4, OWN = 8 };

static const struct {
	const char *conf;
	unsigned who;
	enum gate_result want;
	const char *reply;
} cases[] = {
	{ LIST("permit_tls_all_clientcerts reject"), TRUSTED, GATE_PERMIT,
	  "" },
	{ LIST("permit_tls_all_clientcerts reject"), 0, GATE_REJECT,
	  "554 5.7.1 <c.example[192.0.2.7]>: Client host rejected: "
	  "Access denied" },
	{ LIST("permit_tls_all_clientcerts reject"), NO_CERT, GATE_REJECT,
	  NULL },
	{ LIST("permit_tls_clientcerts reject"), TRUSTED, GATE_REJECT, NULL },
	{ LIST("permit_tls_clientcerts reject")
	  "relay_clientcerts = inline:{ ab:cd = x }\n", 0, GATE_PERMIT, "" },
	{ LIST("permit_tls_clientcerts reject")
	  "relay_clientcerts = inline:{ 12:34 = x }\n", 0, GATE_PERMIT, "" },
	{ LIST("permit_tls_clientcerts reject") "relay_clientcerts = "
	  "inline:{ 99:99 = x }, inline:{ 12:34 = x }\n", 0, GATE_PERMIT,
	  "" },
	{ LIST("permit_tls_clientcerts reject")
	  "relay_clientcerts = inline:{ 99:99 = x }\n", TRUSTED, GATE_REJECT,
	  NULL },
	{ LIST("permit_tls_clientcerts reject")
	  "relay_clientcerts = static:x\n", NO_CERT, GATE_REJECT, NULL },
	{ LIST("permit_tls_clientcerts") "relay_clientcerts = fail:x\n", 0,
	  GATE_DEFER, "451 4.3.5 Server configuration error" },
	{ LIST("check_ccert_access inline:{ {" FP " = REJECT go away} }"), 0,
	  GATE_REJECT, "554 5.7.1 <kim>: Client certificate rejected: "
	  "go away" },
	{ LIST("check_ccert_access inline:{ " KEY " = REJECT }"), 0,
	  GATE_REJECT, "554 5.7.1 <kim>: Client certificate rejected: "
	  "Access denied" },
	/* what says DUNNO of the certificate lets its key speak */
	{ LIST("check_ccert_access inline:{ " KEY " = REJECT, " FP
	  " = DUNNO }"), 0, GATE_REJECT, NULL },
	{ LIST("check_ccert_access inline:{ " KEY " = REJECT, " FP
	  " = OK }"), 0, GATE_PERMIT, "" },
	{ LIST("check_ccert_access { inline:{ " KEY " = REJECT, " FP
	  " = DUNNO }, { search_order = pubkey_fingerprint } }"), 0,
	  GATE_REJECT, NULL },
	{ LIST("check_ccert_access { inline:{ {kim = 450 not now} }, "
	  "{ search_order = issuer_cn subject_cn } }"), 0, GATE_DEFER,
	  "450 4.7.1 <kim>: Client certificate rejected: not now" },
	{ LIST("check_ccert_access { static:REJECT }"), 0, GATE_REJECT,
	  NULL },
	{ LIST("check_ccert_access static:REJECT"), NO_CERT, GATE_PERMIT,
	  "" },
	{ LIST("check_ccert_access fail:x"), 0, GATE_DEFER,
	  "451 4.3.5 <kim>: Client certificate rejected: Server configuration error" },
	{ LIST("check_sasl_access inline:{ {kim@a.example = REJECT no} }"),
	  LOGIN, GATE_REJECT,
	  "554 5.7.1 <kim@a.example>: SASL login name rejected: no" },
	{ LIST("check_sasl_access inline:{ a.example = REJECT }"), LOGIN,
	  GATE_PERMIT, "" },
	{ LIST("check_sasl_access static:REJECT"), 0, GATE_PERMIT, "" },
	{ LIST("permit_inet_interfaces reject"), OWN, GATE_PERMIT, "" },
	{ LIST("permit_inet_interfaces reject"), 0, GATE_REJECT, NULL },
	{ LIST("permit_inet_interfaces reject")
	  "proxy_interfaces = 192.0.2.7\n", 0, GATE_PERMIT, "" },
	{ ETRN("check_etrn_access inline:{ b.example = REJECT }"), 0,
	  GATE_REJECT, "554 5.7.1 <sub.b.example>: Etrn command rejected: "
	  "Access denied" },
	{ ETRN("inline:{ b.example = OK } reject"), 0, GATE_PERMIT, "" },
	{ ETRN("permit_mynetworks reject"), 0, GATE_REJECT,
	  "554 5.7.1 <sub.b.example>: Etrn command rejected: "
	  "Access denied" },
	{ ETRN("permit_mynetworks reject"), OWN, GATE_PERMIT, "" },
};

static struct gate *
gate_of(const char *text, struct buf *complaints)
{
	struct conf *conf;
	struct gate *g;

	conf = conf_parse("test.conf", span_str(text), complaints);
	assert_non_null(conf);
	g = gate_new(conf, complaints);
	conf_unref(&conf);
	return g;
}

static void
run(size_t i, bool late)
{
	struct asker asker = { .late = late };
	struct gate_facts f = { .client_name = "c.example",
		.client_ip = cases[i].who & OWN ? "127.0.0.1" : "192.0.2.7",
		.helo = "h.example", .etrn = SPAN_LIT("sub.b.example") };
	struct gate_eval e;
	enum gate_result r;
	struct buf complaints;
	struct gate *g;
	int turns = 0;

	buf_init(&complaints, 65536);
	g = gate_of(cases[i].conf, &complaints);
	if (g == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	assert_true(net_addr_parse(span_str(f.client_ip), &f.client));
	if (!(cases[i].who & NO_CERT)) {
		f.ccert_fingerprint = FP;
		f.ccert_pubkey_fingerprint = KEY;
		f.ccert_subject = "kim";
		f.ccert_issuer = "";
		f.ccert_trusted = cases[i].who & TRUSTED;
	}
	f.authenticated = cases[i].who & LOGIN;
	f.user = f.authenticated ? "kim@a.example" : NULL;
	gate_begin(&e, g, 1u << GATE_CLIENT | 1u << GATE_ETRN, &f, &ops,
	    &asker);
	while ((r = gate_run(&e)) == GATE_PARKED)
		assert_true(turns++ < 10);
	if (r != cases[i].want)
		fail_msg("%s: %d, %s", cases[i].conf, r, e.reply);
	if (cases[i].reply != NULL && r != GATE_PERMIT)
		assert_string_equal(e.reply, cases[i].reply);
	gate_end(&e);
	gate_unref(&g);
	buf_fini(&complaints);
}

static void
verdicts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		run(i, false);
		run(i, true);
	}
}

static const struct {
	const char *conf, *complaint;
} mistakes[] = {
	{ LIST("check_ccert_access"), "needs an argument" },
	{ LIST("check_ccert_access { }"), "names no table" },
	{ LIST("check_ccert_access { static:OK, search_order }"),
	  "{ search_order = ... } is wanted" },
	{ LIST("check_ccert_access { static:OK, { order = issuer_cn } }"),
	  "{ search_order = ... } is wanted" },
	{ LIST("check_ccert_access { static:OK, { search_order = } }"),
	  "nothing to search for" },
	{ LIST("check_ccert_access { static:OK, { search_order = issuer } }"),
	  "\"issuer\" is unknown" },
	{ LIST("check_ccert_access { static:OK, { search_order = issuer_cn, "
	  "issuer_cn } }"), "\"issuer_cn\" is there twice" },
	{ LIST("check_ccert_access { nosuch:OK }"), "nosuch" },
	{ LIST("permit_tls_clientcerts") "relay_clientcerts = nosuch:x\n",
	  "relay_clientcerts: " },
	{ LIST("check_etrn_access static:OK"), "can't be used here" },
	{ ETRN("reject_unauth_destination"), "can't be used here" },
};

static void
mistakes_are_named(void **state)
{
	struct buf complaints;
	struct gate *g;
	size_t i;

	(void)state;
	buf_init(&complaints, 65536);
	for (i = 0; i < ARRAY_LEN(mistakes); i++) {
		buf_clear(&complaints);
		g = gate_of(mistakes[i].conf, &complaints);
		assert_null(g);
		if (strstr(buf_cstr(&complaints), mistakes[i].complaint) ==
		    NULL)
			fail_msg("%s: %s", mistakes[i].conf,
			    buf_cstr(&complaints));
	}
	buf_fini(&complaints);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(mistakes_are_named),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
