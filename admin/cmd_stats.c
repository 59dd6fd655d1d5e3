/* postern stats gate: which rule of the gate said what how often. */
#include "admin/cli.h"

#define DAYS_MAX	400		/* as gate_count_expire keeps */

static int
by_day(struct cli *cli, struct span host, const char *days)
{
	struct span p[] = { host, span_str(days) };
	uint64_t n;

	if (!span_u64(p[1], 1, DAYS_MAX, &n)) {
		out_complain("postern: --days wants a number from 1 to %d\n",
		    DAYS_MAX);
		return EX_DATAERR;
	}
	return cli_ask_print(cli, "SELECT * FROM "
	    "postern.gate_stats_days($1, $2::bigint)", p, 2, false,
	    "Nothing was counted in these days.");
}

int
cmd_stats_gate(struct cli *cli)
{
	const char *host = cli_option(cli, "--host"),
	    *days = cli_option(cli, "--days");
	struct span p[] = { host == NULL ? SPAN_NONE : span_str(host) };

	if (days != NULL)
		return by_day(cli, p[0], days);
	return cli_ask_print(cli, "SELECT * FROM postern.gate_stats($1)", p,
	    1, false, "Nothing was counted so far.");
}
