/* How a listener talks: what is taken, and every mistake named with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/manners.h"

static struct manners *
manners_of(const char *text, struct buf *complaints)
{
	struct conf *conf;
	struct manners *m;

	conf = conf_parse("test.conf", span_str(text), complaints);
	assert_non_null(conf);
	m = manners_new(conf, complaints);
	conf_unref(&conf);
	return m;
}

static const struct {
	const char *conf, *complaint;
} mistakes[] = {
	{ "smtpd_authorized_xforward_hosts = 192.0.2.0/24, everybody\n",
	  "test.conf:1: smtpd_authorized_xforward_hosts: \"everybody\" is no "
	  "network\n" },
	{ "\nsmtpd_upstream_proxy_protocol = haproxy\n",
	  "test.conf:2: smtpd_upstream_proxy_protocol: "
	  "smtpd_upstream_proxy_hosts is empty" },
	{ "smtpd_forbidden_commands = nosuch:x\n",
	  "test.conf:1: smtpd_forbidden_commands: " },
	{ "smtpd_noop_commands = X, pg:list\n",
	  "test.conf:1: smtpd_noop_commands: pg:list asks others" },
	{ "smtpd_command_filter = word\n",
	  "test.conf:1: smtpd_command_filter: " },
	{ "smtpd_discard_ehlo_keywords = dsn, chunky\n",
	  "test.conf:1: smtpd_discard_ehlo_keywords: \"chunky\" is no EHLO "
	  "keyword\n" },
	{ "smtpd_reject_footer = see ${server_name\n",
	  "test.conf:1: smtpd_reject_footer: malformed" },
	{ "smtpd_reject_footer = $nobody\n",
	  "test.conf:1: smtpd_reject_footer: malformed" },
	{ "smtpd_reject_footer_maps = word\n",
	  "test.conf:1: smtpd_reject_footer_maps: " },
};

static void
mistakes_are_named(void **state)
{
	struct buf complaints;
	struct manners *m;
	size_t i;

	(void)state;
	buf_init(&complaints, 65536);
	for (i = 0; i < ARRAY_LEN(mistakes); i++) {
		buf_clear(&complaints);
		m = manners_of(mistakes[i].conf, &complaints);
		assert_null(m);
		if (!span_starts(buf_span(&complaints),
		    mistakes[i].complaint))
			fail_msg("%s: %s", mistakes[i].conf,
			    buf_cstr(&complaints));
	}
	buf_fini(&complaints);
}

static void
the_default_is_fine_and_trusts_nobody(void **state)
{
	struct net_addr local;
	struct buf complaints;
	struct manners *m;

	(void)state;
	buf_init(&complaints, 65536);
	m = manners_of("", &complaints);
	assert_non_null(m);
	assert_true(net_addr_parse(SPAN_LIT("127.0.0.1"), &local));
	assert_false(m->proxied);
	assert_false(netlist_match(m->proxies, &local));
	assert_false(netlist_match(m->xclients, &local));
	assert_false(netlist_match(m->xforwards, &local));
	assert_true(matchlist_has(m->forbidden, SPAN_LIT("post")));
	assert_true(matchlist_has(m->forbidden, SPAN_LIT("{")));
	assert_false(matchlist_has(m->forbidden, SPAN_LIT("FOO")));
	assert_true(matchlist_empty(m->filter));
	assert_int_equal(m->ehlo_discard, 0);
	assert_false(m->has_footer);
	manners_free(&m);
	buf_fini(&complaints);
}

static void
lists_have_words_and_tables(void **state)
{
	struct buf complaints, value;
	struct manners *m;

	(void)state;
	buf_init(&complaints, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	m = manners_of("smtpd_noop_commands = A, inline:{ b = x }, C, fail:f\n"
	    "smtpd_forbidden_commands = B\nsmtpd_command_filter = static:Z\n"
	    "smtpd_discard_ehlo_keywords = DSN,silent-discard\n", &complaints);
	assert_non_null(m);
	assert_int_equal(matchlist_find(m->noops, SPAN_LIT("a"), &value),
	    TABLE_FOUND);
	assert_int_equal(matchlist_find(m->noops, SPAN_LIT("B"), &value),
	    TABLE_FOUND);
	assert_string_equal(buf_cstr(&value), "Ax");
	assert_int_equal(matchlist_find(m->noops, SPAN_LIT("c"), &value),
	    TABLE_FOUND);
	assert_int_equal(matchlist_find(m->noops, SPAN_LIT("d"), &value),
	    TABLE_TEMPFAIL);
	assert_false(matchlist_has(m->noops, SPAN_LIT("d")));
	assert_int_equal(m->ehlo_discard, EHLO_BIT(EHLO_DSN) | EHLO_SILENT);
	manners_free(&m);
	buf_fini(&complaints);
	buf_fini(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(the_default_is_fine_and_trusts_nobody),
		cmocka_unit_test(lists_have_words_and_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
