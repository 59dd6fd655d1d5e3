#include "db/directory_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "db/migrate.h"

#define CHANNEL		"postern_directory"

static void
host_cb(const struct db_result *r, void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);
	uint64_t id;

	if (!db_ok(r))
		return;
	id = (uint64_t)db_i64(r, 0, 0, 0);
	if (id == 0)
		log_error("directory: host %s is not in the database: "
		    "no mailbox can be looked up. Set host_name_in_database to what "
		    "it was; on a new host run `postern db migrate`",
		    d->conf->host_name_in_database);
	if (id != d->host_id) {
		d->host_id = id;
		dircache_clear(d->cache);	/* `local` may be wrong */
	}
}

/* Goes out before any look-up of this connection, so its answer is there
 * before theirs. */
static void
host_ask(struct directory *d)
{
	struct db_param p = DB_TEXT(span_str(d->conf->host_name_in_database));

	(void)db_ask(d->db, "SELECT host_id_of($1)", &p, 1,
	    DB_AGAIN | DB_FIRST, host_cb, d);
}

/* With an older schema nothing is asked: its functions may mean something
 * else. A newer one is served; functions are only ever added to. */
static void
revision_cb(int revision, const struct err *err, void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);
	bool was = d->unfit != NULL;

	if (err != NULL && err->code != PS_ESTATE)
		return;			/* no answer; asked again when up */
	free(d->unfit);
	d->unfit = err != NULL && revision < DB_REVISION ?
	    xstrdup(err->why) : NULL;
	if (err != NULL && !was)
		log_error("directory: %s", err->why);
	else if (err == NULL && was)
		log_info("directory: the database's schema is right now");
}

static void
state_cb(enum db_state state, void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);

	if (state != DB_UP) {
		d->heard[d->gen % GENS] = d->heard_ms;
		return;
	}
	/* LISTEN was acknowledged: from here on nothing is missed, but what
	 * is older may have changed in between. It stays to be served should
	 * the database go away again. */
	d->heard[d->gen % GENS] = d->heard_ms;
	d->gen++;
	d->heard_ms = loop_now_ms(d->loop);
	d->silent_logged = false;
	d->stats.flushes++;
	host_ask(d);
	db_check_revision(d->db, revision_cb, d);
}

static void
notify_cb(struct span payload, void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);
	size_t n;

	d->heard_ms = loop_now_ms(d->loop);
	if (payload.n == 0)
		return;				/* heartbeat */
	if (span_eq(payload, SPAN_LIT("*"))) {
		d->stats.flushes++;
		dircache_clear(d->cache);
		host_ask(d);
		return;
	}
	n = dircache_drop(d->cache, payload);
	if (n == SIZE_MAX)
		d->stats.flushes++;
	else
		d->stats.invalidated += n;
}

static void
beat_cb(const struct db_result *r, void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);

	(void)r;		/* what counts is the NOTIFY, not the answer */
	d->beat_asked = false;
}

/* Whoever has not heard one for an interval sends the next; with the dice it
 * is rarely more than one of many processes. */
static void
heartbeat_cb(void *arg)
{
	struct directory *d = OBJ_CAST(arg, directory, DIRECTORY_MAGIC);
	uint64_t every = (uint64_t)d->conf->database_heartbeat;
	uint64_t silence = loop_now_ms(d->loop) - d->heard_ms;
	uint32_t dice;

	proc_random(&dice, sizeof(dice));
	timer_set_ms(&d->heartbeat, every * 3 / 4 + dice % (every / 2 + 1));
	if (d->unfit != NULL && db_state(d->db) == DB_UP)
		db_check_revision(d->db, revision_cb, d);
	if (!db_listening(d->db))
		return;
	if (silence > (uint64_t)d->conf->directory_stale_after &&
	    !d->silent_logged) {
		d->silent_logged = true;
		log_warning("directory: no NOTIFY for %u s: look-ups are not "
		    "cached (is there a connection pooler in between?)",
		    (unsigned)(silence / 1000));
	}
	if (silence < every * 3 / 4 || d->beat_asked)
		return;
	d->beat_asked = true;
	(void)db_ask(d->db, "SELECT pg_notify('" CHANNEL "', '')", NULL, 0,
	    DB_ONCE, beat_cb, d);
}

void
directory_link_init(struct directory *d, const struct db_config *c)
{
	uint64_t every = (uint64_t)d->conf->database_heartbeat;

	timer_init(&d->heartbeat, d->loop, heartbeat_cb, d);
	timer_set_ms(&d->heartbeat, every);
	d->heard_ms = loop_now_ms(d->loop);
	d->db = db_new(d->loop, c);
	db_listen(d->db, CHANNEL, notify_cb, d);
	db_on_state(d->db, state_cb, d);
}
