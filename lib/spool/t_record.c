/* J3, J10, J11: records, walks, cold files. */
#include "t_spool.h"

#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "spool/cold.h"

#define SIZE	(64 * SPOOL_PAGE)

static struct t_dirs d;
static struct segment_ref ref;

static int
setup(void **state)
{
	t_dirs_new(&d, "t_record");
	assert_int_equal(segment_create(d.journal, 1, SIZE, &ref, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)close(ref.fd);
	t_dirs_free(&d);
	return 0;
}

/* Writes a record by hand; returns the offset behind it. */
static uint64_t
put(const struct segment_ref *at, uint64_t off, unsigned n, const char *body,
    size_t len)
{
	struct t_msg m;
	struct buf b;
	struct record_header h = { .offset = off };
	char head[RECORD_HEADER_SIZE];

	t_msg_init(&m, n, body, len);
	buf_init(&b, BUF_NO_CAP);
	assert_int_equal(envelope_pack(&m.env, &b, NULL), 0);
	h.envelope_len = (uint32_t)buf_len(&b);
	h.envelope_crc = crc32c(0, buf_data(&b), buf_len(&b));
	h.body_len = len;
	h.body_crc = crc32c(0, body, len);
	h.length = RECORD_HEADER_SIZE + h.envelope_len + len;
	record_header_make(&h, at, head);
	buf_append(&b, body, len);
	assert_true(pwrite(at->fd, head, sizeof(head), (off_t)off) > 0);
	assert_true(pwrite(at->fd, buf_data(&b), buf_len(&b),
	    (off_t)(off + sizeof(head))) > 0);
	buf_fini(&b);
	return spool_page_up(off + h.length);
}

/* Ids of all records found, "1 2 5". */
static const char *
found(bool verify)
{
	static char out[512];
	struct record_walk w;
	struct record r;
	size_t n = 0;

	out[0] = '\0';
	record_walk_init(&w, &ref, 0, ref.size, verify);
	while (record_walk_next(&w, &r, NULL) == 1) {
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%d",
		    n > 0 ? " " : "", atoi(r.env.queue_id + 4));
		record_close(&r);
	}
	record_walk_fini(&w);
	return out;
}

static void
j3_a_walk_finds_every_record(void **state)
{
	char big[3 * SPOOL_PAGE];
	uint64_t at = SPOOL_PAGE;

	memset(big, 'x', sizeof(big));
	assert_string_equal(found(true), "");
	at = put(&ref, at, 1, "hello", 5);
	at = put(&ref, at, 2, big, sizeof(big));
	at = put(&ref, at, 3, "", 0);
	assert_string_equal(found(true), "1 2 3");
	assert_string_equal(found(false), "1 2 3");
}

/* A body that is, page for page, a valid record of this very segment but for
 * what its author cannot know: the epoch. And one that does know it, at the
 * wrong offset. */
static void
j3_a_body_cannot_pass_for_a_record(void **state)
{
	struct segment_ref forged = ref;
	char body[4 * SPOOL_PAGE];
	uint64_t at, i;

	/* forge at the offsets where the body's pages will lie */
	memset(forged.epoch, 0, sizeof(forged.epoch));
	for (i = 2; i < 6; i++)
		(void)put(&forged, i * SPOOL_PAGE, 90 + (unsigned)i, "ev", 2);
	assert_int_equal(pread(ref.fd, body, sizeof(body), 2 * SPOOL_PAGE),
	    sizeof(body));
	/* the body begins behind header and envelope: place it so that its
	 * forged headers fall on boundaries */
	at = put(&ref, SPOOL_PAGE, 1, body, sizeof(body));
	for (i = 2; i < 6; i++)
		(void)put(&forged, i * SPOOL_PAGE, 90 + (unsigned)i, "ev", 2);
	(void)put(&ref, at, 2, "next", 4);
	/* record 1 is torn (its header lost): the walk must resync on 2 */
	assert_int_equal(pwrite(ref.fd, body, 16, SPOOL_PAGE), 16);
	assert_string_equal(found(true), "2");
	/* right epoch, right checksum, other offset: replayed bytes */
	(void)put(&ref, 20 * SPOOL_PAGE, 7, "moved", 5);
	assert_int_equal(pread(ref.fd, body, SPOOL_PAGE, 20 * SPOOL_PAGE),
	    SPOOL_PAGE);
	assert_int_equal(pwrite(ref.fd, body, SPOOL_PAGE, 30 * SPOOL_PAGE),
	    SPOOL_PAGE);
	assert_string_equal(found(true), "2 7");
}

static void
j3_stale_records_do_not_come_back_after_recycling(void **state)
{
	uint64_t at = put(&ref, SPOOL_PAGE, 1, "old", 3);

	(void)put(&ref, at, 2, "old", 3);
	assert_int_equal(segment_recycle(&ref, NULL), 0);
	assert_string_equal(found(true), "");
	(void)put(&ref, SPOOL_PAGE, 3, "new", 3);
	assert_string_equal(found(true), "3");
}

