/*
 * Address tables. Each case is parsed from an exactly sized allocation (so
 * that a sanitizer sees any byte read past the end), and every shorter
 * prefix of it too, which must never crash and never read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mail/address.h"

#define U	ADDRESS_UTF8
#define N	ADDRESS_NULL
#define D	ADDRESS_NO_DOMAIN
#define L	ADDRESS_LOOSE

static const struct {
	const char *name, *in;
	unsigned flags;
	int rc;
	const char *normal, *rest;
} paths[] = {
	{ "plain", "<a@b.example>", 0, 0, "a@b.example", "" },
	{ "folded", "<Kim.Lee@B.Example>", 0, 0, "kim.lee@b.example", "" },
	{ "params kept", "<a@b.example> SIZE=3", 0, 0, "a@b.example",
	  " SIZE=3" },
	{ "null sender", "<>", N, 0, "", "" },
	{ "null recipient", "<>", 0, PS_ESYNTAX, NULL, NULL },
	{ "postmaster", "<Postmaster>", D, 0, "postmaster", "" },
	{ "no domain", "<kim>", 0, PS_ESYNTAX, NULL, NULL },
	{ "route", "<@x.example,@y.example:a@b.example>", 0, 0,
	  "a@b.example", "" },
	{ "route without address", "<@x.example:>", 0, PS_ESYNTAX, NULL, NULL },
	{ "route without colon", "<@x.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "bad route", "<@x.example,y:a@b.example>", 0, PS_ESYNTAX, NULL,
	  NULL },
	{ "quoted", "<\"a b\"@c.example>", 0, 0, "\"a b\"@c.example", "" },
	{ "needless quotes", "<\"Kim\"@c.example>", 0, 0, "kim@c.example", "" },
	{ "needless backslash", "<\"k\\im\"@c.example>", 0, 0,
	  "kim@c.example", "" },
	{ "quoted >", "<\"a>b\"@c.example>", 0, 0, "\"a>b\"@c.example", "" },
	{ "quoted quote", "<\"a\\\"b\"@c.example>", 0, 0,
	  "\"a\\\"b\"@c.example", "" },
	{ "quoted @", "<\"a@b\"@c.example>", 0, 0, "\"a@b\"@c.example", "" },
	{ "empty quoted", "<\"\"@c.example>", 0, 0, "\"\"@c.example", "" },
	{ "unclosed quote", "<\"a@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "quote then text", "<\"a\"b@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "control in quotes", "<\"a\tb\"@c.example>", 0, PS_ESYNTAX, NULL,
	  NULL },
	{ "percent hack stays local", "<a%b.example@c.example>", 0, 0,
	  "a%b.example@c.example", "" },
	{ "bang path", "<b!a@c.example>", 0, 0, "b!a@c.example", "" },
	{ "two @", "<a@b@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "dot first", "<.a@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "dot last", "<a.@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "dots", "<a..b@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "space inside", "<a b@c.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "space before", " <a@b.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "space before, loose", " <a@b.example>", L, 0, "a@b.example", "" },
	{ "bare, loose", "a@b.example X=1", L, 0, "a@b.example", " X=1" },
	{ "bare, strict", "a@b.example", 0, PS_ESYNTAX, NULL, NULL },
	{ "bare quoted, loose", "\"a b\"@c.example X", L, 0,
	  "\"a b\"@c.example", " X" },
	{ "unclosed", "<a@b.example", 0, PS_ESYNTAX, NULL, NULL },
	{ "glued text", "<a@b.example>x", 0, PS_ESYNTAX, NULL, NULL },
	{ "nothing", "", L, PS_ESYNTAX, NULL, NULL },
	{ "v4 literal", "<a@[192.0.2.1]>", 0, 0, "a@[192.0.2.1]", "" },
	{ "v6 literal", "<a@[IPv6:2001:DB8::1]>", 0, 0,
	  "a@[ipv6:2001:db8::1]", "" },
	{ "bad literal", "<a@[192.0.2]>", 0, PS_ESYNTAX, NULL, NULL },
	{ "open literal", "<a@[192.0.2.1>", 0, PS_ESYNTAX, NULL, NULL },
	{ "last dot", "<a@b.example.>", 0, 0, "a@b.example", "" },
	{ "dot domain", "<a@.>", 0, PS_ESYNTAX, NULL, NULL },
	{ "hyphen first", "<a@-b.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "underscore", "<a@b_c.example>", 0, 0, "a@b_c.example", "" },
	{ "slash in domain", "<a@b/c>", 0, PS_ESYNTAX, NULL, NULL },
	{ "slash in local", "<../../x@b.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "utf8 off", "<a@b\xc3\xbc.example>", 0, PS_ESYNTAX, NULL, NULL },
	{ "u-label", "<A@B\xc3\x9c" "cher.example>", U, 0,
	  "a@xn--bcher-kva.example", "" },
	{ "decomposed u-label", "<a@bu\xcc\x88" "cher.example>", U, 0,
	  "a@xn--bcher-kva.example", "" },
	{ "utf8 local", "<J\xc3\xb6rg@b.example>", U, 0,
	  "j\xc3\xb6rg@b.example", "" },
	{ "broken utf8", "<J\xc3rg@b.example>", U, PS_ESYNTAX, NULL, NULL },
	{ "idn with a bad character", "<a@\xe2\x80\xae" "b.example>", U,
	  PS_ESYNTAX, NULL, NULL },
};

static int
run(const char *in, size_t n, unsigned flags, struct buf *out,
    struct span *rest, char **mem)
{
	struct address a;
	struct err err = { 0 };
	int rc;

	*mem = malloc(n == 0 ? 1 : n);
	assert_non_null(*mem);
	memcpy(*mem, in, n);
	*rest = span_of(*mem, n);
	rc = address_path(rest, flags, &a, &err);
	if (rc == 0)
		rc = address_normal(&a, out, &err);
	if (rc != 0) {
		assert_int_equal(err.kind, ERR_PERM);
		assert_true(err.why[0] != '\0');
		assert_int_equal(buf_len(out), 0);
	}
	return rc;
}

static void
paths_are_parsed(void **state)
{
	struct span rest;
	struct buf out;
	size_t i, n;
	char *mem;

	(void)state;
	buf_init(&out, 4096);
	for (i = 0; i < ARRAY_LEN(paths); i++) {
		print_message("%s\n", paths[i].name);
		assert_int_equal(run(paths[i].in, strlen(paths[i].in),
		    paths[i].flags, &out, &rest, &mem), paths[i].rc);
		if (paths[i].rc == 0) {
			assert_string_equal(buf_cstr(&out), paths[i].normal);
			assert_true(span_eq(rest, span_str(paths[i].rest)));
		}
		free(mem);
		buf_clear(&out);
		for (n = 0; n < strlen(paths[i].in); n++) {
			(void)run(paths[i].in, n, paths[i].flags, &out, &rest,
			    &mem);
			free(mem);
			buf_clear(&out);
		}
	}
	buf_fini(&out);
}

static void
normal_form_is_stable(void **state)
{
	struct span rest;
	struct buf a, b;
	char *mem;
	size_t i;

	(void)state;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	for (i = 0; i < ARRAY_LEN(paths); i++) {
		if (paths[i].rc != 0 || (paths[i].flags & (N | D)))
			continue;
		assert_int_equal(run(paths[i].in, strlen(paths[i].in),
		    paths[i].flags, &a, &rest, &mem), 0);
		free(mem);
		assert_int_equal(address_normal_text(buf_span(&a), &b, NULL),
		    0);
		assert_true(span_eq(buf_span(&a), buf_span(&b)));
		buf_clear(&a);
		buf_clear(&b);
	}
	buf_fini(&a);
	buf_fini(&b);
}

static void
nul_and_length_are_capped(void **state)
{
	static const char nul[] = "<a\0b@c.example>";
	struct span rest;
	struct buf out, in;
	char *mem;
	int i;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(run(nul, sizeof(nul) - 1, 0, &out, &rest, &mem),
	    PS_ESYNTAX);
	free(mem);
	buf_init(&in, 4096);
	buf_char(&in, '<');
	for (i = 0; i < ADDRESS_LOCAL_MAX + 1; i++)
		buf_char(&in, 'a');
	buf_str(&in, "@b.example>");
	assert_int_equal(run(buf_data(&in), buf_len(&in), 0, &out, &rest,
	    &mem), PS_ETOOBIG);
	free(mem);
	buf_fini(&in);
	buf_fini(&out);
}

static const struct {
	const char *in;
	int rc;			/* of the last call */
	const char *want;	/* "KEY=VALUE|KEY|" */
} params[] = {
	{ "", 0, "" },
	{ "  ", 0, "" },
	{ " SIZE=10 BODY=8BITMIME SMTPUTF8", 0,
	  "SIZE=10|BODY=8BITMIME|SMTPUTF8|" },
	{ " ENVID=a=b", 0, "ENVID=a=b|" },
	{ " SIZE=", PS_ESYNTAX, "" },
	{ " =3", PS_ESYNTAX, "" },
	{ " A=1 -B=2", PS_ESYNTAX, "A=1|" },
	{ " A_B", PS_ESYNTAX, "" },
	{ " A=\x01", PS_ESYNTAX, "" },
};

