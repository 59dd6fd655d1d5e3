/* Looking at the configuration. */
#include "admin/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/check_lists.h"
#include "admin/listen.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "gate/gate.h"
#include "gate/netlist.h"
#include "net/ccert.h"
#include "net/certs.h"

static const struct out_column columns[] = {
	{ "name", OUT_TEXT }, { "value", OUT_TEXT }, { "set_at", OUT_TEXT },
};

static void
param_row(struct out *o, const struct conf *conf, const struct conf_param *p)
{
	const char *where = conf_where(conf, p->name);
	struct buf value;

	buf_init(&value, 1024 * 1024);
	conf_value(conf, p, &value);
	struct span row[] = { span_str(p->name), buf_span(&value),
	    *where == '\0' ? SPAN_LIT("default") : span_str(where) };

	out_row(o, row);
	buf_fini(&value);
}

static const struct conf_param *
param_find(const char *name)
{
	const struct conf_param *p = conf_param_find(span_str(name)), *all;
	const char *best = NULL;
	unsigned d, nearest = 4;
	size_t i, n;

	if (p != NULL)
		return p;
	all = conf_params(&n);
	for (i = 0; i < n; i++) {
		d = conf_word_distance(span_str(name), span_str(all[i].name));
		if (d < nearest) {
			nearest = d;
			best = all[i].name;
		}
	}
	out_complain("postern: there is no parameter `%s'%s%s%s\n", name,
	    best == NULL ? "" : "; did you mean `", best == NULL ? "" : best,
	    best == NULL ? "" : "'?");
	return NULL;
}

static const struct conf *
section_find(struct cli *cli)
{
	const char *name = cli_option(cli, "--section");
	const struct conf *conf = cli->config.conf, *section;

	if (name == NULL)
		return conf;
	section = conf_section(conf, "service", name);
	if (section == NULL)
		section = conf_section(conf, "transport", name);
	if (section == NULL)
		out_complain("postern: there is no section %s\n", name);
	return section;
}

int
cmd_config_show(struct cli *cli)
{
	const struct conf *conf = section_find(cli);
	const struct conf_param *p;
	struct out *o;
	size_t i, n;
	int rc = EX_OK;

	if (conf == NULL)
		return EX_DATAERR;
	o = out_new(cli->json, false, columns, ARRAY_LEN(columns));
	for (i = 0; i < cli->n_words; i++) {
		p = param_find(cli->word[i]);
		if (p == NULL)
			rc = EX_DATAERR;
		else
			param_row(o, conf, p);
	}
	p = conf_params(&n);
	for (i = 0; cli->n_words == 0 && i < n; i++)
		param_row(o, conf, &p[i]);
	out_end(&o);
	return rc;
}

/* --- check --- */

/* Each address once, each well-formed, each service with one. */
static void
check_listeners(const struct conf *conf, struct buf *complaints)
{
	struct map *seen = map_new();
	const struct conf *s;
	struct span rest, word;
	struct err err;
	size_t i;

	for (i = 0; i < conf->n_sections; i++) {
		s = conf_section_at(conf, i);
		if (strcmp(s->kind, "service") != 0)
			continue;
		rest = span_str(s->listen);
		if (!conf_list_next(&rest, &word))
			buf_fmt(complaints, "%s: [service %s] has no "
			    "`listen'\n", conf_where(s, "protocol"), s->name);
		rest = span_str(s->listen);
		while (conf_list_next(&rest, &word)) {
			if (!listen_address_ok(word, &err))
				buf_fmt(complaints, "%s: %s\n",
				    conf_where(s, "listen"), err.why);
			if (map_put(seen, word,
			    (void *)(uintptr_t)conf) != NULL)
				buf_fmt(complaints, "%s: %.*s is listened on "
				    "twice\n", conf_where(s, "listen"),
				    SPAN_ARG(word));
		}
	}
	map_free(&seen);
}

