#include "admin/help.h"

#include <stdio.h>

#include "admin/cli.h"
#include "base/conf.h"

static const char intro[] =
"usage: postern [-c FILE] [--as ADMIN] [--json] [--yes] COMMAND [WORDS] [OPTIONS]\n"
"Administers a Postern mail server.\n";

static const char global_options[] =
"\nOptions that every command takes:\n"
"  -c, --config FILE   configuration [$POSTERN_CONFIG, or\n"
"                      " DEFAULT_CONFIG "]\n"
"      --as ADMIN      act as that domain admin, on their organisation only\n"
"      --json          machine-readable output\n"
"      --yes           do not ask before something is destroyed\n"
"  -h, --help          help, also behind a command\n"
"      --version\n"
"\nExit: 0 done, 64 usage, 65 bad or refused data, 66 no such message, 67 no\n"
"such domain, mailbox, alias or organisation, 69 database or server not there,\n"
"70 our mistake, 73 exists already, 75 try again, 77 not permitted, 78\n"
"configuration; some commands also 1 or 2, postern(8) says when.\n";

/* The first two words as one. */
static void
name_of(const char *const *word, size_t n_words, struct buf *out)
{
	size_t i;

	for (i = 0; i < n_words && i < 2; i++)
		buf_fmt(out, "%s%s", i == 0 ? "" : " ", word[i]);
}

static void
command_help(const struct cli_command *c)
{
	size_t i;

	printf("postern %s %s\n    %s\n", c->name, c->words, c->help);
	for (i = 0; i < CLI_OPTIONS_MAX && c->options[i] != NULL; i++)
		printf("      %s\n", c->options[i]);
	printf("    Example: %s\n", c->example);
}

static void
help_all(void)
{
	const struct cli_command *c;
	size_t n, i;

	c = cli_commands(&n);
	fputs(intro, stdout);
	puts("\nCommands (`postern COMMAND --help' tells more):");
	for (i = 0; i < n; i++)
		if ((c[i].flags & CLI_HIDDEN) == 0)
			printf("  %s%s%s\n", c[i].name,
			    c[i].words[0] == '\0' ? "" : " ", c[i].words);
	fputs(global_options, stdout);
}

static bool
is_meant(const struct cli_command *c, struct span name)
{
	return (c->flags & CLI_HIDDEN) == 0 &&
	    strncmp(c->name, name.p, name.n) == 0 &&
	    (c->name[name.n] == '\0' || c->name[name.n] == ' ');
}

void
help_intro(void)
{
	fputs(intro, stderr);
}

int
help_unknown(const char *const *word, size_t n_words)
{
	const struct cli_command *c;
	const char *best = NULL;
	unsigned d, nearest = 4;
	struct buf given;
	size_t n, i;

	c = cli_commands(&n);
	buf_init(&given, 4096);
	name_of(word, n_words, &given);
	for (i = 0; n_words == 1 && i < n; i++)
		if (is_meant(&c[i], buf_span(&given))) {
			out_complain("postern: `%s' wants a second word; see "
			    "`postern %s --help'\n", word[0], word[0]);
			buf_fini(&given);
			return EX_USAGE;
		}
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

/* Words behind a command's name ("resolve kim@example.org --help") are no
 * part of it: the second counts only if some command has it. */
int
help_print(const char *const *word, size_t n_words)
{
	const struct cli_command *c;
	size_t n, i, used, shown = 0;
	struct buf name;

	if (n_words == 0) {
		help_all();
		return EX_OK;
	}
	c = cli_commands(&n);
	for (used = MIN(n_words, 2); used > 0 && shown == 0; used--) {
		buf_init(&name, 65536);
		name_of(word, used, &name);
		for (i = 0; i < n; i++)
			if (is_meant(&c[i], span_str(buf_cstr(&name)))) {
				command_help(&c[i]);
				shown++;
			}
		buf_fini(&name);
	}
	return shown > 0 ? EX_OK : help_unknown(word, n_words);
}

/* The COMMANDS part of postern(8). */
int
cmd_help_man(struct cli *cli)
{
	const struct cli_command *c;
	size_t i, k, n;

	(void)cli;
	c = cli_commands(&n);
	puts(".Bl -tag -width Ds");
	for (i = 0; i < n; i++) {
		if ((c[i].flags & CLI_HIDDEN) != 0)
			continue;
		printf(".It Nm Cm %s", c[i].name);
		if (c[i].words[0] != '\0')
			printf(" Ar %s", c[i].words);
		putchar('\n');
		out_man(c[i].help);
		putchar('\n');
		if (c[i].options[0] != NULL)
			fputs("Options:\n", stdout);
		for (k = 0; k < CLI_OPTIONS_MAX && c[i].options[k] != NULL;
		    k++) {
			fputs(k == 0 ? "" : ",\n", stdout);
			fputs("\\fB", stdout);
			out_man(c[i].options[k]);
			fputs("\\fR", stdout);
		}
		if (k > 0)
			puts(".");
		fputs(".Dl ", stdout);
		out_man(c[i].example);
		putchar('\n');
	}
	puts(".El");
	return EX_OK;
}
