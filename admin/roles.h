/*
 * What posternd knows of each kind of child: its program, user, number, what
 * it is given, and who talks to whom. Two tables; nothing here runs.
 */
#ifndef ADMIN_ROLES_H
#define ADMIN_ROLES_H

#include "base/conf.h"
#include "proto/service.h"

struct role {
	enum service_role role;
	const char *program;		/* file name below pkglibexecdir */
	const char *build_dir;		/* where the build tree has it */
	size_t user_offset;		/* of mail_owner_*, in struct conf */
	size_t workers_offset;		/* of *_workers; 0: always one */
	size_t db_role_offset;		/* of database_role_*; 0: none */
	unsigned stop_stage;		/* lower ends earlier */
	bool spool, store;		/* directories it is handed */
	bool store_group;		/* gets the store user's group */
	bool tls;			/* gets certificates and keys */
	bool only_with_listener;	/* not started without a service */
};

#define ROLE_STOP_STAGES	4

/* All roles in the order in which they are started. */
const struct role *role_table(size_t *n);

/* "smtp", "submission" -> ROLE_SMTPD; "imap" -> ROLE_IMAPD. */
enum service_role role_of_protocol(const char *protocol);

/* Does a process of `a` have a connection to every process of `b`? */
bool role_talks(enum service_role a, enum service_role b);

const char *role_user(const struct role *r, const struct conf *conf);
const char *role_db_role(const struct role *r, const struct conf *conf);
/* How many processes of it `conf` wants. */
unsigned role_workers(const struct role *r, const struct conf *conf);

#endif
