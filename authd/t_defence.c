/*
 * The login defence plays whole days: stale phones in an office, forgetful
 * people, sprays from many hosts and at many accounts, every expiry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "authd/defence.h"
#include "authd/guesses.h"
#include "base/log.h"

#define MINUTE		(60 * 1000LL)
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)
#define BEGIN		(20000 * DAY)
#define OFFICE		"198.51.100.7"

static struct defence *d;
static int64_t now;

/* What was told to others, of the last kind. */
static struct {
	unsigned counted[DEFENCE_KINDS], forgiven, known, closed;
	char closed_subject[DEFENCE_SUBJECT_MAX];
	int64_t closed_until;
} told;

static void
counted_cb(enum defence_kind kind, struct span subject, uint64_t epoch,
    int64_t slot, bool forgiven, void *arg)
{
	(void)subject;
	(void)epoch;
	(void)arg;
	assert_true(slot >= guess_slot(now));
	if (forgiven)
		told.forgiven++;
	else
		told.counted[kind]++;
}

static void
known_cb(struct span account, struct span network, int64_t until_ms,
    void *arg)
{
	(void)account;
	(void)network;
	(void)arg;
	assert_true(until_ms > now);
	told.known++;
}

static void
closed_cb(enum defence_kind kind, struct span subject, unsigned level,
    int64_t until_ms, void *arg)
{
	(void)kind;
	(void)level;
	(void)arg;
	told.closed++;
	told.closed_until = until_ms;
	snprintf(told.closed_subject, sizeof(told.closed_subject), "%.*s",
	    SPAN_ARG(subject));
}

static void
made(const char *settings, size_t entries)
{
	static const struct defence_events events = { counted_cb, known_cb,
	    closed_cb, NULL };
	struct buf complaints;
	struct conf *conf;

	buf_init(&complaints, 4096);
	conf = conf_parse("test", span_str(settings), &complaints);
	if (conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	defence_free(&d);
	d = defence_new(entries, &events);
	defence_configure(d, conf);
	conf_unref(&conf);
	memset(&told, 0, sizeof(told));
	now = BEGIN;
}

static int
fresh(void **state)
{
	(void)state;
	made("", 100000);
	return 0;
}

static int
ended(void **state)
{
	(void)state;
	defence_free(&d);
	return 0;
}

static struct defence_who
who(const char *account, const char *ip)
{
	struct span name = span_str(account);

	return (struct defence_who){ .account = name, .name = name,
	    .ip = span_str(ip) };
}

static struct defence_verdict
ask(const char *account, const char *ip)
{
	struct defence_who w = who(account, ip);

	return defence_ask(d, now, &w);
}

/* A try with a wrong password (NULL: by SCRAM): was it checked? */
static bool
wrong(const char *account, const char *ip, const char *password)
{
	struct defence_who w = who(account, ip);
	struct defence_verdict v = defence_ask(d, now, &w);

	if (v.answer == DEFENCE_REFUSED) {
		defence_refused(d, now, &w, &v);
		return false;
	}
	defence_wrong(d, now, &w, password == NULL ? SPAN_NONE :
	    span_str(password));
	return true;
}

/* A login with the right password: did it work? */
static bool
right(const char *account, const char *ip)
{
	struct defence_who w = who(account, ip);

	if (defence_ask(d, now, &w).answer == DEFENCE_REFUSED)
		return false;
	defence_right(d, now, &w);
	return true;
}

/* Tries n different passwords; how many were checked. */
static unsigned
guess(const char *account, const char *ip, unsigned n)
{
	static unsigned serial;
	char password[32];
	unsigned checked = 0;

	while (n-- > 0) {
		snprintf(password, sizeof(password), "guess %u", serial++);
		checked += wrong(account, ip, password);
	}
	return checked;
}

/* Four of each may be in use at a time. */
static const char *
account_of(char sort, unsigned i)
{
	static char text[4][64];
	static unsigned next;
	char *out = text[next++ % 4];

	snprintf(out, sizeof(text[0]), "%c%u@a.example", sort, i);
	return out;
}

static const char *
host_of(unsigned net, unsigned i)
{
	static char text[4][64];
	static unsigned next;
	char *out = text[next++ % 4];

	snprintf(out, sizeof(text[0]), "%u.%u.%u.9", net, i / 250, i % 250);
	return out;
}

/* --- people --- */

/* Every five minutes, all day, from a network that nobody knows yet. */
static void
test_a_stale_phone_hurts_nobody(void **state)
{
	(void)state;
	for (; now < BEGIN + DAY; now += 5 * MINUTE) {
		assert_true(wrong("kim@a.example", OFFICE, "last year's"));
		defence_sweep(d, now, 1000);
		assert_int_equal(ask("kim@a.example", OFFICE).answer,
		    DEFENCE_OPEN);
		assert_int_equal(ask("lee@a.example", OFFICE).answer,
		    DEFENCE_OPEN);
	}
	/* it was one wrong password, so one was told of, too */
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 1);
	assert_int_equal(told.counted[DEFENCE_NETWORK], 1);
	assert_true(right("kim@a.example", OFFICE));
}

