/*
 * postern(8): finds the command in the table, checks words and options
 * against its row, runs it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/cmdline.h"
#include "admin/help.h"
#include "base/log.h"

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
run(int argc, char **argv, struct cli *cli, struct cmdline *l)
{
	const char *env = getenv("POSTERN_CONFIG");
	size_t used = 0;
	int rc;

	cli->config_path = env != NULL && *env != '\0' ? env : DEFAULT_CONFIG;
	rc = cmdline_split(l, argc, argv, cli);
	if (rc == EX_OK && l->n_words == 0 && cmdline_has(l, "--version")) {
		puts("postern " PACKAGE_VERSION);
		return EX_OK;
	}
	if (rc != EX_OK || (l->n_words == 0 && !l->help)) {
		help_intro();
		return EX_USAGE;
	}
	if (l->help)
		return help_print(l->word, l->n_words);
	cli->command = cmdline_find(l, &used);
	if (cli->command == NULL && strcmp(l->word[0], "help") == 0)
		return help_print(l->word + 1, l->n_words - 1);
	if (cli->command == NULL)
		return help_unknown(l->word, l->n_words);
	if (cli->as != NULL && (cli->command->flags & CLI_DELEGATE) == 0) {
		out_complain("postern: %s is not for domain admins\n",
		    cli->command->name);
		return EX_NOPERM;
	}
	rc = cmdline_prepare(l, cli, used);
	if (rc == EX_OK && (cli->command->flags & CLI_CONFIG) != 0)
		rc = config_load(cli);
	if (rc == EX_OK && cli->as != NULL)
		rc = cli_enter(cli);
	return rc != EX_OK ? rc : cli->command->run(cli);
}

int
main(int argc, char **argv)
{
	static struct cli cli;
	static struct cmdline line;
	int rc;

	log_open_stderr("postern", "cli");
	rc = run(argc, argv, &cli, &line);
	sql_close(&cli.sql);
	configfile_fini(&cli.config);
	if (fflush(stdout) != 0 && rc == EX_OK)
		rc = EX_IOERR;
	return rc;
}
