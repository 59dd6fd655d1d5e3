/*
 * The score of a client, and the health of DNS lists: days of tests in a
 * loop, with the time as an argument.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/dnsscore.h"
#include "gate/listhealth.h"

/* --- the score --- */

/* What each list says of the client: an answer, "none", "dead" (no answer),
 * "off" (suspended), "never" (no IPv6), "later" (not yet). */
struct world {
	struct { const char *zone, *says; } list[8];
};
static unsigned n_odd;

static const char *
says(const struct world *w, const char *zone)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(w->list) && w->list[i].zone != NULL; i++)
		if (strcmp(w->list[i].zone, zone) == 0)
			return w->list[i].says;
	return "none";
}

static const struct dns_answer *
dns(const char *name, enum dns_type type, void *arg)
{
	static struct dns_record record;
	static struct dns_answer answer;
	struct world *w = arg;
	const char *zone = strstr(name, "192."), *text;

	assert_int_equal(type, DNS_A);
	assert_non_null(zone);		/* 7.2.0.192.zone */
	text = says(w, zone + 4);
	if (strcmp(text, "later") == 0)
		return NULL;
	answer = (struct dns_answer){ .result = DNS_NXDOMAIN };
	if (strcmp(text, "dead") == 0)
		answer.result = DNS_TEMPFAIL;
	else if (strcmp(text, "none") != 0) {
		assert_int_equal(inet_pton(AF_INET, text, record.addr), 1);
		answer = (struct dns_answer){ .result = DNS_OK,
			.record = &record, .n_records = 1 };
	}
	return &answer;
}

static enum list_use
list(const char *zone, enum list_kind kind, void *arg)
{
	assert_int_equal(kind, LIST_IPV4);
	if (strcmp(says(arg, zone), "never") == 0)
		return LIST_USE_NEVER;
	return strcmp(says(arg, zone), "off") == 0 ? LIST_USE_NO :
	    LIST_USE_YES;
}

static void
list_odd(const char *zone, enum list_kind kind, void *arg)
{
	n_odd++;
}

static const struct gate_ops ops = { .dns = dns, .list = list,
	.list_odd = list_odd };

static const struct {
	const char *name, *sites;
	int64_t block, allow;
	struct world w;
	enum dnsscore_verdict want;
	int64_t score;
} cases[] = {
	{ "no list", "", 1, 0, { { { NULL, NULL } } }, DNSSCORE_NEUTRAL, 0 },
	{ "one list has it", "a.example", 1, 0,
	  { { { "a.example", "127.0.0.2" } } }, DNSSCORE_BLOCK, 1 },
	{ "not enough", "a.example b.example", 2, 0,
	  { { { "a.example", "127.0.0.2" } } }, DNSSCORE_NEUTRAL, 1 },
	{ "two together", "a.example b.example", 2, 0,
	  { { { "a.example", "127.0.0.2" }, { "b.example", "127.0.0.9" } } },
	  DNSSCORE_BLOCK, 2 },
	{ "a weight", "a.example*3", 3, 0,
	  { { { "a.example", "127.0.0.2" } } }, DNSSCORE_BLOCK, 3 },
	{ "filters of one list have weights of their own",
	  "a.example=127.0.0.[2..3]*3, a.example=127.0.0.[10;11]*1", 3, 0,
	  { { { "a.example", "127.0.0.10" } } }, DNSSCORE_NEUTRAL, 1 },
	{ "an allow list saves it", "a.example*3 w.example*-2", 2, 0,
	  { { { "a.example", "127.0.0.2" }, { "w.example", "127.0.9.1" } } },
	  DNSSCORE_NEUTRAL, 1 },
	{ "an allow list alone", "a.example*3 w.example*-2", 2, -2,
	  { { { "w.example", "127.0.9.1" } } }, DNSSCORE_ALLOW, -2 },
	{ "early: enough, whatever comes", "a.example*3 b.example", 3, 0,
	  { { { "a.example", "127.0.0.2" }, { "b.example", "later" } } },
	  DNSSCORE_BLOCK, 3 },
	{ "not early: an allow list may save it",
	  "a.example*3 w.example*-1", 3, 0,
	  { { { "a.example", "127.0.0.2" }, { "w.example", "later" } } },
	  DNSSCORE_OPEN, 3 },
	{ "early: not enough, whatever comes", "a.example b.example", 3, 0,
	  { { { "a.example", "later" }, { "b.example", "later" } } },
	  DNSSCORE_NEUTRAL, 0 },
	{ "early: allowed, whatever comes", "w.example*-5 a.example*2", 2, -2,
	  { { { "w.example", "127.0.9.1" }, { "a.example", "later" } } },
	  DNSSCORE_ALLOW, -5 },
	{ "a dead list counts nothing", "a.example*3 b.example", 1, 0,
	  { { { "a.example", "dead" } } }, DNSSCORE_NEUTRAL, 0 },
	{ "what a dead allow list might say is not held against it",
	  "a.example*3 w.example*-2", 3, 0,
	  { { { "a.example", "127.0.0.2" }, { "w.example", "dead" } } },
	  DNSSCORE_UNSURE, 3 },
	{ "what it might say would not matter", "a.example*9 w.example*-2",
	  3, 0, { { { "a.example", "127.0.0.2" }, { "w.example", "off" } } },
	  DNSSCORE_BLOCK, 9 },
	{ "an allow list that can't have it is not missed",
	  "a.example*3 w.example*-2", 3, 0,
	  { { { "a.example", "127.0.0.2" }, { "w.example", "never" } } },
	  DNSSCORE_BLOCK, 3 },
	{ "a suspended list counts nothing", "a.example*3", 1, 0,
	  { { { "a.example", "off" } } }, DNSSCORE_NEUTRAL, 0 },
	{ "a list that refuses to answer counts nothing", "a.example*3", 1,
	  0, { { { "a.example", "127.255.255.254" } } },
	  DNSSCORE_NEUTRAL, 0 },
	{ "a parked domain counts nothing, in an allow list too",
	  "a.example*3 w.example*-9", 1, -1,
	  { { { "a.example", "203.0.113.9" }, { "w.example",
	  "203.0.113.9" } } }, DNSSCORE_NEUTRAL, 0 },
};

