#include "store/t_util.h"

#include "mail/field_names.h"
#include "store/cache.h"
#include "store/fname.h"
#include "store/head.h"
#include "store/index.h"

/* The pure parts: names, pages, entries. */

static void
file_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
		const char *unique, *key;
		int64_t sec;
		uint32_t uid, flags;
		uint64_t size, vsize;
	} cases[] = {
		{ "176.3kFM5.mx.a,S=10,W=12,U=7.9:2,FSb", true, "176.3kFM5.mx.a",
		    "3kFM5", 176, 9, MSG_FLAGGED | MSG_SEEN | MSG_KEYWORD(1),
		    10, 12 },
		{ "176.M1P2.host", true, "176.M1P2.host", "M1P2", 176, 0, 0,
		    0, 0 },
		{ "plain", true, "plain", "plain", -1, 0, 0, 0, 0 },
		{ "a.b", true, "a.b", "a.b", -1, 0, 0, 0, 0 },
		{ "1.x.h,U=0.5,S=-1,W=1x:2,", true, "1.x.h", "x", 1, 0, 0, 0,
		    0 },
		{ "1.x.h,U=5,S=:2,ZZ", true, "1.x.h", "x", 1, 0, 0, 0, 0 },
		{ "1.x.h:1,S", true, "1.x.h", "x", 1, 0, 0, 0, 0 },
		{ ".hidden", false, "", "", 0, 0, 0, 0, 0 },
		{ "", false, "", "", 0, 0, 0, 0, 0 },
		{ ",S=1", false, "", "", 0, 0, 0, 0, 0 },
	};
	struct fname f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(fname_parse(span_str(cases[i].name), &f),
		    cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_true(span_eq(f.unique, span_str(cases[i].unique)));
		assert_true(span_eq(fname_key(f.unique),
		    span_str(cases[i].key)));
		assert_int_equal(f.sec, cases[i].sec);
		assert_int_equal(f.uid, cases[i].uid);
		assert_int_equal(f.flags, cases[i].flags);
		assert_int_equal(f.size, cases[i].size);
		assert_int_equal(f.vsize, cases[i].vsize);
	}
}

static void
made_names_fit_and_parse(void **state)
{
	char out[FNAME_MAX + 1], host[300], letters[FNAME_FLAGS_MAX];
	struct fname f;
	size_t n;

	(void)state;
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	n = fname_unique_make(&(struct fname_parts){ .sec = INT64_MAX,
	    .key = SPAN_LIT("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"),
	    .mailbox_id = UINT64_MAX, .host = host }, out);
	assert_int_equal(fname_base_finish(out, n, UINT64_MAX, UINT64_MAX,
	    UINT32_MAX, UINT32_MAX) <= FNAME_MAX - FNAME_FLAGS_MAX - 3, 1);
	n = fname_unique_make(&(struct fname_parts){ .sec = 5,
	    .key = SPAN_LIT("3kF9tQ010100"), .mailbox_id = 12,
	    .host = "mx.example.org" }, out);
	n = fname_base_finish(out, n, 3, 4, 6, 7);
	assert_string_equal(out,
	    "5.3kF9tQ010100M12.mx.example.org,S=3,W=4,U=6.7");
	assert_true(fname_parse(span_of(out, n), &f));
	assert_true(fname_is_key(f.unique, SPAN_LIT("3kF9tQ010100"), 12));
	assert_false(fname_is_key(f.unique, SPAN_LIT("3kF9tQ010100"), 1));
	assert_false(fname_is_key(f.unique, SPAN_LIT("3kF9tQ01010"), 12));
	assert_string_equal(fname_flags(UINT32_MAX, letters),
	    "DFPRSTabcdefghijklmnopqrstuvwxyz");
}

static void
folder_names(void **state)
{
	static const struct {
		const char *wire;
		char sep;
		const char *disk;	/* NULL: refused */
	} cases[] = {
		{ "INBOX", '/', "" }, { "inbox", '/', "" },
		{ "Sent", '/', ".Sent" },
		{ "Work/2026", '/', ".Work.2026" },
		{ "Work.2026", '.', ".Work.2026" },
		{ "a.b/c", '/', ".a&AC4-b.c" },
		{ "a/b", '.', ".a&AC8-b" },
		{ "INBOX/x", '/', ".INBOX.x" },
		{ "inBox.X", '.', ".INBOX.X" },
		{ "inbox.X", '/', ".inbox&AC4-X" },
		{ "inboxes/x", '/', ".inboxes.x" },
		{ "a/inbox/x", '/', ".a.inbox.x" },
		{ "", '/', NULL }, { "/", '/', NULL }, { "a//b", '/', NULL },
		{ "a/", '/', NULL }, { "/a", '/', NULL },
		{ "..", '/', ".&AC4-&AC4-" }, { "a\nb", '/', NULL },
	};
	char disk[FOLDER_NAME_MAX + 1], long_name[400];
	struct buf wire;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bool ok = folder_name_to_disk(span_str(cases[i].wire),
		    cases[i].sep, disk);
		assert_int_equal(ok, cases[i].disk != NULL);
		if (!ok)
			continue;
		assert_string_equal(disk, cases[i].disk);
		buf_init(&wire, 1000);
		folder_name_to_wire(disk, cases[i].sep, &wire);
		assert_true(span_ieq(buf_span(&wire),
		    span_str(cases[i].wire)));
		buf_fini(&wire);
	}
	memset(long_name, 'x', sizeof(long_name));
	assert_false(folder_name_to_disk(span_of(long_name, 300), '/', disk));
	assert_true(folder_name_to_disk(span_of(long_name, 254), '/', disk));
	assert_false(folder_name_valid(SPAN_LIT("..")));
	assert_false(folder_name_valid(SPAN_LIT(".")));
	assert_false(folder_name_valid(SPAN_LIT("cur")));
	assert_true(folder_name_parent(".a.b", disk));
	assert_string_equal(disk, ".a");
	assert_false(folder_name_parent(".a", disk));
	assert_false(folder_name_parent(".Inbox.a", disk));
}

