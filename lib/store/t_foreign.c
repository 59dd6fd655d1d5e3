#include "store/t_util.h"

#include "base/xmalloc.h"
#include "store/foreign.h"

/*
 * The files of Dovecot and Courier, as tables. A file may be read while it is
 * written or have been cut short: each is parsed whole and then at every
 * shorter length, and what a shorter one says must be what the whole one
 * says, or less.
 */

/* --- UIDs --- */

struct uids_case {
	const char *name, *text;
	bool ok;
	uint32_t uidvalidity, next;
	size_t bad;
	struct {
		const char *base;
		uint32_t uid;
	} want[6];
};

static const struct uids_case uids_cases[] = {
	{ "version 3", "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
	    "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394\n"
	    "25017 W2481 :1276533073.M242911P3632.kurkku,S=1355\n", true,
	    1275660208, 25022, 0,
	    { { "1276528487.M364837P9451.kurkku,S=1355,W=1394", 25006 },
	    { "1276533073.M242911P3632.kurkku,S=1355", 25017 },
	    { "1276533073.M242911P3632.kurkku", 0 } } },
	{ "header in another order", "3 N9 Gx V7 Zother\n8 G1 W2 P3 O4 :a.b.c\n",
	    true, 7, 9, 0, { { "a.b.c", 8 } } },
	{ "courier", "1 1132000000 12\n3 1.M1.h\n11 2.M2.h\n", true,
	    1132000000, 12, 0, { { "1.M1.h", 3 }, { "2.M2.h", 11 } } },
	{ "with flags", "1 5 9\n3 1.M1.h:2,S\n4 2.M2.h\n", true, 5, 9, 0,
	    { { "1.M1.h", 3 }, { "2.M2.h", 4 } } },
	{ "lines end in CRLF", "3 V5 N9\r\n3 :a\r\n", true, 5, 9, 0,
	    { { "a", 3 } } },
	{ "a UID beyond next", "3 V5 N2\n3 :a\n", true, 5, 4, 0,
	    { { "a", 3 } } },
	{ "two UIDs for a file", "3 V5 N9\n3 :a\n7 :a\n", true, 5, 9, 1,
	    { { "a", 7 } } },
	{ "two files with a UID", "3 V5 N9\n3 :a\n3 :b\n4 :c\n", true, 5, 9, 1,
	    { { "c", 4 } } },
	{ "nonsense between", "3 V5 N9\nx\n3\n3 \n4 W1\n5 :\n6 :a/b\n"
	    "0 :d\n4294967295 :e\n-1 :f\n7 :g\n", true, 5, 9, 9,
	    { { "g", 7 }, { "d", 0 }, { "a/b", 0 } } },
	{ "no messages", "3 V5 N1\n", true, 5, 1, 0, { { "a", 0 } } },
	{ "empty", "", false, 0, 0, 0, { { NULL, 0 } } },
	{ "another version", "2 5 9\n", false, 0, 0, 0, { { NULL, 0 } } },
	{ "no UIDVALIDITY", "3 N9\n3 :a\n", false, 0, 0, 0, { { NULL, 0 } } },
	{ "UIDVALIDITY 0", "3 V0 N9\n", false, 0, 0, 0, { { NULL, 0 } } },
	{ "UIDVALIDITY too large", "1 4294967296 9\n", false, 0, 0, 0,
	    { { NULL, 0 } } },
	{ "cut header", "1 5\n", false, 0, 0, 0, { { NULL, 0 } } },
};

/* Copied, so that a read beyond the end is seen. */
static char *
copy_of(const char *text, size_t n)
{
	char *mem = xmalloc(n + 1);

	memcpy(mem, text, n);
	mem[n] = 'x';
	return mem;
}

static void
uids_cut(const struct uids_case *c, const struct foreign_uids *whole)
{
	size_t n, len = strlen(c->text), i;
	struct foreign_uids u;
	char *mem;

	for (n = 0; n < len; n++) {
		mem = copy_of(c->text, n);
		if (foreign_uids_parse(span_of(mem, n), &u)) {
			assert_true(u.n <= whole->n + whole->bad);
			for (i = 0; i < u.n; i++)
				assert_true(u.uid[i].name.p >= mem &&
				    u.uid[i].name.p + u.uid[i].name.n <=
				    mem + n && u.uid[i].uid < u.next);
		}
		foreign_uids_fini(&u);
		free(mem);
	}
}

