#include "db/report.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "db/db.h"

#define REPORT_MAGIC	0x72657072u
#define RETRY_MS	5000

struct telling {
	TAILQ_ENTRY(telling) link;
	char *name, *subject, *detail;
};

struct report {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	char *role, *password;
	struct db *db;			/* NULL: nothing to tell so far */
	TAILQ_HEAD(, telling) events;	/* the oldest in front */
	size_t n_events;
	bool telling;			/* the first is on its way */
	struct timer retry;
};

static struct db *
report_db(struct report *r)
{
	struct db_config c;

	if (r->db == NULL) {
		c = db_config_of(r->conf, r->role, r->password);
		r->db = db_new(r->loop, &c);
	}
	return r->db;
}

static void
event_drop(struct report *r, struct telling *e)
{
	TAILQ_REMOVE(&r->events, e, link);
	r->n_events--;
	free(e->name);
	free(e->subject);
	free(e->detail);
	free(e);
}

static void event_tell(struct report *r);

static void
told_cb(const struct db_result *res, void *arg)
{
	struct report *r = OBJ_CAST(arg, report, REPORT_MAGIC);

	r->telling = false;
	if (db_ok(res) || db_err(res)->kind != ERR_TEMP) {
		if (!db_ok(res))
			log_warning("event %s: not written: %s",
			    TAILQ_FIRST(&r->events)->name, db_err(res)->why);
		event_drop(r, TAILQ_FIRST(&r->events));
		event_tell(r);
	} else
		timer_set_ms(&r->retry, RETRY_MS);
}

/* One after the other: they are few, and their order tells something. */
static void
event_tell(struct report *r)
{
	const struct telling *e = TAILQ_FIRST(&r->events);

	if (e == NULL || r->telling)
		return;
	r->telling = true;
	(void)db_ask(report_db(r),
	    "SELECT event_add($1, $2, $3, $4::jsonb)", (struct db_param[]){
	    DB_TEXT(span_str(r->conf->host_name_in_database)),
	    DB_TEXT(span_str(e->name)), DB_TEXT(span_str(e->subject)),
	    DB_TEXT(span_str(e->detail)) }, 4, DB_ONCE, told_cb, r);
}

static void
retry_cb(void *arg)
{
	event_tell(OBJ_CAST(arg, report, REPORT_MAGIC));
}

void
report_event(struct report *r, const char *name, struct span subject,
    struct span detail)
{
	struct telling *e = TAILQ_FIRST(&r->events);

	/* the one on its way stays, as told_cb takes it off */
	if (r->n_events >= REPORT_EVENTS_MAX)
		event_drop(r, r->telling ? TAILQ_NEXT(e, link) : e);
	e = xcalloc(1, sizeof(*e));
	e->name = xstrdup(name);
	e->subject = xmemdup0(subject.p, subject.n);
	e->detail = xmemdup0(detail.p, detail.n);
	TAILQ_INSERT_TAIL(&r->events, e, link);
	r->n_events++;
	event_tell(r);
}

struct report *
report_new(struct loop *l, struct conf *conf, const char *role,
    const char *password)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->magic = REPORT_MAGIC;
	r->loop = l;
	r->conf = conf_ref(conf);
	r->role = xstrdup(role);
	r->password = password == NULL ? NULL : xstrdup(password);
	TAILQ_INIT(&r->events);
	timer_init(&r->retry, l, retry_cb, r);
	return r;
}

void
report_free(struct report **rp)
{
	struct report *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	r->magic = 0;
	timer_clear(&r->retry);
	db_free(&r->db);
	while (!TAILQ_EMPTY(&r->events))
		event_drop(r, TAILQ_FIRST(&r->events));
	secret_free(&r->password);
	free(r->role);
	conf_unref(&r->conf);
	free(r);
}
