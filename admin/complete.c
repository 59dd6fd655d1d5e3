#include "admin/complete.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/cmdline.h"
#include "base/conf.h"
#include "base/xmalloc.h"

#define ARGS_MAX	200
#define LINE_MAX_BYTES	65536

/* $1: how the word begins; $2: the first word behind the command. */
#define SOME	" ORDER BY 1 LIMIT 500"
#define DOMAINS	"SELECT name FROM postern.domain " \
	"WHERE starts_with(name, $1) AND $2::text IS NOT DISTINCT FROM $2" SOME
#define NAMES(table) "SELECT name FROM postern." table " " \
	"WHERE starts_with(name, $1) AND $2::text IS NOT DISTINCT FROM $2" SOME
#define ADDRESSES(table, more) \
	"SELECT x.local_part || '@' || d.name FROM postern." table " x " \
	"JOIN postern.domain d ON d.id = x.domain_id " \
	"WHERE starts_with(x.local_part || '@' || d.name, $1) " \
	"AND $2::text IS NOT DISTINCT FROM $2" more SOME
#define MAILBOXES	ADDRESSES("mailbox", " AND x.state <> 'deleted'")
#define MAILBOXES_OR_DOMAINS	"SELECT x.name FROM (" \
	"SELECT d.name FROM postern.domain d UNION ALL " \
	"SELECT m.local_part || '@' || d.name FROM postern.mailbox m " \
	"JOIN postern.domain d ON d.id = m.domain_id " \
	"WHERE m.state <> 'deleted') x (name) WHERE starts_with(x.name, $1) " \
	"AND $2::text IS NOT DISTINCT FROM $2" SOME
/* An address that is to be made: its domain is there. */
#define NEW_ADDRESS	"SELECT split_part($1, '@', 1) || '@' || name " \
	"FROM postern.domain WHERE strpos($1, '@') > 0 " \
	"AND starts_with(name, split_part($1, '@', 2)) " \
	"AND $2::text IS NOT DISTINCT FROM $2" SOME
#define LABELS	"SELECT c.label FROM postern.credential_list($2) c " \
	"WHERE starts_with(c.label, $1)" SOME
#define LISTS	"SELECT name FROM postern.access_lists() " \
	"WHERE starts_with(name, $1) AND $2::text IS NOT DISTINCT FROM $2" SOME

/* What stands for a word of the table: the first row whose command the name
 * begins with. A source is SQL, or words, or a name of ours. */
static const char files[] = COMPLETE_FILES, parameters[] = "!parameters",
    nothing[] = "";
static const struct {
	const char *command, *word, *source;
} sources[] = {
	{ "domain add", "NAME", nothing },
	{ "domain", "NAME", DOMAINS },
	{ "org add", "NAME", nothing },
	{ "org", "NAME", NAMES("organisation") },
	{ "transport add", "NAME", nothing },
	{ "transport", "NAME", NAMES("transport") },
	{ "", "--transport", NAMES("transport") },
	{ "admin add", "NAME", nothing },
	{ "admin", "NAME", NAMES("admin") },
	{ "config show", "NAME", parameters },
	{ "mailbox add", "ADDRESS", NEW_ADDRESS },
	{ "mailbox rename", "NEW", NEW_ADDRESS },
	{ "alias add", "ADDRESS", NEW_ADDRESS },
	{ "alias add", "TARGET", MAILBOXES },
	{ "alias", "ADDRESS", ADDRESSES("alias", "") },
	{ "relay-recipient add", "ADDRESS", NEW_ADDRESS },
	{ "relay-recipient", "ADDRESS", ADDRESSES("relay_recipient", "") },
	{ "credential", "LABEL", LABELS },
	{ "import", "FILE|CONNINFO", files },
	{ "import", "--format", "csv passwd-file postfixadmin" },
	{ "import", "--domain", DOMAINS },
	{ "export", "--format", "csv passwd-file" },
	{ "credential", "--scope", "smtp imap smtp,imap" },
	{ "verify", "ADDRESS", nothing },
	{ "firstcontact", "ADDRESS", nothing },
	{ "quota", "ADDRESS|DOMAIN", MAILBOXES_OR_DOMAINS },
	{ "session", "--service", "smtp imap" },
	{ "", "ADDRESS", MAILBOXES },
	{ "", "DOMAIN", DOMAINS },
	{ "", "--alias-of", DOMAINS },
	{ "", "--organisation", NAMES("organisation") },
	{ "access", "TABLE", LISTS },
	{ "domain set", "SETTING", "active organisation alias_of "
	    "relay_recipients quota_bytes quota_messages transport" },
	{ "mailbox set", "SETTING", "state quota_bytes quota_messages "
	    "full_name" },
	{ "alias set", "SETTING", "active note" },
	{ "org set", "SETTING", "active max_domains max_mailboxes "
	    "max_aliases max_quota_bytes" },
	{ "admin set", "SETTING", "active may_add_domains organisation" },
	{ "", "FILE", files }, { "", "DIR", files },
	{ "queue", "ID...|ALL", "ALL" },
};

