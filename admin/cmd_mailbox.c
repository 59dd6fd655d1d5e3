#include "admin/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/password.h"

/* What matters most comes first: narrow terminals show no more. */
#define LIST	"SELECT address, state, bytes, quota_bytes, messages, " \
	"quota_messages, last_login, full_name, credentials, host, id " \
	"FROM postern.mailbox_list($1)"
#define STORED_MAX	4096

/* An option such as --quota as text for SQL; SPAN_NONE when not given. */
static bool
limit_option(struct cli *cli, const char *name,
    bool (*parse)(const char *, uint64_t *), char *text, size_t n,
    struct span *out)
{
	const char *v = cli_option(cli, name);
	uint64_t number;

	*out = SPAN_NONE;
	if (v == NULL)
		return true;
	if (!parse(v, &number))
		return false;
	snprintf(text, n, "%" PRIu64, number);
	*out = span_str(text);
	return true;
}

static int
mailbox_insert(struct cli *cli, const char *address, struct span secret)
{
	char bytes[32], messages[32], done[700];
	const char *name = cli_option(cli, "--name");
	struct span p[5] = { span_str(address),
	    span_str(cli->config.conf->host_name_in_database), secret };
	struct span set[2] = { span_str(address), span_str(name) };
	int rc;

	if (!limit_option(cli, "--quota", cli_size, bytes, sizeof(bytes),
	    &p[3]) || !limit_option(cli, "--quota-messages", cli_number,
	    messages, sizeof(messages), &p[4]))
		return EX_DATAERR;
	snprintf(done, sizeof(done), "mailbox %s added", address);
	rc = cli_do(cli, "SELECT postern.mailbox_add($1, $2, $3, $4::bigint, "
	    "$5::bigint)", p, 5, done);
	if (rc == EX_OK && name != NULL)
		rc = cli_do(cli, "SELECT postern.mailbox_set($1, 'full_name', "
		    "$2)", set, 2, NULL);
	return rc;
}

int
cmd_mailbox_add(struct cli *cli)
{
	bool none = cli_option(cli, "--no-password") != NULL;
	bool from_stdin = cli_option(cli, "--password-stdin") != NULL;
	struct buf stored;
	char *address;
	int rc = EX_DATAERR;

	if (none && from_stdin)
		return cli_usage(cli, "a password or none?");
	address = cli_address(cli->word[0]);
	if (address == NULL)
		return EX_DATAERR;
	buf_init(&stored, STORED_MAX);
	if (none || password_make(cli->config.conf, from_stdin, &stored))
		rc = mailbox_insert(cli, address,
		    none ? SPAN_NONE : buf_span(&stored));
	buf_fini_secret(&stored);
	free(address);
	return rc;
}

int
cmd_mailbox_passwd(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), done[700];
	struct buf stored;
	int rc = EX_DATAERR;

	if (address == NULL)
		return EX_DATAERR;
	buf_init(&stored, STORED_MAX);
	if (password_make(cli->config.conf,
	    cli_option(cli, "--password-stdin") != NULL, &stored)) {
		struct span p[] = { span_str(address), buf_span(&stored) };

		snprintf(done, sizeof(done), "password of %s set", address);
		rc = cli_do(cli, "SELECT postern.mailbox_passwd($1, $2)", p,
		    2, done);
	}
	buf_fini_secret(&stored);
	free(address);
	return rc;
}

int
cmd_mailbox_del(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), done[700];
	struct span p[] = { span_str(address) };
	int rc = EX_USAGE;

	if (address == NULL)
		return EX_DATAERR;
	snprintf(done, sizeof(done), "mailbox %s deleted", address);
	if (cli_sure(cli, "Delete mailbox %s", address))
		rc = cli_do(cli, "SELECT postern.mailbox_del($1)", p, 1,
		    done);
	free(address);
	return rc;
}

int
cmd_mailbox_list(struct cli *cli)
{
	return cli_print_of_domain(cli, LIST, true,
	    "There is no mailbox; `postern mailbox add ADDRESS' adds one.");
}

int
cmd_mailbox_show(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), missing[700];
	struct span p[2] = { SPAN_NONE };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	p[1] = span_str(address);
	snprintf(missing, sizeof(missing), "there is no mailbox %s", address);
	/* Only its own domain is listed for it. */
	p[0] = span_sub(p[1], (size_t)span_rchr(p[1], '@') + 1, p[1].n);
	rc = cli_ask_print(cli, LIST " WHERE address = $2", p, 2, true,
	    missing);
	free(address);
	return rc;
}

int
cmd_mailbox_set(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), number[CLI_NUMBER_MAX];
	char done[800];
	const char *setting = cli->word[1];
	const char *value = cli_setting(setting, cli->word[2], number);
	int rc;

	if (address == NULL || value == NULL) {
		free(address);
		return EX_DATAERR;
	}
	struct span p[] = { span_str(address), span_str(setting),
	    span_str(value) };

	snprintf(done, sizeof(done), "mailbox %s: %s set", address, setting);
	rc = strcmp(setting, "greylist") == 0 ?
	    greylist_choose(cli, address, value) :
	    cli_do(cli, "SELECT postern.mailbox_set($1, $2, $3)", p, 3,
	    done);
	free(address);
	return rc;
}

int
cmd_mailbox_rename(struct cli *cli)
{
	bool keep = cli_option(cli, "--keep-alias") != NULL;
	char *address = cli_address(cli->word[0]), *becomes = NULL, done[1400];
	int rc = EX_DATAERR;

	if (address != NULL)
		becomes = cli_address(cli->word[1]);
	if (becomes == NULL)
		goto out;
	struct span p[] = { span_str(address), span_str(becomes),
	    span_str(keep ? "true" : "false") };

	snprintf(done, sizeof(done), "mailbox %s is now %s", address,
	    becomes);
	rc = EX_USAGE;
	if (keep || cli_sure(cli, "Take the address %s away", address))
		rc = cli_do(cli, "SELECT postern.mailbox_rename($1, $2, "
		    "$3::boolean)", p, 3, done);
out:
	free(address);
	free(becomes);
	return rc;
}
