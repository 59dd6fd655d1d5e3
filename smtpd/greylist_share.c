#include "smtpd/greylist_share.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/greylist.h"

#define DIRTY_MAX	50000

struct greylist_share {
	struct share *share;
	struct greylist *list;
	struct share_kind *triplets, *origins, *exempts;
	bool accepts;			/* while the database is away */
	char host[256];			/* of events */
};

/* --- to others --- */

#define T(s)	{ .text = (s) }
#define N(n)	{ .i64 = (n) }

static void
triplet_changed(const struct grey_triplet *t, void *arg)
{
	struct greylist_share *g = arg;
	struct share_cell cells[] = { T(t->origin), T(t->sender),
		T(t->recipient), N(t->first_ms), N(t->last_ms),
		N(t->passed_ms), N(t->expires_ms) };

	share_change(g->triplets, cells);
}

static void
origin_changed(const struct grey_origin *o, void *arg)
{
	struct greylist_share *g = arg;
	struct share_cell cells[] = { T(o->origin), N(o->passes),
		N(o->last_pass_ms), N(o->waited_ms), N(o->last_ms),
		N(o->expires_ms) };

	share_change(g->origins, cells);
}

static void
exempt_changed(const struct grey_exempt *x, void *arg)
{
	struct greylist_share *g = arg;
	struct share_cell cells[] = { T(x->item), N(x->expires_ms) };

	share_change(g->exempts, cells);
}

#undef T
#undef N

static void
event_cb(const struct db_result *r, void *arg)
{
	if (!db_ok(r))
		log_warning("greylist: event not written: %s",
		    db_err(r)->why);
}

static void
budget_used(const struct grey_origin *o, void *arg)
{
	struct greylist_share *g = arg;
	struct buf detail;
	struct db_param p[3];

	log_info("greylist: %.*s has waited %lld s in all: nothing of it waits "
	    "any more", SPAN_ARG(o->origin),
	    (long long)(o->waited_ms / 1000));
	buf_init(&detail, 256);
	buf_fmt(&detail, "{\"waited_s\": %lld, \"passes\": %lld}",
	    (long long)(o->waited_ms / 1000), (long long)o->passes);
	p[0] = DB_TEXT(span_str(g->host));
	p[1] = DB_TEXT(o->origin);
	p[2] = DB_TEXT(buf_span(&detail));
	(void)db_ask(share_db(g->share), "SELECT event_add($1, "
	    "'greylist.budget', $2, $3::jsonb)", p, 3, DB_ONCE, event_cb, g);
	buf_fini(&detail);
}

static const struct greylist_ops ops = { triplet_changed, origin_changed,
	exempt_changed, budget_used };

/* --- from others; columns as in the kinds' `changed` --- */

static void
apply_triplet(const struct db_result *r, size_t row, void *arg)
{
	struct greylist_share *g = arg;

	greylist_apply_triplet(g->list, &(struct grey_triplet){
	    .origin = db_get(r, row, 1), .sender = db_get(r, row, 2),
	    .recipient = db_get(r, row, 3), .first_ms = db_i64(r, row, 4, 0),
	    .last_ms = db_i64(r, row, 5, 0),
	    .passed_ms = db_i64(r, row, 6, 0),
	    .expires_ms = db_i64(r, row, 7, 0) });
}

static void
apply_origin(const struct db_result *r, size_t row, void *arg)
{
	struct greylist_share *g = arg;

	greylist_apply_origin(g->list, &(struct grey_origin){
	    .origin = db_get(r, row, 1), .passes = db_i64(r, row, 2, 0),
	    .last_pass_ms = db_i64(r, row, 3, 0),
	    .waited_ms = db_i64(r, row, 4, 0),
	    .last_ms = db_i64(r, row, 5, 0),
	    .expires_ms = db_i64(r, row, 6, 0) });
}

static void
apply_exempt(const struct db_result *r, size_t row, void *arg)
{
	struct greylist_share *g = arg;

	greylist_apply_exempt(g->list, &(struct grey_exempt){
	    .item = db_get(r, row, 1),
	    .written = span_is(db_get(r, row, 2), "written"),
	    .expires_ms = db_i64(r, row, 3, 0) });
}

static const struct share_column triplet_columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_TEXT, SHARE_KEY },
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_I64, SHARE_LAST },
	{ SHARE_I64, SHARE_GREATEST }, { SHARE_I64, SHARE_LAST },
	{ SHARE_I64, SHARE_LAST },
};
static const struct share_kind_is triplet_kind = {
	.name = "greylist",
	.merge = "SELECT greylist_merge($1, $2, $3::text[], $4::text[], "
	    "$5::text[], $6::bigint[], $7::bigint[], $8::bigint[], "
	    "$9::bigint[])",
	.changed = "SELECT revision, origin, sender, recipient, first_ms, "
	    "last_ms, passed_ms, expires_ms FROM greylist_changed($1, $2)",
	.expire = "SELECT greylist_expire($1)",
	.columns = triplet_columns, .n_columns = ARRAY_LEN(triplet_columns),
	.dirty_max = DIRTY_MAX, .apply = apply_triplet,
};

static const struct share_column origin_columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_I64, SHARE_GREATEST },
	{ SHARE_I64, SHARE_GREATEST }, { SHARE_I64, SHARE_GREATEST },
	{ SHARE_I64, SHARE_GREATEST }, { SHARE_I64, SHARE_GREATEST },
};
static const struct share_kind_is origin_kind = {
	.name = "greylist_origin",
	.merge = "SELECT greylist_origin_merge($1, $2, $3::text[], "
	    "$4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
	    "$8::bigint[])",
	.changed = "SELECT revision, origin, passes, last_pass_ms, waited_ms, "
	    "last_ms, expires_ms FROM greylist_origin_changed($1, $2)",
	.expire = "SELECT greylist_origin_expire($1)",
	.columns = origin_columns, .n_columns = ARRAY_LEN(origin_columns),
	.dirty_max = DIRTY_MAX, .apply = apply_origin,
};

