#include "db/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "db/migrate.h"

#define CREDENTIALS_MAGIC	0x63726501u
#define CREDENTIALS_MAX		100	/* of one mailbox */
#define USED_MS			60000
#define USED_MAX		100000	/* then the memory starts anew */

/* Columns of login_lookup (sql/0002). */
enum column {
	COL_MAILBOX_ID, COL_MAILBOX, COL_HOST, COL_STATE, COL_BYTES,
	COL_MESSAGES, COL_ID, COL_KIND, COL_SECRET, COL_SCOPE, COL_LABEL
};

struct credentials_ask {
	uint32_t magic;
	struct credentials *c;
	struct db_query *query;
	credentials_cb *cb;
	void *arg;
};

struct credentials {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	struct db *db;
	uint64_t host_id;
	struct map *used;		/* credential id -> last write, ms */
	credentials_revoked_cb *revoked;	/* may be NULL */
	void *revoked_arg;
	char seen_at[64];		/* the server's time when we last knew
					 * that NOTIFYs reach us; "" never */
	struct timer clock;
};

#define CLOCK_MS	60000

static void
clock_answer_cb(const struct db_result *r, void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);
	struct span now = db_get(r, 0, 0);

	if (db_ok(r) && now.n < sizeof(c->seen_at)) {
		memcpy(c->seen_at, now.p, now.n);
		c->seen_at[now.n] = '\0';
	}
}

static void
clock_ask_cb(void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);

	if (db_state(c->db) == DB_UP)
		(void)db_ask(c->db, "SELECT now()", NULL, 0, DB_ONCE,
		    clock_answer_cb, c);
	timer_set_ms(&c->clock, CLOCK_MS);
}

static void
revoked_tell(struct credentials *c, uint64_t mailbox_id)
{
	if (c->revoked != NULL)
		c->revoked(mailbox_id, c->revoked_arg);
}

/* Payloads (sql/0004): "*", or a mailbox id. */
static void
revoked_notify_cb(struct span payload, void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);
	uint64_t id;

	if (!span_u64(payload, 1, INT64_MAX, &id))
		id = 0;
	revoked_tell(c, id);
}

/* What changed while nobody told us (sql/0005). */
static void
missed_cb(const struct db_result *r, void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);
	size_t row;

	if (!db_ok(r))
		log_warning("credentials: missed changes stay unknown: %s",
		    db_err(r)->why);
	for (row = 0; db_ok(r) && row < db_rows(r); row++)
		revoked_tell(c, (uint64_t)db_i64(r, row, 0, 0));
}

static void
missed_ask(struct credentials *c)
{
	struct db_param p = DB_TEXT(span_str(c->seen_at));

	if (c->seen_at[0] != '\0')
		(void)db_ask(c->db, "SELECT login_changed_since($1::text"
		    "::timestamptz)", &p, 1, DB_AGAIN, missed_cb, c);
	clock_ask_cb(c);
}

static void
host_cb(const struct db_result *r, void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);

	if (db_ok(r))
		c->host_id = (uint64_t)db_i64(r, 0, 0, 0);
}

static void
revision_cb(int revision, const struct err *err, void *arg)
{
	(void)revision;
	(void)arg;
	if (err != NULL && err->code == PS_ESTATE)
		log_error("credentials: %s", err->why);
}

static void
state_cb(enum db_state state, void *arg)
{
	struct credentials *c = OBJ_CAST(arg, credentials,
	    CREDENTIALS_MAGIC);
	struct db_param p =
	    DB_TEXT(span_str(c->conf->host_name_in_database));

	if (state != DB_UP)
		return;
	(void)db_ask(c->db, "SELECT host_id_of($1)", &p, 1,
	    DB_AGAIN | DB_FIRST, host_cb, c);
	db_check_revision(c->db, revision_cb, c);
	revoked_tell(c, 0);	/* at once; then, what exactly was missed */
	missed_ask(c);
}

struct credentials *
credentials_new(struct loop *l, struct conf *conf, const char *password)
{
	struct credentials *c = xcalloc(1, sizeof(*c));
	struct db_config cfg = db_config_of(conf, conf->database_role_auth,
	    password);

	c->magic = CREDENTIALS_MAGIC;
	c->loop = l;
	c->conf = conf_ref(conf);
	c->used = map_new();
	c->db = db_new(l, &cfg);
	timer_init(&c->clock, l, clock_ask_cb, c);
	db_on_state(c->db, state_cb, c);
	db_listen(c->db, "postern_login", revoked_notify_cb, c);
	return c;
}

void
credentials_on_revoked(struct credentials *c, credentials_revoked_cb *cb,
    void *arg)
{
	c->revoked = cb;
	c->revoked_arg = arg;
}

void
credentials_free(struct credentials **cp)
{
	struct credentials *c = *cp;
	size_t pos = 0;
	void *v;

	if (c == NULL)
		return;
	c->magic = 0;
	timer_clear(&c->clock);
	db_free(&c->db);
	while (map_next(c->used, &pos, NULL, &v))
		free(v);
	map_free(&c->used);
	conf_unref(&c->conf);
	free(c);
	*cp = NULL;
}

/* --- fetching --- */

static int
login_read(const struct credentials *c, const struct db_result *r,
    struct login *login)
{
	int64_t host = db_i64(r, 0, COL_HOST, 0);

