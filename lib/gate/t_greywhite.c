/*
 * Whitelists in postgrey's formats: what each line matches, and what is wrong
 * with one that is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/greywhite.h"

static const struct {
	const char *line, *name, *ip;
	bool hit;
} clients[] = {
	{ "example.net", "example.net", "192.0.2.7", true },
	{ "example.net", "mail.EXAMPLE.net", "192.0.2.7", true },
	{ "example.net", "badexample.net", "192.0.2.7", false },
	{ "example.net", "", "192.0.2.7", false },
	{ "  example.net  # a comment", "example.net", "192.0.2.7", true },
	{ "# example.net", "example.net", "192.0.2.7", false },
	{ "", "example.net", "192.0.2.7", false },
	{ "/^mx\\d+\\.big\\./", "MX12.big.example", "192.0.2.7", true },
	{ "/^mx\\d+\\.big\\./", "mx.big.example", "192.0.2.7", false },
	{ "/.*/", "", "192.0.2.7", false },
	{ "192.0.2.7", "", "192.0.2.7", true },
	{ "192.0.2.7", "", "192.0.2.70", false },
	{ "192.0.2", "", "192.0.2.70", true },
	{ "192.0.2", "", "192.0.20.7", false },
	{ "192", "", "192.1.1.1", true },
	{ "192", "", "19.2.1.1", false },
	{ "192.0.2.0/25", "", "192.0.2.127", true },
	{ "192.0.2.0/25", "", "192.0.2.128", false },
	{ "2001:db8::/32", "", "2001:db8:7::1", true },
	{ "2001:db8::1", "", "2001:db8::2", false },
};

static const struct {
	const char *line, *address;
	bool hit;
} recipients[] = {
	{ "kim@a.example", "kim@a.example", true },
	{ "kim@a.example", "kim+tag@a.example", true },
	{ "kim@a.example", "akim@a.example", false },
	{ "kim@a.example", "kim@b.a.example", false },
	{ "postmaster@", "postmaster@any.example", true },
	{ "postmaster@", "xpostmaster@any.example", false },
	{ "a.example", "kim@a.example", true },
	{ "a.example", "kim@b.a.example", true },
	{ "a.example", "kim@ba.example", false },
	{ "a.example", "a.example", false },
	{ "/^abuse/", "ABUSE@a.example", true },
	{ "/^abuse/", "kim@a.example", false },
};

static const struct {
	const char *line, *why;
	enum greywhite_of of;
} wrong[] = {
	{ "two words", "more than one word", GREYWHITE_CLIENTS },
	{ "/(/", "of the expression", GREYWHITE_CLIENTS },
	{ "192.0.2.0/99", "neither an address nor a network",
	  GREYWHITE_CLIENTS },
	{ "what?", "does not look like a host name", GREYWHITE_CLIENTS },
	{ "/(/", "of the expression", GREYWHITE_RECIPIENTS },
	{ "two words", "more than one word", GREYWHITE_RECIPIENTS },
};

static struct greywhite *
parsed(enum greywhite_of of, const char *line, struct buf *complaints)
{
	struct greywhite *w = greywhite_new();
	struct buf text;

	buf_init(&text, 1024);
	buf_fmt(&text, "# first\n%s\n\n", line);
	greywhite_parse(w, of, "t", buf_span(&text), complaints);
	buf_fini(&text);
	return w;
}

static void
clients_match(void **state)
{
	struct buf complaints;
	struct greywhite *w;
	struct net_addr a;
	size_t i;

	(void)state;
	buf_init(&complaints, 1024);
	for (i = 0; i < ARRAY_LEN(clients); i++) {
		print_message("%s: %s[%s]\n", clients[i].line,
		    clients[i].name, clients[i].ip);
		w = parsed(GREYWHITE_CLIENTS, clients[i].line, &complaints);
		assert_int_equal(buf_len(&complaints), 0);
		assert_true(net_addr_parse(span_str(clients[i].ip), &a));
		assert_int_equal(greywhite_client(w,
		    span_str(clients[i].name), span_str(clients[i].ip), &a),
		    clients[i].hit);
		assert_false(greywhite_recipient(w,
		    SPAN_LIT("kim@a.example")));
		greywhite_free(&w);
	}
	buf_fini(&complaints);
}

static void
recipients_match(void **state)
{
	struct buf complaints;
	struct greywhite *w;
	size_t i;

	(void)state;
	buf_init(&complaints, 1024);
	for (i = 0; i < ARRAY_LEN(recipients); i++) {
		print_message("%s: %s\n", recipients[i].line,
		    recipients[i].address);
		w = parsed(GREYWHITE_RECIPIENTS, recipients[i].line,
		    &complaints);
		assert_int_equal(buf_len(&complaints), 0);
		assert_int_equal(greywhite_recipient(w,
		    span_str(recipients[i].address)), recipients[i].hit);
		greywhite_free(&w);
	}
	buf_fini(&complaints);
}

static void
what_is_wrong_is_told(void **state)
{
	struct buf complaints;
	struct greywhite *w;
	size_t i;

	(void)state;
	buf_init(&complaints, 4096);
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		print_message("%s\n", wrong[i].line);
		buf_clear(&complaints);
		w = parsed(wrong[i].of, wrong[i].line, &complaints);
		assert_true(span_starts(buf_span(&complaints), "t:2: "));
		assert_non_null(strstr(buf_cstr(&complaints), wrong[i].why));
		greywhite_free(&w);
	}
	buf_clear(&complaints);
	w = greywhite_new();
	greywhite_read(w, GREYWHITE_CLIENTS, "/nowhere/at/all", &complaints);
	assert_non_null(strstr(buf_cstr(&complaints), "can't be read"));
	greywhite_free(&w);
	buf_fini(&complaints);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_match),
		cmocka_unit_test(recipients_match),
		cmocka_unit_test(what_is_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
