/*
 * Removes a directory with all that is in it. Never leaves it: a symbolic link
 * is removed and not followed, whoever changes the tree meanwhile.
 */
#ifndef ADMIN_RMTREE_H
#define ADMIN_RMTREE_H

#include "base/err.h"

/* `path' below the directory `at'. It need not be there. */
int rmtree(int at, const char *path, struct err *err) MUST_CHECK;

#endif
