#include "db/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "db/share_rows.h"

#define CHANNEL		"postern_shared"
#define SHARE_MAGIC	0x73686172u
#define KIND_MAGIC	0x73686b64u
#define KINDS_MAX	8

#define WRITE_MS	200	/* changes are gathered for so long */
#define PULL_MS		50	/* and news */
#define RETRY_MS	1000	/* after a failure */
#define STATE_MS	30000	/* longest that a NOTIFY may be missed, should a
				 * pooler in between lose our LISTEN */
#define EXPIRE_MS	60000
#define GRACE_MS	5000	/* that the database may be away unnoticed */
#define FLUSH_MS	3000	/* for a flush; a database that is there but */
#define FLUSH_BUSY_MS	8000	/* busy gets more: less than stop_grace_time */

#define BATCH_MAX	500	/* rows */
#define PAGE		2000	/* more than a batch */
#define EXPIRE_MOST	1000

struct share_kind {
	uint32_t magic;
	struct share *share;
	const struct share_kind_is *is;
	void *arg;

	/* out */
	struct share_rows *waiting;
	struct share_row_list sent;	/* a batch; goes again until the
					 * database has told what became of it */
	size_t n_sent, limit;		/* rows in it, and at most */
	int64_t batch;			/* its number */
	bool writing;
	uint64_t write_after_ms;	/* after a failure */

	/* in */
	int64_t since, known;		/* revisions: here, and there */
	int64_t asked;			/* `known' when a page was asked for */
	int64_t told;			/* a NOTIFY says so; 0: none did */
	int64_t page;
	bool pulling, loaded, caught_up;
	uint64_t fresh_ms;		/* when it last was caught up */

	bool failing;			/* and it was logged */
	struct share_stats stats;
};

struct share {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	struct db *db;
	struct share_kind *kinds[KINDS_MAX];
	size_t n_kinds;
	char writer[33];
	struct buf names;		/* of all kinds, an array */
	bool clock_told;
	int64_t clock_ms;		/* its clock less ours, which is the
					 * monotonic one: nobody sets that */
	uint64_t asked_ms;		/* when it was asked for the time */
	struct timer write, pull, state, expire, flush;
	loop_cb *flushed_cb;
	void *flushed_arg;
	bool flushing, flush_begun, flush_late;
};

static void write_cb(void *arg);
static void pull_cb(void *arg);

/* --- faults --- */

/* Once until it works again. */
static void
failed(struct share_kind *k, const char *what, const struct db_result *r)
{
	k->stats.failures++;
	if (!k->failing)
		log_warning("shared state %s: not %s: %s", k->is->name, what,
		    db_err(r)->why);
	k->failing = true;
}

static void
worked(struct share_kind *k)
{
	if (k->failing)
		log_info("shared state %s: the database is back",
		    k->is->name);
	k->failing = false;
}

/* --- out --- */

static bool
has_work(const struct share_kind *k)
{
	return k->n_sent > 0 || share_rows_count(k->waiting) > 0;
}

static void
flush_told(struct share *s)
{
	loop_cb *cb = s->flushed_cb;

	s->flushing = false;
	s->flushed_cb = NULL;
	timer_clear(&s->flush);
	if (cb != NULL)
		cb(s->flushed_arg);
}

/* Something is on its way, or more can be written. */
static bool
can_flush(const struct share *s)
{
	size_t i;

	for (i = 0; i < s->n_kinds; i++)
		if (s->kinds[i]->writing || (has_work(s->kinds[i]) &&
		    db_state(s->db) == DB_UP && !s->kinds[i]->failing))
			return true;
	return false;
}

static void
flush_look(struct share *s)
{
	if (!s->flushing || can_flush(s))
		return;
	/* Not from here: we may be inside an answer of the connection, and
	 * who hears that all is written may free it. */
	timer_set_ms(&s->flush, 0);
}

/* What the server calls wrong stays wrong: the row at fault is found by
 * halves, and dropped. Nothing of this batch was committed. */
