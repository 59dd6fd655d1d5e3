/* Organisations: who domains belong to, and the limits they share. */
#include "admin/cli.h"

#include <stdio.h>

#define LIST	"SELECT name, active, domains, max_domains, mailboxes, " \
	"max_mailboxes, quota_bytes::bigint AS quota_given, " \
	"max_quota_bytes, max_aliases FROM postern.organisation_list()"

int
cmd_org_add(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };

	return cli_do(cli, "SELECT postern.organisation_add($1)", p, 1,
	    "organisation added");
}

int
cmd_org_del(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };

	if (!cli_sure(cli, "Delete organisation %s", cli->word[0]))
		return EX_USAGE;
	return cli_do(cli, "SELECT postern.organisation_del($1)", p, 1,
	    "organisation deleted");
}

int
cmd_org_list(struct cli *cli)
{
	return cli_ask_print(cli, LIST, NULL, 0, false,
	    "There is no organisation yet; the first domain makes one.");
}

int
cmd_org_show(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };
	char missing[300];

	snprintf(missing, sizeof(missing), "there is no organisation %s",
	    cli->word[0]);
	return cli_ask_print(cli, LIST " WHERE name = $1", p, 1, true,
	    missing);
}

int
cmd_org_set(struct cli *cli)
{
	char number[CLI_NUMBER_MAX];
	const char *value = cli_setting(cli->word[1], cli->word[2], number);

	if (value == NULL)
		return EX_DATAERR;
	struct span p[] = { span_str(cli->word[0]), span_str(cli->word[1]),
	    span_str(value) };

	return cli_do(cli, "SELECT postern.organisation_set($1, $2, $3)", p,
	    3, "organisation changed");
}