/* The same with SCRAM, where passwords can't be compared. */
static void
test_a_stale_phone_with_scram_hurts_nobody(void **state)
{
	(void)state;
	for (; now < BEGIN + DAY; now += 5 * MINUTE) {
		assert_true(wrong("kim@a.example", OFFICE, NULL));
		assert_true(right("lee@a.example", OFFICE));
	}
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 48);
	/* ... and from where the account is known it binds no other */
	fresh(NULL);
	assert_true(right("kim@a.example", OFFICE));
	for (; now < BEGIN + DAY; now += 5 * MINUTE) {
		assert_true(wrong("kim@a.example", OFFICE, NULL));
		assert_true(right("kim@a.example", OFFICE));
		assert_int_equal(ask("kim@a.example", "192.0.2.1").answer,
		    DEFENCE_OPEN);
	}
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 0);
	assert_int_equal(told.counted[DEFENCE_NETWORK], 0);
}

/* 300 people behind one address; each has a phone with an old password and
 * makes three mistakes at his computer. First day on the new server. */
static void
test_an_office_behind_one_address(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < 300; i++) {
		const char *account = account_of('p', i);

		assert_true(right(account, OFFICE));
		for (k = 0; k < 3; k++)
			assert_int_equal(guess(account, OFFICE, 1), 1);
		assert_true(wrong(account, OFFICE, "stale"));
		assert_int_equal(ask(account, OFFICE).answer, DEFENCE_OPEN);
		now += 10 * 1000;
	}
	assert_true(right("new@a.example", OFFICE));
}

/* Forty phones of people who left, or have not logged in here yet, all day in
 * turn: more than a network has marks for. */
static void
test_many_stale_phones_behind_one_address(void **state)
{
	unsigned i;

	(void)state;
	for (; now < BEGIN + DAY; now += 5 * MINUTE) {
		for (i = 0; i < 40; i++)
			assert_true(wrong(account_of('p', i), OFFICE,
			    "last year's"));
		defence_sweep(d, now, 1000);
	}
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 40);
	assert_int_equal(told.counted[DEFENCE_NETWORK], 40);
	assert_true(right("new@a.example", OFFICE));
}

static void
test_a_network_may_have_as_many_mistaken_people_as_it_has_people(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(guess("x@a.example", OFFICE, 15), 15);
	for (i = 0; i < 10; i++)
		assert_true(right(account_of('q', i), OFFICE));
	/* 50, and 10 for each of ten accounts; 15 are used up */
	for (i = 0; i < 200 && guess(account_of('y', i), OFFICE,
	    1) == 1; i++)
		;
	assert_int_equal(i, 135);
	for (i = 0; i < 10; i++)
		assert_true(right(account_of('q', i), OFFICE));
}

/* --- attackers --- */