static void
refused(struct share_kind *k, const struct db_result *r)
{
	if (k->n_sent == 1) {
		log_warning("shared state %s: a row is refused: %s",
		    k->is->name, db_err(r)->why);
		k->stats.refused++;
		share_row_list_free(&k->sent);
		k->limit = BATCH_MAX;
	} else {
		k->limit = k->n_sent / 2;
		share_rows_back(k->waiting, &k->sent);
	}
	k->n_sent = 0;
}

static void
merged(struct share_kind *k, int64_t revision)
{
	k->stats.batches++;
	k->stats.written += k->n_sent;
	share_row_list_free(&k->sent);
	k->n_sent = 0;
	k->limit = MIN(k->limit * 2, (size_t)BATCH_MAX);
	/* nobody wrote in between: there is no news in it */
	if (revision == k->since + 1)
		k->since = revision;
	worked(k);
}

static void
merged_cb(const struct db_result *r, void *arg)
{
	struct share_kind *k = OBJ_CAST(arg, share_kind, KIND_MAGIC);
	struct share *s = k->share;

	k->writing = false;
	if (db_ok(r))
		merged(k, db_i64(r, 0, 0, 0));
	else if (db_err(r)->kind == ERR_PERM)
		refused(k, r);
	else {
		failed(k, "written", r);
		k->write_after_ms = loop_now_ms(s->loop) + RETRY_MS;
	}
	if (has_work(k))
		write_cb(s);
	flush_look(s);
}

static void
batch_send(struct share_kind *k)
{
	const struct share_kind_is *is = k->is;
	struct db_param p[2 + SHARE_COLUMNS_MAX];
	struct buf col[SHARE_COLUMNS_MAX];
	size_t i;

	if (k->n_sent == 0) {
		k->n_sent = share_rows_take(k->waiting, &k->sent, k->limit);
		k->batch++;
	}
	p[0] = DB_TEXT(span_str(k->share->writer));
	p[1] = DB_I64(k->batch);
	for (i = 0; i < is->n_columns; i++) {
		buf_init(&col[i], BUF_NO_CAP);
		share_rows_array(&k->sent, i, is->columns[i].type, &col[i]);
		p[2 + i] = DB_TEXT(buf_span(&col[i]));
	}
	k->writing = true;
	(void)db_ask(k->share->db, is->merge, p, 2 + is->n_columns, DB_ONCE,
	    merged_cb, k);
	for (i = 0; i < is->n_columns; i++)
		buf_fini(&col[i]);
}

/* Sends what may be sent, and comes again while something waits. */
static void
write_cb(void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	uint64_t now = loop_now_ms(s->loop);
	bool again = false;
	size_t i;

	for (i = 0; i < s->n_kinds; i++) {
		struct share_kind *k = s->kinds[i];

		if (!has_work(k) || k->writing)
			continue;
		if (db_state(s->db) == DB_UP && now >= k->write_after_ms)
			batch_send(k);
		else
			again = true;
	}
	if (again)
		timer_set_ms(&s->write, WRITE_MS);
}

/* Once to begin, and again when it has taken too long. */
static void
flush_cb(void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);

	if (s->flush_begun && !s->flush_late && can_flush(s)) {
		s->flush_late = true;
		timer_set_ms(&s->flush, FLUSH_BUSY_MS - FLUSH_MS);
		return;
	}
	if (s->flush_begun) {
		flush_told(s);
		return;
	}
	s->flush_begun = true;
	timer_set_ms(&s->flush, FLUSH_MS);
	write_cb(s);
	flush_look(s);
}

void
share_change(struct share_kind *k, const struct share_cell *cells)
{
	struct share *s = k->share;

	if (!share_rows_put(k->waiting, cells) && k->stats.dropped++ == 0)
		log_warning("shared state %s: too much waits for the "
		    "database; the oldest is dropped", k->is->name);
	if (!s->write.set)
		timer_set_ms(&s->write, WRITE_MS);
}

/* --- in --- */

static bool
is_live(const struct share_kind *k)
{
	return k->caught_up && db_state(k->share->db) == DB_UP &&
	    db_listening(k->share->db);
}

