/* Limits and thresholds, as tables. */
#include "base/quota.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void
limits(void **state)
{
	static const struct {
		uint64_t said, site;
		bool override;
		uint64_t want;
	} cases[] = {
		{ 0, 0, false, 0 }, { 9, 0, false, 9 }, { 0, 100, false, 100 },
		{ 50, 100, false, 50 }, { 200, 100, false, 100 },
		{ 200, 100, true, 200 }, { 0, 100, true, 100 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf c = {
			.virtual_mailbox_limit = (int64_t)cases[i].site,
			.virtual_mailbox_limit_override = cases[i].override };

		assert_int_equal(quota_limit_bytes(&c, cases[i].said),
		    cases[i].want);
	}
}

static void
room(void **state)
{
	(void)state;
	assert_false(quota_over(0, UINT64_MAX, UINT64_MAX));
	assert_false(quota_over(10, 4, 6));
	assert_true(quota_over(10, 4, 7));
	assert_true(quota_over(10, 11, 0));
	assert_true(quota_over(10, 1, UINT64_MAX));
}

static void
thresholds(void **state)
{
	static const char *const cases[][2] = {
		{ "80 90 95", "{80,90,95}" }, { "", "{}" }, { " ,", "{}" },
		{ "80,90,\t95 ", "{80,90,95}" }, { "x 80 0 -5 80%", "{80}" },
		{ "99999999999", "{}" },
	};
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		struct conf c = { .quota_warning_thresholds = text };

		(void)snprintf(text, sizeof(text), "%s", cases[i][0]);
		buf_init(&out, BUF_NO_CAP);
		quota_thresholds(&c, &out);
		assert_string_equal(buf_cstr(&out), cases[i][1]);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
		cmocka_unit_test(room),
		cmocka_unit_test(thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