static const struct share_column exempt_columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_I64, SHARE_GREATEST },
};
static const struct share_kind_is exempt_kind = {
	.name = "greylist_exempt",
	.merge = "SELECT greylist_exempt_merge($1, $2, $3::text[], "
	    "$4::bigint[])",
	.changed = "SELECT revision, item, why, expires_ms "
	    "FROM greylist_exempt_changed($1, $2)",
	.expire = "SELECT greylist_exempt_expire($1)",
	.columns = exempt_columns, .n_columns = ARRAY_LEN(exempt_columns),
	.dirty_max = DIRTY_MAX, .apply = apply_exempt,
};

/* --- questions --- */

static bool
is_fresh(const struct greylist_share *g)
{
	return share_is_fresh(g->triplets) && share_is_fresh(g->origins) &&
	    share_is_fresh(g->exempts);
}

static bool
question_of(const struct entry_grey_ask *in, struct grey_question *q)
{
	if (in->origin.n == 0 || in->origin.n > GREY_ORIGIN_MAX ||
	    in->client.n > GREY_ORIGIN_MAX || in->address.n != 16 ||
	    in->sender.n > GREY_ADDRESS_MAX ||
	    in->sender_as_is.n > GREY_ADDRESS_MAX ||
	    in->recipient.n > GREY_ADDRESS_MAX)
		return false;
	*q = (struct grey_question){ .origin = in->origin,
	    .client = in->client, .sender = in->sender,
	    .sender_as_is = in->sender_as_is, .recipient = in->recipient };
	memcpy(q->address.b, in->address.p, 16);
	return true;
}

static int
ask_cb(struct span body, struct buf *answer, void *arg)
{
	struct greylist_share *g = arg;
	struct entry_grey_ask in;
	struct grey_question q;
	struct grey_answer out;
	int64_t now = share_now_ms(g->share);

	if (!entry_grey_ask_next(&body, &in) || body.n != 0)
		return PS_ESYNTAX;
	if (in.wrote) {
		if (in.recipient.n == 0 || in.recipient.n > GREY_ADDRESS_MAX)
			return PS_ESYNTAX;
		greylist_wrote(g->list, in.recipient, now);
		return 0;
	}
	if (!question_of(&in, &q))
		return PS_ESYNTAX;
	greylist_ask(g->list, &q, now, &out);
	/* What is known here may not be all there is. */
	if (out.wait && g->accepts && !is_fresh(g))
		out = (struct grey_answer){ .why = GREY_AWAY };
	entry_grey_answer_pack(answer, &(struct entry_grey_answer){
	    .wait = out.wait, .why = (uint8_t)out.why,
	    .wait_s = out.wait_s, .waited_s = out.waited_s });
	return 0;
}

/* --- life --- */

static struct grey_rules
rules_of(const struct conf *conf)
{
	return (struct grey_rules){ .delay_ms = conf->greylist_delay,
	    .window_ms = conf->greylist_retry_window,
	    .max_age_ms = conf->greylist_max_age,
	    .budget_ms = conf->greylist_delay_budget,
	    .clients_after =
		(unsigned)conf->greylist_auto_whitelist_clients,
	    .most = (size_t)conf->greylist_cache_entries };
}

struct greylist_share *
greylist_share_new(struct share *s, struct keeper_server *server,
    const struct conf *conf)
{
	struct greylist_share *g = xcalloc(1, sizeof(*g));
	struct grey_rules rules = rules_of(conf);

	g->share = s;
	g->list = greylist_new(&rules, &ops, g);
	g->triplets = share_add(s, &triplet_kind, g);
	g->origins = share_add(s, &origin_kind, g);
	g->exempts = share_add(s, &exempt_kind, g);
	keeper_server_subject(server, KEEPER_GREYLIST, ask_cb, g);
	greylist_share_reload(g, conf);
	return g;
}

void
greylist_share_free(struct greylist_share **gp)
{
	struct greylist_share *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	greylist_free(&g->list);
	free(g);
}

void
greylist_share_reload(struct greylist_share *g, const struct conf *conf)
{
	struct grey_rules rules = rules_of(conf);
	size_t n = MIN(strlen(conf->host_name_in_database),
	    sizeof(g->host) - 1);

	greylist_configure(g->list, &rules);
	g->accepts = strcmp(conf->greylist_default_action, "accept") == 0;
	memcpy(g->host, conf->host_name_in_database, n);
	g->host[n] = '\0';
}

void
greylist_share_status(const struct greylist_share *g, struct buf *json)
{
	struct greylist_stats s;
	int i;

	greylist_stats(g->list, &s);
	buf_fmt(json, "\"greylist\": {\"waiting\": %zu, \"known\": %zu, "
	    "\"origins\": %zu, \"exempt\": %zu, \"crowded\": %llu, "
	    "\"verdicts\": {",
	    s.waiting, s.known, s.origins, s.exempt,
	    (unsigned long long)s.crowded);
	for (i = 0; i < GREY_WHYS; i++) {
		buf_str(json, i > 0 ? ", " : "");
		json_put_string(json, span_str(grey_why_text(
		    (enum grey_why)i)));
		buf_fmt(json, ": %llu", (unsigned long long)s.whys[i]);
	}
	buf_str(json, "}}");
}
