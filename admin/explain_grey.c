#include "admin/explain_grey.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "db/db.h"

struct source {
	struct grey_source source;
	struct loop *loop;
	struct conf *conf;
	char *password;
	struct db *db;			/* NULL: not asked yet */
	struct buf found;
};

struct grey_asked {
	struct source *s;
	struct db_query *query;
	grey_answer_cb *cb;
	void *arg;
};

/* --- the question --- */

/* Hostile names end as "?": they are exempt by no item. */
static void
item_add(struct buf *out, const char *kind, struct span what)
{
	size_t i;

	buf_fmt(out, "%s\"%s", buf_len(out) > 1 ? "," : "", kind);
	for (i = 0; i < what.n; i++) {
		if (what.p[i] == '"' || what.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, what.p[i] == '\0' ? '?' : what.p[i]);
	}
	buf_char(out, '"');
}

static void
names_add(struct buf *out, struct span name)
{
	ptrdiff_t dot;

	while (name.n > 0) {
		item_add(out, "client:", name);
		dot = span_chr(name, '.');
		name = dot == -1 ? SPAN_NONE :
		    span_sub(name, (size_t)dot + 1, name.n);
	}
}

/* All exemptions that would do, as smtpd/greylist.c looks for them. */
static void
items_of(const struct grey_question *q, struct buf *out)
{
	ptrdiff_t at = span_rchr(q->recipient, '@');
	struct buf net;
	unsigned bits;

	buf_char(out, '{');
	if (q->sender_as_is.n > 0)
		item_add(out, "from:", q->sender_as_is);
	item_add(out, "to:", q->recipient);
	if (at != -1)
		item_add(out, "to:", span_sub(q->recipient, (size_t)at,
		    q->recipient.n));
	names_add(out, q->client);
	names_add(out, q->origin);
	buf_init(&net, 64);
	for (bits = 0; bits <= 128; bits++) {
		buf_clear(&net);
		grey_network(&q->address, MIN(bits, 32u), bits, &net);
		item_add(out, "net:", buf_span(&net));
	}
	buf_fini(&net);
	buf_char(out, '}');
}

/* --- the answer --- */

/* Columns of greylist_explain. */
enum { WHAT, FIRST, FIRST_MS, PASSED, PASSES, WAITED_MS, UNTIL, NOW_MS };

static enum grey_why
exemption_why(struct span what)
{
	return span_starts(what, "exempt to:") ? GREY_UNWANTED : GREY_EXEMPT;
}

static enum grey_why
origin_why(const struct conf *conf, int64_t passes, int64_t waited_ms)
{
	if (conf->greylist_auto_whitelist_clients > 0 &&
	    passes >= conf->greylist_auto_whitelist_clients)
		return GREY_TRUSTED;
	if (conf->greylist_delay_budget > 0 &&
	    waited_ms >= conf->greylist_delay_budget)
		return GREY_BUDGET;
	return GREY_NEW;
}

static void
row_tell(struct buf *out, const struct db_result *r, size_t row)
{
	struct span what = db_get(r, row, WHAT);

	if (span_is(what, "origin"))
		buf_fmt(out, "its origin came back %.*s times and waited "
		    "%lld s", SPAN_ARG(db_get(r, row, PASSES)),
		    (long long)(db_i64(r, row, WAITED_MS, 0) / 1000));
	else if (!span_is(what, "triplet"))
		buf_span_add(out, what);
	else if (db_is_null(r, row, PASSED))
		buf_fmt(out, "waits since %.*s",
		    SPAN_ARG(db_get(r, row, FIRST)));
	else
		buf_fmt(out, "first seen %.*s, came back %.*s",
		    SPAN_ARG(db_get(r, row, FIRST)),
		    SPAN_ARG(db_get(r, row, PASSED)));
	buf_fmt(out, ", until %.*s\n", SPAN_ARG(db_get(r, row, UNTIL)));
}

/* Rows come in the order in which gatekeeper looks: the first that lets pass
 * decides. */
static void
judge(struct source *s, const struct db_result *r, struct grey_answer *a)
{
	int64_t left = s->conf->greylist_delay;
	enum grey_why why = GREY_NEW;
	size_t i;

	for (i = 0; i < db_rows(r); i++) {
		struct span what = db_get(r, i, WHAT);

		row_tell(&s->found, r, i);
		if (why > GREY_EARLY)
			continue;
		if (span_is(what, "origin"))
			why = origin_why(s->conf, db_i64(r, i, PASSES, 0),
			    db_i64(r, i, WAITED_MS, 0));
		else if (!span_is(what, "triplet"))
			why = exemption_why(what);
		else if (!db_is_null(r, i, PASSED))
			why = GREY_KNOWN;
		else {
			left = db_i64(r, i, FIRST_MS, 0) + left -
			    db_i64(r, i, NOW_MS, 0);
			why = left > 0 ? GREY_EARLY : GREY_CAME_BACK;
		}
	}
	*a = (struct grey_answer){ .why = why, .wait = why <= GREY_EARLY,
	    .wait_s = (uint32_t)MAX((left + 999) / 1000, (int64_t)0) };
}

static void
rows_cb(const struct db_result *r, void *arg)
{
	struct grey_asked *asked = arg;
	struct source *s = asked->s;
	struct grey_answer a = { .why = GREY_AWAY };

	buf_clear(&s->found);
	if (db_ok(r))
		judge(s, r, &a);
	else
		buf_fmt(&s->found, "%s\n", db_err(r)->why);
	asked->cb(&a, asked->arg);
	free(asked);
}

static struct grey_asked *
ask(struct grey_source *source, const struct grey_question *q,
    struct grey_answer *now, grey_answer_cb *cb, void *arg)
{
	struct source *s = (struct source *)source;
	struct grey_asked *a = xcalloc(1, sizeof(*a));
	struct db_config c = db_config_of(s->conf,
	    s->conf->database_role_lookup, s->password);
	struct db_param p[4];
	struct buf items;

	(void)now;
	if (s->db == NULL)
		s->db = db_new(s->loop, &c);
	buf_init(&items, 65536);
	items_of(q, &items);
	p[0] = DB_TEXT(q->origin);
	p[1] = DB_TEXT(q->sender);
	p[2] = DB_TEXT(q->recipient);
	p[3] = DB_TEXT(buf_failed(&items) ? SPAN_LIT("{}") :
	    buf_span(&items));
	*a = (struct grey_asked){ .s = s, .cb = cb, .arg = arg };
	a->query = db_ask(s->db, "SELECT * FROM greylist_explain($1, $2, $3, "
	    "$4::text[])", p, 4, DB_AGAIN, rows_cb, a);
	buf_fini(&items);
	return a;
}

static void
cancel(struct grey_asked **ap)
{
	struct grey_asked *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	db_cancel(&a->query);
	free(a);
}

/* --- life --- */

struct grey_source *
explain_grey_new(struct loop *l, struct conf *conf, const char *password)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->source = (struct grey_source){ ask, cancel };
	s->loop = l;
	s->conf = conf_ref(conf);
	s->password = password == NULL ? NULL : xstrdup(password);
	buf_init(&s->found, 65536);
	return &s->source;
}

void
explain_grey_free(struct grey_source **sp)
{
	struct source *s = (struct source *)*sp;

	*sp = NULL;
	if (s == NULL)
		return;
	db_free(&s->db);
	secret_free(&s->password);
	buf_fini(&s->found);
	conf_unref(&s->conf);
	free(s);
}

struct span
explain_grey_found(struct grey_source *source)
{
	return buf_span(&((struct source *)source)->found);
}
