/*
 * Files of users: our CSV and Dovecot's passwd-file, read in pieces of any
 * size. Knows the form of a file, not what its values mean: whatever is in a
 * field is handed on as text. Never more than one row in memory.
 *
 * CSV is RFC 4180's, with a first row that names the columns; `;' or a tab may
 * be between fields, too. passwd-file: user:hash:uid:gid:name:home:shell:extra,
 * of which user, hash, name, and of the extra fields quota and nologin count.
 */
#ifndef ADMIN_USERFILE_H
#define ADMIN_USERFILE_H

#include "base/buf.h"
#include "base/span.h"

#define USERFILE_FIELD_MAX	65536
#define USERFILE_COLUMNS_MAX	64

enum userfile_format { USERFILE_CSV, USERFILE_PASSWD };

enum user_field {
	USER_TYPE, USER_ADDRESS, USER_PASSWORD, USER_HASH, USER_STATE,
	USER_QUOTA, USER_QUOTA_MESSAGES, USER_NAME, USER_ALIASES,
	USER_TARGETS, USER_LABEL, USER_SCOPE, USER_EXPIRES,
	USER_ORGANISATION, USER_CLASS, USER_TRANSPORT,
	USER_RELAY_RECIPIENTS, USER_ACTIVE, USER_NOTE,
	USER_FIELDS
};

/* Column's name in CSV: "quota_messages". */
const char *user_field_name(enum user_field f);

struct user_row {
	unsigned line;			/* on which it begins */
	struct span field[USER_FIELDS];	/* .p == NULL: no such column, or
					 * an empty one; lent */
};

struct userfile_ops {
	void (*row)(const struct user_row *row, void *arg);
	void (*fault)(unsigned line, const char *why, void *arg);
};

struct userfile;

struct userfile *userfile_new(enum userfile_format format,
    const struct userfile_ops *ops, void *arg);
void userfile_feed(struct userfile *f, struct span bytes);
/* What is left of the last row; NULL afterwards. */
void userfile_end(struct userfile **f);

/* Appends a CSV field, quoted where it must be. */
void userfile_csv_put(struct buf *out, struct span value);

#endif
