/*
 * The rules of the directory cache (DESIGN §6), each against a real
 * PostgreSQL: what is cached, what ends it, what is served without a database.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "db/directory.h"
#include "db/testpg.h"
#include "db/testproxy.h"

static struct testpg pg;
static struct loop *l;

#define CONF_HOST \
	"host_name_in_database = mx.example\ndatabase_heartbeat = 200ms\n"
/* A busy machine is not a connection that is dead. */
#define CONF_PATIENT	CONF_HOST "directory_stale_after = 600s\n"
#define CONF_HASTY	CONF_HOST "directory_stale_after = 2000ms\n"

struct answer {
	int calls;
	enum resolve_class class;
	size_t boxes, forwards;
	uint64_t box, host;
	bool local;
	char address[128], forward[128], extension[64], why[256];
	char transport[64];
	int64_t quota;
};

static void
answer_cb(const struct resolution *r, void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->class = r->class;
	a->boxes = r->n_mailboxes;
	a->forwards = r->n_forwards;
	(void)snprintf(a->why, sizeof(a->why), "%s", r->why);
	(void)snprintf(a->transport, sizeof(a->transport), "%s",
	    r->transport);
	if (r->n_forwards > 0)
		(void)snprintf(a->forward, sizeof(a->forward), "%s",
		    r->forwards[0]);
	if (r->n_mailboxes == 0)
		return;
	a->box = r->mailboxes[0].id;
	a->host = r->mailboxes[0].host_id;
	a->local = r->mailboxes[0].local;
	a->quota = r->mailboxes[0].quota_bytes;
	(void)snprintf(a->address, sizeof(a->address), "%s",
	    r->mailboxes[0].address);
	(void)snprintf(a->extension, sizeof(a->extension), "%s",
	    r->mailboxes[0].extension);
}

static bool
answered(void *arg)
{
	return ((struct answer *)arg)->calls > 0;
}

static struct answer
ask(struct directory *d, const char *address)
{
	struct answer a = { .calls = 0 };

	if (address[0] == '@')
		(void)directory_domain(d, span_str(address + 1), answer_cb,
		    &a);
	else
		(void)directory_resolve(d, span_str(address), answer_cb, &a);
	assert_int_equal(a.calls, 0);		/* never inside the call */
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.calls, 1);
	return a;
}

static bool
peeks(struct directory *d, const char *address)
{
	struct resolution *r = directory_peek(d, span_str(address));
	bool there = r != NULL;

	resolution_unref(&r);
	return there;
}

struct peek {
	struct directory *d;
	const char *address;
};

static bool
is_forgotten(void *arg)
{
	struct peek *p = arg;

	return !peeks(p->d, p->address);
}

/* A NOTIFY takes a moment; an entry that stays is a failure. */
static void
assert_forgotten(struct directory *d, const char *address)
{
	struct peek p = { d, address };

	assert_true(testpg_wait(l, is_forgotten, &p, TESTPG_PATIENCE));
}

/* For what is told or found out only after a moment. */
static void
ask_until(struct directory *d, const char *address, enum resolve_class class)
{
	uint64_t until = clock_mono_ms() + TESTPG_PATIENCE;

	while (ask(d, address).class != class) {
		assert_true(clock_mono_ms() < until);
		testpg_sleep(l, 50);
	}
}

static bool
is_stale(void *arg)
{
	return directory_is_stale(arg);
}

static bool
is_live(void *arg)
{
	return !directory_is_stale(arg);
}

static uint64_t
queries(struct directory *d)
{
	struct directory_stats s;

	directory_stats(d, &s);
	return s.queries;
}

static struct directory *
dir_on(const char *url, const char *more)
{
	struct conf *conf = testpg_conf(url, more);
	struct directory *d = directory_new(l, conf, NULL);

	conf_unref(&conf);
	return d;
}

static struct directory *
dir_new(void)
{
	return dir_on(pg.url, CONF_PATIENT);
}

