/*
 * Usage figures for PostgreSQL: absolute values with a rising version, in
 * batches, never in the way of mail. What the store says is the truth; the
 * table is for people and for other hosts.
 */
#include "delivery/deliver.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "db/db.h"

#define REPORT_MS	5000
#define BATCH_MAX	500		/* mailboxes per query */
#define CHANGED_MAX	1000000		/* remembered while it is away */

struct reporter {
	struct deliver *d;
	struct db *db;
	struct db_query *query;
	struct timer timer;
	struct defer start;
	char *password;
	struct map *changed;		/* mailbox ids not reported yet */
	uint64_t asked[BATCH_MAX];	/* those of the query under way */
	size_t n_asked;
	uint64_t version;
	bool warned;
};

void
usage_changed(struct deliver *d, uint64_t mailbox_id)
{
	struct reporter *r = d->reporter;

	if (r == NULL || map_count(r->changed) >= CHANGED_MAX)
		return;
	(void)map_put_u64(r->changed, mailbox_id, r);
	if (!r->timer.set)
		timer_set_ms(&r->timer, REPORT_MS);
}

/* --- a batch --- */

static void
answered_cb(const struct db_result *res, void *arg)
{
	struct reporter *r = arg;
	size_t i;

	r->query = NULL;
	if (!db_ok(res)) {
		if (!r->warned)
			log_warning("usage figures wait: %s",
			    db_err(res)->why);
		r->warned = true;
		for (i = 0; i < r->n_asked; i++)
			usage_changed(r->d, r->asked[i]);
	} else {
		r->warned = false;
	}
	r->n_asked = 0;
}

struct batch_text {
	struct buf ids, bytes, messages, versions;
};

static void
batch_add(struct batch_text *t, uint64_t id, const struct usage *u,
    uint64_t version)
{
	struct buf *const column[] = { &t->ids, &t->bytes, &t->messages,
	    &t->versions };
	const uint64_t value[] = { id, u->bytes, u->messages, version };
	size_t i;

	for (i = 0; i < ARRAY_LEN(column); i++) {
		buf_char(column[i], buf_len(column[i]) == 0 ? '{' : ',');
		buf_dec(column[i], value[i]);
	}
}

static void
batch_ask(struct reporter *r, struct batch_text *t)
{
	struct buf *const column[] = { &t->ids, &t->bytes, &t->messages,
	    &t->versions };
	struct db_param p[ARRAY_LEN(column)];
	size_t i;

	for (i = 0; i < ARRAY_LEN(column); i++) {
		buf_char(column[i], '}');
		p[i] = DB_TEXT(buf_span(column[i]));
	}
	r->query = db_ask(r->db, "SELECT usage_report($1::bigint[], "
	    "$2::bigint[], $3::bigint[], $4::bigint[])", p, ARRAY_LEN(p),
	    DB_ONCE, answered_cb, r);
}

/* Those whose figures are known go; the others are looked up for next time. */
static void
batch_gather(struct reporter *r, struct batch_text *t)
{
	uint64_t id, now = (uint64_t)clock_wall_us();
	struct mbox *look[BATCH_MAX];
	size_t n_look = 0, pos = 0;
	struct span key;
	void *ignored;

	r->version = MAX(r->version + 1, now);
	while (r->n_asked < BATCH_MAX && n_look < BATCH_MAX &&
	    map_next(r->changed, &pos, &key, &ignored)) {
		struct mbox *b;
		memcpy(&id, key.p, sizeof(id));
		b = mbox_get(r->d, id);
		(void)map_del_u64(r->changed, id);
		if (!b->usage_known) {
			b->report_wanted = true;
			look[n_look++] = b;
			continue;
		}
		batch_add(t, id, &b->usage, r->version);
		r->asked[r->n_asked++] = id;
		mbox_put(b);
	}
	while (n_look > 0) {
		mbox_usage_ask(look[--n_look]);
		mbox_put(look[n_look]);
	}
}

static void
report_cb(void *arg)
{
	struct reporter *r = arg;
	struct batch_text t;

	if (r->query == NULL && r->db != NULL && db_state(r->db) == DB_UP) {
		buf_init(&t.ids, BUF_NO_CAP);
		buf_init(&t.bytes, BUF_NO_CAP);
		buf_init(&t.messages, BUF_NO_CAP);
		buf_init(&t.versions, BUF_NO_CAP);
		batch_gather(r, &t);
		if (r->n_asked > 0)
			batch_ask(r, &t);
		buf_fini(&t.ids);
		buf_fini(&t.bytes);
		buf_fini(&t.messages);
		buf_fini(&t.versions);
	}
	if (map_count(r->changed) > 0)
		timer_set_ms(&r->timer, REPORT_MS);
}

/* --- life --- */

/* The password, if there is one, came right behind init. */
static void
connect_cb(void *arg)
{
	struct reporter *r = arg;
	const struct conf *conf = r->d->env->conf;
	struct db_config c = db_config_of(conf, conf->database_role_usage,
	    r->password);

	r->db = db_new(r->d->loop, &c);
	secret_free(&r->password);
}

struct reporter *
reporter_new(struct deliver *d)
{
	struct reporter *r;

	if (d->env->conf->database[0] == '\0')
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->d = d;
	r->changed = map_new();
	timer_init(&r->timer, d->loop, report_cb, r);
	defer_init(&r->start, d->loop, connect_cb, r);
	defer_call(&r->start);
	return r;
}

void
reporter_password(struct reporter *r, struct span password)
{
	if (r == NULL || r->db != NULL)
		return;
	secret_free(&r->password);
	r->password = xmemdup0(password.p, password.n);
}

void
reporter_free(struct reporter **rp)
{
	struct reporter *r = *rp;

	if (r == NULL)
		return;
	timer_clear(&r->timer);
	defer_cancel(&r->start);
	db_cancel(&r->query);
	db_free(&r->db);
	secret_free(&r->password);
	map_free(&r->changed);
	free(r);
	*rp = NULL;
}
