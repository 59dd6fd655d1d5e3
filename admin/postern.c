/*
 * postern(8): finds the command in the table, checks words and options
 * against its row, runs it.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/cli.h"
#include "base/conf.h"
#include "base/log.h"

#define DEFAULT_CONFIG	PS_SYSCONFDIR "/postern/postern.conf"

static const char intro[] =
"usage: postern [-c FILE] [--json] [--yes] COMMAND [WORDS] [OPTIONS]\n"
"Administers a Postern mail server.\n";

static const char global_options[] =
"\nOptions that every command takes:\n"
"  -c, --config FILE   configuration [$POSTERN_CONFIG, or\n"
"                      " DEFAULT_CONFIG "]\n"
"      --json          machine-readable output\n"
"      --yes           do not ask before something is destroyed\n"
"  -h, --help          help, also behind a command\n"
"      --version\n"
"\nExit: 0 done, 64 usage, 65 bad or refused data, 66 no such message, 67 no\n"
"such domain, mailbox or alias, 69 database or server not there, 70 our\n"
"mistake, 73 exists already, 75 try again, 77 not permitted, 78\n"
"configuration.\n";

static void
command_help(const struct cli_command *c)
{
	size_t i;

	printf("postern %s %s\n    %s\n", c->name, c->words, c->help);
	for (i = 0; i < CLI_OPTIONS_MAX && c->options[i] != NULL; i++)
		printf("      %s\n", c->options[i]);
	printf("    Example: %s\n", c->example);
}

/* `prefix`: "" all, "mailbox" a group, "mailbox add" one. */
static void
help(struct span prefix)
{
	const struct cli_command *c;
	size_t n, i;

	c = cli_commands(&n);
	if (prefix.n == 0) {
		fputs(intro, stdout);
		puts("\nCommands (`postern COMMAND --help' tells more):");
		for (i = 0; i < n; i++)
			if ((c[i].flags & CLI_HIDDEN) == 0)
				printf("  %s%s%s\n", c[i].name,
				    c[i].words[0] == '\0' ? "" : " ",
				    c[i].words);
		fputs(global_options, stdout);
		return;
	}
	for (i = 0; i < n; i++)
		if (strncmp(c[i].name, prefix.p, prefix.n) == 0 &&
		    (c[i].name[prefix.n] == '\0' ||
		    c[i].name[prefix.n] == ' ') &&
		    (c[i].flags & CLI_HIDDEN) == 0)
			command_help(&c[i]);
}

/* The command whose name the first words are; *used of them. */
static const struct cli_command *
command_find(const char *const *word, size_t n_words, size_t *used)
{
	const struct cli_command *c;
	char two[128];
	size_t n, i;

	c = cli_commands(&n);
	if (n_words == 0)
		return NULL;
	snprintf(two, sizeof(two), "%s %s", word[0],
	    n_words > 1 ? word[1] : "");
	for (i = 0; i < n; i++) {
		*used = strchr(c[i].name, ' ') == NULL ? 1 : 2;
		if (strcmp(c[i].name, *used == 1 ? word[0] : two) == 0)
			return &c[i];
	}
	return NULL;
}

static int
command_unknown(const char *const *word, size_t n_words)
{
	const struct cli_command *c;
	const char *best = NULL;
	unsigned d, nearest = 4;
	struct buf given;
	size_t n, i;

	c = cli_commands(&n);
	buf_init(&given, 4096);
	for (i = 0; i < n_words && i < 2; i++)
		buf_fmt(&given, "%s%s", i == 0 ? "" : " ", word[i]);
	for (i = 0; i < n; i++) {
		d = conf_word_distance(buf_span(&given),
		    span_str(c[i].name));
		if (d < nearest && (c[i].flags & CLI_HIDDEN) == 0) {
			nearest = d;
			best = c[i].name;
		}
	}
	out_complain("postern: there is no command `%s'%s%s%s\n",
	    buf_cstr(&given), best == NULL ? "; see `postern --help'" :
	    "; did you mean `", best == NULL ? "" : best,
	    best == NULL ? "" : "'?");
	buf_fini(&given);
	return EX_USAGE;
}