static void
pull_soon(struct share *s, uint64_t ms)
{
	if (!s->pull.set)
		timer_set_ms(&s->pull, ms);
}

/* All that was known of when the last page was asked for is here. */
static void
caught_up(struct share_kind *k)
{
	bool again = !k->caught_up;

	k->caught_up = k->loaded = true;
	if (again && k->is->caught_up != NULL)
		k->is->caught_up(k->arg);
}

/* A page that is full may end in the middle of a revision, which is then
 * read again; one that holds but one revision has to be larger. One that is
 * not full has all that was there when it was asked for, and no more. */
static void
pulled(struct share_kind *k, const struct db_result *r)
{
	size_t n = db_rows(r), i;
	int64_t first, last;

	for (i = 0; i < n && k->is->apply != NULL; i++)
		k->is->apply(r, i, k->arg);
	k->stats.applied += n;
	if (n < (size_t)k->page) {
		last = n == 0 ? 0 : db_i64(r, n - 1, 0, 0);
		k->since = MAX(k->since, MAX(last, k->asked));
		k->page = PAGE;
		caught_up(k);
		return;
	}
	first = db_i64(r, 0, 0, 0);
	last = db_i64(r, n - 1, 0, 0);
	if (first < last)
		k->since = MAX(k->since, last - 1);
	else
		k->page *= 2;
	k->known = MAX(k->known, last);
}

static void
pulled_cb(const struct db_result *r, void *arg)
{
	struct share_kind *k = OBJ_CAST(arg, share_kind, KIND_MAGIC);

	k->pulling = false;
	if (db_ok(r)) {
		worked(k);
		pulled(k, r);
	} else {
		k->told = MAX(k->told, k->since + 1);	/* again */
		failed(k, "read", r);
	}
	if (k->since < k->known || k->told > k->since ||
	    !k->caught_up)
		pull_soon(k->share, db_ok(r) ? 0 : RETRY_MS);
}

static void
pull_cb(void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	size_t i;

	for (i = 0; i < s->n_kinds && db_state(s->db) == DB_UP; i++) {
		struct share_kind *k = s->kinds[i];
		struct db_param p[2] = { DB_I64(k->since), DB_I64(k->page) };

		if (k->pulling || k->known < 0 ||
		    (k->caught_up && k->since >= k->known &&
		    k->told <= k->since))
			continue;
		k->pulling = true;
		k->told = 0;
		k->asked = k->known;
		k->stats.pulls++;
		(void)db_ask(s->db, k->is->changed, p, ARRAY_LEN(p), DB_ONCE,
		    pulled_cb, k);
	}
}

static struct share_kind *
kind_named(const struct share *s, struct span name)
{
	size_t i;

	for (i = 0; i < s->n_kinds; i++)
		if (span_eq(name, span_str(s->kinds[i]->is->name)))
			return s->kinds[i];
	return NULL;
}

/* "greylist 17". Every role of the database may send that, domain admins too:
 * it is a reason to look, and the number is never taken for what is there. */
static void
notify_cb(struct span payload, void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	struct share_kind *k;
	struct span name, number;
	int64_t revision;

	if (!span_word(&payload, &name) || !span_word(&payload, &number) ||
	    (k = kind_named(s, name)) == NULL ||
	    !span_i64(number, 1, INT64_MAX, &revision))
		return;
	k->told = MAX(k->told, revision);
	if (k->since < k->told)
		pull_soon(s, PULL_MS);
}

/* --- the connection --- */

static void
state_told_cb(const struct db_result *r, void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	int64_t half = (int64_t)(clock_mono_ms() - s->asked_ms) / 2;
	struct share_kind *k;
	int64_t revision;
	size_t i;

	if (!db_ok(r)) {
		for (i = 0; i < s->n_kinds; i++)
			failed(s->kinds[i], "read", r);
		timer_set_ms(&s->state, RETRY_MS);
		return;
	}
	for (i = 0; i < db_rows(r); i++) {
		s->clock_ms = db_i64(r, i, 2, 0) + half -
		    (int64_t)clock_mono_ms();
		s->clock_told = true;
		if ((k = kind_named(s, db_get(r, i, 0))) == NULL)
			continue;
		revision = db_i64(r, i, 1, 0);
		/* a database from a backup: from the beginning */
		if (revision < k->since)
			k->since = 0;
		k->known = revision;
	}
	pull_cb(s);
}

