/* postern explain: which rule would refuse this, and why. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/explain_first.h"
#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "gate/netlist.h"
#include "mail/address.h"

/* --- as JSON: one object, one line --- */

static void
member(struct buf *b, const char *name, const char *value)
{
	json_put_member(b, name, span_str(value));
}

static void
step_json(struct buf *b, const struct explain_step *s)
{
	struct span rest = buf_span(&s->asked), line;
	bool first = true;

	buf_char(b, '{');
	member(b, "command", s->command);
	member(b, "list", s->list);
	member(b, "where", s->where);
	buf_fmt(b, ", \"depth\": %u", s->depth);
	member(b, "rule", s->rule);
	member(b, "result", s->result);
	member(b, "reply", s->reply);
	buf_str(b, ", \"asked\": [");
	while (span_split(&rest, '\n', &line) && line.n > 0) {
		buf_str(b, first ? "" : ", ");
		json_put_string(b, line);
		first = false;
	}
	buf_str(b, "]}");
}

static void
story_json(const struct explain_story *s)
{
	struct buf b;
	size_t i;

	buf_init(&b, 16 * 1024 * 1024);
	buf_char(&b, '{');
	member(&b, "verdict", s->verdict);
	member(&b, "command", s->command);
	member(&b, "reply", s->reply);
	member(&b, "rule", s->rule);
	member(&b, "list", s->list);
	member(&b, "where", s->where);
	buf_str(&b, ", \"steps\": [");
	for (i = 0; i < s->n; i++) {
		buf_str(&b, i == 0 ? "" : ", ");
		step_json(&b, &s->step[i]);
	}
	buf_str(&b, "]}");
	puts(buf_cstr(&b));
	buf_fini(&b);
}

/* --- for people --- */

static void
step_text(const struct explain_step *s, const struct explain_step *last)
{
	struct span rest = buf_span(&s->asked), line;
	int indent = 4 + 2 * (int)s->depth;

	if (last == NULL || strcmp(last->command, s->command) != 0)
		out_say("%s\n", s->command);
	if (last == NULL || strcmp(last->list, s->list) != 0)
		out_say("  %s%s%s%s\n", s->list, *s->where == '\0' ? "" :
		    " (", s->where, *s->where == '\0' ? " (default)" : ")");
	out_say("%*s%-*s %s%s%s\n", indent, "", MAX(1, 48 - indent),
	    s->rule, s->result, *s->reply == '\0' ? "" : ": ", s->reply);
	while (span_split(&rest, '\n', &line) && line.n > 0)
		out_say("%*s  %.*s\n", indent, "", SPAN_ARG(line));
}

static void
story_text(const struct explain_story *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		step_text(&s->step[i], i == 0 ? NULL : &s->step[i - 1]);
	if (strcmp(s->verdict, "accept") == 0) {
		out_say("accepted\n");
		return;
	}
	out_say("refused at %s: %s\n", s->command, s->reply);
	if (*s->rule != '\0')
		out_say("by %s in %s%s%s\n", s->rule, s->list,
		    *s->where == '\0' ? "" : ", ", s->where);
	else
		out_say("by no rule of the lists: it holds for all mail\n");
}

/* --- the question --- */

/* "<a@b>" or "a@b". */
static char *
bare(const char *address)
{
	struct span s = span_str(address);

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = span_sub(s, 1, s.n - 2);
	return xmemdup0(s.p, s.n);
}

/* As MAIL and RCPT would take it; "" is "<>". */
static bool
address_is_good(const char *command, const char *text)
{
	struct address a;
	struct err err;

	if (*text == '\0' || address_parse(span_str(text), ADDRESS_UTF8 |
	    ADDRESS_NO_DOMAIN, &a, &err) == 0)
		return true;
	out_complain("postern: %s: %s; %s is refused with 501\n", text,
	    err.why, command);
	return false;
}

static int
answer(struct cli *cli, struct explain *x, const struct explain_who *who)
{
	struct explain_first first;
	char *from = bare(who->from), *to = bare(who->to);
	struct explain_who w = *who;
	struct explain_story story;
	struct net_addr addr;
	struct err err;
	int rc = EX_OK;

	w.from = from;
	w.to = to;
	if (explain_first(cli, x, explain_conf(x), w.ip, &first))
		w.first = &first;
	if (!net_addr_parse(span_str(w.ip), &addr)) {
		out_complain("postern: %s is no address\n", w.ip);
		rc = EX_DATAERR;
	} else if (!address_is_good("MAIL", from) ||
	    !address_is_good("RCPT", to)) {
		rc = EX_DATAERR;
	} else if (explain_run(x, &w, &story, &err) != 0) {
		out_complain("postern: %s\n", err.why);
		rc = EX_DATAERR;
	} else {
		if (cli->json)
			story_json(&story);
		else
			story_text(&story);
		explain_story_fini(&story);
	}
	if (w.first != NULL)
		explain_first_fini(&first);
	free(from);
	free(to);
	return rc;
}

