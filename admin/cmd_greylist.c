/* The greylist as all hosts share it; gatekeeper hears of what is changed
 * here within a second. */
#include "admin/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gate/grey.h"
#include "mail/address.h"

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

/* "192.0.2.7", "2001:DB8::/32" as gatekeeper writes such a network, which is
 * how it looks for it. NULL: it is none. */
static char *
network_of(const char *text)
{
	struct span word = span_str(text), address;
	ptrdiff_t slash = span_chr(word, '/');
	bool v6 = span_chr(word, ':') != -1;
	uint32_t bits = v6 ? 128 : 32;
	struct net_addr a;
	struct buf net;
	char *out;

	address = slash == -1 ? word : span_sub(word, 0, (size_t)slash);
	if (!net_addr_parse(address, &a) || (slash != -1 &&
	    !span_u32(span_sub(word, (size_t)slash + 1, word.n), 0, bits,
	    &bits)))
		return NULL;
	if (!v6)
		bits += 96;
	buf_init(&net, 64);
	/* IPv4 in IPv6 is IPv4 */
	grey_network(&a, MAX(bits, 96u) - 96, bits, &net);
	out = xstrdup(buf_cstr(&net));
	buf_fini(&net);
	return out;
}

/* Is an address or network meant, right or wrong? */
static bool
looks_like_network(const char *text)
{
	struct span word = span_str(text);
	ptrdiff_t slash = span_chr(word, '/');
	struct net_addr a;

	return slash != -1 || net_addr_parse(word, &a);
}

/* As smtpd/greylist.h names it: "net:192.0.2.7/32", "from:x@y.example",
 * "client:y.example". Yours; NULL was explained. */
static char *
item_of(const char *text)
{
	const char *kind = "client:";
	char *normal, *item;

	if (strchr(text, '@') != NULL) {
		kind = "from:";
		normal = cli_address(text);
	} else if (looks_like_network(text)) {
		kind = "net:";
		if ((normal = network_of(text)) == NULL)
			out_complain("postern: %s is no network\n", text);
	} else
		normal = cli_domain(text);
	item = normal == NULL ? NULL : xasprintf("%s%s", kind, normal);
	free(normal);
	return item;
}

/* As it stands in the tables, if it is of a form that they have; what else is
 * listed there ("to:@y.example", a sender's "#") stands as it is. Yours. */
static char *
listed_as(const char *text)
{
	struct buf out;
	char *normal = network_of(text);
	int rc;

	if (normal != NULL)
		return normal;
	buf_init(&out, ADDRESS_MAX);
	rc = strchr(text, '@') != NULL ?
	    address_normal_text(span_str(text), &out, NULL) :
	    address_domain_normal(span_str(text), &out, NULL);
	normal = xstrdup(rc == 0 ? buf_cstr(&out) : text);
	buf_fini(&out);
	return normal;
}

int
cmd_greylist_allow(struct cli *cli)
{
	char *item = item_of(cli->word[0]), done[800];
	struct span p[] = { span_str(item) };
	int rc;

	if (item == NULL)
		return EX_DATAERR;
	(void)snprintf(done, sizeof(done), "%.700s need not wait",
	    strchr(item, ':') + 1);
	rc = cli_do(cli, "SELECT postern.greylist_allow($1)", p, 1, done);
	free(item);
	return rc;
}

int
cmd_greylist_forget(struct cli *cli)
{
	char *what = listed_as(cli->word[0]), done[800];
	struct span p[] = { span_str(what) };
	int rc;

	(void)snprintf(done, sizeof(done), "%.700s forgotten", what);
	rc = cli_do(cli, "SELECT postern.greylist_forget($1)", p, 1, done);
	free(what);
	return rc;
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