static void
state_ask(struct share *s, unsigned flags)
{
	struct db_param p = DB_TEXT(buf_span(&s->names));

	s->asked_ms = clock_mono_ms();
	(void)db_ask(s->db, "SELECT kind, revision, now_ms "
	    "FROM share_state($1::text[])", &p, 1, flags, state_told_cb, s);
	timer_set_ms(&s->state, STATE_MS);
}

static void
state_cb(void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);

	if (db_state(s->db) == DB_UP)
		state_ask(s, DB_ONCE);
	else
		timer_set_ms(&s->state, STATE_MS);
}

static void
db_cb(enum db_state state, void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	size_t i;

	for (i = 0; i < s->n_kinds; i++) {
		struct share_kind *k = s->kinds[i];

		if (state != DB_UP && k->caught_up)
			k->fresh_ms = loop_now_ms(s->loop);
		/* what was told while nobody listened is not known */
		k->caught_up = false;
		k->write_after_ms = 0;
	}
	if (state == DB_UP) {
		state_ask(s, DB_FIRST);
		write_cb(s);
	}
}

/* --- expiry --- */

static void
expired_cb(const struct db_result *r, void *arg)
{
	struct share_kind *k = OBJ_CAST(arg, share_kind, KIND_MAGIC);
	int64_t n = db_ok(r) ? db_i64(r, 0, 0, 0) : 0;

	if (!db_ok(r))
		failed(k, "expired", r);
	k->stats.expired += (uint64_t)MAX(n, 0);
	if (n >= EXPIRE_MOST)
		timer_set_ms(&k->share->expire, WRITE_MS);
}

static void
writers_expired_cb(const struct db_result *r, void *arg)
{
	if (!db_ok(r))
		log_debug("share_expire: %s", db_err(r)->why);
}

/* Hosts do the same; who comes second finds less to do. */
static void
expire_cb(void *arg)
{
	struct share *s = OBJ_CAST(arg, share, SHARE_MAGIC);
	struct db_param p = DB_I64(EXPIRE_MOST);
	size_t i;

	timer_set_ms(&s->expire, EXPIRE_MS);
	if (db_state(s->db) != DB_UP)
		return;
	for (i = 0; i < s->n_kinds; i++)
		if (s->kinds[i]->is->expire != NULL)
			(void)db_ask(s->db, s->kinds[i]->is->expire, &p, 1,
			    DB_ONCE, expired_cb, s->kinds[i]);
	(void)db_ask(s->db, "SELECT share_expire($1)", &p, 1, DB_ONCE,
	    writers_expired_cb, s);
}

/* --- life --- */

static void
writer_draw(struct share *s)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t b[16];
	size_t i;

	proc_random(b, sizeof(b));
	for (i = 0; i < sizeof(b); i++) {
		s->writer[2 * i] = digits[b[i] >> 4];
		s->writer[2 * i + 1] = digits[b[i] & 15];
	}
}

struct share *
share_new(struct loop *l, struct conf *conf, const char *role,
    const char *password)
{
	struct share *s = xcalloc(1, sizeof(*s));
	struct db_config c = db_config_of(conf, role, password);

	s->magic = SHARE_MAGIC;
	s->loop = l;
	s->conf = conf_ref(conf);
	writer_draw(s);
	buf_init(&s->names, 1024);
	buf_str(&s->names, "{}");
	timer_init(&s->write, l, write_cb, s);
	timer_init(&s->pull, l, pull_cb, s);
	timer_init(&s->state, l, state_cb, s);
	timer_init(&s->expire, l, expire_cb, s);
	timer_init(&s->flush, l, flush_cb, s);
	timer_set_ms(&s->expire, EXPIRE_MS);
	s->db = db_new(l, &c);
	db_listen(s->db, CHANNEL, notify_cb, s);
	db_on_state(s->db, db_cb, s);
	return s;
}

