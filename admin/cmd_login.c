/* `postern login`: what the login defence counts, and forgiving it. */
#include "admin/cli.h"

#include <string.h>

#include "admin/rows.h"

#define TIMEOUT_MS	30000

/* The answer to `word`; `none` is said when there are no rows. */
static int
ask_print(struct cli *cli, const char *word, const char *none)
{
	struct span arg = span_str(word);
	struct ctl_answer answer;
	struct rows rows = { 0 };
	int rc = rows_ask(cli, "authd", cli->command->name, &arg, 1,
	    TIMEOUT_MS, &rows, &answer);

	if (rc == EX_OK && cli->json)
		rows_print_json(&rows);
	else if (rc == EX_OK && rows.n > 0)
		rows_print_table(&rows, false);
	else if (rc == EX_OK)
		out_say("%s\n", none);
	rows_fini(&rows);
	return rc;
}

int
cmd_login_list(struct cli *cli)
{
	if (cli_option(cli, "--known") != NULL)
		return ask_print(cli, "known", "no account knows a network");
	if (cli_option(cli, "--refused") != NULL)
		return ask_print(cli, "refused", "nobody is refused");
	return ask_print(cli, "guesses", "there were no wrong passwords "
	    "lately");
}

/* Of an account that is only half of an answer. */
int
cmd_login_why(struct cli *cli)
{
	return ask_print(cli, cli->word[0],
	    strchr(cli->word[0], '@') == NULL ? "no wrong passwords lately, "
	    "and no account knows this network: it is open" :
	    "no wrong passwords lately, and no known network: the account is "
	    "open; is\nthe client's network? (postern login why IP-ADDRESS)");
}

int
cmd_login_forgive(struct cli *cli)
{
	struct span arg = span_str(cli->word[0]);
	struct ctl_answer answer;
	struct rows rows = { 0 };
	int rc = rows_ask(cli, "authd", "login forgive", &arg, 1, TIMEOUT_MS,
	    &rows, &answer);

	rows_fini(&rows);
	if (rc == EX_OK && !cli->json)
		out_say("%s is forgiven\n", cli->word[0]);
	return rc;
}