/* --- the command line --- */

struct line {
	const char *word[CLI_WORDS_MAX];	/* all that is no option */
	size_t n_words;
	const char *option[64];			/* "--x" or "--x=v" */
	const char *next[64];			/* the word behind, if any */
	size_t next_at[64];			/* its place in word */
	size_t n_options;
	bool help;
};

/* Sorts words from options. Which options take a value is known only when
 * the command is: option_settle() takes those words out again. */
static int
line_split(int argc, char **argv, struct cli *cli, struct line *l)
{
	bool only_words = false;
	int i;

	for (i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (only_words || a[0] != '-' || a[1] == '\0') {
			if (l->n_words == CLI_WORDS_MAX)
				return EX_USAGE;
			l->word[l->n_words++] = a;
		} else if (strcmp(a, "--") == 0) {
			only_words = true;
		} else if (strcmp(a, "-c") == 0 ||
		    strcmp(a, "--config") == 0) {
			if (++i == argc)
				return EX_USAGE;
			cli->config_path = argv[i];
		} else if (strncmp(a, "--config=", 9) == 0) {
			cli->config_path = a + 9;
		} else if (strcmp(a, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(a, "--yes") == 0) {
			cli->yes = true;
		} else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
			l->help = true;
		} else if (l->n_options < 64) {
			l->option[l->n_options] = a;
			l->next[l->n_options] = i + 1 < argc ? argv[i + 1] :
			    NULL;
			l->next_at[l->n_options++] = l->n_words;
		} else {
			return EX_USAGE;
		}
	}
	return EX_OK;
}

static void
word_remove(struct line *l, size_t at)
{
	size_t i;

	memmove(&l->word[at], &l->word[at + 1],
	    (l->n_words - at - 1) * sizeof(l->word[0]));
	l->n_words--;
	for (i = 0; i < l->n_options; i++)
		if (l->next_at[i] > at)
			l->next_at[i]--;
}

/* Gives the i-th option of the line to the command's row. */
static int
option_settle(struct cli *cli, struct line *l, size_t i)
{
	const char *o = l->option[i], *row, *eq = strchr(o, '=');
	size_t n = eq == NULL ? strlen(o) : (size_t)(eq - o), k;

	for (k = 0; k < CLI_OPTIONS_MAX; k++) {
		row = cli->command->options[k];
		if (row == NULL || strncmp(row, o, n) != 0 ||
		    (row[n] != '\0' && row[n] != '='))
			continue;
		if (row[n] == '\0') {
			if (eq != NULL)
				return cli_usage(cli, "%.*s takes no value",
				    (int)n, o);
			cli->option[k] = "";
			return EX_OK;
		}
		if (eq != NULL) {
			cli->option[k] = eq + 1;
			return EX_OK;
		}
		if (l->next[i] == NULL || l->next_at[i] >= l->n_words ||
		    l->word[l->next_at[i]] != l->next[i])
			return cli_usage(cli, "%s needs a value", o);
		cli->option[k] = l->next[i];
		word_remove(l, l->next_at[i]);
		return EX_OK;
	}
	return cli_usage(cli, "%s does not know the option %.*s",
	    cli->command->name, (int)n, o);
}

static int
command_prepare(struct cli *cli, struct line *l, size_t used)
{
	const struct cli_command *c = cli->command;
	size_t i;
	int rc;

	for (i = 0; i < l->n_options; i++)
		if ((rc = option_settle(cli, l, i)) != EX_OK)
			return rc;
	cli->n_words = l->n_words - used;
	memcpy(cli->word, l->word + used, cli->n_words * sizeof(l->word[0]));
	if (cli->n_words < c->min)
		return cli_usage(cli, "%s needs more words", c->name);
	if (cli->n_words > c->max)
		return cli_usage(cli, "`%s' is a word too much",
		    cli->word[c->max]);
	return EX_OK;
}