static void
scores(void **state)
{
	struct dnsscore_limits limits;
	struct dnssites *s;
	struct dnsscore got;
	struct world w;
	struct buf why;
	size_t i;

	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		s = dnssites_parse(cases[i].sites, &why);
		assert_non_null(s);
		w = cases[i].w;
		limits = (struct dnsscore_limits){ cases[i].block,
			cases[i].allow };
		dnsscore_count(s, "192.0.2.7", &limits, false, &ops, &w,
		    &got);
		assert_int_equal(got.verdict, cases[i].want);
		assert_int_equal(got.score, cases[i].score);
		/* past the time nothing is open, and nothing gets worse */
		dnsscore_count(s, "192.0.2.7", &limits, true, &ops, &w, &got);
		assert_int_not_equal(got.verdict, DNSSCORE_OPEN);
		if (cases[i].want != DNSSCORE_BLOCK)
			assert_int_not_equal(got.verdict, DNSSCORE_BLOCK);
		dnssites_free(&s);
	}
	buf_fini(&why);
}

static void
an_odd_answer_is_told(void **state)
{
	struct world w = { { { "a.example", "127.255.255.254" } } };
	struct dnsscore_limits limits = { 1, 0 };
	struct dnsscore got;
	struct buf why;
	struct dnssites *s;

	n_odd = 0;
	buf_init(&why, 1024);
	s = dnssites_parse("a.example", &why);
	dnsscore_count(s, "192.0.2.7", &limits, false, &ops, &w, &got);
	assert_int_equal(n_odd, 1);
	dnssites_free(&s);
	buf_fini(&why);
}

