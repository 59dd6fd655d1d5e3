/*
 * The secrets that posternd reads and hands to its children: certificate
 * pairs and database passwords. A set remembers the last good contents of
 * each, so that a child that restarts while a new pair is still half written
 * gets the old one. Contents are wiped when replaced.
 */
#ifndef ADMIN_SECRETS_H
#define ADMIN_SECRETS_H

#include "admin/roles.h"
#include "base/conf.h"

struct secret_set;

/* `contents` is empty when the secret is gone. */
typedef void secret_changed_fn(const char *name, struct span contents,
    void *arg);

struct secret_set *secret_set_new(void);
void secret_set_free(struct secret_set **s);

/*
 * Looks at the files conf names and reads those that changed since the last
 * scan (`force`: all). Calls changed for each new, changed or vanished
 * certificate. What is wrong with a file is logged once; the old contents
 * stay. Reads small local files: fast enough for posternd's loop.
 */
void secret_set_scan(struct secret_set *s, const struct conf *conf,
    bool force, secret_changed_fn *changed, void *arg);

/* Calls each for every certificate now known. */
void secret_set_each(const struct secret_set *s, secret_changed_fn *each,
    void *arg);

/* The password of database role `role` from database_password_file; yours,
 * secret_free it. NULL: none (peer authentication), or the
 * file can't be read (err->kind is not ERR_NONE). */
char *secret_database_password(const struct conf *conf, const char *role,
    struct err *err);

#endif