static void
test_a_thousand_hosts_at_one_account(void **state)
{
	unsigned i, checked = 0;

	(void)state;
	assert_true(right("kim@a.example", OFFICE));
	for (i = 0; i < 1000; i++)
		checked += guess("kim@a.example", host_of(10, i),
		    3);
	assert_int_equal(checked, 20);
	assert_int_equal(told.closed, 1);
	assert_string_equal(told.closed_subject, "kim@a.example");
	/* the right password does not help them, and does not show */
	assert_false(right("kim@a.example", "10.3.7.9"));
	/* its own network, and other accounts, don't notice */
	assert_int_equal(ask("kim@a.example", OFFICE).answer, DEFENCE_OPEN);
	assert_true(right("kim@a.example", OFFICE));
	assert_true(right("lee@a.example", "10.3.7.9"));
	/* all day long: never more than the limit in a window */
	for (; now < BEGIN + DAY; now += MINUTE)
		checked += guess("kim@a.example", host_of(10, i++),
		    10);
	assert_in_range(checked, 80, 100);
	/* they give up: open again after the window, no sooner */
	for (i = 0; i < 12; i++, now += GUESS_SLOT_MS)
		(void)ask("kim@a.example", "192.0.2.1");
	assert_true(right("kim@a.example", "192.0.2.1"));
}

static void
test_one_host_at_a_thousand_accounts(void **state)
{
	unsigned i, checked = 0;

	(void)state;
	assert_true(right("kim@a.example", "203.0.113.1"));
	for (i = 0; i < 1000; i++)
		checked += wrong(account_of('u', i),
		    i % 2 ? "203.0.113.9" : "203.0.113.200", "Password1");
	assert_int_equal(checked, 50 + 10);
	assert_string_equal(told.closed_subject, "203.0.113.0/24");
	assert_int_equal(ask("x@a.example", "203.0.114.1").answer,
	    DEFENCE_OPEN);
	/* who logged in there before does so again */
	assert_true(right("kim@a.example", "203.0.113.1"));
	assert_false(right("lee@a.example", "203.0.113.1"));
	/* names that are no address are no way around it */
	assert_int_equal(guess("", "203.0.113.9", 5), 0);
}

static void
test_an_ipv6_host_has_a_whole_64(void **state)
{
	char ip[64];
	unsigned i, checked = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(ip, sizeof(ip), "2001:db8:1:2:%x::%x", i, i);
		checked += guess(account_of('u', i), ip, 1);
	}
	assert_int_equal(checked, 50);
	assert_string_equal(told.closed_subject, "2001:db8:1:2::/64");
	assert_int_equal(ask("x@a.example", "2001:db8:1:3::1").answer,
	    DEFENCE_OPEN);
	/* an IPv4 address in IPv6 clothes is that IPv4 address */
	assert_int_equal(guess("x@a.example", "::ffff:203.0.113.1", 1), 1);
	assert_true(right("x@a.example", "203.0.113.2"));
}

/* One host that has a /48 for itself, and takes another /64 each time. */
static void
test_an_ipv6_host_with_a_whole_48(void **state)
{
	char ip[64];
	unsigned i, checked = 0;

	(void)state;
	assert_true(right("kim@a.example", "2001:db8:1:ffff::1"));
	for (i = 0; i < 5000; i++) {
		snprintf(ip, sizeof(ip), "2001:db8:1:%x::1", i);
		checked += guess(account_of('u', i), ip, 1);
	}
	/* ten times 50, and a fifth of that for who knows it */
	assert_int_equal(checked, 500 + 100);
	assert_string_equal(told.closed_subject, "2001:db8:1::/48");
	assert_true(right("kim@a.example", "2001:db8:1:ffff::1"));
	assert_int_equal(ask("x@a.example", "2001:db8:2::1").answer,
	    DEFENCE_OPEN);
	assert_true(defence_forgive(d, now, SPAN_LIT("2001:db8:1::/48")));
	assert_int_equal(ask("x@a.example", "2001:db8:1:7::1").answer,
	    DEFENCE_OPEN);
	now += 31 * DAY;
	defence_sweep(d, now, 1000000);
	defence_sweep(d, now, 1000000);
	assert_int_equal(defence_count(d, DEFENCE_NETWORK), 0);
}

static void
test_scram_is_no_way_around_it(void **state)
{
	unsigned i, checked = 0;

	(void)state;
	for (i = 0; i < 1000; i++)
		checked += wrong("kim@a.example", "203.0.113.9", NULL);
	/* the first six pass for one */
	assert_int_equal(checked, 20 + DEFENCE_SCRAM_SAME - 1);
	/* names that are no address, too */
	fresh(NULL);
	for (checked = i = 0; i < 1000; i++)
		checked += wrong("", "203.0.113.9", NULL);
	assert_int_equal(checked, 50 + DEFENCE_SCRAM_SAME - 1);
}