/* The heaviest three are named, whatever order they stand in. */
static void
the_heaviest_are_kept(void **state)
{
	struct world w = { { { "a.example", "127.0.0.2" },
		{ "b.example", "127.0.0.3" }, { "c.example", "127.0.0.4" },
		{ "d.example", "127.0.0.5" }, { "w.example", "127.0.0.6" } } };
	struct dnsscore_limits limits = { 1, 0 };
	struct dnsscore got;
	struct buf why;
	struct dnssites *s;

	buf_init(&why, 1024);
	s = dnssites_parse("a.example w.example*-1 b.example*4 c.example*2 "
	    "d.example*3", &why);
	dnsscore_count(s, "192.0.2.7", &limits, false, &ops, &w, &got);
	assert_int_equal(got.n_hits, 4);
	assert_int_equal(got.score, 9);
	assert_string_equal(dnslist_zone(got.hit[0].list), "b.example");
	assert_string_equal(dnslist_zone(got.hit[1].list), "d.example");
	assert_string_equal(dnslist_zone(got.hit[2].list), "c.example");
	assert_int_equal(got.hit[1].answer[3], 5);
	dnssites_free(&s);
	buf_fini(&why);
}

static void
sites_are_parsed_whole(void **state)
{
	static const struct { const char *text; int n; } t[] = {
		{ "", 0 }, { " , ", 0 }, { "a.example", 1 },
		{ "a.example*2, b.example=127.0.0.[2..9]*-3 c.example", 3 },
		{ "a.example*", -1 }, { "a.example*x", -1 },
		{ "a.example*1.5", -1 }, { "a.example*100001", -1 },
		{ "a.example*99999999999999999999", -1 }, { "*2", -1 },
		{ "a.example=127.0.0.2*2*2", -1 }, { "a.example=*2", -1 },
	};
	struct dnssites *s;
	struct buf why, many;
	size_t i;

	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		print_message("%s\n", t[i].text);
		s = dnssites_parse(t[i].text, &why);
		assert_int_equal(s == NULL ? -1 : (int)dnssites_count(s),
		    t[i].n);
		assert_int_equal(buf_len(&why) > 0, s == NULL);
		buf_clear(&why);
		dnssites_free(&s);
	}
	buf_init(&many, 65536);
	for (i = 0; i <= DNSSITES_MAX; i++)
		buf_str(&many, "a.example ");
	s = dnssites_parse(buf_cstr(&many), &why);
	assert_null(s);
	buf_fini(&many);
	buf_fini(&why);
}

/* --- health --- */

#define HOUR	3600000u
#define MINUTE	60000u

static bool
learn(struct listhealth *h, enum list_entry have, enum list_entry not,
    uint64_t now)
{
	return listhealth_learn(h, LIST_IPV4, have, not, false, HOUR, now);
}

static void
each_fault_suspends(void **state)
{
	static const struct {
		enum list_entry have, not;
		bool exempt, good;
		const char *why;
	} t[] = {
		{ LIST_ENTRY_LISTED, LIST_ENTRY_ABSENT, false, true, "" },
		{ LIST_ENTRY_ABSENT, LIST_ENTRY_ABSENT, false, false,
		  "127.0.0.2 is not listed: it seems to be empty or gone" },
		{ LIST_ENTRY_ABSENT, LIST_ENTRY_ABSENT, true, true, "" },
		{ LIST_ENTRY_LISTED, LIST_ENTRY_LISTED, true, false,
		  "127.0.0.1 is listed: it seems to list everything" },
		{ LIST_ENTRY_REFUSED, LIST_ENTRY_REFUSED, true, false,
		  "127.0.0.2 is answered with 127.255.255.x: the list refuses "
		  "to answer us" },
		{ LIST_ENTRY_OUTSIDE, LIST_ENTRY_OUTSIDE, true, false,
		  "127.0.0.2 is answered with an address outside 127.0.0.0/8: "
		  "nobody seems to run this list" },
		{ LIST_ENTRY_SILENT, LIST_ENTRY_LISTED, false, false,
		  "127.0.0.1 is listed: it seems to list everything" },
	};
	struct listhealth h;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		h = (struct listhealth){ .state = LIST_UNTESTED };
		assert_true(listhealth_due(&h, 1));
		assert_true(listhealth_learn(&h, LIST_IPV4, t[i].have,
		    t[i].not, t[i].exempt, HOUR, 1));
		assert_int_equal(h.state == LIST_GOOD, t[i].good);
		assert_string_equal(h.why, t[i].why);
	}
}

