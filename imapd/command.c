#include "imapd/command.h"

#define ANY	SESSION_ANY
#define FIRST	SESSION_GREETED
#define IN	SESSION_LOGGED_IN
#define SEL	SESSION_SELECTED

/* In alphabetical order, for the reader's eye only. */
static const struct command commands[] = {
	{ "APPEND", IN, CMD_REFRESH, cmd_append },
	{ "AUTHENTICATE", FIRST, 0, cmd_authenticate },
	{ "CAPABILITY", ANY, 0, cmd_capability },
	{ "CHECK", SEL, CMD_REFRESH, cmd_check },
	{ "CLOSE", SEL, 0, cmd_close },
	{ "COPY", SEL, CMD_UID | CMD_REFRESH, cmd_copy },
	{ "CREATE", IN, 0, cmd_create },
	{ "DELETE", IN, 0, cmd_delete },
	{ "ENABLE", IN, 0, cmd_enable },
	{ "EXAMINE", IN, CMD_NO_UPDATES, cmd_examine },
	{ "EXPUNGE", SEL, CMD_UID | CMD_UID_ONLY_ARGS | CMD_REFRESH,
	    cmd_expunge },
	{ "FETCH", SEL, CMD_UID | CMD_NO_EXPUNGE, cmd_fetch },
	{ "GETQUOTA", IN, 0, cmd_getquota },
	{ "GETQUOTAROOT", IN, 0, cmd_getquotaroot },
	{ "ID", ANY, 0, cmd_id },
	{ "IDLE", IN, CMD_REFRESH, cmd_idle },
	{ "LIST", IN, 0, cmd_list },
	{ "LOGIN", FIRST, 0, cmd_login },
	{ "LOGOUT", ANY, CMD_NO_UPDATES, cmd_logout },
	{ "LSUB", IN, 0, cmd_lsub },
	{ "MOVE", SEL, CMD_UID | CMD_REFRESH, cmd_move },
	{ "NAMESPACE", IN, 0, cmd_namespace },
	{ "NOOP", ANY, CMD_REFRESH, cmd_noop },
	{ "RENAME", IN, 0, cmd_rename },
	{ "SEARCH", SEL, CMD_UID | CMD_NO_EXPUNGE, cmd_search },
	{ "SELECT", IN, CMD_NO_UPDATES, cmd_select },
	{ "SETQUOTA", IN, 0, cmd_setquota },
	{ "SORT", SEL, CMD_UID | CMD_NO_EXPUNGE, cmd_sort },
	{ "STARTTLS", FIRST, 0, cmd_starttls },
	{ "STATUS", IN, 0, cmd_status },
	{ "STORE", SEL, CMD_UID | CMD_NO_EXPUNGE, cmd_store },
	{ "SUBSCRIBE", IN, 0, cmd_subscribe },
	{ "THREAD", SEL, CMD_UID | CMD_NO_EXPUNGE, cmd_thread },
	{ "UNSELECT", SEL, CMD_NO_MESSAGES, cmd_unselect },
	{ "UNSUBSCRIBE", IN, 0, cmd_unsubscribe },
};

const struct command *
command_find(struct span name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (span_is(name, commands[i].name))
			return &commands[i];
	return NULL;
}

bool
command_folder(struct session *s, struct arg_iter *it,
    char out[FOLDER_NAME_MAX + 1])
{
	struct span name;

	if (!arg_take_astring(it, &name)) {
		session_bad(s, "Mailbox name expected");
		return false;
	}
	if (!folder_name_to_disk(name, *s->conf->imap_hierarchy_separator,
	    out)) {
		session_reply(s, "NO", "[CANNOT] No mailbox can have that "
		    "name");
		return false;
	}
	return true;
}

bool
command_end(struct session *s, struct arg_iter *it)
{
	if (arg_at_end(it))
		return true;
	session_bad(s, "Too many arguments");
	return false;
}
