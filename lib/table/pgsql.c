#include "table/pgsql.h"

#include <stdlib.h>

#include "base/conf.h"
#include "base/xmalloc.h"
#include "table/lines.h"
#include "table/pgsql_sql.h"
#include "table/table_int.h"

enum setting {
	SET_HOSTS, SET_USER, SET_PASSWORD, SET_DBNAME, SET_QUERY, SET_DOMAIN,
	SET_RESULT_FORMAT, SET_EXPANSION_LIMIT, SET_SELECT_FIELD, SET_TABLE,
	SET_WHERE_FIELD, SET_ADDITIONAL, SET_SELECT_FUNCTION, SETTINGS
};

static const char *const setting_names[SETTINGS] = {
	"hosts", "user", "password", "dbname", "query", "domain",
	"result_format", "expansion_limit", "select_field", "table",
	"where_field", "additional_conditions", "select_function",
};
/* Of use to Postfix only: one server connection is kept, in UTF-8. */
static const char *const ignored[] = {
	"encoding", "idle_interval", "retry_interval",
};

struct pgsql_query {
	char *conninfo;
	struct pgsql_sql sql;
	unsigned needs, result_needs;	/* PGSQL_NEEDS_* */
	unsigned labels, result_labels;	/* highest of %1..%9 */
	char *domains;			/* "" any */
	char *result_format;
	uint32_t limit;			/* 0: none */
};

/* --- the file --- */

static void
setting_take(const struct table *t, int lineno, struct span line,
    char *value[SETTINGS])
{
	ptrdiff_t eq = span_chr(line, '=');
	struct span name = span_trim(span_sub(line, 0, (size_t)MAX(eq, 0)));
	struct span text = span_trim(span_sub(line, (size_t)(eq + 1),
	    line.n));
	size_t i;

	if (eq <= 0 || span_chr(line, '\0') >= 0) {
		table_complain(t, lineno, "name = value is wanted");
		return;
	}
	for (i = 0; i < SETTINGS; i++)
		if (span_eq(name, span_str(setting_names[i]))) {
			secret_free(&value[i]);
			value[i] = xmemdup0(text.p, text.n);
			return;
		}
	for (i = 0; i < ARRAY_LEN(ignored); i++)
		if (span_eq(name, span_str(ignored[i])))
			return;
	table_complain(t, lineno, "unknown parameter \"%.*s\"",
	    (int)MIN(name.n, (size_t)60), name.p);
}

static void
file_parse(const struct table *t, struct span text, char *value[SETTINGS])
{
	struct table_lines lines;
	struct span line;
	size_t i;

	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line))
		if (buf_failed(&lines.line))
			table_complain(t, lines.lineno, "line is too long");
		else
			setting_take(t, lines.lineno, line, value);
	table_lines_fini(&lines);
	for (i = 0; i < SETTINGS; i++)
		if (value[i] == NULL)
			value[i] = xstrdup("");
}

/* --- where it is --- */

static void
conninfo_add(struct buf *b, const char *keyword, struct span value)
{
	size_t i;

	if (value.n == 0)
		return;
	buf_fmt(b, "%s%s='", buf_len(b) == 0 ? "" : " ", keyword);
	for (i = 0; i < value.n; i++) {
		if (value.p[i] == '\'' || value.p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, value.p[i]);
	}
	buf_char(b, '\'');
}

static bool
is_url(struct span host)
{
	return span_starts(host, "postgresql://") ||
	    span_starts(host, "postgres://");
}

/* "unix:/directory", "inet:host:port", "host:port", "host" */
static void
host_split(struct span word, struct span *host, struct span *port)
{
	ptrdiff_t colon;

	*port = SPAN_NONE;
	if (span_starts(word, "unix:")) {
		*host = span_sub(word, 5, word.n);
		return;
	}
	if (span_starts(word, "inet:"))
		word = span_sub(word, 5, word.n);
	*host = word;
	colon = span_rchr(word, ':');
	if (colon > 0) {
		*host = span_sub(word, 0, (size_t)colon);
		*port = span_sub(word, (size_t)colon + 1, word.n);
	}
	if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = span_sub(*host, 1, host->n - 2);
}

/* libpq tries several hosts in their order. */
static char *
conninfo_make(char *value[SETTINGS], struct err *err)
{
	struct span rest = span_str(value[SET_HOSTS]), word, host, port;
	struct buf all, hosts, ports;
	char *made = NULL;
	size_t n = 0;

	buf_init(&all, 65536);
	buf_init(&hosts, 16384);
	buf_init(&ports, 16384);
	while (conf_braced_next(&rest, &word)) {
		if (is_url(word)) {
			buf_clear(&all);
			buf_span_add(&all, word);
			if (n++ == 0 && span_trim(rest).n == 0)
				goto out;
			err_set(err, ERR_PERM, PS_ESYNTAX, "hosts: a URL "
			    "stands alone");
			buf_clear(&all);
			goto out;
		}
		host_split(word, &host, &port);
		buf_fmt(&hosts, "%s%.*s", n > 0 ? "," : "", SPAN_ARG(host));
		buf_fmt(&ports, "%s%.*s", n > 0 ? "," : "", SPAN_ARG(port));
		n++;
	}
	if (value[SET_DBNAME][0] == '\0') {
		err_set(err, ERR_PERM, PS_ESYNTAX, "dbname is missing");
		goto out;
	}
	conninfo_add(&all, "host", n == 0 ? SPAN_LIT("localhost") :
	    buf_span(&hosts));
	if (n > 0 && buf_len(&ports) > n - 1)
		conninfo_add(&all, "port", buf_span(&ports));
	conninfo_add(&all, "dbname", span_str(value[SET_DBNAME]));
	conninfo_add(&all, "user", span_str(value[SET_USER]));
	conninfo_add(&all, "password", span_str(value[SET_PASSWORD]));
out:
	if (buf_len(&all) > 0 && !buf_failed(&all))
		made = xstrdup(buf_cstr(&all));
	buf_fini_secret(&all);
	buf_fini(&hosts);
	buf_fini(&ports);
	return made;
}

