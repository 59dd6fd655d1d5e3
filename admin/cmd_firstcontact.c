/* Who has passed first-contact tests (Postfix: postscreen's cache). */
#include "admin/cli.h"

#include <stdio.h>

int
cmd_firstcontact_list(struct cli *cli)
{
	struct span p[] = { cli->n_words > 0 ? span_str(cli->word[0]) :
	    SPAN_NONE };

	return cli_ask_print(cli, "SELECT * FROM postern.first_contact_list($1)",
	    p, 1, false, cli->n_words > 0 ? "This client has passed no test." :
	    "No client has passed a test.");
}

int
cmd_firstcontact_forget(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };
	char done[200];

	(void)snprintf(done, sizeof(done), "%.100s forgotten", cli->word[0]);
	return cli_do(cli, "SELECT postern.first_contact_forget($1)", p, 1,
	    done);
}
