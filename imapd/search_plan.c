#include "imapd/search_plan.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/imap_read.h"

struct reader_state {
	struct search_plan *p;
	const struct search_scope *scope;
	struct span charset;
	unsigned depth;
	const char *why;
};

struct row {
	const char *name;
	bool (*take)(struct reader_state *r, struct arg_iter *it,
	    struct search_key *k, const struct row *row);
	enum search_op op;
	uint32_t flags;			/* or search_rel, imap_envelope */
	bool off;
};

static uint32_t take_key(struct reader_state *r, struct arg_iter *it);

static bool
wrong(struct reader_state *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

/* --- nodes ---------------------------------------------------------------------------- */

static uint32_t
key_add(struct search_plan *p)
{
	struct search_key *k;

	if (p->n == p->size) {
		p->size = p->size == 0 ? 8 : p->size * 2;
		p->key = xreallocarray(p->key, p->size, sizeof(*p->key));
	}
	k = &p->key[p->n];
	memset(k, 0, sizeof(*k));
	k->child = k->next = SEARCH_NONE;
	return p->n++;
}

/* Puts `child` among at's children behind those that cost no more. */
static void
key_adopt(struct search_plan *p, uint32_t at, uint32_t child)
{
	struct search_key *k = p->key;
	uint32_t *link = &k[at].child;

	while (*link != SEARCH_NONE && k[*link].cost <= k[child].cost)
		link = &k[*link].next;
	k[child].next = *link;
	*link = child;
	k[at].cost = MAX(k[at].cost, k[child].cost);
}

/* --- what follows a key's name ----------------------------------------------------------- */

static bool
take_nothing(struct reader_state *r, struct arg_iter *it,
    struct search_key *k, const struct row *row)
{
	k->flags = row->flags;
	k->off = row->off;
	return true;
}

/* The needle, folded; its charset was checked when it was named. */
static bool
take_needle(struct reader_state *r, struct arg_iter *it,
    struct search_key *k)
{
	struct span text;
	struct buf utf8, folded;

	if (!arg_take_pattern(it, &text))
		return wrong(r, "Search string expected");
	buf_init(&utf8, BUF_NO_CAP);
	buf_init(&folded, BUF_NO_CAP);
	if (!charset_to_utf8(&utf8, r->charset, text))
		wrong(r, "Unknown charset");
	utf8_fold(&folded, buf_span(&utf8));
	k->text_n = buf_len(&folded);
	k->text = buf_take(&folded);
	buf_fini(&utf8);
	return r->why == NULL;
}

static bool
take_text(struct reader_state *r, struct arg_iter *it, struct search_key *k,
    const struct row *row)
{
	k->cost = row->op == SEARCH_ENVELOPE ? COST_CACHE : COST_BODY;
	k->n = row->flags;
	return take_needle(r, it, k);
}

static bool
take_header(struct reader_state *r, struct arg_iter *it,
    struct search_key *k, const struct row *row)
{
	k->cost = COST_HEADER;
	if (!arg_take_astring(it, &k->field))
		return wrong(r, "Field name expected");
	return take_needle(r, it, k);
}

static bool
take_date(struct reader_state *r, struct arg_iter *it, struct search_key *k,
    const struct row *row)
{
	struct span text;

	k->rel = (enum search_rel)row->flags;
	k->cost = row->op == SEARCH_SENT ? COST_CACHE : COST_MEMORY;
	if (!arg_take_astring(it, &text) ||
	    !date_parse_imap_day(text, &k->day))
		return wrong(r, "Date expected");
	return true;
}

static bool
take_size(struct reader_state *r, struct arg_iter *it, struct search_key *k,
    const struct row *row)
{
	struct span text;

	k->off = row->off;
	if (!arg_take_atom(it, &text) ||
	    !span_u64(text, 0, UINT64_MAX, &k->n))
		return wrong(r, "Number expected");
	return true;
}

static uint32_t
keyword_bit(const struct folder *f, struct span name)
{
	unsigned i;

	if (span_is(name, "$Forwarded"))
		return MSG_PASSED;
	for (i = 0; i < MSG_KEYWORDS; i++)
		if (folder_keyword(f, i) != NULL &&
		    span_is(name, folder_keyword(f, i)))
			return MSG_KEYWORD(i);
	return 0;
}

static bool
take_keyword(struct reader_state *r, struct arg_iter *it,
    struct search_key *k, const struct row *row)
{
	struct span name;

	if (!arg_take_atom(it, &name))
		return wrong(r, "Keyword expected");
	k->flags = keyword_bit(r->scope->folder, name);
	k->off = row->off;
	if (k->flags == 0)
		k->op = row->off ? SEARCH_AND : SEARCH_NOTHING;
	return true;
}

static bool
take_set(struct reader_state *r, struct arg_iter *it, struct search_key *k,
    const struct row *row)
{
	struct span text;
	uint32_t exists = r->scope->exists;

	k->uid = row != NULL;
	k->op = SEARCH_SET;
	if (!arg_take_atom(it, &text))
		return wrong(r, "Unknown search key");
	if (span_eq(text, SPAN_LIT("$"))) {
		k->uid = true;
		seqset_copy(&k->set, r->scope->saved);
		return true;
	}
	if (!seqset_parse(&k->set, text))
		return wrong(r, "Unknown search key");
	if (!k->uid && seqset_max(&k->set) > exists)
		return wrong(r, "No such message number");
	r->p->numbers = r->p->numbers || !k->uid;
	seqset_resolve(&k->set, k->uid ?
	    folder_uid(r->scope->folder, exists) : exists);
	return true;
}

/* RFC 5032: seconds before now. */
static bool
take_age(struct reader_state *r, struct arg_iter *it, struct search_key *k,
    const struct row *row)
{
	struct span text;
	uint32_t seconds;

	k->off = row->off;
	if (!arg_take_atom(it, &text) ||
	    !span_u32(text, 1, UINT32_MAX, &seconds))
		return wrong(r, "Number of seconds expected");
	k->when = clock_wall_us() / 1000000 - (int64_t)seconds;
	return true;
}

/* MODSEQ ["entry" type] n: all metadata share one mod-sequence, so what names
 * some of it is passed over (RFC 7162 3.1.5). */
static bool
take_modseq(struct reader_state *r, struct arg_iter *it,
    struct search_key *k, const struct row *row)
{
	struct arg_iter ahead = *it;
	struct span word;

	r->p->modseq = true;
	if (arg_take_modseq(it, true, &k->n))
		return true;
	*it = ahead;
	if (!arg_take_astring(it, &word) ||
	    !span_starts(word, "/flags/") || !arg_take_atom(it, &word) ||
	    (!span_is(word, "all") && !span_is(word, "priv") &&
	    !span_is(word, "shared")) || !arg_take_modseq(it, true, &k->n))
		return wrong(r, "Mod-sequence expected");
	return true;
}

static const struct row rows[] = {
	{ "ALL", take_nothing, SEARCH_AND, 0, false },
	{ "ANSWERED", take_nothing, SEARCH_FLAGS, MSG_ANSWERED, false },
	{ "BCC", take_text, SEARCH_ENVELOPE, IMAP_ENV_BCC, false },
	{ "BEFORE", take_date, SEARCH_DATE, REL_BEFORE, false },
	{ "BODY", take_text, SEARCH_BODY, 0, false },
	{ "CC", take_text, SEARCH_ENVELOPE, IMAP_ENV_CC, false },
	{ "DELETED", take_nothing, SEARCH_FLAGS, MSG_DELETED, false },
	{ "DRAFT", take_nothing, SEARCH_FLAGS, MSG_DRAFT, false },
	{ "FLAGGED", take_nothing, SEARCH_FLAGS, MSG_FLAGGED, false },
	{ "FROM", take_text, SEARCH_ENVELOPE, IMAP_ENV_FROM, false },
	{ "HEADER", take_header, SEARCH_HEADER, 0, false },
	{ "KEYWORD", take_keyword, SEARCH_FLAGS, 0, false },
	{ "LARGER", take_size, SEARCH_SIZE, 0, false },
	{ "MODSEQ", take_modseq, SEARCH_MODSEQ, 0, false },
	{ "OLD", take_nothing, SEARCH_RECENT, 0, true },
	{ "OLDER", take_age, SEARCH_AGE, 0, true },
	{ "ON", take_date, SEARCH_DATE, REL_ON, false },
	{ "RECENT", take_nothing, SEARCH_RECENT, 0, false },
	{ "SEEN", take_nothing, SEARCH_FLAGS, MSG_SEEN, false },
	{ "SENTBEFORE", take_date, SEARCH_SENT, REL_BEFORE, false },
	{ "SENTON", take_date, SEARCH_SENT, REL_ON, false },
	{ "SENTSINCE", take_date, SEARCH_SENT, REL_SINCE, false },
	{ "SINCE", take_date, SEARCH_DATE, REL_SINCE, false },
	{ "SMALLER", take_size, SEARCH_SIZE, 0, true },
	{ "SUBJECT", take_text, SEARCH_ENVELOPE, IMAP_ENV_SUBJECT, false },
	{ "TEXT", take_text, SEARCH_TEXT, 0, false },
	{ "TO", take_text, SEARCH_ENVELOPE, IMAP_ENV_TO, false },
	{ "UID", take_set, SEARCH_SET, 0, false },
	{ "UNANSWERED", take_nothing, SEARCH_FLAGS, MSG_ANSWERED, true },
	{ "UNDELETED", take_nothing, SEARCH_FLAGS, MSG_DELETED, true },
	{ "UNDRAFT", take_nothing, SEARCH_FLAGS, MSG_DRAFT, true },
	{ "UNFLAGGED", take_nothing, SEARCH_FLAGS, MSG_FLAGGED, true },
	{ "UNKEYWORD", take_keyword, SEARCH_FLAGS, 0, true },
	{ "UNSEEN", take_nothing, SEARCH_FLAGS, MSG_SEEN, true },
	{ "YOUNGER", take_age, SEARCH_AGE, 0, false },
};

/* --- the tree --------------------------------------------------------------------------------- */

static uint32_t
take_all(struct reader_state *r, struct arg_iter *it)
{
	uint32_t at = key_add(r->p), child;

	r->p->key[at].op = SEARCH_AND;
	if (arg_at_end(it))
		wrong(r, "Search key expected");
	while (r->why == NULL && !arg_at_end(it)) {
		child = take_key(r, it);
		if (child != SEARCH_NONE)
			key_adopt(r->p, at, child);
	}
	return at;
}

/* NOT and OR: `n` keys follow. */
static uint32_t
take_nested(struct reader_state *r, struct arg_iter *it, enum search_op op,
    int n)
{
	uint32_t at = key_add(r->p), child;

	r->p->key[at].op = op;
	while (r->why == NULL && n-- > 0) {
		child = take_key(r, it);
		if (child != SEARCH_NONE)
			key_adopt(r->p, at, child);
	}
	return at;
}

/* NEW is RECENT UNSEEN. */
static uint32_t
take_new(struct reader_state *r)
{
	uint32_t at = key_add(r->p), child;

	r->p->key[at].op = SEARCH_AND;
	child = key_add(r->p);
	r->p->key[child].op = SEARCH_RECENT;
	key_adopt(r->p, at, child);
	child = key_add(r->p);
	r->p->key[child].op = SEARCH_FLAGS;
	r->p->key[child].flags = MSG_SEEN;
	r->p->key[child].off = true;
	key_adopt(r->p, at, child);
	return at;
}

static uint32_t
take_row(struct reader_state *r, struct arg_iter *it, const struct row *row)
{
	struct search_key k = { .child = SEARCH_NONE, .next = SEARCH_NONE };
	uint32_t at;

	if (row == NULL) {
		take_set(r, it, &k, NULL);
	} else {
		k.op = row->op;
		row->take(r, it, &k, row);
	}
	at = key_add(r->p);
	r->p->key[at] = k;
	return at;
}

static uint32_t
take_word(struct reader_state *r, struct arg_iter *it)
{
	struct arg_iter before = *it;
	struct span word;
	size_t i;

	if (!arg_take_atom(it, &word)) {
		wrong(r, "Search key expected");
		return SEARCH_NONE;
	}
	if (span_is(word, "NOT"))
		return take_nested(r, it, SEARCH_NOT, 1);
	if (span_is(word, "OR"))
		return take_nested(r, it, SEARCH_OR, 2);
	if (span_is(word, "NEW"))
		return take_new(r);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(word, rows[i].name))
			return take_row(r, it, &rows[i]);
	*it = before;
	return take_row(r, it, NULL);
}

