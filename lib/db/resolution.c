#include "db/resolution.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define ROWS_MAX	20000	/* 1,000 addresses and what they depend on */

enum column {
	COL_ITEM, COL_VALUE, COL_ID, COL_HOST, COL_STATE, COL_BYTES,
	COL_MESSAGES, COL_EXTENSION
};

static const char *const class_names[] = {
	[RESOLVE_TEMP] = "temp",
	[RESOLVE_NOT_LOCAL] = "not_local",
	[RESOLVE_UNKNOWN] = "unknown",
	[RESOLVE_DISABLED] = "disabled",
	[RESOLVE_MAILBOX] = "mailbox",
	[RESOLVE_RELAY] = "relay",
};

static const char *const state_names[] = {
	[MAILBOX_ACTIVE] = "active",
	[MAILBOX_NO_LOGIN] = "no_login",
	[MAILBOX_DISABLED] = "disabled",
};

const char *
resolve_class_name(enum resolve_class c)
{
	return (unsigned)c < ARRAY_LEN(class_names) ? class_names[c] :
	    "nonsense";
}

static int
word_index(struct span word, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (span_eq(word, span_str(names[i])))
			return (int)i;
	return -1;
}

int
mailbox_state_parse(struct span word, enum mailbox_state *out)
{
	int i = word_index(word, state_names, ARRAY_LEN(state_names));

	if (i < 0)
		return PS_ESYNTAX;
	*out = (enum mailbox_state)i;
	return 0;
}

/* --- one block of memory --- */

/* First pass counts, second fills; `text` is where the next string goes. */
struct block {
	struct resolution *r;
	struct resolved_mailbox *box;
	const char **forward, **depend;
	size_t n_boxes, n_forwards, n_depends, n_text;
	char *text;
};

static const char *
block_text(struct block *b, struct span s)
{
	char *at = b->text;

	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	b->text += s.n + 1;
	return at;
}

static struct block
block_new(size_t boxes, size_t forwards, size_t depends, size_t text)
{
	struct block b = { .r = NULL };
	size_t strings = (forwards + depends) * sizeof(char *);
	char *mem;

	mem = xcalloc(1, sizeof(*b.r) + boxes * sizeof(*b.box) + strings +
	    text);
	b.r = (struct resolution *)(void *)mem;
	mem += sizeof(*b.r);
	b.box = (struct resolved_mailbox *)(void *)mem;
	mem += boxes * sizeof(*b.box);
	b.forward = (const char **)(void *)mem;
	b.depend = b.forward + forwards;
	b.text = mem + strings;
	b.r->refs = 1;
	b.r->mailboxes = b.box;
	b.r->forwards = b.forward;
	b.r->depends_on = b.depend;
	b.r->transport = b.r->why = "";
	return b;
}

/* Asked address and the domain in it. */
static void
block_asked(struct block *b, struct span asked)
{
	ptrdiff_t at = span_rchr(asked, '@');

	b->r->address = block_text(b, asked);
	b->r->domain = b->r->address + (at < 0 ? (ptrdiff_t)asked.n : at + 1);
}

struct resolution *
resolution_plain(struct span asked, enum resolve_class class,
    const char *why)
{
	struct span w = span_str(why == NULL ? "" : why);
	struct block b = block_new(0, 0, 0, asked.n + 1 + w.n + 1);

	block_asked(&b, asked);
	b.r->class = class;
	b.r->why = block_text(&b, w);
	return b.r;
}

/* --- rows --- */

static bool
depend_known(const struct block *b, struct span key)
{
	size_t i;

	/* rows are distinct; only the two of depend_on_asked may come again */
	for (i = 0; i < MIN(b->n_depends, (size_t)2); i++)
		if (span_eq(span_str(b->depend[i]), key))
			return true;
	return false;
}

static void
depend_add(struct block *b, struct span key)
{
	if (key.n > 0 && !depend_known(b, key))
		b->depend[b->n_depends++] = block_text(b, key);
}

static bool
class_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	struct span word = db_get(r, row, COL_VALUE);
	int class = word_index(word, class_names, ARRAY_LEN(class_names));

	(void)host_id;
	b->r->org_id = (uint64_t)db_i64(r, row, COL_ID, 0);
	if (span_eq(word, SPAN_LIT("error"))) {
		/* Written past the checks; admin's to mend, mail waits. */
		b->r->class = RESOLVE_TEMP;
		b->r->why = "aliases loop, are nested too deep or too many";
		return true;
	}
	if (class <= RESOLVE_TEMP)
		return false;
	b->r->class = (enum resolve_class)class;
	return true;
}

