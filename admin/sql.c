#include "admin/sql.h"

#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "admin/out.h"
#include "admin/secrets.h"
#include "base/xmalloc.h"

#define PARAMS_MAX	8

struct sql {
	PGconn *pg;
};

struct sql_result {
	PGresult *pg;
};

/* libpq's messages are several lines with a last newline. */
static void
one_line(char *out, size_t n, const char *text)
{
	size_t i;

	snprintf(out, n, "%s", text);
	for (i = strlen(out); i > 0 && ascii_isspace((unsigned char)out[i - 1]);
	    i--)
		out[i - 1] = '\0';
	for (i = 0; out[i] != '\0'; i++)
		if (out[i] == '\n' || out[i] == '\t')
			out[i] = ' ';
}

/* A parameter that is NULL is as if not there. */
static struct sql *
connect_to(const char *database, const char *role, const char *password,
    struct err *err)
{
	const char *keys[] = { "dbname", "application_name",
	    "connect_timeout", "gssencmode", "client_encoding",
	    "user", "password", NULL };
	const char *values[] = { database, "postern", "5", "disable",
	    "UTF8", role, password, NULL };
	struct sql *s = xcalloc(1, sizeof(*s));
	char why[200];

	s->pg = PQconnectdbParams(keys, values, 1);
	if (PQstatus(s->pg) == CONNECTION_OK)
		return s;
	one_line(why, sizeof(why), PQerrorMessage(s->pg));
	err_set(err, ERR_TEMP, PS_EIO, "database: %s", why);
	sql_close(&s);
	return NULL;
}

struct sql *
sql_open(const struct conf *conf, const char *role, struct err *err)
{
	char *password = secret_database_password(conf, role, err);
	struct sql *s;

	if (err != NULL && err->kind != ERR_NONE)
		return NULL;
	s = connect_to(conf->database, *role != '\0' ? role : NULL, password,
	    err);
	secret_free(&password);
	return s;
}

struct sql *
sql_open_other(const char *conninfo, struct err *err)
{
	return connect_to(conninfo, NULL, NULL, err);
}

void
sql_close(struct sql **s)
{
	if (*s == NULL)
		return;
	PQfinish((*s)->pg);
	free(*s);
	*s = NULL;
}

static int
code_of(const char *sqlstate)
{
	static const struct {
		const char *state;
		int code;
	} codes[] = {
		{ "P0002", PS_ENOTFOUND }, { "02000", PS_ENOTFOUND },
		{ "23505", PS_EEXIST },
		{ "42501", PS_EDENIED },
		{ "3F000", PS_ESTATE }, { "42P01", PS_ESTATE },
		{ "42883", PS_ESTATE },	/* no schema: not migrated */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(sqlstate, codes[i].state) == 0)
			return codes[i].code;
	return PS_ESYNTAX;
}

/* What a check of the schema wants, for people. */
static const char *
check_says(const PGresult *r)
{
	static const struct {
		const char *constraint, *says;
	} checks[] = {
		{ "organisation_name_check", "an organisation's name is not "
		    "empty and holds no control character" },
		{ "admin_name_is_normal", "a domain admin's name has the "
		    "characters a-z 0-9 . _ @ + - (200 at most) and begins "
		    "with a letter or digit" },
		{ "transport_name_check", "a transport's name has the "
		    "characters a-z 0-9 _ . - (64 at most)" },
		{ "transport_next_hop_check", "a next hop is a domain or "
		    "[host], either with :port" },
		{ "domain_relay_recipients_check", "relay_recipients is any "
		    "or listed" },
		{ "domain_alias_of_fits_class", "alias_of is for domains that "
		    "are another name of one" },
		{ "domain_transport_fits_class", "transport is for domains "
		    "that are relayed" },
		{ "mailbox_full_name_check", "a name holds no control "
		    "character" },
		{ "alias_note_check", "a note holds no control character" },
		{ "credential_label_check", "a label has 1 to 100 characters, "
		    "none of them a control character" },
		{ "access_rule_list_check", "a list's name has the characters "
		    "a-z 0-9 _ . - (64 at most)" },
	};
	const char *name = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
	size_t i;

	for (i = 0; name != NULL && i < ARRAY_LEN(checks); i++)
		if (strcmp(name, checks[i].constraint) == 0)
			return checks[i].says;
	return NULL;
}