static void
kind_free(struct share_kind *k)
{
	share_row_list_free(&k->sent);
	share_rows_free(&k->waiting);
	k->magic = 0;
	free(k);
}

void
share_free(struct share **sp)
{
	struct share *s = *sp;
	size_t i;

	*sp = NULL;
	if (s == NULL)
		return;
	s->magic = 0;
	db_free(&s->db);
	timer_clear(&s->write);
	timer_clear(&s->pull);
	timer_clear(&s->state);
	timer_clear(&s->expire);
	timer_clear(&s->flush);
	for (i = 0; i < s->n_kinds; i++)
		kind_free(s->kinds[i]);
	buf_fini(&s->names);
	conf_unref(&s->conf);
	free(s);
}

struct share_kind *
share_add(struct share *s, const struct share_kind_is *is, void *arg)
{
	struct share_kind *k = xcalloc(1, sizeof(*k));

	ps_assert(s->n_kinds < KINDS_MAX);
	ps_assert(is->n_columns <= SHARE_COLUMNS_MAX);
	k->magic = KIND_MAGIC;
	k->share = s;
	k->is = is;
	k->arg = arg;
	k->waiting = share_rows_new(is->columns, is->n_columns,
	    is->dirty_max);
	TAILQ_INIT(&k->sent);
	k->limit = BATCH_MAX;
	k->known = -1;
	k->page = PAGE;
	buf_truncate(&s->names, buf_len(&s->names) - 1);
	buf_fmt(&s->names, "%s%s}", s->n_kinds > 0 ? "," : "", is->name);
	s->kinds[s->n_kinds++] = k;
	return k;
}

bool
share_is_fresh(const struct share_kind *k)
{
	return is_live(k) || (k->loaded && k->fresh_ms > 0 &&
	    loop_now_ms(k->share->loop) - k->fresh_ms < GRACE_MS);
}

bool
share_is_loaded(const struct share_kind *k)
{
	return k->loaded;
}

int64_t
share_now_ms(struct share *s)
{
	return s->clock_told ? (int64_t)clock_mono_ms() + s->clock_ms :
	    clock_wall_us() / 1000;
}

struct db *
share_db(struct share *s)
{
	return s->db;
}

void
share_flush(struct share *s, loop_cb *done, void *arg)
{
	ps_assert(!s->flushing);
	s->flushing = true;
	s->flushed_cb = done;
	s->flushed_arg = arg;
	s->flush_begun = s->flush_late = false;
	timer_set_ms(&s->flush, 0);
}

/* --- figures --- */

void
share_stats(const struct share_kind *k, struct share_stats *out)
{
	*out = k->stats;
	out->dirty = k->n_sent + share_rows_count(k->waiting);
}

void
share_status(struct share *s, struct buf *json)
{
	struct share_stats st;
	size_t i;

	buf_str(json, "\"shared\": {");
	for (i = 0; i < s->n_kinds; i++) {
		share_stats(s->kinds[i], &st);
		buf_fmt(json, "%s\"%s\": {\"fresh\": %s, \"revision\": %lld, "
		    "\"waiting\": %zu, \"written\": %llu, \"batches\": %llu, "
		    "\"read\": %llu, \"reads\": %llu, \"expired\": %llu, "
		    "\"failures\": %llu, \"dropped\": %llu, "
		    "\"refused\": %llu}", i > 0 ? ", " : "",
		    s->kinds[i]->is->name,
		    share_is_fresh(s->kinds[i]) ? "true" : "false",
		    (long long)s->kinds[i]->since, st.dirty,
		    (unsigned long long)st.written,
		    (unsigned long long)st.batches,
		    (unsigned long long)st.applied,
		    (unsigned long long)st.pulls,
		    (unsigned long long)st.expired,
		    (unsigned long long)st.failures,
		    (unsigned long long)st.dropped,
		    (unsigned long long)st.refused);
	}
	buf_char(json, '}');
}