/* From a file with mistakes, the one thing that is needed to reach a server
 * that read it while it had none. */
static bool
config_salvage(struct cli *cli)
{
	struct span rest, line;
	struct buf text, some;
	struct err err;

	buf_init(&text, 2 * 1024 * 1024);
	buf_init(&some, 65536);
	if (file_read(cli->config_path, 1024 * 1024, &text, &err) == 0) {
		rest = buf_span(&text);
		while (span_split(&rest, '\n', &line) &&
		    !span_starts(line, "["))
			if (span_starts(line, "run_directory")) {
				buf_span_add(&some, line);
				buf_char(&some, '\n');
			}
	}
	buf_clear(&text);
	cli->config.conf = conf_parse(cli->config_path, buf_span(&some),
	    &text);
	buf_fini(&text);
	buf_fini(&some);
	return cli->config.conf != NULL;
}

static int
config_load(struct cli *cli)
{
	struct buf complaints;
	int rc = EX_OK;

	buf_init(&complaints, 1024 * 1024);
	if (!configfile_read(&cli->config, cli->config_path, &complaints)) {
		if ((cli->command->flags & CLI_SERVER) == 0 ||
		    !config_salvage(cli))
			rc = EX_CONFIG;
		if (rc != EX_OK || cli->command->run != cmd_reload)
			out_complain("%s", buf_cstr(&complaints));
	}
	buf_fini(&complaints);
	return rc;
}

static int
run(int argc, char **argv, struct cli *cli, struct line *l)
{
	const char *env = getenv("POSTERN_CONFIG");
	size_t used = 0, i;
	struct buf prefix;
	int rc;

	cli->config_path = env != NULL && *env != '\0' ? env : DEFAULT_CONFIG;
	rc = line_split(argc, argv, cli, l);
	if (rc != EX_OK) {
		fputs(intro, stderr);
		return rc;
	}
	for (i = 0; i < l->n_options; i++)
		if (l->n_words == 0 &&
		    strcmp(l->option[i], "--version") == 0) {
			puts("postern " PACKAGE_VERSION);
			return EX_OK;
		}
	if (l->help || l->n_words == 0 || strcmp(l->word[0], "help") == 0) {
		/* "help man" is a command, "help mailbox" is not */
		cli->command = command_find(l->word, l->n_words, &used);
		if (cli->command == NULL || l->help) {
			buf_init(&prefix, 4096);
			for (i = l->n_words > 0 &&
			    strcmp(l->word[0], "help") == 0; i < l->n_words &&
			    i < 3; i++)
				buf_fmt(&prefix, "%s%s",
				    buf_len(&prefix) > 0 ? " " : "",
				    l->word[i]);
			if (cli->command != NULL)
				help(span_str(cli->command->name));
			else
				help(buf_span(&prefix));
			buf_fini(&prefix);
			return l->n_words == 0 && !l->help ? EX_USAGE : EX_OK;
		}
	}
	cli->command = command_find(l->word, l->n_words, &used);
	if (cli->command == NULL)
		return command_unknown(l->word, l->n_words);
	rc = command_prepare(cli, l, used);
	if (rc == EX_OK && (cli->command->flags & CLI_CONFIG) != 0)
		rc = config_load(cli);
	return rc != EX_OK ? rc : cli->command->run(cli);
}

int
main(int argc, char **argv)
{
	static struct cli cli;
	static struct line line;
	int rc;

	log_open_stderr("postern", "cli");
	rc = run(argc, argv, &cli, &line);
	sql_close(&cli.sql);
	configfile_fini(&cli.config);
	if (fflush(stdout) != 0 && rc == EX_OK)
		rc = EX_IOERR;
	return rc;
}
