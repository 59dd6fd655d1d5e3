/*
 * Greylisting with the time as an argument: days in a loop, and what every
 * entry does at the end of its life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/greylist.h"

#define S		1000LL
#define MIN_MS		(60 * S)
#define H		(60 * MIN_MS)
#define DAY		(24 * H)
#define T0		(1700000000LL * S)

static const struct grey_rules rules = { .delay_ms = 300 * S,
	.window_ms = 2 * DAY, .max_age_ms = 35 * DAY, .budget_ms = 2 * H,
	.clients_after = 5, .most = 1000 };

/* What others are told; `peer` is another host that hears it. */
struct told {
	struct greylist *peer;
	unsigned triplets, origins, exempts, budgets;
};

static void
triplet(const struct grey_triplet *t, void *arg)
{
	struct told *told = arg;

	told->triplets++;
	if (told->peer != NULL)
		greylist_apply_triplet(told->peer, t);
}

static void
origin(const struct grey_origin *o, void *arg)
{
	struct told *told = arg;

	told->origins++;
	if (told->peer != NULL)
		greylist_apply_origin(told->peer, o);
}

static void
exempt(const struct grey_exempt *x, void *arg)
{
	struct told *told = arg;

	told->exempts++;
	if (told->peer != NULL)
		greylist_apply_exempt(told->peer, x);
}

static void
budget(const struct grey_origin *o, void *arg)
{
	struct told *told = arg;

	assert_true(o->waited_ms >= rules.budget_ms);
	told->budgets++;
}

static const struct greylist_ops ops = { triplet, origin, exempt, budget };

static struct told told;
static struct greylist *g;

static int
setup(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	g = greylist_new(&rules, &ops, &told);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	greylist_free(&g);
	return 0;
}

static struct grey_answer
ask_of(struct greylist *of, const char *org, const char *from,
    const char *to, int64_t now)
{
	struct grey_question q = { .origin = span_str(org),
		.client = SPAN_LIT("mx1.far.example"),
		.sender = span_str(from), .sender_as_is = span_str(from),
		.recipient = span_str(to) };
	struct grey_answer a;

	assert_true(net_addr_parse(SPAN_LIT("192.0.2.7"), &q.address));
	greylist_ask(of, &q, now, &a);
	assert_int_equal(a.wait, a.why == GREY_NEW || a.why == GREY_EARLY);
	return a;
}

static enum grey_why
why(const char *org, const char *from, const char *to, int64_t now)
{
	return ask_of(g, org, from, to, now).why;
}

#define ORG	"far.example"
#define FROM	"joe@far.example"
#define TO	"kim@a.example"

static void
a_sender_waits_once(void **state)
{
	struct grey_answer a;
	int64_t t;

	(void)state;
	a = ask_of(g, ORG, FROM, TO, T0);
	assert_int_equal(a.why, GREY_NEW);
	assert_int_equal(a.wait_s, 300);
	a = ask_of(g, ORG, FROM, TO, T0 + 100 * S);
	assert_int_equal(a.why, GREY_EARLY);
	assert_int_equal(a.wait_s, 200);	/* the clock does not restart */
	a = ask_of(g, ORG, FROM, TO, T0 + 300 * S - 1);
	assert_int_equal(a.wait_s, 1);
	a = ask_of(g, ORG, FROM, TO, T0 + 300 * S);
	assert_int_equal(a.why, GREY_CAME_BACK);
	assert_int_equal(a.waited_s, 300);
	for (t = T0 + 300 * S; t < T0 + 100 * DAY; t += 34 * DAY)
		assert_int_equal(why(ORG, FROM, TO, t), GREY_KNOWN);
	/* all of it is one key; another is another */
	assert_int_equal(why(ORG, FROM, "lee@a.example", t), GREY_NEW);
	assert_int_equal(why(ORG, "x@far.example", TO, t), GREY_NEW);
	assert_int_equal(why("else.example", FROM, TO, t), GREY_NEW);
}