static void
test_a_guesser_in_a_known_network_is_held(void **state)
{
	(void)state;
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(guess("kim@a.example", OFFICE, 1000), 30);
	assert_string_equal(told.closed_subject,
	    "kim@a.example 198.51.100.0/24");
	/* only this account, only there; nothing counts elsewhere */
	assert_true(right("lee@a.example", OFFICE));
	assert_true(right("kim@a.example", "192.0.2.1"));
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 0);
	assert_int_equal(told.counted[DEFENCE_NETWORK], 0);
}

static void
test_delays_grow_from_a_quarter_of_the_limit(void **state)
{
	uint64_t last = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		struct defence_verdict v = ask("kim@a.example",
		    host_of(10, i));

		assert_int_equal(v.answer, i < 5 ? DEFENCE_OPEN :
		    DEFENCE_SLOW);
		assert_true(i < 5 || v.delay_ms > last);
		last = v.delay_ms;
		assert_int_equal(guess("kim@a.example",
		    host_of(10, i), 1), 1);
	}
	assert_int_equal(last, 8000);
	made("login_defence_delay = 0\n", 1000);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 19), 19);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").answer,
	    DEFENCE_OPEN);
}

/* --- settings --- */

static void
test_settings(void **state)
{
	(void)state;
	made("login_defence = no\n", 1000);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 1000);
	assert_int_equal(defence_count(d, DEFENCE_ACCOUNT), 0);
	made("login_defence_account_limit = 0\n", 1000);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 50);
	made("login_defence_network_limit = 0\n", 1000);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 20);
	assert_int_equal(guess("", "10.0.0.1", 1000), 1000);
	made("login_defence_known_limit = 0\n", 1000);
	assert_true(right("kim@a.example", "10.0.0.1"));
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 1000);
	/* web mail on this host: an account's limits only */
	made("", 1000);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(guess(account_of('u', i),
		    "127.0.0.1", 1), 1);
	assert_int_equal(guess("kim@a.example", "127.0.0.1", 1000), 20);
	made("login_defence_exempt_networks = !10.1.0.0/16, 10.0.0.0/8\n",
	    1000);
	assert_int_equal(guess("", "10.0.0.1", 1000), 1000);
	assert_int_equal(guess("", "10.1.0.1", 1000), 50);
	assert_int_equal(guess("", "127.0.0.1", 1000), 50);
	/* no address at all: only the account's limit is left */
	assert_int_equal(guess("kim@a.example", "unknown", 1000), 20);
	made("login_defence_window = 1d\n", 1000);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 20);
	now += DAY - GUESS_SLOT_MS;
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 0);
	now += GUESS_SLOT_MS;
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 20);
}

/* --- times --- */

static void
test_what_is_told_of_the_end_is_true(void **state)
{
	unsigned i;

	(void)state;
	/* five in each of four slots */
	for (i = 0; i < 4; i++, now += GUESS_SLOT_MS)
		assert_int_equal(guess("kim@a.example", "10.0.0.1", 5), 5);
	now -= GUESS_SLOT_MS;
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1), 0);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.closed_until, BEGIN + 6 * HOUR);
	now = told.closed_until - 1;
	assert_int_equal(ask("kim@a.example", "10.0.0.1").answer,
	    DEFENCE_REFUSED);
	now++;
	assert_int_equal(ask("kim@a.example", "10.0.0.1").answer,
	    DEFENCE_SLOW);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 15);
}

static void
test_a_network_is_known_for_its_time(void **state)
{
	(void)state;
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(told.known, 1);
	assert_true(right("kim@a.example", OFFICE));
	now += HOUR;
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(told.known, 1);	/* not at each login */
	now += DAY;
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(told.known, 2);
	now += 30 * DAY - 1;
	assert_int_equal(guess("kim@a.example", OFFICE, 25), 25);
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 0);
	now++;
	assert_int_equal(guess("kim@a.example", OFFICE, 25), 20);
	assert_int_equal(told.counted[DEFENCE_ACCOUNT], 20);
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 0);
}

