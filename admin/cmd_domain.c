#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST	"SELECT * FROM postern.domain_list()"

static struct span
optional(const char *s)
{
	return s == NULL ? SPAN_NONE : span_str(s);
}

int
cmd_domain_add(struct cli *cli)
{
	const char *alias_of = cli_option(cli, "--alias-of");
	const char *relay = cli_option(cli, "--relay");
	const char *transport = cli_option(cli, "--transport");
	char *name, *target = NULL, done[600];
	int rc = EX_DATAERR;

	if (alias_of != NULL && (relay != NULL || transport != NULL))
		return cli_usage(cli, "a domain is either relayed or another "
		    "name of one");
	if (transport != NULL && relay == NULL)
		return cli_usage(cli, "--transport is for --relay");
	name = cli_domain(cli->word[0]);
	if (alias_of != NULL)
		target = cli_domain(alias_of);
	if (name != NULL && (alias_of == NULL || target != NULL)) {
		struct span p[] = { span_str(name),
		    span_str(alias_of != NULL ? "alias" :
		    relay != NULL ? "relay" : "mailbox"),
		    optional(alias_of != NULL ? target : transport),
		    optional(cli_option(cli, "--organisation")) };

		snprintf(done, sizeof(done), "domain %s added", name);
		rc = cli_do(cli, "SELECT postern.domain_add($1, $2, $3, $4)",
		    p, 4, done);
	}
	free(name);
	free(target);
	return rc;
}

int
cmd_domain_del(struct cli *cli)
{
	bool all = cli_option(cli, "--with-mailboxes") != NULL;
	char *name = cli_domain(cli->word[0]), done[600];
	int rc;

	if (name == NULL)
		return EX_DATAERR;
	if (!cli_sure(cli, "Delete domain %s and its aliases%s", name,
	    all ? " and ALL ITS MAILBOXES" : "")) {
		rc = EX_USAGE;
	} else {
		struct span p[] = { span_str(name),
		    span_str(all ? "true" : "false") };

		snprintf(done, sizeof(done), "domain %s deleted", name);
		rc = cli_do(cli, "SELECT postern.domain_del($1, $2::boolean)",
		    p, 2, done);
	}
	free(name);
	return rc;
}

int
cmd_domain_list(struct cli *cli)
{
	return cli_ask_print(cli, LIST, NULL, 0, false,
	    "There is no domain yet; `postern domain add NAME' adds one.");
}

int
cmd_domain_show(struct cli *cli)
{
	char *name = cli_domain(cli->word[0]), missing[600];
	struct span p[] = { span_str(name) };
	int rc;

	if (name == NULL)
		return EX_DATAERR;
	snprintf(missing, sizeof(missing), "there is no domain %s", name);
	rc = cli_ask_print(cli, LIST " WHERE name = $1", p, 1, true, missing);
	free(name);
	return rc;
}

int
cmd_domain_set(struct cli *cli)
{
	char *name = cli_domain(cli->word[0]), *target = NULL;
	char number[CLI_NUMBER_MAX], done[600];
	const char *setting = cli->word[1];
	const char *value = cli_setting(setting, cli->word[2], number);
	int rc;

	if (name == NULL || value == NULL) {
		free(name);
		return EX_DATAERR;
	}
	struct span p[] = { span_str(name), span_str(setting),
	    span_str(value) };

	snprintf(done, sizeof(done), "domain %s: %s set", name, setting);
	if (strcmp(setting, "alias_of") == 0) {
		target = cli_domain(value);
		if (target == NULL) {
			free(name);
			return EX_DATAERR;
		}
		p[2] = span_str(target);
	}
	rc = strcmp(setting, "greylist") == 0 ?
	    greylist_choose(cli, name, value) :
	    cli_do(cli, "SELECT postern.domain_set($1, $2, $3)", p, 3, done);
	free(target);
	free(name);
	return rc;
}

int
cmd_domain_rename(struct cli *cli)
{
	char *name = cli_domain(cli->word[0]), *becomes = NULL, done[900];
	int rc = EX_DATAERR;

	if (name != NULL)
		becomes = cli_domain(cli->word[1]);
	if (becomes == NULL)
		goto out;
	struct span p[] = { span_str(name), span_str(becomes) };

	snprintf(done, sizeof(done), "domain %s is now %s", name, becomes);
	rc = EX_USAGE;
	if (cli_sure(cli, "Take all addresses of %s away", name))
		rc = cli_do(cli, "SELECT postern.domain_rename($1, $2)", p, 2,
		    done);
out:
	free(name);
	free(becomes);
	return rc;
}