static int
fresh_data(void **state)
{
	(void)state;
	testpg_run(&pg, "DROP SCHEMA IF EXISTS site CASCADE");
	testpg_run(&pg, "TRUNCATE organisation, host, transport, event "
	    "RESTART IDENTITY CASCADE");
	testpg_run(&pg, "SELECT host_add('mx.example'), "
	    "host_add('mx2.example')");
	testpg_run(&pg, "SELECT domain_add('a.example', 'mailbox', NULL, "
	    "NULL), domain_add('b.example', 'mailbox', NULL, NULL)");
	testpg_run(&pg, "SELECT mailbox_add('kim@a.example', 'mx.example', "
	    "NULL, 5000, NULL), "
	    "mailbox_add('lee@b.example', 'mx.example', NULL, NULL, NULL), "
	    "mailbox_add('far@a.example', 'mx2.example', NULL, NULL, NULL)");
	l = loop_new();
	return 0;
}

static int
loop_gone(void **state)
{
	(void)state;
	loop_free(&l);
	return 0;
}

/* --- answers --- */

static void
addresses_are_resolved(void **state)
{
	struct directory *d = dir_new();
	struct answer a;

	(void)state;
	a = ask(d, "kim+tag@a.example");
	assert_int_equal(a.class, RESOLVE_MAILBOX);
	assert_int_equal(a.boxes, 1);
	assert_int_equal(a.box, 1);
	assert_true(a.local);
	assert_int_equal(a.quota, 5000);
	assert_string_equal(a.address, "kim@a.example");
	assert_string_equal(a.extension, "tag");
	a = ask(d, "far@a.example");
	assert_int_equal(a.boxes, 1);
	assert_false(a.local);
	assert_int_equal(ask(d, "nobody@a.example").class, RESOLVE_UNKNOWN);
	assert_int_equal(ask(d, "x@elsewhere.example").class,
	    RESOLVE_NOT_LOCAL);
	testpg_run(&pg, "SELECT transport_add('google', 'smtp', "
	    "'aspmx.l.google.com')");
	testpg_run(&pg, "SELECT domain_add('r.example', 'relay', 'google', "
	    "NULL)");
	a = ask(d, "anybody@r.example");
	assert_int_equal(a.class, RESOLVE_RELAY);
	assert_string_equal(a.forward, "anybody@r.example");
	assert_string_equal(a.transport, "google");
	directory_free(&d);
}

/* A change of myhostname: mail for our own must not be taken as that of
 * another host, which nobody would ever deliver. */
static void
a_host_that_is_not_there_knows_no_mailbox(void **state)
{
	struct directory *d = dir_on(pg.url,
	    "host_name_in_database = MX9.example\n"
	    "database_heartbeat = 200ms\ndirectory_stale_after = 600s\n");
	struct answer a;

	(void)state;
	a = ask(d, "kim@a.example");
	assert_int_equal(a.class, RESOLVE_TEMP);
	assert_string_equal(a.why, "this host is not in the database");
	assert_int_equal(ask(d, "nobody@a.example").class, RESOLVE_UNKNOWN);
	testpg_run(&pg, "SELECT host_add('mx9.example'), "
	    "mailbox_add('new@a.example', 'mx9.example', NULL, NULL, NULL)");
	ask_until(d, "new@a.example", RESOLVE_MAILBOX);
	assert_true(ask(d, "new@a.example").local);
	assert_false(ask(d, "kim@a.example").local);
	directory_free(&d);
}

