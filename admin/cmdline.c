#include "admin/cmdline.h"

#include <stdio.h>

/* Sorts words from options. Which options take a value is known only when
 * the command is: option_settle() takes those words out again. */
int
cmdline_split(struct cmdline *l, int argc, char **argv, struct cli *cli)
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
		} else if (strcmp(a, "--as") == 0) {
			if (++i == argc)
				return EX_USAGE;
			cli->as = argv[i];
		} else if (strncmp(a, "--as=", 5) == 0) {
			cli->as = a + 5;
		} else if (strcmp(a, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(a, "--yes") == 0) {
			cli->yes = true;
		} else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
			l->help = true;
		} else if (l->n_options < CMDLINE_OPTIONS_MAX) {
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
word_remove(struct cmdline *l, size_t at)
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
option_settle(struct cli *cli, struct cmdline *l, size_t i)
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

int
cmdline_prepare(struct cmdline *l, struct cli *cli, size_t used)
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

const struct cli_command *
cmdline_find(const struct cmdline *l, size_t *used)
{
	const struct cli_command *c;
	char two[128];
	size_t n, i;

	c = cli_commands(&n);
	if (l->n_words == 0)
		return NULL;
	snprintf(two, sizeof(two), "%s %s", l->word[0],
	    l->n_words > 1 ? l->word[1] : "");
	for (i = 0; i < n; i++) {
		*used = strchr(c[i].name, ' ') == NULL ? 1 : 2;
		if (strcmp(c[i].name, *used == 1 ? l->word[0] : two) == 0)
			return &c[i];
	}
	return NULL;
}

bool
cmdline_has(const struct cmdline *l, const char *option)
{
	size_t i;

	for (i = 0; i < l->n_options; i++)
		if (strcmp(l->option[i], option) == 0)
			return true;
	return false;
}
