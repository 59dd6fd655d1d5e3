/*
 * Usage figures for PostgreSQL: absolute values with a rising version (wall
 * clock microseconds of their reading), in batches, never in the way of mail.
 * What the store says is the truth; the table is for people, for pools, and
 * for other hosts.
 */
#include "delivery/deliver.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/db.h"

#define POOL_MS		500		/* when others share the room */
#define BATCH_MAX	500		/* mailboxes per query */
#define CHANGED_MAX	1000000		/* remembered while it is away */

struct figures {
	uint64_t id, version;
	struct usage usage;
};

/*
 * A round: up to BATCH_MAX mailboxes that changed are read (in threads), then
 * told in one query. Between rounds the timer runs.
 */
struct reporter {
	struct deliver *d;
	struct db_query *query;
	struct timer timer;
	struct defer start;
	char *password;
	struct map *changed;		/* mailbox ids not reported yet */
	struct figures told[BATCH_MAX];	/* this round */
	size_t n_told;
	size_t n_reading;
	bool soon;			/* the timer is set for POOL_MS */
	bool warned;
};

static uint64_t
pause_ms(const struct reporter *r, bool soon)
{
	uint64_t ms = (uint64_t)r->d->env->conf->usage_report_interval;

	return soon ? MIN(ms, POOL_MS) : ms;
}

static void
timer_start(struct reporter *r, bool soon)
{
	if (r->timer.set && (r->soon || !soon))
		return;
	r->soon = soon;
	timer_set_ms(&r->timer, pause_ms(r, soon));
}

void
usage_changed(struct deliver *d, uint64_t mailbox_id)
{
	struct reporter *r = d->reporter;
	const struct mbox *b;

	if (r == NULL || map_count(r->changed) >= CHANGED_MAX)
		return;
	(void)map_put_u64(r->changed, mailbox_id, r);
	b = map_get_u64(d->boxes, mailbox_id);
	timer_start(r, b != NULL && b->place.n_pools > 0);
}

/* --- a batch --- */

static void
answered_cb(const struct db_result *res, void *arg)
{
	struct reporter *r = arg;
	bool ok = db_ok(res);
	size_t i;

	r->query = NULL;
	if (!ok && !r->warned)
		log_warning("usage figures wait: %s", db_err(res)->why);
	r->warned = !ok;
	for (i = 0; i < r->n_told; i++)
		if (ok) {
			place_counted(r->d, r->told[i].id, &r->told[i].usage);
			warn_look(r->d, r->told[i].id);
		} else {
			usage_changed(r->d, r->told[i].id);
		}
	r->n_told = 0;
	if (map_count(r->changed) > 0)
		timer_start(r, ok && map_count(r->changed) > BATCH_MAX);
	marks_tidy(r->d);
}

void
reporter_live(const struct reporter *r, struct map *m)
{
	struct span key;
	size_t pos = 0, i;
	void *v;

	if (r == NULL)
		return;
	while (map_next(r->changed, &pos, &key, &v))
		(void)map_put(m, key, v);
	for (i = 0; i < r->n_told; i++)
		(void)map_put_u64(m, r->told[i].id, m);
}

struct batch_text {
	struct buf ids, bytes, messages, versions;
};

static void
batch_add(struct batch_text *t, const struct figures *f)
{
	struct buf *const column[] = { &t->ids, &t->bytes, &t->messages,
	    &t->versions };
	const uint64_t value[] = { f->id, f->usage.bytes, f->usage.messages,
	    f->version };
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
	r->query = db_ask(r->d->db, "SELECT usage_report($1::bigint[], "
	    "$2::bigint[], $3::bigint[], $4::bigint[])", p, ARRAY_LEN(p),
	    DB_ONCE, answered_cb, r);
}

/* All of this round have been read. */
static void
round_tell(struct reporter *r)
{
	struct batch_text t;
	size_t i;

	if (r->n_told == 0) {
		if (map_count(r->changed) > 0)
			timer_start(r, false);
		return;
	}
	buf_init(&t.ids, BUF_NO_CAP);
	buf_init(&t.bytes, BUF_NO_CAP);
	buf_init(&t.messages, BUF_NO_CAP);
	buf_init(&t.versions, BUF_NO_CAP);
	for (i = 0; i < r->n_told; i++)
		batch_add(&t, &r->told[i]);
	batch_ask(r, &t);
	buf_fini(&t.ids);
	buf_fini(&t.bytes);
	buf_fini(&t.messages);
	buf_fini(&t.versions);
}

void
usage_read_done(struct deliver *d, uint64_t mailbox_id,
    const struct usage *u, uint64_t version)
{
	struct reporter *r = d->reporter;

	if (r == NULL || r->n_reading == 0)
		return;
	if (u != NULL)
		r->told[r->n_told++] = (struct figures){ .id = mailbox_id,
		    .version = version, .usage = *u };
	if (--r->n_reading == 0)
		round_tell(r);
}

/* Figures come from the index, never from what we added up: what is told
 * stays for as long as nothing changes. */
static void
round_begin(struct reporter *r)
{
	uint64_t ids[BATCH_MAX];
	size_t n = 0, i, pos = 0;
	struct span key;
	struct mbox *b;
	void *ignored;

	while (n < BATCH_MAX && map_next(r->changed, &pos, &key, &ignored)) {
		memcpy(&ids[n], key.p, sizeof(ids[n]));
		(void)map_del_u64(r->changed, ids[n++]);
	}
	r->n_reading = n;
	for (i = 0; i < n; i++) {
		b = mbox_get(r->d, ids[i]);
		b->report_wanted = true;
		if (r->d->env->conf->virtual_create_maildirsize)
			(void)place_ask(b);
		mbox_usage_ask(b);
		mbox_put(b);
	}
}

static void
report_cb(void *arg)
{
	struct reporter *r = arg;

	if (r->query != NULL || r->n_reading > 0)
		return;			/* its end goes on */
	if (map_count(r->changed) == 0 || r->d->stopping)
		return;			/* the marks keep them */
	if (r->d->db != NULL && db_state(r->d->db) == DB_UP)
		round_begin(r);
	else
		timer_start(r, false);
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

	r->d->db = db_new(r->d->loop, &c);
	pools_connected(r->d);
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
	if (r == NULL || r->d->db != NULL)
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
	db_free(&r->d->db);
	secret_free(&r->password);
	map_free(&r->changed);
	free(r);
	*rp = NULL;
}