static void
explain(struct sql *s, const PGresult *r, struct err *err)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	char why[200];
	int code;

	if (state == NULL || text == NULL) {
		one_line(why, sizeof(why), PQerrorMessage(s->pg));
		err_set(err, ERR_TEMP, PS_EIO, "database: %s", why);
		return;
	}
	code = code_of(state);
	one_line(why, sizeof(why), check_says(r) == NULL ? text :
	    check_says(r));
	if (code == PS_ESTATE)
		err_set(err, ERR_PERM, code, "%s; is the database up to date? "
		    "See `postern db status'", why);
	else
		err_set(err, ERR_PERM, code, "%s%s%s", why,
		    hint == NULL ? "" : ". ", hint == NULL ? "" : hint);
}

struct sql_result *
sql_ask(struct sql *s, const char *statement, const struct span *params,
    size_t n, struct err *err)
{
	const char *values[PARAMS_MAX] = { NULL };
	char *copy[PARAMS_MAX];
	struct sql_result *result;
	ExecStatusType status;
	PGresult *r;
	size_t i;

	ps_assert(n <= PARAMS_MAX);
	for (i = 0; i < n; i++) {
		copy[i] = params[i].p == NULL ? NULL :
		    xmemdup0(params[i].p, params[i].n);
		values[i] = copy[i];
	}
	r = PQexecParams(s->pg, statement, (int)n, NULL, values, NULL, NULL,
	    0);
	for (i = 0; i < n; i++)
		if (copy[i] != NULL) {
			secure_wipe(copy[i], params[i].n);
			free(copy[i]);
		}
	status = PQresultStatus(r);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		explain(s, r, err);
		PQclear(r);
		return NULL;
	}
	result = xcalloc(1, sizeof(*result));
	result->pg = r;
	return result;
}

void
sql_result_free(struct sql_result **r)
{
	if (*r == NULL)
		return;
	PQclear((*r)->pg);
	free(*r);
	*r = NULL;
}

size_t
sql_rows(const struct sql_result *r)
{
	return (size_t)PQntuples(r->pg);
}

struct span
sql_get(const struct sql_result *r, size_t row, size_t column)
{
	int i = (int)row, j = (int)column;

	if (PQgetisnull(r->pg, i, j))
		return SPAN_NONE;
	return span_of(PQgetvalue(r->pg, i, j),
	    (size_t)PQgetlength(r->pg, i, j));
}

/* Object identifiers of pg_type, which never change. */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT4 = 23, OID_JSON = 114 };

static enum out_kind
column_kind(const struct sql_result *r, int column)
{
	static const struct out_column numbers[] = {
		{ "bytes", OUT_SIZE }, { "quota_given", OUT_SIZE },
		{ "quota_bytes", OUT_LIMIT }, { "max_quota_bytes", OUT_LIMIT },
		{ "quota_messages", OUT_LIMIT_COUNT },
		{ "max_domains", OUT_LIMIT_COUNT },
		{ "max_mailboxes", OUT_LIMIT_COUNT },
		{ "max_aliases", OUT_LIMIT_COUNT },
	};
	const char *name = PQfname(r->pg, column);
	Oid type = PQftype(r->pg, column);
	size_t i;

	if (type == OID_BOOL)
		return OUT_BOOL;
	if (type == OID_JSON)
		return OUT_RAW;
	if (type != OID_INT8 && type != OID_INT4)
		return OUT_TEXT;
	for (i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0)
			return numbers[i].kind;
	return OUT_NUMBER;
}

void
sql_print(const struct sql_result *r, bool json, bool single)
{
	size_t n = (size_t)PQnfields(r->pg), row, i;
	struct out_column *columns = xcalloc(n, sizeof(*columns));
	struct span *values = xcalloc(n, sizeof(*values));
	struct out *o;

	for (i = 0; i < n; i++) {
		columns[i].name = PQfname(r->pg, (int)i);
		columns[i].kind = column_kind(r, (int)i);
	}
	o = out_new(json, single, columns, n);
	for (row = 0; row < sql_rows(r); row++) {
		for (i = 0; i < n; i++)
			values[i] = sql_get(r, row, i);
		out_row(o, values);
	}
	out_end(&o);
	free(columns);
	free(values);
}

void
sql_array(struct buf *out, const struct span *items, size_t n)
{
	size_t i, k;

	buf_char(out, '{');
	for (i = 0; i < n; i++) {
		buf_str(out, i == 0 ? "\"" : ",\"");
		for (k = 0; k < items[i].n; k++) {
			if (items[i].p[k] == '"' || items[i].p[k] == '\\')
				buf_char(out, '\\');
			buf_char(out, items[i].p[k]);
		}
		buf_char(out, '"');
	}
	buf_char(out, '}');
}