static void
domains_are_told_apart(void **state)
{
	struct directory *d = dir_new();
	struct resolution *r;

	(void)state;
	testpg_run(&pg, "SELECT domain_add('r.example', 'relay', NULL, NULL),"
	    " domain_add('c.example', 'alias', 'a.example', NULL)");
	assert_int_equal(ask(d, "@a.example").class, RESOLVE_MAILBOX);
	assert_int_equal(ask(d, "@r.example").class, RESOLVE_RELAY);
	assert_int_equal(ask(d, "@c.example").class, RESOLVE_MAILBOX);
	assert_int_equal(ask(d, "@new.example").class, RESOLVE_NOT_LOCAL);
	assert_int_equal(ask(d, "@sub.a.example").class, RESOLVE_NOT_LOCAL);
	r = directory_domain_peek(d, SPAN_LIT("a.example"));
	assert_non_null(r);
	assert_string_equal(r->domain, "a.example");
	resolution_unref(&r);
	testpg_run(&pg, "SELECT domain_add('new.example', 'mailbox', NULL, "
	    "NULL)");
	testpg_run(&pg, "SELECT domain_set('a.example', 'active', 'no')");
	ask_until(d, "@new.example", RESOLVE_MAILBOX);
	ask_until(d, "@c.example", RESOLVE_DISABLED);
	directory_free(&d);
}

static void
what_is_no_address_is_nobody(void **state)
{
	static const char *const bad[] = { "", "kim", "kim@", "k\nm@a.example",
	    "\xff@a.example" };
	struct directory *d = dir_new();
	struct answer a = { .calls = 0 };
	char long_key[2000];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ask(d, bad[i]).class, RESOLVE_UNKNOWN);
	memset(long_key, 'x', sizeof(long_key));
	long_key[1990] = '@';
	(void)directory_resolve(d, span_of(long_key, sizeof(long_key)),
	    answer_cb, &a);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.class, RESOLVE_UNKNOWN);
	assert_int_equal(queries(d), 0);
	directory_free(&d);
}

/* --- the cache --- */

static void
a_warm_look_up_asks_nobody(void **state)
{
	struct directory *d = dir_new();
	struct resolution *r, *keep;
	uint64_t us;
	int i;

	(void)state;
	assert_false(peeks(d, "kim@a.example"));
	(void)ask(d, "kim@a.example");
	(void)ask(d, "nobody@a.example");
	assert_int_equal(queries(d), 2);
	keep = directory_peek(d, SPAN_LIT("kim@a.example"));
	assert_non_null(keep);
	us = clock_mono_us();
	for (i = 0; i < 100000; i++) {
		r = directory_peek(d, SPAN_LIT("kim@a.example"));
		assert_ptr_equal(r, keep);	/* the same: no allocation */
		resolution_unref(&r);
	}
	us = clock_mono_us() - us;
	print_message("warm look-up: %llu ns\n",
	    (unsigned long long)(us / 100));
	assert_true(peeks(d, "nobody@a.example"));
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	assert_int_equal(queries(d), 2);
	directory_free(&d);
	/* Held references outlive the directory. */
	assert_string_equal(keep->mailboxes[0].address, "kim@a.example");
	resolution_unref(&keep);
}

static void
a_change_is_live_at_once(void **state)
{
	struct directory *d = dir_new();

	(void)state;
	(void)ask(d, "kim@a.example");
	(void)ask(d, "new@a.example");
	(void)ask(d, "lee@b.example");
	testpg_run(&pg, "SELECT mailbox_del('kim@a.example')");
	assert_forgotten(d, "kim@a.example");
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_UNKNOWN);
	testpg_run(&pg, "SELECT mailbox_add('new@a.example', 'mx.example', "
	    "NULL, NULL, NULL)");
	assert_forgotten(d, "new@a.example");
	assert_int_equal(ask(d, "new@a.example").class, RESOLVE_MAILBOX);
	assert_true(peeks(d, "lee@b.example"));	/* not touched */
	testpg_run(&pg, "SELECT alias_add('@a.example', "
	    "ARRAY['new@a.example'])");
	assert_forgotten(d, "kim@a.example");	/* the miss had it noted */
	assert_int_equal(ask(d, "kim@a.example").boxes, 1);
	testpg_run(&pg, "SELECT organisation_set('default', 'active', "
	    "'no')");
	assert_forgotten(d, "lee@b.example");
	assert_int_equal(ask(d, "lee@b.example").class, RESOLVE_DISABLED);
	directory_free(&d);
}

