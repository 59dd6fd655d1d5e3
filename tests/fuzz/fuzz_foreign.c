/*
 * Any bytes as each of the files that Dovecot and Courier keep in a maildir:
 * spans point into the input, UIDs are unique and below `next`, names of
 * folders are names that we make.
 */
#include "store/foreign.h"
#include "tests/fuzz/fuzz.h"

static void
within(struct span in, struct span of)
{
	if (in.n > 0 && (in.p < of.p || in.p + in.n > of.p + of.n))
		__builtin_trap();
}

static void
uids(struct span s)
{
	struct foreign_uids u;
	size_t i;

	if (foreign_uids_parse(s, &u))
		for (i = 0; i < u.n; i++) {
			within(u.uid[i].name, s);
			if (u.uid[i].uid == 0 || u.uid[i].uid >= u.next ||
			    foreign_uids_find(&u, u.uid[i].name) !=
			    u.uid[i].uid)
				__builtin_trap();
		}
	foreign_uids_fini(&u);
}

static void
keywords(struct span s)
{
	struct foreign_keywords k;
	struct span base;
	uint64_t age;
	size_t i;

	foreign_letters_parse(s, &k);
	for (i = 0; i < k.n; i++)
		within(k.name[i], s);
	foreign_keywords_fini(&k);
	foreign_list_parse(s, &k);
	if (foreign_update_name(s, &base, &age)) {
		within(base, s);
		foreign_update_parse(s, base, age, &k);
	}
	foreign_keywords_sort(&k);
	for (i = 0; i < k.n_kept; i++) {
		within(k.kept[i].base, s);
		if (foreign_keywords_find(&k, k.kept[i].base) !=
		    k.kept[i].keywords || (k.n < 64 &&
		    k.kept[i].keywords >> k.n != 0))
			__builtin_trap();
	}
	foreign_keywords_fini(&k);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	struct name_list exists = { 0 }, out = { 0 };
	uint64_t bytes, messages;
	size_t i;

	if (size > 65536)
		return 0;
	uids(s);
	keywords(s);
	name_list_add(&exists, SPAN_LIT(".INBOX.Old"));
	foreign_subscriptions_parse(s, &exists, &out);
	for (i = 0; i < out.n; i++)
		if (!folder_name_valid(span_str(out.name[i])))
			__builtin_trap();
	name_list_fini(&out);
	name_list_fini(&exists);
	if (foreign_quota_parse(s, &bytes, &messages) &&
	    (bytes > INT64_MAX || messages > INT64_MAX))
		__builtin_trap();
	return 0;
}