static void
parameters_are_split(void **state)
{
	struct span rest, key, value;
	struct buf out;
	size_t i;
	int rc;

	(void)state;
	buf_init(&out, 4096);
	for (i = 0; i < ARRAY_LEN(params); i++) {
		rest = span_str(params[i].in);
		while ((rc = esmtp_param_next(&rest, &key, &value)) == 1) {
			buf_span_add(&out, key);
			if (value.p != NULL) {
				buf_char(&out, '=');
				buf_span_add(&out, value);
			}
			buf_char(&out, '|');
		}
		assert_int_equal(rc, params[i].rc);
		assert_string_equal(buf_cstr(&out), params[i].want);
		buf_clear(&out);
	}
	buf_fini(&out);
}

static void
xtext_goes_both_ways(void **state)
{
	char all[256];
	struct buf enc, dec;
	size_t i;
	static const char *const bad[] = { "+", "+4", "+4g", "+0a", "a b",
		"a=b", "\x7f" };

	(void)state;
	for (i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	buf_init(&enc, 4096);
	buf_init(&dec, 4096);
	xtext_encode(span_of(all, sizeof(all)), &enc);
	assert_int_equal(xtext_decode(buf_span(&enc), &dec), 0);
	assert_true(span_eq(buf_span(&dec), span_of(all, sizeof(all))));
	buf_clear(&dec);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(xtext_decode(span_str(bad[i]), &dec),
		    PS_ESYNTAX);
		assert_int_equal(buf_len(&dec), 0);
	}
	buf_fini(&enc);
	buf_fini(&dec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_parsed),
		cmocka_unit_test(normal_form_is_stable),
		cmocka_unit_test(nul_and_length_are_capped),
		cmocka_unit_test(parameters_are_split),
		cmocka_unit_test(xtext_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
