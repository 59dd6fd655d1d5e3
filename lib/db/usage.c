#include "db/usage.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "db/db.h"

#define USAGE_MAGIC	0x75736101u
#define BATCH_MAX	500
#define WAITING_MAX	200000	/* while the database is away; then dropped */
#define ARRAY_TEXT_MAX	(BATCH_MAX * 22)

/* One mailbox's figures: waiting, or in the batch on its way. */
struct figures {
	TAILQ_ENTRY(figures) link;
	uint64_t id, bytes, messages, version;
};
TAILQ_HEAD(figures_list, figures);

struct usage_writer {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	struct db *db;
	struct map *by_id;		/* waiting */
	struct figures_list waiting, sent;
	struct timer timer;
	bool flushing;
	loop_cb *flushed_cb;
	void *flushed_arg;
	uint64_t failures;
	bool full_logged;
};

static void batch_send(struct usage_writer *w);

static void
flush_told(struct usage_writer *w)
{
	loop_cb *cb = w->flushed_cb;

	w->flushing = false;
	w->flushed_cb = NULL;
	if (cb != NULL)
		cb(w->flushed_arg);
}

static void
list_free(struct figures_list *list)
{
	struct figures *f;

	while ((f = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, f, link);
		free(f);
	}
}

/* A batch that failed waits again, but for what is newer by now. */
static void
batch_back(struct usage_writer *w)
{
	struct figures *f;

	while ((f = TAILQ_FIRST(&w->sent)) != NULL) {
		TAILQ_REMOVE(&w->sent, f, link);
		if (map_get_u64(w->by_id, f->id) != NULL) {
			free(f);
			continue;
		}
		(void)map_put_u64(w->by_id, f->id, f);
		TAILQ_INSERT_TAIL(&w->waiting, f, link);
	}
}

static void
batch_cb(const struct db_result *r, void *arg)
{
	struct usage_writer *w = OBJ_CAST(arg, usage_writer, USAGE_MAGIC);

	if (db_ok(r))
		list_free(&w->sent);
	else {
		w->failures++;
		log_warning("usage: not written: %s", db_err(r)->why);
		/* What the server calls wrong stays wrong. */
		if (db_err(r)->kind == ERR_PERM)
			list_free(&w->sent);
		else
			batch_back(w);
	}
	if (db_ok(r) && !TAILQ_EMPTY(&w->waiting))
		batch_send(w);
	else if (w->flushing)
		flush_told(w);
}

static void
array_add(struct buf *b, uint64_t v)
{
	buf_char(b, buf_len(b) == 0 ? '{' : ',');
	buf_dec(b, MIN(v, (uint64_t)INT64_MAX));
}

static void
batch_send(struct usage_writer *w)
{
	struct buf col[4];
	struct db_param p[4];
	struct figures *f;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(col); i++)
		buf_init(&col[i], ARRAY_TEXT_MAX);
	for (n = 0; n < BATCH_MAX; n++) {
		if ((f = TAILQ_FIRST(&w->waiting)) == NULL)
			break;
		TAILQ_REMOVE(&w->waiting, f, link);
		(void)map_del_u64(w->by_id, f->id);
		TAILQ_INSERT_TAIL(&w->sent, f, link);
		array_add(&col[0], f->id);
		array_add(&col[1], f->bytes);
		array_add(&col[2], f->messages);
		array_add(&col[3], f->version);
	}
	for (i = 0; i < ARRAY_LEN(col); i++) {
		buf_char(&col[i], '}');
		ps_assert(!buf_failed(&col[i]));
		p[i] = DB_TEXT(buf_span(&col[i]));
	}
	(void)db_ask(w->db, "SELECT usage_report($1::bigint[], $2::bigint[], "
	    "$3::bigint[], $4::bigint[])", p, ARRAY_LEN(p), DB_ONCE, batch_cb,
	    w);
	for (i = 0; i < ARRAY_LEN(col); i++)
		buf_fini(&col[i]);
}

static void
timer_cb(void *arg)
{
	struct usage_writer *w = OBJ_CAST(arg, usage_writer, USAGE_MAGIC);

	timer_set_ms(&w->timer, (uint64_t)w->conf->usage_report_interval);
	if (!TAILQ_EMPTY(&w->waiting) && TAILQ_EMPTY(&w->sent))
		batch_send(w);
}

struct usage_writer *
usage_writer_new(struct loop *l, struct conf *conf, const char *password)
{
	struct usage_writer *w = xcalloc(1, sizeof(*w));
	struct db_config c = db_config_of(conf, conf->database_role_usage,
	    password);

	w->magic = USAGE_MAGIC;
	w->loop = l;
	w->conf = conf_ref(conf);
	w->by_id = map_new();
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->sent);
	timer_init(&w->timer, l, timer_cb, w);
	timer_set_ms(&w->timer, (uint64_t)conf->usage_report_interval);
	w->db = db_new(l, &c);
	return w;
}

void
usage_writer_free(struct usage_writer **wp)
{
	struct usage_writer *w = *wp;

	if (w == NULL)
		return;
	w->magic = 0;
	timer_clear(&w->timer);
	db_free(&w->db);
	list_free(&w->waiting);
	list_free(&w->sent);
	map_free(&w->by_id);
	conf_unref(&w->conf);
	free(w);
	*wp = NULL;
}

void
usage_writer_note(struct usage_writer *w, uint64_t mailbox_id,
    uint64_t bytes, uint64_t messages, uint64_t version)
{
	struct figures *f = map_get_u64(w->by_id, mailbox_id);

	if (f == NULL) {
		if (map_count(w->by_id) >= WAITING_MAX) {
			if (!w->full_logged)
				log_warning("usage: too many figures wait for "
				    "the database; more are dropped");
			w->full_logged = true;
			return;
		}
		w->full_logged = false;
		f = xcalloc(1, sizeof(*f));
		f->id = mailbox_id;
		(void)map_put_u64(w->by_id, mailbox_id, f);
		TAILQ_INSERT_TAIL(&w->waiting, f, link);
	} else if (f->version > version)
		return;
	f->bytes = bytes;
	f->messages = messages;
	f->version = version;
}

static void
nothing_cb(const struct db_result *r, void *arg)
{
	(void)r;
	flush_told(OBJ_CAST(arg, usage_writer, USAGE_MAGIC));
}

void
usage_writer_flush(struct usage_writer *w, loop_cb *done, void *arg)
{
	ps_assert(!w->flushing);
	w->flushing = true;
	w->flushed_cb = done;
	w->flushed_arg = arg;
	if (!TAILQ_EMPTY(&w->sent))
		return;			/* batch_cb goes on from there */
	if (!TAILQ_EMPTY(&w->waiting))
		batch_send(w);
	else
		(void)db_ask(w->db, "SELECT 1", NULL, 0, DB_ONCE, nothing_cb,
		    w);
}

size_t
usage_writer_waiting(const struct usage_writer *w)
{
	return map_count(w->by_id);
}

uint64_t
usage_writer_failures(const struct usage_writer *w)
{
	return w->failures;
}
