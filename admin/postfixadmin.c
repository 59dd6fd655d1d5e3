#include "admin/postfixadmin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"

/* Its booleans are boolean, or numbers as on MySQL; as text they are t or f,
 * or 1 or 0. Mailboxes stand for themselves in `alias', too: those rows are
 * left out, and what else such a row says is looked at. */
#define YES(column) "(" column "::text IN ('t', 'true', '1'))"
#define DOMAINS	"SELECT domain, " YES("active") ", " YES("backupmx") \
	", transport FROM domain WHERE domain <> 'ALL' " \
	"AND domain NOT IN (SELECT alias_domain FROM alias_domain) " \
	"ORDER BY domain"
#define MAILBOXES "SELECT username, password, name, quota::text, " \
	YES("active") " FROM mailbox ORDER BY username"
#define ALIASES	"SELECT a.address, a.goto, " YES("a.active") \
	", m.username IS NOT NULL FROM alias a LEFT JOIN mailbox m " \
	"ON m.username = a.address ORDER BY a.address"
#define ALIAS_DOMAINS "SELECT alias_domain, target_domain, " YES("active") \
	" FROM alias_domain ORDER BY alias_domain"

struct reader {
	struct import *im;
	struct sql *sql;
	char *where;		/* of the present row */
};

static void
where_set(struct reader *r, const char *table, struct span key)
{
	free(r->where);
	r->where = xasprintf("%s %.*s", table, SPAN_ARG(key));
}

static bool
yes(struct span v)
{
	return span_is(v, "t");
}

static struct span
yes_no(struct span v)
{
	return yes(v) ? SPAN_LIT("yes") : SPAN_LIT("no");
}

static void
domain_take(struct reader *r, const struct sql_result *rows, size_t i)
{
	struct user_row row = { .line = 0 };
	struct span transport = sql_get(rows, i, 3);

	where_set(r, "domain", sql_get(rows, i, 0));
	row.field[USER_TYPE] = SPAN_LIT("domain");
	row.field[USER_ADDRESS] = sql_get(rows, i, 0);
	row.field[USER_ACTIVE] = yes_no(sql_get(rows, i, 1));
	row.field[USER_CLASS] = yes(sql_get(rows, i, 2)) ?
	    SPAN_LIT("relay") : SPAN_LIT("mailbox");
	if (transport.n > 0 && !span_is(transport, "virtual") &&
	    !yes(sql_get(rows, i, 2)))
		import_note(r->im, r->where, "its transport `%.*s' is not "
		    "brought along; mail is delivered here",
		    SPAN_ARG(transport));
	import_row(r->im, r->where, &row);
}

/* `quota' is bytes, 0 is no limit; -1 once was, too. */
static void
mailbox_take(struct reader *r, const struct sql_result *rows, size_t i)
{
	struct user_row row = { .line = 0 };

	where_set(r, "mailbox", sql_get(rows, i, 0));
	row.field[USER_TYPE] = SPAN_LIT("mailbox");
	row.field[USER_ADDRESS] = sql_get(rows, i, 0);
	if (sql_get(rows, i, 1).n > 0)
		row.field[USER_HASH] = sql_get(rows, i, 1);
	if (sql_get(rows, i, 2).n > 0)
		row.field[USER_NAME] = sql_get(rows, i, 2);
	row.field[USER_QUOTA] = span_starts(sql_get(rows, i, 3), "-") ?
	    SPAN_LIT("0") : sql_get(rows, i, 3);
	row.field[USER_STATE] = yes(sql_get(rows, i, 4)) ?
	    SPAN_LIT("active") : SPAN_LIT("disabled");
	import_row(r->im, r->where, &row);
}

/* The targets but for itself and the vacation program's ("kim#a.example@
 * autoreply.a.example"), with spaces between. */
