/* Where mail of relay domains goes, and who exists behind them. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

int
cmd_transport_add(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]), span_str(cli->word[1]),
	    cli->n_words > 2 ? span_str(cli->word[2]) : SPAN_LIT("") };

	return cli_do(cli, "SELECT postern.transport_add($1, $2, $3)", p, 3,
	    "transport added");
}

int
cmd_transport_del(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };

	if (!cli_sure(cli, "Delete transport %s", cli->word[0]))
		return EX_USAGE;
	return cli_do(cli, "SELECT postern.transport_del($1)", p, 1,
	    "transport deleted");
}

int
cmd_transport_list(struct cli *cli)
{
	return cli_ask_print(cli, "SELECT * FROM postern.transport_list()",
	    NULL, 0, false, "There is no transport; relay domains without "
	    "one go to their MX.");
}

/* --- relay recipients --- */

static int
recipient_do(struct cli *cli, const char *statement, const char *did)
{
	char *address = cli_address(cli->word[0]), done[700];
	struct span p[] = { span_str(address) };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	snprintf(done, sizeof(done), "relay recipient %s %s", address, did);
	rc = cli_do(cli, statement, p, 1, done);
	free(address);
	return rc;
}

int
cmd_recipient_add(struct cli *cli)
{
	return recipient_do(cli, "SELECT postern.relay_recipient_add($1)",
	    "added");
}

int
cmd_recipient_del(struct cli *cli)
{
	return recipient_do(cli, "SELECT postern.relay_recipient_del($1)",
	    "deleted");
}

int
cmd_recipient_list(struct cli *cli)
{
	return cli_print_of_domain(cli,
	    "SELECT * FROM postern.relay_recipient_list($1)", true,
	    "No relay recipient is listed.");
}
