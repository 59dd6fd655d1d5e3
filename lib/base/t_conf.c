#include "base/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct buf complaints;

static int
setup(void **state)
{
	buf_init(&complaints, BUF_NO_CAP);
	return 0;
}

static int
teardown(void **state)
{
	buf_fini(&complaints);
	return 0;
}

static struct conf *
parse(const char *text)
{
	struct conf *c;

	buf_clear(&complaints);
	c = conf_parse("p.conf", span_str(text), &complaints);
	if (c == NULL)
		assert_int_not_equal(buf_len(&complaints), 0);
	else if (buf_len(&complaints) > 0)
		fail_msg("complained: %s", buf_cstr(&complaints));
	return c;
}

static struct conf *
parse_good(const char *text)
{
	struct conf *c = parse(text);

	if (c == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	return c;
}

static void
defaults_parse_and_lie_in_their_ranges(void **state)
{
	struct conf *c = parse_good("");

	assert_string_equal(c->myhostname, "localhost.localdomain");
	assert_string_equal(c->myorigin, "localhost.localdomain");
	assert_int_equal(c->message_size_limit, 50 * 1024 * 1024);
	assert_int_equal(c->smtpd_timeout, 300000);
	assert_true(c->smtpd_delay_reject);
	assert_string_equal(conf_where(c, "smtpd_timeout"), "");
	conf_unref(&c);
	assert_null(c);
	conf_unref(&c);
}

static void
every_type_reads_its_forms(void **state)
{
	struct conf *c = parse_good(
	    "# comment\n"
	    "  # an indented one\n"
	    "myhostname=mx.a.example\n"
	    "mail_name =  Post  ern \t\r\n"
	    "smtpd_workers = 3\n"
	    "message_size_limit = 20M\n"
	    "smtpd_line_length_limit = 4k\n"
	    "smtpd_timeout = 90\n"
	    "checkpoint_interval = 500ms\n"
	    "maximal_queue_lifetime = 1w\n"
	    "minimal_backoff_time = 2m\n"
	    "smtpd_helo_required = YES\n"
	    "log_level = debug\n"
	    "postscreen_dnsbl_whitelist_threshold = -2\n"
	    "\n"
	    "smtpd_recipient_restrictions =\n"
	    "    permit_mynetworks,\n"
	    "# between\n"
	    "\n"
	    "\treject_unauth_destination\n"
	    "mynetworks = 127.0.0.0/8\n");

	assert_string_equal(c->myhostname, "mx.a.example");
	assert_string_equal(c->mail_name, "Post  ern");
	assert_int_equal(c->smtpd_workers, 3);
	assert_int_equal(c->message_size_limit, 20 << 20);
	assert_int_equal(c->smtpd_line_length_limit, 4096);
	assert_int_equal(c->smtpd_timeout, 90000);
	assert_int_equal(c->checkpoint_interval, 500);
	assert_true(c->maximal_queue_lifetime == 7 * 86400 * 1000LL);
	assert_int_equal(c->minimal_backoff_time, 120000);
	assert_true(c->smtpd_helo_required);
	assert_string_equal(c->log_level, "debug");
	assert_int_equal(c->postscreen_dnsbl_allowlist_threshold, -2);
	assert_string_equal(c->mynetworks, "127.0.0.0/8");
	assert_string_equal(conf_where(c, "smtpd_workers"), "p.conf:5");
	conf_unref(&c);
}

static void
lists_come_apart_at_commas_and_space(void **state)
{
	static const char *const want[] = { "a", "b", "c", "d" };
	struct span rest = SPAN_LIT(" a,b ,\t,c\n d, "), word;
	size_t i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(conf_list_next(&rest, &word));
		assert_true(span_eq(word, span_str(want[i])));
	}
	assert_false(conf_list_next(&rest, &word));
	rest = SPAN_LIT("");
	assert_false(conf_list_next(&rest, &word));
}

