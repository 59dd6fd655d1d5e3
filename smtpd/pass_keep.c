#include "smtpd/pass_keep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/pass.h"

#define DIRTY_MAX	50000

struct pass_keep {
	struct passes *passes;
	struct keeper_server *server;	/* NULL: no workers any more */
	struct share *share;		/* NULL: not shared */
	struct share_kind *kind;
	uint64_t keep_s;
};

static uint64_t
now_s(const struct pass_keep *p)
{
	return (uint64_t)(p->share != NULL ? share_now_ms(p->share) :
	    clock_wall_us() / 1000) / 1000;
}

/* --- the database --- */

enum { CELL_CLIENT, CELL_UNTIL, CELL_EXPIRES = CELL_UNTIL + PASS_TESTS,
	CELLS };

static const struct share_column columns[CELLS] = {
	[CELL_CLIENT] = { SHARE_TEXT, SHARE_KEY },
	[CELL_UNTIL + PASS_GREET] = { SHARE_I64, SHARE_GREATEST },
	[CELL_UNTIL + PASS_DNSBL] = { SHARE_I64, SHARE_GREATEST },
	[CELL_UNTIL + PASS_PIPELINING] = { SHARE_I64, SHARE_GREATEST },
	[CELL_UNTIL + PASS_NON_SMTP] = { SHARE_I64, SHARE_GREATEST },
	[CELL_UNTIL + PASS_BARE_NEWLINE] = { SHARE_I64, SHARE_GREATEST },
	[CELL_EXPIRES] = { SHARE_I64, SHARE_GREATEST },
};

static void
publish(struct pass_keep *p, struct span key, const struct pass_left *left)
{
	struct share_cell cells[CELLS] = { { .i64 = 0 } };
	uint64_t now = now_s(p), last = 0;
	struct buf client;
	int t;

	if (p->kind == NULL)
		return;
	buf_init(&client, 64);
	pass_key_text(key, &client);
	cells[CELL_CLIENT].text = buf_span(&client);
	for (t = 0; t < PASS_TESTS; t++) {
		if (left->s[t] == 0)
			continue;
		last = MAX(last, now + left->s[t]);
		cells[CELL_UNTIL + t].i64 =
		    (int64_t)(now + left->s[t]) * 1000;
	}
	cells[CELL_EXPIRES].i64 = (int64_t)(last + p->keep_s) * 1000;
	share_change(p->kind, cells);
	buf_fini(&client);
}

/* The key of "192.0.2.7" or "2001:db8::/64". */
static bool
key_of(struct span text, struct pass_key *key)
{
	ptrdiff_t slash = span_chr(text, '/');
	struct net_addr a;

	if (slash != -1)
		text = span_sub(text, 0, (size_t)slash);
	if (!net_addr_parse(text, &a))
		return false;
	pass_key_set(key, &a);
	return true;
}

/* A row without any end is a client that an administrator made us forget. */
static void
apply(const struct db_result *r, size_t row, void *arg)
{
	struct pass_keep *p = arg;
	uint64_t until[PASS_TESTS], any = 0;
	struct pass_key key;
	int64_t ms;
	int t;

	if (!key_of(db_get(r, row, 1 + CELL_CLIENT), &key)) {
		log_warning("first_contact: \"%.*s\" is no client",
		    SPAN_ARG(db_get(r, row, 1 + CELL_CLIENT)));
		return;
	}
	for (t = 0; t < PASS_TESTS; t++) {
		ms = db_i64(r, row, (int)(1 + CELL_UNTIL + t), 0);
		until[t] = ms > 0 ? (uint64_t)ms / 1000 : 0;
		any |= until[t];
	}
	if (any != 0) {
		(void)passes_learn(p->passes, pass_key_span(&key), until,
		    now_s(p));
		return;
	}
	(void)passes_forget(p->passes, pass_key_span(&key));
	if (p->server != NULL)
		keeper_server_forget(p->server, KEEPER_PASS,
		    pass_key_span(&key));
}

static const struct share_kind_is first_contact = {
	.name = "first_contact",
	.merge = "SELECT first_contact_merge($1, $2, $3::text[], "
	    "$4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
	    "$8::bigint[], $9::bigint[])",
	.changed = "SELECT revision, client, greet, dnsbl, pipelining, "
	    "non_smtp_command, bare_newline, expires "
	    "FROM first_contact_changed($1, $2)",
	.expire = "SELECT first_contact_expire($1)",
	.columns = columns, .n_columns = ARRAY_LEN(columns),
	.dirty_max = DIRTY_MAX, .apply = apply,
};

/* --- workers --- */

static int
asked(struct span body, struct buf *answer, void *arg)
{
	struct pass_keep *p = arg;
	struct entry_pass_ask in;
	struct pass_left left;
	struct buf packed;
	bool known;

	if (!entry_pass_ask_next(&body, &in) || body.n > 0 ||
	    in.client.n != PASS_KEY_LEN)
		return PS_ESYNTAX;
	if (in.left.n > 0) {
		if (!pass_left_unpack(in.left, &left))
			return PS_ESYNTAX;
		if (passes_add(p->passes, in.client, &left, now_s(p)))
			publish(p, in.client, &left);
		return 0;
	}
	known = passes_get(p->passes, in.client, now_s(p), &left);
	buf_init(&packed, 64);
	pass_left_pack(&packed, &left);
	entry_pass_known_pack(answer, &(struct entry_pass_known){
	    .known = known, .left = buf_span(&packed) });
	buf_fini(&packed);
	return 0;
}

/* --- life --- */

struct pass_keep *
pass_keep_new(const struct conf *conf, struct keeper_server *server)
{
	struct pass_keep *p = xcalloc(1, sizeof(*p));

	p->server = server;
	p->passes = passes_new(0, 0);
	pass_keep_configure(p, conf);
	keeper_server_subject(server, KEEPER_PASS, asked, p);
	return p;
}

void
pass_keep_free(struct pass_keep **pp)
{
	struct pass_keep *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	passes_free(&p->passes);
	free(p);
}

void
pass_keep_configure(struct pass_keep *p, const struct conf *conf)
{
	p->keep_s = (uint64_t)conf->postscreen_cache_retention_time / 1000;
	passes_configure(p->passes, (size_t)conf->gatekeeper_pass_entries,
	    p->keep_s);
}

void
pass_keep_share(struct pass_keep *p, struct share *s)
{
	p->share = s;
	p->kind = share_add(s, &first_contact, p);
}

void
pass_keep_leave(struct pass_keep *p)
{
	p->server = NULL;
}

size_t
pass_keep_count(const struct pass_keep *p)
{
	return passes_count(p->passes);
}
