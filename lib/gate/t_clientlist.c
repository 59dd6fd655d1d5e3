/* Who is on a list of clients, and which lists are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/clientlist.h"

static const struct {
	const char *list, *name, *ip;
	bool match;
} cases[] = {
	{ "", "mx.example.net", "192.0.2.7", false },
	{ "192.0.2.0/24", "unknown", "192.0.2.7", true },
	{ "192.0.2.0/24", "unknown", "192.0.3.7", false },
	{ "127.0.0.0/8, [2001:db8::]/32", NULL, "2001:db8::1", true },
	{ "2001:db8::/32", NULL, "2001:db9::1", false },
	{ "mx.example.net", "MX.Example.NET", "192.0.2.7", true },
	{ "mx.example.net", "a.mx.example.net", "192.0.2.7", false },
	{ "mx.example.net", NULL, "192.0.2.7", false },
	{ ".example.net", "mx.example.net", "192.0.2.7", true },
	{ ".example.net", "mx.badexample.net", "192.0.2.7", false },
	{ ".example.net", "example.net", "192.0.2.7", false },
	{ "unknown", "unknown", "192.0.2.7", true },
	{ "!192.0.2.7 192.0.2.0/24", "unknown", "192.0.2.7", false },
	{ "!192.0.2.7 192.0.2.0/24", "unknown", "192.0.2.8", true },
	{ "192.0.2.0/24 !192.0.2.7", "unknown", "192.0.2.7", true },
	{ "!.example.net 192.0.2.0/24", "a.example.net", "192.0.2.7", false },
	{ "inline:{ mx.example.net = x }", "mx.example.net", "192.0.2.7",
	  true },
	{ "inline:{ 192.0.2.7 = x }", NULL, "192.0.2.7", true },
	{ "inline:{ 192.0.2.7 = x }", "unknown", "192.0.2.8", false },
	{ "!inline:{ 192.0.2.7 = x } 192.0.2.0/24", NULL, "192.0.2.7",
	  false },
	{ "check_address_map inline:{ mx.example.net = x }",
	  "mx.example.net", "192.0.2.7", false },
	{ "check_address_map inline:{ 192.0.2.7 = x }", "unknown",
	  "192.0.2.7", true },
	/* a table that can't tell exempts nobody */
	{ "fail:x 192.0.2.9", "unknown", "192.0.2.7", false },
};

static void
clients_match(void **state)
{
	struct client_list *l;
	struct net_addr a;
	struct buf why;
	size_t i;

	(void)state;
	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		l = client_list_parse(cases[i].list, &why);
		assert_non_null(l);
		assert_true(net_addr_parse(span_str(cases[i].ip), &a));
		if (client_list_match(l, cases[i].name, cases[i].ip, &a) !=
		    cases[i].match)
			fail_msg("%s for %s [%s]", cases[i].list,
			    cases[i].name == NULL ? "-" : cases[i].name,
			    cases[i].ip);
		client_list_free(&l);
		assert_null(l);
		client_list_free(&l);
	}
	assert_int_equal(buf_len(&why), 0);
	buf_fini(&why);
}

static const struct {
	const char *list, *why;
} wrong[] = {
	{ "192.0.2.1, pg:list", "asks others" },
	{ "192.0.2.0/33", "\"192.0.2.0/33\" is no network" },
	{ "a.example mx$ b.example", "\"mx$\" is no network" },
	{ "192.0.2.1 hassh:/etc/x", "hassh" },
	{ "hash:/nonexistent/file", "/nonexistent/file" },
	{ "check_address_map", "wants a table" },
	{ "unionmap:{tcp:127.0.0.1:9}", "asks others" },
	{ "!", "\"\" is no network" },
};

static void
mistakes_are_named(void **state)
{
	struct buf why;
	size_t i;

	(void)state;
	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_null(client_list_parse(wrong[i].list, &why));
		if (strstr(buf_cstr(&why), wrong[i].why) == NULL)
			fail_msg("%s: %s", wrong[i].list, buf_cstr(&why));
		buf_clear(&why);
	}
	buf_fini(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_match),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