static void
names_expand(void **state)
{
	struct conf *c = parse_good(
	    "\xef\xbb\xbfmyorigin = $mydomain\n"	/* with a BOM */
	    "mydomain = ${mail_name}.example\n"
	    "mail_name = a\n"
	    "smtpd_banner = $myhostname $$5 ${mydomain}x\n"
	    "myhostname = mx.$mydomain\n");

	assert_string_equal(c->myorigin, "a.example");
	assert_string_equal(c->myhostname, "mx.a.example");
	assert_string_equal(c->smtpd_banner, "mx.a.example $5 a.examplex");
	conf_unref(&c);
}

/* As postconf(5) has it; mail_name is "a", mydomain b.example, stress empty. */
static const struct {
	const char *banner, *want;
} conditions[] = {
	{ "x${stress?{10}:{300}}s", "x300s" },
	{ "x${mail_name?{10}:{300}}s", "x10s" },
	{ "x${mail_name?10}s", "x10s" },
	{ "x${stress?10}s", "xs" },
	{ "x${mail_name?{10}}s ${stress?{10}}", "x10s" },
	{ "x${stress:none}y", "xnoney" },
	{ "x${stress:{none}}y", "xnoney" },
	{ "x${mail_name:none}y", "xy" },
	{ "${mail_name?{$mail_name.$mydomain}:{z}}", "a.b.example" },
	{ "${stress?{$nosuch}:{ok}}", "ok" },
	{ "${stress ? {1} : {2}}", NULL },
	{ "${stress? {1} : {2} }", "2" },
	{ "${mail_name?{${stress?{1}:{${mail_name}2}}}:{3}}", "a2" },
	{ "${stress?{a}:{}}x", "x" },
	{ "${mail_name?{a:b}:{c?d}}", "a:b" },
	{ "${mail_name?a:b}", "a:b" },
	{ "${mail_name?{a}b}", NULL },
	{ "${mail_name?{a}:{b}c}", NULL },
	{ "${nosuch?{a}:{b}}", NULL },
	{ "${mail_name?{a}:{b}", NULL },
	{ "${mail_name?{$nosuch}}", NULL },
	{ "${mail_name?{${mail_name?{${mail_name?{${mail_name?{x}}}}}}}}",
	  "x" },
};

static void
conditions_choose(void **state)
{
	struct conf *c;
	size_t i;
	char text[200];

	for (i = 0; i < ARRAY_LEN(conditions); i++) {
		(void)snprintf(text, sizeof(text), "mail_name = a\n"
		    "mydomain = b.example\nsmtpd_banner = %s\n",
		    conditions[i].banner);
		c = parse(text);
		if ((c == NULL) != (conditions[i].want == NULL))
			fail_msg("%s", conditions[i].banner);
		if (c != NULL)
			assert_string_equal(c->smtpd_banner,
			    conditions[i].want);
		conf_unref(&c);
	}
	c = parse_good("stress = yes\nsmtpd_timeout = ${stress?{10}:{300}}s\n"
	    "smtpd_hard_error_limit = ${stress?{1}:{20}}\n");
	assert_int_equal(c->smtpd_timeout, 10000);
	assert_int_equal(c->smtpd_hard_error_limit, 1);
	conf_unref(&c);
	(void)state;
}

static void
mydomain_is_derived_also_where_it_is_named(void **state)
{
	struct conf *c = parse_good("myhostname = mx.a.example\n"
	    "myorigin = $mydomain\n");

	assert_string_equal(c->mydomain, "a.example");
	assert_string_equal(c->myorigin, "a.example");
	conf_unref(&c);
	c = parse_good("myhostname = a.example\nmyorigin = $mydomain\n");
	assert_string_equal(c->mydomain, "a.example");
	assert_string_equal(c->myorigin, "a.example");
	conf_unref(&c);
}

