#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "authd/login_cache.h"
#include "authd/turnstile.h"
#include "base/buf.h"
#include "base/testloop.h"

static struct loop *loop;
static struct buf order;	/* who went, in order; lower case: refused */

struct who {
	struct turn turn;
	char name;
};

static void
go_cb(void *arg)
{
	buf_char(&order, ((struct who *)arg)->name);
}

static void
refused_cb(void *arg)
{
	buf_char(&order, (char)(((struct who *)arg)->name | 32));
}

static void
turns(void)
{
	testloop_ms(loop, 1);
}

static void
enter(struct turnstile *t, struct who *w, char name, const char *ip)
{
	*w = (struct who){ .turn = { .go = go_cb, .refused = refused_cb,
	    .arg = w }, .name = name };
	turnstile_enter(t, &w->turn, span_str(ip));
}

/* Lets all who wait go, one after the other. */
static void
drain(struct turnstile *t, size_t running)
{
	while (running > 0 || turnstile_waiting(t) > 0) {
		turnstile_done(t);
		running--;
		running += turnstile_waiting(t) > 0;
		turns();
	}
}

static void
test_networks_take_turns(void **state)
{
	struct turnstile *t = turnstile_new(loop, 1, 100);
	struct who w[8];

	(void)state;
	buf_clear(&order);
	enter(t, &w[0], 'A', "192.0.2.1");
	enter(t, &w[1], 'B', "192.0.2.2");
	enter(t, &w[2], 'C', "192.0.2.250");
	enter(t, &w[3], 'D', "::ffff:192.0.2.7");	/* the same /24 */
	enter(t, &w[4], 'X', "198.51.100.1");
	enter(t, &w[5], 'Y', "2001:db8:1:2::1");
	enter(t, &w[6], 'Z', "2001:db8:1:ffff::1");	/* Y's /48 */
	enter(t, &w[7], 'U', "unknown");
	turns();
	drain(t, 1);
	assert_string_equal(buf_cstr(&order), "AXYUBZCD");
	turnstile_free(&t);
}

static void
test_the_longest_queue_loses_its_last(void **state)
{
	struct turnstile *t = turnstile_new(loop, 1, 3);
	struct who w[6];

	(void)state;
	buf_clear(&order);
	enter(t, &w[0], 'A', "192.0.2.1");
	turns();			/* runs */
	enter(t, &w[1], 'B', "192.0.2.1");
	enter(t, &w[2], 'C', "192.0.2.1");
	enter(t, &w[3], 'D', "192.0.2.1");
	assert_int_equal(turnstile_waiting(t), 3);
	enter(t, &w[4], 'X', "198.51.100.1");	/* pushes D out */
	enter(t, &w[5], 'E', "192.0.2.1");	/* comes and goes */
	turns();
	assert_string_equal(buf_cstr(&order), "Ade");
	drain(t, 1);
	assert_string_equal(buf_cstr(&order), "AdeBXC");
	turnstile_free(&t);
}

static void
test_leaving(void **state)
{
	struct turnstile *t = turnstile_new(loop, 1, 2);
	struct who w[5];

	(void)state;
	buf_clear(&order);
	enter(t, &w[0], 'A', "192.0.2.1");
	enter(t, &w[1], 'B', "192.0.2.1");
	turnstile_leave(t, &w[0].turn);
	turnstile_leave(t, &w[0].turn);		/* twice is fine */
	turns();
	assert_string_equal(buf_cstr(&order), "B");
	enter(t, &w[2], 'C', "192.0.2.1");
	enter(t, &w[3], 'D', "192.0.2.1");
	enter(t, &w[4], 'E', "192.0.2.1");	/* refused, but leaves first */
	turnstile_leave(t, &w[4].turn);
	turns();
	assert_string_equal(buf_cstr(&order), "B");
	drain(t, 1);
	assert_string_equal(buf_cstr(&order), "BCD");
	turnstile_free(&t);
}

/* --- the cache of verified logins --- */

static const struct cached_login kim = {
	.mailbox_id = 7, .address = "kim@a.example", .quota_bytes = 5
};

#define KEY(s, n, p) &(struct login_key){ SPAN_LIT(s), SPAN_LIT(n), \
	SPAN_LIT(p) }

static void
test_cache_key_is_all_three(void **state)
{
	struct login_cache *c = login_cache_new(loop, 10);

	(void)state;
	assert_null(login_cache_get(c, KEY("imap", "kim", "pw")));
	login_cache_put(c, KEY("imap", "kim", "pw"), &kim, 10000);
	assert_non_null(login_cache_get(c, KEY("imap", "kim", "pw")));
	assert_string_equal(login_cache_get(c, KEY("imap", "kim",
	    "pw"))->address, "kim@a.example");
	assert_null(login_cache_get(c, KEY("smtp", "kim", "pw")));
	assert_null(login_cache_get(c, KEY("imap", "kin", "pw")));
	assert_null(login_cache_get(c, KEY("imap", "kim", "pW")));
	/* no shifting of bytes between the parts */
	assert_null(login_cache_get(c, KEY("imap", "kimp", "w")));
	assert_null(login_cache_get(c, KEY("imapk", "im", "pw")));
	assert_null(login_cache_get(c, KEY("imap", "kim", "pw\0")));
	login_cache_free(&c);
}

static void
test_cache_is_bounded_and_forgets(void **state)
{
	struct login_cache *c = login_cache_new(loop, 3);
	struct cached_login lee = { .mailbox_id = 8, .address = "lee" };

	(void)state;
	login_cache_put(c, KEY("imap", "kim", "1"), &kim, 10000);
	login_cache_put(c, KEY("imap", "kim", "2"), &kim, 10000);
	login_cache_put(c, KEY("imap", "lee", "1"), &lee, 10000);
	login_cache_put(c, KEY("imap", "kim", "2"), &kim, 10000);
	assert_int_equal(login_cache_count(c), 3);
	login_cache_put(c, KEY("smtp", "kim", "1"), &kim, 10000);
	assert_int_equal(login_cache_count(c), 3);
	assert_null(login_cache_get(c, KEY("imap", "kim", "1")));
	login_cache_drop(c, 9);
	assert_int_equal(login_cache_count(c), 3);
	login_cache_drop(c, 7);
	assert_int_equal(login_cache_count(c), 1);
	assert_non_null(login_cache_get(c, KEY("imap", "lee", "1")));
	login_cache_clear(c);
	assert_int_equal(login_cache_count(c), 0);
	login_cache_put(c, KEY("imap", "lee", "1"), &lee, 1);
	for (int i = 0; i < 100 && login_cache_count(c) > 0; i++) {
		turns();
		(void)login_cache_get(c, KEY("imap", "lee", "1"));
	}
	assert_int_equal(login_cache_count(c), 0);
	login_cache_put(c, KEY("imap", "lee", "1"), &lee, 0);
	assert_int_equal(login_cache_count(c), 0);
	login_cache_put(c, KEY("imap", "lee", "1"), &lee, 1000);
	login_cache_free(&c);
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	buf_init(&order, BUF_NO_CAP);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&order);
	loop_free(&loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks_take_turns),
		cmocka_unit_test(test_the_longest_queue_loses_its_last),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_cache_key_is_all_three),
		cmocka_unit_test(test_cache_is_bounded_and_forgets),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