static void
a_list_without_ipv6_is_no_list_that_fails(void **state)
{
	static const struct {
		enum list_entry have, not;
		bool no_ipv6;
	} t[] = {
		{ LIST_ENTRY_ABSENT, LIST_ENTRY_ABSENT, true },
		{ LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, true },
		{ LIST_ENTRY_REFUSED, LIST_ENTRY_REFUSED, false },
		{ LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, false },
		{ LIST_ENTRY_ABSENT, LIST_ENTRY_ABSENT, true },
		{ LIST_ENTRY_LISTED, LIST_ENTRY_LISTED, false },
		{ LIST_ENTRY_LISTED, LIST_ENTRY_ABSENT, false },
	};
	struct listhealth h = { .state = LIST_UNTESTED };
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		(void)listhealth_learn(&h, LIST_IPV6, t[i].have, t[i].not,
		    false, HOUR, i + 1);
		assert_int_equal(h.no_ipv6, t[i].no_ipv6);
	}
	(void)learn(&h, LIST_ENTRY_ABSENT, LIST_ENTRY_ABSENT, i + 1);
	assert_false(h.no_ipv6);
}

/* A day: good for six hours, gone for six, then well again. */
static void
a_day_of_tests(void **state)
{
	struct listhealth h = { .state = LIST_UNTESTED };
	uint64_t now, tests = 0, bad_tests = 0, down_at = 0, up_at = 0;
	bool gone;

	for (now = 1; now < 24 * (uint64_t)HOUR; now += 1000) {
		if (!listhealth_due(&h, now))
			continue;
		gone = now > 6 * (uint64_t)HOUR && now <= 12 * (uint64_t)HOUR;
		tests++;
		bad_tests += gone;
		if (learn(&h, gone ? LIST_ENTRY_ABSENT : LIST_ENTRY_LISTED,
		    LIST_ENTRY_ABSENT, now)) {
			if (h.state == LIST_SUSPENDED)
				down_at = now;
			else if (down_at != 0)
				up_at = now;
		}
	}
	/* found within an hour, forgiven within an hour */
	assert_in_range(down_at, 6 * HOUR, 7 * HOUR);
	assert_in_range(up_at, 12 * HOUR, 13 * HOUR);
	/* after 1, 2, 4, 8, 16, 32 minutes, then each hour: not a flood */
	assert_in_range(bad_tests, 10, 12);
	assert_in_range(tests, 24, 32);
}

static void
silence_is_borne_for_a_while(void **state)
{
	struct listhealth h = { .state = LIST_UNTESTED };
	uint64_t now = 1;

	assert_true(learn(&h, LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, now));
	assert_int_equal(h.state, LIST_GOOD);
	assert_int_equal(h.next_ms, now + MINUTE);
	now = h.next_ms;
	assert_false(learn(&h, LIST_ENTRY_SILENT, LIST_ENTRY_ABSENT, now));
	now = h.next_ms;
	assert_true(learn(&h, LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, now));
	assert_int_equal(h.state, LIST_SUSPENDED);
	now = h.next_ms;
	assert_false(learn(&h, LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, now));
	now = h.next_ms;
	assert_true(learn(&h, LIST_ENTRY_LISTED, LIST_ENTRY_ABSENT, now));
	assert_int_equal(h.state, LIST_GOOD);
	/* all is forgotten: it has three times again */
	now = h.next_ms;
	assert_false(learn(&h, LIST_ENTRY_SILENT, LIST_ENTRY_SILENT, now));
}

/* Odd answers all day long make a test a minute at most. */
static void
doubt_is_bounded(void **state)
{
	struct listhealth h = { .state = LIST_UNTESTED };
	unsigned tests = 0;
	uint64_t now;

	for (now = 1; now < HOUR; now += 100) {
		listhealth_doubt(&h, now);
		if (!listhealth_due(&h, now))
			continue;
		tests++;
		(void)learn(&h, LIST_ENTRY_LISTED, LIST_ENTRY_ABSENT, now);
	}
	assert_in_range(tests, 55, 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores),
		cmocka_unit_test(an_odd_answer_is_told),
		cmocka_unit_test(the_heaviest_are_kept),
		cmocka_unit_test(sites_are_parsed_whole),
		cmocka_unit_test(each_fault_suspends),
		cmocka_unit_test(a_list_without_ipv6_is_no_list_that_fails),
		cmocka_unit_test(a_day_of_tests),
		cmocka_unit_test(silence_is_borne_for_a_while),
		cmocka_unit_test(doubt_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