static void
sections_override_and_inherit(void **state)
{
	struct conf *c = parse_good(
	    "myhostname = mx.a.example\n"
	    "smtpd_timeout = 10\n"
	    "[service mx]\n"
	    "listen = 127.0.0.1:25\n"
	    "[service submission]\n"
	    "protocol = submission\n"
	    "myhostname = submit.a.example\n"
	    "smtpd_timeout = 20\n"
	    "[transport mx]\n"
	    "smtpd_timeout = 30\n");
	const struct conf *s;

	assert_int_equal(c->smtpd_timeout, 10000);
	s = conf_section(c, "service", "mx");
	assert_non_null(s);
	assert_string_equal(s->kind, "service");
	assert_string_equal(s->name, "mx");
	assert_int_equal(s->smtpd_timeout, 10000);
	assert_string_equal(s->listen, "127.0.0.1:25");
	assert_string_equal(conf_where(s, "smtpd_timeout"), "p.conf:2");
	s = conf_section(c, "service", "submission");
	assert_int_equal(s->smtpd_timeout, 20000);
	/* What is not set but refers to something follows the section. */
	assert_string_equal(s->smtpd_banner, "submit.a.example ESMTP Postern");
	assert_int_equal(conf_section(c, "transport", "mx")->smtpd_timeout,
	    30000);
	assert_null(conf_section(c, "service", "none"));
	assert_ptr_equal(conf_section_at(c, 1), s);
	assert_null(conf_section_at(c, 3));
	conf_unref(&c);
}

/* --- mistakes --- */

#define NEST	"${mail_name?${mail_name?${mail_name?${mail_name?${mail_name?"

static const struct {
	const char *text, *complaint;
} mistakes[] = {
	{ "myhostname = a\nmyhostnam = b\n",
	    "p.conf:2:1: myhostnam: unknown parameter; did you mean "
	    "myhostname?" },
	{ "smtpd_workers = many\n", "p.conf:1:17: smtpd_workers = many" },
	{ "smtpd_workers = 257\n", "0..256" },
	{ "smtpd_workers = -1\n", "p.conf:1:17:" },
	{ "postscreen_dnsbl_whitelist_threshold = 1\n", "outside the range" },
	{ "postscreen_dnsbl_whitelist_threshold = -\n", "a number is" },
	{ "postscreen_dnsbl_whitelist_threshold = --1\n", "a number is" },
	{ "smtpd_workers = 1 2\n", "p.conf:1:17:" },
	{ "smtpd_workers = 99999999999999999999\n", "p.conf:1:17:" },
	{ "message_size_limit = 9999999999999g\n", "p.conf:1:22:" },
	{ "message_size_limit = 5x\n", "a size is wanted" },
	{ "smtpd_timeout = 5 s\n", "a time is wanted" },
	{ "smtpd_timeout =\n", "a time is wanted" },
	{ "checkpoint_interval = 3s\n", "50..2000 ms" },
	{ "smtpd_helo_required = maybe\n", "yes or no" },
	{ "log_level = debgu\n", "\"debug\"" },
	{ "nonsense\n", "p.conf:1:1: \"nonsense\"" },
	{ " smtpd_timeout = 5\n", "p.conf:1:1: a continuation line" },
	{ "myorigin = $nosuch\n", "p.conf:1:12: $nosuch: unknown" },
	{ "myorigin = ${mydomain\n", "without its }" },
	{ "myorigin = ${mydomain?{$nosuch}}\n", "$nosuch: unknown" },
	{ "myorigin = ${mydomain?{a}b}\n", "\"b\" does not belong" },
	{ "mail_name = a\nmyorigin = " NEST NEST NEST NEST NEST "x"
	    "}}}}}" "}}}}}" "}}}}}" "}}}}}" "}}}}}\n",
	    "nested too deeply" },
	{ "myhostname = $mydomain\nmydomain = $myhostname\n",
	    "refers to itself" },
	{ "mail_name = a\n\nmail_name = b\n",
	    "p.conf:3:1: mail_name: already set in line 1" },
	{ "[service a]\n[service a]\n", "p.conf:2:2:" },
	{ "myhostname = mx.a.example # the first\n",
	    "p.conf:1:14: myhostname = mx.a.example # the first: a host "
	    "name is wanted" },
	{ "myhostname =\n", "a host name is wanted" },
	{ "myhostname = mx..example\n", "a host name is wanted" },
	{ "host_name_in_database = [192.0.2.1]\n", "a host name is wanted" },
	{ "spool_directory = spool\n",
	    "p.conf:1:19: spool_directory = spool: an absolute path" },
	{ "store_directory =\n", "an absolute path is wanted" },
	{ "run_directory = ./run\n", "an absolute path is wanted" },
	{ "[service]\n", "p.conf:1:2:" },
	{ "[service a b]\n", "p.conf:1:2:" },
	{ "[server a]\n", "[service NAME]" },
	{ "[service a\n", "`]' is missing" },
	{ "[service a]\nfoo = 1\n", "p.conf:2:1: foo: unknown" },
	{ "[service a]\nsmtpd_workers = x\n", "p.conf:2:17:" }
};