static void
targets_sift(struct span list, struct span self, struct buf *out,
    bool *has_self, bool *has_vacation)
{
	struct span word;

	*has_self = *has_vacation = false;
	while (span_split(&list, ',', &word)) {
		word = span_trim(word);
		if (span_ieq(word, self)) {
			*has_self = true;
		} else if (span_chr(word, '#') != -1 &&
		    span_starts(span_sub(word, (size_t)span_rchr(word, '@') +
		    1, word.n), "autoreply.")) {
			*has_vacation = true;
		} else if (word.n > 0) {
			buf_str(out, buf_len(out) > 0 ? " " : "");
			buf_span_add(out, word);
		}
	}
}

static void
alias_take(struct reader *r, const struct sql_result *rows, size_t i)
{
	struct user_row row = { .line = 0 };
	struct span address = sql_get(rows, i, 0);
	bool has_self, has_vacation;
	struct buf targets;

	where_set(r, "alias", address);
	buf_init(&targets, BUF_NO_CAP);
	targets_sift(sql_get(rows, i, 1), address, &targets, &has_self,
	    &has_vacation);
	if (has_vacation)
		import_note(r->im, r->where, "its vacation reply is not "
		    "brought along");
	row.field[USER_TYPE] = SPAN_LIT("alias");
	row.field[USER_ADDRESS] = address;
	row.field[USER_TARGETS] = buf_span(&targets);
	row.field[USER_ACTIVE] = yes_no(sql_get(rows, i, 2));
	if (yes(sql_get(rows, i, 3)) && buf_len(&targets) > 0)
		import_fault(r->im, r->where, "is a mailbox and forwards%s to "
		    "%.*s: a mailbox keeps its mail here. Give the alias "
		    "another name, or go without it (--keep-going)",
		    has_self ? ", too," : "",
		    SPAN_ARG(buf_span(&targets)));
	else if (!yes(sql_get(rows, i, 3)) && buf_len(&targets) > 0)
		import_row(r->im, r->where, &row);
	else if (!yes(sql_get(rows, i, 3)))
		import_fault(r->im, r->where, "leads nowhere");
	buf_fini(&targets);
}

static void
alias_domain_take(struct reader *r, const struct sql_result *rows, size_t i)
{
	struct user_row row = { .line = 0 };

	where_set(r, "alias_domain", sql_get(rows, i, 0));
	row.field[USER_TYPE] = SPAN_LIT("domain");
	row.field[USER_CLASS] = SPAN_LIT("alias");
	row.field[USER_ADDRESS] = sql_get(rows, i, 0);
	row.field[USER_TARGETS] = sql_get(rows, i, 1);
	row.field[USER_ACTIVE] = yes_no(sql_get(rows, i, 2));
	import_row(r->im, r->where, &row);
}

/* In an order in which nothing is needed before it is there. */
static const struct {
	const char *statement;
	void (*take)(struct reader *r, const struct sql_result *rows,
	    size_t i);
} tables[] = {
	{ DOMAINS, domain_take }, { ALIAS_DOMAINS, alias_domain_take },
	{ MAILBOXES, mailbox_take }, { ALIASES, alias_take },
};

static bool
table_read(struct reader *r, size_t t, struct err *err)
{
	struct sql_result *rows;
	size_t i;

	rows = sql_ask(r->sql, tables[t].statement, NULL, 0, err);
	if (rows == NULL)
		return false;
	for (i = 0; i < sql_rows(rows); i++)
		tables[t].take(r, rows, i);
	sql_result_free(&rows);
	return true;
}

bool
postfixadmin_read(struct import *im, const char *conninfo, int *rc)
{
	struct err err = { 0 };
	struct reader r = { .im = im };
	struct sql_result *begun = NULL;
	bool good = false;
	size_t i;

	r.sql = sql_open_other(conninfo, &err);
	/* One picture of all tables, and nothing is written there. */
	if (r.sql != NULL)
		begun = sql_ask(r.sql, "BEGIN ISOLATION LEVEL REPEATABLE READ "
		    "READ ONLY", NULL, 0, &err);
	good = begun != NULL;
	sql_result_free(&begun);
	for (i = 0; good && i < ARRAY_LEN(tables); i++)
		good = table_read(&r, i, &err);
	if (!good)
		*rc = cli_fail(&err);
	if (r.sql != NULL)
		sql_close(&r.sql);
	free(r.where);
	return good;
}
