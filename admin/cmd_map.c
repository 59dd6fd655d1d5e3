/* Looking things up in tables, as the programs do. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/secrets.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "tableask/tableask.h"

static const struct out_column columns[] = {
	{ "key", OUT_TEXT }, { "result", OUT_TEXT }, { "value", OUT_TEXT },
};

struct query {
	struct cli *cli;
	struct loop *loop;
	struct table_env *env;
	struct table *table;
	struct span key;
	bool with_key;			/* several: say which */
	struct out *json;
	size_t found, failed;
};

static void
answer_json(struct query *q, enum table_result r, struct span value,
    const struct err *err)
{
	struct span row[] = { q->key,
	    r == TABLE_FOUND ? SPAN_LIT("found") :
	    r == TABLE_NOTFOUND ? SPAN_LIT("not found") :
	    SPAN_LIT("temporary failure"),
	    r == TABLE_FOUND ? value : r == TABLE_NOTFOUND ? SPAN_NONE :
	    span_str(err->why) };

	out_row(q->json, row);
}

static void
answer_cb(enum table_result r, struct span value, const struct err *err,
    void *arg)
{
	struct query *q = arg;

	q->found += r == TABLE_FOUND;
	q->failed += r == TABLE_TEMPFAIL;
	if (q->json != NULL)
		answer_json(q, r, value, err);
	else if (r == TABLE_TEMPFAIL)
		out_complain("postern: %.*s: %s\n", SPAN_ARG(q->key),
		    err->why);
	else if (r == TABLE_FOUND)
		out_pair(q->with_key ? q->key : SPAN_NONE, value);
	loop_stop(q->loop);
}

static void
query_one(struct query *q, struct span key)
{
	q->key = key;
	(void)table_ask(q->env, q->table, key, answer_cb, q);
	loop_run(q->loop);
}

/* Each line is a key. */
static void
query_stdin(struct query *q)
{
	char *line = NULL;
	struct span key;
	size_t size = 0;
	ssize_t n;

	q->with_key = true;
	while ((n = getline(&line, &size, stdin)) != -1) {
		key = span_of(line, (size_t)n);
		while (key.n > 0 && (key.p[key.n - 1] == '\n' ||
		    key.p[key.n - 1] == '\r'))
			key.n--;
		query_one(q, key);
	}
	free(line);
}

/* As postmap -q says it. */
static int
exit_code(const struct query *q)
{
	if (q->failed > 0)
		return EX_TEMPFAIL;
	return q->found > 0 ? EX_OK : 1;
}

static int
query_all(struct query *q)
{
	const struct conf *conf = q->cli->config.conf;
	const char *role = conf->database_role_admin;
	char *password;
	struct err err = { 0 };
	size_t i;

	password = secret_database_password(conf, role, &err);
	if (err.kind != ERR_NONE)
		return cli_fail(&err);
	log_level_set(LOG_L_WARNING);
	q->loop = loop_new();
	q->env = table_env_new(q->loop, q->cli->config.conf, role, password);
	secret_free(&password);
	if (q->cli->json)
		q->json = out_new(true, false, columns, ARRAY_LEN(columns));
	q->with_key = q->cli->n_words > 2;
	for (i = 1; i < q->cli->n_words; i++)
		if (strcmp(q->cli->word[i], "-") == 0)
			query_stdin(q);
		else
			query_one(q, span_str(q->cli->word[i]));
	if (q->json != NULL)
		out_end(&q->json);
	table_env_free(&q->env);
	loop_free(&q->loop);
	return exit_code(q);
}

/* As postconf -m, and proxy, which is none. */
int
cmd_map_types(struct cli *cli)
{
	static const struct out_column column = { "type", OUT_TEXT };
	struct out *o = cli->json ? out_new(true, false, &column, 1) : NULL;
	const char *const *t;

	for (t = table_types(); *t != NULL; t++) {
		struct span row = span_str(*t);

		if (o != NULL)
			out_row(o, &row);
		else
			out_say("%s\n", *t);
	}
	if (o != NULL)
		out_end(&o);
	return EX_OK;
}

int
cmd_map_query(struct cli *cli)
{
	struct query q = { .cli = cli };
	struct err err = { 0 };
	int rc;

	q.table = table_open(span_str(cli->word[0]), &err);
	if (q.table == NULL) {
		out_complain("postern: %s\n", err.why);
		return err.kind == ERR_PERM ? EX_DATAERR : EX_TEMPFAIL;
	}
	rc = query_all(&q);
	table_unref(&q.table);
	return rc;
}
