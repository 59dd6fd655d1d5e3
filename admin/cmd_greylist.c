/* The greylist as all hosts share it; gatekeeper hears of what is changed
 * here within a second. */
#include "admin/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/netlist.h"

int
cmd_greylist_waiting(struct cli *cli)
{
	char delay[24];
	struct span p[1];

	(void)snprintf(delay, sizeof(delay), "%" PRId64,
	    cli->config.conf->greylist_delay);
	p[0] = span_str(delay);
	return cli_ask_print(cli, "SELECT * FROM postern.greylist_waiting($1)",
	    p, 1, false, "Nobody waits.");
}

int
cmd_greylist_list(struct cli *cli)
{
	return cli_ask_print(cli, "SELECT * FROM postern.greylist_list()",
	    NULL, 0, false, "Nobody is exempt, and nothing is known.");
}

int
cmd_greylist_stats(struct cli *cli)
{
	return cli_ask_print(cli, "SELECT * FROM postern.greylist_stats()",
	    NULL, 0, false, NULL);
}

/* As smtpd/greylist.h names it: "net:192.0.2.7/32", "from:x@y.example",
 * "client:y.example". Yours; NULL was explained. */
static char *
item_of(const char *text)
{
	struct span word = span_str(text), bad, address;
	ptrdiff_t slash = span_chr(word, '/');
	struct netlist *net;
	struct net_addr a;
	char *normal, *item;

	if (span_chr(word, '@') != -1) {
		normal = cli_address(text);
		item = normal == NULL ? NULL : xasprintf("from:%s", normal);
		free(normal);
		return item;
	}
	address = slash == -1 ? word : span_sub(word, 0, (size_t)slash);
	if (net_addr_parse(address, &a)) {
		if ((net = netlist_parse(text, &bad)) == NULL) {
			fprintf(stderr, "postern: %s is no network\n", text);
			return NULL;
		}
		netlist_free(&net);
		return slash != -1 ? xasprintf("net:%s", text) :
		    xasprintf("net:%s/%d", text,
		    span_chr(word, ':') == -1 ? 32 : 128);
	}
	normal = cli_domain(text);
	item = normal == NULL ? NULL : xasprintf("client:%s", normal);
	free(normal);
	return item;
}

int
cmd_greylist_allow(struct cli *cli)
{
	char *item = item_of(cli->word[0]), done[800];
	struct span p[] = { span_str(item) };
	int rc;

	if (item == NULL)
		return EX_DATAERR;
	(void)snprintf(done, sizeof(done), "%.600s need not wait",
	    cli->word[0]);
	rc = cli_do(cli, "SELECT postern.greylist_allow($1)", p, 1, done);
	free(item);
	return rc;
}

int
cmd_greylist_forget(struct cli *cli)
{
	struct span p[] = { span_str(cli->word[0]) };
	char done[800];

	(void)snprintf(done, sizeof(done), "%.600s forgotten", cli->word[0]);
	return cli_do(cli, "SELECT postern.greylist_forget($1)", p, 1, done);
}

/* `domain set` and `mailbox set`; who is in normal form. */
int
greylist_choose(struct cli *cli, const char *who, const char *value)
{
	struct span v = span_str(value);
	bool off = span_is(v, "off") || span_is(v, "no");
	struct span p[] = { span_str(who), span_str(off ? "false" : "true") };
	char done[800];

	if (!off && !span_is(v, "on") && !span_is(v, "yes"))
		return cli_usage(cli, "greylist: \"%s\" is neither on nor off",
		    value);
	(void)snprintf(done, sizeof(done), "%.600s: greylisting %s", who,
	    off ? "off" : "on");
	return cli_do(cli, "SELECT postern.greylist_choose($1, $2)", p, 2,
	    done);
}
