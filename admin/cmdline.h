/*
 * The command line of postern(8): sorts words from options, finds the command
 * the first words name, and checks the rest against its row.
 */
#ifndef ADMIN_CMDLINE_H
#define ADMIN_CMDLINE_H

#include "admin/cli.h"

#define CMDLINE_OPTIONS_MAX	64

struct cmdline {
	const char *word[CLI_WORDS_MAX];	/* all that is no option */
	size_t n_words;
	const char *option[CMDLINE_OPTIONS_MAX];			/* "--x" or "--x=v" */
	const char *next[CMDLINE_OPTIONS_MAX];			/* the word behind, if any */
	size_t next_at[CMDLINE_OPTIONS_MAX];			/* its place in word */
	size_t n_options;
	bool help;
};

/* Takes the global options into cli; the rest is kept for cmdline_prepare().
 * EX_USAGE when it makes no sense (nothing was said). */
int cmdline_split(struct cmdline *l, int argc, char **argv, struct cli *cli)
    MUST_CHECK;
/* The command whose name the first words are; *used of them. NULL: none. */
const struct cli_command *cmdline_find(const struct cmdline *l,
    size_t *used);
/* Gives cli->command its words and options; what is wrong is explained. */
int cmdline_prepare(struct cmdline *l, struct cli *cli, size_t used)
    MUST_CHECK;
/* Was an option of that name given? For those before any command. */
bool cmdline_has(const struct cmdline *l, const char *option);

#endif
