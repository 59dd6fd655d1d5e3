#include "admin/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/delegate.h"
#include "base/xmalloc.h"
#include "mail/address.h"

const char *
cli_option(const struct cli *cli, const char *name)
{
	const char *row;
	size_t i, n = strlen(name);

	for (i = 0; i < CLI_OPTIONS_MAX; i++) {
		row = cli->command->options[i];
		if (row != NULL && strncmp(row, name, n) == 0 &&
		    (row[n] == '\0' || row[n] == '='))
			return cli->option[i];
	}
	return NULL;
}

int
cli_fail(const struct err *err)
{
	static const struct {
		int code, exit;
	} exits[] = {
		{ PS_ENOTFOUND, EX_NOUSER }, { PS_EEXIST, EX_CANTCREAT },
		{ PS_EDENIED, EX_NOPERM }, { PS_ESYNTAX, EX_DATAERR },
		{ PS_ETOOBIG, EX_DATAERR }, { PS_ECORRUPT, EX_DATAERR },
		{ PS_ESTATE, EX_CONFIG },
	};
	size_t i;

	out_complain("postern: %s\n", err->why);
	if (err->kind == ERR_BUG)
		return EX_SOFTWARE;
	if (err->kind == ERR_TEMP)
		return err->code == PS_EAGAIN ? EX_TEMPFAIL : EX_UNAVAILABLE;
	for (i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].code == err->code)
			return exits[i].exit;
	return EX_DATAERR;
}

int
cli_usage(const struct cli *cli, const char *fmt, ...)
{
	struct buf why;
	va_list ap;

	buf_init(&why, 4096);
	va_start(ap, fmt);
	buf_vfmt(&why, fmt, ap);
	va_end(ap);
	out_complain("postern: %s\nusage: postern %s %s%s\n"
	    "`postern %s --help' tells more\n", buf_cstr(&why),
	    cli->command->name, cli->command->words,
	    cli->command->options[0] == NULL ? "" : " [OPTIONS]",
	    cli->command->name);
	buf_fini(&why);
	return EX_USAGE;
}

/* Opened when first needed, and theirs with --as. */
static int
connection(struct cli *cli, struct err *err)
{
	const struct conf *conf = cli->config.conf;

	if (cli->sql == NULL)
		cli->sql = sql_open(conf, conf->database_role_admin, err);
	if (cli->sql == NULL)
		return err->code;
	if (cli->as == NULL || cli->is_delegate)
		return 0;
	if (delegate_enter(cli->sql, cli->as, err) != 0)
		return err->code;
	cli->is_delegate = true;
	return 0;
}

int
cli_enter(struct cli *cli)
{
	struct err err = { 0 };

	return connection(cli, &err) == 0 ? EX_OK : cli_fail(&err);
}

struct sql_result *
cli_ask(struct cli *cli, const char *statement, const struct span *params,
    size_t n, int *rc)
{
	struct sql_result *r = NULL;
	struct err err = { 0 };

	if (connection(cli, &err) == 0)
		r = sql_ask(cli->sql, statement, params, n, &err);
	if (r == NULL && cli->is_delegate && err.code == PS_EDENIED)
		out_complain("postern: not for the domain admin %s:\n",
		    cli->as);
	*rc = r == NULL ? cli_fail(&err) : EX_OK;
	if (cli->sql == NULL &&
	    strstr(cli->config.conf->database, "/db/socket") != NULL)
		out_complain("`postern db start' starts a private database; "
		    "run it, and this, as who made the instance\n");
	return r;
}

int
cli_ask_print(struct cli *cli, const char *statement,
    const struct span *params, size_t n, bool single, const char *missing)
{
	struct sql_result *r;
	int rc;

	r = cli_ask(cli, statement, params, n, &rc);
	if (r == NULL)
		return rc;
	if (sql_rows(r) == 0 && single) {
		out_complain("postern: %s\n", missing);
		rc = EX_NOUSER;
	} else {
		if (sql_rows(r) == 0 && !cli->json)
			out_complain("%s\n", missing);
		sql_print(r, cli->json, single);
	}
	sql_result_free(&r);
	return rc;
}