static bool
mailbox_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	struct resolved_mailbox *m = &b->box[b->n_boxes];
	struct span state = db_get(r, row, COL_STATE);
	int64_t id = db_i64(r, row, COL_ID, 0);
	int64_t host = db_i64(r, row, COL_HOST, 0);
	size_t i;

	if (id <= 0 || host <= 0)
		return false;
	for (i = 0; i < b->n_boxes; i++)
		if (b->box[i].id == (uint64_t)id)
			return true;
	*m = (struct resolved_mailbox){ .id = (uint64_t)id,
	    .host_id = (uint64_t)host, .local = (uint64_t)host == host_id };
	if (state.p != NULL && mailbox_state_parse(state, &m->state) != 0)
		return false;
	m->address = block_text(b, db_get(r, row, COL_VALUE));
	m->extension = block_text(b, db_get(r, row, COL_EXTENSION));
	m->quota_bytes = MAX(db_i64(r, row, COL_BYTES, 0), 0);
	m->quota_messages = MAX(db_i64(r, row, COL_MESSAGES, 0), 0);
	b->n_boxes++;
	return true;
}

/* Comes behind the mailbox's own row. */
static bool
pool_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	uint64_t id = (uint64_t)db_i64(r, row, COL_ID, 0);
	size_t i;

	(void)host_id;
	for (i = 0; i < b->n_boxes; i++)
		if (b->box[i].id == id)
			b->box[i].pooled = true;
	return true;
}

static bool
forward_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	struct span addr = db_get(r, row, COL_VALUE);

	(void)host_id;
	if (span_rchr(addr, '@') <= 0)
		return false;
	b->forward[b->n_forwards++] = block_text(b, addr);
	return true;
}

static bool
depends_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	(void)host_id;
	depend_add(b, db_get(r, row, COL_VALUE));
	return true;
}

static bool
transport_row(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	(void)host_id;
	b->r->transport = block_text(b, db_get(r, row, COL_VALUE));
	return true;
}

static const struct {
	const char *item;
	bool (*read)(struct block *, const struct db_result *, size_t,
	    uint64_t);
} items[] = {
	{ "class", class_row },
	{ "mailbox", mailbox_row },
	{ "pool", pool_row },
	{ "forward", forward_row },
	{ "depends", depends_row },
	{ "transport", transport_row },
};

static bool
row_read(struct block *b, const struct db_result *r, size_t row,
    uint64_t host_id)
{
	struct span item = db_get(r, row, COL_ITEM);
	size_t i;

	for (i = 0; i < ARRAY_LEN(items); i++)
		if (span_eq(item, span_str(items[i].item)))
			return items[i].read(b, r, row, host_id);
	return true;		/* a newer function may say more: skip */
}

/* Every answer depends at least on what was asked. */
static void
depend_on_asked(struct block *b, struct span asked)
{
	ptrdiff_t at = span_rchr(asked, '@');
	struct span domain = span_sub(asked, (size_t)(at + 1), asked.n);
	char *key;

	depend_add(b, domain);
	if (at <= 0)
		return;
	key = xmalloc(asked.n + 1);
	memcpy(key, domain.p, domain.n);
	key[domain.n] = '/';
	memcpy(key + domain.n + 1, asked.p, (size_t)at);
	depend_add(b, span_of(key, asked.n));
	free(key);
}

struct resolution *
resolution_of_rows(struct span asked, const struct db_result *r,
    uint64_t host_id)
{
	size_t n = db_rows(r), i, text = 3 * (asked.n + 2), boxes = 0;
	size_t forwards = 0, depends = 2;
	struct block b;
	struct span item;

	if (n > ROWS_MAX)
		return resolution_plain(asked, RESOLVE_TEMP,
		    "the database gave too many rows");
	for (i = 0; i < n; i++) {
		item = db_get(r, i, COL_ITEM);
		boxes += span_eq(item, SPAN_LIT("mailbox"));
		forwards += span_eq(item, SPAN_LIT("forward"));
		depends += span_eq(item, SPAN_LIT("depends"));
		text += db_get(r, i, COL_VALUE).n + 1 +
		    db_get(r, i, COL_EXTENSION).n + 1;
	}
	b = block_new(boxes, forwards, depends, text);
	block_asked(&b, asked);
	depend_on_asked(&b, asked);
	for (i = 0; i < n; i++)
		if (!row_read(&b, r, i, host_id)) {
			resolution_unref(&b.r);
			return resolution_plain(asked, RESOLVE_TEMP,
			    "the database gave a row that makes no sense");
		}
	b.r->n_mailboxes = b.n_boxes;
	b.r->n_forwards = b.n_forwards;
	b.r->n_depends_on = b.n_depends;
	if (b.r->class == RESOLVE_TEMP && b.r->why[0] == '\0')
		b.r->why = "the database gave no class";
	return b.r;
}

struct resolution *
resolution_ref(const struct resolution *r)
{
	struct resolution *mine = (struct resolution *)(uintptr_t)r;

	mine->refs++;
	return mine;
}

void
resolution_unref(struct resolution **rp)
{
	struct resolution *r = *rp;

	*rp = NULL;
	if (r != NULL && --r->refs == 0)
		free(r);
}