/* --- the query --- */

/* The query as it stands, or as the older parameters describe it. */
static char *
query_text(char *value[SETTINGS])
{
	if (value[SET_QUERY][0] != '\0')
		return xstrdup(value[SET_QUERY]);
	if (value[SET_SELECT_FUNCTION][0] != '\0')
		return xasprintf("SELECT %s('%%s')",
		    value[SET_SELECT_FUNCTION]);
	if (value[SET_TABLE][0] == '\0' || value[SET_SELECT_FIELD][0] == '\0'
	    || value[SET_WHERE_FIELD][0] == '\0')
		return NULL;
	return xasprintf("SELECT %s FROM %s WHERE %s = '%%s' %s",
	    value[SET_SELECT_FIELD], value[SET_TABLE],
	    value[SET_WHERE_FIELD], value[SET_ADDITIONAL]);
}

/* Names only; Postfix' files and tables are not looked into. */
static bool
domains_ok(const char *list, struct err *err)
{
	struct span rest = span_str(list), word;

	while (conf_braced_next(&rest, &word))
		if (word.p[0] == '!' || word.p[0] == '/' ||
		    span_chr(word, ':') >= 0) {
			err_set(err, ERR_PERM, PS_ESYNTAX, "domain: \"%.*s\": "
			    "only names of domains are known here",
			    (int)MIN(word.n, (size_t)80), word.p);
			return false;
		}
	return true;
}

static bool
settings_use(struct pgsql_query *q, char *value[SETTINGS], struct err *err)
{
	char *text = query_text(value);
	bool good = false;
	size_t i;

	if (text == NULL) {
		err_set(err, ERR_PERM, PS_ESYNTAX, "query is missing (or "
		    "select_field, table and where_field)");
		return false;
	}
	if (pgsql_sql_translate(&q->sql, span_str(text), err) != 0 ||
	    !domains_ok(value[SET_DOMAIN], err))
		goto out;
	q->domains = xstrdup(value[SET_DOMAIN]);
	q->result_format = xstrdup(value[SET_RESULT_FORMAT][0] == '\0' ?
	    "%s" : value[SET_RESULT_FORMAT]);
	for (i = 0; i < q->sql.n; i++)
		if (!pgsql_template_check(span_str(q->sql.param[i]), &q->needs,
		    &q->labels, err))
			goto out;
	if (!pgsql_template_check(span_str(q->result_format),
	    &q->result_needs, &q->result_labels, err))
		goto out;
	if (value[SET_EXPANSION_LIMIT][0] != '\0' &&
	    !span_u32(span_str(value[SET_EXPANSION_LIMIT]), 0, 1000000,
	    &q->limit)) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "expansion_limit is no number");
		goto out;
	}
	good = (q->conninfo = conninfo_make(value, err)) != NULL;
out:
	free(text);
	return good;
}

struct pgsql_query *
pgsql_query_parse(const struct table *t, struct span text, struct err *err)
{
	struct pgsql_query *q = xcalloc(1, sizeof(*q));
	char *value[SETTINGS] = { NULL };
	size_t i;

	file_parse(t, text, value);
	if (!settings_use(q, value, err))
		pgsql_query_free(&q);
	for (i = 0; i < SETTINGS; i++)
		secret_free(&value[i]);
	return q;
}

void
pgsql_query_free(struct pgsql_query **qp)
{
	struct pgsql_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	pgsql_sql_fini(&q->sql);
	secret_free(&q->conninfo);
	free(q->domains);
	free(q->result_format);
	free(q);
}

const char *
pgsql_conninfo(const struct pgsql_query *q)
{
	return q->conninfo;
}

const char *
pgsql_sql(const struct pgsql_query *q)
{
	return q->sql.text;
}

size_t
pgsql_params(const struct pgsql_query *q)
{
	return q->sql.n;
}

/* --- a look-up --- */

static bool
domain_listed(const struct pgsql_query *q, struct span key)
{
	struct span rest = span_str(q->domains), word;
	ptrdiff_t at = span_rchr(key, '@');

	if (span_trim(rest).n == 0)
		return true;
	if (at <= 0)
		return false;
	while (conf_braced_next(&rest, &word))
		if (span_ieq(word, span_sub(key, (size_t)at + 1, key.n)))
			return true;
	return false;
}

bool
pgsql_wants(const struct pgsql_query *q, struct span key)
{
	return key.n > 0 && domain_listed(q, key) &&
	    pgsql_template_fits(q->needs, q->labels, key, SPAN_NONE);
}

void
pgsql_param(const struct pgsql_query *q, size_t i, struct span key,
    struct buf *out)
{
	pgsql_template_fill(span_str(q->sql.param[i]), key, key, out);
}

bool
pgsql_value_add(const struct pgsql_query *q, struct span key,
    struct span value, size_t *count, struct buf *out)
{
	if (value.n == 0 || !pgsql_template_fits(q->result_needs,
	    q->result_labels, key, value))
		return true;
	if (q->limit > 0 && *count >= q->limit)
		return false;
	if ((*count)++ > 0)
		buf_char(out, ',');
	pgsql_template_fill(span_str(q->result_format), key, value, out);
	return true;
}
