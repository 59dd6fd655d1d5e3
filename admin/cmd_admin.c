/* Domain admins: who looks after the domains of one organisation. */
#include "admin/cli.h"

#include <stdio.h>

#include "admin/password.h"

#define LIST	"SELECT * FROM postern.admin_list()"
#define STORED_MAX	4096

int
cmd_admin_add(struct cli *cli)
{
	bool none = cli_option(cli, "--no-password") != NULL;
	bool from_stdin = cli_option(cli, "--password-stdin") != NULL;
	const char *org = cli_option(cli, "--organisation");
	struct buf stored;
	int rc = EX_DATAERR;

	if (org == NULL)
		return cli_usage(cli, "--organisation is needed");
	if (none && from_stdin)
		return cli_usage(cli, "a password or none?");
	buf_init(&stored, STORED_MAX);
	if (none || password_make(cli->config.conf, from_stdin, &stored)) {
		struct span p[] = { span_str(cli->word[0]), span_str(org),
		    none ? SPAN_NONE : buf_span(&stored),
		    cli_option(cli, "--may-add-domains") != NULL ?
		    SPAN_LIT("true") : SPAN_LIT("false") };

		rc = cli_do(cli, "SELECT postern.admin_add($1, $2, $3, "
		    "$4::boolean)", p, 4, "domain admin added");
	}
	buf_fini_secret(&stored);
	return rc;
}

int
cmd_admin_del(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };

	if (!cli_sure(cli, "Delete domain admin %s", cli->word[0]))
		return EX_USAGE;
	return cli_do(cli, "SELECT postern.admin_del($1)", p, 1,
	    "domain admin deleted");
}

int
cmd_admin_list(struct cli *cli)
{
	return cli_ask_print(cli, LIST, NULL, 0, false,
	    "There is no domain admin.");
}

int
cmd_admin_show(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };
	char missing[300];

	snprintf(missing, sizeof(missing), "there is no domain admin %s",
	    cli->word[0]);
	return cli_ask_print(cli, LIST " WHERE name = $1", p, 1, true,
	    missing);
}

int
cmd_admin_set(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]), span_str(cli->word[1]),
	    span_str(cli->word[2]) };

	return cli_do(cli, "SELECT postern.admin_set($1, $2, $3)", p, 3,
	    "domain admin changed");
}

int
cmd_admin_passwd(struct cli *cli)
{
	struct buf stored;
	int rc = EX_DATAERR;

	buf_init(&stored, STORED_MAX);
	if (password_make(cli->config.conf,
	    cli_option(cli, "--password-stdin") != NULL, &stored)) {
		struct span p[] = { span_str(cli->word[0]),
		    buf_span(&stored) };

		rc = cli_do(cli, "SELECT postern.admin_passwd($1, $2)", p, 2,
		    "password set");
	}
	buf_fini_secret(&stored);
	return rc;
}
