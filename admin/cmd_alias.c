/* Aliases, and what all addresses resolve to. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define LIST	"SELECT * FROM postern.alias_list($1)"
/* One alias is one thing, however many targets it has. */
#define SHOW_OF(targets) \
	"SELECT address, " targets " AS targets, bool_and(active) AS active, " \
	"min(note) AS note FROM postern.alias_list($1) WHERE address = $2 " \
	"GROUP BY address"
#define SHOW_TEXT	SHOW_OF("string_agg(target, ' ' ORDER BY target)")
#define SHOW_JSON	SHOW_OF("json_agg(target ORDER BY target)")

/* An alias's own address; "@domain" is the catch-all. */
static char *
alias_address(const char *text)
{
	char *domain, *all;

	if (text[0] != '@')
		return cli_address(text);
	domain = cli_domain(text + 1);
	if (domain == NULL)
		return NULL;
	all = xasprintf("@%s", domain);
	free(domain);
	return all;
}

int
cmd_alias_add(struct cli *cli)
{
	char *address = alias_address(cli->word[0]), *target, done[700];
	struct span items[100];
	struct buf array;
	size_t i, n = 0;
	int rc = EX_DATAERR;

	if (address == NULL)
		return EX_DATAERR;
	buf_init(&array, 1024 * 1024);
	for (i = 1; i < cli->n_words; i++) {
		target = cli_address(cli->word[i]);
		if (target == NULL)
			goto out;
		items[n++] = span_str(target);
	}
	sql_array(&array, items, n);
	struct span p[] = { span_str(address), buf_span(&array) };

	snprintf(done, sizeof(done), "alias %s added", address);
	rc = cli_do(cli, "SELECT postern.alias_add($1, $2::text[])", p, 2,
	    done);
out:
	while (n > 0)
		free((char *)(uintptr_t)items[--n].p);
	buf_fini(&array);
	free(address);
	return rc;
}

int
cmd_alias_del(struct cli *cli)
{
	char *address = alias_address(cli->word[0]), *target = NULL;
	struct span p[2] = { span_str(address), SPAN_NONE };
	int rc = EX_DATAERR;

	if (address == NULL)
		return EX_DATAERR;
	if (cli->n_words > 1) {
		target = cli_address(cli->word[1]);
		if (target == NULL)
			goto out;
		p[1] = span_str(target);
	}
	rc = EX_USAGE;
	if (target == NULL ? cli_sure(cli, "Delete alias %s", address) :
	    cli_sure(cli, "Take %s off alias %s", target, address))
		rc = cli_do(cli, "SELECT postern.alias_del($1, $2)", p, 2,
		    "done");
out:
	free(target);
	free(address);
	return rc;
}

int
cmd_alias_list(struct cli *cli)
{
	return cli_print_of_domain(cli, LIST, true, "There is no alias.");
}

int
cmd_alias_show(struct cli *cli)
{
	char *address = alias_address(cli->word[0]), missing[700];
	struct span p[2] = { SPAN_NONE };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	p[1] = span_str(address);
	p[0] = span_sub(p[1], (size_t)span_rchr(p[1], '@') + 1, p[1].n);
	snprintf(missing, sizeof(missing), "there is no alias %s", address);
	rc = cli->json ?
	    cli_ask_print(cli, SHOW_JSON, p, 2, true, missing) :
	    cli_ask_print(cli, SHOW_TEXT, p, 2, true, missing);
	free(address);
	return rc;
}

int
cmd_alias_set(struct cli *cli)
{
	char *address = alias_address(cli->word[0]), done[800];
	struct span p[] = { span_str(address), span_str(cli->word[1]),
	    span_str(cli->word[2]) };
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	snprintf(done, sizeof(done), "alias %s: %s set", address,
	    cli->word[1]);
	rc = cli_do(cli, "SELECT postern.alias_set($1, $2, $3)", p, 3, done);
	free(address);
	return rc;
}

/* --- resolve --- */

/* Steps, then the answer; depends_on is for --json. */
static void
resolution_print(const struct sql_result *r)
{
	struct span item, value, class = SPAN_NONE;
	size_t i;

	for (i = 0; i < sql_rows(r); i++) {
		item = sql_get(r, i, 0);
		value = sql_get(r, i, 1);
		if (span_is(item, "step"))
			out_say("  %.*s\n", SPAN_ARG(value));
		else if (span_is(item, "class"))
			class = value;
	}
	for (i = 0; i < sql_rows(r); i++) {
		item = sql_get(r, i, 0);
		value = sql_get(r, i, 1);
		if (span_is(item, "mailbox"))
			out_say("mailbox %.*s (id %.*s, %.*s)\n",
			    SPAN_ARG(value), SPAN_ARG(sql_get(r, i, 2)),
			    SPAN_ARG(sql_get(r, i, 4)));
		else if (span_is(item, "forward"))
			out_say("forward %.*s\n", SPAN_ARG(value));
		else if (span_is(item, "transport"))
			out_say("transport %.*s\n", SPAN_ARG(value));
	}
	out_say("class: %.*s\n", SPAN_ARG(class));
}

int
cmd_resolve(struct cli *cli)
{
	char *address = cli_address(cli->word[0]);
	const struct conf *conf = cli->config.conf;
	struct sql_result *r;
	size_t i;
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	struct span p[] = { span_str(address),
	    span_str(conf->recipient_delimiter) };

	r = cli_ask(cli, "SELECT item, value, id, host_id, state, "
	    "quota_bytes, quota_messages, extension "
	    "FROM postern.resolve_explain($1, $2)", p, 2, &rc);
	free(address);
	if (r == NULL)
		return rc;
	if (cli->json)
		sql_print(r, true, false);
	else
		resolution_print(r);
	for (i = 0; i < sql_rows(r); i++)
		if (span_is(sql_get(r, i, 0), "class") &&
		    !span_is(sql_get(r, i, 1), "mailbox") &&
		    !span_is(sql_get(r, i, 1), "relay"))
			rc = EX_NOUSER;
	sql_result_free(&r);
	return rc;
}
