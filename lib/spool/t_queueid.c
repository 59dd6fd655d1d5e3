/* J8: queue ids. */


#include "base/err.h"
#include "t_spool.h"
#include "spool/incarnation.h"
#include "spool/queueid.h"

static void
j8_ids_differ_by_host_incarnation_and_counter(void **state)
{
	struct queueid_gen g[3];
	char id[3][3][SESSION_ID_LEN + 1];
	int i, j, k, l;

	assert_int_equal(queueid_gen_init(&g[0], 1, 7), 0);
	assert_int_equal(queueid_gen_init(&g[1], 1, 8), 0);
	assert_int_equal(queueid_gen_init(&g[2], 2, 7), 0);
	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++)
			assert_true(queueid_session(&g[i], id[i][j]));
	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++)
			for (k = 0; k < 3; k++)
				for (l = 0; l < 3; l++)
					assert_true((i == k && j == l) ==
					    (strcmp(id[i][j], id[k][l]) == 0));
}

static void
j8_ids_are_letters_and_digits_of_fixed_length(void **state)
{
	struct queueid_gen g;
	char s[SESSION_ID_LEN + 1], q[QUEUE_ID_LEN + 1];

	assert_int_equal(queueid_gen_init(&g, QUEUEID_HOST_MAX,
	    QUEUEID_INCARNATION_MAX), 0);
	assert_true(queueid_session(&g, s));
	assert_int_equal(strlen(s), SESSION_ID_LEN);
	assert_true(queueid_message(s, QUEUE_ID_PER_SESSION - 1, q));
	assert_int_equal(strlen(q), QUEUE_ID_LEN);
	assert_memory_equal(q, s, SESSION_ID_LEN);
	assert_string_equal(q + SESSION_ID_LEN, "zz");
	assert_true(queueid_valid(span_str(q)));
	assert_false(queueid_message(s, QUEUE_ID_PER_SESSION, q));
}

static void
j8_a_worker_that_used_up_its_ids_gets_no_more(void **state)
{
	struct queueid_gen g;
	char s[SESSION_ID_LEN + 1];

	assert_int_equal(queueid_gen_init(&g, 0, 1), 0);
	g.counter = (1u << 27) - 1;
	assert_true(queueid_session(&g, s));
	assert_false(queueid_session(&g, s));
	assert_int_equal(queueid_gen_init(&g, QUEUEID_HOST_MAX + 1, 1),
	    PS_ETOOBIG);
	assert_int_equal(queueid_gen_init(&g, 1, QUEUEID_INCARNATION_MAX + 1),
	    PS_ETOOBIG);
}

/* Power cut at every step of raising: no number is ever given twice. */
static void
j8_incarnations_survive_power_cuts(void **state)
{
	struct t_dirs d;
	struct disk_record *r;
	uint32_t got[4], again;
	size_t step, after[4];
	unsigned s, n, i;
	char *image;
	int fd;

	t_dirs_new(&d, "t_incarnation");
	r = disk_record_start(d.root);
	for (i = 0; i < 4; i++) {
		assert_int_equal(incarnation_raise(d.spool, 1 + i, &got[i],
		    NULL), 0);
		after[i] = disk_record_steps(r);
	}
	disk_record_pause(r);
	for (step = 0; step <= after[3]; step++) {
		n = disk_record_states(r, step, 64);
		for (s = 0; s < n; s++) {
			image = disk_record_tmpdir("t_incarnation-image");
			disk_record_build(r, step, s, 64, image);
			fd = t_dir(AT_FDCWD, image);
			assert_int_equal(incarnation_raise(fd, 1, &again,
			    NULL), 0);
			for (i = 0; i < 4; i++)
				if (after[i] <= step)
					assert_true(again >= got[i] + 1 + i);
			(void)close(fd);
			disk_record_rmdir(image);
			free(image);
		}
	}
	disk_record_stop(&r);
	t_dirs_free(&d);
}

static void
j8_a_lost_counter_is_not_begun_anew(void **state)
{
	struct t_dirs d;
	struct segment_ref ref;
	uint32_t first;

	t_dirs_new(&d, "t_incarnation");
	assert_int_equal(segment_create(d.journal, 1, SEGMENT_SIZE_MIN, &ref,
	    NULL), 0);
	(void)close(ref.fd);
	assert_int_equal(incarnation_raise(d.spool, 1, &first, NULL),
	    PS_ECORRUPT);
	t_dirs_free(&d);
}

static void
j14_a_restored_spool_is_refused_until_accepted(void **state)
{
	struct t_dirs d;
	struct err err;
	uint32_t first;

	t_dirs_new(&d, "t_incarnation");
	assert_int_equal(incarnation_raise(d.spool, 5, &first, NULL), 0);
	assert_int_equal(incarnation_check(d.spool, 5, false, &err), 0);
	assert_int_equal(incarnation_check(d.spool, 6, false, &err),
	    PS_EDENIED);
	assert_non_null(strstr(err.why, "--accept-restored-spool"));
	assert_false(incarnation_hold_wanted(d.spool));
	assert_int_equal(incarnation_check(d.spool, 9, true, &err), 0);
	assert_true(incarnation_hold_wanted(d.spool));
	assert_int_equal(incarnation_raise(d.spool, 1, &first, NULL), 0);
	assert_int_equal(first, 10);
	assert_int_equal(incarnation_hold_done(d.spool, &err), 0);
	assert_false(incarnation_hold_wanted(d.spool));
	t_dirs_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(j8_ids_differ_by_host_incarnation_and_counter),
		cmocka_unit_test(j8_ids_are_letters_and_digits_of_fixed_length),
		cmocka_unit_test(j8_a_worker_that_used_up_its_ids_gets_no_more),
		cmocka_unit_test(j8_incarnations_survive_power_cuts),
		cmocka_unit_test(j8_a_lost_counter_is_not_begun_anew),
		cmocka_unit_test(j14_a_restored_spool_is_refused_until_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
