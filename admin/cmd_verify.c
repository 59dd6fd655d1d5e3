/* Verdicts about addresses of other servers: reject_unverified_sender and
 * reject_unverified_recipient go by them. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

int
cmd_verify_set(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), done[700];
	struct span p[] = { span_str(address), span_str(cli->word[1]),
	    span_str(cli->n_words > 2 ? cli->word[2] : "") };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	if (!span_is(p[1], "ok") && !span_is(p[1], "defer") &&
	    !span_is(p[1], "bounce"))
		rc = cli_usage(cli, "\"%s\" is none of ok, defer, bounce",
		    cli->word[1]);
	else {
		(void)snprintf(done, sizeof(done), "%s: %s noted", address,
		    cli->word[1]);
		rc = cli_do(cli, "SELECT postern.verify_set($1, lower($2), $3)",
		    p, 3, done);
	}
	free(address);
	return rc;
}

int
cmd_verify_forget(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), done[700];
	struct span p[] = { span_str(address) };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	(void)snprintf(done, sizeof(done), "%s forgotten", address);
	rc = cli_do(cli, "SELECT postern.verify_forget($1)", p, 1, done);
	free(address);
	return rc;
}

int
cmd_verify_list(struct cli *cli)
{
	return cli_print_of_domain(cli, "SELECT * FROM postern.verify_list($1)",
	    false, "There is no verdict.");
}
