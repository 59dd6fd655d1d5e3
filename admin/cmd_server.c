/* What is asked of the running server: status, queue, reload, stop. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/prometheus.h"
#include "admin/rows.h"
#include "base/json.h"
#include "base/xmalloc.h"

#define TIMEOUT_MS	30000
#define STOP_TIMEOUT_MS	300000

static void
queue_print(struct cli *cli, const struct rows *rows, bool list, int rc)
{
	if (cli->json)
		rows_print_json(rows);
	else if (rows->n > 0)
		rows_print_table(rows, !list && rows->n == 1);
	else if (rc == EX_OK)
		out_say("%s\n", list ? "the queue is empty" : "done");
}

/* One request for each id; one that fails does not stop the others. */
int
cmd_queue(struct cli *cli)
{
	const char *verb = cli->command->name;
	struct ctl_answer answer;
	struct rows rows = { 0 };
	struct span word;
	size_t i = 0;
	int rc = EX_OK, one;

	if ((cli->command->flags & CLI_DESTROYS) != 0 &&
	    !cli_sure(cli, "Delete %s%s from the queue for good",
	    cli->word[0], cli->n_words == 1 ? "" : " and others"))
		return EX_USAGE;
	do {
		word = i < cli->n_words ? span_str(cli->word[i]) : SPAN_NONE;
		one = rows_ask(cli, "qmgr", verb, &word, i < cli->n_words,
		    TIMEOUT_MS, &rows, &answer);
		if (one != EX_OK)
			rc = one;
	} while (++i < cli->n_words && one != EX_UNAVAILABLE);
	queue_print(cli, &rows, strcmp(verb, "queue list") == 0, rc);
	rows_fini(&rows);
	return rc;
}

/* A member of a status row as a key=value word; of an object each member. A
 * zero says nothing to people. */
static void
figure_put(struct buf *out, const char *in, struct span key,
    struct span value)
{
	struct span rest = value, k, v;
	char name[128];

	if (span_starts(value, "[{"))
		return;		/* a table; has a command of its own */
	if (value.n > 0 && value.p[0] == '{') {
		snprintf(name, sizeof(name), "%s%.*s.", in, SPAN_ARG(key));
		while (json_next(&rest, &k, &v))
			if (v.n == 0 || v.p[0] != '{')
				figure_put(out, name, k, v);
		return;
	}
	if (span_eq(value, SPAN_LIT("0")) || span_eq(value, SPAN_LIT("\"\"")))
		return;
	if (buf_len(out) > 0)
		buf_char(out, ' ');
	buf_fmt(out, "%s%.*s=", in, SPAN_ARG(key));
	row_value_text(value, out);
}

/* The figures that only some processes have. */
static void
figures_text(const char *row, struct buf *out)
{
	static const char *const shown[] = { "process", "state", "pid",
		"uptime_s", "restarts", "incarnation" };
	struct span rest = span_str(row), key, value;
	size_t i;

	while (json_next(&rest, &key, &value)) {
		for (i = 0; i < ARRAY_LEN(shown); i++)
			if (span_eq(key, span_str(shown[i])))
				break;
		if (i == ARRAY_LEN(shown))
			figure_put(out, "", key, value);
	}
}

static int
row_compare(const void *a, const void *b)
{
	static const char *const order[] = { "\"posternd", "\"smtpd",
		"\"gatekeeper", "\"imapd", "\"qmgr", "\"deliver",
		"\"authd" };
	const char *const *row[2] = { a, b };
	struct span name[2];
	size_t rank[2], i, k;

	for (k = 0; k < 2; k++) {
		if (!row_get(*row[k], SPAN_LIT("process"), &name[k]))
			name[k] = SPAN_LIT("");
		for (i = 0; i < ARRAY_LEN(order); i++)
			if (span_starts(name[k], order[i]))
				break;
		rank[k] = i;
	}
	if (rank[0] != rank[1])
		return rank[0] < rank[1] ? -1 : 1;
	if (name[0].n != name[1].n)
		return name[0].n < name[1].n ? -1 : 1;
	return memcmp(name[0].p, name[1].p, name[0].n);
}

static void
status_print(struct rows *rows)
{
	static const struct out_column columns[] = {
		{ "process", OUT_TEXT }, { "state", OUT_TEXT },
		{ "pid", OUT_NUMBER }, { "uptime_s", OUT_NUMBER },
		{ "restarts", OUT_NUMBER }, { "figures", OUT_TEXT },
	};
	const size_t n = ARRAY_LEN(columns);
	struct buf text[ARRAY_LEN(columns)];
	struct span cells[ARRAY_LEN(columns)], value;
	struct out *o = out_new(false, false, columns, n);
	size_t i, k;

	qsort(rows->v, rows->n, sizeof(*rows->v), row_compare);
	for (i = 0; i < rows->n; i++) {
		for (k = 0; k < n; k++) {
			buf_init(&text[k], 1024 * 1024);
			cells[k] = SPAN_NONE;
			if (k + 1 == n)
				figures_text(rows->v[i], &text[k]);
			else if (row_get(rows->v[i],
			    span_str(columns[k].name), &value))
				row_value_text(value, &text[k]);
			else
				continue;
			cells[k] = buf_span(&text[k]);
		}
		out_row(o, cells);
		for (k = 0; k < n; k++)
			buf_fini(&text[k]);
	}
	out_end(&o);
}

static void
prometheus_print(const struct rows *rows)
{
	struct buf text;

	buf_init(&text, 16 * 1024 * 1024);
	prometheus_put(&text, rows->v, rows->n);
	fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	buf_fini(&text);
}

int
cmd_status(struct cli *cli)
{
	struct ctl_answer answer;
	struct rows rows = { 0 };
	int rc;

	rc = rows_ask(cli, NULL, "status", NULL, 0, TIMEOUT_MS, &rows, &answer);
	if (cli_option(cli, "--prometheus") != NULL)
		prometheus_print(&rows);
	else if (cli->json && rc == EX_OK)
		rows_print_json(&rows);
	else if (rows.n > 0)
		status_print(&rows);
	rows_fini(&rows);
	return rc;
}

int
cmd_reload(struct cli *cli)
{
	struct ctl_answer answer;
	struct rows rows = { 0 };
	int rc;

	rc = rows_ask(cli, NULL, "reload", NULL, 0, TIMEOUT_MS, &rows, &answer);
	if (rc == EX_OK && answer.error[0] != '\0')
		(cli->json ? out_complain : out_say)("reloaded; a restart is "
		    "needed for: %s\n", answer.error);
	else if (rc == EX_OK && !cli->json)
		out_say("reloaded\n");
	else if (rc == EX_CONFIG)
		out_complain("the old configuration stays in force\n");
	rows_fini(&rows);
	return rc;
}

int
cmd_stop(struct cli *cli)
{
	struct ctl_answer answer;
	struct rows rows = { 0 };
	int rc;

	rc = rows_ask(cli, NULL, "stop", NULL, 0, STOP_TIMEOUT_MS, &rows, &answer);
	if (rc == EX_OK && !cli->json)
		out_say("stopped\n");
	rows_fini(&rows);
	return rc;
}