int
cli_print_of_domain(struct cli *cli, const char *statement, bool ours,
    const char *missing)
{
	char *domain = NULL;
	struct span p[1] = { SPAN_NONE };
	int rc = EX_OK;

	if (cli->n_words > 0) {
		domain = cli_domain(cli->word[0]);
		if (domain == NULL)
			return EX_DATAERR;
		p[0] = span_str(domain);
	}
	if (domain != NULL && ours)
		rc = cli_do(cli, "SELECT postern.need_domain($1)", p, 1, NULL);
	if (rc == EX_OK)
		rc = cli_ask_print(cli, statement, p, 1, false, missing);
	free(domain);
	return rc;
}

int
cli_do(struct cli *cli, const char *statement, const struct span *params,
    size_t n, const char *done)
{
	struct sql_result *r;
	int rc;

	r = cli_ask(cli, statement, params, n, &rc);
	sql_result_free(&r);
	if (rc == EX_OK && done != NULL && !cli->json)
		out_say("%s\n", done);
	return rc;
}

static char *
normal(const char *text, int (*fn)(struct span, struct buf *, struct err *))
{
	struct err err = { 0 };
	struct buf b;
	char *s;

	buf_init(&b, ADDRESS_MAX + 1);
	if (fn(span_str(text), &b, &err) != 0) {
		out_complain("postern: %s: %s\n", text, err.why);
		buf_fini(&b);
		return NULL;
	}
	s = buf_take(&b);
	buf_fini(&b);
	return s;
}

char *
cli_address(const char *text)
{
	return normal(text, address_normal_text);
}

char *
cli_domain(const char *text)
{
	return normal(text, address_domain_normal);
}

bool
cli_sure(struct cli *cli, const char *fmt, ...)
{
	char line[16];
	struct buf what;
	va_list ap;

	if (cli->yes)
		return true;
	buf_init(&what, 65536);
	va_start(ap, fmt);
	buf_vfmt(&what, fmt, ap);
	va_end(ap);
	if (!isatty(STDIN_FILENO)) {
		out_complain("postern: %s needs --yes when nobody can be "
		    "asked\n", cli->command->name);
		buf_fini(&what);
		return false;
	}
	buf_str(&what, "? Type yes: ");
	fflush(stdout);
	out_clean_to(stderr, buf_span(&what));
	buf_fini(&what);
	if (fgets(line, sizeof(line), stdin) != NULL &&
	    strcmp(line, "yes\n") == 0)
		return true;
	out_complain("postern: nothing was done\n");
	return false;
}

bool
cli_size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "kmgt";
	struct span s = span_str(text);
	const char *unit;
	uint64_t n, factor = 1;
	char last;

	if (strcmp(text, "none") == 0) {
		*bytes = 0;
		return true;
	}
	last = s.n > 0 ? ascii_lower(s.p[s.n - 1]) : '\0';
	unit = last == '\0' ? NULL : strchr(units, last);
	if (unit != NULL) {
		factor = (uint64_t)1 << (10 * (unit - units + 1));
		s.n--;
	}
	if (!span_u64(s, 0, (uint64_t)INT64_MAX / factor, &n))
		return false;
	*bytes = n * factor;
	return true;
}

bool
cli_size(const char *text, uint64_t *bytes)
{
	if (cli_size_parse(text, bytes))
		return true;
	out_complain("postern: `%s' is not a size such as 500m or 2g, nor "
	    "`none'\n", text);
	return false;
}

bool
cli_number(const char *text, uint64_t *number)
{
	if (strcmp(text, "none") == 0) {
		*number = 0;
		return true;
	}
	if (span_u64(span_str(text), 0, INT64_MAX, number))
		return true;
	out_complain("postern: `%s' is not a number, nor `none'\n", text);
	return false;
}

bool
cli_time(const struct cli *cli, const char *option, const char *otherwise,
    struct span *out)
{
	const char *text = cli_option(cli, option);

	if (text == NULL)
		text = otherwise;
	*out = text == NULL ? SPAN_NONE : span_str(text);
	if (text == NULL || (strchr(text, '-') == NULL &&
	    strstr(text, "ago") == NULL))
		return true;
	out_complain("postern: %s: `%s' is back in time; a length is wanted, "
	    "such as '7 days'\n", option, text);
	return false;
}

const char *
cli_setting(const char *setting, const char *value,
    char number[CLI_NUMBER_MAX])
{
	uint64_t n;

	if (strncmp(setting, "quota_", 6) != 0 &&
	    strncmp(setting, "max_", 4) != 0)
		return value;
	if (!cli_size(value, &n))
		return NULL;
	snprintf(number, CLI_NUMBER_MAX, "%" PRIu64, n);
	return number;
}