/* When life ends: just before, and then. */
static void
every_entry_has_its_end(void **state)
{
	struct grey_rules no_budget = rules;
	struct greylist_stats st;

	(void)state;
	no_budget.budget_ms = 0;
	greylist_configure(g, &no_budget);
	/* waiting */
	assert_int_equal(why(ORG, FROM, TO, T0), GREY_NEW);
	assert_int_equal(why(ORG, FROM, TO, T0 + 2 * DAY), GREY_NEW);
	assert_int_equal(why(ORG, FROM, TO, T0 + 4 * DAY - 1),
	    GREY_CAME_BACK);
	/* known, and what it proved of its origin */
	assert_int_equal(why(ORG, FROM, TO, T0 + 39 * DAY - 2), GREY_KNOWN);
	assert_int_equal(why(ORG, FROM, TO, T0 + 74 * DAY - 3), GREY_KNOWN);
	assert_int_equal(why(ORG, FROM, TO, T0 + 109 * DAY - 3), GREY_NEW);
	/* whom a user wrote to */
	greylist_wrote(g, SPAN_LIT("ann@far.example"), T0);
	assert_int_equal(why("o.example", "ann@far.example", TO,
	    T0 + 365 * DAY - 1), GREY_WRITTEN);
	assert_int_equal(why("o.example", "ann@far.example", TO,
	    T0 + 365 * DAY), GREY_NEW);
	/* and nothing is left */
	greylist_sweep(g, T0 + 800 * DAY);
	greylist_stats(g, &st);
	assert_int_equal(st.waiting + st.known + st.origins + st.exempt, 0);
}

/* 24 hours of a day, minute by minute: a host that retries each 15 minutes. */
static void
a_day_in_a_loop(void **state)
{
	unsigned waits = 0, passes = 0;
	char to[64];
	int m;

	(void)state;
	for (m = 0; m < 24 * 60; m++) {
		(void)snprintf(to, sizeof(to), "u%d@a.example", m / 60);
		if (m % 15 != 0)
			continue;
		if (ask_of(g, ORG, FROM, to, T0 + m * MIN_MS).wait)
			waits++;
		else
			passes++;
	}
	/* five hours of one wait each; then it is trusted */
	assert_int_equal(waits, 5);
	assert_int_equal(passes, 24 * 4 - 5);
	assert_int_equal(why(ORG, "new@far.example", "n@a.example",
	    T0 + DAY + 34 * DAY), GREY_TRUSTED);
	assert_int_equal(why(ORG, "new@far.example", "n@a.example",
	    T0 + DAY + 34 * DAY + 35 * DAY), GREY_NEW);
}

/* 256 addresses of one organisation are one origin: one deferral. */
static void
a_pool_of_256_addresses_waits_once(void **state)
{
	struct net_addr a;
	char name[64], ip[32];
	struct buf net;
	struct span org;
	unsigned i, waits = 0;

	(void)state;
	buf_init(&net, 64);
	for (i = 0; i < 256; i++) {
		struct grey_question q;
		struct grey_answer answer;

		(void)snprintf(ip, sizeof(ip), "198.51.%u.9", i);
		(void)snprintf(name, sizeof(name),
		    "mail-%u.out.pool.example", i);
		assert_true(net_addr_parse(span_str(ip), &a));
		org = grey_organisation(span_str(name), &a);
		q = (struct grey_question){ .origin = org,
		    .client = span_str(name), .address = a,
		    .sender = SPAN_LIT(FROM), .sender_as_is = SPAN_LIT(FROM),
		    .recipient = SPAN_LIT(TO) };
		greylist_ask(g, &q, T0 + i * 301 * S, &answer);
		waits += answer.wait;
	}
	assert_int_equal(waits, 1);
	buf_fini(&net);
}