static uint32_t
take_key(struct reader_state *r, struct arg_iter *it)
{
	struct arg_iter members;
	uint32_t at;

	if (r->depth++ == SEARCH_DEPTH_MAX) {
		wrong(r, "Search too deeply nested");
		return SEARCH_NONE;
	}
	at = arg_take_list(it, &members) ? take_all(r, &members) :
	    take_word(r, it);
	r->depth--;
	return at;
}

const char *
search_plan_take_in(struct search_plan *p, struct arg_iter *it,
    const struct search_scope *scope, struct span charset)
{
	struct reader_state r = { .p = p, .scope = scope,
	    .charset = charset };

	*p = (struct search_plan){ .n = 0 };
	p->root = take_all(&r, it);
	return r.why;
}

const char *
search_plan_take(struct search_plan *p, struct arg_iter *it,
    const struct search_scope *scope)
{
	struct span charset = SPAN_LIT("utf-8"), word;
	struct arg_iter ahead = *it;

	*p = (struct search_plan){ .n = 0 };
	if (arg_take_atom(&ahead, &word) && span_is(word, "CHARSET")) {
		*it = ahead;
		if (!arg_take_astring(it, &charset))
			return "Charset expected";
		if (!charset_known(charset)) {
			p->bad_charset = true;
			return "Unknown charset";
		}
	}
	return search_plan_take_in(p, it, scope, charset);
}

void
search_plan_fini(struct search_plan *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		seqset_fini(&p->key[i].set);
		free(p->key[i].text);
	}
	free(p->key);
	*p = (struct search_plan){ .n = 0 };
}
