/*
 * One PostgreSQL connection on the event loop (DESIGN §6): non-blocking from
 * the first address look-up on, pipelined with one Sync per query, so that
 * each query is its own transaction and an error spoils no other. The only
 * place that talks to libpq in a network process.
 *
 * A struct db connects by itself, keeps connecting with back-off, and LISTENs
 * on its channels before it lets any query through. Queries asked while it is
 * down wait in a capped queue for at most query_timeout_ms.
 *
 * Values travel only as parameters. Callbacks run exactly once, from the
 * loop, never inside the call that asked.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

struct db;
struct db_query;
struct db_result;

enum db_state {
	DB_DOWN,		/* not connected; reconnecting with back-off */
	DB_CONNECTING,		/* address look-up, TCP, TLS, login, LISTEN */
	DB_UP			/* queries flow */
};

/* All strings are copied by db_new; NULL means empty. */
struct db_config {
	const char *url;		/* libpq URL or keyword string */
	const char *role;		/* "": as the URL says */
	const char *password;		/* "": none, or as the URL says */
	const char *search_path;	/* "": the server's */
	const char *application;	/* application_name */
	uint32_t connect_timeout_ms;	/* per attempt; 0: 5,000 */
	uint32_t statement_timeout_ms;	/* on the server; 0: 5,000 */
	uint32_t query_timeout_ms;	/* here, wait included; 0: 8,000 */
	uint32_t backoff_max_ms;	/* 0: 5,000; starts at 50 */
	size_t queue_max;		/* queries waiting or running; 0: 4,096 */
};

/* What conf says for `role` (one of its database_role_* values). Strings are
 * lent from conf and `password`. */
struct db_config db_config_of(const struct conf *conf, const char *role,
    const char *password);

/* Finds `role:password` in the contents of database_password_file. Returns a
 * malloc'ed secret (secret_free) or NULL. Lines with # are comments. */
char *db_password_find(struct span file, const char *role);

/* Starts connecting on the next turn of the loop. */
struct db *db_new(struct loop *l, const struct db_config *c);
/* Drops everything; callbacks of waiting queries are NOT run. Not from inside
 * a callback of this db. */
void db_free(struct db **db);

/*
 * Delivery of NOTIFY on `channel` (a plain identifier). Before the first turn
 * of the loop; LISTEN is repeated at every connect, and queries start only
 * after it was acknowledged. An answer always reaches its callback before a
 * notification that the server sent after it.
 */
typedef void db_notify_cb(struct span payload, void *arg);
void db_listen(struct db *db, const char *channel, db_notify_cb *cb,
    void *arg);
/* Does the present connection LISTEN? False on a standby, which refuses. */
bool db_listening(const struct db *db);

/* Called at DB_UP (before any query is sent) and at DB_DOWN (after those in
 * flight have failed). */
typedef void db_state_cb(enum db_state state, void *arg);
void db_on_state(struct db *db, db_state_cb *cb, void *arg);
enum db_state db_state(const struct db *db);
/* Milliseconds since db_state last became or ceased to be DB_UP. */
uint64_t db_state_ms(struct db *db);
/* Why the last attempt failed; "" when it did not. Never has a password. */
const char *db_why(const struct db *db);

/* --- queries --- */

enum db_type {
	DB_P_NULL, DB_P_TEXT, DB_P_I64, DB_P_BOOL, DB_P_BYTEA,
	DB_P_QUOTED		/* as 'text' in the SQL: the server says of
				 * which type it is. Holds no NUL. */
};
struct db_param {
	enum db_type type;
	struct span text;		/* TEXT, BYTEA, QUOTED; copied */
	int64_t i64;			/* I64, BOOL */
};
#define DB_TEXT(s)	((struct db_param){ .type = DB_P_TEXT, .text = (s) })
#define DB_I64(v)	((struct db_param){ .type = DB_P_I64, .i64 = (v) })
#define DB_BOOL(v)	((struct db_param){ .type = DB_P_BOOL, .i64 = (v) })
#define DB_BYTEA(s)	((struct db_param){ .type = DB_P_BYTEA, .text = (s) })
#define DB_QUOTED(s)	((struct db_param){ .type = DB_P_QUOTED, .text = (s) })
#define DB_NULL		((struct db_param){ .type = DB_P_NULL })

enum {
	DB_ONCE = 0,
	/* Reads only: asked again on the next connection when this one dies
	 * under it, as long as its time lasts. */
	DB_AGAIN = 1,
	/* Goes before all that wait: what a connection needs first, asked
	 * from db_state_cb. */
	DB_FIRST = 2
};

/* res is lent for the call; see db_ok(). */
typedef void db_result_cb(const struct db_result *res, void *arg);

/*
 * Asks. `sql` holds $1..$n and must stay until the callback has run or the
 * query was cancelled: a literal, but for pgsql: tables (pgsql.h). The handle is valid until the callback has run. A full queue or a lost
 * connection are answers too: ERR_TEMP from db_err().
 */
struct db_query *db_ask(struct db *db, const char *sql,
    const struct db_param *params, size_t n, unsigned flags,
    db_result_cb *cb, void *arg);
/* The callback will not run; *q becomes NULL. NULL is fine. */
void db_cancel(struct db_query **q);

bool db_ok(const struct db_result *r);
/* Of a failed one: TEMP (connection, timeout, server's troubles), PERM (the
 * data: classes 22 and 23, and raised P0001), BUG (everything else). */
const struct err *db_err(const struct db_result *r);
const char *db_sqlstate(const struct db_result *r);	/* "" if not from it */
size_t db_rows(const struct db_result *r);
int db_columns(const struct db_result *r);
/* Text of a field; SPAN_NONE for NULL. Columns are counted from 0. */
struct span db_get(const struct db_result *r, size_t row, int col);
bool db_is_null(const struct db_result *r, size_t row, int col);
/* NULL and nonsense give `other`. */
int64_t db_i64(const struct db_result *r, size_t row, int col, int64_t other);
bool db_bool(const struct db_result *r, size_t row, int col);
/* Overwrites a field that was a secret. */
void db_wipe(const struct db_result *r, size_t row, int col);

struct db_stats {
	uint64_t asked, answered, failed, timed_out, refused;
	uint64_t connects, notifies;
	size_t waiting, running;
};
void db_stats(const struct db *db, struct db_stats *s);

#endif
