/*
 * postern(8): one table of commands. A command's function gets its words and
 * options already checked against its row, prints through out.h, and returns
 * a sysexits code.
 */
#ifndef ADMIN_CLI_H
#define ADMIN_CLI_H

#include <sysexits.h>

#include "admin/configfile.h"
#include "admin/out.h"
#include "admin/sql.h"

#define CLI_WORDS_MAX	1000
#define CLI_OPTIONS_MAX	14
#define CLI_NUMBER_MAX	32

struct cli_command;

struct cli {
	const char *config_path;
	struct configfile config;	/* .conf NULL: not CLI_CONFIG */
	struct sql *sql;		/* opened by the first cli_ask */
	const struct cli_command *command;
	bool json, yes;
	bool is_delegate;	/* ... and sql is it already */
	const char *as;		/* acts as this domain admin, or NULL */
	const char *word[CLI_WORDS_MAX];	/* behind the command */
	size_t n_words;
	const char *option[CLI_OPTIONS_MAX];	/* value, "" for a flag, NULL
						 * not given; as in the row */
};

enum {
	CLI_CONFIG = 1,		/* needs a configuration that parses */
	CLI_HIDDEN = 2,		/* not in --help */
	CLI_DESTROYS = 4,	/* asks first, unless --yes */
	CLI_DELEGATE = 16,	/* domain admins may (--as) */
	CLI_SERVER = 8		/* asks the running server, which may have
				 * started before the file was spoiled */
};

struct cli_command {
	const char *name;		/* "mailbox add" */
	const char *words;		/* "ADDRESS", for people */
	size_t min, max;
	unsigned flags;
	/* "--quota=SIZE" or "--password-stdin" */
	const char *options[CLI_OPTIONS_MAX];
	int (*run)(struct cli *cli);
	const char *help;		/* one sentence, or more */
	const char *example;
};

/* All commands, ordered as the manual page has them. */
const struct cli_command *cli_commands(size_t *n);

/* Value of an option of the present command ("" for a flag), or NULL. */
const char *cli_option(const struct cli *cli, const char *name);

/* Prints why; the sysexits code for it. */
int cli_fail(const struct err *err);
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF(2, 3);
/* With --as, before anything else is read or asked: the password may be. */
int cli_enter(struct cli *cli);
/* Runs SQL as database_role_admin; NULL was explained, *rc says how to end. */
struct sql_result *cli_ask(struct cli *cli, const char *statement,
    const struct span *params, size_t n, int *rc);
/* As cli_ask, and prints the rows. An empty result of a `single` one is
 * complained about as `missing`. */
int cli_ask_print(struct cli *cli, const char *statement,
    const struct span *params, size_t n, bool single, const char *missing);
/* The rows of the domain that may be the first word; of all ($1 is NULL)
 * without one. `ours': it must be one that is in the database. */
int cli_print_of_domain(struct cli *cli, const char *statement, bool ours,
    const char *missing);
/* Runs SQL whose result is of no interest; says `done` unless it is NULL or
 * with --json. */
int cli_do(struct cli *cli, const char *statement, const struct span *params,
    size_t n, const char *done);
/* Normal form of an address or domain, yours; NULL was explained. */
char *cli_address(const char *text);
char *cli_domain(const char *text);
/* "Really ...?": true with --yes; false without a terminal. */
bool cli_sure(struct cli *cli, const char *fmt, ...) PRINTF(2, 3);
/* "2g" -> bytes; false was explained. "none" is 0. */
bool cli_size_parse(const char *text, uint64_t *bytes);	/* says nothing */
bool cli_size(const char *text, uint64_t *bytes);
/* The value of a `set' command as SQL takes it: limits (quota_*, max_*) may be
 * written as "2g" or "none". NULL was explained. */
const char *cli_setting(const char *setting, const char *value,
    char number[CLI_NUMBER_MAX]);
/* An option that is a time, such as --for='90 days', for PostgreSQL: how long, so
 * not back in time. `otherwise` (may be NULL) when it was not given; false was
 * explained. */
bool cli_time(const struct cli *cli, const char *option, const char *otherwise,
    struct span *out);
/* A number or "none" (0). */
bool cli_number(const char *text, uint64_t *number);

