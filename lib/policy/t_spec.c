#include "policy/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct conf *conf;

static int
setup(void **state)
{
	struct buf complaints;

	buf_init(&complaints, BUF_NO_CAP);
	conf = conf_parse("t", SPAN_LIT("smtpd_policy_service_timeout = 7s\n"
	    "smtpd_policy_service_policy_context = all\n"), &complaints);
	buf_fini(&complaints);
	return conf == NULL;
}

static int
teardown(void **state)
{
	conf_unref(&conf);
	return 0;
}

static struct policy_spec *
spec(const char *word)
{
	struct err err;
	struct policy_spec *s = policy_spec_new(span_str(word), conf, &err);

	if (s == NULL)
		fail_msg("%s: %s", word, err.why);
	return s;
}

static void
places(void **state)
{
	static const struct {
		const char *word, *name, *host, *port, *path;
	} cases[] = {
		{ "inet:127.0.0.1:10023", "127.0.0.1:10023", "127.0.0.1",
		  "10023", NULL },
		{ "inet:[::1]:10023", "[::1]:10023", "::1", "10023",
		  NULL },
		{ "inet:10023", "10023", "localhost", "10023", NULL },
		{ "policy.example:10023", "policy.example:10023",
		  "policy.example", "10023", NULL },
		{ "unix:/run/p.sock", "/run/p.sock", NULL, NULL,
		  "/run/p.sock" },
		{ "{inet:127.0.0.1:1}", "127.0.0.1:1", "127.0.0.1", "1",
		  NULL },
		{ "{ unix:/run/p.sock , timeout=1s }", "/run/p.sock",
		  NULL, NULL, "/run/p.sock" },
	};
	struct policy_spec *s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		s = spec(cases[i].word);
		assert_string_equal(s->word, cases[i].word);
		assert_string_equal(s->name, cases[i].name);
		if (cases[i].path == NULL) {
			assert_string_equal(s->place.host, cases[i].host);
			assert_string_equal(s->place.port, cases[i].port);
		} else
			assert_string_equal(s->place.path, cases[i].path);
		policy_spec_unref(&s);
	}
}

static void
defaults(void **state)
{
	struct policy_spec *s = spec("inet:127.0.0.1:1");

	assert_int_equal(s->timeout, 7000);
	assert_int_equal(s->try_limit, 2);
	assert_int_equal(s->retry_delay, 1000);
	assert_int_equal(s->max_idle, 300000);
	assert_int_equal(s->max_ttl, 1000000);
	assert_int_equal(s->request_limit, 0);
	assert_string_equal(s->default_action,
	    "451 4.3.5 Server configuration problem");
	assert_string_equal(s->policy_context, "all");
	policy_spec_unref(&s);
}

static void
settings_in_braces(void **state)
{
	struct policy_spec *s = spec("{ inet:127.0.0.1:1, timeout=10, "
	    "try_limit=3 retry_delay=50ms,max_idle=2m max_ttl=1h, "
	    "{ default_action = 450 4.3.2 Later, please }, "
	    "request_limit=9, policy_context=in }");

	assert_int_equal(s->timeout, 10000);
	assert_int_equal(s->try_limit, 3);
	assert_int_equal(s->retry_delay, 50);
	assert_int_equal(s->max_idle, 120000);
	assert_int_equal(s->max_ttl, 3600000);
	assert_int_equal(s->request_limit, 9);
	assert_string_equal(s->default_action, "450 4.3.2 Later, please");
	assert_string_equal(s->policy_context, "in");
	policy_spec_unref(&s);
}

/* Connections are shared by those who would treat them alike. */
static void
keys(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "inet:127.0.0.1:1", "inet:127.0.0.1:1", true },
		{ "inet:127.0.0.1:1", "inet:127.0.0.1:2", false },
		{ "inet:127.0.0.1:1", "{ inet:127.0.0.1:1, timeout=1s, "
		  "policy_context=x, default_action=DUNNO }", true },
		{ "inet:127.0.0.1:1", "{ inet:127.0.0.1:1 max_idle=1s }",
		  false },
	};
	struct policy_spec *a, *b;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		a = spec(cases[i].a);
		b = spec(cases[i].b);
		assert_int_equal(strcmp(a->key, b->key) == 0, cases[i].same);
		policy_spec_unref(&a);
		policy_spec_unref(&b);
	}
}

static void
mistakes(void **state)
{
	static const struct {
		const char *word, *why;
	} cases[] = {
		{ "", "a policy service is wanted" },
		{ "{", "a policy service is wanted" },
		{ "{}", "a policy service is wanted" },
		{ "{ }", "a policy service is wanted" },
		{ "{ inet:127.0.0.1:1", "a policy service is wanted" },
		{ "unix:private/policy", "unix:/path is wanted" },
		{ "inet:", "host:port" },
		{ "inet:127.0.0.1:", "host:port" },
		{ "localhost", "host:port" },
		{ "{ inet:127.0.0.1:1, tries=2 }", "unknown setting \"tries\"" },
		{ "{ inet:127.0.0.1:1, timeuot=2 }", "did you mean timeout?" },
		{ "{ inet:127.0.0.1:1, timeout }", "NAME=VALUE" },
		{ "{ inet:127.0.0.1:1, timeout=soon }", "a time is wanted" },
		{ "{ inet:127.0.0.1:1, try_limit=0 }", "outside the range" },
		{ "{ inet:127.0.0.1:1, queue_limit=5 }", "unknown setting" },
	};
	struct policy_spec *s;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		s = policy_spec_new(span_str(cases[i].word), conf, &err);
		if (s != NULL)
			fail_msg("\"%s\" was accepted", cases[i].word);
		assert_int_equal(err.kind, ERR_PERM);
		if (strstr(err.why, cases[i].why) == NULL)
			fail_msg("\"%s\": %s", cases[i].word, err.why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(defaults),
		cmocka_unit_test(settings_in_braces),
		cmocka_unit_test(keys),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