static void
test_what_has_expired_goes(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 500; i++) {
		(void)guess(account_of('u', i),
		    host_of(10, i), 1);
		(void)wrong(account_of('s', i),
		    host_of(11, i), NULL);
		assert_true(right(account_of('r', i),
		    host_of(12, i)));
	}
	assert_int_equal(defence_count(d, DEFENCE_ACCOUNT), 1000);
	assert_int_equal(defence_count(d, DEFENCE_NETWORK), 1500);
	now += DAY + HOUR;
	defence_sweep(d, now, 100);	/* a bounded turn */
	assert_int_equal(defence_count(d, DEFENCE_ACCOUNT), 900);
	defence_sweep(d, now, 100000);
	assert_int_equal(defence_count(d, DEFENCE_ACCOUNT), 0);
	assert_int_equal(defence_count(d, DEFENCE_NETWORK), 500);
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 500);
	now += 30 * DAY;
	defence_sweep(d, now, 100000);
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 0);
	defence_sweep(d, now, 100000);
	assert_int_equal(defence_count(d, DEFENCE_NETWORK), 0);
}

/* --- bounds --- */

static void
test_memory_is_bounded(void **state)
{
	unsigned i;

	(void)state;
	made("", 1000);
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(guess("kim@a.example", "192.0.2.1", 1000), 20);
	for (i = 0; i < 20000; i++) {
		(void)guess(account_of('u', i),
		    host_of(10, i), 1);
		/* an account under attack stays in mind */
		if (i % 500 == 0)
			assert_int_equal(ask("kim@a.example",
			    "192.0.3.1").answer, DEFENCE_REFUSED);
		if (i % 500 == 0)
			defence_take_guesses(d, now, DEFENCE_ACCOUNT,
			    SPAN_LIT("kim@a.example"), 0, guess_slot(now), 1);
	}
	assert_true(defence_count(d, DEFENCE_ACCOUNT) <= 1000);
	assert_true(defence_count(d, DEFENCE_NETWORK) <= 1001);
	/* a flood of guesses takes no known network away */
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 1);
	assert_true(right("kim@a.example", OFFICE));
	for (i = 0; i < 5000; i++)
		(void)right(account_of('r', i),
		    host_of(12, i));
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 1000);
	assert_true(defence_count(d, DEFENCE_NETWORK) <= 2000);
}

/* Who has a mailbox here and all of IPv6 logs in from everywhere, so that kim's
 * own network is forgotten and kim can be shut out by guessing. */
static void
test_one_account_takes_no_room_of_others(void **state)
{
	unsigned i;
	char ip[64];

	(void)state;
	made("", 1000);
	assert_true(right("kim@a.example", OFFICE));
	for (i = 0; i < 5000; i++) {
		snprintf(ip, sizeof(ip), "2001:db8:%x:%x::1", i / 256,
		    i % 256);
		assert_true(right("mallory@a.example", ip));
	}
	assert_int_equal(defence_count(d, DEFENCE_KNOWN),
	    1 + DEFENCE_KNOWN_MAX);
	assert_int_equal(guess("kim@a.example", "192.0.2.1", 1000), 20);
	assert_true(right("kim@a.example", OFFICE));
	/* those it used last are the ones it knows */
	assert_int_equal(guess("mallory@a.example", "192.0.2.2", 1000), 20);
	assert_true(right("mallory@a.example", ip));
	assert_false(right("mallory@a.example", "2001:db8:0:1::1"));
	now += 400 * DAY;
	defence_sweep(d, now, 100000);
	defence_sweep(d, now, 100000);	/* networks, known no more */
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 0);
	assert_int_equal(defence_count(d, DEFENCE_NETWORK), 0);
}