static struct conf *listener(struct cli *cli, const char *name);

/* The lists of a listener from now on; a sysexits code. */
static int
listen_as(struct cli *cli, struct explain *x, const char *name)
{
	struct conf *section = listener(cli, name);
	struct err err;

	if (section == NULL)
		return EX_DATAERR;
	return explain_listener(x, section, &err) == 0 ? EX_OK :
	    cli_fail(&err);
}

/* "client=IP<TAB>helo=NAME<TAB>..." */
static int
line_answer(struct cli *cli, struct explain *x, char *line)
{
	struct explain_who w = { .helo = "", .from = "", .to = "" };
	const char *as = NULL;
	const struct {
		const char *key;
		const char **value;
	} keys[] = {
		{ "client=", &w.ip }, { "name=", &w.name },
		{ "reverse-name=", &w.reverse_name }, { "helo=", &w.helo },
		{ "from=", &w.from }, { "to=", &w.to }, { "sasl=", &w.login },
		{ "listener=", &as },
	};
	char *word, *next = line;
	size_t i;
	int rc;

	while ((word = strsep(&next, "\t")) != NULL) {
		if (strcmp(word, "tls") == 0) {
			w.tls = true;
			continue;
		}
		for (i = 0; i < ARRAY_LEN(keys); i++)
			if (strncmp(word, keys[i].key,
			    strlen(keys[i].key)) == 0)
				break;
		if (i == ARRAY_LEN(keys)) {
			out_complain("postern: `%s' is no word of a line of "
			    "explain --batch\n", word);
			return EX_DATAERR;
		}
		*keys[i].value = word + strlen(keys[i].key);
	}
	if (w.ip == NULL) {
		out_complain("postern: a line without client=\n");
		return EX_DATAERR;
	}
	rc = as == NULL ? EX_OK : listen_as(cli, x, as);
	return rc == EX_OK ? answer(cli, x, &w) : rc;
}

static int
batch(struct cli *cli, struct explain *x)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int rc = EX_OK;

	while (rc == EX_OK && (n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (line[0] != '\0')
			rc = line_answer(cli, x, line);
		(void)fflush(stdout);
	}
	free(line);
	return rc;
}

/* The listener asked for, else the first that takes mail from the world. */
static struct conf *
listener(struct cli *cli, const char *name)
{
	const struct conf *conf = cli->config.conf, *s;
	size_t i;

	if (name == NULL) {
		for (i = 0; (s = conf_section_at(conf, i)) != NULL; i++)
			if (strcmp(s->kind, "service") == 0 &&
			    strcmp(s->protocol, "smtp") == 0)
				return (struct conf *)(uintptr_t)s;
		return cli->config.conf;
	}
	s = conf_section(conf, "service", name);
	if (s == NULL)
		out_complain("postern: there is no [service %s]\n", name);
	return (struct conf *)(uintptr_t)s;
}

int
cmd_explain(struct cli *cli)
{
	struct explain_who w = { .ip = cli_option(cli, "--client"),
		.name = cli_option(cli, "--name"),
		.reverse_name = cli_option(cli, "--reverse-name"),
		.helo = cli_option(cli, "--helo"),
		.from = cli_option(cli, "--from"),
		.to = cli_option(cli, "--to"),
		.login = cli_option(cli, "--sasl"),
		.tls = cli_option(cli, "--tls") != NULL };
	const char *size = cli_option(cli, "--size");
	bool lines = cli_option(cli, "--batch") != NULL;
	struct explain *x;
	struct err err;
	int rc;

	if (!lines && (w.ip == NULL || w.helo == NULL || w.from == NULL ||
	    w.to == NULL))
		return cli_usage(cli, "--client, --helo, --from and --to are "
		    "needed (or --batch)");
	if (size != NULL && !cli_size(size, &w.size))
		return EX_DATAERR;
	log_level_set(LOG_L_WARNING);
	x = explain_new(cli->config.conf, &err);
	if (x == NULL)
		return cli_fail(&err);
	if (cli_option(cli, "--policy") != NULL)
		explain_ask_policy(x);
	rc = listen_as(cli, x, cli_option(cli, "--listener"));
	if (rc == EX_OK)
		rc = lines ? batch(cli, x) : answer(cli, x, &w);
	explain_free(&x);
	return rc;
}
