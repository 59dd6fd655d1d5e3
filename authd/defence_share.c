#include "authd/defence_share.h"

#include <stdlib.h>

#include "authd/guesses.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "db/share.h"

#define SHARE_MAGIC	0x64656673u
#define DIRTY_MAX	50000
#define SWEEP_MS	10000		/* what has expired is dropped ... */
#define SWEEP_MOST	20000		/* ... so many at a time */
#define EVENTS_MAX	20		/* between two sweeps */

struct defence_share {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	struct defence *defence;
	struct share *share;		/* NULL before the first open */
	struct share_kind *guesses, *known;
	struct timer sweep;
	struct defer flushed;		/* nobody to flush to */
	loop_cb *done;
	void *done_arg;
	unsigned n_events;
};

/* As in the database (sql/). */
static const char *const kinds[DEFENCE_KINDS] = {
	[DEFENCE_ACCOUNT] = "account", [DEFENCE_NETWORK] = "network",
	[DEFENCE_KNOWN] = "known",
};

/* --- guesses --- */

enum { GUESS_KIND = 1, GUESS_SUBJECT, GUESS_EPOCH, GUESS_SLOT, GUESS_COUNT };

static void
guess_apply(const struct db_result *r, size_t row, void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);
	struct span name = db_get(r, row, GUESS_KIND);
	int64_t epoch = db_i64(r, row, GUESS_EPOCH, -1);
	int64_t count = db_i64(r, row, GUESS_COUNT, -1);
	unsigned kind;

	for (kind = 0; kind < DEFENCE_KINDS; kind++)
		if (span_is(name, kinds[kind]))
			break;
	if (kind == DEFENCE_KINDS || epoch < 0 || count < 0)
		return;
	defence_take_guesses(s->defence, defence_share_now_ms(s), kind,
	    db_get(r, row, GUESS_SUBJECT), (uint64_t)epoch,
	    db_i64(r, row, GUESS_SLOT, -1),
	    (unsigned)MIN(count, GUESS_COUNT_MAX));
}

static const struct share_column guess_columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_TEXT, SHARE_KEY },
	{ SHARE_I64, SHARE_KEY }, { SHARE_I64, SHARE_KEY },
	{ SHARE_I64, SHARE_SUM },
};

static const struct share_kind_is guess_kind = {
	.name = "login_guess",
	.merge = "SELECT login_guess_merge($1, $2, $3::text[], $4::text[], "
	    "$5::bigint[], $6::bigint[], $7::bigint[])",
	.changed = "SELECT revision, kind, subject, epoch, slot, guesses "
	    "FROM login_guess_changed($1, $2)",
	.expire = "SELECT login_guess_expire($1)",
	.columns = guess_columns, .n_columns = ARRAY_LEN(guess_columns),
	.dirty_max = DIRTY_MAX, .apply = guess_apply,
};

static void
counted_cb(enum defence_kind kind, struct span subject, uint64_t epoch,
    int64_t slot, bool forgiven, void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);
	const struct share_cell cells[] = {
		{ .text = span_str(kinds[kind]) }, { .text = subject },
		{ .i64 = (int64_t)epoch }, { .i64 = slot },
		{ .i64 = forgiven ? 0 : 1 },
	};

	if (s->guesses != NULL)
		share_change(s->guesses, cells);
}

/* --- networks that accounts know --- */

enum { KNOWN_ACCOUNT = 1, KNOWN_NETWORK, KNOWN_UNTIL };

static void
known_apply(const struct db_result *r, size_t row, void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);

	defence_take_known(s->defence, defence_share_now_ms(s),
	    db_get(r, row, KNOWN_ACCOUNT), db_get(r, row, KNOWN_NETWORK),
	    db_i64(r, row, KNOWN_UNTIL, 0));
}

static const struct share_column known_columns[] = {
	{ SHARE_TEXT, SHARE_KEY }, { SHARE_TEXT, SHARE_KEY },
	{ SHARE_I64, SHARE_GREATEST },
};

static const struct share_kind_is known_kind = {
	.name = "login_known",
	.merge = "SELECT login_known_merge($1, $2, $3::text[], $4::text[], "
	    "$5::bigint[])",
	.changed = "SELECT revision, account, network, until_ms "
	    "FROM login_known_changed($1, $2)",
	.expire = "SELECT login_known_expire($1)",
	.columns = known_columns, .n_columns = ARRAY_LEN(known_columns),
	.dirty_max = DIRTY_MAX, .apply = known_apply,
};