static void
an_alias_across_domains_goes_with_its_target(void **state)
{
	struct directory *d = dir_new();
	struct answer a;

	(void)state;
	testpg_run(&pg, "SELECT alias_add('sales@a.example', "
	    "ARRAY['lee@b.example', 'out@elsewhere.example'])");
	a = ask(d, "sales@a.example");
	assert_int_equal(a.boxes, 1);
	assert_int_equal(a.forwards, 1);
	testpg_run(&pg, "SELECT mailbox_del('lee@b.example')");
	assert_forgotten(d, "sales@a.example");
	a = ask(d, "sales@a.example");
	assert_int_equal(a.boxes, 0);
	assert_int_equal(a.forwards, 1);
	/* The stranger's domain becomes ours. */
	testpg_run(&pg, "SELECT domain_add('elsewhere.example', 'mailbox', "
	    "NULL, NULL)");
	assert_forgotten(d, "sales@a.example");
	a = ask(d, "sales@a.example");
	assert_int_equal(a.class, RESOLVE_UNKNOWN);
	directory_free(&d);
}

static void
identical_look_ups_in_flight_are_one(void **state)
{
	struct directory *d = dir_new();
	struct answer a[100] = { { .calls = 0 } };
	struct directory_ask *one = NULL;
	struct directory_stats s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(a); i++) {
		struct directory_ask *h = directory_resolve(d,
		    SPAN_LIT("kim@a.example"), answer_cb, &a[i]);

		if (i == 50)
			one = h;
	}
	directory_cancel(&one);
	assert_null(one);
	assert_true(testpg_wait(l, answered, &a[99], TESTPG_PATIENCE));
	for (i = 0; i < ARRAY_LEN(a); i++)
		assert_int_equal(a[i].calls, i == 50 ? 0 : 1);
	directory_stats(d, &s);
	assert_int_equal(s.queries, 1);
	assert_int_equal(s.joined, 99);
	directory_free(&d);
}

static void
a_flood_of_unknown_names_harms_no_entry(void **state)
{
	struct directory *d = dir_on(pg.url,
	    "host_name_in_database = mx.example\n"
	    "directory_cache_negative_entries = 100\n"
	    "directory_cache_entries = 100\n");
	enum { FLOOD = 1000 };
	struct answer *a = xcalloc(FLOOD, sizeof(*a));
	struct directory_stats s;
	char name[64];
	int i;

	(void)state;
	(void)ask(d, "kim@a.example");
	for (i = 0; i < FLOOD; i++) {
		(void)snprintf(name, sizeof(name), "x%d@a.example", i);
		(void)directory_resolve(d, span_str(name), answer_cb, &a[i]);
	}
	assert_true(testpg_wait(l, answered, &a[FLOOD - 1], TESTPG_PATIENCE));
	for (i = 0; i < FLOOD; i++) {
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].class, RESOLVE_UNKNOWN);
	}
	directory_stats(d, &s);
	assert_int_equal(s.positive, 1);
	assert_int_equal(s.negative, 100);
	assert_true(peeks(d, "kim@a.example"));
	directory_free(&d);
	free(a);
}

/*
 * The query's snapshot is taken, the change commits and its NOTIFY goes out,
 * then the old answer arrives. It may be given, but not kept. Through the
 * proxy the NOTIFY comes in reads of its own: between the answer and its end.
 */
