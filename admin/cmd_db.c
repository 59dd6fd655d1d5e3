/* The schema's revision, and an instance's private database. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/cluster.h"
#include "admin/dbsetup.h"
#include "admin/place.h"
#include "admin/secrets.h"
#include "base/xmalloc.h"
#include "db/migrate.h"

static void
applied_cb(int revision, const char *name, void *arg)
{
	(void)arg;
	out_say("applied %04d %s\n", revision, name);
}

/* Every host that holds mailboxes has a row (DESIGN §6). */
static int
host_register(const struct conf *conf, const char *role, struct err *err)
{
	struct span p[] = { span_str(conf->host_name_in_database) };
	struct sql *sql = sql_open(conf, role, err);
	struct sql_result *r;

	if (sql == NULL)
		return err->code;
	r = sql_ask(sql, "SELECT postern.host_add($1)", p, 1, err);
	sql_close(&sql);
	if (r == NULL)
		return err->code;
	sql_result_free(&r);
	return 0;
}

int
dbsetup_migrate(const struct conf *conf, const char *role, bool quiet,
    struct err *err)
{
	char *dir = place_sql();
	char *password = secret_database_password(conf, role, err);
	int rc = err->kind == ERR_NONE ? 0 : err->code;

	if (rc == 0)
		rc = migrate_apply(conf->database, role, password, dir, 0,
		    quiet ? NULL : applied_cb, NULL, err);
	if (rc == 0)
		rc = host_register(conf, role, err);
	secret_free(&password);
	free(dir);
	return rc;
}

static const char *
owner_role(const struct cli *cli)
{
	const char *o = cli_option(cli, "--role");

	return o != NULL ? o : cli->config.conf->database_role_owner;
}

int
cmd_db_migrate(struct cli *cli)
{
	struct err err = { 0 };

	if (dbsetup_migrate(cli->config.conf, owner_role(cli), cli->json,
	    &err) != 0)
		return cli_fail(&err);
	if (!cli->json)
		out_say("the database is up to date\n");
	return EX_OK;
}

int
cmd_db_status(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "current", OUT_NUMBER }, { "newest", OUT_NUMBER },
		{ "needed", OUT_NUMBER }, { "up_to_date", OUT_BOOL },
	};
	const struct conf *conf = cli->config.conf;
	const char *role = owner_role(cli);
	char *dir = place_sql(), number[3][16], *password;
	struct migrate_status st = { 0 };
	struct err err = { 0 };
	struct out *o;
	int rc = 0;

	password = secret_database_password(conf, role, &err);
	if (err.kind != ERR_NONE || migrate_status(conf->database, role,
	    password, dir, &st, &err) != 0)
		rc = cli_fail(&err);
	secret_free(&password);
	free(dir);
	if (rc != 0)
		return rc;
	snprintf(number[0], sizeof(number[0]), "%d", st.current);
	snprintf(number[1], sizeof(number[1]), "%d", st.newest);
	snprintf(number[2], sizeof(number[2]), "%d", st.needed);
	struct span v[] = { span_str(number[0]), span_str(number[1]),
	    span_str(number[2]), span_str(st.current == st.needed ? "t" :
	    "f") };

	o = out_new(cli->json, true, columns, ARRAY_LEN(columns));
	out_row(o, v);
	out_end(&o);
	return st.current == st.needed ? EX_OK : EX_CONFIG;
}

/* Beside the configuration itself: the file that was named may be a link to
 * it, as /etc/postern/postern.conf is. */
static char *
config_dir(const struct cli *cli)
{
	char *dir = realpath(cli->config.path, NULL), *slash;

	if (dir == NULL)
		dir = xstrdup(cli->config.path);
	slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
	return dir;
}

static int
private_db(struct cli *cli, int (*fn)(const struct cluster *, struct err *),
    const char *done)
{
	char *dir = config_dir(cli);
	struct err err = { 0 };
	struct cluster c;
	int rc;

	cluster_init(&c, dir);
	if (!cluster_exists(&c)) {
		out_complain("postern: %s is no private database; this one "
		    "is run by somebody else\n", c.dir);
		rc = EX_CONFIG;
	} else if (fn(&c, &err) != 0) {
		rc = cli_fail(&err);
	} else {
		out_say("%s\n", done);
		rc = EX_OK;
	}
	cluster_fini(&c);
	free(dir);
	return rc;
}

int
cmd_db_start(struct cli *cli)
{
	return private_db(cli, cluster_start, "the database is running");
}

int
cmd_db_stop(struct cli *cli)
{
	return private_db(cli, cluster_stop, "the database is stopped");
}
