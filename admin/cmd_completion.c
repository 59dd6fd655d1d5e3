/* For shells: completion of this program's command line. */
#include "admin/cli.h"

#include <stdio.h>

#include "admin/complete.h"

/* Bash replaces $2 only, the word from the last of COMP_WORDBREAKS on, so a
 * candidate loses what stands before that. */
static const char bash_script[] =
"# bash completion for postern, printed by `postern completion bash'\n"
"_postern() {\n"
"	local line=${COMP_LINE:0:COMP_POINT} word i\n"
"	mapfile -t COMPREPLY < <(\"$1\" complete -- \"$line\" 2>/dev/null)\n"
"	word=${line##*[[:space:]]}\n"
"	if [ \"${COMPREPLY[0]-}\" = '" COMPLETE_FILES "' ]; then\n"
"		mapfile -t COMPREPLY < <(compgen -f -- \"$2\")\n"
"		compopt -o filenames\n"
"		return\n"
"	fi\n"
"	[ ${#COMPREPLY[@]} -ne 1 ] || [ \"${COMPREPLY[0]%=}\" = "
"\"${COMPREPLY[0]}\" ] ||\n"
"		compopt -o nospace\n"
"	word=${word%\"$2\"}\n"
"	for i in \"${!COMPREPLY[@]}\"; do\n"
"		printf -v 'COMPREPLY[i]' %q \"${COMPREPLY[i]#\"$word\"}\"\n"
"	done\n"
"}\n"
"complete -F _postern postern\n";

static const char zsh_script[] =
"#compdef postern\n"
"# zsh completion for postern, printed by `postern completion zsh'\n"
"_postern() {\n"
"	local line; local -a found\n"
"	line=\"${(j: :)words[1,CURRENT-1]} $PREFIX\"\n"
"	found=(${(f)\"$(\"${words[1]}\" complete -- \"$line\" "
"2>/dev/null)\"})\n"
"	if [[ ${found[1]} == '" COMPLETE_FILES "' ]]; then\n"
"		_files\n"
"		return\n"
"	fi\n"
"	if (( ${#found} == 1 )) && [[ ${found[1]} == *= ]]; then\n"
"		compadd -S '' -a found\n"
"		return\n"
"	fi\n"
"	compadd -a found\n"
"}\n"
"_postern \"$@\"\n";

int
cmd_completion(struct cli *cli)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = { { "bash", bash_script }, { "zsh", zsh_script } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(scripts); i++)
		if (strcmp(cli->word[0], scripts[i].shell) == 0) {
			fputs(scripts[i].script, stdout);
			return EX_OK;
		}
	return cli_usage(cli, "there is a completion for bash and for zsh");
}

int
cmd_complete(struct cli *cli)
{
	struct buf out;

	buf_init(&out, 1024 * 1024);
	complete_line(cli, span_str(cli->word[0]), &out);
	fwrite(buf_data(&out), 1, buf_len(&out), stdout);
	buf_fini(&out);
	return EX_OK;
}