struct completion {
	struct cli *cli;
	struct span partial;		/* the word that is completed */
	const char *before;		/* what it is shown with: "--x=" */
	struct span first;		/* $2 */
	struct buf *out;
};

static void
offer(struct completion *c, struct span word)
{
	if (word.n < c->partial.n ||
	    memcmp(word.p, c->partial.p, c->partial.n) != 0)
		return;
	buf_str(c->out, c->before);
	out_clean(c->out, word);
	buf_char(c->out, '\n');
}

static void
offer_words(struct completion *c, struct span words, char between)
{
	struct span word;

	while (span_split(&words, between, &word))
		offer(c, word);
}

static void
offer_rows(struct completion *c, const char *statement)
{
	struct span p[] = { c->partial, c->first };
	struct sql_result *r;
	struct buf complaints;
	size_t i;
	int rc;

	if (c->cli->config.conf == NULL) {
		buf_init(&complaints, 1024 * 1024);
		(void)!configfile_read(&c->cli->config, c->cli->config_path,
		    &complaints);
		buf_fini(&complaints);
	}
	if (c->cli->config.conf == NULL ||
	    (r = cli_ask(c->cli, statement, p, 2, &rc)) == NULL)
		return;
	for (i = 0; i < sql_rows(r); i++)
		offer(c, sql_get(r, i, 0));
	sql_result_free(&r);
}

static void
offer_parameters(struct completion *c)
{
	const struct conf_param *p;
	size_t i, n;

	p = conf_params(&n);
	for (i = 0; i < n; i++)
		offer(c, span_str(p[i].name));
}

/* For a word that the table calls `word`: "DOMAIN", "--transport". */
static void
offer_for(struct completion *c, const struct cli_command *command,
    struct span word)
{
	const char *source = nothing;
	size_t i;

	for (i = 0; i < ARRAY_LEN(sources) && source == nothing; i++)
		if (span_eq(word, span_str(sources[i].word)) &&
		    span_starts(span_str(command->name), sources[i].command)) {
			source = sources[i].source;
			break;
		}
	if (source == files)
		buf_str(c->out, COMPLETE_FILES "\n");
	else if (source == parameters)
		offer_parameters(c);
	else if (strncmp(source, "SELECT ", 7) == 0)
		offer_rows(c, source);
	else if (source != nothing)
		offer_words(c, span_str(source), ' ');
	else if (span_chr(word, '|') != -1 &&
	    ascii_lower(word.p[0]) == word.p[0])
		offer_words(c, word, '|');	/* "bash|zsh", no "ID|IP" */
}

/* The table's name of the n-th word: of "NAME [ID...]" ID for all n > 0. */
static bool
word_name(const struct cli_command *command, size_t n, struct span *name)
{
	struct span rest = span_str(command->words), word;
	bool many;
	size_t i;

	for (i = 0; span_split(&rest, ' ', &word); i++) {
		if (span_starts(word, "["))
			word = span_sub(word, 1, word.n - 2);
		many = span_ends(word, "...");
		if (i < n && !(many && rest.p == NULL))
			continue;
		*name = span_sub(word, 0, word.n - (many ? 3 : 0));
		return true;
	}
	return false;
}

/* --- options --- */

static void
offer_options(struct completion *c, const struct cli_command *command)
{
	static const char *const global[] = { "--json", "--yes", "--help",
		"--config=", "--as=" };
	struct span row;
	ptrdiff_t eq;
	size_t i;

	for (i = 0; command != NULL && i < CLI_OPTIONS_MAX &&
	    command->options[i] != NULL; i++) {
		row = span_str(command->options[i]);
		eq = span_chr(row, '=');
		offer(c, eq == -1 ? row : span_sub(row, 0, (size_t)eq + 1));
	}
	for (i = 0; i < ARRAY_LEN(global); i++)
		offer(c, span_str(global[i]));
}

/* Does the option take a value? *name is then "--x" of the row. */
static bool
option_with_value(const struct cli_command *command, struct span option,
    struct span *name)
{
	struct span row;
	ptrdiff_t eq;
	size_t i;