static void
uids(void **state)
{
	struct foreign_uids u;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(uids_cases); i++) {
		const struct uids_case *c = &uids_cases[i];

		if (foreign_uids_parse(span_str(c->text), &u) != c->ok ||
		    u.bad != c->bad)
			fail_msg("%s: %zu bad", c->name, u.bad);
		if (c->ok && (u.uidvalidity != c->uidvalidity ||
		    u.next != c->next))
			fail_msg("%s: %u %u", c->name, u.uidvalidity, u.next);
		for (k = 0; c->ok && k < 6 && c->want[k].base != NULL; k++)
			if (foreign_uids_find(&u, span_str(c->want[k].base)) !=
			    c->want[k].uid)
				fail_msg("%s: %s", c->name, c->want[k].base);
		uids_cut(c, &u);
		foreign_uids_fini(&u);
	}
}

/* --- keywords --- */

struct letters_case {
	const char *name, *text;
	size_t bad;
	struct {
		unsigned i;
		const char *name;
	} want[4];
};

static const struct letters_case letters_cases[] = {
	{ "usual", "0 $Forwarded\n1 Junk\n", 0,
	    { { 0, "$Forwarded" }, { 1, "Junk" } } },
	{ "holes", "3 d\n25 z\n", 0, { { 3, "d" }, { 25, "z" }, { 1, "" } } },
	{ "no end of line", "0 a", 0, { { 0, "a" } } },
	{ "nonsense", "x a\n26 b\n-1 c\n0\n1 \n2 ok\n", 5, { { 2, "ok" } } },
	{ "empty", "", 0, { { 0, "" } } },
};

static void
letters(void **state)
{
	struct foreign_keywords k;
	size_t i, n;
	char *mem;

	(void)state;
	for (i = 0; i < ARRAY_LEN(letters_cases); i++) {
		const struct letters_case *c = &letters_cases[i];

		for (n = 0; n <= strlen(c->text); n++) {
			mem = copy_of(c->text, n);
			foreign_letters_parse(span_of(mem, n), &k);
			assert_true(k.n <= 26);
			if (n == strlen(c->text)) {
				if (k.bad != c->bad)
					fail_msg("%s: %zu", c->name, k.bad);
				for (unsigned w = 0; w < 4 &&
				    c->want[w].name != NULL; w++)
					if (!span_eq(k.name[c->want[w].i],
					    span_str(c->want[w].name)))
						fail_msg("%s: %u", c->name, w);
			}
			foreign_keywords_fini(&k);
			free(mem);
		}
	}
}

static void
the_list(void **state)
{
	static const char text[] = "$Label1\nWork\nlater\n\n"
	    "1.M1.h:0 2\n2.M2.h:1\n3.M3.h:7 1\n4.M4.h:\nnonsense\n"
	    "5.M5.h:x\n2.M2.h:0\n";
	struct foreign_keywords k;
	char *mem;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text); n++) {
		mem = copy_of(text, n);
		foreign_list_parse(span_of(mem, n), &k);
		foreign_keywords_sort(&k);
		if (n == sizeof(text) - 1) {
			assert_int_equal(k.n, 3);
			assert_int_equal(k.bad, 2);
			assert_int_equal(foreign_keywords_find(&k,
			    SPAN_LIT("1.M1.h")), 5);
			assert_int_equal(foreign_keywords_find(&k,
			    SPAN_LIT("3.M3.h")), 2);
			assert_int_equal(foreign_keywords_find(&k,
			    SPAN_LIT("4.M4.h")), 0);
			assert_int_equal(foreign_keywords_find(&k,
			    SPAN_LIT("9.M9.h")), 0);
		}
		foreign_keywords_fini(&k);
		free(mem);
	}
}