	login->mailbox_id = (uint64_t)MAX(db_i64(r, 0, COL_MAILBOX_ID, 0), 0);
	login->host_id = (uint64_t)MAX(host, 0);
	login->local = host > 0 && login->host_id == c->host_id;
	login->address = db_get(r, 0, COL_MAILBOX).p;
	login->quota_bytes = MAX(db_i64(r, 0, COL_BYTES, 0), 0);
	login->quota_messages = MAX(db_i64(r, 0, COL_MESSAGES, 0), 0);
	if (login->mailbox_id == 0 || login->address == NULL)
		return PS_ECORRUPT;
	return mailbox_state_parse(db_get(r, 0, COL_STATE), &login->state);
}

static const char *
text_or_empty(const struct db_result *r, size_t row, int col)
{
	struct span s = db_get(r, row, col);

	return s.p == NULL ? "" : s.p;	/* libpq ends text with a NUL */
}

static size_t
credentials_read(const struct db_result *r, struct credential *out)
{
	size_t row, n = 0;

	for (row = 0; row < db_rows(r) && n < CREDENTIALS_MAX; row++) {
		if (db_get(r, row, COL_SECRET).n == 0)
			continue;
		out[n].id = (uint64_t)db_i64(r, row, COL_ID, 0);
		out[n].kind = span_eq(db_get(r, row, COL_KIND),
		    SPAN_LIT("app")) ? CREDENTIAL_APP : CREDENTIAL_PASSWORD;
		out[n].secret = db_get(r, row, COL_SECRET).p;
		out[n].scope = text_or_empty(r, row, COL_SCOPE);
		out[n].label = text_or_empty(r, row, COL_LABEL);
		n++;
	}
	return n;
}

static void
fetched_cb(const struct db_result *r, void *arg)
{
	struct credentials_ask *a = OBJ_CAST(arg, credentials_ask,
	    CREDENTIALS_MAGIC);
	struct credential list[CREDENTIALS_MAX];
	struct login login = { .result = LOGIN_TEMP, .address = "",
	    .why = "", .credentials = list };
	struct credentials *c = a->c;
	credentials_cb *cb = a->cb;
	void *cb_arg = a->arg;
	size_t row;

	a->magic = 0;
	free(a);
	if (!db_ok(r)) {
		login.why = db_err(r)->why;
		/* A name that can't even be asked for is nobody's. */
		if (db_err(r)->kind == ERR_PERM)
			login.result = LOGIN_UNKNOWN;
	} else if (db_rows(r) == 0)
		login.result = LOGIN_UNKNOWN;
	else if (login_read(c, r, &login) != 0)
		login.why = "the database gave a row that makes no sense";
	else {
		login.result = LOGIN_FOUND;
		login.n_credentials = credentials_read(r, list);
	}
	cb(&login, cb_arg);
	for (row = 0; row < db_rows(r); row++)
		db_wipe(r, row, COL_SECRET);
}

struct credentials_ask *
credentials_fetch(struct credentials *c, struct span name,
    credentials_cb *cb, void *arg)
{
	struct credentials_ask *a = xcalloc(1, sizeof(*a));
	struct db_param p = DB_TEXT(name);

	a->magic = CREDENTIALS_MAGIC;
	a->c = c;
	a->cb = cb;
	a->arg = arg;
	a->query = db_ask(c->db, "SELECT mailbox_id, mailbox, host_id, state, "
	    "quota_bytes, quota_messages, credential_id, kind, secret, "
	    "scope, label FROM login_lookup($1)", &p, 1, DB_AGAIN,
	    fetched_cb, a);
	return a;
}

void
credentials_cancel(struct credentials_ask **ap)
{
	struct credentials_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	db_cancel(&a->query);
	a->magic = 0;
	free(a);
}

/* --- writing back --- */

static void
written_cb(const struct db_result *r, void *arg)
{
	(void)arg;
	if (!db_ok(r))
		log_warning("credentials: not written: %s", db_err(r)->why);
}

void
credentials_rehash(struct credentials *c, uint64_t id, struct span was,
    struct span now)
{
	struct db_param p[] = { DB_I64((int64_t)id), DB_TEXT(was),
	    DB_TEXT(now) };

	(void)db_ask(c->db, "SELECT credential_rehash($1, $2, $3)", p,
	    ARRAY_LEN(p), DB_ONCE, written_cb, NULL);
}

static void
used_forget(struct credentials *c)
{
	size_t pos = 0;
	void *v;

	while (map_next(c->used, &pos, NULL, &v))
		free(v);
	map_free(&c->used);
	c->used = map_new();
}

void
credentials_used(struct credentials *c, uint64_t id)
{
	uint64_t *last = map_get_u64(c->used, id);
	struct db_param p = DB_I64((int64_t)id);

	if (last != NULL && loop_now_ms(c->loop) - *last < USED_MS)
		return;
	if (last == NULL) {
		if (map_count(c->used) >= USED_MAX)
			used_forget(c);
		last = xmalloc(sizeof(*last));
		(void)map_put_u64(c->used, id, last);
	}
	*last = loop_now_ms(c->loop);
	(void)db_ask(c->db, "SELECT credential_used($1)", &p, 1, DB_ONCE,
	    written_cb, NULL);
}