/* The commands, by file. */
int cmd_domain_add(struct cli *cli), cmd_domain_del(struct cli *cli),
    cmd_domain_list(struct cli *cli), cmd_domain_show(struct cli *cli),
    cmd_domain_set(struct cli *cli), cmd_domain_rename(struct cli *cli);
int cmd_mailbox_add(struct cli *cli), cmd_mailbox_del(struct cli *cli),
    cmd_mailbox_list(struct cli *cli), cmd_mailbox_show(struct cli *cli),
    cmd_mailbox_set(struct cli *cli), cmd_mailbox_passwd(struct cli *cli),
    cmd_mailbox_rename(struct cli *cli),
    cmd_mailbox_deleted(struct cli *cli), cmd_mailbox_purge(struct cli *cli), cmd_mailbox_adopt(struct cli *cli);
int cmd_alias_add(struct cli *cli), cmd_alias_del(struct cli *cli),
    cmd_alias_list(struct cli *cli), cmd_alias_show(struct cli *cli),
    cmd_alias_set(struct cli *cli);
int cmd_org_add(struct cli *cli), cmd_org_del(struct cli *cli),
    cmd_org_list(struct cli *cli), cmd_org_show(struct cli *cli),
    cmd_org_set(struct cli *cli);
int cmd_admin_add(struct cli *cli), cmd_admin_del(struct cli *cli),
    cmd_admin_list(struct cli *cli), cmd_admin_show(struct cli *cli),
    cmd_admin_set(struct cli *cli), cmd_admin_passwd(struct cli *cli);
int cmd_transport_add(struct cli *cli), cmd_transport_del(struct cli *cli),
    cmd_transport_list(struct cli *cli);
int cmd_recipient_add(struct cli *cli), cmd_recipient_del(struct cli *cli),
    cmd_recipient_list(struct cli *cli);
int cmd_credential_add(struct cli *cli), cmd_credential_del(struct cli *cli),
    cmd_credential_list(struct cli *cli),
    cmd_credential_show(struct cli *cli);
int cmd_quota_show(struct cli *cli), cmd_quota_set(struct cli *cli),
    cmd_quota_audit(struct cli *cli);
int cmd_import(struct cli *cli), cmd_export(struct cli *cli);
int cmd_completion(struct cli *cli), cmd_complete(struct cli *cli);
int cmd_access_add(struct cli *cli), cmd_access_remove(struct cli *cli),
    cmd_access_list(struct cli *cli), cmd_access_import(struct cli *cli),
    cmd_access_export(struct cli *cli);
int cmd_map_query(struct cli *cli), cmd_map_types(struct cli *cli);
int cmd_resolve(struct cli *cli);
int cmd_greylist_waiting(struct cli *cli), cmd_greylist_list(struct cli *cli),
    cmd_greylist_allow(struct cli *cli), cmd_greylist_forget(struct cli *cli),
    cmd_greylist_stats(struct cli *cli);
/* Tells the database what is in a mailbox. */
int quota_report(struct cli *cli, uint64_t id, uint64_t bytes,
    uint64_t messages);
/* A domain's or mailbox's own choice, "on" or "off". */
int greylist_choose(struct cli *cli, const char *who, const char *value);
int cmd_firstcontact_list(struct cli *cli),
    cmd_firstcontact_forget(struct cli *cli);
int cmd_verify_list(struct cli *cli), cmd_verify_set(struct cli *cli),
    cmd_verify_forget(struct cli *cli);
int cmd_explain(struct cli *cli);
int cmd_dnsbl_status(struct cli *cli);
int cmd_stats_gate(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_queue(struct cli *cli), cmd_trace(struct cli *cli);
int cmd_login_list(struct cli *cli), cmd_login_why(struct cli *cli),
    cmd_login_forgive(struct cli *cli);
int cmd_session_list(struct cli *cli), cmd_session_kick(struct cli *cli);
int cmd_status(struct cli *cli), cmd_reload(struct cli *cli),
    cmd_stop(struct cli *cli);
int cmd_config_show(struct cli *cli), cmd_config_check(struct cli *cli),
    cmd_config_diff(struct cli *cli), cmd_config_man(struct cli *cli),
    cmd_config_restrictions(struct cli *cli);
int cmd_db_migrate(struct cli *cli), cmd_db_status(struct cli *cli),
    cmd_db_start(struct cli *cli), cmd_db_stop(struct cli *cli);
int cmd_setup(struct cli *cli);
int cmd_help_man(struct cli *cli);

#endif
