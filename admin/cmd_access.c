/* Access lists in the database: pg:NAME in restriction lists. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/access.h"
#include "gate/gate.h"
#include "table/lines.h"

#define FILE_MAX	(64 * 1024 * 1024)
#define COMPLAINTS_MAX	(1024 * 1024)

/* "pg:NAME" or "NAME" */
static struct span
list_name(const struct cli *cli)
{
	const char *name = cli->word[0];

	return span_str(strncmp(name, "pg:", 3) == 0 ? name + 3 : name);
}

/* --- what may be written --- */

/* The gates of the configuration, one after the other: NULL at the end. */
static struct gate *
gate_at(const struct conf *conf, size_t i, struct buf *complaints)
{
	const struct conf *c = conf;

	if (i > conf->n_sections)
		return NULL;
	if (i > 0)
		c = conf_section_at(conf, i - 1);
	return gate_new((struct conf *)(uintptr_t)c, complaints);
}

/* An action that names restrictions must be a list that some stage of some
 * listener can run. */
static bool
restrictions_ok(const struct conf *conf, struct span words, struct buf *why)
{
	struct buf complaints;
	struct gate *g;
	bool good = false;
	size_t i;

	buf_init(&complaints, COMPLAINTS_MAX);
	for (i = 0; !good && i <= conf->n_sections; i++) {
		if ((g = gate_at(conf, i, &complaints)) == NULL)
			continue;
		buf_clear(why);
		good = gate_words_ok(g, words, why);
		gate_unref(&g);
	}
	if (!good && buf_len(why) == 0)
		buf_str(why, "the configuration has mistakes, so it can't be "
		    "checked (postern config check)");
	buf_fini(&complaints);
	return good;
}

static bool
entry_ok(const struct cli *cli, struct span pattern, struct span action,
    struct buf *why)
{
	struct span rest = pattern, key;
	struct access a;

	buf_clear(why);
	if (pattern.n == 0 || !table_key_cut(&rest, &key) || rest.n > 0)
		buf_str(why, "a pattern has no white space, but in quotes");
	else if (action.n == 0)
		buf_str(why, "an action is wanted");
	else if (!span_is_utf8(pattern) || !span_is_utf8(action))
		buf_str(why, "not UTF-8");
	if (buf_len(why) > 0)
		return false;
	access_parse(action, &a);
	return a.what != ACCESS_LIST ||
	    restrictions_ok(cli->config.conf, action, why);
}

/* --- one entry --- */

/* The words behind `from`, as one. */
static void
words_join(const struct cli *cli, size_t from, struct buf *out)
{
	size_t i;

	for (i = from; i < cli->n_words; i++)
		buf_fmt(out, "%s%s", i > from ? " " : "", cli->word[i]);
}

static struct span
option_span(const struct cli *cli, const char *name)
{
	const char *text = cli_option(cli, name);

	return text == NULL ? SPAN_NONE : span_str(text);
}

int
cmd_access_add(struct cli *cli)
{
	struct span pattern = span_str(cli->word[1]);
	struct buf action, why;
	struct span lives;
	int rc = EX_DATAERR;

	if (!cli_time(cli, "--for", NULL, &lives))
		return rc;
	buf_init(&action, COMPLAINTS_MAX);
	buf_init(&why, COMPLAINTS_MAX);
	words_join(cli, 2, &action);
	if (!entry_ok(cli, pattern, buf_span(&action), &why)) {
		out_complain("postern: %s: %s\n", cli->word[1],
		    buf_cstr(&why));
		goto out;
	}
	struct span p[] = { list_name(cli), pattern, buf_span(&action),
	    option_span(cli, "--note"), lives };

	rc = cli_do(cli, "SELECT postern.access_set($1, $2, $3, "
	    "coalesce($4, ''), now() + $5::interval)", p, ARRAY_LEN(p),
	    "added");
out:
	buf_fini(&action);
	buf_fini(&why);
	return rc;
}

int
cmd_access_remove(struct cli *cli)
{
	struct span p[] = { list_name(cli), span_str(cli->word[1]) };

	return cli_do(cli, "SELECT postern.access_del($1, $2)", p, 2,
	    "removed");
}

int
cmd_access_list(struct cli *cli)
{
	struct span p[1];

	if (cli->n_words == 0)
		return cli_ask_print(cli, "SELECT * FROM "
		    "postern.access_lists()", NULL, 0, false,
		    "There is no access list.");
	p[0] = list_name(cli);
	return cli_ask_print(cli, "SELECT * FROM postern.access_list($1)", p,
	    1, false, "The list is empty.");
}

/* --- files --- */

