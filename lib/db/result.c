#include "db/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

/* Oids of pg_type, fixed for ever. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

static const struct {
	const char *class;		/* first characters of the SQLSTATE */
	enum err_kind kind;
	int code;
} sqlstates[] = {
	{ "23505", ERR_PERM, PS_EEXIST },
	{ "P0002", ERR_PERM, PS_ENOTFOUND },	/* no_data_found: need_*() */
	{ "P0001", ERR_PERM, PS_EDENIED },	/* RAISE EXCEPTION */
	{ "22", ERR_PERM, PS_ESYNTAX },		/* data exception */
	{ "23", ERR_PERM, PS_EDENIED },		/* constraint */
	{ "08", ERR_TEMP, PS_ECLOSED },		/* connection */
	{ "25006", ERR_TEMP, PS_ESTATE },	/* read-only: a standby */
	{ "40", ERR_TEMP, PS_EAGAIN },		/* serialisation, deadlock */
	{ "53", ERR_TEMP, PS_EFULL },		/* resources */
	{ "55", ERR_TEMP, PS_EAGAIN },		/* lock not available */
	{ "57", ERR_TEMP, PS_ECLOSED },		/* cancelled, shut down */
	{ "58", ERR_TEMP, PS_EIO },		/* system error */
	{ "XX", ERR_TEMP, PS_EIO },		/* internal, corruption */
	/* A schema that is being migrated, or a grant that is missing: the
	 * admin can put it right and mail waits. */
	{ "42", ERR_TEMP, PS_ESTATE },
	{ "3F", ERR_TEMP, PS_ESTATE },
};

void
db_result_set(struct db_result *r, PGresult *pg)
{
	ExecStatusType st = PQresultStatus(pg);
	const char *state, *text;
	size_t i;

	db_result_fini(r);
	r->pg = pg;
	if (st == PGRES_TUPLES_OK || st == PGRES_COMMAND_OK)
		return;
	state = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
	text = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
	if (text == NULL)
		text = PQresultErrorMessage(pg);
	if (state == NULL) {
		db_result_fail(r, text);
		return;
	}
	memcpy(r->sqlstate, state, MIN(strlen(state), sizeof(r->sqlstate) - 1));
	for (i = 0; i < ARRAY_LEN(sqlstates); i++)
		if (strncmp(state, sqlstates[i].class,
		    strlen(sqlstates[i].class)) == 0)
			break;
	if (i < ARRAY_LEN(sqlstates))
		err_set(&r->err, sqlstates[i].kind, sqlstates[i].code, "%s",
		    text);
	else
		err_set(&r->err, ERR_BUG, PS_ESTATE, "%s (%s)", text, state);
}

void
db_result_fail(struct db_result *r, const char *why)
{
	size_t n = strcspn(why, "\n");

	err_set(&r->err, ERR_TEMP, PS_ECLOSED, "%.*s", (int)n, why);
}

void
db_result_fini(struct db_result *r)
{
	PQclear(r->pg);
	*r = (struct db_result){ .pg = NULL };
}

static size_t
param_size(const struct db_param *p)
{
	switch (p->type) {
	case DB_P_I64:
		return 8;
	case DB_P_BOOL:
		return 1;
	case DB_P_TEXT:
	case DB_P_BYTEA:
		return p->text.n;
	case DB_P_QUOTED:
		return p->text.n + 1;	/* text format ends with NUL */
	case DB_P_NULL:
		break;
	}
	return 0;
}

static void
param_write(char *out, const struct db_param *p)
{
	uint64_t v = (uint64_t)p->i64;
	int i;

	if (p->type == DB_P_I64)
		for (i = 0; i < 8; i++)
			out[i] = (char)(v >> (56 - 8 * i));
	else if (p->type == DB_P_BOOL)
		out[0] = p->i64 != 0;
	else if (p->text.n > 0)
		memcpy(out, p->text.p, p->text.n);
	if (p->type == DB_P_QUOTED)
		out[p->text.n] = '\0';
}

struct db_args *
db_args_new(const struct db_param *p, size_t n)
{
	static const Oid oids[] = {
		[DB_P_NULL] = 0, [DB_P_TEXT] = OID_TEXT,
		[DB_P_I64] = OID_INT8, [DB_P_BOOL] = OID_BOOL,
		[DB_P_BYTEA] = OID_BYTEA, [DB_P_QUOTED] = 0
	};
	struct db_args *a;
	size_t i, total = 0;
	char *at;

	ps_assert(n <= DB_PARAMS_MAX);
	for (i = 0; i < n; i++) {
		ps_assert(param_size(&p[i]) < INT32_MAX / DB_PARAMS_MAX);
		total += param_size(&p[i]);
	}
	a = xmalloc(sizeof(*a) + total);
	a->n = (int)n;
	at = a->bytes;
	for (i = 0; i < n; i++) {
		a->type[i] = oids[p[i].type];
		a->value[i] = p[i].type == DB_P_NULL ? NULL : at;
		a->length[i] = (int)param_size(&p[i]);
		a->format[i] = p[i].type != DB_P_QUOTED;
		if (p[i].type != DB_P_NULL)
			param_write(at, &p[i]);
		at += a->length[i];
	}
	return a;
}

bool
db_ok(const struct db_result *r)
{
	return r->err.kind == ERR_NONE;
}

const struct err *
db_err(const struct db_result *r)
{
	return &r->err;
}

const char *
db_sqlstate(const struct db_result *r)
{
	return r->sqlstate;
}

size_t
db_rows(const struct db_result *r)
{
	return r->pg == NULL ? 0 : (size_t)PQntuples(r->pg);
}

int
db_columns(const struct db_result *r)
{
	return r->pg == NULL ? 0 : PQnfields(r->pg);
}

bool
db_is_null(const struct db_result *r, size_t row, int col)
{
	return row >= db_rows(r) || col >= PQnfields(r->pg) ||
	    PQgetisnull(r->pg, (int)row, col) != 0;
}

struct span
db_get(const struct db_result *r, size_t row, int col)
{
	if (db_is_null(r, row, col))
		return SPAN_NONE;
	return span_of(PQgetvalue(r->pg, (int)row, col),
	    (size_t)PQgetlength(r->pg, (int)row, col));
}

int64_t
db_i64(const struct db_result *r, size_t row, int col, int64_t other)
{
	int64_t v;

	if (!span_i64(db_get(r, row, col), INT64_MIN, INT64_MAX, &v))
		return other;
	return v;
}

bool
db_bool(const struct db_result *r, size_t row, int col)
{
	return span_eq(db_get(r, row, col), SPAN_LIT("t"));
}

void
db_wipe(const struct db_result *r, size_t row, int col)
{
	if (!db_is_null(r, row, col))
		secure_wipe(PQgetvalue(r->pg, (int)row, col),
		    (size_t)PQgetlength(r->pg, (int)row, col));
}
