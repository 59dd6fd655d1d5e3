/*
 * The table of commands: name, states in which it is legal, function. A start
 * function gets the arguments behind the name; they live until it returns or,
 * with CMD_KEEP_ARGS, until the command ends.
 */
#ifndef IMAPD_COMMAND_H
#define IMAPD_COMMAND_H

#include "imapd/session.h"

enum {
	CMD_UID = 1,		/* has a UID form */
	CMD_UID_ONLY_ARGS = 2,	/* the UID form takes a set (UID EXPUNGE) */
	CMD_NO_EXPUNGE = 4,	/* no EXPUNGE while it runs, but for its UID
				 * form (RFC 3501 7.4.1) */
	CMD_REFRESH = 8,	/* looks at the folder before its reply */
	CMD_NO_UPDATES = 16,	/* its reply is sent at once */
	CMD_NO_MESSAGES = 32	/* of the selected state, and yet asks for
				 * none of the folder's messages */
};

struct command {
	const char *name;
	unsigned states;
	unsigned flags;
	void (*start)(struct session *s, struct arg_iter *it);
};

const struct command *command_find(struct span name);

/* One function per row. */
void cmd_append(struct session *s, struct arg_iter *it);
void cmd_authenticate(struct session *s, struct arg_iter *it);
void cmd_capability(struct session *s, struct arg_iter *it);
void cmd_check(struct session *s, struct arg_iter *it);
void cmd_close(struct session *s, struct arg_iter *it);
void cmd_copy(struct session *s, struct arg_iter *it);
void cmd_create(struct session *s, struct arg_iter *it);
void cmd_delete(struct session *s, struct arg_iter *it);
void cmd_enable(struct session *s, struct arg_iter *it);
void cmd_examine(struct session *s, struct arg_iter *it);
void cmd_expunge(struct session *s, struct arg_iter *it);
void cmd_fetch(struct session *s, struct arg_iter *it);
void cmd_getquota(struct session *s, struct arg_iter *it);
void cmd_getquotaroot(struct session *s, struct arg_iter *it);
void cmd_id(struct session *s, struct arg_iter *it);
void cmd_idle(struct session *s, struct arg_iter *it);
void cmd_list(struct session *s, struct arg_iter *it);
void cmd_login(struct session *s, struct arg_iter *it);
void cmd_logout(struct session *s, struct arg_iter *it);
void cmd_lsub(struct session *s, struct arg_iter *it);
void cmd_move(struct session *s, struct arg_iter *it);
void cmd_namespace(struct session *s, struct arg_iter *it);
void cmd_noop(struct session *s, struct arg_iter *it);
void cmd_rename(struct session *s, struct arg_iter *it);
void cmd_search(struct session *s, struct arg_iter *it);
void cmd_select(struct session *s, struct arg_iter *it);
void cmd_setquota(struct session *s, struct arg_iter *it);
void cmd_sort(struct session *s, struct arg_iter *it);
void cmd_starttls(struct session *s, struct arg_iter *it);
void cmd_status(struct session *s, struct arg_iter *it);
void cmd_store(struct session *s, struct arg_iter *it);
void cmd_subscribe(struct session *s, struct arg_iter *it);
void cmd_thread(struct session *s, struct arg_iter *it);
void cmd_unselect(struct session *s, struct arg_iter *it);
void cmd_unsubscribe(struct session *s, struct arg_iter *it);

/* append.c: a literal of APPEND is announced; true when it takes care. */
bool append_literal(struct session *s);

/* Takes the next argument as a folder name on disk. On failure the command
 * has been answered and false is returned. */
bool command_folder(struct session *s, struct arg_iter *it,
    char out[FOLDER_NAME_MAX + 1]);
/* True when nothing is left; else answers BAD. */
bool command_end(struct session *s, struct arg_iter *it);

#endif
