/* What became of a message: its lines of the log, and where it is now. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/ctl.h"
#include "admin/logsource.h"
#include "admin/trail.h"
#include "base/json.h"

#define TIMEOUT_MS	5000
#define SHOWN		20		/* trails, unless --all */

struct trace {
	struct cli *cli;
	struct trails *trails;
	struct logsource *log;
	bool server_away;		/* it did not answer once */
};

/* --- the log --- */

static void
find_cb(struct span line, void *arg)
{
	struct trace *t = arg;

	trails_find(t->trails, line);
}

static void
gather_cb(struct span line, void *arg)
{
	struct trace *t = arg;

	trails_gather(t->trails, line);
}

static int
log_read(struct trace *t, struct err *err)
{
	int rc = 0;

	if (!trails_known(t->trails))
		rc = logsource_each(t->log, find_cb, t, err);
	if (rc == 0)
		rc = logsource_each(t->log, gather_cb, t, err);
	return rc;
}

/* --- the queue --- */

static void
queue_row(struct span json, void *arg)
{
	struct buf *rows = arg;

	if (buf_len(rows) > 0)
		buf_char(rows, ',');
	buf_span_add(rows, json);
}

/* Rows of `queue show`, "" when it is not there (any more). */
static void
queue_ask(struct trace *t, const char *id, struct buf *rows)
{
	struct span word = span_str(id);
	struct ctl_answer answer;
	struct err err = { 0 };

	if (t->server_away || strlen(id) != QUEUE_ID_LEN)
		return;
	if (ctl_ask(t->cli->config.conf, "qmgr", "queue show", &word, 1,
	    TIMEOUT_MS, queue_row, rows, &answer, &err) != 0)
		t->server_away = true;
}

/* --- for people --- */

static void
queue_say(struct trace *t, const char *id)
{
	struct span rest, key, row, member, value;
	struct buf rows, text;

	buf_init(&rows, 1024 * 1024);
	buf_init(&text, 1024 * 1024);
	queue_ask(t, id, &rows);
	buf_str(&text, "[");
	buf_span_add(&text, buf_span(&rows));
	buf_str(&text, "]");
	rest = buf_span(&text);
	if (buf_len(&rows) > 0)
		out_say("  in the queue now:\n");
	else if (strlen(id) == QUEUE_ID_LEN && !t->server_away)
		out_say("  not in the queue (any more)\n");
	while (buf_len(&rows) > 0 && json_next(&rest, &key, &row)) {
		buf_clear(&rows);
		while (json_next(&row, &member, &value)) {
			buf_fmt(&rows, "%s%.*s=", buf_len(&rows) == 0 ? "" :
			    " ", SPAN_ARG(member));
			json_text(value, &rows);
		}
		out_say("    %s\n", buf_cstr(&rows));
		buf_char(&rows, ' ');
	}
	buf_fini(&text);
	buf_fini(&rows);
}

static void
trail_say(struct trace *t, const struct trail *trail)
{
	const char *name = t->cli->config.conf->syslog_name;
	struct logline l;
	size_t i;

	out_say("%s\n", trail->id[0] == '\0' ? "without a message" :
	    trail->id);
	for (i = 0; i < trail->n_lines; i++) {
		if (!logline_parse(span_str(trail->line[i]), name, &l))
			continue;
		/* the id stands above already */
		if (logline_id(l.text).n > 0) {
			l.text = span_sub(l.text, strlen(trail->id),
			    l.text.n);
			if (span_starts(l.text, ":"))
				l.text = span_sub(l.text, 1, l.text.n);
			l.text = span_trim(l.text);
		}
		out_say("  %.*s %.*s: %.*s\n", SPAN_ARG(l.when),
		    SPAN_ARG(l.service), SPAN_ARG(l.text));
	}
	if (trail->left_out > 0)
		out_say("  (%llu %s lines are left out)\n",
		    (unsigned long long)trail->left_out,
		    trail->id[0] == '\0' ? "earlier" : "more");
	queue_say(t, trail->id);
}

/* --- as JSON --- */

