/*
 * Warnings about quota. The database judges (quota_judge), as it sees every
 * report, and remembers which thresholds a mailbox has reached and whether the
 * message about it is due. We put that message into the mailbox, under a
 * name made of its number, so that it is there once however often we are
 * restarted before the database knows; it asks nobody for room, and goes
 * through no queue, so it can neither be refused nor loop.
 */
#include "delivery/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quota.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "delivery/quota_letter.h"
#include "proto/proto.h"

#define LOOK_MS		200	/* gathers what is to be judged */
#define AGAIN_MS	30000	/* after a failure */
#define BATCH_MAX	500
#define DUE_MAX		1000
#define LETTERS_MAX	64	/* being written at once */
#define SLOTS		256	/* architecture.md */
#define NUMBER_TEXT	24

struct warner {
	struct deliver *d;
	struct map *look;		/* mailbox ids to be judged */
	struct db_query *query;		/* one at a time */
	struct timer timer;
	struct map *letters;		/* mailbox id -> struct letter */
	bool ask_due;			/* there may be some */
	bool more_due;			/* left for lack of room */
};

/* A message on its way into its mailbox, and then to be told of. */
struct letter {
	struct work work;
	struct warner *w;
	struct mbox *box;
	char *address, *file;		/* template, "" none */
	char *origin, *hostname;
	struct quota_letter facts;
	struct db_query *told;
	uint64_t bytes, write;
	enum delivered how;
	bool ok;
};

static void
timer_start(struct warner *w, uint64_t ms)
{
	if (!w->timer.set)
		timer_set_ms(&w->timer, ms);
}

/* --- in a thread: the message ---------------------------------------------------- */

/* The template as it is now; one that cannot be read is no reason for
 * silence. */
static void
template_read(const char *path, struct buf *out)
{
	char piece[4096];
	ssize_t n = 1;
	int fd;

	if (path[0] == '\0')
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (fd != -1 && n > 0 && buf_len(out) < QUOTA_LETTER_MAX / 2) {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_append(out, piece, (size_t)n);
	}
	if (fd == -1 || n < 0) {
		log_warning("%s: %s: the built-in text is used", path,
		    strerror(errno));
		buf_clear(out);
	}
	if (fd != -1)
		(void)close(fd);
}

static int
letter_place(struct letter *l, struct span body, struct err *err)
{
	struct delivery_body b = { .mem = body, .fd = -1 };
	struct delivery dl = { .arrival = l->facts.now, .body = &b,
	    .maybe_done = true, .any_copy = true };
	struct deliver *d = l->w->d;
	char key[NUMBER_TEXT + 2], *head;
	uint32_t uid;
	int rc;

	dl.queue_id = span_of(key, (size_t)snprintf(key, sizeof(key),
	    "QW%llu", (unsigned long long)l->facts.number));
	head = xasprintf("Return-Path: <>\r\nDelivered-To: %s\r\n",
	    l->address);
	dl.head = span_str(head);
	l->bytes = dl.head.n + body.n;
	marks_note(d, l->box->id);
	pthread_mutex_lock(&l->box->lock);
	rc = mbox_open(l->box, err);
	if (rc == 0)
		rc = deliver_one(l->box->target, &dl, d->sync_file, &l->how,
		    &uid, err);
	if (rc < 0)
		mbox_shut(l->box);
	else
		mbox_rest(l->box);
	l->write = ++l->box->writes;
	pthread_mutex_unlock(&l->box->lock);
	free(head);
	return rc;
}

static void
letter_run(void *arg)
{
	struct letter *l = arg;
	struct err err = { 0 };
	struct buf template, out;

	buf_init(&template, QUOTA_LETTER_MAX);
	buf_init(&out, QUOTA_LETTER_MAX);
	template_read(l->file, &template);
	quota_letter_make(&l->facts, buf_span(&template), &out);
	if (buf_failed(&out)) {
		buf_clear(&out);
		quota_letter_make(&l->facts, SPAN_NONE, &out);
	}
	l->ok = letter_place(l, buf_span(&out), &err) == 0;
	if (!l->ok)
		log_warning("mailbox %llu: quota warning: %s",
		    (unsigned long long)l->box->id, err.why);
	buf_fini(&template);
	buf_fini(&out);
}

/* --- letters on the loop ------------------------------------------------------------ */

static void
letter_end(struct letter *l)
{
	struct warner *w = l->w;

	(void)map_del_u64(w->letters, l->box->id);
	mbox_put(l->box);
	free(l->address);
	free(l->file);
	free(l->origin);
	free(l->hostname);
	free(l);
	if (w->more_due) {
		w->more_due = false;
		w->ask_due = true;
		timer_start(w, LOOK_MS);
	}
}