static void
an_origin_is_trusted_after_five_passes_an_hour_apart(void **state)
{
	int64_t t = T0;
	char to[64];
	int i;

	(void)state;
	greylist_configure(g, &(struct grey_rules){ .delay_ms = 300 * S,
	    .window_ms = 2 * DAY, .max_age_ms = 35 * DAY, .clients_after = 5,
	    .most = 1000 });
	/* a burst within the hour is one pass */
	for (i = 0; i < 20; i++) {
		(void)snprintf(to, sizeof(to), "b%d@a.example", i);
		assert_int_equal(why(ORG, FROM, to, t), GREY_NEW);
		assert_int_equal(why(ORG, FROM, to, t + 301 * S),
		    GREY_CAME_BACK);
	}
	for (i = 1; i < 5; i++) {
		t += H + 400 * S;
		(void)snprintf(to, sizeof(to), "u%d@a.example", i);
		assert_int_equal(why(ORG, FROM, to, t), GREY_NEW);
		assert_int_equal(why(ORG, FROM, to, t + 301 * S),
		    GREY_CAME_BACK);
	}
	assert_int_equal(why(ORG, FROM, "z@a.example", t + 302 * S),
	    GREY_TRUSTED);
}

static void
past_its_budget_an_origin_waits_no_more(void **state)
{
	(void)state;
	assert_int_equal(why(ORG, FROM, TO, T0), GREY_NEW);
	assert_int_equal(why(ORG, FROM, TO, T0 + H), GREY_CAME_BACK);
	assert_int_equal(told.budgets, 0);
	assert_int_equal(why(ORG, FROM, "b@a.example", T0 + H), GREY_NEW);
	assert_int_equal(why(ORG, FROM, "b@a.example", T0 + 2 * H),
	    GREY_CAME_BACK);
	assert_int_equal(told.budgets, 1);
	assert_int_equal(why(ORG, FROM, "c@a.example", T0 + 2 * H),
	    GREY_BUDGET);
	assert_int_equal(told.budgets, 1);
	/* who only floods, and never comes back, has none to use up */
	assert_int_equal(why("bad.example", FROM, TO, T0), GREY_NEW);
	assert_int_equal(why("bad.example", FROM, "b@a.example", T0 + 9 * H),
	    GREY_NEW);
}

static void
exemption(const char *item, int64_t expires)
{
	greylist_apply_exempt(g, &(struct grey_exempt){
	    .item = span_str(item), .expires_ms = expires });
}

static void
who_is_exempt_never_waits(void **state)
{
	static const struct {
		const char *item;
		enum grey_why why;
	} rows[] = {
		{ "client:far.example", GREY_EXEMPT },	/* and below */
		{ "client:mx1.far.example", GREY_EXEMPT },
		{ "client:x1.far.example", GREY_NEW },
		{ "client:ar.example", GREY_NEW },
		{ "net:192.0.2.0/24", GREY_EXEMPT },
		{ "net:192.0.2.7/32", GREY_EXEMPT },
		{ "net:192.0.0.0/16", GREY_EXEMPT },
		{ "net:192.0.3.0/24", GREY_NEW },
		{ "net:2001:db8::/32", GREY_NEW },
		{ "from:joe@far.example", GREY_EXEMPT },
		{ "from:jo@far.example", GREY_NEW },
		{ "to:kim@a.example", GREY_UNWANTED },
		{ "to:@a.example", GREY_UNWANTED },
		{ "to:@b.example", GREY_NEW },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].item);
		(void)teardown(NULL);
		(void)setup(NULL);
		exemption(rows[i].item, T0 + 100 * DAY);
		assert_int_equal(why("other.example", FROM, TO, T0),
		    rows[i].why);
		exemption(rows[i].item, 0);		/* taken back */
		assert_int_equal(ask_of(g, "other.example", FROM, TO,
		    T0).wait, true);
	}
}

static void
an_origin_by_network_can_be_exempt(void **state)
{
	(void)state;
	exemption("client:198.51.100.0/24", T0 + DAY);
	assert_int_equal(why("198.51.100.0/24", FROM, TO, T0), GREY_EXEMPT);
}

static void
a_clock_that_was_set_back_costs_no_time(void **state)
{
	struct grey_answer a;

	(void)state;
	assert_int_equal(why(ORG, FROM, TO, T0 + DAY), GREY_NEW);
	a = ask_of(g, ORG, FROM, TO, T0);
	assert_int_equal(a.why, GREY_EARLY);
	assert_int_equal(a.wait_s, 300);
	assert_int_equal(why(ORG, FROM, TO, T0 + 300 * S), GREY_CAME_BACK);
}