/* What `import' takes, and postmap: "pattern<TAB>action" lines. */
int
cmd_access_export(struct cli *cli)
{
	struct span p[] = { list_name(cli) };
	struct sql_result *r;
	size_t i;
	int rc;

	r = cli_ask(cli, "SELECT pattern, action FROM "
	    "postern.access_list($1) WHERE expires_at IS NULL OR "
	    "expires_at > now()", p, 1, &rc);
	if (r == NULL)
		return rc;
	if (cli->json)
		sql_print(r, true, false);
	else
		for (i = 0; i < sql_rows(r); i++)
			out_pair(sql_get(r, i, 0), sql_get(r, i, 1));
	sql_result_free(&r);
	return rc;
}

static int
text_read(const char *path, struct buf *text, struct err *err)
{
	char block[65536];
	size_t n;

	if (strcmp(path, "-") != 0)
		return file_read(path, FILE_MAX, text, err);
	while ((n = fread(block, 1, sizeof(block), stdin)) > 0)
		buf_append(text, block, n);
	return buf_failed(text) ? err_set(err, ERR_PERM, PS_ETOOBIG,
	    "more than 64 MiB") : 0;
}

/* The two columns of a file, as array literals. */
struct columns {
	struct span *key, *action;
	size_t n, room;
};

static void
column_add(struct columns *c, struct span key, struct span action)
{
	if (c->n == c->room) {
		c->room = c->room == 0 ? 64 : c->room * 2;
		c->key = xreallocarray(c->key, c->room, sizeof(*c->key));
		c->action = xreallocarray(c->action, c->room,
		    sizeof(*c->action));
	}
	c->key[c->n] = span_of(xmemdup0(key.p, key.n), key.n);
	c->action[c->n++] = span_of(xmemdup0(action.p, action.n), action.n);
}

static void
columns_free(struct columns *c)
{
	while (c->n-- > 0) {
		free((char *)(uintptr_t)c->key[c->n].p);
		free((char *)(uintptr_t)c->action[c->n].p);
	}
	free(c->key);
	free(c->action);
}

/* Every mistake is told; false when there is one. */
static bool
columns_read(const struct cli *cli, struct span text, struct columns *c)
{
	struct table_lines lines;
	struct span line, key;
	bool good = true;
	struct buf why;

	buf_init(&why, COMPLAINTS_MAX);
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		key = SPAN_NONE;
		if (buf_failed(&lines.line))
			buf_str(&why, "line is too long");
		else
			(void)table_key_cut(&line, &key);
		if (buf_len(&why) > 0 || !entry_ok(cli, key, line, &why)) {
			out_complain("%s:%d: %s\n", cli->word[1],
			    lines.lineno, buf_cstr(&why));
			buf_clear(&why);
			good = false;
		} else if (good)
			column_add(c, key, line);
	}
	table_lines_fini(&lines);
	buf_fini(&why);
	return good;
}

static int
columns_import(struct cli *cli, const struct columns *c, bool replace)
{
	struct buf keys, actions;
	struct sql_result *r;
	int rc;

	buf_init(&keys, BUF_NO_CAP);
	buf_init(&actions, BUF_NO_CAP);
	sql_array(&keys, c->key, c->n);
	sql_array(&actions, c->action, c->n);
	struct span p[] = { list_name(cli), buf_span(&keys),
	    buf_span(&actions), replace ? SPAN_LIT("t") : SPAN_LIT("f") };

	r = cli_ask(cli, "SELECT postern.access_import($1, $2::text[], "
	    "$3::text[], $4::boolean) AS entries", p, ARRAY_LEN(p), &rc);
	if (r != NULL && cli->json)
		sql_print(r, true, true);
	else if (r != NULL)
		out_say("%zu read; the list has %.*s\n", c->n,
		    SPAN_ARG(sql_get(r, 0, 0)));
	sql_result_free(&r);
	buf_fini(&keys);
	buf_fini(&actions);
	return rc;
}

int
cmd_access_import(struct cli *cli)
{
	bool replace = cli_option(cli, "--replace") != NULL;
	struct columns c = { .n = 0 };
	struct err err = { 0 };
	struct buf text;
	int rc = EX_DATAERR;

	buf_init(&text, FILE_MAX);
	if (text_read(cli->word[1], &text, &err) != 0)
		rc = cli_fail(&err) == EX_UNAVAILABLE ? EX_NOINPUT :
		    EX_DATAERR;
	else if (!columns_read(cli, buf_span(&text), &c))
		out_complain("postern: nothing was imported\n");
	else if (replace && !cli_sure(cli, "Replace the list %s",
	    cli->word[0]))
		rc = EX_USAGE;
	else
		rc = columns_import(cli, &c, replace);
	columns_free(&c);
	buf_fini(&text);
	return rc;
}