static void
late_snapshot(const char *host)
{
	PGconn *holder = PQconnectdb(pg.url);
	char *url = xasprintf("postgresql:///postern?host=%s", host);
	struct answer a = { .calls = 0 };
	struct directory *d;

	testpg_run(&pg, "CREATE SCHEMA site; GRANT USAGE ON SCHEMA site TO "
	    "postern_lookup; "
	    "CREATE FUNCTION site.resolve_recipient(text, text) RETURNS "
	    "TABLE (item text, value text, id bigint, host_id bigint, state "
	    "text, quota_bytes bigint, quota_messages bigint, extension text)"
	    " LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT * FROM "
	    "postern.resolve_recipient($1, $2); "
	    "PERFORM pg_advisory_xact_lock_shared(7); "
	    "END $$");
	d = dir_on(url, "database_search_path = site, postern\n"
	    "host_name_in_database = mx.example\n");
	(void)ask(d, "@a.example");		/* connected */
	PQclear(PQexec(holder, "SELECT pg_advisory_lock(7)"));
	(void)directory_resolve(d, SPAN_LIT("kim@a.example"), answer_cb, &a);
	/* its snapshot is taken */
	assert_true(testpg_wait(l, testpg_waits_for_lock, &pg,
	    TESTPG_PATIENCE));
	testpg_run(&pg, "SELECT mailbox_del('kim@a.example')");
	assert_int_equal(a.calls, 0);
	PQfinish(holder);
	assert_true(testpg_wait(l, answered, &a, TESTPG_PATIENCE));
	assert_int_equal(a.class, RESOLVE_MAILBOX);	/* the old one */
	assert_forgotten(d, "kim@a.example");
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_UNKNOWN);
	directory_free(&d);
	free(url);
}

static void
an_answer_from_a_late_snapshot_is_not_kept(void **state)
{
	char *host = xasprintf("%s/s", pg.dir);

	(void)state;
	late_snapshot(host);
	free(host);
}

static void
nor_when_its_notify_comes_before_its_end(void **state)
{
	char *host = xasprintf("%s/s", pg.dir);
	struct testproxy *p = testproxy_new(l, host);

	(void)state;
	late_snapshot(testproxy_dir(p));
	testproxy_free(&p);
	free(host);
}

static void
rows_that_make_no_sense_are_temporary(void **state)
{
	struct directory *d;

	(void)state;
	testpg_run(&pg, "CREATE SCHEMA site; GRANT USAGE ON SCHEMA site TO "
	    "postern_lookup; CREATE FUNCTION site.resolve_recipient(address "
	    "text, delimiter text) RETURNS TABLE (item text, value text, id "
	    "bigint, host_id bigint, state text, quota_bytes bigint, "
	    "quota_messages bigint, extension text) LANGUAGE sql AS $$ "
	    "SELECT 'class', CASE address WHEN 'b@x.example' THEN 'sheep' "
	    "ELSE 'mailbox' END, 1, 1, NULL::text, 0, 0, NULL::text "
	    "WHERE address <> 'a@x.example' UNION ALL "
	    "SELECT 'mailbox', 'x', CASE address WHEN 'c@x.example' THEN -1 "
	    "ELSE 7 END, 1, CASE address WHEN 'd@x.example' THEN 'odd' "
	    "ELSE 'active' END, 0, 0, NULL UNION ALL "
	    "SELECT 'new item', 'y', 1, 1, NULL, 0, 0, NULL $$");
	d = dir_on(pg.url, CONF_PATIENT "database_search_path = site, "
	    "postern\n");
	assert_int_equal(ask(d, "a@x.example").class, RESOLVE_TEMP);
	assert_int_equal(ask(d, "b@x.example").class, RESOLVE_TEMP);
	assert_int_equal(ask(d, "c@x.example").class, RESOLVE_TEMP);
	assert_int_equal(ask(d, "d@x.example").class, RESOLVE_TEMP);
	assert_false(peeks(d, "d@x.example"));
	assert_int_equal(ask(d, "e@x.example").box, 7);
	directory_free(&d);
}

/* --- when the database is away --- */

