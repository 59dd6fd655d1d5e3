/*
 * Bringing a database to the revision this build needs, and this host's row.
 */
#ifndef ADMIN_DBSETUP_H
#define ADMIN_DBSETUP_H

#include "base/conf.h"
#include "base/err.h"

/* As `role` ("": who the URL says). Blocks. */
int dbsetup_migrate(const struct conf *conf, const char *role, bool quiet,
    struct err *err) MUST_CHECK;

#endif