/* What the loader says names files; here it is told which line wants them. */
static void
check_certificates(const struct conf *conf, struct buf *complaints)
{
	struct certs *certs = certs_new(conf);
	const char *dir = conf->tls_certificate_directory, *name;
	const char *key = conf->tls_key_file;
	struct span rest, line;
	struct buf said;

	buf_init(&said, 1024 * 1024);
	(void)certs_load(certs, conf, &said);
	certs_unref(&certs);
	rest = buf_span(&said);
	while (span_split(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		name = *dir != '\0' && span_starts(line, dir) ?
		    "tls_certificate_directory" : *key != '\0' &&
		    span_starts(line, key) ? "tls_key_file" :
		    "tls_certificate_file";
		buf_fmt(complaints, "%s: %s: %.*s\n", conf_where(conf, name),
		    name, SPAN_ARG(line));
	}
	buf_fini(&said);
}

/* posternd would not start, or its processes never reach the database. */
static void
check_files(const struct conf *conf, struct buf *complaints)
{
	const char *log = conf->maillog_file, *slash = strrchr(log, '/');
	const char *secret = conf->database_password_file;
	char *dir = slash == NULL ? NULL :
	    xmemdup0(log, (size_t)(slash - log) + 1);

	if (dir != NULL && access(dir, F_OK) != 0 && errno == ENOENT)
		buf_fmt(complaints, "%s: maillog_file: there is no directory "
		    "%s\n", conf_where(conf, "maillog_file"), dir);
	free(dir);
	if (*secret != '\0' && access(secret, F_OK) != 0 && errno == ENOENT)
		buf_fmt(complaints, "%s: database_password_file: there is no "
		    "%s\n", conf_where(conf, "database_password_file"),
		    secret);
}

/* Only root becomes somebody else. */
static void
check_owners(const struct conf *conf, struct buf *complaints)
{
	static const char prefix[] = "mail_owner_";
	const struct conf_param *p;
	struct buf name;
	size_t i, n;

	p = conf_params(&n);
	for (i = 0; geteuid() == 0 && i < n; i++) {
		if (strncmp(p[i].name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		buf_init(&name, 1024);
		conf_value(conf, &p[i], &name);
		if (getpwnam(buf_cstr(&name)) == NULL)
			buf_fmt(complaints, "%s: %s: there is no user `%s'; "
			    "`postern setup' makes the usual ones\n",
			    *conf_where(conf, p[i].name) == '\0' ? "default" :
			    conf_where(conf, p[i].name), p[i].name,
			    buf_cstr(&name));
		buf_fini(&name);
	}
}

/* Who vouches for client certificates, of each listener. */
static void
check_issuers(const struct conf *conf, struct buf *complaints)
{
	struct ccert_policy *p;
	const struct conf *s;
	size_t i;

	for (i = 0; (s = conf_section_at(conf, i)) != NULL; i++) {
		if (strcmp(s->kind, "service") != 0 ||
		    strcmp(s->protocol, "imap") == 0)
			continue;
		p = ccert_policy_new(s, complaints);
		ccert_policy_unref(&p);
	}
}

static void
check_exempt_networks(const struct conf *conf, struct buf *complaints)
{
	struct span bad;
	struct netlist *n = netlist_parse(
	    conf->login_defence_exempt_networks, &bad);

	if (n == NULL)
		buf_fmt(complaints, "%s: login_defence_exempt_networks: "
		    "\"%.*s\" is no network\n", conf_where(conf,
		    "login_defence_exempt_networks"), SPAN_ARG(bad));
	netlist_free(&n);
}

int
cmd_config_check(struct cli *cli)
{
	struct buf complaints, warnings;
	int rc = EX_OK;

	buf_init(&complaints, 1024 * 1024);
	buf_init(&warnings, 65536);
	if (configfile_read(&cli->config, cli->config_path, &complaints)) {
		if (!gate_conf_check(cli->config.conf, &complaints))
			rc = EX_CONFIG;
		check_listeners(cli->config.conf, &complaints);
		check_certificates(cli->config.conf, &complaints);
		check_files(cli->config.conf, &complaints);
		check_owners(cli->config.conf, &complaints);
		check_issuers(cli->config.conf, &complaints);
		check_exempt_networks(cli->config.conf, &complaints);
		check_lists(cli->config.conf, &warnings);
	}
	if (buf_len(&complaints) > 0)
		rc = EX_CONFIG;
	out_complain("%s%s", buf_cstr(&complaints), buf_cstr(&warnings));
	if (rc == EX_OK && !cli->json)
		out_say("%s: no mistakes found\n", cli->config.path);
	buf_fini(&complaints);
	buf_fini(&warnings);
	return rc;
}

/* --- restrictions --- */

static const char *
argument_name(enum gate_arg arg)
{
	static const char *const names[] = { [GATE_ARG_NONE] = "",
		[GATE_ARG_TABLE] = "TABLE", [GATE_ARG_CCERT_TABLE] = "TABLE",
		[GATE_ARG_DNSLIST] = "ZONE[=FILTER]",
		[GATE_ARG_SECONDS] = "SECONDS", [GATE_ARG_POLICY] = "SERVICE",
		[GATE_ARG_SCORE] = "[=SCORE]",
	};

	return names[arg];
}

/* What stands between a restriction and its argument. */
static bool
argument_apart(enum gate_arg arg)
{
	return arg != GATE_ARG_NONE && arg != GATE_ARG_SCORE;
}

/* "client, helo, ..."; all of them are "any". */
static void
lists_put(struct buf *out, const struct gate_restriction *r)
{
	static const char *const stages[] = {
		[GATE_CLIENT] = "client", [GATE_HELO] = "helo",
		[GATE_SENDER] = "sender", [GATE_RELAY] = "relay",
		[GATE_RECIPIENT] = "recipient", [GATE_DATA] = "data",
		[GATE_END_OF_DATA] = "end_of_data",
		[GATE_ETRN] = "etrn",
	};
	bool any = true, first = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(stages); i++)
		any = any && (r->stages & 1u << i) != 0;
	for (i = 0; !any && i < ARRAY_LEN(stages); i++) {
		if (!(r->stages & 1u << i))
			continue;
		buf_fmt(out, "%s%s", first ? "" : ", ", stages[i]);
		first = false;
	}
	if (any)
		buf_str(out, "any");
}

int
cmd_config_restrictions(struct cli *cli)
{
	static const struct out_column cols[] = { { "name", OUT_TEXT },
		{ "argument", OUT_TEXT }, { "lists", OUT_TEXT },
		{ "old", OUT_BOOL }, { "help", OUT_TEXT } };
	const struct gate_restriction *r;
	struct buf lists;
	struct out *o;
	size_t n, i;

	o = out_new(cli->json, false, cols, ARRAY_LEN(cols));
	r = gate_restrictions(&n);
	for (i = 0; i < n; i++) {
		buf_init(&lists, 1024);
		lists_put(&lists, &r[i]);
		struct span row[] = { span_str(r[i].name),
		    span_str(argument_name(r[i].arg)), buf_span(&lists),
		    span_str(r[i].flags & GATE_OLD ? "t" : "f"),
		    span_str(r[i].help) };

		out_row(o, row);
		buf_fini(&lists);
	}
	out_end(&o);
	return EX_OK;
}

/* The table of doc/restrictions.md. */
static void
restrictions_markdown(void)
{
	const struct gate_restriction *r;
	struct buf lists;
	size_t n, i;

	puts("| restriction | in lists | what it does |\n|---|---|---|");
	r = gate_restrictions(&n);
	for (i = 0; i < n; i++) {
		buf_init(&lists, 1024);
		lists_put(&lists, &r[i]);
		printf("| `%s%s%s` | %s | %s |\n", r[i].name,
		    argument_apart(r[i].arg) ? " " : "",
		    argument_name(r[i].arg), buf_cstr(&lists), r[i].help);
		buf_fini(&lists);
	}
}

/* The RESTRICTIONS part of postern.conf(5). */
static void
restrictions_man(void)
{
	const struct gate_restriction *r;
	struct buf lists;
	size_t n, i;

	puts(".Bl -tag -width Ds");
	r = gate_restrictions(&n);
	for (i = 0; i < n; i++) {
		buf_init(&lists, 1024);
		lists_put(&lists, &r[i]);
		printf(".It Ic %s%s%s\n", r[i].name,
		    argument_apart(r[i].arg) ? " Ar " : "",
		    argument_name(r[i].arg));
		out_man(r[i].help);
		printf("\n.br\nIn lists: %s.\n", buf_cstr(&lists));
		buf_fini(&lists);
	}
	puts(".El");
}

int
cmd_config_man(struct cli *cli)
{
	struct buf b;

	if (cli->n_words > 0) {
		if (strcmp(cli->word[0], "restrictions") == 0)
			restrictions_man();
		else if (strcmp(cli->word[0], "restrictions.md") == 0)
			restrictions_markdown();
		else
			return cli_usage(cli, "man of what?");
		return EX_OK;
	}
	buf_init(&b, 4 * 1024 * 1024);
	conf_print_man(&b);
	fwrite(buf_data(&b), 1, buf_len(&b), stdout);
	buf_fini(&b);
	return EX_OK;
}