static int
backend_pid(void)
{
	char *s = testpg_sql(&pg, "SELECT pid FROM pg_stat_activity "
	    "WHERE usename = 'postern_lookup' LIMIT 1");
	int pid = (int)strtol(s, NULL, 10);

	free(s);
	return pid;
}

/* The server process stops answering, the socket stays: only silence tells. */
static void
a_dead_listen_connection_is_not_believed(void **state)
{
	struct directory *d = dir_on(pg.url, CONF_HASTY);
	int pid;

	(void)state;
	(void)ask(d, "kim@a.example");
	pid = backend_pid();
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	testpg_run(&pg, "SELECT mailbox_del('kim@a.example')");
	assert_true(testpg_wait(l, is_stale, d, TESTPG_PATIENCE));
	/* served until there is another connection, and asked for anew then */
	ask_until(d, "kim@a.example", RESOLVE_UNKNOWN);
	assert_int_equal(kill(pid, SIGCONT), 0);
	directory_free(&d);
}

static void
after_a_reconnect_nothing_old_is_fresh(void **state)
{
	struct directory *d = dir_new();
	struct directory_stats s;

	(void)state;
	(void)ask(d, "kim@a.example");
	/* The change happens in the very moment nobody listens. */
	testpg_run(&pg, "SELECT pg_terminate_backend(pid) FROM "
	    "pg_stat_activity WHERE usename = 'postern_lookup'");
	testpg_run(&pg, "SELECT mailbox_del('kim@a.example')");
	ask_until(d, "kim@a.example", RESOLVE_UNKNOWN);
	directory_stats(d, &s);
	assert_true(s.flushes >= 2);
	directory_free(&d);
}

static void
stale_answers_are_served(void **state)
{
	struct directory *d = dir_on(pg.url, CONF_PATIENT
	    "directory_max_stale = 1h\n");
	struct directory_stats s;
	struct answer a;

	(void)state;
	(void)ask(d, "kim@a.example");
	(void)ask(d, "nobody@a.example");
	testpg_do(&pg, "stop immediate");
	assert_true(testpg_wait(l, is_stale, d, TESTPG_PATIENCE));
	assert_true(peeks(d, "kim@a.example"));
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	assert_int_equal(ask(d, "nobody@a.example").class, RESOLVE_UNKNOWN);
	a = ask(d, "lee@b.example");		/* never seen */
	assert_int_equal(a.class, RESOLVE_TEMP);
	directory_stats(d, &s);
	assert_true(s.stale_served >= 3);
	testpg_do(&pg, "start");
	assert_true(testpg_wait(l, is_live, d, TESTPG_PATIENCE));
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	directory_free(&d);
}

static void
but_not_for_ever(void **state)
{
	struct directory *d = dir_on(pg.url, CONF_PATIENT
	    "directory_max_stale = 1s\n");

	(void)state;
	(void)ask(d, "kim@a.example");
	testpg_do(&pg, "stop immediate");
	assert_true(testpg_wait(l, is_stale, d, TESTPG_PATIENCE));
	assert_forgotten(d, "kim@a.example");
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_TEMP);
	testpg_do(&pg, "start");
	assert_true(testpg_wait(l, is_live, d, TESTPG_PATIENCE));
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	directory_free(&d);
}

struct load {
	struct directory *d;
	struct timer tick;
	unsigned asked, told, right, temp;
	bool stop;
	unsigned wanted;
};

static void
load_cb(const struct resolution *r, void *arg)
{
	struct load *ld = arg;

	ld->told++;
	if (r->class == RESOLVE_TEMP)
		ld->temp++;
	else if (r->class == RESOLVE_MAILBOX && r->n_mailboxes == 1 &&
	    strcmp(r->mailboxes[0].address, r->address) == 0)
		ld->right++;
}