static void
told_cb(const struct db_result *r, void *arg)
{
	struct letter *l = arg;
	struct warner *w = l->w;

	l->told = NULL;
	if (!db_ok(r)) {
		w->ask_due = true;	/* finds its message there */
		timer_start(w, AGAIN_MS);
	}
	letter_end(l);
}

static void
letter_done(void *arg)
{
	struct letter *l = arg;
	struct warner *w = l->w;
	struct deliver *d = w->d;
	const struct quota_letter *f = &l->facts;
	struct db_param p[] = { DB_I64((int64_t)l->box->id),
	    DB_I64((int64_t)f->number) };

	if (l->ok && l->how == DELIVERED_NEW) {
		log_info("quota: user=<%s> level=%u percent=%u: told by "
		    "message", l->address, f->level, f->percent);
		mbox_grew(l->box, l->bytes, l->write);
		mbox_notify(d, l->box->id, SPAN_LIT(""), NULL);
	}
	if (l->ok && d->db != NULL) {
		l->told = db_ask(d->db, "SELECT quota_warned($1, $2)", p,
		    ARRAY_LEN(p), DB_ONCE, told_cb, l);
	} else {
		w->ask_due = true;
		timer_start(w, AGAIN_MS);
		letter_end(l);
	}
	d->jobs--;
	deliver_maybe_stop(d);
}

enum due_column {
	DUE_MAILBOX, DUE_NUMBER, DUE_LEVEL, DUE_PERCENT, DUE_BYTES,
	DUE_MESSAGES, DUE_LIMIT_BYTES, DUE_LIMIT_MESSAGES, DUE_NUMBERS,
	DUE_ADDRESS = DUE_NUMBERS
};

static void
letter_begin(struct warner *w, const uint64_t v[DUE_NUMBERS],
    struct span address)
{
	const struct conf *conf = w->d->env->conf;
	struct letter *l = xcalloc(1, sizeof(*l));

	l->w = w;
	l->box = mbox_get(w->d, v[DUE_MAILBOX]);
	l->address = xmemdup0(address.p, address.n);
	l->file = xstrdup(v[DUE_LEVEL] > 0 ?
	    conf->quota_warning_template_file :
	    conf->quota_cleared_template_file);
	l->origin = xstrdup(conf->myorigin);
	l->hostname = xstrdup(conf->myhostname);
	l->facts = (struct quota_letter){ .user = span_str(l->address),
	    .origin = l->origin, .hostname = l->hostname,
	    .mailbox_id = v[DUE_MAILBOX], .number = v[DUE_NUMBER],
	    .now = clock_wall_us() / 1000000,
	    .level = (unsigned)v[DUE_LEVEL],
	    .percent = (unsigned)v[DUE_PERCENT], .bytes = v[DUE_BYTES],
	    .messages = v[DUE_MESSAGES], .limit_bytes = v[DUE_LIMIT_BYTES],
	    .limit_messages = v[DUE_LIMIT_MESSAGES] };
	(void)map_put_u64(w->letters, l->box->id, l);
	w->d->jobs++;
	l->work = (struct work){ .order = l->box->id + 1, .run = letter_run,
	    .done = letter_done, .arg = l };
	work_give(w->d->writers, &l->work);
}

/* --- asking ------------------------------------------------------------------------ */

static bool
is_ours(const struct deliver *d, uint64_t mailbox_id)
{
	unsigned n = d->env->count[ROLE_DELIVER];

	return n == 0 || mailbox_id % SLOTS % n == d->env->index;
}

static void
due_row(struct warner *w, const struct db_result *r, size_t row)
{
	uint64_t v[DUE_NUMBERS];
	int i;

	for (i = 0; i < DUE_NUMBERS; i++)
		v[i] = (uint64_t)MAX(db_i64(r, row, i, 0), 0);
	if (!is_ours(w->d, v[DUE_MAILBOX]) ||
	    map_get_u64(w->letters, v[DUE_MAILBOX]) != NULL)
		return;
	if (map_count(w->letters) >= LETTERS_MAX)
		w->more_due = true;
	else
		letter_begin(w, v, db_get(r, row, DUE_ADDRESS));
}

static void
next(struct warner *w, bool ok)
{
	if (!ok)
		timer_start(w, AGAIN_MS);
	else if (w->ask_due || map_count(w->look) > 0)
		timer_start(w, LOOK_MS);
}

static void
due_cb(const struct db_result *r, void *arg)
{
	struct warner *w = arg;
	bool ok = db_ok(r) && !w->d->stopping;
	size_t i;

	w->query = NULL;
	for (i = 0; ok && i < db_rows(r); i++)
		due_row(w, r, i);
	w->ask_due |= !db_ok(r);
	next(w, db_ok(r));
}