static void
mistakes_are_told_with_their_place(void **state)
{
	struct conf *c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(mistakes); i++) {
		c = parse(mistakes[i].text);
		if (c != NULL)
			fail_msg("parsed: %s", mistakes[i].text);
		if (strstr(buf_cstr(&complaints), mistakes[i].complaint) ==
		    NULL)
			fail_msg("%s said: %s", mistakes[i].text,
			    buf_cstr(&complaints));
	}
}

static void
all_mistakes_are_told_once(void **state)
{
	const char *text;
	unsigned lines = 0;

	assert_null(parse("foo = 1\nsmtpd_workers = x\nbar\n"
	    "[service a]\nlisten = 127.0.0.1:1\n[service b]\nbaz = 2\n"));
	for (text = buf_cstr(&complaints); *text != '\0'; text++)
		lines += *text == '\n';
	assert_int_equal(lines, 4);
}

static void
a_nul_is_refused(void **state)
{
	struct conf *c;

	c = conf_parse("p.conf", span_of("myhostname = a\0b\n", 17),
	    &complaints);
	assert_null(c);
	assert_non_null(strstr(buf_cstr(&complaints), "p.conf:1:1:"));
}

static void
an_endless_value_is_refused(void **state)
{
	struct buf text;
	struct conf *c;
	int i;

	buf_init(&text, BUF_NO_CAP);
	buf_str(&text, "mail_name = ");
	for (i = 0; i < 3000; i++)
		buf_str(&text, "0123456789");
	buf_str(&text, "\nmydomain = $mail_name$mail_name$mail_name\n"
	    "myorigin = $mydomain$mydomain$mydomain\n");
	c = conf_parse("p.conf", buf_span(&text), &complaints);
	assert_null(c);
	assert_non_null(strstr(buf_cstr(&complaints), "too long"));
	buf_fini(&text);
}

/* --- reading back, reload --- */

static void
values_read_back_as_they_print(void **state)
{
	struct conf *c = parse_good("smtpd_banner = cheap $$5 $myhostname\n"
	    "smtpd_timeout = 90\nmessage_size_limit = 1536k\n"
	    "checkpoint_interval = 1500ms\nmaximal_queue_lifetime = 0\n"
	    "myorigin = a $mydomain\n"), *again;
	const struct conf_param *p;
	struct buf one, two;
	size_t i, n;

	buf_init(&one, BUF_NO_CAP);
	buf_init(&two, BUF_NO_CAP);
	p = conf_params(&n);
	for (i = 0; i < n; i++) {
		buf_fmt(&one, "%s = ", p[i].name);
		conf_value(c, &p[i], &one);
		buf_char(&one, '\n');
	}
	again = parse_good(buf_cstr(&one));
	for (i = 0; i < n; i++) {
		buf_fmt(&two, "%s = ", p[i].name);
		conf_value(again, &p[i], &two);
		buf_char(&two, '\n');
	}
	assert_string_equal(buf_cstr(&one), buf_cstr(&two));
	assert_non_null(strstr(buf_cstr(&one), "\nsmtpd_timeout = 90s\n"));
	assert_string_equal(again->smtpd_banner,
	    "cheap $5 localhost.localdomain");
	conf_unref(&c);
	conf_unref(&again);
	buf_fini(&one);
	buf_fini(&two);
}

