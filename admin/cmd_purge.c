/* The mail of deleted mailboxes: what of it is there, and its end. */
#include "admin/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/rmtree.h"
#include "store/layout.h"

#define LIST	"SELECT id, address, deleted_at, bytes, messages FROM " \
	"postern.mailbox_deleted($1, $2::interval)"
#define OLDER	"30 days"

static struct sql_result *
deleted_ask(struct cli *cli, int *rc)
{
	struct span p[2] = {
	    span_str(cli->config.conf->host_name_in_database) };

	*rc = EX_DATAERR;
	if (!cli_time(cli, "--older-than", OLDER, &p[1]))
		return NULL;
	return cli_ask(cli, LIST, p, 2, rc);
}

int
cmd_mailbox_deleted(struct cli *cli)
{
	struct span p[] = {
	    span_str(cli->config.conf->host_name_in_database),
	    SPAN_LIT("0") };

	return cli_ask_print(cli, LIST, p, 2, false,
	    "No deleted mailbox waits for its purge.");
}

/* First the files, then the row: when it is cut off between the two, the next
 * purge finds the row and goes on. */
static int
purge_one(struct cli *cli, int store, struct span id)
{
	char path[STORE_HOME_MAX];
	struct span p[] = {
	    span_str(cli->config.conf->host_name_in_database), id };
	struct err err = { 0 };
	uint64_t n;

	if (!span_u64(id, 1, INT64_MAX, &n))
		return EX_SOFTWARE;
	store_home_path(n, path);
	if (rmtree(store, path, &err) != 0) {
		out_complain("postern: mailbox %.*s: %s\n", SPAN_ARG(id),
		    err.why);
		return EX_IOERR;
	}
	return cli_do(cli, "SELECT postern.mailbox_purged($1, $2::bigint)", p,
	    2, NULL);
}

static int
purge(struct cli *cli, const struct sql_result *r)
{
	const char *dir = cli->config.conf->store_directory;
	int store = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = EX_OK, one;
	size_t i;

	if (store == -1) {
		struct err err = { 0 };

		err_errno(&err, "%s", dir);
		return cli_fail(&err);
	}
	for (i = 0; i < sql_rows(r); i++) {
		one = purge_one(cli, store, sql_get(r, i, 0));
		if (one != EX_OK)
			rc = one;
		else if (!cli->json)
			out_say("purged %.*s (id %.*s)\n",
			    SPAN_ARG(sql_get(r, i, 1)),
			    SPAN_ARG(sql_get(r, i, 0)));
	}
	close(store);
	return rc;
}

int
cmd_mailbox_purge(struct cli *cli)
{
	struct sql_result *r;
	int rc;

	r = deleted_ask(cli, &rc);
	if (r == NULL)
		return rc;
	if (sql_rows(r) == 0) {
		if (!cli->json)
			out_complain("Nothing is to be purged.\n");
	} else if (!cli_sure(cli, "Remove the mail of %zu deleted mailboxes "
	    "for good", sql_rows(r))) {
		rc = EX_USAGE;
	} else {
		rc = purge(cli, r);
	}
	sql_result_free(&r);
	return rc;
}
