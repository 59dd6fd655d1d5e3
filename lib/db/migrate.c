#include "db/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "db/endpoint.h"

#define SERVER_MIN	150000
#define FILES_MAX	1000
#define FILE_BYTES_MAX	(4u << 20)
/* One lock for all who migrate; any constant does. */
#define LOCK_KEY	"7209375163"

struct migrations {
	int dir_fd;
	PGconn *conn;
	size_t n;
	char *name[FILES_MAX];		/* files; [n - 1] is revision n */
};

/* --- files --- */

/* NNNN of NNNN_name.sql, or 0. */
static uint32_t
file_number(const char *name)
{
	struct span s = span_str(name);
	uint32_t n;

	if (s.n < 10 || name[4] != '_' || !span_ends(s, ".sql") ||
	    !span_u32(span_sub(s, 0, 4), 1, FILES_MAX, &n))
		return 0;
	return n;
}

static int
files_list(struct migrations *m, const char *dir, struct err *err)
{
	struct dirent *de;
	uint32_t n, i;
	DIR *d;
	int rc = 0;

	if ((d = opendir(dir)) == NULL)
		return err_errno(err, "%s", dir);
	while (rc == 0 && (de = readdir(d)) != NULL) {
		if ((n = file_number(de->d_name)) == 0)
			continue;
		if (m->name[n - 1] != NULL)
			rc = err_set(err, ERR_PERM, PS_EEXIST,
			    "%s: two migrations of number %04u", dir, n);
		else
			m->name[n - 1] = xstrdup(de->d_name);
		m->n = MAX(m->n, (size_t)n);
	}
	(void)closedir(d);
	for (i = 0; rc == 0 && i < m->n; i++)
		if (m->name[i] == NULL)
			rc = err_set(err, ERR_PERM, PS_ENOTFOUND,
			    "%s: migration %04u is missing", dir, i + 1);
	if (rc == 0 && m->n == 0)
		rc = err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "%s: no migrations", dir);
	if (rc == 0 && (m->dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC)) == -1)
		rc = err_errno(err, "%s", dir);
	return rc;
}

static int
file_read(const struct migrations *m, size_t i, struct buf *out,
    struct err *err)
{
	const char *name = m->name[i];
	ssize_t n = 0;
	char *at;
	int fd;