static void
known_cb(struct span account, struct span network, int64_t until_ms,
    void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);
	const struct share_cell cells[] = {
		{ .text = account }, { .text = network },
		{ .i64 = until_ms },
	};

	if (s->known != NULL)
		share_change(s->known, cells);
}

/* --- what is refused --- */

static void
noted_cb(const struct db_result *r, void *arg)
{
	(void)arg;
	if (!db_ok(r))
		log_warning("an event was not noted: %s", db_err(r)->why);
}

/* An attack on everybody must not fill the table: the log has it all. */
static void
event_note(struct defence_share *s, const char *kind, struct span subject,
    unsigned level, int64_t left_s)
{
	struct buf detail;
	struct db_param p[4];

	if (s->share == NULL || s->n_events >= EVENTS_MAX)
		return;
	s->n_events++;
	buf_init(&detail, 1024);
	buf_fmt(&detail, "{\"kind\": \"%s\", \"wrong_passwords\": %u, "
	    "\"refused_for_s\": %lld}", kind, level, (long long)left_s);
	p[0] = (struct db_param)DB_TEXT(
	    span_str(s->conf->host_name_in_database));
	p[1] = (struct db_param)DB_TEXT(SPAN_LIT("login_refused"));
	p[2] = (struct db_param)DB_TEXT(subject);
	p[3] = (struct db_param)DB_TEXT(buf_span(&detail));
	(void)db_ask(share_db(s->share), "SELECT event_add($1, $2, $3, "
	    "$4::jsonb)", p, ARRAY_LEN(p), DB_ONCE, noted_cb, s);
	buf_fini(&detail);
}

static void
closed_cb(enum defence_kind kind, struct span subject, unsigned level,
    int64_t until_ms, void *arg)
{
	static const char *const what[DEFENCE_KINDS] = {
		"account", "network", "account and network"
	};
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);
	int64_t left_s = (until_ms - defence_share_now_ms(s)) / 1000;

	log_warning("login defence: %s %.*s: %u different wrong passwords "
	    "lately, refused for %lld min", what[kind], SPAN_ARG(subject),
	    level, (long long)left_s / 60 + 1);
	event_note(s, kinds[kind], subject, level, left_s);
}

/* --- life --- */

static void
sweep_cb(void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);

	defence_sweep(s->defence, defence_share_now_ms(s), SWEEP_MOST);
	s->n_events = 0;
	timer_set_ms(&s->sweep, SWEEP_MS);
}

static void
flushed_cb(void *arg)
{
	struct defence_share *s = OBJ_CAST(arg, defence_share, SHARE_MAGIC);

	s->done(s->done_arg);
}

struct defence_share *
defence_share_new(struct loop *l, struct conf *conf, struct defence **d)
{
	struct defence_share *s = xcalloc(1, sizeof(*s));
	const struct defence_events events = { .counted = counted_cb,
	    .known = known_cb, .closed = closed_cb, .arg = s };

	s->magic = SHARE_MAGIC;
	s->loop = l;
	s->conf = conf_ref(conf);
	s->defence = *d = defence_new((size_t)conf->login_defence_entries,
	    &events);
	defence_configure(s->defence, conf);
	timer_init(&s->sweep, l, sweep_cb, s);
	timer_set_ms(&s->sweep, SWEEP_MS);
	defer_init(&s->flushed, l, flushed_cb, s);
	return s;
}

void
defence_share_free(struct defence_share **sp)
{
	struct defence_share *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	share_free(&s->share);
	defer_cancel(&s->flushed);
	timer_clear(&s->sweep);
	defence_free(&s->defence);
	conf_unref(&s->conf);
	s->magic = 0;
	free(s);
}

void
defence_share_open(struct defence_share *s, const char *password)
{
	share_free(&s->share);
	s->share = share_new(s->loop, s->conf, s->conf->database_role_auth,
	    password);
	s->guesses = share_add(s->share, &guess_kind, s);
	s->known = share_add(s->share, &known_kind, s);
}

int64_t
defence_share_now_ms(struct defence_share *s)
{
	return s->share == NULL ? clock_wall_us() / 1000 :
	    share_now_ms(s->share);
}

void
defence_share_flush(struct defence_share *s, loop_cb *done, void *arg)
{
	s->done = done;
	s->done_arg = arg;
	if (s->share == NULL)
		defer_call(&s->flushed);
	else
		share_flush(s->share, flushed_cb, s);
}

void
defence_share_status(struct defence_share *s, struct buf *json)
{
	if (s->share == NULL)
		return;
	buf_str(json, ", ");
	share_status(s->share, json);
}