static void
j3_torn_contents_hide_nothing_behind_them(void **state)
{
	char big[3 * SPOOL_PAGE];
	uint64_t at;

	memset(big, 'x', sizeof(big));
	at = put(&ref, SPOOL_PAGE, 1, big, sizeof(big));
	(void)put(&ref, at, 2, "after", 5);
	assert_int_equal(pwrite(ref.fd, "\0", 1, 2 * SPOOL_PAGE), 1);
	assert_string_equal(found(true), "2");
	assert_string_equal(found(false), "1 2");
}

static void
j10_a_record_is_verified_before_use(void **state)
{
	struct segment_ref other = ref;
	struct record r;
	uint64_t len;

	(void)put(&ref, SPOOL_PAGE, 1, "hello", 5);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, 0, "Tmsg00000001",
	    1 << 20, &r, NULL), 0);
	assert_int_equal(r.body.n, 5);
	assert_memory_equal(r.body.p, "hello", 5);
	len = r.h.length;
	record_close(&r);
	/* too big for memory: verified all the same */
	assert_int_equal(record_open(&ref, SPOOL_PAGE, len, "Tmsg00000001",
	    2, &r, NULL), 0);
	assert_null(r.body.p);
	record_close(&r);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, len + 1, NULL, 100, &r,
	    NULL), PS_ECORRUPT);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, len, "Tmsg00000002",
	    100, &r, NULL), PS_ECORRUPT);
	assert_int_equal(record_open(&ref, 2 * SPOOL_PAGE, 0, NULL, 100, &r,
	    NULL), PS_ENOTFOUND);
	other.epoch[3] ^= 1;
	assert_int_equal(record_open(&other, SPOOL_PAGE, 0, NULL, 100, &r,
	    NULL), PS_ENOTFOUND);
	assert_int_equal(pwrite(ref.fd, "H", 1,
	    (off_t)(SPOOL_PAGE + len - 5)), 1);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, len, NULL, 100, &r,
	    NULL), PS_ECORRUPT);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, len, NULL, 2, &r,
	    NULL), PS_ECORRUPT);
}

static void
j10_every_flipped_bit_is_noticed(void **state)
{
	struct record r;
	char c;
	uint64_t end, i;

	(void)put(&ref, SPOOL_PAGE, 1, "hello", 5);
	assert_int_equal(record_open(&ref, SPOOL_PAGE, 0, NULL, 100, &r,
	    NULL), 0);
	end = SPOOL_PAGE + r.h.length;
	record_close(&r);
	for (i = SPOOL_PAGE; i < end; i++) {
		assert_int_equal(pread(ref.fd, &c, 1, (off_t)i), 1);
		c ^= 1 << i % 8;
		assert_int_equal(pwrite(ref.fd, &c, 1, (off_t)i), 1);
		assert_int_not_equal(record_open(&ref, SPOOL_PAGE, 0, NULL,
		    100, &r, NULL), 0);
		c ^= 1 << i % 8;
		assert_int_equal(pwrite(ref.fd, &c, 1, (off_t)i), 1);
	}
}