	for (i = 0; i < CLI_OPTIONS_MAX && command->options[i] != NULL; i++) {
		row = span_str(command->options[i]);
		eq = span_chr(row, '=');
		if (eq == -1)
			continue;
		*name = span_sub(row, 0, (size_t)eq);
		if (span_eq(option, *name))
			return true;
	}
	return false;
}

/* --- the line --- */

/* First and second words of commands. */
static void
offer_commands(struct completion *c, const struct cmdline *l)
{
	const struct cli_command *all;
	struct span name, last = SPAN_NONE;
	ptrdiff_t space;
	size_t i, n;

	all = cli_commands(&n);
	for (i = 0; i < n; i++) {
		if ((all[i].flags & CLI_HIDDEN) != 0)
			continue;
		name = span_str(all[i].name);
		space = span_chr(name, ' ');
		if (l->n_words == 0 && space != -1)
			name = span_sub(name, 0, (size_t)space);
		else if (l->n_words == 1 && space != -1 && span_eq(
		    span_sub(name, 0, (size_t)space), span_str(l->word[0])))
			name = span_sub(name, (size_t)space + 1, name.n);
		else if (l->n_words > 0)
			continue;
		if (!span_eq(name, last))
			offer(c, name);
		last = name;
	}
}

static void
complete_words(struct completion *c, const struct cmdline *l)
{
	const struct cli_command *command;
	struct span name, last = SPAN_NONE;
	size_t used = 0, at, i;
	ptrdiff_t eq;

	command = cmdline_find(l, &used);
	if (l->n_options > 0 && l->next[l->n_options - 1] == NULL)
		last = span_str(l->option[l->n_options - 1]);
	if (command != NULL && option_with_value(command, last, &name)) {
		offer_for(c, command, name);
		return;
	}
	if (c->partial.n > 0 && c->partial.p[0] == '-') {
		eq = span_chr(c->partial, '=');
		if (eq == -1 || command == NULL) {
			offer_options(c, command);
		} else if (option_with_value(command,
		    span_sub(c->partial, 0, (size_t)eq), &name)) {
			c->before = xasprintf("%.*s=", SPAN_ARG(name));
			c->partial = span_sub(c->partial, (size_t)eq + 1,
			    c->partial.n);
			offer_for(c, command, name);
			free((char *)(uintptr_t)c->before);
		}
		return;
	}
	if (command == NULL) {
		offer_commands(c, l);
		return;
	}
	at = l->n_words - used;
	for (i = 0; i < l->n_options; i++)
		if (at > 0 && option_with_value(command,
		    span_str(l->option[i]), &name))
			at--;
	if (l->n_words > used)
		c->first = span_str(l->word[used]);
	if (word_name(command, at, &name))
		offer_for(c, command, name);
}

/* Cuts a line into words as a shell does, as far as people type that. The
 * last one is what is being typed. Words are NUL-terminated in `room`. */
static size_t
words_cut(struct span line, char *room, char **word, size_t max)
{
	size_t n = 0, i;
	char quote = '\0';
	bool inside = false;

	for (i = 0; i < line.n; i++) {
		char ch = line.p[i];

		if (quote == '\0' && (ch == ' ' || ch == '\t')) {
			if (inside)
				*room++ = '\0';
			inside = false;
			continue;
		}
		if (!inside) {
			if (n == max)
				return 0;
			word[n++] = room;
			inside = true;
		}
		if (quote == '\0' && (ch == '\'' || ch == '"'))
			quote = ch;
		else if (quote != '\0' && ch == quote)
			quote = '\0';
		else if (ch == '\\' && quote != '\'' && i + 1 < line.n)
			*room++ = line.p[++i];
		else
			*room++ = ch;
	}
	if (!inside) {
		if (n == max)
			return 0;
		word[n++] = room;
	}
	*room = '\0';
	return n;
}

void
complete_line(struct cli *cli, struct span line, struct buf *out)
{
	struct completion c = { .cli = cli, .before = "", .out = out };
	struct cmdline *l;
	char *room, *word[ARGS_MAX];
	size_t n;

	if (line.n > LINE_MAX_BYTES || span_chr(line, '\0') != -1)
		return;
	room = xmalloc(line.n + 2);
	l = xcalloc(1, sizeof(*l));
	n = words_cut(line, room, word, ARRAY_LEN(word));
	if (n > 1) {
		c.partial = span_str(word[n - 1]);
		if (cmdline_split(l, (int)n - 1, word, cli) == EX_OK)
			complete_words(&c, l);
		else	/* -c without a file yet */
			buf_str(out, COMPLETE_FILES "\n");
	}
	free(l);
	free(room);
}