static void
load_tick_cb(void *arg)
{
	static const char *const who[] = { "kim@a.example", "lee@b.example",
	    "far@a.example" };
	struct load *ld = arg;

	if (ld->stop)
		return;
	(void)directory_resolve(ld->d, span_str(who[ld->asked++ % 3]),
	    load_cb, ld);
	timer_set_ms(&ld->tick, 1);
}

static bool
load_grew(void *arg)
{
	struct load *ld = arg;

	return ld->asked >= ld->wanted;
}

static bool
load_drained(void *arg)
{
	struct load *ld = arg;

	return ld->told == ld->asked;
}

static void
a_restart_under_load_gives_no_wrong_answer(void **state)
{
	struct load ld = { .d = dir_new() };
	int i;

	(void)state;
	timer_init(&ld.tick, l, load_tick_cb, &ld);
	timer_set_ms(&ld.tick, 0);
	testpg_sleep(l, 100);
	for (i = 0; i < 3; i++) {
		testpg_do(&pg, i % 2 == 0 ? "restart immediate" :
		    "restart fast");
		/* every one of them forgotten and asked for in between */
		testpg_run(&pg, "NOTIFY postern_directory, '*'");
		testpg_sleep(l, 300);
		ld.wanted = ld.asked + 50;
		assert_true(testpg_wait(l, load_grew, &ld, TESTPG_PATIENCE));
	}
	ld.stop = true;
	assert_true(testpg_wait(l, load_drained, &ld, TESTPG_PATIENCE));
	assert_true(ld.told > 100);
	assert_int_equal(ld.told, ld.right + ld.temp);
	assert_int_equal(ld.temp, 0);	/* back within everyone's patience */
	timer_clear(&ld.tick);
	directory_free(&ld.d);
}

static bool
standby_has_it(void *arg)
{
	char *n = testpg_sql(arg, "SELECT count(*) FROM mailbox WHERE "
	    "local_part = 'fresh'");
	bool yes = strcmp(n, "1") == 0;

	free(n);
	return yes;
}

static void
a_standby_is_asked_every_time(void **state)
{
	struct testpg standby;
	struct directory *d;

	(void)state;
	testpg_standby(&standby, &pg);
	d = dir_on(standby.url, CONF_PATIENT);
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	assert_int_equal(ask(d, "fresh@a.example").class, RESOLVE_UNKNOWN);
	assert_true(directory_is_stale(d));
	assert_false(peeks(d, "kim@a.example"));
	testpg_run(&pg, "SELECT mailbox_add('fresh@a.example', "
	    "'mx.example', NULL, NULL, NULL)");
	assert_true(testpg_wait(l, standby_has_it, &standby, TESTPG_PATIENCE));
	assert_int_equal(ask(d, "fresh@a.example").class, RESOLVE_MAILBOX);
	assert_int_equal(queries(d), 3);
	/* Promoted, it is like any other after the next connect. */
	testpg_do(&standby, "promote");
	testpg_do(&standby, "restart fast");
	assert_true(testpg_wait(l, is_live, d, TESTPG_PATIENCE));
	ask_until(d, "kim@a.example", RESOLVE_MAILBOX);
	assert_true(peeks(d, "kim@a.example"));
	directory_free(&d);
	testpg_stop(&standby);
}

/* The primary dies, the standby takes over: the same URL finds it, and its
 * changes are live. */
static void
a_fail_over_is_followed(void **state)
{
	struct testpg other;
	struct directory *d;
	char *url;

	(void)state;
	testpg_standby(&other, &pg);
	url = xasprintf("host=%s/s,%s/s dbname=postern "
	    "target_session_attrs=read-write", pg.dir, other.dir);
	d = dir_on(url, CONF_PATIENT);
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	assert_true(peeks(d, "kim@a.example"));
	testpg_do(&pg, "stop fast");
	assert_true(testpg_wait(l, is_stale, d, TESTPG_PATIENCE));
	assert_true(peeks(d, "kim@a.example"));		/* but served */
	testpg_do(&other, "promote");
	ask_until(d, "lee@b.example", RESOLVE_MAILBOX);
	assert_true(testpg_wait(l, is_live, d, TESTPG_PATIENCE));
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_MAILBOX);
	testpg_run(&other, "SELECT mailbox_del('kim@a.example')");
	assert_forgotten(d, "kim@a.example");
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_UNKNOWN);
	directory_free(&d);
	testpg_stop(&other);
	testpg_do(&pg, "start");
	free(url);
}