static int
cold_make(unsigned n, const char *body, size_t len)
{
	struct t_msg m;
	FILE *f = tmpfile();
	int fd = cold_create(d.queue, NULL);
	uint32_t crc;

	assert_true(fd >= 0);
	assert_non_null(f);
	assert_int_equal(fwrite(body, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	t_msg_init(&m, n, body, len);
	if (cold_write(fd, &m.env, fileno(f), 0, len, &crc, NULL) != 0 ||
	    cold_link(d.queue, fd, m.env.queue_id, NULL) != 0 ||
	    cold_dir_sync(d.queue, NULL) != 0) {
		(void)fclose(f);
		(void)close(fd);
		return -1;
	}
	assert_int_equal(crc, crc32c(0, body, len));
	(void)fclose(f);
	(void)close(fd);
	return 0;
}

static void
j11_cold_files_hold_one_verified_message(void **state)
{
	struct segment_ref c;
	struct record r;

	assert_int_equal(cold_make(5, "cold body", 9), 0);
	assert_int_equal(cold_open(d.queue, "Tmsg00000005", &c, NULL), 0);
	assert_int_equal(record_open(&c, COLD_RECORD_OFFSET, 0,
	    "Tmsg00000005", 100, &r, NULL), 0);
	assert_memory_equal(r.body.p, "cold body", 9);
	record_close(&r);
	(void)close(c.fd);
	/* never over another one */
	assert_int_equal(cold_make(5, "other", 5), -1);
	assert_int_equal(cold_open(d.queue, "Tmsg00000006", &c, NULL),
	    PS_ENOTFOUND);
}

/* Once the directory was synced the file is whole, in every state. */
static void
j11_cold_files_survive_power_cuts(void **state)
{
	struct disk_record *rec = disk_record_start(d.root);
	struct segment_ref c;
	struct record r;
	unsigned s, n;
	char *image;
	int dir, queue;

	assert_int_equal(cold_make(5, "cold body", 9), 0);
	disk_record_pause(rec);
	n = disk_record_states(rec, disk_record_steps(rec), 64);
	for (s = 0; s < n; s++) {
		image = disk_record_tmpdir("t_record-image");
		disk_record_build(rec, disk_record_steps(rec), s, 64, image);
		dir = t_dir(AT_FDCWD, image);
		queue = t_dir(dir, "queue");
		assert_int_equal(cold_open(queue, "Tmsg00000005", &c, NULL),
		    0);
		(void)close(queue);
		assert_int_equal(record_open(&c, COLD_RECORD_OFFSET, 0,
		    "Tmsg00000005", 100, &r, NULL), 0);
		record_close(&r);
		(void)close(c.fd);
		(void)close(dir);
		disk_record_rmdir(image);
		free(image);
	}
	disk_record_stop(&rec);
}

static void
j11_any_failing_call_fails_the_cold_file(void **state)
{
	static const enum disk_op ops[] = { DISK_OPEN, DISK_PWRITE,
	    DISK_FDATASYNC, DISK_LINK, DISK_FSYNC };
	struct disk_record *rec = disk_record_start(d.root);
	struct err err;
	struct t_msg m;
	unsigned i, k, n = 10, before;
	int fd, rc;
	uint32_t crc;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		for (k = 1; k <= 3; k++) {
			before = disk_record_failures(rec);
			disk_record_fail(rec, ops[i], k,
			    k % 2 ? ENOSPC : EIO, false);
			t_msg_init(&m, n++, "b", 1);
			if ((fd = cold_create(d.queue, &err)) < 0)
				continue;
			rc = cold_write(fd, &m.env, ref.fd, 0, 4096, &crc,
			    &err);
			if (rc == 0)
				rc = cold_link(d.queue, fd, m.env.queue_id,
				    &err);
			if (rc == 0)
				rc = cold_dir_sync(d.queue, &err);
			assert_int_equal(rc != 0,
			    disk_record_failures(rec) > before);
			(void)close(fd);
		}
	assert_true(disk_record_failures(rec) >= ARRAY_LEN(ops));
	disk_record_stop(&rec);
}

static void
j4_an_interrupted_creation_is_not_a_segment(void **state)
{
	struct disk_record *rec = disk_record_start(d.root);
	struct segment_ref made, got;
	unsigned s, n;
	size_t step;
	char *image;
	int dir, journal, rc;

	assert_int_equal(segment_create(d.journal, 2, SIZE, &made, NULL), 0);
	(void)close(made.fd);
	disk_record_pause(rec);
	for (step = 0; step <= disk_record_steps(rec); step++) {
		n = disk_record_states(rec, step, 24);
		for (s = 0; s < n; s++) {
			image = disk_record_tmpdir("t_record-image");
			disk_record_build(rec, step, s, 24, image);
			dir = t_dir(AT_FDCWD, image);
			journal = t_dir(dir, "journal");
			rc = segment_open(journal, 2, &got, NULL);
			/* whole with its final size, or not there */
			assert_true(rc == 0 || rc == PS_ENOTFOUND);
			if (rc == 0) {
				assert_int_equal(got.size, SIZE);
				assert_memory_equal(got.epoch, made.epoch,
				    EPOCH_SIZE);
				(void)close(got.fd);
			} else
				assert_true(step < disk_record_steps(rec));
			(void)close(journal);
			(void)close(dir);
			disk_record_rmdir(image);
			free(image);
		}
	}
	disk_record_stop(&rec);
}

static void
the_right_to_append_belongs_to_one_description(void **state)
{
	int a = segment_lend(d.journal, &ref, NULL), b;

	assert_true(a >= 0);
	assert_int_equal(segment_right_take(ref.fd), PS_EAGAIN);
	assert_int_equal(segment_lend(d.journal, &ref, NULL), PS_ESTATE);
	b = dup(a);		/* as SCM_RIGHTS does */
	(void)close(a);
	assert_int_equal(segment_right_take(ref.fd), PS_EAGAIN);
	(void)close(b);
	assert_int_equal(segment_right_take(ref.fd), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(j3_a_walk_finds_every_record),
		T(j3_a_body_cannot_pass_for_a_record),
		T(j3_stale_records_do_not_come_back_after_recycling),
		T(j3_torn_contents_hide_nothing_behind_them),
		T(j4_an_interrupted_creation_is_not_a_segment),
		T(j10_a_record_is_verified_before_use),
		T(j10_every_flipped_bit_is_noticed),
		T(j11_cold_files_hold_one_verified_message),
		T(j11_cold_files_survive_power_cuts),
		T(j11_any_failing_call_fails_the_cold_file),
		T(the_right_to_append_belongs_to_one_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
