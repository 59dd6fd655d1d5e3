/*
 * Where the parts of Postern are: installed, or in the build tree that the
 * running program is from. Results are yours to free.
 */
#ifndef ADMIN_PLACE_H
#define ADMIN_PLACE_H

#include "admin/roles.h"

/* The program of a child: in $POSTERN_LIBEXEC, the build tree or
 * pkglibexecdir. */
char *place_program(const struct role *role);
/* The directory of migrations: $POSTERN_SQL_DIR, the source tree or
 * pkgdatadir. */
char *place_sql(void);
/* posternd or postern itself (`name`), for telling the admin what to run. */
char *place_sibling(const char *name);

#endif
