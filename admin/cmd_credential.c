/* What opens a mailbox besides its password: app passwords, one a device. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/password.h"

#define LIST	"SELECT label, kind, CASE WHEN cardinality(scope) = 0 " \
	"THEN 'all' ELSE array_to_string(scope, ',') END AS scope, " \
	"last_used_at, expires_at, created_at, changed_at " \
	"FROM postern.credential_list($1)"
#define STORED_MAX	4096

/* "imap,smtp" as an array; `all' and nothing are the empty one. */
static void
scope_array(const char *text, struct buf *array)
{
	struct span rest = text == NULL || strcmp(text, "all") == 0 ?
	    SPAN_LIT("") : span_str(text);
	struct span item[8];
	size_t n = 0;

	while (n < ARRAY_LEN(item) && rest.n > 0 &&
	    span_split(&rest, ',', &item[n]))
		n++;
	/* What did not fit is no scope, so SQL refuses it as one. */
	if (rest.n > 0)
		item[n - 1] = rest;
	sql_array(array, item, n);
}

/* A generated password is shown here and nowhere else. */
static void
added_print(struct cli *cli, const char *address, struct buf *clear)
{
	static const struct out_column columns[] = {
		{ "address", OUT_TEXT }, { "label", OUT_TEXT },
		{ "password", OUT_TEXT },
	};
	struct span row[] = { span_str(address), span_str(cli->word[1]),
	    buf_span(clear) };
	struct out *o;

	if (buf_len(clear) == 0) {
		if (!cli->json)
			out_say("credential added\n");
		return;
	}
	o = out_new(cli->json, true, columns, ARRAY_LEN(columns));
	out_row(o, row);
	out_end(&o);
	if (!cli->json)
		out_complain("The password is not shown again.\n");
}

int
cmd_credential_add(struct cli *cli)
{
	bool from_stdin = cli_option(cli, "--password-stdin") != NULL;
	struct buf clear, stored, scope;
	int rc = EX_DATAERR;
	struct span lives;
	char *address;
	bool good;

	if (!cli_time(cli, "--for", NULL, &lives) ||
	    (address = cli_address(cli->word[0])) == NULL)
		return EX_DATAERR;
	buf_init(&clear, 256);
	buf_init(&stored, STORED_MAX);
	buf_init(&scope, 1024 * 1024);
	scope_array(cli_option(cli, "--scope"), &scope);
	if (from_stdin)
		good = password_make(cli->config.conf, true, &stored);
	else
		good = password_generate(cli->config.conf, &clear, &stored);
	if (good) {
		struct span p[] = { span_str(address), span_str(cli->word[1]),
		    buf_span(&stored), buf_span(&scope), lives };

		rc = cli_do(cli, "SELECT postern.credential_add($1, $2, $3, "
		    "$4::text[], now() + $5::interval)", p, 5, NULL);
	}
	if (rc == EX_OK)
		added_print(cli, address, &clear);
	buf_fini_secret(&clear);
	buf_fini_secret(&stored);
	buf_fini(&scope);
	free(address);
	return rc;
}

int
cmd_credential_del(struct cli *cli)
{
	char *address = cli_address(cli->word[0]);
	struct span p[] = { span_str(address), span_str(cli->word[1]) };
	int rc = EX_USAGE;

	if (address == NULL)
		return EX_DATAERR;
	if (cli_sure(cli, "Delete credential %s of %s", cli->word[1],
	    address))
		rc = cli_do(cli, "SELECT postern.credential_del($1, $2)", p,
		    2, "credential deleted");
	free(address);
	return rc;
}

int
cmd_credential_list(struct cli *cli)
{
	char *address = cli_address(cli->word[0]);
	struct span p[] = { span_str(address) };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	rc = cli_ask_print(cli, LIST, p, 1, false,
	    "It has no credential, so nobody can log in.");
	free(address);
	return rc;
}

int
cmd_credential_show(struct cli *cli)
{
	char *address = cli_address(cli->word[0]), missing[900];
	struct span p[] = { span_str(address), span_str(cli->word[1]) };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	snprintf(missing, sizeof(missing), "%s has no credential %s", address,
	    cli->word[1]);
	rc = cli_ask_print(cli, LIST " WHERE label = $2", p, 2, true,
	    missing);
	free(address);
	return rc;
}