static void
reload_knows_what_needs_a_restart(void **state)
{
	struct conf *a = parse_good("smtpd_timeout = 5\n[service x]\n");
	struct conf *b = parse_good("smtpd_timeout = 6\n[service x]\n");
	struct conf *d = parse_good("spool_directory = /x\n[service x]\n"
	    "listen = 127.0.0.1:1\n[service y]\n");
	struct buf out;

	buf_init(&out, BUF_NO_CAP);
	conf_needs_restart(a, b, &out);
	assert_string_equal(buf_cstr(&out), "");
	conf_needs_restart(a, d, &out);
	/* what the section inherits is not told again */
	assert_int_equal(strncmp(buf_cstr(&out), "spool_directory, [x] listen",
	    27), 0);
	assert_non_null(strstr(buf_cstr(&out), "listen"));
	assert_non_null(strstr(buf_cstr(&out), "[y] added"));
	buf_fini(&out);
	conf_unref(&a);
	conf_unref(&b);
	conf_unref(&d);
}

static void
a_snapshot_lives_as_long_as_it_is_used(void **state)
{
	struct conf *c = parse_good("mail_name = x\n"), *mine = conf_ref(c);

	conf_unref(&c);
	assert_string_equal(mine->mail_name, "x");
	conf_unref(&mine);
}

static void
files_are_read_and_missing_ones_told(void **state)
{
	char name[] = "t_conf.XXXXXX";
	int fd = mkstemp(name);
	struct conf *c;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "mail_name = f\n", 14), 14);
	close(fd);
	c = conf_read(name, &complaints);
	assert_non_null(c);
	assert_string_equal(c->mail_name, "f");
	conf_unref(&c);
	unlink(name);
	c = conf_read(name, &complaints);
	assert_null(c);
	assert_non_null(strstr(buf_cstr(&complaints), "No such file"));
	assert_non_null(strstr(buf_cstr(&complaints), name));
}

static void
the_manual_names_every_parameter(void **state)
{
	const struct conf_param *p;
	struct buf out;
	size_t i, n;

	buf_init(&out, BUF_NO_CAP);
	conf_print_man(&out);
	p = conf_params(&n);
	assert_in_range(n, 50, 1000);
	for (i = 0; i < n; i++) {
		assert_non_null(strstr(buf_cstr(&out), p[i].name));
		assert_true(p[i].help[0] != '\0');
		assert_ptr_equal(conf_param_find(span_str(p[i].name)), &p[i]);
	}
	assert_null(conf_param_find(SPAN_LIT("myhostnam")));
	buf_fini(&out);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(defaults_parse_and_lie_in_their_ranges),
		T(every_type_reads_its_forms),
		T(lists_come_apart_at_commas_and_space),
		T(names_expand),
		T(conditions_choose),
		T(mydomain_is_derived_also_where_it_is_named),
		T(sections_override_and_inherit),
		T(mistakes_are_told_with_their_place),
		T(all_mistakes_are_told_once),
		T(a_nul_is_refused),
		T(an_endless_value_is_refused),
		T(values_read_back_as_they_print),
		T(reload_knows_what_needs_a_restart),
		T(a_snapshot_lives_as_long_as_it_is_used),
		T(files_are_read_and_missing_ones_told),
		T(the_manual_names_every_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