static void
two_hosts_tell_each_other(void **state)
{
	struct told other = { .peer = NULL };
	struct greylist *b = greylist_new(&rules, &ops, &other);

	(void)state;
	told.peer = b;
	other.peer = g;
	assert_int_equal(why(ORG, FROM, TO, T0), GREY_NEW);
	assert_int_equal(ask_of(b, ORG, FROM, TO, T0 + S).why, GREY_EARLY);
	assert_int_equal(ask_of(b, ORG, FROM, TO, T0 + 301 * S).why,
	    GREY_CAME_BACK);
	assert_int_equal(why(ORG, FROM, TO, T0 + 302 * S), GREY_KNOWN);
	greylist_wrote(b, SPAN_LIT("ann@far.example"), T0);
	assert_int_equal(why("x.example", "ann@far.example", TO, T0),
	    GREY_WRITTEN);
	/* forgotten */
	greylist_apply_triplet(g, &(struct grey_triplet){
	    .origin = SPAN_LIT(ORG), .sender = SPAN_LIT(FROM),
	    .recipient = SPAN_LIT(TO) });
	told.peer = other.peer = NULL;
	assert_int_equal(why(ORG, FROM, TO, T0 + 303 * S), GREY_NEW);
	greylist_free(&b);
}

static void
what_is_known_is_told_rarely(void **state)
{
	unsigned before;
	int i;

	(void)state;
	(void)why(ORG, FROM, TO, T0);
	(void)why(ORG, FROM, TO, T0 + 301 * S);
	assert_int_equal(told.triplets, 2);
	before = told.triplets + told.origins;
	for (i = 0; i < 1000; i++)
		assert_int_equal(why(ORG, FROM, TO, T0 + 302 * S + i * S),
		    GREY_KNOWN);
	assert_int_equal(told.triplets + told.origins, before);
}

static void
a_flood_takes_no_room_from_who_is_known(void **state)
{
	struct greylist_stats st;
	char from[64], net[64];
	int i;

	(void)state;
	(void)why(ORG, FROM, TO, T0);
	assert_int_equal(why(ORG, FROM, TO, T0 + 301 * S), GREY_CAME_BACK);
	exemption("client:friend.example", T0 + 100 * DAY);
	for (i = 0; i < 1000000; i++) {
		(void)snprintf(from, sizeof(from), "r%d@x.example", i);
		(void)snprintf(net, sizeof(net), "10.%d.%d.0/24",
		    i / 256 % 256, i % 256);
		(void)ask_of(g, net, from, TO, T0 + 302 * S);
	}
	greylist_stats(g, &st);
	assert_true(st.waiting + st.known <= rules.most);
	assert_true(st.crowded > 900000);
	assert_int_equal(why(ORG, FROM, TO, T0 + 303 * S), GREY_KNOWN);
	assert_int_equal(ask_of(g, "friend.example", "n@n.example", TO,
	    T0).why, GREY_EXEMPT);
}

/* One origin alone can't push out who waits elsewhere. */
static void
a_flood_of_one_origin_stays_its_own(void **state)
{
	char from[64];
	int i;

	(void)state;
	(void)why(ORG, FROM, TO, T0);
	for (i = 0; i < 100000; i++) {
		(void)snprintf(from, sizeof(from), "r%d@x.example", i);
		(void)ask_of(g, "bad.example", from, TO, T0 + S);
	}
	assert_int_equal(why(ORG, FROM, TO, T0 + 301 * S), GREY_CAME_BACK);
}

