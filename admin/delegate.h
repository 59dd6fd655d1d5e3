/*
 * Acting as a domain admin: the database session becomes theirs, and role
 * postern_delegate's, to whom row-level security shows their organisation only
 * (sql/0011).
 */
#ifndef ADMIN_DELEGATE_H
#define ADMIN_DELEGATE_H

#include "admin/sql.h"

#define DELEGATE_ROLE	"postern_delegate"

/*
 * Who administers everything enters as anyone. A session of postern_delegate
 * itself proves the password, which is asked for on the terminal, or is the
 * first line of standard input. 0, or err: PS_ENOTFOUND, PS_EDENIED.
 */
int delegate_enter(struct sql *sql, const char *name, struct err *err)
    MUST_CHECK;

#endif