/* The recipients that a line of delivery tells of, as Postfix words it. */
static void
recipient_put(struct buf *out, const struct logline *l)
{
	static const char *const keys[] = { "to", "orig_to", "relay", "delay",
		"dsn", "status" };
	ptrdiff_t open = span_chr(l->text, '(');
	struct span value;
	size_t i;

	buf_str(out, buf_data(out)[buf_len(out) - 1] == '[' ? "{" : ", {");
	json_put_member(out, "when", l->when);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		value = logline_value(l->text, keys[i]);
		if (value.n > 0)
			json_put_member(out, keys[i], value);
	}
	if (open != -1 && l->text.p[l->text.n - 1] == ')')
		json_put_member(out, "text", span_sub(l->text, (size_t)open + 1,
		    l->text.n - (size_t)open - 2));
	buf_str(out, "}");
}

static void
facts_put(struct buf *out, const struct trail *trail, const char *name)
{
	static const char *const keys[] = { "client", "from", "size", "nrcpt",
		"message-id" };
	struct span found[ARRAY_LEN(keys)] = { { 0 } }, value;
	struct logline l;
	size_t i, k;

	for (i = 0; i < trail->n_lines; i++) {
		if (trail->id[0] == '\0' || !logline_parse(
		    span_str(trail->line[i]), name, &l))
			continue;
		for (k = 0; k < ARRAY_LEN(keys); k++) {
			value = logline_value(l.text, keys[k]);
			if (value.n > 0)
				found[k] = value;
		}
	}
	for (k = 0; k < ARRAY_LEN(keys); k++)
		if (found[k].n > 0)
			json_put_member(out, k == 4 ? "message_id" : keys[k],
			    found[k]);
	buf_str(out, ", \"recipients\": [");
	for (i = 0; i < trail->n_lines; i++)
		if (logline_parse(span_str(trail->line[i]), name, &l) &&
		    logline_value(l.text, "status").n > 0)
			recipient_put(out, &l);
	buf_str(out, "], \"log\": [");
	for (i = 0; i < trail->n_lines; i++) {
		if (i > 0)
			buf_str(out, ",\n  ");
		json_put_string(out, span_str(trail->line[i]));
	}
	buf_str(out, "]");
}

static void
trail_json(struct trace *t, const struct trail *trail, bool first)
{
	struct buf out, rows;

	buf_init(&out, BUF_NO_CAP);
	buf_init(&rows, 1024 * 1024);
	buf_str(&out, "{");
	json_put_member(&out, "id", span_str(trail->id));
	facts_put(&out, trail, t->cli->config.conf->syslog_name);
	queue_ask(t, trail->id, &rows);
	buf_fmt(&out, ", \"queue\": [%s]}", buf_cstr(&rows));
	printf("%s%s", first ? "" : ",\n", buf_cstr(&out));
	buf_fini(&rows);
	buf_fini(&out);
}

/* --- the command --- */

static int
trails_print(struct trace *t)
{
	size_t n = trails_count(t->trails), i = 0;
	bool all = cli_option(t->cli, "--all") != NULL;

	if (!all && n > SHOWN)
		i = n - SHOWN;
	if (t->cli->json)
		printf("[");
	else if (i > 0 || trails_more(t->trails))
		out_say("(the last %zu%s)\n\n", n - i, all ? " that fit" :
		    "; more with --all");
	for (size_t from = i; i < n; i++)
		if (t->cli->json) {
			trail_json(t, trails_get(t->trails, i), i == from);
		} else {
			trail_say(t, trails_get(t->trails, i));
			if (i + 1 < n)
				out_say("\n");
		}
	if (t->cli->json)
		printf("]\n");
	if (n > 0)
		return EX_OK;
	out_complain("postern: %s says nothing of %s\n",
	    logsource_name(t->log), t->cli->word[0]);
	return EX_NOUSER;
}

int
cmd_trace(struct cli *cli)
{
	struct trace t = { .cli = cli };
	struct err err = { 0 };
	int rc;

	t.trails = trails_new(cli->config.conf->syslog_name,
	    span_str(cli->word[0]));
	if (t.trails == NULL)
		return cli_usage(cli, "`%s' is no queue id (12 letters and "
		    "digits), session id (10), address, Message-ID or IP "
		    "address", cli->word[0]);
	t.log = logsource_open(cli->config.conf, cli_option(cli, "--log"),
	    &err);
	if (t.log == NULL || log_read(&t, &err) != 0)
		rc = cli_fail(&err);
	else
		rc = trails_print(&t);
	logsource_free(&t.log);
	trails_free(&t.trails);
	return rc;
}