static void
test_names_of_any_kind(void **state)
{
	char name[2000];
	unsigned i;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (i = 0; i < 10; i++)
		assert_int_equal(guess(name, OFFICE, 1), 1);
	assert_int_equal(ask(name, OFFICE).answer, DEFENCE_OPEN);
	assert_true(right(name, OFFICE));
	assert_int_equal(guess("\"a b\"@a.example", OFFICE, 1), 1);
	assert_true(right("\"a b\"@a.example", OFFICE));
	assert_int_equal(guess("\"a b\"@a.example", OFFICE, 1), 1);
	assert_true(defence_forgive(d, now, SPAN_LIT("\"a b\"@a.example")));
	assert_int_equal(guess("", "", 3), 3);
}

/* --- forgiving --- */

static void
test_forgiving(void **state)
{
	(void)state;
	assert_false(defence_forgive(d, now, SPAN_LIT("kim@a.example")));
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(guess("kim@a.example", "192.0.2.1", 1000), 20);
	assert_int_equal(guess("kim@a.example", OFFICE, 1000), 30);
	assert_true(defence_forgive(d, now, SPAN_LIT("kim@a.example")));
	assert_int_equal(told.forgiven, 2);
	assert_true(right("kim@a.example", "192.0.2.1"));
	assert_true(right("kim@a.example", OFFICE));
	/* it begins anew, in the same slot; at once again, too */
	assert_int_equal(guess("kim@a.example", "203.0.113.1", 1000), 20);
	assert_true(defence_forgive(d, now, SPAN_LIT("kim@a.example")));
	assert_int_equal(guess("kim@a.example", "203.0.113.1", 1000), 20);
	/* a network: what it used up, and accounts that know it */
	made("login_defence_account_limit = 0\n", 1000);
	assert_int_equal(guess("x@a.example", OFFICE, 1000), 50);
	assert_true(right("kim@a.example", "198.51.100.3") == false);
	assert_true(defence_forgive(d, now, SPAN_LIT("198.51.100.0/24")));
	assert_true(right("kim@a.example", "198.51.100.3"));
	assert_int_equal(guess("kim@a.example", OFFICE, 1000), 30);
	assert_true(defence_forgive(d, now, SPAN_LIT("198.51.100.0/24")));
	assert_true(right("kim@a.example", "198.51.100.3"));
}

/* --- other hosts --- */

static void
test_what_others_say(void **state)
{
	struct span kim = SPAN_LIT("kim@a.example");
	int64_t slot = guess_slot(now);

	(void)state;
	/* totals: the same again, or an older one, changes nothing */
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot, 12);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot, 12);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot, 7);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 12);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot - 1, 5);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 17);
	assert_int_equal(guess("kim@a.example", "10.0.0.1", 1000), 3);
	/* nonsense */
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot + 1000,
	    1);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot - 1000,
	    1);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, INT64_MAX, 1);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, UINT64_MAX, slot,
	    0);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, SPAN_LIT(""), 0, slot,
	    1);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 20);
	/* forgiven elsewhere; guesses from before come late */
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, (uint64_t)now,
	    slot, 0);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 0);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, 0, slot, 20);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 0);
	defence_take_guesses(d, now, DEFENCE_ACCOUNT, kim, (uint64_t)now,
	    slot, 4);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 4);
	/* known networks */
	defence_take_known(d, now, kim, SPAN_LIT("198.51.100.0/24"),
	    now + HOUR);
	assert_int_equal(guess("kim@a.example", OFFICE, 10), 10);
	assert_int_equal(ask("kim@a.example", "10.0.0.1").level, 4);
	assert_int_equal(told.known, 0);
	defence_take_known(d, now, kim, SPAN_LIT("192.0.2.0/24"), now);
	assert_int_equal(defence_count(d, DEFENCE_KNOWN), 1);
	/* of a network that is not known here, and then is */
	defence_take_guesses(d, now, DEFENCE_KNOWN,
	    SPAN_LIT("lee@a.example 192.0.2.0/24"), 0, slot, 30);
	assert_int_equal(ask("lee@a.example", "192.0.2.1").answer,
	    DEFENCE_OPEN);
	defence_take_known(d, now, SPAN_LIT("lee@a.example"),
	    SPAN_LIT("192.0.2.0/24"), now + HOUR);
	assert_int_equal(ask("lee@a.example", "192.0.2.1").answer,
	    DEFENCE_REFUSED);
}