static void
an_older_schema_is_not_asked(void **state)
{
	struct directory *d;

	(void)state;
	testpg_run(&pg, "CREATE TABLE kept AS SELECT * FROM migration; "
	    "DELETE FROM migration WHERE revision > 1");
	d = dir_new();
	assert_int_equal(ask(d, "kim@a.example").class, RESOLVE_TEMP);
	assert_int_equal(ask(d, "lee@b.example").class, RESOLVE_TEMP);
	assert_false(peeks(d, "kim@a.example"));
	/* Migrated meanwhile: noticed without a new connection. */
	testpg_run(&pg, "INSERT INTO migration SELECT * FROM kept WHERE "
	    "revision > 1; DROP TABLE kept");
	ask_until(d, "kim@a.example", RESOLVE_MAILBOX);
	assert_true(peeks(d, "kim@a.example"));
	directory_free(&d);
}

/* Many processes, but about one heartbeat per interval in all. */
static void
one_heartbeat_does_for_many(void **state)
{
	struct directory *d[8];
	struct directory_stats s;
	uint64_t began;
	char *before, *after;
	long n = 0;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(d); i++) {
		d[i] = dir_on(pg.url, CONF_PATIENT);
		(void)ask(d[i], "kim@a.example");
	}
	before = testpg_sql(&pg, "SELECT pg_current_xact_id()");
	began = clock_mono_ms();
	do {
		testpg_sleep(l, 2000);
		after = testpg_sql(&pg, "SELECT pg_current_xact_id()");
		/* each NOTIFY takes a transaction id */
		n = strtol(after, NULL, 10) - strtol(before, NULL, 10);
		free(after);
	} while (n < 5 && clock_mono_ms() - began < TESTPG_PATIENCE);
	/* eight that do not hear each other would be at 80 in 2 s */
	assert_in_range(n, 5, (clock_mono_ms() - began) * 60 / 2000);
	for (i = 0; i < ARRAY_LEN(d); i++) {
		assert_false(directory_is_stale(d[i]));
		directory_stats(d[i], &s);
		assert_int_equal(s.queries, 1);
		directory_free(&d[i]);
	}
	free(before);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, fresh_data, loop_gone)
	const struct CMUnitTest tests[] = {
		T(addresses_are_resolved),
		T(a_host_that_is_not_there_knows_no_mailbox),
		T(domains_are_told_apart),
		T(what_is_no_address_is_nobody),
		T(a_warm_look_up_asks_nobody),
		T(a_change_is_live_at_once),
		T(an_alias_across_domains_goes_with_its_target),
		T(identical_look_ups_in_flight_are_one),
		T(a_flood_of_unknown_names_harms_no_entry),
		T(an_answer_from_a_late_snapshot_is_not_kept),
		T(nor_when_its_notify_comes_before_its_end),
		T(rows_that_make_no_sense_are_temporary),
		T(a_dead_listen_connection_is_not_believed),
		T(after_a_reconnect_nothing_old_is_fresh),
		T(stale_answers_are_served),
		T(but_not_for_ever),
		T(a_restart_under_load_gives_no_wrong_answer),
		T(a_standby_is_asked_every_time),
		T(a_fail_over_is_followed),
		T(an_older_schema_is_not_asked),
		T(one_heartbeat_does_for_many),
	};
	int rc;

	log_level_set(LOG_L_FATAL);
	testpg_start(&pg);
	testpg_migrate(&pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	testpg_stop(&pg);
	return rc;
}
