/* Which word of an access list by address decides, and which lists are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/log.h"
#include "gate/iplist.h"

#define CONF	"mynetworks = 10.0.0.0/24 [2001:db8::]/32\n"

static const struct {
	const char *list, *ip;
	enum iplist_verdict verdict;
	const char *by;
} cases[] = {
	{ "", "192.0.2.7", IPLIST_DUNNO, "" },
	{ "permit_mynetworks", "10.0.0.9", IPLIST_PERMIT,
	  "permit_mynetworks" },
	{ "permit_mynetworks", "2001:db8::9", IPLIST_PERMIT,
	  "permit_mynetworks" },
	{ "permit_mynetworks", "192.0.2.7", IPLIST_DUNNO, "" },
	{ "permit_mynetworks, reject", "192.0.2.7", IPLIST_REJECT,
	  "reject" },
	{ "PERMIT reject", "192.0.2.7", IPLIST_PERMIT, "PERMIT" },
	{ "dunno reject", "192.0.2.7", IPLIST_DUNNO, "dunno" },
	{ "static:reject", "192.0.2.7", IPLIST_REJECT, "static:reject" },
	{ "static:dunno reject", "192.0.2.7", IPLIST_REJECT, "reject" },
	{ "cidr:{{192.0.2.0/25 permit} {192.0.2.0/24 reject}}", "192.0.2.7",
	  IPLIST_PERMIT,
	  "cidr:{{192.0.2.0/25 permit} {192.0.2.0/24 reject}}" },
	{ "cidr:{{192.0.2.0/25 permit} {192.0.2.0/24 reject}}",
	  "192.0.2.200", IPLIST_REJECT,
	  "cidr:{{192.0.2.0/25 permit} {192.0.2.0/24 reject}}" },
	{ "cidr:{{2001:db8::/32 reject}} permit", "2001:db8::1",
	  IPLIST_REJECT, "cidr:{{2001:db8::/32 reject}}" },
	{ "inline:{ 192.0.2.7 = reject } permit", "192.0.2.8",
	  IPLIST_PERMIT, "permit" },
	/* a table's value is a list, too */
	{ "static:{permit_mynetworks reject}", "10.0.0.1", IPLIST_PERMIT,
	  "static:{permit_mynetworks reject}" },
	{ "static:{permit_mynetworks reject}", "10.0.1.1", IPLIST_REJECT,
	  "static:{permit_mynetworks reject}" },
	/* what can't be told, or is no word, decides nothing */
	{ "fail:x reject", "192.0.2.7", IPLIST_REJECT, "reject" },
	{ "static:perhaps reject", "192.0.2.7", IPLIST_REJECT, "reject" },
};

static struct conf *
conf_of(void)
{
	struct buf complaints;
	struct conf *c;

	buf_init(&complaints, 1024);
	c = conf_parse("t.conf", span_str(CONF), &complaints);
	assert_non_null(c);
	buf_fini(&complaints);
	return c;
}

static void
the_first_word_that_fires_decides(void **state)
{
	struct conf *conf = conf_of();
	struct buf complaints;
	enum iplist_verdict v;
	struct iplist *l;
	struct net_addr a;
	const char *by;
	size_t i;

	(void)state;
	buf_init(&complaints, 4096);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		l = iplist_new(conf, "p", cases[i].list, &complaints);
		assert_string_equal(buf_cstr(&complaints), "");
		assert_true(net_addr_parse(span_str(cases[i].ip), &a));
		v = iplist_find(l, cases[i].ip, &a, &by);
		if (v != cases[i].verdict || strcmp(by, cases[i].by) != 0)
			fail_msg("\"%s\" for %s: %d by \"%s\"",
			    cases[i].list, cases[i].ip, (int)v, by);
		iplist_free(&l);
	}
	buf_fini(&complaints);
	conf_unref(&conf);
}

static void
mistakes_are_told(void **state)
{
	static const struct {
		const char *list, *says;
	} bad[] = {
		{ "permit_mynetwork", "is none of permit_mynetworks" },
		{ "192.0.2.0/24", "is none of permit_mynetworks" },
		{ "cider:/etc/a", "cider" },
		{ "tcp:127.0.0.1:1", "asks others" },
		{ "permit hash:/does/not/exist", "/does/not/exist" },
	};
	struct conf *conf = conf_of();
	struct buf complaints;
	struct iplist *l;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		buf_init(&complaints, 4096);
		l = iplist_new(conf, "p", bad[i].list, &complaints);
		if (strstr(buf_cstr(&complaints), bad[i].says) == NULL)
			fail_msg("\"%s\": %s", bad[i].list,
			    buf_cstr(&complaints));
		iplist_free(&l);
		buf_fini(&complaints);
	}
	conf_unref(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_word_that_fires_decides),
		cmocka_unit_test(mistakes_are_told),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