static void
judged_cb(const struct db_result *r, void *arg)
{
	struct warner *w = arg;

	w->query = NULL;
	if (!db_ok(r))
		log_warning("quota warnings: %s", db_err(r)->why);
	else if (db_i64(r, 0, 0, 0) > 0)
		w->ask_due = true;
	next(w, db_ok(r));
}

/* "{1,2,3}" of up to BATCH_MAX ids, which are forgotten. */
static void
ids_take(struct warner *w, struct buf *out)
{
	struct span key;
	size_t pos = 0, n = 0;
	uint64_t id;
	void *v;

	buf_char(out, '{');
	while (n < BATCH_MAX && map_next(w->look, &pos, &key, &v)) {
		memcpy(&id, key.p, sizeof(id));
		(void)map_del_u64(w->look, id);
		if (n++ > 0)
			buf_char(out, ',');
		buf_dec(out, id);
	}
	buf_char(out, '}');
}

static void
judge_ask(struct warner *w)
{
	const struct conf *conf = w->d->env->conf;
	struct buf ids, levels;

	buf_init(&ids, BUF_NO_CAP);
	buf_init(&levels, BUF_NO_CAP);
	ids_take(w, &ids);
	quota_thresholds(conf, &levels);
	struct db_param p[] = {
		DB_TEXT(span_str(conf->host_name_in_database)),
		DB_TEXT(buf_span(&ids)), DB_TEXT(buf_span(&levels)),
		DB_I64(conf->quota_warning_margin),
		DB_I64(conf->virtual_mailbox_limit),
		DB_BOOL(conf->virtual_mailbox_limit_override),
	};

	w->query = db_ask(w->d->db, "SELECT quota_judge($1, $2::bigint[], "
	    "$3::integer[], $4::integer, $5, $6)", p, ARRAY_LEN(p), DB_ONCE,
	    judged_cb, w);
	buf_fini(&ids);
	buf_fini(&levels);
}

static void
due_ask(struct warner *w)
{
	const struct conf *conf = w->d->env->conf;
	struct db_param p[] = {
		DB_TEXT(span_str(conf->host_name_in_database)),
		DB_I64(DUE_MAX), DB_I64(conf->virtual_mailbox_limit),
		DB_BOOL(conf->virtual_mailbox_limit_override),
	};

	w->ask_due = false;
	w->query = db_ask(w->d->db, "SELECT mailbox_id, number, level, "
	    "percent, bytes, messages, limit_bytes, limit_messages, address "
	    "FROM quota_due($1, $2::integer, $3, $4)", p, ARRAY_LEN(p),
	    DB_ONCE, due_cb, w);
}

static void
look_cb(void *arg)
{
	struct warner *w = arg;
	struct deliver *d = w->d;

	if (w->query != NULL || d->stopping)
		return;
	if (d->db == NULL || db_state(d->db) != DB_UP) {
		timer_start(w, AGAIN_MS);
		return;
	}
	/* what was judged is told before more is */
	if (w->ask_due)
		due_ask(w);
	else if (map_count(w->look) > 0)
		judge_ask(w);
}

/* --- what others call ------------------------------------------------------------- */

void
warn_look(struct deliver *d, uint64_t mailbox_id)
{
	struct warner *w = d->warner;

	if (d->env->conf->quota_warning_thresholds[0] == '\0' ||
	    d->stopping || !is_ours(d, mailbox_id))
		return;
	(void)map_put_u64(w->look, mailbox_id, w);
	timer_start(w, LOOK_MS);
}

void
warn_connected(struct deliver *d)
{
	d->warner->ask_due = true;
	timer_clear(&d->warner->timer);
	timer_start(d->warner, LOOK_MS);
}

void
warn_init(struct deliver *d)
{
	struct warner *w = xcalloc(1, sizeof(*w));

	w->d = d;
	w->look = map_new();
	w->letters = map_new();
	timer_init(&w->timer, d->loop, look_cb, w);
	d->warner = w;
}

/* No letter is in a thread any more; those that wait to be told of stay due. */
void
warn_fini(struct deliver *d)
{
	struct warner *w = d->warner;
	size_t pos = 0;
	void *v;

	w->more_due = false;
	db_cancel(&w->query);
	while (map_next(w->letters, &pos, NULL, &v)) {
		db_cancel(&((struct letter *)v)->told);
		letter_end(v);
	}
	timer_clear(&w->timer);
	map_free(&w->look);
	map_free(&w->letters);
	free(w);
	d->warner = NULL;
}