static void
news_replaces_the_list(void **state)
{
	struct foreign_keywords k;
	struct span base;
	uint64_t age;

	(void)state;
	foreign_list_parse(SPAN_LIT("one\ntwo\n\na:0\nb:1\n"), &k);
	assert_true(foreign_update_name(SPAN_LIT(".12.a"), &base, &age));
	foreign_update_parse(SPAN_LIT("two\n"), base, age, &k);
	assert_true(foreign_update_name(SPAN_LIT(".11.a"), &base, &age));
	foreign_update_parse(SPAN_LIT("one\n"), base, age, &k);
	assert_true(foreign_update_name(SPAN_LIT("b"), &base, &age));
	foreign_update_parse(SPAN_LIT(""), base, age, &k);
	assert_true(foreign_update_name(SPAN_LIT("1.M2.h"), &base, &age));
	foreign_update_parse(SPAN_LIT("three\nTWO\n\nfour\n"), base, age, &k);
	foreign_keywords_sort(&k);
	assert_int_equal(foreign_keywords_find(&k, SPAN_LIT("a")), 2);
	assert_int_equal(foreign_keywords_find(&k, SPAN_LIT("b")), 0);
	assert_int_equal(foreign_keywords_find(&k, SPAN_LIT("1.M2.h")), 6);
	foreign_keywords_fini(&k);
	assert_false(foreign_update_name(SPAN_LIT(":list"), &base, &age));
	assert_false(foreign_update_name(SPAN_LIT(".x.a"), &base, &age));
	assert_false(foreign_update_name(SPAN_LIT(".12"), &base, &age));
	assert_false(foreign_update_name(SPAN_LIT(".12."), &base, &age));
	assert_false(foreign_update_name(SPAN_LIT(""), &base, &age));
}

/* --- subscriptions, quota --- */

static void
subscriptions(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "dovecot", "INBOX\nSent\nWork.2026\n", ",.Sent,.Work.2026" },
		{ "dovecot, version 2", "V\t2\n\nINBOX\nWork\t2026\n",
		    ",.Work.2026" },
		{ "courier", "INBOX\nINBOX.Sent\nINBOX.Work.2026\n",
		    ",.Sent,.Work.2026" },
		{ "a folder INBOX.Old there is", "INBOX.Old\n", ".INBOX.Old" },
		{ "ours", "INBOX\n.Sent\n", ",.Sent" },
		{ "twice", "Sent\nSent\nINBOX.Sent\n", ".Sent" },
		{ "bad ones", "a..b\n.\n\n/x\nSent\n", ".Sent" },
		{ "no end of line", "Sent", ".Sent" },
	};
	struct name_list exists = { 0 }, out;
	size_t i, k, n;
	struct buf got;
	char *mem;

	(void)state;
	name_list_add(&exists, SPAN_LIT(""));
	name_list_add(&exists, SPAN_LIT(".Sent"));
	name_list_add(&exists, SPAN_LIT(".INBOX.Old"));
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (n = 0; n <= strlen(cases[i].text); n++) {
			memset(&out, 0, sizeof(out));
			mem = copy_of(cases[i].text, n);
			foreign_subscriptions_parse(span_of(mem, n), &exists,
			    &out);
			buf_init(&got, 4096);
			for (k = 0; k < out.n; k++)
				buf_fmt(&got, "%s%s", k == 0 ? "" : ",",
				    out.name[k]);
			if (n == strlen(cases[i].text) &&
			    strcmp(buf_cstr(&got), cases[i].want) != 0)
				fail_msg("%s: %s", cases[i].name,
				    buf_cstr(&got));
			buf_fini(&got);
			name_list_fini(&out);
			free(mem);
		}
	name_list_fini(&exists);
}

static void
quotas(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t bytes, messages;
	} cases[] = {
		{ "10000000S,1000C\n2048 1\n-100 -1\n", true, 10000000, 1000 },
		{ "5C", true, 0, 5 }, { "\n12 1\n", true, 0, 0 },
		{ "0S\n", true, 0, 0 }, { "12\n", false, 0, 0 },
		{ "xS\n", false, 0, 0 }, { "-5S\n", false, 0, 0 },
		{ "99999999999999999999S\n", false, 0, 0 },
		{ "", false, 0, 0 },
	};
	uint64_t bytes, messages;
	size_t i, n;
	char *mem;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (n = 0; n <= strlen(cases[i].text); n++) {
			mem = copy_of(cases[i].text, n);
			bool ok = foreign_quota_parse(span_of(mem, n), &bytes,
			    &messages);

			if (n == strlen(cases[i].text) &&
			    (ok != cases[i].ok || (ok &&
			    (bytes != cases[i].bytes ||
			    messages != cases[i].messages))))
				fail_msg("%s", cases[i].text);
			free(mem);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uids),
		cmocka_unit_test(letters),
		cmocka_unit_test(the_list),
		cmocka_unit_test(news_replaces_the_list),
		cmocka_unit_test(subscriptions),
		cmocka_unit_test(quotas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
