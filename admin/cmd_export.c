/* All that an import takes, as a file. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/userfile.h"

/* $1: a domain, or NULL. Columns are those of CSV, in this order; a domain
 * comes before what stands for it, and all before what is in them. */
#define IN_DOMAIN	"($1::text IS NULL OR d.name = $1)"
#define ROWS(secret) \
	"WITH RECURSIVE depth (id, n) AS (" \
	"  SELECT id, 0 FROM postern.domain WHERE alias_of IS NULL" \
	"  UNION ALL SELECT d.id, depth.n + 1 FROM postern.domain d" \
	"  JOIN depth ON d.alias_of = depth.id)," \
	"rows (part, key, n, type, address, hash, state, quota," \
	"  quota_messages, name, targets, label, scope, expires," \
	"  organisation, class, transport, relay_recipients, active, note)" \
	"AS (SELECT 1, d.name::text, x.n, 'domain', d.name::text, NULL," \
	"  NULL, d.quota_bytes::text, d.quota_messages::text, NULL," \
	"  (SELECT a.name FROM postern.domain a WHERE a.id = d.alias_of)," \
	"  NULL, NULL, NULL, o.name, d.class, t.name, d.relay_recipients," \
	"  CASE WHEN d.active THEN 'yes' ELSE 'no' END, NULL" \
	"  FROM postern.domain d JOIN depth x ON x.id = d.id" \
	"  JOIN postern.organisation o ON o.id = d.org_id" \
	"  LEFT JOIN postern.transport t ON t.id = d.transport_id" \
	"  WHERE " IN_DOMAIN \
	" UNION ALL SELECT 2, d.name, m.id, 'mailbox'," \
	"  m.local_part || '@' || d.name, " secret ", m.state," \
	"  m.quota_bytes::text, m.quota_messages::text, m.full_name, NULL," \
	"  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL" \
	"  FROM postern.mailbox m JOIN postern.domain d ON d.id = m.domain_id" \
	"  LEFT JOIN postern.credential c ON c.mailbox_id = m.id" \
	"  AND c.kind = 'password'" \
	"  WHERE m.state <> 'deleted' AND " IN_DOMAIN \
	" UNION ALL SELECT 3, d.name, c.id, 'password'," \
	"  m.local_part || '@' || d.name, " secret ", NULL, NULL, NULL," \
	"  NULL, NULL, c.label, CASE WHEN cardinality(c.scope) = 0" \
	"  THEN 'all' ELSE array_to_string(c.scope, ',') END," \
	"  c.expires_at::text, NULL, NULL, NULL, NULL, NULL, NULL" \
	"  FROM postern.credential c" \
	"  JOIN postern.mailbox m ON m.id = c.mailbox_id" \
	"  JOIN postern.domain d ON d.id = m.domain_id" \
	"  WHERE c.kind = 'app' AND $2 AND " IN_DOMAIN \
	" UNION ALL SELECT 4, d.name, a.id, 'alias'," \
	"  a.local_part || '@' || d.name, NULL, NULL, NULL, NULL, NULL," \
	"  (SELECT string_agg(t.target_local || '@' || t.target_domain, ' '" \
	"    ORDER BY t.target_domain, t.target_local)" \
	"    FROM postern.alias_target t WHERE t.alias_id = a.id)," \
	"  NULL, NULL, NULL, NULL, NULL, NULL, NULL," \
	"  CASE WHEN a.active THEN 'yes' ELSE 'no' END, a.note" \
	"  FROM postern.alias a JOIN postern.domain d ON d.id = a.domain_id" \
	"  WHERE " IN_DOMAIN \
	" UNION ALL SELECT 5, d.name, 0, 'recipient'," \
	"  r.local_part || '@' || d.name, NULL, NULL, NULL, NULL, NULL," \
	"  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL" \
	"  FROM postern.relay_recipient r" \
	"  JOIN postern.domain d ON d.id = r.domain_id WHERE " IN_DOMAIN ") " \
	"SELECT type, address, hash, state, quota, quota_messages, name, " \
	"targets, label, scope, expires, organisation, class, transport, " \
	"relay_recipients, active, note FROM rows " \
	"ORDER BY part, CASE part WHEN 1 THEN n END, key, n, address"

/* The columns of ROWS. */
enum { TYPE, ADDRESS, HASH, STATE, QUOTA, QUOTA_MESSAGES, NAME, TARGETS,
	LABEL, SCOPE, EXPIRES, ORGANISATION, CLASS, TRANSPORT,
	RELAY_RECIPIENTS, ACTIVE, NOTE, COLUMNS };
static const enum user_field columns[COLUMNS] = { USER_TYPE, USER_ADDRESS,
	USER_HASH, USER_STATE, USER_QUOTA, USER_QUOTA_MESSAGES, USER_NAME,
	USER_TARGETS, USER_LABEL, USER_SCOPE, USER_EXPIRES,
	USER_ORGANISATION, USER_CLASS, USER_TRANSPORT,
	USER_RELAY_RECIPIENTS, USER_ACTIVE, USER_NOTE };

static void
line_out(struct buf *line)
{
	buf_char(line, '\n');
	fwrite(buf_data(line), 1, buf_len(line), stdout);
	buf_clear(line);
}

