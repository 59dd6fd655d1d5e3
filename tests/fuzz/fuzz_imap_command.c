/*
 * Any bytes as an IMAP client's side of a conversation: framed in pieces
 * whose size the first byte chooses, every command taken apart, and its
 * arguments tried as set, FETCH items, search keys and pattern. Framing must
 * not depend on the pieces, and must hold no more than the limit.
 */
#include <stdlib.h>

#include "imapd/args.h"
#include "imapd/fetch_plan.h"
#include "imapd/list_plan.h"
#include "imapd/pattern.h"
#include "imapd/reader.h"
#include "imapd/resync_plan.h"
#include "imapd/search_plan.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT 2048

/* All that search_plan.c asks of the store. */
uint32_t
folder_uid(const struct folder *f, uint32_t seq)
{
	return seq * 2;
}

const char *
folder_keyword(const struct folder *f, unsigned i)
{
	return i == 0 ? "$Work" : NULL;
}

static void
try_arguments(const struct args *a)
{
	struct arg_iter it = args_iter(a), at;
	static const struct seqset saved;
	static const struct search_scope scope = { .exists = 10,
	    .saved = &saved };
	struct search_plan search;
	struct fetch_plan fetch;
	struct resync resync;
	struct seqset set;
	struct list_plan list;
	struct span word;

	for (; !arg_at_end(&it); arg_next(&it)) {
		at = it;
		if (fetch_plan_take(&fetch, &at) == NULL && fetch.n == 0 &&
		    fetch.items == 0)
			__builtin_trap();
		if (fetch_modifiers_take(&fetch, &at) == NULL &&
		    fetch.vanished && !fetch.changed_only)
			__builtin_trap();
		fetch_plan_fini(&fetch);
		at = it;
		resync = (struct resync){ .seq = 0 };
		if (resync_take(&resync, &at) == NULL &&
		    (resync.uidvalidity == 0 || resync.since == 0))
			__builtin_trap();
		resync_fini(&resync);
		at = it;
		if (list_plan_take(&list, &at, false) == NULL &&
		    (list.n > LIST_PATTERNS_MAX || list.root != (list.n == 0) ||
		    !(list.give & LIST_STATUS) != (list.status == 0)))
			__builtin_trap();
		list_plan_fini(&list);
		at = it;
		if (!arg_take_pattern(&at, &word))
			continue;
		pattern_match(word, '/', SPAN_LIT("Work/2026/x"));
		if (seqset_parse(&set, word)) {
			seqset_resolve(&set, 10);
			if (!seqset_has(&set, set.range[0].hi))
				__builtin_trap();
		}
		seqset_fini(&set);
	}
	it = args_iter(a);
	if (search_plan_take(&search, &it, &scope) == NULL &&
	    search.root >= search.n)
		__builtin_trap();
	search_plan_fini(&search);
}

static void
take_text(struct reader *r, struct args *a, bool pending)
{
	if (reader_text(r).n > LIMIT)
		__builtin_trap();
	if (args_parse(a, reader_text(r), pending) == NULL) {
		if (a->n > ARGS_MAX)
			__builtin_trap();
		try_arguments(a);
	}
}

/* Returns how many events came. */
static unsigned
converse(struct span in, size_t step)
{
	struct reader r;
	struct args a;
	struct buf pending;
	enum reader_event e = READER_MORE;
	unsigned events = 0;
	size_t used, n;

	reader_init(&r, LIMIT);
	args_init(&a);
	buf_init(&pending, BUF_NO_CAP);
	while (e != READER_TOO_LONG && in.n > 0) {
		n = MIN(step, in.n);
		buf_append(&pending, in.p, n);
		in = span_sub(in, n, in.n);
		do {
			e = reader_feed(&r, buf_span(&pending), &used);
			buf_consume(&pending, used);
			events += e != READER_MORE;
			if (e == READER_COMMAND) {
				take_text(&r, &a, false);
				reader_reset(&r);
			} else if (e == READER_LITERAL) {
				take_text(&r, &a, true);
				if (!reader_literal_collect(&r))
					reader_literal_skip(&r);
			}
		} while (e != READER_MORE && e != READER_TOO_LONG);
	}
	buf_fini(&pending);
	args_fini(&a);
	reader_fini(&r);
	return events;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	if (size < 2 || size > 16384)
		return 0;
	in = span_sub(in, 1, in.n);
	if (converse(in, (size_t)data[0] % 64 + 1) != converse(in, size))
		__builtin_trap();
	return 0;
}