	buf_clear(out);
	fd = openat(m->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return err_errno(err, "%s", name);
	while ((at = buf_reserve(out, 65536)) != NULL &&
	    (n = read(fd, at, 65536)) > 0)
		buf_commit(out, (size_t)n);
	if (n < 0) {
		int rc = err_errno(err, "%s", name);

		(void)close(fd);
		return rc;
	}
	(void)close(fd);
	if (buf_failed(out))
		return err_set(err, ERR_PERM, PS_ETOOBIG, "%s: too big", name);
	if (memchr(buf_data(out), '\0', buf_len(out)) != NULL)
		return err_set(err, ERR_PERM, PS_ESYNTAX, "%s: holds a NUL",
		    name);
	return 0;
}

/* --- the connection --- */

static void
notice_drop_cb(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int
pg_fail(const struct migrations *m, struct err *err, const char *what)
{
	struct span why = span_str(PQerrorMessage(m->conn));
	enum err_kind kind = PQstatus(m->conn) == CONNECTION_OK ? ERR_PERM :
	    ERR_TEMP;

	return err_set(err, kind, PS_EIO, "%s: %.*s", what,
	    SPAN_ARG(span_trim(why)));
}

/* One statement with at most two parameters; the first value of the answer
 * goes to out (may be NULL; empty when there is no row or it is NULL). */
static int
pg_ask(const struct migrations *m, const char *sql, const char *a,
    const char *b, struct buf *out, struct err *err)
{
	const char *values[2] = { a, b };
	PGresult *r = PQexecParams(m->conn, sql, b != NULL ? 2 : a != NULL,
	    NULL, values, NULL, NULL, 0);
	ExecStatusType st = PQresultStatus(r);
	int rc = 0;

	if (st != PGRES_TUPLES_OK && st != PGRES_COMMAND_OK)
		rc = pg_fail(m, err, "database");
	else if (out != NULL) {
		buf_clear(out);
		if (PQntuples(r) > 0)
			buf_str(out, PQgetvalue(r, 0, 0));
	}
	PQclear(r);
	return rc;
}

/* Things that would show up later as odd syntax errors or lost letters. */
static int
server_check(const PGconn *conn, struct err *err)
{
	const char *enc = PQparameterStatus(conn, "server_encoding");
	int version = PQserverVersion(conn);

	if (version < SERVER_MIN)
		return err_set(err, ERR_PERM, PS_ENOSYS, "PostgreSQL %d is too "
		    "old: %d or newer is needed", version / 10000,
		    SERVER_MIN / 10000);
	if (enc == NULL || strcmp(enc, "UTF8") != 0)
		return err_set(err, ERR_PERM, PS_ENOSYS, "the database has "
		    "encoding %s: UTF8 is needed", enc == NULL ? "?" : enc);
	return 0;
}

static int
pg_connect(struct migrations *m, const char *url, const char *role,
    const char *password, struct err *err)
{
	struct db_config c = { .url = url, .role = role,
	    .password = password, .application = "postern/migrate" };
	struct endpoints *e = endpoints_new(&c, err);
	struct conn_params p;
	int rc;

	if (e == NULL)
		return PS_ESYNTAX;
	if ((rc = endpoints_look_up(e, err)) == 0) {
		p = endpoints_params(e, 0);
		m->conn = PQconnectdbParams(p.keywords, p.values, 0);
		if (PQstatus(m->conn) != CONNECTION_OK)
			rc = pg_fail(m, err, "database");
		else {
			PQsetNoticeProcessor(m->conn, notice_drop_cb, NULL);
			rc = server_check(m->conn, err);
		}
	}
	endpoints_free(&e);
	return rc;
}

/* Is the file of an applied migration the one that was applied? */
static int
applied_check(const struct migrations *m, size_t i, struct buf *scratch,
    struct err *err)
{
	struct buf same;
	int rc;

	if ((rc = file_read(m, i, scratch, err)) != 0)
		return rc;
	buf_init(&same, 64);
	rc = pg_ask(m, "SELECT checksum = encode(sha256(convert_to($2::text, "
	    "'UTF8')), 'hex') FROM postern.migration "
	    "WHERE revision = substr($1, 1, 4)::integer", m->name[i],
	    buf_cstr(scratch), &same, err);
	if (rc == 0 && !span_is(buf_span(&same), "t"))
		rc = err_set(err, ERR_PERM, PS_ECORRUPT, "%s was changed "
		    "after it was applied to this database", m->name[i]);
	buf_fini(&same);
	return rc;
}

/* Revision of the database; compares what was applied with the files. */
static int
current_read(const struct migrations *m, int *current, struct err *err)
{
	struct buf text;
	uint32_t rev = 0, i;
	int rc;

	buf_init(&text, FILE_BYTES_MAX + 65536);
	*current = 0;
	rc = pg_ask(m, "SELECT to_regclass('postern.migration')", NULL, NULL,
	    &text, err);
	if (rc != 0 || buf_len(&text) == 0)
		goto out;			/* an empty database */
	rc = pg_ask(m, "SELECT coalesce(max(revision), 0) "
	    "FROM postern.migration", NULL, NULL, &text, err);
	if (rc == 0 && !span_u32(buf_span(&text), 0, FILES_MAX, &rev))
		rc = err_set(err, ERR_PERM, PS_ECORRUPT,
		    "table migration holds nonsense");
	for (i = 0; rc == 0 && i < rev && i < m->n; i++)
		rc = applied_check(m, i, &text, err);
	*current = (int)rev;
out:
	buf_fini(&text);
	return rc;
}

static void
migrations_close(struct migrations **mp)
{
	struct migrations *m = *mp;
	size_t i;

	for (i = 0; i < FILES_MAX; i++)
		free(m->name[i]);
	if (m->dir_fd != -1)
		(void)close(m->dir_fd);
	PQfinish(m->conn);
	free(m);
	*mp = NULL;
}

static int
migrations_open(struct migrations **mp, const char *url, const char *role,
    const char *password, const char *dir, struct err *err)
{
	struct migrations *m = xcalloc(1, sizeof(*m));
	int rc;

	m->dir_fd = -1;
	if ((rc = files_list(m, dir, err)) == 0)
		rc = pg_connect(m, url, role, password, err);
	if (rc != 0)
		migrations_close(&m);
	*mp = m;
	return rc;
}

int
migrate_status(const char *url, const char *role, const char *password,
    const char *dir, struct migrate_status *st, struct err *err)
{
	struct migrations *m;
	int rc;

	*st = (struct migrate_status){ .needed = DB_REVISION };
	if ((rc = migrations_open(&m, url, role, password, dir, err)) != 0)
		return rc;
	st->newest = (int)m->n;
	rc = current_read(m, &st->current, err);
	migrations_close(&m);
	return rc;
}

/* --- applying --- */

/* Runs one file and notes it, inside a transaction. */
static int
migration_run(const struct migrations *m, size_t i, struct err *err)
{
	const char *name = m->name[i];
	struct buf text;
	PGresult *r;
	int rc;

	buf_init(&text, FILE_BYTES_MAX + 65536);
	if ((rc = file_read(m, i, &text, err)) != 0)
		goto out;
	r = PQexec(m->conn, buf_cstr(&text));
	if (PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_TUPLES_OK)
		rc = pg_fail(m, err, name);
	PQclear(r);
	if (rc == 0)
		rc = pg_ask(m, "INSERT INTO postern.migration (revision, name, "
		    "checksum) SELECT substr($1, 1, 4)::integer, $1, "
		    "encode(sha256(convert_to($2::text, 'UTF8')), 'hex')",
		    name, buf_cstr(&text), NULL, err);
out:
	buf_fini(&text);
	return rc;
}

static int
migration_apply(const struct migrations *m, size_t i, struct err *err)
{
	struct err ignored;
	int rc;

	if ((rc = pg_ask(m, "BEGIN", NULL, NULL, NULL, err)) != 0)
		return rc;
	if ((rc = migration_run(m, i, err)) == 0)
		return pg_ask(m, "COMMIT", NULL, NULL, NULL, err);
	/* A dead connection rolls back by itself. */
	if (pg_ask(m, "ROLLBACK", NULL, NULL, NULL, &ignored) != 0)
		err_prefix(err, "(not rolled back: %s)", ignored.why);
	return rc;
}

int
migrate_apply(const char *url, const char *role, const char *password,
    const char *dir, int upto, migrate_cb *cb, void *arg, struct err *err)
{
	struct migrations *m;
	int rc, i, current = 0;

	if ((rc = migrations_open(&m, url, role, password, dir, err)) != 0)
		return rc;
	/* Held until the connection ends. */
	rc = pg_ask(m, "SELECT pg_advisory_lock(" LOCK_KEY ")", NULL, NULL,
	    NULL, err);
	if (rc == 0)
		rc = current_read(m, &current, err);
	if (upto <= 0 || upto > (int)m->n)
		upto = (int)m->n;
	for (i = current; rc == 0 && i < upto; i++) {
		rc = migration_apply(m, (size_t)i, err);
		if (rc == 0 && cb != NULL)
			cb(i + 1, m->name[i], arg);
	}
	migrations_close(&m);
	return rc;
}