/* Nor who sends from the same provider: he waits as everybody does. */
static void
a_flood_of_one_origin_keeps_nobody_out(void **state)
{
	unsigned before;
	char from[64];
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		if (i == 970)
			(void)why("provider.example", FROM, TO, T0 + S);
		(void)snprintf(from, sizeof(from), "r%d@x.example", i);
		(void)ask_of(g, "provider.example", from, TO, T0 + S);
	}
	assert_int_equal(why("provider.example", FROM, TO, T0 + 2 * S),
	    GREY_EARLY);
	/* and the others need not hear of each of a flood */
	assert_in_range(told.triplets, 1, 100);
	before = told.triplets;
	assert_int_equal(why("provider.example", FROM, TO, T0 + 302 * S),
	    GREY_CAME_BACK);
	assert_int_equal(told.triplets, before + 1);
}

/* --- names --- */

static void
organisations_are_found_in_names(void **state)
{
	static const struct {
		const char *name, *ip, *org;
	} rows[] = {
		{ "mail.example.net", "192.0.2.7", "example.net" },
		{ "a.b.c.example.net", "192.0.2.7", "example.net" },
		{ "example.net", "192.0.2.7", "example.net" },
		{ "net", "192.0.2.7", "" },
		{ "", "192.0.2.7", "" },
		{ "mx.example.co.uk", "192.0.2.7", "example.co.uk" },
		{ "mx.example.com.au", "192.0.2.7", "example.com.au" },
		{ "co.uk", "192.0.2.7", "" },
		{ "mx.example.de", "192.0.2.7", "example.de" },
		{ "a8-29.smtp-out.ses.example", "54.240.8.29", "ses.example" },
		{ "host-192-0-2-7.isp.example", "192.0.2.7", "" },
		{ "7.2.0.192.dyn.isp.example", "192.0.2.7", "" },
		{ "pc0000208.isp.example", "192.0.2.7", "isp.example" },
		{ "pC0000207.isp.example", "192.0.2.7", "" },
		{ "p0123456789abcdef.isp.example",
		  "2001:db8::123:4567:89ab:cdef", "" },
	};
	struct net_addr a;
	struct span org;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].name);
		assert_true(net_addr_parse(span_str(rows[i].ip), &a));
		org = grey_organisation(span_str(rows[i].name), &a);
		assert_true(span_eq(org, span_str(rows[i].org)));
	}
}

static void
addresses_are_made_alike(void **state)
{
	static const struct {
		const char *is, *sender, *recipient;
	} rows[] = {
		{ "joe@x.example", "joe@x.example", "joe@x.example" },
		{ "joe+tag@x.example", "joe@x.example", "joe@x.example" },
		{ "list-return-123-joe=a.example@x.example",
		  "list-return-#-joe=a.example@x.example",
		  "list-return-123-joe=a.example@x.example" },
		{ "u2@x.example", "u2@x.example", "u2@x.example" },
		{ "12@x.example", "#@x.example", "12@x.example" },
		{ "+x@x.example", "+x@x.example", "+x@x.example" },
		{ "\"a+b\"@x.example", "\"a+b\"@x.example",
		  "\"a+b\"@x.example" },
		{ "", "", "" },
	};
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 1024);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		grey_sender(span_str(rows[i].is), &out);
		assert_string_equal(buf_cstr(&out), rows[i].sender);
		buf_clear(&out);
		grey_recipient(span_str(rows[i].is), &out);
		assert_string_equal(buf_cstr(&out), rows[i].recipient);
	}
	buf_fini(&out);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_sender_waits_once),
		T(every_entry_has_its_end),
		T(a_day_in_a_loop),
		T(a_pool_of_256_addresses_waits_once),
		T(an_origin_is_trusted_after_five_passes_an_hour_apart),
		T(past_its_budget_an_origin_waits_no_more),
		T(who_is_exempt_never_waits),
		T(an_origin_by_network_can_be_exempt),
		T(a_clock_that_was_set_back_costs_no_time),
		T(two_hosts_tell_each_other),
		T(what_is_known_is_told_rarely),
		T(a_flood_takes_no_room_from_who_is_known),
		T(a_flood_of_one_origin_stays_its_own),
		T(a_flood_of_one_origin_keeps_nobody_out),
		T(organisations_are_found_in_names),
		T(addresses_are_made_alike),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