static void
test_rows(void **state)
{
	enum defence_kind kind = 0;
	struct defence_row row;
	size_t pos = 0, n = 0;

	(void)state;
	assert_true(right("kim@a.example", OFFICE));
	assert_int_equal(guess("lee@a.example", "192.0.2.1", 25), 20);
	while (defence_next(d, now, &kind, &pos, &row))
		n++;
	assert_int_equal(n, 4);
	assert_true(defence_find(d, now, DEFENCE_ACCOUNT,
	    SPAN_LIT("lee@a.example"), &row));
	assert_int_equal(row.answer, DEFENCE_REFUSED);
	assert_int_equal(row.level, 20);
	assert_int_equal(row.limit, 20);
	assert_int_equal(row.refused, 5);
	assert_int_equal(row.until_ms, BEGIN + 6 * HOUR);
	assert_true(defence_find(d, now, DEFENCE_NETWORK,
	    SPAN_LIT("198.51.100.0/24"), &row));
	assert_int_equal(row.limit, 60);
	assert_false(defence_find(d, now, DEFENCE_ACCOUNT,
	    SPAN_LIT("kim@a.example"), &row));
}

/* --- guesses.h alone --- */

static void
test_slots_and_marks(void **state)
{
	struct guesses g = { 0 };
	unsigned i;

	(void)state;
	assert_true(guesses_add(&g, 100, 1));
	assert_false(guesses_add(&g, 100, 1));
	for (i = 2; i <= GUESS_MARKS; i++)
		assert_true(guesses_add(&g, 101, i));
	/* the one repeated stays in mind while others pass */
	for (i = 1000; i < 2000; i++) {
		assert_false(guesses_add(&g, 102, 1));
		assert_true(guesses_add(&g, 102, i));
	}
	assert_false(guesses_know(&g, 2));
	assert_int_equal(guesses_of_slot(&g, 100), 1);
	assert_int_equal(guesses_of_slot(&g, 101), GUESS_MARKS - 1);
	assert_int_equal(guesses_of_slot(&g, 102), 1000);
	assert_int_equal(guesses_level(&g, 102, 1), 1000);
	assert_int_equal(guesses_level(&g, 102, 48), 1000 + GUESS_MARKS);
	/* back in time: counted now, no more and no less */
	assert_true(guesses_add(&g, 90, 5000));
	assert_int_equal(guesses_of_slot(&g, 102), 1001);
	assert_int_equal(guesses_level(&g, 90, 1), 1001);
	assert_int_equal(guesses_level(&g, 149, 48), 1001);
	assert_int_equal(guesses_level(&g, 150, 48), 0);
	assert_true(guesses_add(&g, 1000000, 1) == false);
	assert_true(guesses_add(&g, 1000000, 9));
	assert_int_equal(guesses_level(&g, 1000000, 48), 1);
	for (i = 0; i < 70000; i++)
		(void)guesses_add(&g, 1000000, 10000 + i);
	assert_int_equal(guesses_level(&g, 1000000, 48), GUESS_COUNT_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f)	cmocka_unit_test_setup(f, fresh)
		T(test_a_stale_phone_hurts_nobody),
		T(test_a_stale_phone_with_scram_hurts_nobody),
		T(test_an_office_behind_one_address),
		T(test_many_stale_phones_behind_one_address),
		T(test_a_network_may_have_as_many_mistaken_people_as_it_has_people),
		T(test_a_thousand_hosts_at_one_account),
		T(test_one_host_at_a_thousand_accounts),
		T(test_an_ipv6_host_has_a_whole_64),
		T(test_an_ipv6_host_with_a_whole_48),
		T(test_scram_is_no_way_around_it),
		T(test_a_guesser_in_a_known_network_is_held),
		T(test_delays_grow_from_a_quarter_of_the_limit),
		T(test_settings),
		T(test_what_is_told_of_the_end_is_true),
		T(test_a_network_is_known_for_its_time),
		T(test_what_has_expired_goes),
		T(test_memory_is_bounded),
		T(test_one_account_takes_no_room_of_others),
		T(test_names_of_any_kind),
		T(test_forgiving),
		T(test_what_others_say),
		T(test_rows),
		T(test_slots_and_marks),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, ended);
}