static void
homes(void **state)
{
	char path[STORE_HOME_MAX];

	(void)state;
	assert_int_equal(store_home_path(12345, path), 2);
	assert_string_equal(path, "39/12345");
	(void)store_home_path(UINT64_MAX, path);
	assert_string_equal(path, "ff/18446744073709551615");
}

/* Every flipped byte is noticed. */
static void
damage_is_noticed(void **state)
{
	struct index_header h = { .uidvalidity = 1, .uidnext = 2 };
	struct index_group g = { .number = 3, .count = 1, .generation = 9 };
	struct head head = { .uidvalidity = 7, .ceiling = 8 };
	char bytes[HEAD_SIZE], *p;
	struct cache_entry e = { .uid = 4, .name = SPAN_LIT("n"),
	    .envelope = SPAN_LIT("(env)"), .bodystructure = SPAN_LIT("(bs)"),
	    .references = SPAN_LIT("<r>"), .fields = SPAN_LIT("12") };
	struct buf b;
	size_t i;

	(void)state;
	g.rec[0].uid = 5;
	index_header_seal(&h);
	index_group_seal(&g);
	head_make(HEAD_FOLDER, &head, bytes);
	assert_true(index_header_ok(&h));
	assert_true(index_group_ok(&g, 3, 9));
	assert_false(index_group_ok(&g, 2, 9));
	assert_false(index_group_ok(&g, 3, 8));
	assert_false(head_parse(HEAD_ACCOUNT, span_of(bytes, HEAD_SIZE),
	    &head));
	for (i = 0; i < INDEX_PAGE; i++) {
		((char *)&h)[i] ^= 1;
		((char *)&g)[i] ^= 1;
		assert_false(index_header_ok(&h));
		assert_false(index_group_ok(&g, 3, 9));
		((char *)&h)[i] ^= 1;
		((char *)&g)[i] ^= 1;
	}
	for (i = 0; i < HEAD_SIZE; i++) {
		bytes[i] ^= 1;
		assert_false(head_parse(HEAD_FOLDER, span_of(bytes,
		    HEAD_SIZE), &head));
		bytes[i] ^= 1;
	}
	buf_init(&b, 1000);
	cache_entry_pack(&b, &e);
	p = buf_data(&b);
	assert_int_equal(buf_len(&b) % 8, 0);
	assert_true(cache_entry_parse(buf_span(&b), &e));
	assert_true(span_eq(e.bodystructure, SPAN_LIT("(bs)")));
	assert_true(span_eq(e.references, SPAN_LIT("<r>")));
	assert_true(span_eq(e.fields, SPAN_LIT("12")));
	for (i = 0; i < CACHE_ENTRY_HEAD + 1 + 5 + 4 + 3 + 2; i++) {
		p[i] ^= 1;
		assert_false(cache_entry_parse(buf_span(&b), &e));
		p[i] ^= 1;
	}
	for (i = 0; i < CACHE_ENTRY_HEAD + 10; i++)
		assert_false(cache_entry_parse(span_of(p, i), &e));
	buf_fini(&b);
}

/* "None" and "not kept" stay two things. */
static void
cache_says_what_it_does_not_know(void **state)
{
	static char many[FIELD_NAMES_BYTES + 2];
	const struct {
		struct span in, want;
	} rows[] = {
		{ SPAN_NONE, SPAN_NONE },
		{ SPAN_LIT(""), SPAN_LIT("") },
		{ SPAN_LIT("abcd"), SPAN_LIT("abcd") },
		{ span_of(many, FIELD_NAMES_BYTES),
		    span_of(many, FIELD_NAMES_BYTES) },
		{ span_of(many, sizeof(many)), SPAN_NONE },
	};
	struct cache_entry e;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 4096);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		e = (struct cache_entry){ .uid = 4, .name = SPAN_LIT("n"),
		    .envelope = SPAN_LIT("(e)"), .fields = rows[i].in };
		cache_entry_pack(&b, &e);
		assert_true(cache_entry_parse(buf_span(&b), &e));
		assert_true(span_eq(e.fields, rows[i].want));
		assert_int_equal(e.fields.p == NULL,
		    rows[i].want.p == NULL);
		assert_null(e.references.p);
		assert_true(span_eq(e.envelope, SPAN_LIT("(e)")));
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_names),
		cmocka_unit_test(made_names_fit_and_parse),
		cmocka_unit_test(folder_names),
		cmocka_unit_test(homes),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(cache_says_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