static void
csv_print(const struct sql_result *r)
{
	struct buf line;
	size_t i, k;

	buf_init(&line, BUF_NO_CAP);
	for (k = 0; k < COLUMNS; k++)
		buf_fmt(&line, "%s%s", k == 0 ? "" : ",",
		    user_field_name(columns[k]));
	line_out(&line);
	for (i = 0; i < sql_rows(r); i++) {
		for (k = 0; k < COLUMNS; k++) {
			buf_str(&line, k == 0 ? "" : ",");
			userfile_csv_put(&line, sql_get(r, i, k));
		}
		line_out(&line);
	}
	buf_fini_secret(&line);
}

/* A limit of the row for passwd-file; "0" is none. */
static void
passwd_limit(struct buf *rule, const char *name, struct span value)
{
	if (value.n > 0 && !span_eq(value, SPAN_LIT("0")))
		buf_fmt(rule, ":%s=%.*s", name, SPAN_ARG(value));
}

/* A ":" would begin another field: the program that reads the file would take
 * what a domain admin has set as hash for a user id or a home. */
static bool
passwd_can_say(const struct sql_result *r, size_t i)
{
	if (span_chr(sql_get(r, i, ADDRESS), ':') == -1 &&
	    span_chr(sql_get(r, i, HASH), ':') == -1)
		return true;
	out_complain("%.*s is left out: its name or hash holds a `:', which "
	    "ends a field of a passwd-file\n",
	    SPAN_ARG(sql_get(r, i, ADDRESS)));
	return false;
}

static void
passwd_line(const struct sql_result *r, size_t i, struct buf *line)
{
	struct span name = sql_get(r, i, NAME);
	struct buf rule;
	size_t k;

	buf_init(&rule, 4096);
	buf_span_add(line, sql_get(r, i, ADDRESS));
	buf_char(line, ':');
	buf_span_add(line, sql_get(r, i, HASH));
	buf_str(line, ":::");
	for (k = 0; k < name.n; k++)
		buf_char(line, name.p[k] == ':' ? ' ' : name.p[k]);
	buf_str(line, ":::");
	passwd_limit(&rule, "bytes", sql_get(r, i, QUOTA));
	passwd_limit(&rule, "messages", sql_get(r, i, QUOTA_MESSAGES));
	if (buf_len(&rule) > 0)
		buf_fmt(line, "userdb_quota_rule=*%s", buf_cstr(&rule));
	if (!span_is(sql_get(r, i, STATE), "active"))
		buf_fmt(line, "%snologin", buf_len(&rule) > 0 ? " " : "");
	buf_fini(&rule);
	line_out(line);
}

static void
passwd_print(const struct sql_result *r)
{
	struct buf line;
	size_t i;

	buf_init(&line, BUF_NO_CAP);
	for (i = 0; i < sql_rows(r); i++)
		if (span_is(sql_get(r, i, TYPE), "mailbox") &&
		    passwd_can_say(r, i))
			passwd_line(r, i, &line);
	buf_fini_secret(&line);
}

/* Hashes are read by the owner of the database and nobody else. */
static struct sql_result *
ask_as_owner(struct cli *cli, const struct span *p, size_t n, int *rc)
{
	const struct conf *conf = cli->config.conf;
	const char *role = cli_option(cli, "--role");
	struct sql_result *r = NULL;
	struct err err = { 0 };

	cli->sql = sql_open(conf, role != NULL ? role :
	    conf->database_role_owner, &err);
	if (cli->sql != NULL)
		r = sql_ask(cli->sql, ROWS("c.secret"), p, n, &err);
	if (r != NULL)
		return r;
	*rc = cli_fail(&err);
	if (err.code == PS_EDENIED)
		out_complain("Only the owner of the database reads hashes: "
		    "--role=OWNER, or --no-passwords goes without.\n");
	return NULL;
}

int
cmd_export(struct cli *cli)
{
	const char *format = cli_option(cli, "--format");
	bool secrets = cli_option(cli, "--no-passwords") == NULL;
	struct span p[2] = { SPAN_NONE,
	    secrets ? SPAN_LIT("t") : SPAN_LIT("f") };
	struct sql_result *r;
	char *domain = NULL;
	int rc = EX_OK;

	if (format != NULL && strcmp(format, "csv") != 0 &&
	    strcmp(format, "passwd-file") != 0)
		return cli_usage(cli, "--format is csv or passwd-file");
	if (secrets && cli->as != NULL)
		return cli_usage(cli, "domain admins export with "
		    "--no-passwords");
	if (cli->n_words > 0) {
		domain = cli_domain(cli->word[0]);
		if (domain == NULL)
			return EX_DATAERR;
		p[0] = span_str(domain);
	}
	if (secrets)
		r = ask_as_owner(cli, p, 2, &rc);
	else
		r = cli_ask(cli, ROWS("NULL"), p, 2, &rc);
	free(domain);
	if (r == NULL)
		return rc;
	if (p[0].p != NULL && sql_rows(r) == 0) {
		out_complain("postern: there is no domain %s\n",
		    cli->word[0]);
		rc = EX_NOUSER;
	} else if (cli->json)
		sql_print(r, true, false);
	else if (format != NULL && strcmp(format, "passwd-file") == 0)
		passwd_print(r);
	else
		csv_print(r);
	sql_result_free(&r);
	return rc;
}
