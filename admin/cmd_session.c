/* `postern session`: who is connected, and ending it. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/rows.h"
#include "base/xmalloc.h"

#define TIMEOUT_MS	30000
#define WORKERS_MAX	1000

static const char *const programs[] = { "smtpd", "imapd" };

/* Asks one worker after the other; rows of all of them. A worker that is just
 * being started anew has no sessions. */
static int
workers_ask(struct cli *cli, const char *verb, const struct span *args,
    size_t n, struct rows *rows)
{
	struct ctl_answer answer;
	struct err err = { 0 };
	char via[32];
	unsigned i, w;
	int rc;

	for (i = 0; i < ARRAY_LEN(programs); i++)
		for (w = 0; w < WORKERS_MAX; w++) {
			(void)snprintf(via, sizeof(via), "%s %u",
			    programs[i], w);
			rc = ctl_ask(cli->config.conf, via, verb, args, n,
			    TIMEOUT_MS, rows_keep, rows, &answer, &err);
			if (rc == PS_ECLOSED)	/* it ended, its sessions, too */
				continue;
			if (rc != 0)
				return cli_fail(&err);
			if (answer.exit == EX_NOINPUT)
				break;
			if (answer.exit == EX_TEMPFAIL)
				continue;
			if (answer.exit != EX_OK) {
				out_complain("postern: %s\n", answer.error);
				return (int)answer.exit;
			}
		}
	return EX_OK;
}

int
cmd_session_list(struct cli *cli)
{
	static const char *const keys[] = { "user", "ip", "service" };
	char *words[ARRAY_LEN(keys)];
	struct span args[ARRAY_LEN(keys)];
	struct rows rows = { 0 };
	size_t i, n = 0;
	int rc;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		char option[32];
		const char *value;

		(void)snprintf(option, sizeof(option), "--%s", keys[i]);
		if ((value = cli_option(cli, option)) == NULL)
			continue;
		words[n] = xasprintf("%s=%s", keys[i], value);
		args[n] = span_str(words[n]);
		n++;
	}
	rc = workers_ask(cli, "session list", args, n, &rows);
	if (rc == EX_OK && cli->json)
		rows_print_json(&rows);
	else if (rc == EX_OK && rows.n > 0)
		rows_print_table(&rows, false);
	else if (rc == EX_OK)
		out_say("no session%s\n", n > 0 ? " of that kind" : "");
	while (n > 0)
		free(words[--n]);
	rows_fini(&rows);
	return rc;
}

/* The sum of what each worker says it kicked. */
static uint64_t
kicked_sum(const struct rows *rows)
{
	uint64_t sum = 0, one;
	struct span value;

	for (size_t i = 0; i < rows->n; i++)
		if (row_get(rows->v[i], SPAN_LIT("kicked"), &value) &&
		    span_u64(value, 0, UINT32_MAX, &one))
			sum += one;
	return sum;
}

int
cmd_session_kick(struct cli *cli)
{
	char *word = xasprintf("any=%s", cli->word[0]);
	struct span arg = span_str(word);
	struct rows rows = { 0 };
	unsigned long long kicked;
	int rc = workers_ask(cli, "session kick", &arg, 1, &rows);

	kicked = kicked_sum(&rows);
	rows_fini(&rows);
	free(word);
	if (rc != EX_OK)
		return rc;
	if (cli->json)
		printf("{\"kicked\": %llu}\n", kicked);
	else if (kicked > 0)
		out_say("%llu session%s ended\n", kicked,
		    kicked == 1 ? "" : "s");
	else
		out_complain("postern: no session is `%s', of it, or from "
		    "it\n", cli->word[0]);
	return kicked > 0 ? EX_OK : EX_NOINPUT;
}
